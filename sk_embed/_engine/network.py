"""The trunk: a small perceptron with a linear skip, forward and backward.

For an input ``v`` (the row's vectors of all columns side by side, then its numeric
context) with hidden layers of sizes H1, ..., HL and K outputs::

    [a, s] = v W1 + b1                      a: H1 numbers, s: K numbers
    h1     = relu(a)
    hl     = relu(h(l-1) Wl + bl)           l = 2, ..., L
    raw    = s + hL Wout

The skip ``s`` and the first hidden layer read the same input, so they are one matrix
product. All weights lie in one flat array, whose optimiser is then a handful of
calls; the matrices are views of it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sk_embed._arrays import BoolArray, FloatArray

# A ReLU whose inputs and bias are zero passes no gradient, and tables start at zero:
# a small positive bias wakes every unit, its randomness breaks their symmetry.
_MAX_INITIAL_BIAS = 0.1


class Activations(NamedTuple):
    """What the forward pass leaves for the backward pass."""

    inputs: FloatArray
    hidden: list[FloatArray]


class Trunk:
    """The network above the tables.

    Parameters
    ----------
    n_inputs : int
        Length of ``v``.
    hidden_layer_sizes : tuple of int
        May be empty: then the trunk is linear.
    n_outputs : int
        Columns of the raw prediction.
    dtype : dtype
        Of all arithmetic.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden_layer_sizes: tuple[int, ...],
        n_outputs: int,
        dtype: np.dtype,
    ) -> None:
        self.n_inputs = n_inputs
        self.n_outputs = n_outputs
        sizes = self.hidden_layer_sizes = tuple(hidden_layer_sizes)
        self._first_width = sizes[0] if sizes else 0
        shapes = [(n_inputs, self._first_width + n_outputs)]
        shapes += list(pairwise(sizes))
        n_weights = sum(m * n + n for m, n in shapes)
        n_last = sizes[-1] * n_outputs if sizes else 0
        self.parameters = np.zeros(n_weights + n_last, dtype)
        self._shapes = shapes
        self._last_shape = (sizes[-1], n_outputs) if sizes else None
        self._weights, self._biases, self._last = self._views(self.parameters)
        self._gradient = np.empty_like(self.parameters)
        self._gradient_views = self._views(self._gradient)

    def __getstate__(self) -> tuple[int, tuple[int, ...], int, FloatArray]:
        """Keep the weights alone; views and buffers are made anew."""
        return self.n_inputs, self.hidden_layer_sizes, self.n_outputs, self.parameters

    def __setstate__(self, state: tuple[int, tuple[int, ...], int, FloatArray]) -> None:
        *layout, parameters = state
        self.__init__(*layout, parameters.dtype)  # type: ignore[misc]
        self.parameters[:] = parameters

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Shapes of the weight matrices, the first including the skip."""
        return [*self._shapes, *([] if self._last_shape is None else [self._last_shape])]

    def _views(
        self, flat: NDArray[Any]
    ) -> tuple[list[NDArray[Any]], list[NDArray[Any]], NDArray[Any] | None]:
        weights, biases, start = [], [], 0
        for m, n in self._shapes:
            weights.append(flat[start : start + m * n].reshape(m, n))
            biases.append(flat[start + m * n : start + m * n + n])
            start += m * n + n
        last = None if self._last_shape is None else flat[start:].reshape(self._last_shape)
        return weights, biases, last

    @property
    def is_weight(self) -> BoolArray:
        """Which of the flat parameters are weights; the others are biases."""
        mask = np.zeros(len(self.parameters), dtype=bool)
        weights, _, last = self._views(mask)
        for matrix in [*weights, *([] if last is None else [last])]:
            matrix[:] = True
        return mask

    def initialize(self, rng: np.random.Generator, intercept: FloatArray) -> None:
        """Draw the weights (Glorot & Bengio, 2010); the skip starts at ``intercept``."""
        matrices = [*self._weights, *([] if self._last is None else [self._last])]
        for weights in matrices:
            bound = np.sqrt(6.0 / sum(weights.shape))
            weights[:] = rng.uniform(-bound, bound, weights.shape)
        for biases in self._biases:
            biases[:] = rng.uniform(0, _MAX_INITIAL_BIAS, biases.shape)
        self._biases[0][self._first_width :] = intercept

    def forward(self, inputs: FloatArray) -> tuple[FloatArray, Activations]:
        """Return the raw prediction, shape (n_rows, n_outputs), and the activations."""
        first = inputs @ self._weights[0]
        first += self._biases[0]
        raw_prediction = first[:, self._first_width :]
        if self._last is None:
            return raw_prediction, Activations(inputs, [])
        layer = first[:, : self._first_width]
        np.maximum(layer, 0, out=layer)
        hidden: list[FloatArray] = [layer]
        for weights, biases in zip(self._weights[1:], self._biases[1:], strict=True):
            layer = layer @ weights
            layer += biases
            np.maximum(layer, 0, out=layer)
            hidden.append(layer)
        return raw_prediction + layer @ self._last, Activations(inputs, hidden)

    def backward(self, activations: Activations, delta: FloatArray) -> list[FloatArray]:
        """Return the gradient at each layer's sum, given that at the raw prediction.

        The first entry belongs to the joint first layer ``[a, s]``.
        """
        first = np.empty((len(delta), self._first_width + self.n_outputs), delta.dtype)
        first[:, self._first_width :] = delta
        if self._last is None:
            return [first]
        deltas: list[FloatArray] = []
        upstream = delta @ self._last.T
        for hidden, weights in zip(
            activations.hidden[:0:-1], self._weights[:0:-1], strict=True
        ):
            upstream *= hidden > 0
            deltas.append(upstream)
            upstream = upstream @ weights.T
        np.multiply(upstream, activations.hidden[0] > 0, out=first[:, : self._first_width])
        deltas.append(first)
        return deltas[::-1]

    def input_gradient(self, deltas: list[FloatArray], n_inputs: int) -> FloatArray:
        """Return the gradient at the first ``n_inputs`` entries of ``v``."""
        return deltas[0] @ self._weights[0][:n_inputs].T

    def parameter_gradient(
        self, activations: Activations, deltas: list[FloatArray], delta: FloatArray
    ) -> FloatArray:
        """Return the gradient of the flat parameters, summed over rows.

        The array is reused by the next call.
        """
        weights, biases, last = self._gradient_views
        below = [activations.inputs, *activations.hidden]
        for layer, layer_delta in enumerate(deltas):
            np.matmul(below[layer].T, layer_delta, out=weights[layer])
            layer_delta.sum(axis=0, out=biases[layer])
        if last is not None:
            np.matmul(activations.hidden[-1].T, delta, out=last)
        return self._gradient
