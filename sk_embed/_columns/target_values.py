"""The values of a target or of weights, in whichever container, as numpy holds them.

Numbers are of one of numpy's dtypes, integers exactly and others in double precision; all
other labels are strings or objects. A value that is masked or null is None or NaN.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal
from numbers import Complex, Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_TIMES = (dt.date, dt.time, dt.timedelta, np.datetime64, np.timedelta64, pd.Period)
_BOOLEANS = (bool, np.bool_)
_NUMBERS = (*_BOOLEANS, Real, Decimal)
_WIDE_INTEGERS = ("Int128", "UInt128")


def frame_columns(y: Any) -> tuple[list[Any], list[Any]] | None:
    """Return the columns of a frame and their names, or None if y is no frame."""
    if hasattr(y, "iloc") and hasattr(y, "columns"):  # pandas, and what is like it
        return [y.iloc[:, j] for j in range(y.shape[1])], list(y.columns)
    if hasattr(y, "get_columns"):  # polars
        return list(y.get_columns()), list(y.columns)
    if hasattr(y, "schema") and isinstance(getattr(y, "columns", None), list):  # Arrow
        return list(y.columns), list(y.schema.names)
    return None


def raw_values(y: Any, name: str = "y") -> NDArray[Any]:
    """Return the values of a container that is no frame; a list is read one by one.

    Parameters
    ----------
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        Values in any container but a frame.
    name : str, default="y"
        The name of the parameter, for messages.

    Raises
    ------
    ValueError
        If y is a list of rows of different lengths.
    """
    if isinstance(y, np.ma.MaskedArray):
        return _unmasked(y)
    if isinstance(getattr(y, "dtype", None), pd.api.extensions.ExtensionDtype):
        # scikit-learn makes floats of nullable integers.
        values: NDArray[Any] = y.to_numpy(dtype=object)
        return values
    if hasattr(y, "to_pylist"):  # Arrow
        return _if_numbers(np.asarray(y) if y.null_count == 0 else None, y.to_pylist)
    if hasattr(y, "null_count") and hasattr(y, "to_list"):  # polars
        is_plain = y.null_count() == 0 and y.dtype.is_numeric()
        is_plain = is_plain and y.dtype.base_type().__name__ not in _WIDE_INTEGERS
        return _if_numbers(y.to_numpy() if is_plain else None, y.to_list)
    is_sequence = isinstance(y, Sequence) and not isinstance(y, (str, bytes))
    if not is_sequence or hasattr(y, "__array__") or _has_buffer(y):
        return np.asarray(y)
    return _from_sequence(list(y), name)


def _has_buffer(y: Any) -> bool:
    try:
        memoryview(y)
    except TypeError:
        return False
    return True


def _unmasked(y: np.ma.MaskedArray[Any, Any]) -> NDArray[Any]:
    """Return the values of a masked array, None where they are masked."""
    mask = np.ma.getmaskarray(y)
    if not mask.any():
        return np.asarray(y.data)
    values = np.asarray(y.data).astype(object)
    values[mask] = None
    return values


def _if_numbers(array: NDArray[Any] | None, as_list: Any) -> NDArray[Any]:
    """Return an array if it holds numbers, else the values as Python's objects."""
    if array is not None and array.dtype.kind in "biuf":
        return array
    return as_objects(as_list())


def as_objects(values: Iterable[Any]) -> NDArray[Any]:
    """Return values in one dimension as objects, also if they are tuples."""
    values = list(values)
    array = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        array[place] = value
    return array


def _from_sequence(y: list[Any], name: str) -> NDArray[Any]:
    """Return a list as numpy's numbers, as objects, or as a matrix if it holds rows."""
    types = set(map(type, y))
    if any(issubclass(kind, np.ma.MaskedArray) for kind in types):
        y = [_unmasked_of_list(value) for value in y]
        types = set(map(type, y))
    if types <= {bool, int, float}:
        return np.asarray(y)
    if not any(_is_row(kind) for kind in types):
        return as_objects(y)
    lengths = {len(value) if _is_row(type(value)) else None for value in y}
    if all(issubclass(kind, tuple) for kind in types) and len(lengths) == 1:
        # Rows of a database are tuples as well, and their columns are numbers.
        is_label = any(not isinstance(v, (*_NUMBERS, type(None))) for row in y for v in row)
        if is_label:
            return as_objects(y)
    if len(lengths) > 1:
        raise ValueError(
            f"{name} is a list of rows of different lengths; make a matrix of zeros and "
            "ones of it by MultiLabelBinarizer."
        )
    # Rows that hold lists of different lengths become a matrix of objects.
    is_deep = any(_is_row(type(value)) for row in y for value in row)
    return as_matrix_of_objects(y) if is_deep else np.asarray(y)


