"""Where the rows of a model are: in memory, or in partitions that never meet.

A model asks a source for what it needs of the rows, and does not know which it is. Subsets
of the rows have numbers: see :mod:`sk_embed._engine.rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Protocol

import numpy as np

from sk_embed._arrays import BoolArray, FloatArray, IntArray
from sk_embed._engine.additive.objective import AdditiveModel, AdditiveObjective
from sk_embed._engine.additive.partitioned import BlocksModel
from sk_embed._engine.cells import (
    ListedCells,
    Pair,
    cells_of_stretches,
    crossed_codes,
    parents_of_cells,
)
from sk_embed._engine.losses import Loss
from sk_embed._engine.network.batches import RowOrder, random_order
from sk_embed._engine.network.local_sgd import (
    Rounds,
    learn_tables_in_rounds,
    learn_trunk_in_rounds,
)
from sk_embed._engine.network.optimism import (
    HELD_OUT_SHARE,
    SecondTrunk,
    may_remember_rows,
)
from sk_embed._engine.network.sensitivity import (
    MAX_ROWS_FOR_METRIC,
    Sensitivity,
    sensitivity,
)
from sk_embed._engine.network.training import (
    UNMEASURED,
    LearnedTrunk,
    Optimism,
    TrainingSettings,
    learn_tables,
    learn_trunk,
)
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.partitions import (
    Blocks,
    RowSummary,
    cells_of_pairs,
    fold_of_rows,
    sample_of,
    summarize,
    with_cells,
)
from sk_embed._engine.rows import ALL_ROWS, HALVES, Rows, sums_of_codes, without_fold

# Puts stretches of rows, which come one after the other, on top of each other: returns an
# array of int32 of this shape, in memory or in a file that is read as if it were.
Stack = Callable[[Iterable[IntArray], tuple[int, int]], IntArray]
# Reports an epoch's number and its loss, and is told whether to stop.
Report = Callable[[int, float], bool]


def stacked_in_memory(stretches: Iterable[IntArray], shape: tuple[int, int]) -> IntArray:
    """Put stretches of rows on top of each other in memory."""
    stacked, end = np.empty(shape, np.int32), 0
    for stretch in stretches:
        start, end = end, end + len(stretch)
        stacked[start:end] = stretch
    return stacked


class RowSource(Protocol):
    """Rows that a model is learned from, and their folds."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""

    @property
    def n_context(self) -> int:
        """Number of numeric columns."""

    @property
    def n_codes(self) -> IntArray:
        """Number of codes of each column, shape (n_columns,)."""

    @property
    def n_folds(self) -> int:
        """Number of folds; 0 where no fold is to be learned."""

    @property
    def mean_target(self) -> FloatArray:
        """Weighted mean of the targets, shape (n_outputs,)."""

    def draw(self, rng: np.random.Generator, n_sweeps: int) -> None:
        """Draw halves, and the row order of each sweep of the final tables.

        Called once, before anything is learned.
        """

    def weight_of_codes(self, subset: int) -> list[FloatArray]:
        """Return the weight of each code's rows in a subset, (n_codes,) for each column."""

    def sample(self, n_rows: int) -> Rows | None:
        """Return about ``n_rows`` rows, or None if all are not more than twice as many."""

    def held_out_sample(self, n_rows: int) -> tuple[Rows, IntArray]:
        """Return about ``n_rows`` rows, or all, and the fold that holds each row out."""

    def objective(self, loss: Loss, outputs: slice, subset: int) -> AdditiveObjective:
        """Return the additive model's objective over a subset of the rows.

        Its outputs are some of the target's that the loss ties to each other.
        """

    def crossed(self, pairs: Sequence[Pair]) -> tuple[RowSource, list[ListedCells]]:
        """Return the rows with pairs as further columns, and the cells of each.

        To be asked after :meth:`draw`; subsets are the same.
        """

    def effective_counts(self) -> list[FloatArray]:
        """Return the effective number of rows of each code of each column."""

    def learn_trunk(
        self,
        trunk: Trunk,
        loss: Loss,
        draw_prior: Callable[[], FloatArray],
        settings: TrainingSettings,
        report: Report,
    ) -> LearnedTrunk:
        """Learn the trunk, and tell the loss of each epoch."""

    def learn_tables(
        self,
        subsets: IntArray,
        trunk: Trunk,
        loss: Loss,
        prior: FloatArray,
        settings: TrainingSettings,
    ) -> FloatArray:
        """Learn a table from each subset under a frozen trunk, by the sweeps drawn.

        Shape (sum(n_codes), n_subsets, width).
        """

    def sensitivity(self, trunk: Trunk, table: FloatArray) -> Sensitivity:
        """Measure the sensitivity of a trained trunk, about a stacked table."""


