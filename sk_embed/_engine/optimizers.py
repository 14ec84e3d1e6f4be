"""Update rules. Both work in place on arrays that the caller owns."""

from __future__ import annotations

import numpy as np

from sk_embed._arrays import FloatArray, IntArray


class Adam:
    """Adam with decoupled weight decay (Loshchilov & Hutter, 2019) on one flat array.

    Parameters
    ----------
    parameters : ndarray of shape (n_parameters,)
        Updated in place.
    learning_rate : float
        Step size.
    beta_1, beta_2 : float
        Decay of the running mean of gradients and of their squares.
    epsilon : float
        Added to the root of the second moment.
    weight_decay : float or ndarray of shape (n_parameters,)
        Each step shrinks a parameter by this times the learning rate.
    """

    def __init__(
        self,
        parameters: FloatArray,
        learning_rate: float,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float | FloatArray = 0.0,
    ) -> None:
        self.parameters = parameters
        self.learning_rate = learning_rate
        # A decay beyond one would turn parameters round, and longer at each step.
        self._shrinkage = np.maximum(1 - learning_rate * weight_decay, 0)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self._first = np.zeros_like(parameters)
        self._second = np.zeros_like(parameters)
        self._buffer = np.empty_like(parameters)
        self._n_steps = 0

    def update(self, gradient: FloatArray) -> None:
        """Take one step against ``gradient``, which is used as scratch space."""
        self._n_steps += 1
        first_correction = 1 - self.beta_1**self._n_steps
        second_correction = 1 - self.beta_2**self._n_steps
        buffer = self._buffer
        self.parameters *= self._shrinkage

        np.multiply(gradient, gradient, out=buffer)
        buffer *= 1 - self.beta_2
        self._second *= self.beta_2
        self._second += buffer
        gradient *= 1 - self.beta_1
        self._first *= self.beta_1
        self._first += gradient

        np.divide(self._second, second_correction, out=buffer)
        np.sqrt(buffer, out=buffer)
        buffer += self.epsilon
        np.divide(self._first, buffer, out=buffer)
        buffer *= self.learning_rate / first_correction
        self.parameters -= buffer


class RowAdagrad:
    """Adagrad (Duchi et al., 2011) on the rows of a table, each with its own state.

    A row that a batch does not touch costs nothing and keeps its state. Adagrad
    fits embedding tables because a row's step shrinks with the evidence that the
    row itself has seen, not with the number of batches.

    Parameters
    ----------
    table : ndarray of shape (n_rows, width)
        Updated in place.
    learning_rate : float
        Step size of a row without history.
    initial_accumulator : float
        Where the sum of squared gradients starts.
    """

    def __init__(
        self,
        table: FloatArray,
        learning_rate: float,
        initial_accumulator: float = 1.0,
    ) -> None:
        self.table = table
        self.learning_rate = learning_rate
        self._accumulator = np.full_like(table, initial_accumulator)

    def update(self, rows: IntArray, gradient: FloatArray) -> None:
        """Take one step on ``rows``, which must not repeat.

        ``gradient`` has one row for each, and is used as scratch space.
        """
        accumulator = self._accumulator.take(rows, axis=0)
        accumulator += gradient * gradient
        self._accumulator[rows] = accumulator
        np.sqrt(accumulator, out=accumulator)
        gradient /= accumulator
        gradient *= self.learning_rate
        self.table[rows] -= gradient
