"""Vectors of all categories so far, each with the state of its optimiser."""

from __future__ import annotations

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.network.optimizers import RowAdagrad
from sk_embed._engine.online.settings import ACCUMULATOR
from sk_embed._growing import GrowingArray


class TableStore:
    """Rows of a table and their optimiser's state, which grow at their end.

    Parameters
    ----------
    vectors : ndarray of shape (n_rows, width)
        Vectors to begin with, of which a copy is made.
    accumulator : ndarray of shape (n_rows, width)
        Sum of squared gradients of each weight of these vectors.
    """

    def __init__(self, vectors: FloatArray, accumulator: FloatArray) -> None:
        self._vectors = GrowingArray(vectors)
        self._accumulator = GrowingArray(accumulator)

    @classmethod
    def empty(cls, width: int, dtype: np.dtype) -> TableStore:
        """Return a store without rows."""
        none = np.zeros((0, width), dtype)
        return cls(none, none)

    @property
    def vectors(self) -> FloatArray:
        """The vectors so far: a view, to be written to but not to be kept."""
        return self._vectors.values

    def __len__(self) -> int:
        return len(self._vectors)

    def grow(self, n_rows: int) -> None:
        """Append rows at the origin, without history."""
        self._vectors.grow(n_rows)
        self._accumulator.grow(n_rows, ACCUMULATOR)

    def cut(self, n_rows: int) -> None:
        """Keep the first rows alone."""
        self._vectors.cut(n_rows)
        self._accumulator.cut(n_rows)

    def take(
        self, rows: IntArray, learning_rate: float, left: FloatArray | None = None
    ) -> RowAdagrad:
        """Return a table of some rows, which learns apart from the store.

        ``left``, of shape (n_taken,), is the share of their history that counts; all of
        it unless given.
        """
        accumulator = self._accumulator.values[rows]
        if left is not None:
            left = left.astype(accumulator.dtype)[:, None]
            accumulator = ACCUMULATOR + left * (accumulator - ACCUMULATOR)
        return RowAdagrad(self.vectors[rows], learning_rate, accumulator)

    def put(self, rows: IntArray, table: RowAdagrad) -> None:
        """Put back rows that have learned."""
        self.vectors[rows] = table.table
        self._accumulator.values[rows] = table.accumulator

    def clear(self, row: int) -> None:
        """Put a row at the origin, without history."""
        self.vectors[row] = 0
        self._accumulator.values[row] = ACCUMULATOR
