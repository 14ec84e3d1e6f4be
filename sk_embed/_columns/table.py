"""A table as learned: which columns are categories, their vocabularies, the context."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import BoolArray, FloatArray, IntArray
from sk_embed._columns.context import ContextScaler, learn_context, read_numbers
from sk_embed._columns.frame import categorical_mask
from sk_embed._columns.vocabulary import Vocabulary, given_vocabulary, learn_vocabulary
from sk_embed._warn import warn

# Number of rows below which a column of numbers cannot be called a measurement.
_MIN_ROWS_OF_MEASUREMENT = 200
# Kinds of values that go on and on, so that new rows hold new ones.
_KINDS_OF_TIME = ("dates", "times", "times with a time zone")


@dataclass(frozen=True)
class TableColumns:
    """The columns of X, as learned in fit.

    Parameters
    ----------
    is_categorical : ndarray of bool of shape (n_columns,)
        Categorical columns; the others are context.
    vocabularies : list of Vocabulary
        Categories of each categorical column, in the order of X.
    scaler : ContextScaler
        Scales and bounds of the context columns.
    """

    is_categorical: BoolArray
    vocabularies: list[Vocabulary]
    scaler: ContextScaler

    @property
    def n_codes(self) -> IntArray:
        """Number of table rows of each categorical column, shape (n_categorical_columns,).

        The last row of a table is for values that are not in a given vocabulary: what it
        learns is not kept.
        """
        return np.array([vocabulary.n_groups + 1 for vocabulary in self.vocabularies])

    def codes(self, columns: list[pd.Series], handle_unknown: str) -> list[IntArray]:
        """Return the codes of each categorical column, shape (n_rows,) each."""
        all_codes = []
        for vocabulary, column in zip(
            self.vocabularies, self.categorical(columns), strict=True
        ):
            codes = vocabulary.encode(column)
            vocabulary.check(codes, column, handle_unknown)
            all_codes.append(codes)
        return all_codes

    def categorical(self, columns: list[pd.Series]) -> list[pd.Series]:
        """Return the categorical columns among those of X."""
        return _chosen(columns, self.is_categorical)

    def numbers(self, columns: list[pd.Series]) -> FloatArray:
        """Return the context columns unscaled, shape (n_rows, n_context_columns)."""
        chosen = _chosen(columns, ~self.is_categorical)
        return read_numbers(chosen, self.scaler.names, len(columns[0]))

    def passed_through(self, columns: list[pd.Series]) -> list[NDArray[Any]]:
        """Return the context columns unscaled, in numpy's dtypes or else in float64."""
        numbers = self.numbers(columns)
        chosen = _chosen(columns, ~self.is_categorical)
        return [
            column.to_numpy() if _is_plain(column.dtype) else as_floats
            for column, as_floats in zip(chosen, numbers.T, strict=True)
        ]


@dataclass(frozen=True)
class ColumnRules:
    """Parameters of the estimator by which columns are read.

    Parameters
    ----------
    categorical_features, categories, handle_unknown, min_frequency, max_categories
        As of the estimator, columns being meant by their place or name in X.
    """

    categorical_features: Any
    categories: Any
    handle_unknown: str
    min_frequency: float | None
    max_categories: int | None

    @classmethod
    def of(cls, parameters: dict[str, Any]) -> ColumnRules:
        """Return the rules among all parameters of the estimator."""
        return cls(**{field.name: parameters[field.name] for field in fields(cls)})


