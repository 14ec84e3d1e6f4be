"""Crosses as users meet them: which pairs are asked for, and the table of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import BoolArray, FloatArray, IntArray
from sk_embed._columns.choice import place_among_categorical
from sk_embed._columns.vocabulary import Vocabulary
from sk_embed._engine.cells import (
    CrossRule,
    Interaction,
    ListedCells,
    Pair,
    codes_of,
    keys_of,
)
from sk_embed._engine.crossed_effects import CrossEffects


class Cross(NamedTuple):
    """A pair of columns that is encoded as a column of its own.

    Parameters
    ----------
    first, second : str
        Names of the two columns.
    explained_variance_ratio : float
        Share of the pair's own effects in the variance of all effects, of columns and of
        crosses.
    """

    first: str
    second: str
    explained_variance_ratio: float


@dataclass(frozen=True, eq=False)
class CrossTable:
    """The table of one pair of categorical columns.

    Parameters
    ----------
    pair : tuple of int
        Places of the two columns among the categorical ones.
    cells : Vocabulary
        Keys of the pairs of table rows that had rows in fit, and their counts: see
        :mod:`sk_embed._engine.cells`.
    table : ndarray of shape (n_cells + 1, n_outputs)
        Own effects of each cell; zero, the last, of a cell that is not listed, unless
        ``interaction`` tells more.
    n_totals : int
        Number of totals that are given out beside the own effects: that of the main
        effects, 0 where these are not given out.
    explained_variance_ratio : float
        Share of the own effects in the variance of all effects.
    interaction : Interaction or None
        Own effects of cells that are not listed, by the rows of both columns' tables; None
        where they are zero.
    """

    pair: Pair
    cells: Vocabulary
    table: FloatArray
    n_totals: int
    explained_variance_ratio: float
    interaction: Interaction | None = None

    @property
    def width(self) -> int:
        """Number of output columns."""
        return self.table.shape[1] + self.n_totals

    def codes(self, table_rows: Sequence[IntArray]) -> IntArray:
        """Return the cell of each row, -1 where it is not listed.

        ``table_rows`` holds the row of its table that each categorical column reads.
        """
        first, second = (table_rows[j].astype(np.int64) for j in self.pair)
        return self.cells.encode(pd.Series(keys_of(first, second)))

    def effects(self, cells: IntArray, table_rows: Sequence[IntArray]) -> FloatArray:
        """Return the own effects of rows, of shape (n_rows, n_outputs).

        Parameters
        ----------
        cells : ndarray of shape (n_rows,)
            Cell of each row, -1 where it is not listed.
        table_rows : sequence of ndarray of shape (n_rows,)
            Row of its table that each categorical column reads.
        """
        effects = self.table.take(cells, axis=0)
        if self.interaction is not None:
            is_new = np.flatnonzero(cells < 0)
            codes = (table_rows[j][is_new] for j in self.pair)
            effects[is_new] = self.interaction.effects(*codes)
        return effects

    def write_totals(self, columns: Sequence[FloatArray], output: FloatArray) -> None:
        """Write the totals, given all that they are the sums of.

        The parts of a training row's total are those that the row is encoded by: a total
        of other parts would tell by its difference how the target has moved them.

        Parameters
        ----------
        columns : sequence of ndarray of shape (n_rows, width_of_column)
            Encoded categorical columns, which begin with their main effects.
        output : ndarray of shape (n_rows, width)
            Columns of the cross in the encoded rows, which begin with the own effects.
        """
        n = self.n_totals
        first, second = (columns[j][:, :n] for j in self.pair)
        output[:, self.width - n :] = output[:, :n] + first + second

    def name(self, names: Sequence[Any]) -> str:
        """Return the name of the cross, given those of the categorical columns."""
        first, second = (names[j] for j in self.pair)
        return f"{first}*{second}"

    def output_names(self, names: Sequence[Any], effects: list[str]) -> list[str]:
        """Return the names of the output columns.

        Parameters
        ----------
        names : sequence of str
            Names of the categorical columns.
        effects : list of str
            Names of the effects, one for each output of the model.
        """
        totals = [f"total{name.removeprefix('effect')}" for name in effects]
        return [f"{self.name(names)}_{part}" for part in (effects + totals)[: self.width]]

    def to_frame(
        self,
        names: Sequence[Any],
        effects: list[str],
        vocabularies: list[Vocabulary],
        tables: Sequence[FloatArray],
    ) -> pd.DataFrame:
        """Return the table, indexed by pairs of categories.

        Parameters
        ----------
        names : sequence of str
            Names of the categorical columns.
        effects : list of str
            Names of the effects, one for each output of the model.
        vocabularies : list of Vocabulary
            Categories of the categorical columns.
        tables : sequence of ndarray of shape (n_categories + 1, width)
            Tables of the categorical columns.
        """
        codes = codes_of(self.cells.categories)
        levels = [
            vocabularies[j].row_labels().take(of_pair)
            for j, of_pair in zip(self.pair, codes, strict=True)
        ]
        index = pd.MultiIndex.from_arrays(levels, names=[names[j] for j in self.pair])
        columns = self.output_names(names, effects)
        values = np.empty((len(self.table) - 1, self.width), self.table.dtype)
        values[:, : self.table.shape[1]] = self.table[:-1]
        encoded = list(tables)
        for j, of_pair in zip(self.pair, codes, strict=True):
            encoded[j] = tables[j][vocabularies[j].codes_of(of_pair)]
        self.write_totals(encoded, values)
        frame = pd.DataFrame(values, index=index, columns=columns)
        return frame.assign(count=self.cells.counts)


def cell_vocabulary(
    pair: Pair, cells: ListedCells, vocabularies: Sequence[Vocabulary]
) -> Vocabulary:
    """Return the cells of a pair of columns as the categories of a column."""
    first, second = (vocabularies[j].name for j in pair)
    never = np.zeros(len(cells.keys), dtype=bool)
    counts = cells.n_rows.astype(np.intp)
    return Vocabulary(f"{first}*{second}", cells.keys, counts, never)


def cross_table(
    cross: CrossEffects,
    full: FloatArray,
    unit: float,
    vocabularies: Sequence[Vocabulary],
    n_totals: int,
) -> CrossTable:
    """Return the table of a cross, given the effects of its cells in the output's unit.

    Parameters
    ----------
    cross : CrossEffects
        Cells of the cross, and what they explain.
    full : ndarray of shape (n_cells + 1, n_outputs)
        Own effects of the cells, as they are put out.
    unit : float
        Change of the raw prediction that counts as 1.
    vocabularies : sequence of Vocabulary
        Categories of each categorical column.
    n_totals : int
        Number of main effects that the tables of the columns begin with.
    """
    cells = cell_vocabulary(cross.pair, cross.cells, vocabularies)
    explained, foretold = cross.explained_variance_ratio, cross.interaction
    if foretold is not None:
        foretold = foretold.scaled(1 / unit).astype(full.dtype)
    return CrossTable(cross.pair, cells, full, n_totals, explained, foretold)


def read_crosses(
    crosses: Any, is_categorical: BoolArray, names: NDArray[Any] | None
) -> CrossRule:
    """Return which pairs of categorical columns are crossed, by place among these.

    Parameters
    ----------
    crosses : "auto", None or list of pairs
        The estimator's parameter; names or indices of two columns each.
    is_categorical : ndarray of bool of shape (n_columns,)
        Whether each column of X is categorical.
    names : ndarray of shape (n_columns,) or None
        Names of the columns of X, where all are strings.

    Returns
    -------
    CrossRule

    Raises
    ------
    ValueError
        If a pair is none of two different categorical columns, or is given twice.
    """
    if isinstance(crosses, str):
        return CrossRule(is_chosen=bool(is_categorical.sum() > 1))
    pairs: list[Pair] = []
    for pair in crosses or ():
        a, b = _places(pair, is_categorical, names)
        if (a, b) in pairs:
            raise ValueError(f"crosses holds the pair {pair!r} twice; give each once.")
        pairs.append((a, b))
    return CrossRule(tuple(pairs))


def _places(pair: Any, is_categorical: BoolArray, names: NDArray[Any] | None) -> list[int]:
    """Return the places of both columns in rising order."""
    pair = pair.tolist() if isinstance(pair, np.ndarray) else pair
    places: set[int] = set()
    if isinstance(pair, (tuple, list)) and len(pair) == 2:
        # A name and an index may be the same column.
        places.update(
            place_among_categorical(column, "crosses", is_categorical, names)
            for column in pair
        )
    if len(places) != 2:
        raise ValueError(
            f"crosses holds {pair!r}, but must hold pairs of two different columns, by "
            "name or index."
        )
    return sorted(places)
