"""The target: its type, its labels, and the array that the loss wants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Number, Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.exceptions import DataConversionWarning
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.multiclass import type_of_target

from sk_embed._arrays import BoolArray, FloatArray
from sk_embed._columns.sorting import sorting_order
from sk_embed._columns.target_values import frame_columns, raw_values, settled
from sk_embed._distinct import distinct
from sk_embed._warn import warn

LABEL_TYPES = ("binary", "multiclass")
SINGLE_TYPES = ("continuous", *LABEL_TYPES)
MULTIPLE_TYPES = ("continuous-multioutput", "multilabel-indicator")
TARGET_TYPES = (*SINGLE_TYPES, *MULTIPLE_TYPES)

# A number with more values than this is a quantity, not a label: scikit-learn calls
# integer prices "multiclass", which makes an output of each price.
MAX_NUMERIC_CLASSES = 100

# Smallest power of two beyond 64-bit integers: a larger number is a quantity.
_BEYOND_INTEGERS = 2.0**63


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
        Mean and standard deviation by which numbers were standardised; None for labels.
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
    """Return y as an array, numbers in any container as numbers."""
    if issparse(y):
        raise TypeError("Sparse data was passed as y; pass y.toarray() instead.")
    y = y.to_native() if hasattr(y, "to_native") else y  # narwhals
    frame = frame_columns(y)
    if frame is not None:
        columns, names = frame
        if len(columns) > 1:
            return _several_columns([raw_values(column) for column in columns], names)
        values = np.column_stack([raw_values(column) for column in columns])
    else:
        values = raw_values(y)
    if values.ndim > 2:
        raise ValueError(f"y must have one or two dimensions, but has {values.ndim}.")
    if values.ndim == 2 and values.shape[1] > 1:
        return _several_columns(list(values.T), [])
    return GivenTarget(settled(_one_column(values)), None)


def _one_column(values: NDArray[Any]) -> NDArray[Any]:
    if values.ndim == 1:
        return values
    if values.ndim == 0 or values.shape[1] == 0:
        raise ValueError(f"y should be a 1d array, got an array of shape {values.shape}.")
    warn(
        "A column-vector y was passed when a 1d array was expected. Please change the "
        "shape of y to (n_samples,), for example using ravel().",
        DataConversionWarning,
    )
    return values[:, 0]


def _several_columns(columns: list[NDArray[Any]], names: list[Any]) -> GivenTarget:
    values = np.column_stack([_numbers(column, j) for j, column in enumerate(columns)])
    are_strings = len(names) > 0 and all(isinstance(name, str) for name in names)
    return GivenTarget(values, [str(name) for name in names] if are_strings else None)


def _numbers(column: NDArray[Any], j: int) -> NDArray[Any]:
    """Return one of several columns, missing as NaN, or raise ValueError."""
    values = settled(column, f"column {j} of y")
    if values.dtype == object and pd.isna(values).all():
        return np.full(len(values), np.nan)
    if values.dtype.kind not in "biuf":
        raise ValueError(
            f"Several columns of y must be numbers, but column {j}, of dtype "
            f"{column.dtype}, holds {_first_label(values)!r}; fit an encoder for each "
            "column of labels."
        )
    return values


def _first_label(values: NDArray[Any]) -> Any:
    return next(v for v in values.tolist() if not isinstance(v, (Real, type(None))))


def read_target(given: GivenTarget, target_type: str, weight: FloatArray) -> Target:
    """Read a target.

    Parameters
    ----------
    given : GivenTarget
        Target as :func:`as_target` returned it.
    target_type : str
        The estimator's parameter: "auto" or one of ``TARGET_TYPES``.
    weight : ndarray of shape (n_rows,)
        Weights; rows of weight 0 are left out.

    Raises
    ------
    ValueError
        If y has missing or infinite values, or is not of the type asked for.
    """
    y = used_values(given, weight)
    weight = weight[weight > 0]
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


def used_values(given: GivenTarget, weight: FloatArray) -> NDArray[Any]:
    """Return the values of rows of positive weight, or raise where they are not finite.

    What is missing in other rows does not count: without it objects may be numbers.
    """
    is_used = weight > 0
    _require_none(given.values, pd.isna(given.values), is_used, "NaN")
    y = given.values[is_used]
    y = settled(y) if y.dtype == object else y
    if y.dtype.kind == "f":
        infinite = np.zeros(given.values.shape, dtype=bool)
        infinite[is_used] = np.isinf(y)
        _require_none(given.values, infinite, is_used, "infinity")
    return y


def _require_none(y: NDArray[Any], bad: BoolArray, is_used: BoolArray, what: str) -> None:
    in_row = bad.reshape(len(y), -1).any(axis=1) & is_used
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
    """Return the different labels, sorted, and the place of each row's among them."""
    if y.dtype != object or all(isinstance(label, str) for label in y):
        encoder = LabelEncoder()
        codes = encoder.fit_transform(y)
        return encoder.classes_, codes
    _require_one_kind(y)
    codes, uniques = different_labels(y)
    order = sorting_order(uniques)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return uniques[order], place[codes]