class InMemory:
    """Rows in memory, learned batch by batch.

    Parameters
    ----------
    rows : Rows
        Training rows, in memory or in mapped files.
    is_training : ndarray of bool of shape (n_folds, n_rows), optional
        Rows that each fold's tables are learned from; without it no fold is learned.
    n_in_reach : int, optional
        Number of rows that can be read in any order at once; all of them, unless given.
        See :func:`~sk_embed._engine.network.batches.random_order`.
    stack : callable, optional
        Puts stretches of the codes with crosses on top of each other, in memory unless
        given: see :data:`Stack`.
    """

    def __init__(
        self,
        rows: Rows,
        is_training: BoolArray | None = None,
        n_in_reach: int | None = None,
        stack: Stack = stacked_in_memory,
    ) -> None:
        self.rows, self._stack = replace(rows, may_keep_stacked=True), stack
        self._n_in_reach = len(rows) if n_in_reach is None else n_in_reach
        none = np.empty((0, len(rows)), dtype=bool)
        self._is_training = none if is_training is None else is_training
        self.n_folds = len(self._is_training)
        self._is_used = np.ones((1, len(rows)), dtype=bool)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @property
    def n_context(self) -> int:
        """Number of numeric columns."""
        return self.rows.context.shape[1]

    @property
    def n_codes(self) -> IntArray:
        """Number of codes of each column, shape (n_columns,)."""
        return self.rows.n_codes

    @cached_property
    def mean_target(self) -> FloatArray:
        """Weighted mean of the targets, shape (n_outputs,)."""
        return self.rows.mean(self.rows.targets)

    def draw(self, rng: np.random.Generator, n_sweeps: int) -> None:
        """Draw halves, and the row order of each sweep of the final tables."""
        half_rng, order_rng, self._epoch_rng = rng.spawn(3)
        n_rows = len(self.rows)
        drawn = half_rng.permutation(np.arange(n_rows, dtype=np.int32))
        # These are of the first half as well, of which the second trunk knows nothing.
        self._held_out = drawn[: round(HELD_OUT_SHARE * n_rows)].copy()
        first, second = HALVES
        self._is_used = np.zeros((without_fold(self.n_folds), n_rows), dtype=bool)
        self._is_used[ALL_ROWS] = True
        self._is_used[first, drawn[: n_rows // 2]] = True
        np.logical_not(self._is_used[first], out=self._is_used[second])
        self._is_used[without_fold(0) :] = self._is_training
        # One array of all rows and folds is enough.
        self._is_training = self._is_used[without_fold(0) :]
        del drawn
        self._orders = [self._permutation(order_rng) for _ in range(n_sweeps)]

    def _permutation(self, rng: np.random.Generator) -> IntArray:
        return random_order(rng, len(self.rows), self._n_in_reach)

    def weight_of_codes(self, subset: int) -> list[FloatArray]:
        """Return the weight of each code's rows in a subset, (n_codes,) for each column."""
        rows, is_used = self.rows, self._is_used[subset]

        def weight_of(stretch: slice) -> FloatArray:
            return rows.weight[stretch] * is_used[stretch]

        return [
            sums_of_codes(codes, n, weight_of).astype(rows.weight.dtype)
            for codes, n in zip(rows.codes.T, rows.n_codes, strict=True)
        ]

    def sample(self, n_rows: int) -> Rows | None:
        """Return about ``n_rows`` rows, or None if all are not more than twice as many."""
        return self.rows.sample(n_rows)

    def held_out_sample(self, n_rows: int) -> tuple[Rows, IntArray]:
        """Return about ``n_rows`` rows, or all, and the fold that holds each row out."""
        chosen = self.rows.sampled(n_rows)
        return self.rows.part(chosen), fold_of_rows(self._is_training[:, chosen])

    def objective(self, loss: Loss, outputs: slice, subset: int) -> AdditiveModel:
        """Return the additive model's objective over a subset of the rows."""
        return AdditiveModel(self.rows.with_outputs(outputs), loss, self._is_used[subset])

    def crossed(self, pairs: Sequence[Pair]) -> tuple[InMemory, list[ListedCells]]:
        """Return the rows with pairs as further columns, and the cells of each."""
        rows = self.rows
        known = [cells_of_stretches(rows.codes, rows.n_codes, pair) for pair in pairs]
        keys = [cells.keys for cells in known]
        n_codes = np.append(rows.n_codes, [len(of_pair) + 1 for of_pair in keys])
        shape = len(rows), len(n_codes)
        codes = self._stack(crossed_codes(rows.codes, pairs, keys), shape)
        parents = parents_of_cells(rows.n_codes, pairs, keys)
        crossed = InMemory(
            replace(rows, codes=codes, n_codes=n_codes, cell_parents=parents),
            self._is_training,
            self._n_in_reach,
            self._stack,
        )
        crossed._is_used = self._is_used
        return crossed, known

    def effective_counts(self) -> list[FloatArray]:
        """Return the effective number of rows of each code of each column."""
        return self.rows.effective_counts()

    def learn_trunk(
        self,
        trunk: Trunk,
        loss: Loss,
        draw_prior: Callable[[], FloatArray],
        settings: TrainingSettings,
        report: Report,
    ) -> LearnedTrunk:
        """Learn the trunk, and tell the loss of each epoch."""
        rows = self.rows

        def draw_epoch() -> tuple[RowOrder, FloatArray]:
            order = self._permutation(self._epoch_rng)
            return RowOrder(rows, order, settings.batch_size), draw_prior()

        optimism: Optimism = UNMEASURED
        if may_remember_rows(rows) and self.n_rows > settings.batch_size:
            optimism = SecondTrunk(rows, self._held_out, trunk, loss, settings)
        return learn_trunk(rows, draw_epoch, trunk, loss, settings, report, optimism)

    def learn_tables(
        self,
        subsets: IntArray,
        trunk: Trunk,
        loss: Loss,
        prior: FloatArray,
        settings: TrainingSettings,
    ) -> FloatArray:
        """Learn a table from each subset under a frozen trunk, by the sweeps drawn."""
        batch_size, is_used = settings.sweep_batch_size, self._is_used[subsets]
        orders = [RowOrder(self.rows, order, batch_size) for order in self._orders]
        return learn_tables(self.rows, is_used, orders, trunk, loss, prior, settings)

    def sensitivity(self, trunk: Trunk, table: FloatArray) -> Sensitivity:
        """Measure the sensitivity of a trained trunk, about a stacked table."""
        return sensitivity(self.rows, trunk, table)


class Partitioned:
    """Rows in partitions, learned by rounds over all of them.

    Parameters
    ----------
    blocks : Blocks
        Training rows and their folds.
    summary : RowSummary
        Numbers of rows, weights and sums over all blocks.
    n_rounds : int
        Rounds of one pass over the rows.
    cell_parents : ndarray of int32 of shape (n_cells, 2), optional
        Two categories of each code of the last columns, if these are pairs of others.
    """

    def __init__(
        self,
        blocks: Blocks,
        summary: RowSummary,
        n_rounds: int,
        cell_parents: IntArray | None = None,
    ) -> None:
        self._blocks, self._summary, self._n_rounds = blocks, summary, n_rounds
        self._cell_parents = cell_parents
        self.n_rows, self.n_context = summary.n_rows, summary.n_context
        self.n_codes, self.n_folds = blocks.n_codes, summary.n_folds
        self.mean_target = summary.mean_target

    def draw(self, rng: np.random.Generator, n_sweeps: int) -> None:
        """Draw seeds of row orders; the halves were drawn where partitions were read."""
        (seed_rng,) = rng.spawn(1)
        self._epoch_seed, self._sweep_seed = seed_rng.integers(2**63, size=2).tolist()

    def weight_of_codes(self, subset: int) -> list[FloatArray]:
        """Return the weight of each code's rows in a subset, (n_codes,) for each column."""
        return self._summary.weight_of_codes(self.n_codes, subset)

    def sample(self, n_rows: int) -> Rows | None:
        """Return about ``n_rows`` rows, or None if all are not more than twice as many."""
        if self.n_rows <= 2 * n_rows:
            return None
        return sample_of(self._blocks, n_rows, self._summary)[0]

    def held_out_sample(self, n_rows: int) -> tuple[Rows, IntArray]:
        """Return about ``n_rows`` rows, or all, and the fold that holds each row out."""
        return sample_of(self._blocks, n_rows, self._summary)

    def objective(self, loss: Loss, outputs: slice, subset: int) -> BlocksModel:
        """Return the additive model's objective over a subset of the rows."""
        return BlocksModel(
            self._blocks, self._summary, loss, outputs, subset, self._cell_parents
        )

    def crossed(self, pairs: Sequence[Pair]) -> tuple[Partitioned, list[ListedCells]]:
        """Return the rows with pairs as further columns, and the cells of each."""
        known = cells_of_pairs(self._blocks, pairs)
        keys = [cells.keys for cells in known]
        n_codes = np.array([*self.n_codes, *(len(of_pair) + 1 for of_pair in keys)])
        blocks = self._blocks.mapped(with_cells, n_codes, self.n_codes, pairs, keys)
        parents = parents_of_cells(self.n_codes, pairs, keys)
        return Partitioned(blocks, summarize(blocks), self._n_rounds, parents), known

    def effective_counts(self) -> list[FloatArray]:
        """Return the effective number of rows of each code of each column."""
        return self._summary.effective_counts(self.n_codes)

    def learn_trunk(
        self,
        trunk: Trunk,
        loss: Loss,
        draw_prior: Callable[[], FloatArray],
        settings: TrainingSettings,
        report: Report,
    ) -> LearnedTrunk:
        """Learn the trunk, and tell the loss of each epoch."""
        return learn_trunk_in_rounds(
            self._blocks, self._summary, trunk, loss, draw_prior, settings,
            Rounds(self._n_rounds, self._epoch_seed), report,
        )  # fmt: skip

    def learn_tables(
        self,
        subsets: IntArray,
        trunk: Trunk,
        loss: Loss,
        prior: FloatArray,
        settings: TrainingSettings,
    ) -> FloatArray:
        """Learn a table from each subset under a frozen trunk, by the sweeps drawn."""
        return learn_tables_in_rounds(
            self._blocks, subsets, trunk, loss, prior, settings,
            Rounds(self._n_rounds, self._sweep_seed),
        )  # fmt: skip

    def sensitivity(self, trunk: Trunk, table: FloatArray) -> Sensitivity:
        """Measure the sensitivity of a trained trunk, about a stacked table."""
        rows, _ = sample_of(self._blocks, MAX_ROWS_FOR_METRIC, self._summary)
        return sensitivity(rows, trunk, table)
