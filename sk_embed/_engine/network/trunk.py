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
from sk_embed._engine.network.scratch import Scratch

# A ReLU whose inputs and bias are zero passes no gradient, and tables start at zero:
# a small positive bias wakes every unit, its randomness breaks their symmetry.
_MAX_INITIAL_BIAS = 0.1


class Activations(NamedTuple):
    """What the forward pass leaves for the backward pass.

    Parameters
    ----------
    inputs : ndarray of shape (n_rows, n_inputs)
        Vectors and numeric context that each row puts in.
    hidden : list of ndarray of shape (n_rows, n_units)
        Values of each hidden layer.
    is_active : list of ndarray of bool of shape (n_rows, n_units)
        Whether each unit passes a gradient; of the first hidden layer with the skip's
        outputs, which always do.
    """

    inputs: FloatArray
    hidden: list[FloatArray]
    is_active: list[BoolArray]


class Layers(NamedTuple):
    """Matrices of a trunk's layers, as views of one flat array.

    Parameters
    ----------
    flat : ndarray of shape (n_parameters,)
        Array that all others are views of.
    weights : list of ndarray of shape (n_inputs, n_units)
        Weights of the joint first layer, and of each further hidden layer.
    biases : list of ndarray of shape (n_units,)
        Biases of the same layers.
    last : ndarray of shape (n_units, n_outputs) or None
        Weights of the output layer; None without a hidden layer.
    """

    flat: NDArray[Any]
    weights: list[NDArray[Any]]
    biases: list[NDArray[Any]]
    last: NDArray[Any] | None

    @property
    def matrices(self) -> list[NDArray[Any]]:
        """All weights, without the biases."""
        return [*self.weights, *([] if self.last is None else [self.last])]


