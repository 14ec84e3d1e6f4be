"""The rows that the engine learns from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sk_embed._arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Rows:
    """The training rows as arrays.

    Parameters
    ----------
    codes : ndarray of shape (n_rows, n_columns)
        Code of each row's category, counted within its column.
    n_codes : ndarray of shape (n_columns,)
        Number of codes of each column.
    context : ndarray of shape (n_rows, n_context)
        Numeric columns, bounded.
    targets : ndarray of shape (n_rows, n_outputs)
        As the loss wants them.
    weight : ndarray of shape (n_rows,)
        Positive weights.
    """

    codes: IntArray
    n_codes: IntArray
    context: FloatArray
    targets: FloatArray
    weight: FloatArray

    @property
    def offsets(self) -> IntArray:
        """First row of each column's table in the stack of all tables."""
        return np.concatenate([[0], np.cumsum(self.n_codes)[:-1]])

    @property
    def stacked_codes(self) -> IntArray:
        """Codes as row numbers in the stack of all tables, in the order of columns."""
        return (self.codes + self.offsets).astype(np.int32)

    def __len__(self) -> int:
        return len(self.codes)
