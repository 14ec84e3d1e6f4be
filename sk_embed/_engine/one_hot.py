"""Products with one-hot matrices that are given by their codes alone.

Row i of the matrix has a one at each of the columns ``codes[i]``, so it needs no memory of
its own. scipy's sparse arrays do these products by the same functions, but make an array
object for each that costs more than the product of one batch; called directly they also
add to a given array. They are not in scipy's public interface, though they have not changed
for longer than the oldest version that is supported, and so are imported here alone.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse._sparsetools import csc_matvecs, csr_matvecs

from sk_embed._arrays import FloatArray, IntArray


def add_product(codes: IntArray, values: FloatArray, result: FloatArray) -> None:
    """Add to each row of ``result`` the rows of ``values`` that its codes name.

    Parameters
    ----------
    codes : ndarray of int32 of shape (n_rows, n_columns)
        Rows of ``values`` that are added to each row of the result.
    values : ndarray of shape (n_values, width)
        Rows to be added, C-contiguous in memory.
    result : ndarray of shape (n_rows, width)
        C-contiguous, of the dtype of ``values``; changed in place.
    """
    csr_matvecs(
        len(codes), len(values), values.shape[1], *_structure(codes, values.dtype),
        values.ravel(), result.ravel(),
    )  # fmt: skip


def add_transposed_product(codes: IntArray, values: FloatArray, result: FloatArray) -> None:
    """Add each row of ``values`` to the rows of ``result`` that its codes name.

    Parameters
    ----------
    codes : ndarray of int32 of shape (n_rows, n_columns)
        Rows of ``result`` that each row of ``values`` is added to.
    values : ndarray of shape (n_rows, width)
        Rows to be added, C-contiguous in memory.
    result : ndarray of shape (n_results, width)
        C-contiguous, of the dtype of ``values``; changed in place.
    """
    csc_matvecs(
        len(result), len(codes), values.shape[1], *_structure(codes, values.dtype),
        values.ravel(), result.ravel(),
    )  # fmt: skip


def _structure(codes: IntArray, dtype: np.dtype) -> tuple[IntArray, IntArray, FloatArray]:
    """Return where each row's ones begin, the ones' columns, and the ones."""
    begins = np.arange(0, codes.size + 1, codes.shape[1], dtype=np.int32)
    return begins, codes.ravel(), np.ones(codes.size, dtype)