def as_matrix_of_objects(rows: list[Any]) -> NDArray[Any]:
    """Return rows of one length as a matrix, whatever its cells hold."""
    return np.column_stack([as_objects(column) for column in zip(*rows, strict=True)])


def _is_row(kind: type) -> bool:
    is_nested = issubclass(kind, (list, tuple)) or hasattr(kind, "__array__")
    return is_nested and not issubclass(kind, np.generic)


def _unmasked_of_list(value: Any) -> Any:
    if not isinstance(value, np.ma.MaskedArray):
        return value
    return _unmasked(value) if value.ndim else None if value.mask else value[()]


def settled(values: NDArray[Any], name: str = "y") -> NDArray[Any]:
    """Return values in one dimension as numbers, if all that are not missing are.

    Strings stay in numpy's fixed width where they came in it; all other labels are
    objects, and a value that is missing is None or NaN.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Values in any of numpy's dtypes.
    name : str, default="y"
        The name of the parameter, for messages.

    Raises
    ------
    ValueError
        If a value is a time, complex, or a number that no float64 holds.
    """
    if values.dtype != object:
        return _of_plain_dtype(values, name)
    is_missing = np.asarray(pd.isna(values), dtype=bool)
    present = values[~is_missing]
    types = set(map(type, present.tolist()))
    for kind in types:
        if issubclass(kind, _TIMES):
            _raise_times(next(v for v in present if isinstance(v, kind)), name)
        if issubclass(kind, Complex) and not issubclass(kind, Real):
            _raise_complex(name)
    if types and all(issubclass(kind, _NUMBERS) for kind in types):
        return _as_numbers(values, is_missing, types, name)
    if str not in types and not any(issubclass(kind, str) for kind in types):
        return values
    # Numpy's strings and members of an enumeration of strings are the strings themselves.
    return as_objects(str.__str__(v) if isinstance(v, str) else v for v in values)


def _of_plain_dtype(values: NDArray[Any], name: str) -> NDArray[Any]:
    """Return an array of a dtype that is used here, in the machine's order of bytes."""
    kind = values.dtype.kind
    if kind in "mM":
        _raise_times(values.flat[0] if values.size else values.dtype, name)
    if kind == "c":
        _raise_complex(name)
    if kind == "f" and values.dtype.itemsize not in (4, 8):
        with np.errstate(over="ignore"):  # infinity is told later, with its row
            return values.astype(np.float64)
    if kind in "biufU":
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    return as_objects(values.tolist())


def _as_numbers(
    values: NDArray[Any], is_missing: NDArray[np.bool_], types: set[type], name: str
) -> NDArray[Any]:
    """Return objects that are numbers as such, missing as NaN."""
    if not is_missing.any():
        if all(issubclass(kind, _BOOLEANS) for kind in types):
            return values.astype(bool)
        if all(issubclass(kind, (*_BOOLEANS, Integral)) for kind in types):
            whole = [int(value) for value in values]
            for dtype in (np.int64, np.uint64):
                if min(whole) >= np.iinfo(dtype).min and max(whole) <= np.iinfo(dtype).max:
                    return np.array(whole, dtype=dtype)
    numbers = np.full(len(values), np.nan)
    try:
        numbers[~is_missing] = [float(value) for value in values[~is_missing]]
    except OverflowError as error:
        raise ValueError(f"{name} holds a number beyond float64; scale it.") from error
    return numbers


def _raise_times(value: Any, name: str) -> None:
    raise ValueError(
        f"{name} holds times, as {value!r}, which are neither numbers nor labels; make "
        "numbers of them, as the days since a date, or strings if each is a label."
    )


def _raise_complex(name: str) -> None:
    raise ValueError(f"{name} is complex. Complex data not supported; pass its parts.")


def as_weights(sample_weight: Any) -> Any:
    """Return weights as an array of numbers; None and a single number as they are.

    Raises
    ------
    ValueError
        If a weight is masked, missing, or no number.
    """
    if sample_weight is None or isinstance(sample_weight, Real):
        return sample_weight
    columns = frame_columns(sample_weight)
    if columns is not None:
        raise ValueError("sample_weight is a frame; pass one of its columns.")
    values = raw_values(sample_weight, "sample_weight")
    if values.ndim != 1:
        return values
    values = settled(values, "sample_weight")
    if values.dtype.kind not in "biuf":
        shown = [value for value in values.tolist() if not isinstance(value, _NUMBERS)]
        shown = [value for value in shown if value is not None]
        example = f"holds {shown[0]!r}" if shown else "is missing in all rows"
        raise ValueError(f"sample_weight must be numbers, but {example}.")
    missing = np.flatnonzero(pd.isna(values))
    if len(missing):
        raise ValueError(
            f"Input sample_weight contains NaN (row {missing[0]}), which may be masked; "
            "give each row a weight, 0 to leave it out."
        )
    return values
