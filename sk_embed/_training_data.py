"""The door between the rooms: columns, target and weights become the engine's rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._columns.many_classes import warn_of_many_classes
from sk_embed._columns.table import TableColumns, learn_columns
from sk_embed._columns.target import GivenTarget, Target, read_target
from sk_embed._engine.rows import Rows
from sk_embed._settings import model_settings

# Squares of weights, and of gradients that they multiply, must not overflow.
_ROOM_FOR_SQUARES = 0.4


@dataclass(frozen=True)
class TrainingData:
    """X and y as read for learning.

    Parameters
    ----------
    columns : TableColumns
        What was learned about the columns of X.
    given : GivenTarget
        The target of all rows, for a splitter.
    target : Target
        The target.
    rows : Rows
        What the engine learns from: the rows of positive weight.
    row_numbers : ndarray of shape (n_used_rows,)
        Their places in X.
    holds_all_rows : bool
        Whether no row of X is left out.
    """

    columns: TableColumns
    given: GivenTarget
    target: Target
    rows: Rows
    row_numbers: IntArray
    holds_all_rows: bool

    def effective_counts(self) -> list[FloatArray]:
        """Return the number of rows of each code of each column.

        Of weighted rows it is the effective number that counts, ``(sum w)^2 / sum w^2``:
        one row that outweighs all others is one row.
        """
        weight = self.rows.weight.astype(np.float64)
        effective = []
        for codes, n_codes in zip(self.rows.codes.T, self.rows.n_codes, strict=True):
            total = np.bincount(codes, weight, minlength=n_codes)
            squares = np.bincount(codes, weight**2, minlength=n_codes)
            effective.append(
                np.divide(total**2, squares, out=np.zeros(n_codes), where=squares > 0)
            )
        return effective


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
        The columns of X.
    feature_names : ndarray of shape (n_columns,) or None
        Their names, where X has any.
    y : GivenTarget
        Numbers or labels.
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
    learned, table_rows = learn_columns(
        columns,
        feature_names,
        weight,
        row_numbers,
        categorical_features=parameters["categorical_features"],
        categories=parameters["categories"],
        handle_unknown=parameters["handle_unknown"],
        min_frequency=parameters["min_frequency"],
        max_categories=parameters["max_categories"],
    )
    dtype = model_settings(parameters, len(weight), float(weight.sum())).dtype
    require_room(weight, dtype)
    context = learned.scaler.transform(learned.numbers(columns))
    rows = Rows(
        codes=table_rows,
        # The last row of a table is for categories that are not in a given vocabulary:
        # what it learns is not kept.
        n_codes=np.array([v.n_groups + 1 for v in learned.vocabularies]),
        context=context.astype(dtype),
        targets=target.values.astype(dtype),
        weight=_weight_of_each(weight.astype(dtype)),
    )
    target = replace(target, values=rows.targets)
    return TrainingData(learned, y, target, rows, row_numbers, holds_all_rows)


def _weight_of_each(weight: FloatArray) -> FloatArray:
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
