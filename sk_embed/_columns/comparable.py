"""Columns as numbers of different values: the one place where values are told apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import IntArray
from sk_embed._columns.exact import as_plain_array, as_python_values, cast_exactly
from sk_embed._columns.from_arrow import from_arrow
from sk_embed._distinct import distinct

# Number of rows up to which values are looked up one by one.
SHORT = 64


def comparable(column: pd.Series, name: str) -> pd.Series:
    """Return a column in a dtype in which pandas compares values as Python does.

    ``name`` is the column's, for messages.
    """
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        is_usual = dtype.kind != "f" or dtype.itemsize in (4, 8)
        return column if is_usual else _with_usual_floats(column)
    if isinstance(dtype, pd.ArrowDtype):
        return from_arrow(column, name)
    if isinstance(dtype, pd.SparseDtype):
        return comparable(column.sparse.to_dense(), name)
    if isinstance(dtype, pd.StringDtype) and dtype.storage == "python":
        return column.astype(object)
    return column


def _with_usual_floats(column: pd.Series) -> pd.Series:
    """Return floats of 16 bits in 32, and those of more than 64 in these or as objects."""
    values = column.to_numpy()
    if values.dtype.itemsize == 2:
        values = values.astype(np.float32)
    else:
        cast, is_exact = cast_exactly(values, np.dtype(np.float64))
        values = cast if (is_exact | np.isnan(values)).all() else values.astype(object)
    return pd.Series(values, column.index, name=column.name)


def factorize(column: pd.Series, name: str) -> tuple[IntArray, NDArray[Any]]:
    """Return the number of each value, -1 for missing, and the different values.

    These are numbers or times of numpy, or Python's objects, none of them missing. Of a
    category dtype they may be more than occur.

    Raises
    ------
    TypeError
        If a value cannot be hashed; it names the column and the row.
    """
    column = comparable(column, name)
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy()
        uniques = comparable(as_series(column.cat.categories), name)
    else:
        try:
            codes, uniques = _factorize(column)
        except TypeError as error:
            raise not_hashable(column, name) from error
    given = as_plain_array(as_series(uniques))
    values = as_python_values(given) if uniques.dtype == object else given
    # A table of objects takes scalars of numpy and Arrow for others than Python's; Float64
    # holds NaN beside what is missing, and to Arrow -0.0 is another number than 0.0.
    is_numpys = isinstance(column.dtype, np.dtype)
    if values is not given or (values.dtype.kind == "f" and not is_numpys):
        places, values = distinct(values)
        codes = np.append(places, -1).take(codes)
    return codes, values


def _factorize(column: pd.Series) -> tuple[IntArray, Any]:
    return distinct(column.to_numpy()) if column.dtype == object else pd.factorize(column)


def one_by_one(column: pd.Series, name: str) -> tuple[IntArray, NDArray[Any]]:
    """Return the number of each value, -1 for missing, and the values as they come.

    For a few rows, where to find the different values takes longer than to look all up.
    """
    column = comparable(column, name)
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy()
        is_present = codes >= 0
        used = column.cat.categories.take(codes[is_present])
        values = as_python_values(as_plain_array(comparable(as_series(used), name)))
    else:
        values = as_python_values(as_plain_array(column))
        if values.dtype == object and not all(map(_is_hashable, values)):
            raise not_hashable(column, name)
        is_present = ~pd.isna(values)
        values = values[is_present]
    return np.where(is_present, np.cumsum(is_present) - 1, -1), values


def as_series(values: Any) -> pd.Series:
    """Return values as a Series of their own dtype, whatever pandas would infer."""
    return pd.Series(values, dtype=values.dtype)


def not_hashable(column: pd.Series, name: str) -> TypeError:
    """Return the error that names the first value of a column that cannot be hashed."""
    found = (
        f"a {type(value).__name__} in row {row}"
        for row, value in enumerate(column)
        if not _is_hashable(value)
    )
    return TypeError(
        f"Column {name!r}: a category must be hashable, argument must be a string or a "
        f"number; found {next(found, 'a value that is not')}."
    )


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
