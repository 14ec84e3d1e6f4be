"""Columns of a stream in canonical axes, and two halves of its rows, for reliability."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.column_vectors import (
    ColumnVectors,
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


def stream_column(
    effects: FloatArray,
    table: FloatArray,
    weight: FloatArray,
    half_tables: Callable[[IntArray], list[FloatArray]],
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
    half_tables : callable
        Returns for some categories the vectors that two halves of the rows learned, or
        an empty list.
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
    sample = sample_categories(weight)
    halves = np.empty((0, len(sample.codes), table.shape[1]))
    halves = np.array(half_tables(sample.codes) or halves, dtype=np.float64)
    learned = TablesOfColumn(
        full=SubsetTable(table, effects, weight),
        folds=[],
        halves=halves,
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


class Halves:
    """Vectors that two halves of the rows learn, each by itself, under the same trunk.

    Every other row of a chunk is of the first half.

    Parameters
    ----------
    width : int
        Length of a vector; 0 learns none.
    settings : StreamSettings
        Settings of the stream, of which the rates are used.
    """

    def __init__(self, width: int, settings: StreamSettings) -> None:
        self._width, self._settings = width, settings
        self._store = TableStore.empty(2 * width, settings.dtype)

    def grow(self, n_rows: int) -> None:
        """Make room for further categories, at the origin."""
        self._store.grow(n_rows)

    def cut(self, n_rows: int) -> None:
        """Keep the first categories alone."""
        self._store.cut(n_rows)

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
        rows = local.rows
        tables = self._store.take(local.table_rows, self._settings.table_learning_rate)
        in_first = np.arange(len(rows)) % 2 == 0
        order = RowOrder(rows, rng.permutation(len(rows)).astype(np.int32), batch_size)
        is_used = np.stack([in_first, ~in_first])
        run_pass(rows, is_used, order, trunk, loss, tables, leave_frozen)
        return tables

    def commit(self, tables: RowAdagrad | None, table_rows: IntArray) -> None:
        """Take over the tables of a chunk."""
        if tables is not None:
            self._store.put(table_rows, tables)

    def tables(self, rows: IntArray, codes: IntArray) -> list[FloatArray]:
        """Return both halves' vectors of some of a column's categories, or nothing."""
        if self._width == 0:
            return []
        return np.split(self._store.vectors[rows[codes]], 2, axis=1)
