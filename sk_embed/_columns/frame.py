"""Taking tables apart into columns, and telling categories from numeric context."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import BoolArray
from sk_embed._columns.from_array import from_array
from sk_embed._columns.from_narwhals import (
    from_narwhals,
    is_other_frame,
    names_of,
    unwrapped,
)
from sk_embed._columns.from_polars import from_polars
from sk_embed._columns.from_rows import are_rows, from_rows


def as_columns(X: Any) -> list[pd.Series]:
    """Return the columns of a frame, an array or a list of rows, dtypes kept."""
    X = unwrapped(X)
    if isinstance(X, pd.DataFrame):
        _require_rows_and_columns(X.shape)
        columns = [_native(column) for _, column in X.items()]
    elif hasattr(X, "get_columns"):  # polars
        _require_rows_and_columns(X.shape)
        columns = [from_polars(column) for column in X.get_columns()]
    else:
        columns = _from_another(X)
    if any(column.dtype.kind == "c" for column in columns):
        raise ValueError("X is complex. Complex data not supported; pass its parts.")
    return columns


def _native(column: pd.Series) -> pd.Series:
    """Return numbers in the byte order of the machine, in which alone pandas takes rows."""
    dtype = column.dtype
    if not isinstance(dtype, np.dtype) or dtype.isnative:
        return column
    return column.astype(dtype.newbyteorder("="))


def _from_another(X: Any) -> list[pd.Series]:
    """Return the columns of what is a frame neither of pandas nor of polars."""
    _require_table(X)
    if is_other_frame(X):
        columns = from_narwhals(X)
    elif are_rows(X):
        columns = from_rows(X)
        _require_rows_and_columns((len(X), len(columns)))
    else:
        columns = from_array(X)
    _require_rows_and_columns((len(columns[0]) if columns else 0, len(columns)))
    return columns


def for_names(X: Any) -> Any:
    """Return a table from which each version of scikit-learn reads the same names of X.

    Names that repeat identify no column, and scikit-learn 1.9 refuses them: they count as
    none, like names that are no strings. Before 1.9 it does not see the names of polars.
    """
    X = unwrapped(X)
    if isinstance(X, pd.DataFrame):
        return X if X.columns.is_unique else pd.DataFrame(columns=range(X.shape[1]))
    names = given_names(X)
    if names is not None:
        return for_names(pd.DataFrame(columns=names))
    # A list of rows scikit-learn would look through for what it need not be.
    return np.empty((0, len(next(iter(X))))) if are_rows(X) else X


def given_names(X: Any) -> list[Any] | None:
    """Return the names of a frame's columns, None for what is no frame."""
    X = unwrapped(X)
    if isinstance(X, pd.DataFrame) or hasattr(X, "get_columns"):
        return list(X.columns)
    return names_of(X) if is_other_frame(X) else None


def _require_rows_and_columns(shape: tuple[int, int]) -> None:
    if 0 in shape:
        raise ValueError(
            f"Found array with {shape[0]} sample(s) and {shape[1]} feature(s) "
            f"(shape={shape}) while a minimum of 1 is required."
        )


def _require_table(X: Any) -> None:
    """Raise TypeError or ValueError where X holds no rows yet, or a single column."""
    if type(X).__name__ == "LazyFrame":
        raise TypeError("X is a LazyFrame, which holds no rows yet; pass X.collect().")
    if hasattr(X, "__dask_graph__"):
        raise TypeError(
            "X is of Dask, which holds no rows yet; use sk_embed.dask.EmbeddingEncoder for "
            "Dask DataFrames, or pass X.compute()."
        )
    if hasattr(X, "to_frame"):
        raise ValueError(
            f"Expected a 2-dimensional container but got {type(X)} instead; pass a single "
            "column as a frame, X.to_frame()."
        )


def categorical_mask(
    categorical_features: Any, columns: list[pd.Series], feature_names: NDArray[Any] | None
) -> BoolArray:
    """Return which columns are categorical.

    Parameters
    ----------
    categorical_features : {"all", "from_dtype"}, or array-like of names, indices or bool
        Parameter of the estimator, which is no callable any more.
    columns : list of Series
        All columns of X, in their order.
    feature_names : ndarray of shape (n_columns,) or None
        Names of the columns, or None where not all are strings.

    Raises
    ------
    ValueError
        If a name, an index or the mask does not fit X, or no column is categorical.
    """
    n_columns = len(columns)
    if isinstance(categorical_features, str):
        if categorical_features == "all":
            return np.ones(n_columns, dtype=bool)
        mask = np.array([not _is_number(column) for column in columns])
    else:
        mask = _chosen_mask(np.asarray(categorical_features), n_columns, feature_names)
    if not mask.any():
        raise ValueError(
            f"categorical_features={categorical_features!r} leaves no categorical column "
            f"among the {n_columns} of X; name at least one."
        )
    return mask


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _chosen_mask(
    chosen: NDArray[Any], n_columns: int, feature_names: NDArray[Any] | None
) -> BoolArray:
    mask = np.zeros(n_columns, dtype=bool)
    if chosen.ndim != 1:
        raise ValueError(
            f"categorical_features must be one list, but has shape {chosen.shape}."
        )
    if chosen.dtype.kind == "b":
        if chosen.shape != (n_columns,):
            raise ValueError(
                f"categorical_features as a mask must have one entry for each of the "
                f"{n_columns} columns of X, but has shape {chosen.shape}."
            )
        return chosen.copy()
    if chosen.dtype.kind in "iu":
        outside = chosen[(chosen < 0) | (chosen >= n_columns)]
        if len(outside):
            raise ValueError(
                f"categorical_features names column {outside[0]}, but X has columns "
                f"0 to {n_columns - 1}."
            )
        mask[chosen] = True
        return mask
    for name in chosen.tolist():
        if feature_names is None:
            raise ValueError(
                f"categorical_features names column {name!r}, but X has no column names; "
                "pass a data frame whose names are strings and differ, or give indices."
            )
        found = feature_names == name
        if not found.any():
            raise ValueError(
                f"categorical_features names column {name!r}, which X does not have; "
                f"it has {feature_names.tolist()}."
            )
        mask |= found
    return mask
