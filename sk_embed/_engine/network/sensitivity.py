"""Sensitivity of a trained trunk: how far the raw prediction follows each of its inputs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray
from sk_embed._engine.network.passes import context_scale, look_up
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.rows import Rows

# The metric is a mean over rows; so many, evenly spaced, tell it well enough.
MAX_ROWS_FOR_METRIC = 10_000


class Sensitivity(NamedTuple):
    """How far the raw prediction follows the trunk's inputs.

    Parameters
    ----------
    metrics : ndarray of shape (n_columns, width, width)
        Metric M of each column: see :mod:`sk_embed._engine.axes`.
    context : ndarray of shape (n_context,)
        Root mean square change of the raw prediction over one standard deviation of
        each context column, to first order.
    """

    metrics: FloatArray
    context: FloatArray


def sensitivity(rows: Rows, trunk: Trunk, table: FloatArray) -> Sensitivity:
    """Measure the sensitivity of a trained trunk over its training rows."""
    n_columns, width = rows.codes.shape[1], table.shape[1]
    n_places = n_columns * width
    n_rows = min(len(rows), MAX_ROWS_FOR_METRIC)
    chosen = np.linspace(0, len(rows) - 1, n_rows).astype(np.intp)
    inputs = look_up(rows, chosen, rows.stacked_codes(chosen), table)
    _, activations = trunk.forward(inputs)
    weight = rows.weight[chosen] / rows.weight[chosen].sum()
    metrics = np.zeros((n_columns, width, width))
    slopes = np.zeros(rows.context.shape[1])
    for output in range(trunk.n_outputs):
        delta = np.zeros((n_rows, trunk.n_outputs), table.dtype)
        delta[:, output] = np.sqrt(weight)
        deltas = trunk.backward(activations, delta)
        jacobian = trunk.input_gradient(deltas, trunk.n_inputs).astype(np.float64)
        at_vectors = jacobian[:, :n_places].reshape(n_rows, n_columns, width)
        by_column = at_vectors.transpose(1, 2, 0)
        metrics += by_column @ by_column.transpose(0, 2, 1)
        slopes += (jacobian[:, n_places:] ** 2).sum(axis=0)
    scaled_variance = context_scale(rows) ** 2 * rows.context_variance()
    return Sensitivity(metrics, np.sqrt(slopes * scaled_variance))
