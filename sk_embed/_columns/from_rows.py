"""Lists of rows, as a cursor of a database gives them, column by column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sk_embed._columns.exact import as_array, as_python_values, narrowed


def are_rows(X: Any) -> bool:
    """Whether X is a list, or the like, that is no array, nor can be made one at once."""
    if isinstance(X, (list, tuple)):
        return True
    knows_its_shape = hasattr(X, "__array__") or hasattr(X, "shape")
    return not knows_its_shape and hasattr(X, "__len__") and hasattr(X, "__iter__")


def from_rows(X: Any) -> list[pd.Series]:
    """Return the columns of a list of rows: numbers where all are, else objects.

    Each column is read by itself, for one array of all would make floats of integers, and
    strings of numbers.

    Raises
    ------
    ValueError
        If it is no table.
    """
    rows = [_cells(row, i) for i, row in enumerate(X)]
    n_columns = len(rows[0]) if rows else 0
    for i, row in enumerate(rows):
        if len(row) != n_columns:
            raise ValueError(
                f"X is not a table: its rows differ in shape (row {i} has {len(row)} "
                f"values, but row 0 has {n_columns})."
            )
    return [from_values(values) for values in zip(*rows, strict=True)]


def _cells(row: Any, i: int) -> Any:
    if isinstance(row, (list, tuple)):
        return row
    if isinstance(row, Mapping):
        raise ValueError(
            f"Row {i} of X is a {type(row).__name__}, not a list of values; pass "
            "pandas.DataFrame(X)."
        )
    if isinstance(row, np.ma.MaskedArray):
        return [None if value is np.ma.masked else value for value in row]
    try:
        if isinstance(row, (str, bytes)) or not hasattr(row, "__getitem__"):
            raise TypeError(row)
        return list(row)
    except TypeError:
        raise ValueError(
            "Expected 2D array, got 1D array instead: X must be a table of rows and "
            f"columns, but row {i} is a {type(row).__name__}. Pass [X] if it is a "
            "single row, and [[value] for value in X] if it is a single column."
        ) from None


def from_values(values: Any) -> pd.Series:
    """Return Python's values as a column: of numpy where it holds them, else of objects."""
    column = as_array(values)
    kind = pd.api.types.infer_dtype(column, skipna=False)
    if kind == "complex":
        raise ValueError("X is complex. Complex data not supported; pass its parts.")
    array = narrowed(as_python_values(column))
    return pd.Series(array, dtype=array.dtype)
