"""Columns of arrays, and of objects that convert themselves to arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import check_array

from sk_embed._columns.exact import cast_exactly

# Units of numpy's times that are finer than those of pandas.
_FINER_THAN_NS = ("ps", "fs", "as")


def from_array(X: Any) -> list[pd.Series]:
    """Return the columns of an array, masked values as missing; objects stay objects.

    Raises
    ------
    ValueError
        If it is not two-dimensional, or holds what no column of pandas does.
    TypeError
        If it is sparse.
    """
    if not issparse(X):
        X = _require_two_dimensions(X)
    array = check_array(X, dtype=None, ensure_all_finite=False)
    # pandas reads numbers in the byte order of the machine alone, and would make its own
    # kind of strings, which need not hold them, of numpy's.
    as_it_is = object if array.dtype.kind == "U" else array.dtype.newbyteorder("=")
    native: NDArray[Any] = array.astype(as_it_is, copy=False)
    dtype = native.dtype if native.dtype == object else None
    return [pd.Series(column, dtype=dtype) for column in native.T]


def _require_two_dimensions(X: Any) -> Any:
    """Return X with Python's values for what numpy alone knows, or raise ValueError."""
    try:
        array = np.asarray(X)
    except ValueError as error:
        raise ValueError(f"X is not a table: its rows differ in shape ({error}).") from None
    if array.dtype.names:
        raise ValueError(
            "Expected 2D array, but X is a structured array; pass pandas.DataFrame(X)."
        )
    if array.ndim < 2:
        raise ValueError(
            "Expected 2D array, got 1D array instead: X must be a table of rows and "
            "columns. Reshape your data by X.reshape(-1, 1) if it is a single column, by "
            "X.reshape(1, -1) if it is a single row."
        )
    if isinstance(X, np.ma.MaskedArray):
        values = array.astype(object)
        values[np.ma.getmaskarray(X)] = None
        return values
    readers = {"c": _refuse_complex, "T": _from_strings, "V": _refuse_void}
    readers |= dict.fromkeys("mM", _in_units_of_pandas)
    reader = readers.get(array.dtype.kind)
    return X if reader is None else reader(array)


def _refuse_complex(array: NDArray[Any]) -> Any:
    raise ValueError("X is complex. Complex data not supported; pass its parts.")


def _refuse_void(array: NDArray[Any]) -> Any:
    raise ValueError(
        f"X is an array of {array.dtype}, which has no values to compare; convert it to "
        "numbers, strings or objects."
    )


def _from_strings(array: NDArray[Any]) -> Any:
    """Return the strings of numpy's StringDType as Python's, its gaps as None."""
    values = array.astype(object)
    gap = getattr(array.dtype, "na_object", "")
    if not isinstance(gap, str):
        is_gap = np.frompyfunc(lambda value: value is gap, 1, 1)
        values[is_gap(values).astype(bool)] = None
    return values


def _in_units_of_pandas(array: NDArray[Any]) -> Any:
    """Return times of pandas' finest unit, if they are finer, or raise ValueError."""
    unit, _ = np.datetime_data(array.dtype)
    if unit not in _FINER_THAN_NS:
        return array
    nanoseconds, is_exact = cast_exactly(array, np.dtype(f"{array.dtype.kind}8[ns]"))
    if not (is_exact | np.isnat(array)).all():
        raise ValueError(
            f"X holds times in {unit}, finer than nanoseconds, which pandas cannot hold; "
            "convert them to integers by X.view('int64')."
        )
    return nanoseconds
