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
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

_TEST_SHARE = 0.25
# Of a split by time, which needs room before its first test part.
_TEST_SHARE_OF_TIME = 0.15


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
    """Rows of a table; missing numbers are imputed, and all are standardised."""

    categories: pd.DataFrame
    numbers: pd.DataFrame
    y: np.ndarray


def load_tables(folder: Path, names: list[str] | None, n_rows: int | None, split: str):
    """Return the tables of the catalog, each cut to ``n_rows`` rows at random."""
    catalog = json.loads((folder / "catalog.json").read_text())["datasets"]
    return [
        _load(folder, entry, n_rows, split)
        for entry in catalog
        if names is None or entry["name"] in names
    ]


def _load(folder: Path, entry: dict[str, Any], n_rows: int | None, split: str) -> Table:
    frame = pd.read_parquet(folder / entry["file"])
    frame = frame.sample(min(n_rows or len(frame), len(frame)), random_state=0)
    group, time = entry.get("group_column"), entry.get("time_column")
    column = (group or time) if split == "catalog" else None
    if column == time and column is not None:
        frame = frame.sort_values(column, kind="stable")
    frame = frame.reset_index(drop=True)
    y = frame[entry["target"]]
    if entry.get("target_transform") == "log":
        y = np.log(y)
    categories = frame[list(entry["categorical"])].astype(object)
    return Table(
        name=entry["name"],
        task=entry["task"],
        categories=categories.where(categories.notna(), None),
        numbers=frame[entry["numeric"]].astype(np.float64),
        y=y.to_numpy(),
        split_by="random" if column is None else ("group" if column == group else "time"),
        split_column=None if column is None else frame[column],
    )


def splits(table: Table, n_splits: int) -> Iterator[tuple[Part, Part]]:
    """Yield training and test part of each split.

    By time, test parts are the last stretches of the table and training parts all that
    is before them, in random order; by group, no group is in both parts.
    """
    n_rows = len(table.y)
    rng = np.random.default_rng(0)
    if table.split_by == "time":
        test_size = int(_TEST_SHARE_OF_TIME * n_rows)
        splitter = TimeSeriesSplit(n_splits, test_size=test_size)
    elif table.split_by == "group":
        splitter = GroupShuffleSplit(n_splits, test_size=_TEST_SHARE, random_state=0)
    else:
        splitter = ShuffleSplit(n_splits, test_size=_TEST_SHARE, random_state=0)
    for train, test in splitter.split(table.y, groups=table.split_column):
        train = rng.permutation(train)
        scale = make_pipeline(SimpleImputer(), StandardScaler())
        numbers = table.numbers.to_numpy()
        if numbers.shape[1]:
            scale.fit(numbers[train])
        yield tuple(  # type: ignore[misc]
            Part(
                table.categories.iloc[rows].reset_index(drop=True),
                pd.DataFrame(
                    scale.transform(numbers[rows]) if numbers.shape[1] else numbers[rows]
                ).add_prefix("number_"),
                table.y[rows],
            )
            for rows in (train, test)
        )
