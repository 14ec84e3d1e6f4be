"""Values as numpy or as Python holds them, and the way between, by which none changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import BoolArray

# Names by which pandas calls values that numpy may hold as well as Python does.
_NUMPY_HOLDS = {
    "integer",
    "integer-na",
    "floating",
    "mixed-integer-float",
    "datetime",
    "datetime64",
    "timedelta",
    "timedelta64",
}


def as_plain_array(values: pd.Index | pd.Series) -> NDArray[Any]:
    """Return numbers and dates as numpy holds them, all else as Python's objects."""
    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        return values.to_numpy(dtype=None if dtype.kind in "iufMm" else object)
    # Nullable and Arrow's numbers without a gap are those of numpy.
    numpy_dtype = getattr(dtype, "numpy_dtype", np.dtype(object))
    if numpy_dtype.kind in "iuf" and not values.array.isna().any():
        return values.array.to_numpy(dtype=numpy_dtype)
    return values.to_numpy(dtype=object)


def as_python_values(values: NDArray[Any]) -> NDArray[Any]:
    """Return objects without scalars of numpy and Arrow, which hash as they please."""
    kinds = set(map(type, values.tolist())) if values.dtype == object else set()
    if not any(map(_is_of_a_library, kinds)):
        return values
    return np.fromiter(map(_as_python_value, values), dtype=object, count=len(values))


def _is_of_a_library(kind: type) -> bool:
    return issubclass(kind, np.generic) or kind.__module__ == "pyarrow.lib"


def _as_python_value(value: Any) -> Any:
    if isinstance(value, np.datetime64):
        return pd.Timestamp(value)
    if isinstance(value, np.timedelta64):
        # Not pd.Timedelta, which refuses years.
        return pd.Series(np.array([value])).iloc[0]
    if isinstance(value, np.longdouble):
        return float(value) if float(value) == value else value
    if type(value).__module__ == "pyarrow.lib" and hasattr(value, "as_py"):
        return value.as_py()
    return value.item() if isinstance(value, np.generic) else value


def as_array(values: Sequence[Any]) -> NDArray[Any]:
    """Return an array of these very objects, tuples left whole."""
    return np.fromiter(values, dtype=object, count=len(values))


def as_objects(values: NDArray[Any]) -> NDArray[Any]:
    """Return values as Python's and pandas' own, which numpy makes integers of times."""
    if values.dtype.kind not in "Mm":
        return values.astype(object, copy=False)
    return pd.Series(values, dtype=values.dtype).astype(object).to_numpy()


def narrowed(values: NDArray[Any]) -> NDArray[Any]:
    """Return objects as numbers or times of numpy, if that changes none of them."""
    if pd.api.types.infer_dtype(values, skipna=False) not in _NUMPY_HOLDS:
        return values
    plain = pd.Series(values, dtype=object).infer_objects()
    if not isinstance(plain.dtype, np.dtype) or plain.dtype.kind not in "iufMm":
        return values
    array = plain.to_numpy()
    same = (as_objects(array) == values) | (pd.isna(array) & pd.isna(values))
    return array if array.dtype.itemsize <= 8 and same.all() else values


def cast_exactly(
    values: NDArray[Any], dtype: np.dtype[Any]
) -> tuple[NDArray[Any], BoolArray]:
    """Return numbers, or times, in another dtype, and which of them it holds exactly.

    None of the values may be missing. What the dtype does not hold exactly is anything.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        cast = values.astype(dtype)
        is_exact = cast.astype(values.dtype) == values
    if dtype.kind in "iu" and values.dtype.kind in "iu":
        is_exact &= (cast < 0) == (values < 0)
    elif dtype.kind in "iu":
        is_exact &= _is_within(values, dtype)
    elif values.dtype.kind in "iu":
        # The largest integers are rounded up, to where some machines cut them off.
        is_exact &= _is_within(cast, values.dtype)
    return cast, is_exact


def _is_within(floats: NDArray[Any], dtype: np.dtype[Any]) -> BoolArray:
    """Return which floats are in the range of integers, whose ends are powers of two."""
    limits = np.iinfo(dtype)
    end = np.ldexp(1.0, int(limits.max).bit_length())
    within: BoolArray = (floats >= float(limits.min)) & (floats < end)
    return within
