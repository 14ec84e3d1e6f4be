"""Training by rounds: each block learns a piece of its rows, then all are combined.

In a round every block goes on from the same trunk and the same tables, by a piece of its
rows that none has seen in this pass. Vectors stay honest thereby: what a row meets was
learned from other pieces, and from rows before it.

*Tables.* A step of Adagrad divides the gradient by the root of the accumulator, the sum of
squared gradients so far: the evidence that rows have given on a weight. A block b that
begins at G and adds g_b, and moves the weight by d_b, has so seen gradients that sum to
about -sqrt(G + g_b) d_b, in units of the step size. The step for the gradients of all
blocks together, under all their evidence, is then ::

    d = sum_b sqrt(G + g_b) d_b / sqrt(G + sum_b g_b)

A rare category, of which each block knows little, is moved by the sum of what they say, as
if one had seen all rows; a frequent one, of which each block knows enough, by less.

*The trunk* and the state of its optimiser are means, weighted by the rows of the pieces
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
from sk_embed._engine.network.training import (
    LossCurve,
    Step,
    SweepMean,
    TrainingSettings,
    TrunkLearner,
    leave_frozen,
    run_pass,
)
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.partitions import Block, Blocks, Facts, RowSums, Sums

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

    def moved(self, learned: RowSums) -> Tables:
        """Return the tables after a round, given the sums over blocks."""
        vectors, accumulator = self.vectors.copy(), self.accumulator.copy()
        moves, evidence = np.hsplit(learned.values, 2)
        vectors[learned.rows] += moves / trust(accumulator[learned.rows], evidence)
        accumulator[learned.rows] += evidence
        return self._replace(vectors=vectors, accumulator=accumulator)


def trust(before: FloatArray, evidence: FloatArray) -> FloatArray:
    """Return how much a block's move counts for.

    Parameters
    ----------
    before : ndarray of shape (n_rows, width)
        The accumulator where the round began.
    evidence : ndarray of shape (n_rows, width)
        Squared gradients that the block, or all blocks, added to it.
    """
    return np.sqrt(before + evidence)


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


class Piece(NamedTuple):
    """Which rows of each block a round is about.

    Parameters
    ----------
    seeds : sequence of int
        Seeds of the order of each block's rows.
    number, n_rounds : int
        Number of the round, and of rounds in one pass.
    batch_size : int
        Number of rows of a batch.
    """

    seeds: Sequence[int]
    number: int
    n_rounds: int
    batch_size: int

    def of(self, block: Block) -> IntArray:
        """Return the rows of a block."""
        return np.array_split(block.order(self.seeds), self.n_rounds)[self.number]


class TrunkState(NamedTuple):
    """A trunk, and the state of its optimiser."""

    trunk: Trunk
    adam: tuple[FloatArray, FloatArray, int]

    def combined(
        self, weight: float, parameters: FloatArray, first: FloatArray, *rest: FloatArray
    ) -> TrunkState:
        """Return the mean, given sums over blocks weighted by the rows of their pieces."""
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
    facts: Facts,
    trunk: Trunk,
    loss: Loss,
    draw_prior: Callable[[], FloatArray],
    settings: TrainingSettings,
    rounds: Rounds,
    report: Callable[[int, float], bool],
) -> tuple[Trunk, list[float]]:
    """Learn the trunk; return it, and the progressive validation loss of each epoch.

    As :func:`~sk_embed._engine.network.training.learn_trunk` does, by rounds.
    """
    (constant,) = blocks.total(_constant_loss, loss, loss.link(facts.mean_target))
    losses = LossCurve(constant / facts.weight[0], settings)
    nothing = np.zeros_like(trunk.parameters)
    state = TrunkState(trunk, (nothing, nothing, 0))
    for epoch in range(settings.max_epochs):
        every_row, rate = np.arange(1), settings.table_learning_rate
        tables, total_loss = Tables.begin(every_row, rate, draw_prior()), 0.0
        for number in range(rounds.n_rounds):
            seeds = rounds.seed, epoch
            piece = Piece(seeds, number, rounds.n_rounds, settings.batch_size)
            learned, of_loss, *of_trunk = blocks.total(
                _trunk_round, piece, state, tables, loss, settings
            )
            tables, state = tables.moved(learned), state.combined(*of_trunk)
            total_loss += of_loss
        is_enough = losses.add(total_loss / float(facts.weight[0]))
        if report(epoch + 1, losses.curve[-1]) or is_enough:
            break
    return state.trunk, losses.curve


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
        for number in range(rounds.n_rounds):
            seeds, batch_size = (rounds.seed, sweep), settings.sweep_batch_size
            piece = Piece(seeds, number, rounds.n_rounds, batch_size)
            (learned,) = blocks.total(_table_round, piece, trunk, tables, loss)
            tables = tables.moved(learned)
        mean.add(tables.vectors)
    return mean.value.reshape(len(prior), len(subsets), -1)


def _constant_loss(block: Block, loss: Loss, raw_prediction: FloatArray) -> Sums:
    targets = block.rows.targets
    losses = loss.loss(targets, np.broadcast_to(raw_prediction, targets.shape))
    return (float(losses @ block.rows.weight.astype(np.float64)),)


def _trunk_round(
    block: Block,
    piece: Piece,
    state: TrunkState,
    tables: Tables,
    loss: Loss,
    settings: TrainingSettings,
) -> Sums:
    trunk = state.trunk.copy()
    n_context = block.rows.context.shape[1]
    learner = TrunkLearner(
        trunk, loss, settings.learning_rate, settings.weight_decay, n_context
    )
    learner.adam.go_on_from(state.adam)
    learned = _learned(block, piece, trunk, tables, loss, learner)
    total_loss, weight = learner.pop_total()
    first, second, n_steps = learner.adam.state
    of_trunk = trunk.parameters, first, second, np.float64(n_steps)
    return learned, total_loss, weight, *(weight * part.astype(float) for part in of_trunk)


def _table_round(
    block: Block,
    piece: Piece,
    trunk: Trunk,
    tables: Tables,
    loss: Loss,
) -> Sums:
    # Its buffers are not for two threads.
    trunk = trunk.copy()
    return (_learned(block, piece, trunk, tables, loss, leave_frozen),)


def _learned(
    block: Block,
    piece: Piece,
    trunk: Trunk,
    tables: Tables,
    loss: Loss,
    learn: Callable[[Step], None],
) -> RowSums:
    """Learn a piece; return evidence times move, and evidence, of what it has touched."""
    vectors = tables.vectors.take(block.touched, axis=0)
    accumulator = tables.accumulator.take(block.touched, axis=0)
    adagrad = RowAdagrad(vectors.copy(), tables.learning_rate, accumulator)
    order = RowOrder(block.rows, piece.of(block), piece.batch_size)
    run_pass(block.rows, block.is_used[tables.subsets], order, trunk, loss, adagrad, learn)
    evidence = adagrad.accumulator - accumulator
    # Squares of tiny gradients vanish, the moves do not.
    is_met = (evidence != 0).any(axis=1) | (adagrad.table != vectors).any(axis=1)
    evidence = evidence[is_met]
    moves = adagrad.table[is_met] - vectors[is_met]
    moves *= trust(accumulator[is_met], evidence)
    return RowSums(block.touched[is_met], np.hstack([moves, evidence]))
