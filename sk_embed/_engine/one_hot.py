"""Products with one-hot matrices that are given by their codes alone.

Row i of the matrix has a one at each of the columns ``codes[i]``, so it needs no memory of
its own. scipy's sparse arrays do these products by the same functions, but make an array
object for each that costs more than the product of one batch; called directly they also
add to a given array. They are not in scipy's public interface, though they have not changed
for longer than the oldest version that is supported, and so are imported here alone.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.sparse._sparsetools import csc_matvec, csc_matvecs, csr_matvec, csr_matvecs

from sk_embed._arrays import FloatArray, IntArray

# Number of ones up to which a structure is kept for the next product: 2 MiB of doubles.
_MAX_ONES_KEPT = 2**18


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
    shape, structure = (len(codes), len(values)), _structure(codes, values.dtype)
    if values.shape[1] == 1:
        # The same sums in the same order, without a loop over the one column.
        csr_matvec(*shape, *structure, values.ravel(), result.ravel())
    else:
        csr_matvecs(*shape, values.shape[1], *structure, values.ravel(), result.ravel())


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
    shape, structure = (len(result), len(codes)), _structure(codes, values.dtype)
    if values.shape[1] == 1:
        csc_matvec(*shape, *structure, values.ravel(), result.ravel())
    else:
        csc_matvecs(*shape, values.shape[1], *structure, values.ravel(), result.ravel())


def _structure(codes: IntArray, dtype: np.dtype) -> tuple[IntArray, IntArray, FloatArray]:
    """Return where each row's ones begin, the ones' columns, and the ones."""
    n_rows, n_columns = codes.shape
    # Begins and ones of fewer rows are the beginning of those of more rows.
    n_made = 2 ** max(n_rows - 1, 0).bit_length()
    if n_made * n_columns <= _MAX_ONES_KEPT:
        begins, ones = _kept_begins_and_ones(n_made, n_columns, dtype)
    else:
        begins, ones = _begins_and_ones(n_rows, n_columns, dtype)
    return begins[: n_rows + 1], codes.ravel(), ones[: codes.size]


def _begins_and_ones(
    n_rows: int, n_columns: int, dtype: np.dtype
) -> tuple[IntArray, FloatArray]:
    """Return where the ones of each row begin, shape (n_rows + 1,), and the ones."""
    begins = np.arange(0, n_rows * n_columns + 1, n_columns, dtype=np.int32)
    return begins, np.ones(n_rows * n_columns, dtype)


_kept_begins_and_ones = lru_cache(_begins_and_ones)
