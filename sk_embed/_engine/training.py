"""Training of the trunk with honest tables, and of tables under a frozen trunk.

*Honest tables*: each epoch starts the tables afresh at the prior and learns them in
one pass over the rows, while the trunk's weights carry on. Every row so meets vectors
that have not seen its target, and the trunk learns how far to trust them (MEDA, Fan et
al., arXiv:2305.19531; in the spirit of ordered target statistics, Prokhorenkova et
al., arXiv:1706.09516). The loss of a row just before its update is then a validation
loss that costs no rows: honest as to the vectors, and from the second epoch on as far as
the trunk cannot tell rows by their context.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sk_embed._arrays import FloatArray
from sk_embed._engine.batches import Batch, RowOrder
from sk_embed._engine.losses import Loss
from sk_embed._engine.network import Activations, Trunk
from sk_embed._engine.optimizers import Adam, RowAdagrad
from sk_embed._engine.rows import Rows


@dataclass(frozen=True)
class TrainingSettings:
    """How trunk and tables are learned.

    Parameters
    ----------
    width : int
        Length of the interaction vectors.
    table_learning_rate : float
        Adagrad's, for rows of the tables.
    learning_rate : float
        Adam's, for the trunk.
    weight_decay : float
        Of the trunk's weights, not of its biases.
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
    """

    width: int
    table_learning_rate: float
    learning_rate: float
    weight_decay: float
    max_epochs: int
    tolerance: float
    patience: int
    n_sweeps: int


TrunkUpdate = Callable[[Activations, list[FloatArray], FloatArray, float], None]


def leave_frozen(
    activations: Activations, deltas: list[FloatArray], delta: FloatArray, weight: float
) -> None:
    """Trunk update that changes nothing."""


def adam_update(
    trunk: Trunk, learning_rate: float, weight_decay: float = 0.0
) -> TrunkUpdate:
    """Trunk update by Adam on the mean gradient of the batch."""
    decay = (weight_decay * trunk.is_weight).astype(trunk.parameters.dtype)
    adam = Adam(trunk.parameters, learning_rate, weight_decay=decay)

    def update(
        activations: Activations,
        deltas: list[FloatArray],
        delta: FloatArray,
        weight: float,
    ) -> None:
        gradient = trunk.parameter_gradient(activations, deltas, delta)
        gradient /= weight
        adam.update(gradient)

    return update


def look_up(rows: Rows, batch: Batch, table: FloatArray) -> FloatArray:
    """Return the trunk's input for the rows of a batch."""
    n_places = rows.codes.shape[1] * table.shape[1]
    inputs = np.empty((len(batch.rows), n_places + rows.context.shape[1]), table.dtype)
    vectors = table.take(batch.codes, axis=0)
    inputs[:, :n_places] = vectors.reshape(len(batch.rows), n_places)
    inputs[:, n_places:] = rows.context.take(batch.rows, axis=0)
    return inputs


def run_pass(
    rows: Rows,
    weights: FloatArray,
    order: RowOrder,
    trunk: Trunk,
    loss: Loss,
    tables: RowAdagrad,
    update_trunk: TrunkUpdate,
) -> float:
    """Learn tables, and perhaps the trunk, in one pass over the rows.

    Tables that differ only in the weights of their rows are learned side by side: as
    one table, by a batch that holds each row once for each of them.

    Parameters
    ----------
    rows : Rows
        Training rows.
    weights : ndarray of shape (n_tables, n_rows)
        Weight of each row for each table.
    order : RowOrder
        The order in which rows are visited.
    trunk : Trunk
        Shared by all tables.
    loss : Loss
        What is minimised.
    tables : RowAdagrad
        On the tables, stacked: shape (n_tables * sum(n_codes), width).
    update_trunk : callable
        Takes the trunk's step.

    Returns
    -------
    progressive_loss : float
        Weighted mean of each row's loss just before its update.
    """
    n_tables = len(weights)
    table_size = len(tables.table) // n_tables
    width = tables.table.shape[1]
    n_vector_inputs = rows.codes.shape[1] * width
    total_loss = 0.0
    for single in order:
        batch_weights = weights[:, single.rows].reshape(-1, 1)
        batch = single.repeat(n_tables, table_size)
        raw_prediction, activations = trunk.forward(look_up(rows, batch, tables.table))
        y_true = rows.targets.take(batch.rows, axis=0)
        total_loss += float(loss.loss(y_true, raw_prediction) @ batch_weights[:, 0])
        delta = (loss.inverse_link(raw_prediction) - y_true) * batch_weights
        deltas = trunk.backward(activations, delta)
        at_vectors = trunk.input_gradient(deltas, n_vector_inputs)
        update_trunk(activations, deltas, delta, float(batch_weights.sum()))
        tables.update(batch.touched, batch.scatter(at_vectors.reshape(-1, width)))
    return total_loss / float(weights.sum())


