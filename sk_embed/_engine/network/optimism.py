"""The optimism of the progressive loss, measured by a second trunk.

The tables are honest, but from its second epoch on the trunk has learned from the target of
each row that it meets. Where few rows have many numbers it can tell them apart, and
remembers: its progressive loss is below that of new rows. The difference is the optimism of
the loss (Efron, How biased is the apparent error rate of a prediction rule?, JASA 1986).

A second trunk is learned alongside, in the same row orders, without the gradients of a
tenth of the rows, H; these teach the tables all the same. With the losses l_i of row i by
the first trunk and m_i by the second, ::

    loss told = mean of l_i over all rows  +  mean of m_i - l_i over H

where the noise of the held-out targets, which is in both, cancels for the most part. The
first trunk, and all that is learned under it, is what it would be without the second.
"""

from __future__ import annotations

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.losses import Loss
from sk_embed._engine.network.batches import RowOrder
from sk_embed._engine.network.optimizers import RowAdagrad
from sk_embed._engine.network.passes import BatchGradients, TrunkLearner, run_pass
from sk_embed._engine.network.training import TrainingSettings
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.rows import Rows

# Numbers of which a trunk that passes over few rows remembers little: of pure noise, ten
# beside 1,000 to 4,000 rows lower the loss by 2 to 4 %, twenty beside 3,000 rows by 16 %.
_MAX_FORGETTABLE_NUMBERS = 10
# Rows for each number, from which on more are not remembered by their numbers: at 300 the
# loss of pure noise is too low by a tenth, at 150 by a quarter, at 30 by three quarters.
_ROWS_OF_A_NUMBER = 300
# Share of the rows that the second trunk does not learn. Twice as many would have it learn
# too little where there is something to learn.
HELD_OUT_SHARE = 0.1


def may_remember_rows(rows: Rows) -> bool:
    """Return whether a trunk may tell rows by their context, and remember their targets."""
    n_numbers = rows.context.shape[1]
    are_many = n_numbers > _MAX_FORGETTABLE_NUMBERS
    return are_many and len(rows) < _ROWS_OF_A_NUMBER * n_numbers


class SecondTrunk:
    """A trunk that a few rows are held out from, to measure the optimism of another.

    Parameters
    ----------
    rows : Rows
        Rows that both trunks pass over.
    held_out : ndarray of shape (n_held_out,)
        Numbers of the rows that this one does not learn.
    trunk : Trunk
        The other trunk before its first epoch; it is copied.
    loss : Loss
        Loss that both trunks minimise.
    settings : TrainingSettings
        Step sizes and decay of both trunks.

    Attributes
    ----------
    trunk : Trunk
        Trunk that the held-out rows do not teach.
    """

    def __init__(
        self,
        rows: Rows,
        held_out: IntArray,
        trunk: Trunk,
        loss: Loss,
        settings: TrainingSettings,
    ) -> None:
        self._rows, self._held_out, self._loss = rows, held_out, loss
        self._is_learned = np.ones(len(rows), dtype=bool)
        self._is_learned[held_out] = False
        self.trunk, self._table_learning_rate = trunk.copy(), settings.table_learning_rate
        rate, decay = settings.learning_rate, settings.weight_decay
        n_context = rows.context.shape[1]
        self._learner = TrunkLearner(self.trunk, loss, rate, decay, n_context)
        # Loss of each row in the present epoch, by the other trunk and by this one.
        self._losses = np.zeros((2, len(rows)))

    def begin(self, prior: FloatArray) -> None:
        """Start the tables at the same prior as the other trunk's."""
        self._tables = RowAdagrad(prior.copy(), self._table_learning_rate)

    def note(self, step: BatchGradients) -> None:
        """Note the losses of a batch before the other trunk learns it."""
        self._losses[0, step.rows] = self._loss.loss(step.y_true, step.raw_prediction)

    def of_epoch(self, order: RowOrder) -> float:
        """Learn an epoch as the other trunk did, and return the optimism of its loss.

        Parameters
        ----------
        order : RowOrder
            The order in which the rows were visited.

        Returns
        -------
        optimism : float
            Weighted mean over the held-out rows.
        """
        every_row = np.broadcast_to(True, (1, len(self._rows)))
        run_pass(
            self._rows, every_row, order, self.trunk, self._loss, self._tables, self._learn
        )
        seen, unseen = self._losses[:, self._held_out]
        return float(np.average(unseen - seen, weights=self._rows.weight[self._held_out]))

    def _learn(self, step: BatchGradients) -> None:
        """Note the losses of a batch, and learn those of its rows that are not held out."""
        self._losses[1, step.rows] = self._loss.loss(step.y_true, step.raw_prediction)
        is_learned = self._is_learned.take(step.rows)
        if not is_learned.any():
            return
        delta = step.delta * is_learned[:, None]
        deltas = [of_layer * is_learned[:, None] for of_layer in step.deltas]
        weight = step.weight * is_learned
        self._learner(step._replace(weight=weight, delta=delta, deltas=deltas))
