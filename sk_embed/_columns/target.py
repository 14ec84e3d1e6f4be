"""The target: its type, its labels, and the array that the loss wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target

from sk_embed._arrays import BoolArray, FloatArray

TARGET_TYPES = ("continuous", "binary", "multiclass")

# A number with more values than this is a quantity, not a label: scikit-learn calls
# integer prices "multiclass", which makes an output of each price.
MAX_NUMERIC_CLASSES = 100

_MIXED_LABELS = "y mixes strings and numbers; make its labels all strings or all numbers."


@dataclass(frozen=True)
class Target:
    """A target as the engine learns it.

    Parameters
    ----------
    type : {"continuous", "binary", "multiclass"}
        Which decides the loss.
    classes : ndarray of shape (n_classes,) or None
        Labels, sorted; None for a continuous target.
    values : ndarray of shape (n_used_rows, n_outputs)
        Standardised numbers, one column of zeros and ones, or a one-hot code.
    """

    type: str
    classes: NDArray[Any] | None
    values: FloatArray


def as_target_column(y: Any) -> NDArray[Any]:
    """Return y as one column; objects and nullables that are all numbers as numbers."""
    if isinstance(getattr(y, "dtype", None), pd.api.extensions.ExtensionDtype):
        y = y.to_numpy(dtype=object)  # scikit-learn makes floats of nullable integers
    column = np.asarray(y)
    if column.dtype.kind == "c":
        raise ValueError("y is complex. Complex data not supported; pass its parts.")
    column = column_or_1d(y, warn=True)
    if column.dtype == object:
        column = pd.Series(column).infer_objects().to_numpy()
    checked: NDArray[Any] = column
    return checked


def read_target(y: NDArray[Any], target_type: str, weight: FloatArray) -> Target:
    """Read a target.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Numbers or labels, from :func:`as_target_column`.
    target_type : {"auto", "continuous", "binary", "multiclass"}
        The estimator's parameter.
    weight : ndarray of shape (n_rows,)
        Weights; rows of weight 0 are left out.

    Raises
    ------
    ValueError
        If y has missing or infinite values, or is not of the type asked for.
    """
    is_used = weight > 0
    _require_finite(y, is_used)
    y, weight = y[is_used], weight[is_used]
    kind = _infer_type(y) if target_type == "auto" else target_type
    if kind == "continuous":
        return Target(kind, None, _standardised(y, weight))
    classes, codes = _labels(y)
    n_classes = len(classes)
    if kind == "binary":
        if n_classes > 2:
            raise ValueError(
                f"target_type='binary' but y has {n_classes} classes; use 'multiclass'."
            )
        return Target(kind, classes, codes[:, None].astype(np.float64))
    one_hot = (codes[:, None] == np.arange(n_classes)).astype(np.float64)
    return Target(kind, classes, one_hot)


def _require_finite(y: NDArray[Any], is_used: BoolArray) -> None:
    bad = {"NaN": pd.isna(y) & is_used}
    if y.dtype.kind == "f":
        bad["infinity"] = np.isinf(y) & is_used
    for what, where in bad.items():
        if where.any():
            row = int(np.flatnonzero(where)[0])
            raise ValueError(
                f"Input y contains {what} (row {row}); drop these rows before fit."
            )


def _labels(y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    encoder = LabelEncoder()
    try:
        codes = encoder.fit_transform(y)
    except TypeError as error:
        raise ValueError(_MIXED_LABELS) from error
    return encoder.classes_, codes


def _infer_type(y: NDArray[Any]) -> str:
    if y.dtype.kind in "iuf" and len(np.unique(y)) > MAX_NUMERIC_CLASSES:
        return "continuous"
    try:
        kind = str(type_of_target(y, input_name="y"))
    except TypeError as error:
        raise ValueError(_MIXED_LABELS) from error
    if kind not in TARGET_TYPES:
        raise ValueError(
            f"Unknown label type: y was read as {kind!r}, but it must be one of "
            f"{TARGET_TYPES}; make it numbers or strings."
        )
    return kind


def _standardised(y: NDArray[Any], weight: FloatArray) -> FloatArray:
    try:
        numbers = y.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"target_type='continuous' but y is not numeric ({error})."
        ) from error
    # Scaled to about one before it is squared, so that no unit of y overflows.
    size = np.abs(numbers).max() or 1.0
    numbers = numbers / size
    numbers = numbers - np.average(numbers, weights=weight)
    deviation = np.sqrt(np.average(numbers**2, weights=weight))
    is_constant = deviation <= 1e-12
    return (numbers / (1.0 if is_constant else deviation))[:, None]
