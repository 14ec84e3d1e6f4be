"""Update rules. Both work in place on arrays that the caller owns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.network.scratch import Scratch


class Adam:
    """Adam with decoupled weight decay (Loshchilov & Hutter, 2019) on one flat array.

    Parameters
    ----------
    parameters : ndarray of shape (n_parameters,)
        Weights and biases, which are updated in place.
    learning_rate : float
        Step size of a parameter whose gradient is steady.
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

    @property
    def state(self) -> tuple[FloatArray, FloatArray, int]:
        """Running means of gradients and of their squares, and the steps taken."""
        return self._first, self._second, self._n_steps

    def load_state(self, state: tuple[FloatArray, FloatArray, int]) -> None:
        """Continue from the :attr:`state` of another, whose arrays are copied."""
        self._first[:], self._second[:], self._n_steps = state

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
        Rows of the table, C-contiguous, which are updated in place.
    learning_rate : float
        Step size of a row without history.
    initial_accumulator : float or ndarray of shape (n_rows, width)
        Sum of squared gradients to begin with; an array is copied.

    Attributes
    ----------
    accumulator : ndarray of shape (n_rows, width)
        The sum of squared gradients.
    """

    def __init__(
        self,
        table: FloatArray,
        learning_rate: float,
        initial_accumulator: float | FloatArray = 1.0,
    ) -> None:
        self.table = table
        self.learning_rate = learning_rate
        self.accumulator = np.full_like(table, initial_accumulator)
        # A row as one item, which numpy moves several times faster.
        self._item = np.dtype((np.void, table.shape[1] * table.itemsize))
        self._table_items = self._as_items(table)
        self._accumulator_items = self._as_items(self.accumulator)
        self._scratch = Scratch(table.dtype)

    def take(self, rows: IntArray) -> FloatArray:
        """Return a copy of some rows, to be given to :meth:`update`.

        It lasts until the next call.
        """
        return self._take("rows", self._table_items, rows)

    def update(self, rows: IntArray, values: FloatArray, gradient: FloatArray) -> None:
        """Take one step on ``rows``, which must not repeat.

        Parameters
        ----------
        rows : ndarray of shape (n_read,)
            Numbers of the rows that take a step.
        values : ndarray of shape (n_read, width)
            Rows as :meth:`take` returned them; overwritten.
        gradient : ndarray of shape (n_read, width)
            Gradient at each of these rows; overwritten.
        """
        accumulator = self._take("accumulator", self._accumulator_items, rows)
        squares = self._scratch.array("squares", *gradient.shape)
        np.multiply(gradient, gradient, out=squares)
        accumulator += squares
        self._accumulator_items.put(rows, self._as_items(accumulator))
        np.sqrt(accumulator, out=accumulator)
        gradient /= accumulator
        gradient *= self.learning_rate
        values -= gradient
        self._table_items.put(rows, self._as_items(values))

    def _take(self, name: str, items: NDArray[np.void], rows: IntArray) -> FloatArray:
        taken = self._scratch.array(name, len(rows), self.table.shape[1])
        # Rows are numbers of this table's rows; "clip" spares take a copy of its result.
        items.take(rows, out=self._as_items(taken), mode="clip")
        return taken

    def _as_items(self, array: FloatArray) -> NDArray[np.void]:
        return array.view(self._item)[:, 0]