def different_labels(y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the place of each row's label among the different ones, and these.

    Raises
    ------
    ValueError
        If a label is not hashable.
    """
    for label_type in set(map(type, y)) if y.dtype == object else ():
        if label_type.__hash__ is None:
            raise ValueError(
                f"Unknown label type: y holds a {label_type.__name__}, which is not "
                "hashable; make its labels numbers or strings."
            )
    return distinct(y)


def sorted_labels(classes: Any) -> NDArray[Any]:
    """Return the labels that ``classes`` lists, in the order of those of a target."""
    values = settled(raw_values(classes))
    if values.ndim != 1 or not len(values) or pd.isna(values).any():
        raise ValueError(
            "classes= must be a list of labels, none of them missing, but is "
            f"{classes!r:.80}."
        )
    return _labels(values)[0]


def _require_one_kind(y: NDArray[Any]) -> None:
    """Raise ValueError if objects are of several types, which have no common order."""
    kinds = {_kind_of(type(label)): label for label in y}
    if len(kinds) > 1:
        (one, example), (other, another), *_ = sorted(
            kinds.items(), key=lambda kind: kind[0]
        )
        one, other = (
            "booleans" if isinstance(label, (bool, np.bool_)) else kind
            for kind, label in ((one, example), (other, another))
        )
        raise ValueError(
            f"y mixes {one} and {other}, as {example!r:.40} and {another!r:.40}; make its "
            "labels all of one type."
        )


def _kind_of(label_type: type) -> str:
    if issubclass(label_type, str):
        return "strings"
    if issubclass(label_type, (Number, np.bool_)):
        return "numbers"
    return label_type.__name__


def _asked_type(y: NDArray[Any], target_type: str) -> str:
    """Return the requested type, or raise ValueError if y has another number of columns."""
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
    if y.ndim == 1:
        return _infer_type_of_one(y)
    # It asks whether numbers are whole by way of integers, which do not hold them all.
    with np.errstate(invalid="ignore"):
        kind = str(type_of_target(y, input_name="y"))
    if kind == "multiclass-multioutput":
        raise ValueError(
            f"y has {y.shape[1]} columns of whole numbers, which may be classes or "
            "quantities; pass target_type='continuous' for quantities, or fit an encoder "
            "for each column of classes."
        )
    return kind


def _infer_type_of_one(y: NDArray[Any]) -> str:
    """Return what scikit-learn's type_of_target would, also for labels it refuses."""
    if y.dtype.kind == "f":
        is_whole = (y == np.floor(y)) & (np.abs(y) < _BEYOND_INTEGERS)
        if not is_whole.all():
            return "continuous"
    classes, _ = _labels(y)
    return "binary" if len(classes) <= 2 else "multiclass"


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
    size = max(numbers.max(), -numbers.min()) or 1.0
    numbers = numbers / size
    center = np.average(numbers, weights=weight)
    numbers -= center
    # In place, for there may be as many rows as memory holds.
    squares = numbers**2
    squares *= weight
    deviation = np.sqrt(squares.sum() / weight.sum())
    is_constant = deviation <= 1e-12
    scale = 1.0 if is_constant else float(deviation)
    numbers /= scale
    return numbers, float(size * center), float(size * scale)
