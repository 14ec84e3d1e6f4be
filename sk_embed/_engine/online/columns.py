"""Columns of a stream in canonical axes, and two halves of its rows, for reliability."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.column_vectors import (
    ColumnVectors,
    Sample,
    SubsetTable,
    TablesOfColumn,
    in_canonical_axes,
    sample_categories,
)
from sk_embed._engine.losses import Loss
from sk_embed._engine.network.batches import RowOrder
from sk_embed._engine.network.optimizers import RowAdagrad
from sk_embed._engine.network.passes import leave_frozen, run_pass
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.online.settings import StreamSettings
from sk_embed._engine.online.tables import TableStore
from sk_embed._engine.rows import LocalRows
from sk_embed._growing import GrowingArray

# Number of categories of a column over which the agreement of two halves is told well
# enough: the standard error of a correlation is 0.01 at most.
_MOST_KEPT = 10_000


def stream_column(
    effects: FloatArray,
    table: FloatArray,
    weight: FloatArray,
    halves: HalvesOfColumn,
    metric: FloatArray,
    main_effects: bool,
) -> ColumnVectors:
    """Bring one column to its canonical axes, as many as a vector is long.

    Parameters
    ----------
    effects : ndarray of shape (n_categories, n_outputs)
        Main effect of each category on each output.
    table : ndarray of shape (n_categories, width)
        Vectors in the trunk's coordinates.
    weight : ndarray of shape (n_categories,)
        Weight of each category's rows.
    halves : HalvesOfColumn
        Categories that the axes are found by, and what two halves of the rows learned.
    metric : ndarray of shape (width, width)
        Metric of the column's vectors.
    main_effects : bool
        Whether main effects stand apart, and are taken out of the vectors.
    """
    # Nothing but the prior holds the sum of a column's effects, and puts it at zero.
    has_rows = (weight > 0)[:, None]
    mean = (effects * has_rows).sum(axis=0) / max(int(has_rows.sum()), 1)
    effects = (effects - mean) * has_rows
    # A category that is listed, but has no rows yet, is at the origin.
    table = table * has_rows.astype(np.float64)
    sample, tables = halves
    none = np.empty((0, len(sample.codes), table.shape[1]))
    learned = TablesOfColumn(
        full=SubsetTable(table, effects, weight),
        folds=[],
        halves=np.array(tables or none, dtype=np.float64),
        prior=np.broadcast_to(0.0, table.shape),
        sample=sample,
        noise_ratio=float("nan"),
    )
    return _padded(in_canonical_axes(learned, metric, main_effects), table.shape[1])


def _padded(column: ColumnVectors, width: int) -> ColumnVectors:
    """Put axes on which nothing lies behind the others."""
    n_more = width - column.vectors.shape[1]
    return replace(
        column,
        vectors=np.pad(column.vectors, ((0, 0), (0, n_more))),
        explained_variance_ratio=np.pad(column.explained_variance_ratio, (0, n_more)),
        share=np.pad(column.share, (0, n_more)),
        reliability=np.pad(column.reliability, (0, n_more)),
    )


class HalvesOfColumn(NamedTuple):
    """Categories that a column's axes are found by, and the vectors of two halves of rows.

    Parameters
    ----------
    sample : Sample
        Categories that stand for all of the column.
    tables : list of ndarray of shape (n_sampled, width)
        Vectors of these that each half learned; none if halves are not learned.
    """

    sample: Sample
    tables: list[FloatArray]


class Halves:
    """Vectors that two halves of the rows learn, each by itself, under the same trunk.

    Every other row of a chunk is of the first half. They are kept of the first categories
    of each column alone, of a chunk's the most frequent ones: these tell how far two halves
    agree. All others begin anew in each chunk, for those that are kept to be learned
    beside.

    Parameters
    ----------
    n_columns : int
        Number of categorical columns of the stream.
    width : int
        Length of a vector; 0 learns none.
    settings : StreamSettings
        Settings of the stream, of which the rates are used.
    """

    def __init__(self, n_columns: int, width: int, settings: StreamSettings) -> None:
        self._width, self._settings = width, settings
        self._store = TableStore.empty(2 * width, settings.dtype)
        # Place of each row of the model's store in this one, whose first row stays blank,
        # for all that are not kept.
        self._places = GrowingArray(np.empty(0, dtype=np.int32))
        self._store.grow(1)
        self._n_kept = np.zeros(n_columns, dtype=np.intp)

    def grow(self, n_rows: int) -> None:
        """Make room for further categories, of which none is kept yet."""
        if self._width > 0:
            self._places.grow(n_rows)

    def cut(self, n_rows: int) -> None:
        """Keep the first categories alone."""
        if self._width > 0:
            self._places.cut(n_rows)

    def learned(
        self,
        local: LocalRows,
        trunk: Trunk,
        loss: Loss,
        batch_size: int,
        rng: np.random.Generator,
    ) -> RowAdagrad | None:
        """Return the chunk's tables after a pass over it; nothing is changed yet."""
        if self._width == 0:
            return None
        rows, rate = local.rows, self._settings.table_learning_rate
        tables = self._store.take(self._places.values[local.table_rows], rate)
        in_first = np.arange(len(rows)) % 2 == 0
        order = RowOrder(rows, rng.permutation(len(rows)).astype(np.int32), batch_size)
        is_used = np.stack([in_first, ~in_first])
        run_pass(rows, is_used, order, trunk, loss, tables, leave_frozen)
        return tables

    def commit(self, tables: RowAdagrad | None, local: LocalRows) -> None:
        """Take over the tables of a chunk, of the categories that are kept."""
        if tables is None:
            return
        first_codes = np.cumsum(local.rows.n_codes)[:-1]
        parts = (local.table_rows, local.rows.weight_of_codes())
        columns = zip(*(np.split(part, first_codes) for part in parts), strict=True)
        for j, of_column in enumerate(columns):
            self._keep_first(j, *of_column)
        self._store.put(self._places.values[local.table_rows], tables)
        self._store.clear(0)

    def _keep_first(self, column: int, rows: IntArray, weight: FloatArray) -> None:
        """Keep a column's categories from now on, the heaviest, while there is room."""
        places, first = self._places.values, len(self._store)
        room = _MOST_KEPT - self._n_kept[column]
        unkept = np.flatnonzero(places[rows] == 0)
        heaviest = np.argsort(-weight[unkept], kind="stable")[:room]
        new = rows[unkept[np.sort(heaviest)]]
        places[new] = np.arange(first, first + len(new))
        self._store.grow(len(new))
        self._n_kept[column] += len(new)

    def of_column(self, rows: IntArray, weight: FloatArray) -> HalvesOfColumn:
        """Return both halves' vectors of the categories that a column's axes are found by.

        Parameters
        ----------
        rows : ndarray of shape (n_categories,)
            Row of each category in the model's store.
        weight : ndarray of shape (n_categories,)
            Weight of each category's rows.
        """
        if self._width == 0:
            return HalvesOfColumn(sample_categories(weight), [])
        places = self._places.values[rows]
        # A category without rows is blank in either half.
        known = np.flatnonzero((places > 0) | (weight == 0))
        sample = sample_categories(weight[known])
        sample = Sample(known[sample.codes], sample.counts)
        tables = np.split(self._store.vectors[places[sample.codes]], 2, axis=1)
        return HalvesOfColumn(sample, tables)
