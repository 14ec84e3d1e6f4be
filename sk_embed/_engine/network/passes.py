"""One pass over the rows: what each batch tells of the trunk, and of the tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sk_embed._arrays import BoolArray, FloatArray, IntArray
from sk_embed._engine.losses import Loss
from sk_embed._engine.network.batches import RowOrder, copies_for_tables, scatter
from sk_embed._engine.network.optimizers import Adam, RowAdagrad
from sk_embed._engine.network.scratch import Scratch
from sk_embed._engine.network.trunk import Activations, Trunk
from sk_embed._engine.rows import Rows

# Number of context columns that the trunk reads as they are: more are scaled down.
_CONTEXT_OF_UNIT_SCALE = 3
# Number of context columns whose weights decay as all other weights do. Rows that differ in
# more numbers are told apart more easily, and so learned by heart: the weights of more
# columns decay faster, in proportion to their number.
_CONTEXT_OF_UNIT_DECAY = 20


class BatchGradients(NamedTuple):
    """What a batch tells of the trunk, just before the tables are updated.

    Parameters
    ----------
    rows : ndarray of shape (n_rows,)
        Numbers of the batch's rows among all rows.
    y_true, raw_prediction : ndarray of shape (n_rows, n_outputs)
        Target and prediction of each row.
    weight : ndarray of shape (n_rows,)
        Weight of each row of the batch.
    activations : Activations
        Activations that the forward pass of the trunk left.
    delta : ndarray of shape (n_rows, n_outputs)
        Gradient at the raw prediction.
    deltas : list of ndarray
        Gradient at the sum of each layer.
    """

    rows: IntArray
    y_true: FloatArray
    raw_prediction: FloatArray
    weight: FloatArray
    activations: Activations
    delta: FloatArray
    deltas: list[FloatArray]


def leave_frozen(step: BatchGradients) -> None:
    """Learn nothing about the trunk."""


class TrunkLearner:
    """Learns a trunk by Adam on the mean gradient of each batch.

    Parameters
    ----------
    trunk : Trunk
        Trunk whose parameters are updated in place.
    loss : Loss
        Loss that the progressive losses are of.
    learning_rate : float
        Step size of Adam, from 0 to 1.
    weight_decay : float
        Decay of the weights, not of the biases, per unit of the learning rate.
    n_context : int
        Number of context columns, the last inputs of the trunk. Weights of more than
        twenty decay faster.
    """

    def __init__(
        self,
        trunk: Trunk,
        loss: Loss,
        learning_rate: float,
        weight_decay: float = 0.0,
        n_context: int = 0,
    ) -> None:
        decay = (weight_decay * trunk.is_weight).astype(trunk.parameters.dtype)
        decay[trunk.reads_last(n_context)] *= max(n_context / _CONTEXT_OF_UNIT_DECAY, 1)
        self.adam = Adam(trunk.parameters, learning_rate, weight_decay=decay)
        self._trunk = trunk
        self._loss = loss
        self._gradient = trunk.layers_of(np.empty_like(trunk.parameters))
        self._total_loss = self._total_weight = 0.0

    def __call__(self, step: BatchGradients) -> None:
        """Take one step, and note the loss before it."""
        weight = float(step.weight.sum())
        losses = self._loss.loss(step.y_true, step.raw_prediction)
        self._total_loss += float(losses @ step.weight)
        self._total_weight += weight
        gradient = self._trunk.parameter_gradient(
            step.activations, step.deltas, step.delta, self._gradient
        )
        gradient /= weight
        self.adam.update(gradient)

    def pop_loss(self) -> float:
        """Return the weighted mean of the losses noted, and begin anew."""
        total, weight = self.pop_total()
        return total / weight

    def pop_total(self) -> tuple[float, float]:
        """Return the weighted sum of the losses noted and their weight, and begin anew."""
        total, weight = self._total_loss, self._total_weight
        self._total_loss = self._total_weight = 0.0
        return total, weight


def look_up(
    rows: Rows,
    chosen: IntArray,
    slots: IntArray,
    vectors: FloatArray,
    scratch: Scratch | None = None,
) -> FloatArray:
    """Return the trunk's input for chosen rows: vectors, and the context.

    The context is scaled by :func:`context_scale`.

    ``slots``, shape (n_chosen, n_columns), holds where each place finds its vector in
    ``vectors``, shape (n_slots, width).
    """
    scratch = scratch or Scratch(vectors.dtype)
    (n_rows, n_columns), width = slots.shape, vectors.shape[1]
    n_places = n_columns * width
    inputs = scratch.array("inputs", n_rows, n_places + rows.context.shape[1])
    if not rows.context.shape[1]:
        vectors.take(
            slots, axis=0, out=inputs.reshape(n_rows, n_columns, width), mode="clip"
        )
        return inputs
    taken = scratch.array("vectors", n_rows, n_columns, width)
    vectors.take(slots, axis=0, out=taken, mode="clip")
    inputs[:, :n_places] = taken.reshape(n_rows, n_places)
    inputs[:, n_places:] = rows.context.take(chosen, axis=0)
    inputs[:, n_places:] *= context_scale(rows)
    return inputs


def context_scale(rows: Rows) -> float:
    """Return the factor by which the trunk reads the context, ``sqrt(3 / p)`` or 1.

    The p columns together then have the second moment of three. A step of Adam changes each
    weight alike, and so a row's prediction by the sum of its inputs: many numbers would
    outrun the vectors, and learn what chance has put into single rows before the vectors
    have learned anything.
    """
    n_context = max(rows.context.shape[1], _CONTEXT_OF_UNIT_SCALE)
    return float((_CONTEXT_OF_UNIT_SCALE / n_context) ** 0.5)


def run_pass(
    rows: Rows,
    is_used: BoolArray,
    order: RowOrder,
    trunk: Trunk,
    loss: Loss,
    tables: RowAdagrad,
    learn: Callable[[BatchGradients], None],
) -> None:
    """Learn tables, and perhaps the trunk, in one pass over the rows.

    Tables that differ only in the rows that they learn from are learned side by side: a
    batch holds each row once for each table that uses it.

    Parameters
    ----------
    rows : Rows
        Rows that are passed over.
    is_used : ndarray of bool of shape (n_tables, n_rows)
        Whether each table learns from each row.
    order : RowOrder
        The order in which rows are visited.
    trunk : Trunk
        Trunk that all tables share.
    loss : Loss
        Loss whose gradient is passed back.
    tables : RowAdagrad
        On the tables side by side: shape (sum(n_codes), n_tables * width).
    learn : callable
        Is told of each batch, just before the tables are updated.
    """
    n_tables, n_columns = len(is_used), rows.codes.shape[1]
    width = tables.table.shape[1] // n_tables
    scratch = Scratch(tables.table.dtype)
    are_copied = n_tables > 1 or not is_used.all()
    for batch in order:
        chosen, slots = batch.rows, batch.slots
        if are_copied:
            _, copied, slots = copies_for_tables(batch, is_used)
            chosen = chosen.take(copied)
        values = tables.take(batch.table_rows)
        vectors = values.reshape(-1, width)
        inputs = look_up(rows, chosen, slots, vectors, scratch)
        raw_prediction, activations = trunk.forward(inputs, scratch)
        # Not take, which copies all rows' weights first where they are one number.
        y_true, weight = rows.targets.take(chosen, axis=0), rows.weight[chosen]
        delta = loss.inverse_link(raw_prediction) - y_true
        delta *= weight[:, None]
        deltas = trunk.backward(activations, delta, scratch)
        at_vectors = trunk.input_gradient(deltas, n_columns * width, scratch)
        learn(
            BatchGradients(
                chosen, y_true, raw_prediction, weight, activations, delta, deltas
            )
        )
        gradient = scatter(at_vectors.reshape(-1, width), slots.ravel(), len(vectors))
        tables.update(batch.table_rows, values, gradient.reshape(values.shape))
