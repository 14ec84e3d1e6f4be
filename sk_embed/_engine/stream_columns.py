"""Columns of a stream as they are given out, and two halves that tell what is reliable."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.axes import (
    Axes,
    alignment_signs,
    canonical_axes,
    effect_slopes,
    sample_categories,
    split_half_reliability,
)
from sk_embed._engine.chunks import LocalRows
from sk_embed._engine.growing import GrowingArray
from sk_embed._engine.losses import Loss
from sk_embed._engine.network.batches import RowOrder
from sk_embed._engine.network.optimizers import RowAdagrad
from sk_embed._engine.network.training import leave_frozen, run_pass
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.stream_settings import ACCUMULATOR, StreamSettings


class StreamColumn(NamedTuple):
    """A column as it is given out.

    Parameters
    ----------
    effects : ndarray of shape (n_categories, n_outputs)
        Main effects.
    vectors : ndarray of shape (n_categories, width)
        In canonical axes; zero on those that there are too few categories for.
    explained_variance_ratio : ndarray of shape (width,)
        Share of the vectors' second moment on each axis.
    share : ndarray of shape (width,)
        The same of effects and vectors together.
    reliability : ndarray of shape (width,)
        Agreement of two halves of the rows on each axis; NaN if none are learned.
    n_categories : int
        Those that have rows.
    effect_moment : float
        Sum of squares of the main effects over all rows.
    """

    effects: FloatArray
    vectors: FloatArray
    explained_variance_ratio: FloatArray
    share: FloatArray
    reliability: FloatArray
    n_categories: int
    effect_moment: float


def in_canonical_axes(
    effects: FloatArray,
    table: FloatArray,
    weight: FloatArray,
    half_tables: Callable[[IntArray], list[FloatArray]],
    metric: FloatArray,
    less_effects: bool,
) -> StreamColumn:
    """Bring one column to its canonical axes.

    Parameters
    ----------
    effects : ndarray of shape (n_categories, n_outputs)
        Main effects.
    table : ndarray of shape (n_categories, width)
        Vectors in the trunk's coordinates.
    weight : ndarray of shape (n_categories,)
        Of each category's rows.
    half_tables : callable
        Returns for some categories the vectors that two halves of the rows learned, or
        an empty list.
    metric : ndarray of shape (width, width)
        Of the column.
    less_effects : bool
        Whether what the main effects say is taken out of the vectors.
    """
    # Nothing but the prior holds the sum of a column's effects, and puts it at zero.
    has_rows = (weight > 0)[:, None]
    mean = (effects * has_rows).sum(axis=0) / max(int(has_rows.sum()), 1)
    effects = (effects - mean) * has_rows
    said = effects if less_effects else effects[:, :0]
    width = table.shape[1]
    codes, shares = sample_categories(weight)
    first = canonical_axes(table[codes], shares, metric).rotation
    learned = np.stack([table[codes], *half_tables(codes)]) @ first
    learned = alignment_signs(learned, learned[0], shares) * learned
    slopes = effect_slopes(learned, said[codes], shares)
    learned = learned - said[codes] @ slopes
    axes = canonical_axes(learned[0], shares, np.eye(first.shape[1]))
    halves = learned[1:] @ axes.rotation
    reliability = np.full(width, np.nan)
    if len(halves):
        found = split_half_reliability(halves[0], halves[1], shares)
        reliability = np.pad(found, (0, width - len(found)))
    axes = _padded(axes, width)
    vectors = table @ (first @ axes.rotation) - said @ (slopes[0] @ axes.rotation)
    # A category that is listed, but has no rows yet, is at the origin.
    vectors *= has_rows
    in_effects = float(weight @ (said**2).sum(axis=1)) / (float(weight.sum()) or 1.0)
    both = in_effects + axes.second_moment
    ratio = axes.explained_variance_ratio
    share = ratio * (axes.second_moment / both if both > 0 else 0.0)
    n_categories = int(np.sum(weight > 0))
    moment = float(weight @ (effects**2).sum(axis=1))
    return StreamColumn(effects, vectors, ratio, share, reliability, n_categories, moment)


def _padded(axes: Axes, width: int) -> Axes:
    """Put axes on which nothing lies behind the others."""
    n_more = width - axes.rotation.shape[1]
    rotation = np.pad(axes.rotation, ((0, 0), (0, n_more)))
    return Axes(
        rotation, np.pad(axes.explained_variance_ratio, (0, n_more)), axes.second_moment
    )


class Halves:
    """Vectors that two halves of the rows learn, each by itself, under the same trunk.

    Every other row of a chunk is of the first half.

    Parameters
    ----------
    width : int
        Length of a vector; 0 learns none.
    settings : StreamSettings
        How.
    """

    def __init__(self, width: int, settings: StreamSettings) -> None:
        self._width, self._settings = width, settings
        empty = np.zeros((0, 2 * width), settings.dtype)
        self._vectors, self._accumulator = GrowingArray(empty), GrowingArray(empty)

    def grow(self, n_rows: int) -> None:
        """Make room for so many more categories, at the origin."""
        self._vectors.grow(n_rows)
        self._accumulator.grow(n_rows, ACCUMULATOR)

    def cut(self, n_rows: int) -> None:
        """Keep so many categories alone."""
        self._vectors.cut(n_rows)
        self._accumulator.cut(n_rows)

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
        tables = RowAdagrad(
            self._vectors.values[local.touched],
            self._settings.table_learning_rate,
            self._accumulator.values[local.touched],
        )
        in_first = np.arange(len(rows)) % 2 == 0
        order = RowOrder(rows, rng.permutation(len(rows)).astype(np.int32), batch_size)
        is_used = np.stack([in_first, ~in_first])
        run_pass(rows, is_used, order, trunk, loss, tables, leave_frozen)
        return tables

    def commit(self, tables: RowAdagrad | None, touched: IntArray) -> None:
        """Take over the tables of a chunk."""
        if tables is not None:
            self._vectors.values[touched] = tables.table
            self._accumulator.values[touched] = tables.accumulator

    def tables(self, rows: IntArray, codes: IntArray) -> list[FloatArray]:
        """Return both halves' vectors of some of a column's categories, or nothing."""
        if self._width == 0:
            return []
        return np.split(self._vectors.values[rows[codes]], 2, axis=1)
