"""Training by rounds: each block learns a slice of its rows, then all are combined.

This is local stochastic gradient descent (federated averaging), with row-sparse sums.

In a round every block goes on from the same trunk and the same tables, by a slice of its
rows that none has seen in this pass. Vectors stay honest thereby: what a row meets was
learned from other slices, and from rows before it.

*Tables.* A step of Adagrad divides the gradient by the root of the accumulator, the sum of
squared gradients so far. A block b that
begins at G and adds g_b, and moves the weight by d_b, has so seen gradients that sum to
about -sqrt(G + g_b) d_b, in units of the step size. The step for the gradients of all
blocks together, with all their squares, is then ::

    d = sum_b sqrt(G + g_b) d_b / sqrt(G + sum_b g_b)

A rare category, of which each block knows little, is moved by the sum of their moves, as
if one had seen all rows; a frequent one, of which each block knows enough, by less.

*The trunk* and the state of its optimiser are means, weighted by the rows of the slices
(McMahan et al., Communication-efficient learning of deep networks, AISTATS 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.losses import Loss
from sk_embed._engine.network.batches import RowOrder
from sk_embed._engine.network.optimizers import RowAdagrad
from sk_embed._engine.network.passes import (
    BatchGradients,
    TrunkLearner,
    leave_frozen,
    run_pass,
)
from sk_embed._engine.network.training import (
    LearnedTrunk,
    LossCurve,
    SweepMean,
    TrainingSettings,
)
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.partitions import Block, Blocks, PartialSums, RowSummary, RowSums

# Sum of squared gradients that accumulators begin with.
_ACCUMULATOR = 1.0


class Tables(NamedTuple):
    """Tables side by side, as a round leaves them.

    Parameters
    ----------
    subsets : ndarray of shape (n_tables,)
        Number of the subset of rows that each table learns from: see
        :class:`~sk_embed._engine.partitions.Block`.
    learning_rate : float
        Step size of a row without history.
    vectors, accumulator : ndarray of shape (sum(n_codes), n_tables * width)
        Rows of all tables side by side, and Adagrad's sums of squared gradients.
    """

    subsets: IntArray
    learning_rate: float
    vectors: FloatArray
    accumulator: FloatArray

    @classmethod
    def begin(cls, subsets: IntArray, learning_rate: float, prior: FloatArray) -> Tables:
        """Return a table for each subset that has not learned yet."""
        vectors = np.tile(prior, (1, len(subsets)))
        return cls(subsets, learning_rate, vectors, np.full_like(vectors, _ACCUMULATOR))

    def after_round(self, learned: RowSums) -> Tables:
        """Return the tables after a round, given the sums over blocks."""
        vectors, accumulator = self.vectors.copy(), self.accumulator.copy()
        moves, squares = np.hsplit(learned.values, 2)
        vectors[learned.rows] += moves / adagrad_scale(accumulator[learned.rows], squares)
        accumulator[learned.rows] += squares
        return self._replace(vectors=vectors, accumulator=accumulator)


def adagrad_scale(before: FloatArray, squares: FloatArray) -> FloatArray:
    """Return ``sqrt(G + g)``, by which Adagrad divides a step and a move is multiplied.

    Parameters
    ----------
    before : ndarray of shape (n_rows, width)
        The accumulator where the round began.
    squares : ndarray of shape (n_rows, width)
        Squared gradients that the block, or all blocks, added to it.
    """
    return np.sqrt(before + squares)


class Rounds(NamedTuple):
    """The rounds in which partitions are passed over.

    Parameters
    ----------
    n_rounds : int
        Number of rounds that make one pass over the rows.
    seed : int
        Seed of the order of each partition's rows.
    """

    n_rounds: int
    seed: int


class RoundSlice(NamedTuple):
    """Rows of each block that are learned in one round.

    Parameters
    ----------
    seeds : sequence of int
        Seeds of the order of each block's rows.
    round, n_rounds : int
        Number of the round, and of rounds in one pass.
    batch_size : int
        Number of rows of a batch.
    """

    seeds: Sequence[int]
    round: int
    n_rounds: int
    batch_size: int

    def of(self, block: Block) -> IntArray:
        """Return the rows of a block."""
        return np.array_split(block.order(self.seeds), self.n_rounds)[self.round]


class TrunkState(NamedTuple):
    """A trunk, and the state of its optimiser."""

    trunk: Trunk
    adam: tuple[FloatArray, FloatArray, int]

    def combined(
        self, weight: float, parameters: FloatArray, first: FloatArray, *rest: FloatArray
    ) -> TrunkState:
        """Return the mean, given sums over blocks weighted by the rows of their slices."""
        if weight == 0:  # fewer rows than rounds
            return self
        second, n_steps = rest
        trunk = self.trunk.copy()
        trunk.parameters[:] = parameters / weight
        dtype = trunk.parameters.dtype
        moments = (first / weight).astype(dtype), (second / weight).astype(dtype)
        return TrunkState(trunk, (*moments, int(np.ceil(n_steps / weight))))


def learn_trunk_in_rounds(
    blocks: Blocks,
    summary: RowSummary,
    trunk: Trunk,
    loss: Loss,
    draw_prior: Callable[[], FloatArray],
    settings: TrainingSettings,
    rounds: Rounds,
    report: Callable[[int, float], bool],
) -> LearnedTrunk:
    """Learn a trunk by rounds.

    As :func:`~sk_embed._engine.network.training.learn_trunk` does, but the optimism of its
    progressive losses is not measured.
    """
    (constant,) = blocks.sum_over(_constant_loss, loss, loss.link(summary.mean_target))
    losses = LossCurve(constant / summary.weight[0], settings)
    nothing = np.zeros_like(trunk.parameters)
    state = TrunkState(trunk, (nothing, nothing, 0))
    for epoch in range(settings.max_epochs):
        every_row, rate = np.arange(1), settings.table_learning_rate
        tables, total_loss = Tables.begin(every_row, rate, draw_prior()), 0.0
        for round_ in range(rounds.n_rounds):
            seeds = rounds.seed, epoch
            part = RoundSlice(seeds, round_, rounds.n_rounds, settings.batch_size)
            learned, of_loss, *of_trunk = blocks.sum_over(
                _trunk_round, part, state, tables, loss, settings
            )
            tables, state = tables.after_round(learned), state.combined(*of_trunk)
            total_loss += of_loss
        is_enough = losses.add(total_loss / float(summary.weight[0]))
        if report(epoch + 1, losses.curve[-1]) or is_enough:
            break
    return losses.learned(state.trunk)


def learn_tables_in_rounds(
    blocks: Blocks,
    subsets: IntArray,
    trunk: Trunk,
    loss: Loss,
    prior: FloatArray,
    settings: TrainingSettings,
    rounds: Rounds,
) -> FloatArray:
    """Learn tables under a frozen trunk, each from a subset of the rows.

    See :class:`~sk_embed._engine.partitions.Block`; as
    :func:`~sk_embed._engine.network.training.learn_tables` does, by rounds.

    Returns
    -------
    tables : ndarray of shape (sum(n_codes), n_tables, width)
    """
    tables = Tables.begin(subsets, settings.table_learning_rate, prior)
    mean = SweepMean(settings.n_sweeps)
    for sweep in range(settings.n_sweeps):
        for round_ in range(rounds.n_rounds):
            seeds, batch_size = (rounds.seed, sweep), settings.sweep_batch_size
            part = RoundSlice(seeds, round_, rounds.n_rounds, batch_size)
            (learned,) = blocks.sum_over(_table_round, part, trunk, tables, loss)
            tables = tables.after_round(learned)
        mean.add(tables.vectors)
    return mean.value.reshape(len(prior), len(subsets), -1)


def _constant_loss(block: Block, loss: Loss, raw_prediction: FloatArray) -> PartialSums:
    targets = block.rows.targets
    losses = loss.loss(targets, np.broadcast_to(raw_prediction, targets.shape))
    return (float(losses @ block.rows.weight.astype(np.float64)),)


def _trunk_round(
    block: Block,
    part: RoundSlice,
    state: TrunkState,
    tables: Tables,
    loss: Loss,
    settings: TrainingSettings,
) -> PartialSums:
    trunk = state.trunk.copy()
    n_context = block.rows.context.shape[1]
    learner = TrunkLearner(
        trunk, loss, settings.learning_rate, settings.weight_decay, n_context
    )
    learner.adam.load_state(state.adam)
    learned = _learned(block, part, trunk, tables, loss, learner)
    total_loss, weight = learner.pop_total()
    first, second, n_steps = learner.adam.state
    of_trunk = trunk.parameters, first, second, np.float64(n_steps)
    return learned, total_loss, weight, *(weight * part.astype(float) for part in of_trunk)


def _table_round(
    block: Block,
    part: RoundSlice,
    trunk: Trunk,
    tables: Tables,
    loss: Loss,
) -> PartialSums:
    return (_learned(block, part, trunk, tables, loss, leave_frozen),)


def _learned(
    block: Block,
    part: RoundSlice,
    trunk: Trunk,
    tables: Tables,
    loss: Loss,
    learn: Callable[[BatchGradients], None],
) -> RowSums:
    """Learn a slice; return the scaled moves and new squared gradients of rows it met."""
    vectors = tables.vectors.take(block.table_rows, axis=0)
    accumulator = tables.accumulator.take(block.table_rows, axis=0)
    adagrad = RowAdagrad(vectors.copy(), tables.learning_rate, accumulator)
    order = RowOrder(block.rows, part.of(block), part.batch_size)
    run_pass(block.rows, block.is_used[tables.subsets], order, trunk, loss, adagrad, learn)
    squares = adagrad.accumulator - accumulator
    # Squares of tiny gradients vanish, the moves do not.
    is_met = (squares != 0).any(axis=1) | (adagrad.table != vectors).any(axis=1)
    squares = squares[is_met]
    moves = adagrad.table[is_met] - vectors[is_met]
    moves *= adagrad_scale(accumulator[is_met], squares)
    return RowSums(block.table_rows[is_met], np.hstack([moves, squares]))