class Trunk:
    """The network above the tables.

    Parameters
    ----------
    n_inputs : int
        Length of the input ``v`` of a row.
    hidden_layer_sizes : tuple of int
        May be empty: then the trunk is linear.
    n_outputs : int
        Columns of the raw prediction.
    dtype : dtype
        Type of the parameters and of all arithmetic.
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
        self._layers = self.layers_of(self.parameters)

    def __getstate__(self) -> tuple[int, tuple[int, ...], int, FloatArray]:
        """Keep the weights alone; views of them are made anew."""
        return self.n_inputs, self.hidden_layer_sizes, self.n_outputs, self.parameters

    def __setstate__(self, state: tuple[int, tuple[int, ...], int, FloatArray]) -> None:
        *layout, parameters = state
        self.__init__(*layout, parameters.dtype)  # type: ignore[misc]
        self.parameters[:] = parameters

    def copy(self) -> Trunk:
        """Return another trunk with the same weights."""
        dtype = self.parameters.dtype
        copied = Trunk(self.n_inputs, self.hidden_layer_sizes, self.n_outputs, dtype)
        copied.parameters[:] = self.parameters
        return copied

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Shapes of the weight matrices, the first including the skip."""
        return [*self._shapes, *([] if self._last_shape is None else [self._last_shape])]

    def layers_of(self, flat: NDArray[Any]) -> Layers:
        """Return views of an array of the parameters' length as the matrices of layers."""
        weights, biases, start = [], [], 0
        for m, n in self._shapes:
            weights.append(flat[start : start + m * n].reshape(m, n))
            biases.append(flat[start + m * n : start + m * n + n])
            start += m * n + n
        last = None if self._last_shape is None else flat[start:].reshape(self._last_shape)
        return Layers(flat, weights, biases, last)

    @property
    def is_weight(self) -> BoolArray:
        """Which of the flat parameters are weights; the others are biases."""
        mask = np.zeros(len(self.parameters), dtype=bool)
        for matrix in self.layers_of(mask).matrices:
            matrix[:] = True
        return mask

    def reads_last(self, n_inputs: int) -> BoolArray:
        """Return which of the flat parameters are weights of the last ``n_inputs``."""
        mask = np.zeros(len(self.parameters), dtype=bool)
        first = self.layers_of(mask).weights[0]
        first[len(first) - n_inputs :] = True
        return mask

    def initialize(self, rng: np.random.Generator, intercept: FloatArray) -> None:
        """Draw the weights (Glorot & Bengio, 2010); the skip starts at ``intercept``."""
        for weights in self._layers.matrices:
            bound = np.sqrt(6.0 / sum(weights.shape))
            weights[:] = rng.uniform(-bound, bound, weights.shape)
        for biases in self._layers.biases:
            biases[:] = rng.uniform(0, _MAX_INITIAL_BIAS, biases.shape)
        self._layers.biases[0][self._first_width :] = intercept

    def forward(
        self, inputs: FloatArray, scratch: Scratch | None = None
    ) -> tuple[FloatArray, Activations]:
        """Return the raw prediction, shape (n_rows, n_outputs), and the activations.

        Arrays of ``scratch`` are overwritten by the next call that is given the same.
        """
        scratch = scratch or Scratch(inputs.dtype)
        (_, weights, biases, last), n_rows = self._layers, len(inputs)
        first = scratch.array("first", n_rows, self._first_width + self.n_outputs)
        np.matmul(inputs, weights[0], out=first)
        first += biases[0]
        # A copy, and then the ReLU of all columns: one long row of numbers is quicker.
        raw_prediction = first[:, self._first_width :].copy()
        if last is None:
            return raw_prediction, Activations(inputs, [], [])
        is_active = [_rectify(first, scratch.mask("active", *first.shape))]
        # The backward pass masks all columns at once, and is to keep the skip's.
        is_active[0][:, self._first_width :] = True
        layer = first[:, : self._first_width]
        hidden: list[FloatArray] = [layer]
        for of_layer, bias in zip(weights[1:], biases[1:], strict=True):
            name, shape = str(len(hidden)), (n_rows, len(bias))
            above = scratch.array(f"hidden {name}", *shape)
            np.matmul(layer, of_layer, out=above)
            above += bias
            is_active.append(_rectify(above, scratch.mask(f"active {name}", *shape)))
            hidden.append(above)
            layer = above
        raw_prediction += layer @ last
        return raw_prediction, Activations(inputs, hidden, is_active)

    def backward(
        self, activations: Activations, delta: FloatArray, scratch: Scratch | None = None
    ) -> list[FloatArray]:
        """Return the gradient at each layer's sum, given that at the raw prediction.

        The first entry belongs to the joint first layer ``[a, s]``.
        """
        scratch = scratch or Scratch(delta.dtype)
        n_rows = len(delta)
        first = scratch.array("delta", n_rows, self._first_width + self.n_outputs)
        deltas: list[FloatArray] = []
        _, weights, _, last = self._layers
        if last is not None:
            below, upstream = last, delta
            for layer in range(len(self.hidden_layer_sizes) - 1, 0, -1):
                at_layer = scratch.array(f"delta {layer}", n_rows, len(below))
                _multiply(upstream, below.T, at_layer)
                at_layer *= activations.is_active[layer]
                deltas.append(at_layer)
                below, upstream = weights[layer], at_layer
            first[:, self._first_width :] = delta
            np.matmul(upstream, below.T, out=first[:, : self._first_width])
            # One long product is twice as fast as one of the hidden columns alone.
            first *= activations.is_active[0]
        else:
            first[:] = delta
        return [first, *deltas[::-1]]

    def input_gradient(
        self, deltas: list[FloatArray], n_inputs: int, scratch: Scratch | None = None
    ) -> FloatArray:
        """Return the gradient at the first ``n_inputs`` entries of ``v``."""
        scratch = scratch or Scratch(deltas[0].dtype)
        gradient = scratch.array("input gradient", len(deltas[0]), n_inputs)
        return np.matmul(deltas[0], self._layers.weights[0][:n_inputs].T, out=gradient)

    def parameter_gradient(
        self,
        activations: Activations,
        deltas: list[FloatArray],
        delta: FloatArray,
        out: Layers | None = None,
    ) -> FloatArray:
        """Return the gradient of the flat parameters, summed over rows.

        Layers of :meth:`layers_of` may be given to be written to.
        """
        gradient = self.layers_of(np.empty_like(self.parameters)) if out is None else out
        below = [activations.inputs, *activations.hidden]
        # A product with ones sums columns faster than numpy's sum does.
        ones = np.ones(len(delta), delta.dtype)
        for layer, layer_delta in enumerate(deltas):
            np.matmul(below[layer].T, layer_delta, out=gradient.weights[layer])
            np.matmul(ones, layer_delta, out=gradient.biases[layer])
        if gradient.last is not None:
            np.matmul(activations.hidden[-1].T, delta, out=gradient.last)
        return gradient.flat


def _multiply(a: FloatArray, b: FloatArray, out: FloatArray) -> None:
    """Write a matrix product to ``out``."""
    if a.dtype == b.dtype == out.dtype:
        # Not matmul, which has no BLAS for a single output.
        np.dot(a, b, out=out)
    else:
        np.matmul(a, b, out=out)


def _rectify(array: FloatArray, is_active: BoolArray) -> BoolArray:
    """Apply the ReLU in place, and write to ``is_active`` where the array was positive."""
    np.greater(array, 0, out=is_active)
    # Twice as fast as a maximum, and the backward pass needs the mask anyway.
    array *= is_active
    return is_active
