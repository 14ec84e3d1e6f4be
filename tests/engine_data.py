"""Small data and numeric derivatives that the tests of the engine share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_embed._engine.losses import (
    HalfBinomialLoss,
    HalfMultinomialLoss,
    HalfSquaredError,
    Loss,
)
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.rows import Rows

Array = NDArray[np.floating]

SQUARED, BINOMIAL, MULTINOMIAL = (
    HalfSquaredError(),
    HalfBinomialLoss(),
    HalfMultinomialLoss(),
)
# A loss, and a number of outputs for it.
LOSS_CASES = {
    "squared": (SQUARED, 1),
    "squared-3-outputs": (SQUARED, 3),
    "binomial": (BINOMIAL, 1),
    "binomial-2-outputs": (BINOMIAL, 2),
    "multinomial": (MULTINOMIAL, 3),
}


def draw_targets(
    rng: np.random.Generator, loss: Loss, n_rows: int, n_outputs: int
) -> Array:
    if loss is SQUARED:
        return rng.normal(size=(n_rows, n_outputs))
    if loss is BINOMIAL:
        return rng.integers(2, size=(n_rows, n_outputs)).astype(float)
    return np.eye(n_outputs)[rng.integers(n_outputs, size=n_rows)]


def make_rows(
    codes: NDArray[np.integer],
    targets: Array,
    context: Array | None = None,
    weight: Array | None = None,
    n_codes: Sequence[int] | None = None,
) -> Rows:
    n_rows = len(codes)
    codes = np.asarray(codes, dtype=np.int32).reshape(n_rows, -1)
    return Rows(
        codes=codes,
        n_codes=codes.max(axis=0) + 1 if n_codes is None else np.array(n_codes),
        context=np.empty((n_rows, 0)) if context is None else context,
        targets=targets.reshape(n_rows, -1),
        weight=np.ones(n_rows) if weight is None else weight,
    )


def draw_rows(
    rng: np.random.Generator,
    loss: Loss = SQUARED,
    n_outputs: int = 1,
    *,
    n_rows: int = 40,
    n_codes: Sequence[int] = (6, 3),
    n_context: int = 2,
) -> Rows:
    """Draw rows whose target has nothing to do with their categories."""
    return make_rows(
        np.column_stack([rng.integers(n, size=n_rows) for n in n_codes]),
        draw_targets(rng, loss, n_rows, n_outputs),
        context=rng.normal(size=(n_rows, n_context)),
        weight=rng.uniform(0.5, 2, size=n_rows),
        n_codes=n_codes,
    )


def draw_table(rng: np.random.Generator, rows: Rows, width: int) -> Array:
    return rng.normal(size=(rows.n_table_rows, width))


def every_row(rows: Rows) -> NDArray[np.bool_]:
    """Say of one table that it learns from every row."""
    return np.ones((1, len(rows)), dtype=bool)


def draw_trunk(
    rng: np.random.Generator,
    n_inputs: int,
    hidden_layer_sizes: tuple[int, ...],
    n_outputs: int,
    dtype: type = np.float64,
) -> Trunk:
    trunk = Trunk(n_inputs, hidden_layer_sizes, n_outputs, np.dtype(dtype))
    trunk.initialize(rng, intercept=rng.normal(size=n_outputs))
    return trunk


def trunk_over(
    rng: np.random.Generator, rows: Rows, width: int, hidden_layer_sizes: tuple[int, ...]
) -> Trunk:
    """Draw a trunk for the rows' columns, in vectors of this width, and context."""
    n_inputs = rows.codes.shape[1] * width + rows.context.shape[1]
    return draw_trunk(rng, n_inputs, hidden_layer_sizes, rows.targets.shape[1])


def slope(
    function: Callable[[Array], Array | float],
    point: Array,
    direction: Array,
    step: float = 1e-6,
) -> Array:
    """Central difference of a function along a direction."""
    ahead, behind = point + step * direction, point - step * direction
    return np.asarray((function(ahead) - function(behind)) / (2 * step))


def finite_differences(
    function: Callable[[Array], Array | float], point: Array, step: float = 1e-6
) -> Array:
    """Central differences by each entry: point's axes first, then the function's."""
    units = np.eye(point.size).reshape(point.size, *point.shape)
    slopes = np.array([slope(function, point, unit, step) for unit in units])
    return slopes.reshape(*point.shape, *slopes.shape[1:])


def torch_forward(
    flat: Any, inputs: Any, hidden_layer_sizes: tuple[int, ...], n_outputs: int
) -> Any:
    """Compute the trunk's documented forward pass from its flat parameters, in torch."""
    import torch

    first_width = hidden_layer_sizes[0] if hidden_layer_sizes else 0
    below = [inputs.shape[1], *hidden_layer_sizes]
    above = [first_width + n_outputs, *hidden_layer_sizes[1:]]
    sizes = []
    for m, n in zip(below, above, strict=False):
        sizes += [m * n, n]
    sizes.append(len(flat) - sum(sizes))
    *layers, last = torch.split(flat, sizes)

    first = inputs @ layers[0].reshape(below[0], above[0]) + layers[1]
    hidden, skip = first[:, :first_width], first[:, first_width:]
    if not hidden_layer_sizes:
        return skip
    hidden = torch.relu(hidden)
    for m, weights, biases in zip(below[1:], layers[2::2], layers[3::2], strict=False):
        hidden = torch.relu(hidden @ weights.reshape(m, -1) + biases)
    return skip + hidden @ last.reshape(-1, n_outputs)
