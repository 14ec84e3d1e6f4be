"""The target: its type, its labels, and the array that the loss wants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target

from sk_embed._arrays import BoolArray, FloatArray
from sk_embed._columns.frame import as_columns

LABEL_TYPES = ("binary", "multiclass")
SINGLE_TYPES = ("continuous", *LABEL_TYPES)
MULTIPLE_TYPES = ("continuous-multioutput", "multilabel-indicator")
TARGET_TYPES = (*SINGLE_TYPES, *MULTIPLE_TYPES)

# A number with more values than this is a quantity, not a label: scikit-learn calls
# integer prices "multiclass", which makes an output of each price.
MAX_NUMERIC_CLASSES = 100

_MIXED_LABELS = "y mixes strings and numbers; make its labels all strings or all numbers."
_NUMBERS_AS_OBJECTS = ("integer", "floating", "mixed-integer-float", "boolean", "empty")


class GivenTarget(NamedTuple):
    """A target as an array.

    Parameters
    ----------
    values : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Numbers or labels; several columns are numbers.
    names : list of str or None
        Names of several columns, where all have one.
    """

    values: NDArray[Any]
    names: list[str] | None


@dataclass(frozen=True)
class Target:
    """A target as the engine learns it.

    Parameters
    ----------
    type : str
        One of ``TARGET_TYPES``, which decides the loss.
    classes : ndarray of shape (n_classes,) or None
        Labels, sorted, or those of an indicator's columns; None for numbers.
    values : ndarray of shape (n_used_rows, n_outputs)
        Standardised numbers, columns of zeros and ones, or a one-hot code.
    output_names : list of str or None
        Names of several outputs; None if there is one.
    center, scale : ndarray of shape (n_outputs,) or None
        What numbers were standardised by.
    """

    type: str
    classes: NDArray[Any] | None
    values: FloatArray
    output_names: list[str] | None
    center: FloatArray | None = None
    scale: FloatArray | None = None

    @property
    def effect_names(self) -> list[str]:
        """Names of the main effects, one for each output."""
        if self.output_names is None:
            return ["effect"]
        return [f"effect_{name}" for name in self.output_names]

    def without_values(self) -> Target:
        """Return what the target was read as, without any row's value."""
        return replace(self, values=self.values[:0].copy())


def as_target(y: Any) -> GivenTarget:
    """Return y as an array; objects and nullables that are all numbers as numbers."""
    if issparse(y):
        raise TypeError("Sparse data was passed as y; pass y.toarray() instead.")
    try:
        shape = np.asarray(y).shape
    except ValueError as error:
        raise ValueError(
            "y is a list of rows of different lengths; make a matrix of zeros and ones of "
            "it by MultiLabelBinarizer."
        ) from error
    if len(shape) > 2:
        raise ValueError(f"y must have one or two dimensions, but has {len(shape)}.")
    if len(shape) == 2 and shape[1] > 1:
        return _several_columns(y)
    return GivenTarget(_one_column(y), None)


def _one_column(y: Any) -> NDArray[Any]:
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


def _several_columns(y: Any) -> GivenTarget:
    is_frame = hasattr(y, "columns")
    columns = as_columns(y) if is_frame else [pd.Series(part) for part in np.asarray(y).T]
    values = np.column_stack([_numbers(column, j) for j, column in enumerate(columns)])
    names = list(y.columns) if is_frame else []
    are_strings = len(names) > 0 and all(isinstance(name, str) for name in names)
    return GivenTarget(values, names if are_strings else None)


def _numbers(column: pd.Series, number: int) -> NDArray[Any]:
    """Return one of several columns, missing as NaN, or raise ValueError."""
    if column.dtype == object:
        is_numeric = pd.api.types.infer_dtype(column) in _NUMBERS_AS_OBJECTS
    else:
        is_numeric = pd.api.types.is_numeric_dtype(column) and column.dtype.kind != "c"
    if not is_numeric:
        raise ValueError(
            f"Several columns of y must be numbers, but column {number}, of dtype "
            f"{column.dtype}, holds {column.iloc[0]!r}; fit an encoder for each column of "
            "labels."
        )
    if column.isna().any():
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    if isinstance(column.dtype, pd.api.extensions.ExtensionDtype):
        column = column.astype(object)
    return column.infer_objects().to_numpy()


def read_target(given: GivenTarget, target_type: str, weight: FloatArray) -> Target:
    """Read a target.

    Parameters
    ----------
    given : GivenTarget
        From :func:`as_target`.
    target_type : str
        The estimator's parameter: "auto" or one of ``TARGET_TYPES``.
    weight : ndarray of shape (n_rows,)
        Weights; rows of weight 0 are left out.

    Raises
    ------
    ValueError
        If y has missing or infinite values, or is not of the type asked for.
    """
    is_used = weight > 0
    require_finite(given.values, is_used)
    y, weight = given.values[is_used], weight[is_used]
    kind = _infer_type(y) if target_type == "auto" else _asked_type(y, target_type)
    if kind in MULTIPLE_TYPES:
        return _several_outputs(y, kind, given.names, weight)
    if kind == "continuous":
        return Target(kind, None, *_standardised(y[:, None], weight, None))
    classes, codes = _labels(y)
    n_classes = len(classes)
    if kind == "binary":
        if n_classes > 2:
            raise ValueError(
                f"target_type='binary' but y has {n_classes} classes; use 'multiclass'."
            )
        return Target(kind, classes, codes[:, None].astype(np.float64), None)
    one_hot = (codes[:, None] == np.arange(n_classes)).astype(np.float64)
    return Target(kind, classes, one_hot, [str(label) for label in classes])


