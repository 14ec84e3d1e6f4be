"""The door between the rooms: columns, target and weights become the engine's rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import validate_data

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._columns.frame import as_columns, for_names
from sk_embed._columns.many_classes import warn_of_many_classes
from sk_embed._columns.table import ColumnRules, TableColumns, learn_columns
from sk_embed._columns.target import GivenTarget, Target, as_target, read_target
from sk_embed._columns.target_values import as_weights
from sk_embed._engine.rows import Rows
from sk_embed._engine.sources import Stack, stacked_in_memory
from sk_embed._settings import model_settings
from sk_embed._sklearn_compat import check_sample_weight

# Squares of weights, and of gradients that they multiply, must not overflow.
_ROOM_FOR_SQUARES = 0.4


@dataclass(frozen=True)
class TrainingData:
    """X and y as read for learning.

    Parameters
    ----------
    columns : TableColumns
        Vocabularies and scales of the columns of X.
    target : Target
        Type, labels, scale and values of the target.
    rows : Rows
        Rows of positive weight, as the engine learns from them.
    row_numbers : ndarray of shape (n_used_rows,)
        Places of these rows in X, rising.
    holds_all_rows : bool
        Whether no row of X is left out.
    n_in_reach : int, optional
        Number of rows that memory can hold at a time; all of them, unless given.
    stack : callable, optional
        Puts stretches of codes on top of each other, in memory unless given.
    given : GivenTarget, optional
        Target of all rows, for a splitter; not of rows that are kept in files.
    """

    columns: TableColumns
    target: Target
    rows: Rows
    row_numbers: IntArray
    holds_all_rows: bool
    n_in_reach: int | None = None
    stack: Stack = stacked_in_memory
    given: GivenTarget | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows of positive weight."""
        return len(self.rows)

    @property
    def total_weight(self) -> float:
        """Weight of these rows."""
        return float(self.rows.weight.sum())

    @property
    def n_in_turn(self) -> int:
        """Number of rows that are learned one after the other: all."""
        return self.n_rows

    def codes(self) -> list[IntArray]:
        """Return the codes of all rows of X, or none if some are left out."""
        if not self.holds_all_rows:
            return []
        vocabularies, table_rows = self.columns.vocabularies, self.rows.codes.T
        return [v.codes_of(rows) for v, rows in zip(vocabularies, table_rows, strict=True)]


def read_given(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    *,
    is_first: bool = True,
    may_be_zero: bool = False,
) -> tuple[list[pd.Series], GivenTarget, FloatArray]:
    """Return the columns of X, the target and the weights, as many of each.

    Parameters
    ----------
    estimator : BaseEstimator
        Estimator that remembers, or compares, the names of the columns.
    X, y, sample_weight
        Arguments of the estimator's method, as the user gave them.
    is_first : bool, default=True
        Whether the names are remembered; else they must be those of before.
    may_be_zero : bool, default=False
        Whether all weights may be zero, as those of one chunk of several.
    """
    columns = as_columns(X)
    validate_data(estimator, X=for_names(X), reset=is_first, skip_check_array=True)
    target = as_target(y)
    check_consistent_length(columns[0], target.values)
    weight = check_sample_weight(as_weights(sample_weight), columns[0], may_be_zero)
    return columns, target, weight


def read_training_data(
    columns: list[pd.Series],
    feature_names: NDArray[Any] | None,
    y: GivenTarget,
    weight: FloatArray,
    parameters: dict[str, Any],
) -> TrainingData:
    """Learn the columns, and turn them, target and weights into arrays.

    Parameters
    ----------
    columns : list of Series
        All columns of X, in their order.
    feature_names : ndarray of shape (n_columns,) or None
        Names of the columns, or None where not all are strings.
    y : GivenTarget
        Numbers or labels, as :func:`as_target` returned them.
    weight : ndarray of shape (n_rows,)
        Weights; rows of weight 0 are left out.
    parameters : dict
        Those of the estimator, by name.

    Returns
    -------
    TrainingData
    """
    target = read_target(y, parameters["target_type"], weight)
    row_numbers = np.flatnonzero(weight > 0).astype(np.int32)
    warn_of_many_classes(target, len(row_numbers), parameters["target_type"])
    holds_all_rows = len(row_numbers) == len(weight)
    if not holds_all_rows:
        columns = [column.iloc[row_numbers] for column in columns]
        weight = weight[row_numbers]
    rules = ColumnRules.of(parameters)
    learned, table_rows = learn_columns(columns, feature_names, weight, row_numbers, rules)
    dtype = model_settings(parameters, len(weight), float(weight.sum())).dtype
    require_room(weight, dtype)
    context = learned.scaler.transform(learned.numbers(columns))
    rows = Rows(
        codes=table_rows,
        n_codes=learned.n_codes,
        context=context.astype(dtype),
        targets=target.values.astype(dtype),
        weight=weight_of_each(weight.astype(dtype)),
    )
    target = replace(target, values=rows.targets)
    return TrainingData(learned, target, rows, row_numbers, holds_all_rows, given=y)


def weight_of_each(weight: FloatArray) -> FloatArray:
    """Return the weights, one number seen from all rows where they are all the same."""
    is_same = bool((weight == weight[0]).all())
    return np.broadcast_to(weight[:1].copy(), weight.shape) if is_same else weight


def require_room(weight: FloatArray, dtype: np.dtype[Any]) -> None:
    """Raise ValueError where weights vanish or overflow in the network's precision."""
    if weight.sum() > np.finfo(dtype).max ** _ROOM_FOR_SQUARES:
        raise ValueError(
            f"sample_weight sums to {weight.sum()}, whose square is infinite or nearly so "
            f"in {dtype}; scale the weights so that an average row has about 1."
        )
    if not (weight.astype(dtype) > 0).all():
        raise ValueError(
            f"sample_weight holds {weight.min()}, which is zero in {dtype}; scale the "
            "weights so that an average row has about 1."
        )
