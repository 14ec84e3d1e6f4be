"""Columns of polars frames as those of pandas; polars itself is not imported."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sk_embed._columns.from_arrow import (
    beyond_python,
    objects,
    require_whole_microseconds,
)


def from_polars(column: Any) -> pd.Series:
    """Return a polars column as pandas holds the same values, exactly."""
    dtype = column.dtype
    name = dtype.base_type().__name__
    if name in ("Categorical", "Enum"):
        return _from_categories(column)
    if dtype.is_nested() or name in ("Null", "Object"):
        # As Python's lists and dicts, which cannot be categories.
        return objects(column.to_list())
    if name in ("Int128", "UInt128"):
        return _from_wide_integers(column.to_list())
    if name == "Time":
        require_whole_microseconds(column.to_physical().to_list(), column.name)
    if dtype.is_integer() and column.null_count():
        numbers, is_missing = column.fill_null(0).to_numpy(), column.is_null().to_numpy()
        return pd.Series(pd.arrays.IntegerArray(numbers.copy(), is_missing.copy()))
    if getattr(dtype, "time_zone", None) is not None:
        times = pd.Series(column.dt.convert_time_zone("UTC").to_numpy())
        return times.dt.tz_localize("UTC").dt.tz_convert(dtype.time_zone)
    values = column.to_numpy()
    if name == "Date":
        # As everywhere else, where a day is not the moment at which it begins.
        values = values.astype(object)
        if any(isinstance(value, int) for value in values):
            raise beyond_python(column.name)
    return pd.Series(values, dtype=values.dtype)


def _from_wide_integers(numbers: list[int | None]) -> pd.Series:
    """Return integers that numpy has no dtype for."""
    try:
        return pd.Series(numbers, dtype="Int64")
    except OverflowError:
        return objects(numbers)


def _from_categories(column: Any) -> pd.Series:
    """Return a column of categories by polars's own codes, those in use counted up."""
    used = column.drop_nulls().unique()
    numbers = used.to_physical().to_numpy()
    place = np.full(int(numbers.max(initial=0)) + 1, -1)
    place[numbers] = np.arange(len(numbers))
    codes = place[column.to_physical().fill_null(0).to_numpy()]
    codes[column.is_null().to_numpy()] = -1
    return pd.Series(pd.Categorical.from_codes(codes, categories=used.to_list()))