def learn_columns(
    columns: list[pd.Series],
    feature_names: NDArray[Any] | None,
    weight: FloatArray,
    row_numbers: IntArray,
    rules: ColumnRules,
) -> tuple[TableColumns, IntArray]:
    """Learn vocabularies and scales, and find the table row that each category reads.

    Parameters
    ----------
    columns : list of Series
        All columns of X, in their order.
    feature_names : ndarray of shape (n_columns,) or None
        Names of the columns, or None where not all are strings.
    weight : ndarray of shape (n_rows,)
        Positive weight of each row.
    row_numbers : ndarray of shape (n_rows,)
        The rows' places in X, for messages.
    rules : ColumnRules
        Parameters that say which columns are categorical, and what their vocabularies hold.

    Returns
    -------
    learned : TableColumns
    table_rows : ndarray of shape (n_rows, n_categorical_columns)
        Of the smallest integer type that holds them all.
    """
    chosen_features = rules.categorical_features
    is_categorical = categorical_mask(chosen_features, columns, feature_names)
    if feature_names is None:
        feature_names = np.array([f"x{j}" for j in range(len(columns))])
    all_names = [str(name) for name in feature_names]
    names = [str(name) for name in feature_names[is_categorical]]
    chosen = _chosen(columns, is_categorical)
    listed_for_each = listed_categories(rules.categories, is_categorical, all_names)
    rare = rules.min_frequency, rules.max_categories
    vocabularies, rows_of_columns = [], []
    for column, name, listed in zip(chosen, names, listed_for_each, strict=True):
        if listed is None:
            vocabulary, codes = learn_vocabulary(column, name, *rare)
            if isinstance(chosen_features, str):
                warn_of_a_measurement(vocabulary)
        else:
            vocabulary, codes = given_vocabulary(column, name, listed, *rare)
            vocabulary.check(codes, column, rules.handle_unknown, row_numbers)
        vocabularies.append(vocabulary)
        table_rows = vocabulary.table_rows
        smallest = table_rows.astype(np.min_scalar_type(table_rows.max()))
        rows_of_columns.append(smallest.take(codes))
    context_names = [str(name) for name in feature_names[~is_categorical]]
    numbers = read_numbers(_chosen(columns, ~is_categorical), context_names, len(weight))
    scaler = learn_context(numbers, weight, context_names)
    learned = TableColumns(is_categorical, vocabularies, scaler)
    return learned, np.column_stack(rows_of_columns)


def warn_of_a_measurement(vocabulary: Vocabulary) -> None:
    """Warn if a column that nobody called categorical is nearly surely a measurement.

    Floats, mostly not whole, or dates or times, of more different values than half of the
    rows.
    """
    n_rows, n_categories = int(vocabulary.counts.sum()), len(vocabulary.categories)
    if n_rows < _MIN_ROWS_OF_MEASUREMENT or n_categories <= n_rows / 2:
        return
    values = vocabulary.categories
    found = f"Column {vocabulary.name!r} holds {n_categories} different"
    if values.dtype.kind == "f":
        values = values.astype(np.float64)
        if np.mean(values != np.floor(values)) > 1 / 2:
            warn(
                f"{found} numbers in {n_rows} rows, each of them a category; name the "
                "categorical columns by categorical_features, and the others are context."
            )
    elif vocabulary.kind in _KINDS_OF_TIME:
        warn(
            f"{found} {vocabulary.kind} in {n_rows} rows, each of them a category, so that "
            "later ones are unknown; make numbers of them, as days since a date, or list "
            "the column in categorical_features."
        )


def listed_categories(
    categories: Any, is_categorical: BoolArray, names: list[str]
) -> list[Any]:
    """Return the categories that are given for each categorical column, None where none.

    Parameters
    ----------
    categories : "auto", list, or dict by the places of columns
        The estimator's parameter, with places as the keys of a dict.
    is_categorical : ndarray of bool of shape (n_columns,)
        Whether each column of X is categorical.
    names : list of str
        Names of all columns, for messages.

    Raises
    ------
    ValueError
        If the columns are not the categorical ones.
    """
    places = np.flatnonzero(is_categorical).tolist()
    if isinstance(categories, str):
        return [None] * len(places)
    if isinstance(categories, dict):
        others = [place for place in categories if place not in places]
        if others:
            raise ValueError(
                f"categories names column {names[others[0]]!r}, which is not categorical; "
                f"the categorical columns are {[names[place] for place in places]}."
            )
        listed = [categories.get(place, "auto") for place in places]
        return [None if isinstance(of, str) and of == "auto" else of for of in listed]
    if len(categories) != len(places):
        raise ValueError(
            f"categories lists {len(categories)} columns, but {len(places)} columns "
            "are categorical; give one list for each."
        )
    return list(categories)


def _is_plain(dtype: Any) -> bool:
    """Whether float64 holds about what an array of this dtype does."""
    return isinstance(dtype, np.dtype) and dtype.kind in "biuf" and dtype.itemsize <= 8


def _chosen(columns: list[pd.Series], mask: BoolArray) -> list[pd.Series]:
    return [column for column, is_chosen in zip(columns, mask, strict=True) if is_chosen]