def constant_loss(rows: Rows, loss: Loss) -> float:
    """Return the weighted mean loss of the best constant prediction."""
    mean = np.average(rows.targets, axis=0, weights=rows.weight)
    raw_prediction = np.broadcast_to(loss.link(mean), rows.targets.shape)
    losses = loss.loss(rows.targets, raw_prediction)
    return float(np.average(losses, weights=rows.weight))


def learn_trunk(
    rows: Rows,
    draw_order: Callable[[], RowOrder],
    trunk: Trunk,
    loss: Loss,
    draw_prior: Callable[[], FloatArray],
    settings: TrainingSettings,
    report: Callable[[int, float], bool],
) -> list[float]:
    """Learn the trunk in place; return the progressive validation loss of each epoch.

    ``draw_prior`` gives the stacked table, shape (sum(n_codes), width), that an epoch
    starts from, ``draw_order`` the order in which it visits the rows. Both must be drawn
    anew for each epoch: in an order that comes back, a category's vector meets its next
    row in the same state as before, and the trunk learns the target by heart from this
    fingerprint; so with a random start that stays.
    ``report`` is called after each epoch with its number and its loss, and says whether
    to stop.
    """
    constant = constant_loss(rows, loss)
    needed = settings.tolerance * constant
    update_trunk = adam_update(trunk, settings.learning_rate, settings.weight_decay)
    weights = rows.weight[None, :]
    best, n_stale, curve = np.inf, 0, []
    for epoch in range(settings.max_epochs):
        tables = RowAdagrad(draw_prior(), settings.table_learning_rate)
        current = run_pass(rows, weights, draw_order(), trunk, loss, tables, update_trunk)
        if not np.isfinite(current):
            raise ValueError(
                f"The network diverged in epoch {epoch + 1}; lower learning_rate_init "
                f"(now {settings.learning_rate})."
            )
        curve.append(current)
        is_told_to_stop = report(epoch + 1, current)
        # Interactions without main effects start on a plateau: while nothing is learned
        # there is nothing to stop.
        has_learned = min(best, current) < constant - needed
        n_stale = n_stale + 1 if has_learned and current >= best - needed else 0
        best = min(best, current)
        if is_told_to_stop or n_stale >= settings.patience:
            break
    return curve


def learn_tables(
    rows: Rows,
    weights: FloatArray,
    order: RowOrder,
    trunk: Trunk,
    loss: Loss,
    prior: FloatArray,
    settings: TrainingSettings,
) -> FloatArray:
    """Learn tables under a frozen trunk, one for each row of ``weights``.

    Returns
    -------
    tables : ndarray of shape (n_tables, sum(n_codes), width)
    """
    n_tables = len(weights)
    tables = RowAdagrad(np.tile(prior, (n_tables, 1)), settings.table_learning_rate)
    for _ in range(settings.n_sweeps):
        run_pass(rows, weights, order, trunk, loss, tables, leave_frozen)
    return tables.table.reshape(n_tables, *prior.shape)
