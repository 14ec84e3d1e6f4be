"""Columns that a parameter names: by a callable or a selector, by labels, or by places."""

from __future__ import annotations

from collections import Counter
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_embed._arrays import BoolArray
from sk_embed._columns.frame import given_names


def chosen_columns(chosen: Any, X: Any) -> Any:
    """Return ``categorical_features`` for a table, with callables and selectors called.

    Parameters
    ----------
    chosen : str, array-like, callable or selector
        The estimator's parameter; a selector is an object with a method ``expand``, as
        those of skrub.
    X : array-like of shape (n_rows, n_columns)
        The table, as it was given.

    Returns
    -------
    str, list or array-like
        The names, places or mask of columns, or a string as it was given.

    Raises
    ------
    ValueError
        If whole numbers are places of some columns and labels of others, or names are
        listed that repeat in X.
    """
    is_asked = True
    if hasattr(chosen, "expand"):
        chosen = chosen.expand(X)
    elif callable(chosen):
        chosen = chosen(X)
    else:
        is_asked = False
    if is_asked and isinstance(chosen, str):
        chosen = [chosen]
    if is_asked and isinstance(chosen, slice):
        chosen = range(X.shape[1])[chosen]
    if not isinstance(chosen, str):
        listed = _as_list(chosen)
        _require_one_reading("categorical_features", [c for c in listed if _is_whole(c)], X)
        _require_distinct_names("categorical_features", listed, X)
    return chosen


def categories_by_place(
    categories: Any, X: Any, feature_names: NDArray[Any] | None, n_columns: int
) -> Any:
    """Return ``categories`` with the places of columns as keys, if it is a dict.

    Parameters
    ----------
    categories : str, list or dict
        Parameter of the estimator: "auto", one list for each categorical column, or a dict
        of lists.
    X : array-like of shape (n_rows, n_columns)
        The table, as it was given.
    feature_names : ndarray of shape (n_columns,) or None
        The columns' names, where X has any.
    n_columns : int
        Number of columns of X.

    Raises
    ------
    ValueError
        If a key names no column of X, or two keys name the same one.
    """
    if not isinstance(categories, dict):
        return categories
    _require_one_reading("categories", [key for key in categories if _is_whole(key)], X)
    _require_distinct_names("categories", list(categories), X)
    names = [] if feature_names is None else feature_names.tolist()
    by_place = {}
    for key, listed in categories.items():
        is_place = _is_whole(key) and 0 <= key < n_columns
        if not is_place and key not in names:
            has = names or f"{n_columns} columns without names, to be named by their places"
            raise ValueError(
                f"categories names column {key!r}, which X does not have; it has {has}."
            )
        place = int(key) if is_place else names.index(key)
        if place in by_place:
            raise ValueError(f"categories names column {key!r} twice; name it once.")
        by_place[place] = listed
    return by_place


def require_places(names: Any, crosses: Any, X: Any) -> None:
    """Raise ValueError if ``names`` or ``crosses`` can be read in two ways of X.

    Numbers may be labels of X too, and strings names that repeat in it.
    """
    pairs = [pair for pair in _as_rows(crosses) if isinstance(pair, (tuple, list))]
    crossed = [column for pair in pairs for column in pair]
    for parameter, columns in (("names", _as_rows(names)), ("crosses", crossed)):
        _require_one_reading(parameter, [c for c in columns if _is_whole(c)], X)
        _require_distinct_names(parameter, columns, X)


def _require_distinct_names(parameter: str, listed: list[Any], X: Any) -> None:
    """Raise ValueError if columns are named of a frame in which names repeat."""
    names = given_names(X)
    if names is None or not any(isinstance(column, str) for column in listed):
        return
    repeated = [name for name, n_times in Counter(names).items() if n_times > 1]
    if repeated:
        raise ValueError(
            f"{parameter} names columns, but X has {names.count(repeated[0])} columns of "
            f"the name {repeated[0]!r}; rename them, so that all names differ, or list "
            "the columns' indices."
        )


def _as_rows(listed: Any) -> list[Any]:
    return listed if isinstance(listed, list) else []


def _is_whole(label: Any) -> bool:
    return isinstance(label, Integral) and not isinstance(label, (bool, np.bool_))


def _as_list(chosen: Any) -> list[Any]:
    values = np.asarray(chosen)
    return values.tolist() if values.ndim == 1 else []


def _require_one_reading(parameter: str, numbers: list[int], X: Any) -> None:
    """Raise ValueError if numbers may be places of columns and their labels as well."""
    if not numbers or not hasattr(X, "iloc") or not hasattr(X, "columns"):
        return  # of what is no pandas frame, columns have places or strings
    labels = list(X.columns)
    if not all(isinstance(label, Real) and label % 1 == 0 for label in labels):
        return  # a whole number can be no label, and is the place of a column alone
    place_of = {label: place for place, label in enumerate(labels)}
    by_label = [place_of.get(number) for number in numbers]
    if None not in by_label and by_label != numbers:
        at_places = [labels[n] if 0 <= n < len(labels) else None for n in numbers]
        raise ValueError(
            f"{parameter} names columns {numbers}, which are labels of columns of X, but "
            f"not their places: as places these are the columns labelled {at_places}, as "
            f"labels those in places {by_label}. Make the labels strings, as by "
            "X.rename(columns=str), and name these."
        )


def place_among_categorical(
    column: Any,
    parameter: str,
    is_categorical: BoolArray,
    feature_names: NDArray[Any] | None,
) -> int:
    """Return the place of a column, by name or index, among the categorical ones.

    Parameters
    ----------
    column : str or int
        Name of the column, or its place among all columns of X.
    parameter : str
        Parameter of the estimator that holds the column, for messages.
    is_categorical : ndarray of bool of shape (n_columns,)
        Whether each column of X is categorical.
    feature_names : ndarray of shape (n_columns,) or None
        Names of the columns of X, where all are strings.

    Raises
    ------
    ValueError
        If it is not a categorical column.
    """
    found = np.empty(0, np.intp)
    if isinstance(column, str):
        found = np.flatnonzero([] if feature_names is None else feature_names == column)
    elif isinstance(column, Real) and not isinstance(column, bool):
        # True equals 1, but is no place; a tuple would be compared item by item.
        found = np.flatnonzero(np.arange(len(is_categorical)) == column)
    if len(found) != 1 or not is_categorical[found[0]]:
        known = np.flatnonzero(is_categorical)
        columns = known if feature_names is None else feature_names[known]
        raise ValueError(
            f"{parameter} names column {column!r}, which is not one of the categorical "
            f"columns {columns.tolist()}."
        )
    return int(is_categorical[: found[0]].sum())