def _several_outputs(
    y: NDArray[Any], kind: str, names: list[str] | None, weight: FloatArray
) -> Target:
    labels = np.arange(y.shape[1]) if names is None else np.array(names, dtype=object)
    output_names = [str(label) for label in labels]
    if kind == "multilabel-indicator":
        require_indicator(y)
        return Target(kind, labels, y.astype(np.float64), output_names)
    return Target(kind, None, *_standardised(y, weight, output_names))


def require_finite(y: NDArray[Any], is_used: BoolArray) -> None:
    bad = {"NaN": pd.isna(y)}
    if y.dtype.kind == "f":
        bad["infinity"] = np.isinf(y)
    for what, where in bad.items():
        in_row = where.reshape(len(y), -1).any(axis=1) & is_used
        if in_row.any():
            row = int(np.flatnonzero(in_row)[0])
            raise ValueError(
                f"Input y contains {what} (row {row}); drop these rows before fit."
            )


def require_indicator(y: NDArray[Any]) -> None:
    is_other = (y != 0) & (y != 1)
    if is_other.any():
        raise ValueError(
            f"A multilabel indicator holds 0 and 1, but y holds {y[is_other][0]}; say "
            "target_type='continuous' for numbers."
        )


def _labels(y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    encoder = LabelEncoder()
    try:
        codes = encoder.fit_transform(y)
    except TypeError as error:
        raise ValueError(_MIXED_LABELS) from error
    return encoder.classes_, codes


def _asked_type(y: NDArray[Any], target_type: str) -> str:
    """Return the type asked for, which must be one of so many columns."""
    n_columns = 1 if y.ndim == 1 else y.shape[1]
    if target_type == "continuous" and n_columns > 1:
        return "continuous-multioutput"
    if (target_type in MULTIPLE_TYPES) != (n_columns > 1):
        fitting = SINGLE_TYPES if n_columns == 1 else ("continuous", *MULTIPLE_TYPES)
        raise ValueError(
            f"target_type={target_type!r} but y has {n_columns} column(s); use one of "
            f"{fitting}."
        )
    return target_type


def _infer_type(y: NDArray[Any]) -> str:
    if y.dtype.kind in "iuf" and _most_values(y) > MAX_NUMERIC_CLASSES:
        return _asked_type(y, "continuous")
    try:
        # It asks whether numbers are whole by way of integers, which do not hold them all.
        with np.errstate(invalid="ignore"):
            kind = str(type_of_target(y, input_name="y"))
    except TypeError as error:
        raise ValueError(_MIXED_LABELS) from error
    if kind == "multiclass-multioutput":
        raise ValueError(
            f"y has {y.shape[1]} columns of whole numbers, which may be classes or "
            "quantities; pass target_type='continuous' for quantities, or fit an encoder "
            "for each column of classes."
        )
    if kind not in TARGET_TYPES:
        raise ValueError(
            f"Unknown label type: y was read as {kind!r}, but it must be one of "
            f"{TARGET_TYPES}; make it numbers or strings."
        )
    return kind


def _most_values(y: NDArray[Any]) -> int:
    """Return the number of different values, of the column that has most."""
    return max(len(np.unique(column)) for column in y.reshape(len(y), -1).T)


def _standardised(
    y: NDArray[Any], weight: FloatArray, names: list[str] | None
) -> tuple[FloatArray, list[str] | None, FloatArray, FloatArray]:
    """Return standardised columns, their names, and what they were standardised by."""
    parts = [standardised_column(column, weight) for column in y.T]
    values, center, scale = zip(*parts, strict=True)
    return np.column_stack(values), names, np.array(center), np.array(scale)


def standardised_column(
    y: NDArray[Any], weight: FloatArray
) -> tuple[FloatArray, float, float]:
    """Return a column of numbers less its mean, over its deviation; and these two.

    A constant column has a deviation of 1, scaled as its numbers are.
    """
    try:
        numbers = y.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"target_type='continuous' but y is not numeric ({error})."
        ) from error
    # Scaled to about one before it is squared, so that no unit of y overflows.
    size = np.abs(numbers).max() or 1.0
    numbers = numbers / size
    center = np.average(numbers, weights=weight)
    numbers = numbers - center
    deviation = np.sqrt(np.average(numbers**2, weights=weight))
    is_constant = deviation <= 1e-12
    scale = 1.0 if is_constant else float(deviation)
    return numbers / scale, float(size * center), float(size * scale)
