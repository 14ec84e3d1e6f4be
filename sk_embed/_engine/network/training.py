"""Training of the trunk with honest tables, and of tables under a frozen trunk.

*Honest tables*: each epoch starts the tables afresh at the prior and learns them in
one pass over the rows, while the trunk's weights carry on. Every row so meets vectors
that have not seen its target, and the trunk learns how far to trust them (MEDA, Fan et
al., arXiv:2305.19531; in the spirit of ordered target statistics, Prokhorenkova et
al., arXiv:1706.09516). The loss of a row just before its update is then a validation
loss that costs no rows: honest as to the vectors, and from the second epoch on as far as
the trunk cannot tell rows by their context. Where it can, an :class:`Optimism` is added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from sk_embed._arrays import BoolArray, FloatArray
from sk_embed._engine.losses import Loss
from sk_embed._engine.network.batches import RowOrder
from sk_embed._engine.network.optimizers import RowAdagrad
from sk_embed._engine.network.passes import (
    BatchGradients,
    TrunkLearner,
    leave_frozen,
    run_pass,
)
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.rows import Rows

# Rows of a batch of final tables, beyond which a batch that holds each row once for each
# of eight tables leaves the processor's cache.
_MAX_SWEEP_BATCH_SIZE = 1024
# Rows whose losses are computed at a time: a few MiB.
_ROWS_OF_A_STRETCH = 65_536


@dataclass(frozen=True)
class TrainingSettings:
    """How trunk and tables are learned.

    Parameters
    ----------
    width : int
        Length of the interaction vectors.
    table_learning_rate : float
        Step size of Adagrad, for rows of the tables.
    learning_rate : float
        Step size of Adam, for the trunk.
    weight_decay : float
        Decay of the trunk's weights, not of its biases, per unit of the learning rate.
    max_epochs : int
        Passes over the rows for the trunk, at most.
    tolerance : float
        Smallest fall of the progressive validation loss that counts, as a share of
        the loss of a constant prediction.
    patience : int
        Stop after so many epochs in a row without such a fall, once the loss is below
        that of a constant prediction.
    n_sweeps : int
        Passes over the rows for each final table.
    batch_size : int
        Rows of one batch of an epoch; of rows in partitions, of one partition's batch.
    """

    width: int
    table_learning_rate: float
    learning_rate: float
    weight_decay: float
    max_epochs: int
    tolerance: float
    patience: int
    n_sweeps: int
    batch_size: int

    @property
    def sweep_batch_size(self) -> int:
        """Rows of one batch of a sweep.

        Twice those of an epoch, up to a size beyond which nothing is saved: the trunk,
        whose steps are counted in batches, does not learn.
        """
        return max(self.batch_size, min(2 * self.batch_size, _MAX_SWEEP_BATCH_SIZE))


class Optimism(Protocol):
    """How far the progressive loss of an epoch is below that of rows not seen before."""

    def begin(self, prior: FloatArray) -> None:
        """Note the stacked table that an epoch starts from, which it will overwrite."""

    def note(self, step: BatchGradients) -> None:
        """Note the losses of a batch before the trunk learns it."""

    def of_epoch(self, order: RowOrder) -> float:
        """Return the optimism of the epoch, which went over rows in this order."""


class Unmeasured:
    """No measure of the optimism: progressive losses are told as they are."""

    def begin(self, prior: FloatArray) -> None:
        """Note nothing."""

    def note(self, step: BatchGradients) -> None:
        """Note nothing."""

    def of_epoch(self, order: RowOrder) -> float:
        """Return zero."""
        return 0.0


UNMEASURED = Unmeasured()


class LearnedTrunk(NamedTuple):
    """A trunk after its last epoch, and how learning went.

    Parameters
    ----------
    trunk : Trunk
        Trunk with the weights of the last epoch.
    loss_curve : list of float
        Validation loss of each epoch.
    confirmed_share : float
        Share of the fall of the progressive loss below that of a constant prediction which
        is left when its optimism is added, from 0 to 1; 1 where none is measured.
    """

    trunk: Trunk
    loss_curve: list[float]
    confirmed_share: float


class LossCurve:
    """The validation losses so far, of which the progressive ones say when to stop.

    Parameters
    ----------
    constant : float
        Loss of the best constant prediction.
    settings : TrainingSettings
        Settings, of which tolerance and patience are used.
    """

    def __init__(self, constant: float, settings: TrainingSettings) -> None:
        self.curve: list[float] = []
        self._settings = settings
        self._constant, self._needed = constant, settings.tolerance * constant
        self._best, self._n_stale = np.inf, 0
        self._latest = constant

    def add(self, loss: float, optimism: float = 0.0) -> bool:
        """Note the loss of an epoch, and return whether it was the last one needed.

        Parameters
        ----------
        loss : float
            Progressive validation loss of the epoch.
        optimism : float, default=0
            Difference to the loss of rows that were not seen before.

        Returns
        -------
        is_enough : bool

        Raises
        ------
        ValueError
            If the loss is not finite.
        """
        self.curve.append(loss + optimism)
        self._latest = loss
        if not np.isfinite(self.curve[-1]):
            raise ValueError(
                f"The network diverged in epoch {len(self.curve)}; lower "
                f"learning_rate_init (now {self._settings.learning_rate})."
            )
        # Interactions without main effects start on a plateau: while nothing is learned
        # there is nothing to stop.
        has_learned = min(self._best, loss) < self._constant - self._needed
        is_stale = has_learned and loss >= self._best - self._needed
        self._n_stale = self._n_stale + 1 if is_stale else 0
        self._best = min(self._best, loss)
        return self._n_stale >= self._settings.patience

    def learned(self, trunk: Trunk) -> LearnedTrunk:
        """Return the trunk, with the curve and what it says of the last epoch."""
        told, confirmed = self._constant - self._latest, self._constant - self.curve[-1]
        share = min(max(confirmed / told, 0.0), 1.0) if told > 0 else 1.0
        return LearnedTrunk(trunk, self.curve, share)


def constant_loss(rows: Rows, loss: Loss) -> float:
    """Return the weighted mean loss of the best constant prediction."""
    constant = loss.link(rows.mean(rows.targets))
    losses = np.empty(len(rows))
    # A stretch at a time, for the losses of rows are made of several arrays of their size.
    for start in range(0, len(rows), _ROWS_OF_A_STRETCH):
        targets = rows.targets[start : start + _ROWS_OF_A_STRETCH]
        raw_prediction = np.broadcast_to(constant, targets.shape)
        losses[start : start + len(targets)] = loss.loss(targets, raw_prediction)
    return float(rows.mean(losses))


def learn_trunk(
    rows: Rows,
    draw_epoch: Callable[[], tuple[RowOrder, FloatArray]],
    trunk: Trunk,
    loss: Loss,
    settings: TrainingSettings,
    report: Callable[[int, float], bool],
    optimism: Optimism = UNMEASURED,
) -> LearnedTrunk:
    """Learn the trunk in place.

    Parameters
    ----------
    rows : Rows
        Training rows, all of which are passed over.
    draw_epoch : callable
        Gives the order in which an epoch visits the rows, and the stacked table, shape
        (sum(n_codes), width), that it starts from. Both must be drawn anew for each epoch:
        in an order that comes back, a category's vector meets its next row in the same
        state as before, and the trunk learns the target by heart from this fingerprint; so
        with a random start that stays.
    trunk : Trunk
        Trunk whose parameters are updated in place.
    loss : Loss
        Loss whose weighted sum over rows is minimised.
    settings : TrainingSettings
        Step sizes, number of epochs, and when to stop.
    report : callable
        Called after each epoch with its number and its loss; says whether to stop.
    optimism : Optimism, optional
        Measure of what the progressive loss lacks, which is added to what is told, and
        does not change what is learned.

    Returns
    -------
    LearnedTrunk
    """
    losses = LossCurve(constant_loss(rows, loss), settings)
    learner = TrunkLearner(
        trunk, loss, settings.learning_rate, settings.weight_decay, rows.context.shape[1]
    )
    every_row = np.broadcast_to(True, (1, len(rows)))

    def learn(step: BatchGradients) -> None:
        optimism.note(step)
        learner(step)

    for epoch in range(settings.max_epochs):
        order, prior = draw_epoch()
        optimism.begin(prior)
        tables = RowAdagrad(prior, settings.table_learning_rate)
        run_pass(rows, every_row, order, trunk, loss, tables, learn)
        is_enough = losses.add(learner.pop_loss(), optimism.of_epoch(order))
        if report(epoch + 1, losses.curve[-1]) or is_enough:
            break
    return losses.learned(trunk)


def learn_tables(
    rows: Rows,
    is_used: BoolArray,
    orders: Sequence[RowOrder],
    trunk: Trunk,
    loss: Loss,
    prior: FloatArray,
    settings: TrainingSettings,
) -> FloatArray:
    """Learn tables under a frozen trunk, one for each row of ``is_used``.

    Each sweep visits the rows in an order of its own, and goes on from the tables of the
    sweep before. What a table holds of the chance of one order is averaged out: the result
    is the mean of the tables at the ends of all sweeps but the first.

    Parameters
    ----------
    rows : Rows
        Rows that at least one table learns from.
    is_used : ndarray of bool of shape (n_tables, n_rows)
        Rows that each table learns from.
    orders : sequence of RowOrder
        Order of the rows in each sweep.
    trunk : Trunk
        Trunk that all tables share.
    loss : Loss
        Loss whose weighted sum over rows is minimised.
    prior : ndarray of shape (sum(n_codes), width)
        Table that all others begin with.
    settings : TrainingSettings
        Step size of the tables.

    Returns
    -------
    tables : ndarray of shape (sum(n_codes), n_tables, width)
    """
    n_tables, mean = len(is_used), SweepMean(len(orders))
    tables = RowAdagrad(np.tile(prior, (1, n_tables)), settings.table_learning_rate)
    for order in orders:
        run_pass(rows, is_used, order, trunk, loss, tables, leave_frozen)
        mean.add(tables.table)
    return mean.value.reshape(len(prior), n_tables, -1)


class SweepMean:
    """Mean of tables at the ends of all sweeps but the first; of the only one, if it is.

    Parameters
    ----------
    n_sweeps : int
        Number of sweeps in all.
    """

    def __init__(self, n_sweeps: int) -> None:
        self._n_left, self._n_counted = n_sweeps, max(n_sweeps - 1, 1)
        self._skips_next = n_sweeps > 1
        self.value: FloatArray = np.empty(0)

    def add(self, table: FloatArray) -> None:
        """Count the table at the end of a sweep; the last one is overwritten."""
        self._n_left -= 1
        if self._skips_next:
            self._skips_next = False
            return
        if self._n_left == 0:
            if self.value.size:
                table += self.value
                table /= self._n_counted
            self.value = table
        elif self.value.size:
            self.value += table
        else:
            self.value = table.copy()
