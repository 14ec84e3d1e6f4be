"""Columns side by side: encoded rows with their context, and rows that are decoded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import BoolArray, FloatArray
from sk_embed._columns.from_narwhals import frame_like, is_other_frame, unwrapped


def append_to_array(encoded: FloatArray, context: list[NDArray[Any]]) -> FloatArray:
    """Return one array, of the smallest dtype that holds vectors and context."""
    return np.column_stack([encoded, *context]) if context else encoded


def append_to_frame(
    adapter: Any,
    encoded: FloatArray,
    context: list[NDArray[Any]],
    X: Any,
    is_context: BoolArray,
    names: NDArray[Any],
) -> Any:
    """Return a data frame in which the context has its own dtypes.

    Parameters
    ----------
    adapter : ContainerAdapterProtocol
        scikit-learn's, of the library of the frame.
    encoded : ndarray of shape (n_rows, n_encoded)
        Vectors of all categorical columns, side by side.
    context : list of ndarray of shape (n_rows,)
        The context columns as numbers.
    X : array-like of shape (n_rows, n_columns)
        Table that the rows come from: a frame of the same library passes its columns
        through unchanged.
    is_context : ndarray of bool of shape (n_columns,)
        Columns of X that are passed through.
    names : ndarray of shape (n_encoded + n_context,)
        Names of the output columns, those of the vectors first.
    """
    X = unwrapped(X)
    n_encoded = encoded.shape[1]
    vectors = adapter.create_container(encoded, X, names[:n_encoded])
    if not context:
        return vectors
    if adapter.is_supported_container(X):
        passed = getattr(X, "iloc", X)[:, np.flatnonzero(is_context).tolist()]
    else:
        passed = dict(zip(names[n_encoded:], context, strict=True))
    passed = adapter.create_container(passed, X, names[n_encoded:])
    return adapter.hstack([vectors, passed])


def table_like(X: Any, columns: list[pd.Series], names: NDArray[Any]) -> Any:
    """Return columns as a frame of X's library, with X's index, or else as an array.

    Parameters
    ----------
    X : array-like of shape (n_rows, n_columns)
        Table whose form, library and index the result takes over.
    columns : list of Series of shape (n_rows,)
        The columns of the table.
    names : ndarray of shape (n_columns,)
        Names of the columns, which an array does not show.
    """
    X = unwrapped(X)
    if isinstance(X, pd.DataFrame):
        aligned = [column.set_axis(X.index) for column in columns]
        return pd.concat(aligned, axis=1, keys=range(len(names))).set_axis(names, axis=1)
    if hasattr(X, "get_columns") or is_other_frame(X):
        values = {name: _for_polars(c) for name, c in zip(names, columns, strict=True)}
        return type(X)(values) if hasattr(X, "get_columns") else frame_like(X, values)
    if len({column.dtype for column in columns}) > 1:
        columns = [column.astype(object) for column in columns]
    return np.column_stack([column.to_numpy() for column in columns])


def _for_polars(column: pd.Series) -> Any:
    """Return numbers and times as numpy holds them, else Python's values, gaps as None."""
    if not isinstance(column.dtype, np.dtype) or column.isna().any() or column.dtype == "O":
        return column.astype(object).where(column.notna(), None).to_list()
    if column.dtype.kind in "mM" and column.dt.unit == "s":
        # polars knows no seconds.
        column = column.dt.as_unit("ms")
    return column.to_numpy()
