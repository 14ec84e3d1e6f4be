"""The encoded rows and the context passed through, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_embed._arrays import BoolArray, FloatArray


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
        The vectors.
    context : list of ndarray of shape (n_rows,)
        The context columns as numbers.
    X : array-like of shape (n_rows, n_columns)
        Where they come from: a frame of the same library gives them as they are.
    is_context : ndarray of bool of shape (n_columns,)
        Columns of X that are passed through.
    names : ndarray of shape (n_encoded + n_context,)
        Of the output.
    """
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
