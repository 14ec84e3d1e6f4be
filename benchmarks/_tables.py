"""Tables of a folder with a ``catalog.json``, and how each is split."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

_TEST_SHARE = 0.25
# Of a split by time, which needs room before its first test part.
_TEST_SHARE_OF_TIME = 0.15
_VALIDATION_SHARE = 0.2
# Tables that are split by group, without telling any encoder the groups.
UNTOLD = "group untold"


@dataclass(frozen=True)
class Table:
    """One table: categories, numbers, target, and the column that says how to split."""

    name: str
    task: str
    categories: pd.DataFrame
    numbers: pd.DataFrame
    y: np.ndarray
    split_by: str
    split_column: pd.Series | None


@dataclass(frozen=True)
class Part:
    """Rows of a table, their groups where it is split by group, and their order in time."""

    categories: pd.DataFrame
    numbers: pd.DataFrame
    y: np.ndarray
    groups: np.ndarray | None = None
    positions: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> Part:
        """Return some rows of this part."""
        return Part(
            self.categories.iloc[rows].reset_index(drop=True),
            self.numbers.iloc[rows].reset_index(drop=True),
            self.y[rows],
            None if self.groups is None else self.groups[rows],
            None if self.positions is None else self.positions[rows],
        )


def load_tables(
    folder: Path, names: list[str] | None, n_rows: int | None, split: str, draw: int = 0
) -> list[Table]:
    """Return the tables of the catalog, each cut to ``n_rows`` rows at random.

    "catalog" splits by the columns of groups or times that the catalog names, else at
    random; "untold" has the tables with groups alone, and keeps the groups to itself.

    Parameters
    ----------
    folder : Path
        Folder of a ``catalog.json`` and the files that it names.
    names : list of str or None
        Tables to load, by default all of them.
    n_rows : int or None
        Largest number of rows of a table, by default all of them.
    split : {"catalog", "random", "untold"}
        How the tables are split.
    draw : int, default=0
        Seed of the choice of rows.

    Returns
    -------
    tables : list of Table
    """
    catalog = json.loads((folder / "catalog.json").read_text())["datasets"]
    return [
        _load(folder, entry, n_rows, split, draw)
        for entry in catalog
        if (names is None or entry["name"] in names)
        and (split != "untold" or entry.get("group_column"))
    ]


def _load(
    folder: Path, entry: dict[str, Any], n_rows: int | None, split: str, draw: int
) -> Table:
    frame = pd.read_parquet(folder / entry["file"])
    frame = frame.sample(min(n_rows or len(frame), len(frame)), random_state=draw)
    group, time = entry.get("group_column"), entry.get("time_column")
    column = None if split == "random" else (group or time)
    if column == time and column is not None:
        frame = frame.sort_values(column, kind="stable")
    frame = frame.reset_index(drop=True)
    y = frame[entry["target"]]
    if entry.get("target_transform") == "log":
        y = np.log(y)
    categories = frame[list(entry["categorical"])].astype(object)
    split_by = "random" if column is None else "time" if column == time else "group"
    return Table(
        name=entry["name"],
        task=entry["task"],
        categories=categories.where(categories.notna(), None),
        numbers=frame[entry["numeric"]].astype(np.float64),
        y=y.to_numpy(),
        split_by=UNTOLD if split == "untold" else split_by,
        split_column=None if column is None else frame[column],
    )


def splits(table: Table, n_splits: int, scaled: bool = True) -> Iterator[tuple[Part, Part]]:
    """Yield training and test part of each split.

    By time, test parts are the last stretches of the table, the very last one first, and
    training parts all that is before them, in random order; by group, no group is in both
    parts.

    Parameters
    ----------
    table : Table
        Table to split.
    n_splits : int
        Number of splits.
    scaled : bool, default=True
        Whether numbers are imputed and standardised by the training rows' moments.

    Yields
    ------
    train, test : Part
    """
    rng = np.random.default_rng(0)
    for train, test in _row_numbers(table, n_splits):
        train = rng.permutation(train)
        numbers = _scale(table, train) if scaled else table.numbers.to_numpy()
        whole = _whole(table, numbers)
        yield whole.take(train), whole.take(test)


def _row_numbers(table: Table, n_splits: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield training and test rows; the first of many splits are those of few."""
    n_rows = len(table.y)
    if table.split_by == "time":
        test_size = int(_TEST_SHARE_OF_TIME * n_rows)
        for end in range(n_rows, n_rows - n_splits * test_size, -test_size):
            yield np.arange(end - test_size), np.arange(end - test_size, end)
        return
    splitter = ShuffleSplit if table.split_by == "random" else GroupShuffleSplit
    draws = splitter(n_splits, test_size=_TEST_SHARE, random_state=0)
    yield from draws.split(table.y, groups=table.split_column)


def inner_split(part: Part, seed: int) -> tuple[Part, Part]:
    """Return four fifths of a training part and the fifth that validates.

    The fifth is drawn from the rows, or from the groups; by time it is the last one.
    """
    rows = np.arange(len(part.y))
    if part.positions is not None:
        in_time = np.argsort(part.positions, kind="stable")
        first = round((1 - _VALIDATION_SHARE) * len(rows))
        return part.take(np.sort(in_time[:first])), part.take(np.sort(in_time[first:]))
    splitter = GroupShuffleSplit if part.groups is not None else ShuffleSplit
    draw = splitter(1, test_size=_VALIDATION_SHARE, random_state=seed)
    inner, validation = next(draw.split(rows, groups=part.groups))
    return part.take(inner), part.take(validation)


def _scale(table: Table, train: np.ndarray) -> np.ndarray:
    numbers = table.numbers.to_numpy()
    if not numbers.shape[1]:
        return numbers
    scale = make_pipeline(SimpleImputer(), StandardScaler()).fit(numbers[train])
    return scale.transform(numbers)


def _whole(table: Table, numbers: np.ndarray) -> Part:
    return Part(
        table.categories,
        pd.DataFrame(numbers).add_prefix("number_"),
        table.y,
        table.split_column.to_numpy() if table.split_by == "group" else None,
        np.arange(len(table.y)) if table.split_by == "time" else None,
    )
