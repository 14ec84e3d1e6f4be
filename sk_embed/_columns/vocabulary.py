"""One column's categories, and the way from its values to the rows of its table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import IntArray

UNKNOWN = -1


@dataclass(frozen=True)
class Vocabulary:
    """The categories of one column, as seen in fit.

    Parameters
    ----------
    name : str
        The column's name, for messages.
    categories : ndarray of shape (n_categories,)
        Sorted; missing is last where it occurs.
    counts : ndarray of shape (n_categories,)
        Rows of each category in fit.
    groups : ndarray of shape (n_categories,)
        Row of the table that each category reads: infrequent ones share the last.
    """

    name: str
    categories: NDArray[Any]
    counts: IntArray
    groups: IntArray

    @property
    def has_missing(self) -> bool:
        """Whether missing is a category."""
        return len(self.categories) > 0 and bool(pd.isna(self.categories[-1]))

    @property
    def n_groups(self) -> int:
        """Rows of the table."""
        return int(self.groups.max()) + 1

    @property
    def group_counts(self) -> IntArray:
        """Rows of the categories that read each row of the table."""
        return np.bincount(self.groups, self.counts).astype(np.intp)

    @property
    def table_rows(self) -> IntArray:
        """Table row of each code, and last, at code UNKNOWN, the row behind all others."""
        return np.append(self.groups, self.n_groups)

    def group_codes(self, codes: IntArray) -> IntArray:
        """Return the table row that each code reads."""
        return self.table_rows[codes]

    @property
    def infrequent_categories(self) -> NDArray[Any] | None:
        """Categories that share one vector, or None as in OneHotEncoder."""
        shared = np.bincount(self.groups)[self.groups] > 1
        is_last = self.groups == self.n_groups - 1
        infrequent = shared & is_last
        return self.categories[infrequent] if infrequent.any() else None

    @cached_property
    def _index(self) -> pd.Index:
        n_present = len(self.categories) - self.has_missing
        return pd.Index(self.categories[:n_present])

    def __getstate__(self) -> dict[str, Any]:
        """Leave the index, which repeats the categories, out of pickles."""
        return {key: value for key, value in vars(self).items() if key != "_index"}

    def encode(self, column: pd.Series) -> IntArray:
        """Return the code of each value: its place in ``categories``, or UNKNOWN."""
        codes, uniques = factorize(column, self.name)
        known = np.append(self._index.get_indexer(uniques), self._missing_code)
        return known[codes]

    @property
    def _missing_code(self) -> int:
        return len(self.categories) - 1 if self.has_missing else UNKNOWN

    def require_known(self, codes: IntArray, column: pd.Series) -> None:
        """Raise ValueError if a code is UNKNOWN, naming column and category."""
        unknown = np.flatnonzero(codes == UNKNOWN)
        if len(unknown):
            raise ValueError(
                f"Column {self.name!r} holds the unknown category "
                f"{column.iloc[unknown[0]]!r} in row {unknown[0]}; it was not there in "
                "fit. Use handle_unknown='prior' to encode unknown categories as zeros."
            )


def factorize(column: pd.Series, name: str) -> tuple[IntArray, pd.Index]:
    """Return the code of each value, -1 for missing, and the different values."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.codes.to_numpy(), column.cat.categories
    try:
        codes, uniques = pd.factorize(column)
    except TypeError as error:
        raise TypeError(
            f"Column {name!r}: a category must be hashable, argument must be a string or "
            f"a number; found {_unhashable(column)}."
        ) from error
    return codes, pd.Index(uniques)


def _unhashable(column: pd.Series) -> str:
    for row, value in enumerate(column):
        if getattr(type(value), "__hash__", None) is None:
            return f"a {type(value).__name__} in row {row}"
    return "a value that is not"


def learn_vocabulary(
    column: pd.Series,
    name: str,
    min_frequency: float | None = None,
    max_categories: int | None = None,
) -> Vocabulary:
    """Learn the categories of a column.

    Parameters
    ----------
    column : Series
        Its values.
    name : str
        Its name, for messages.
    min_frequency : int or float, optional
        Categories with fewer rows (or a smaller share of rows) share one vector.
    max_categories : int, optional
        At most so many vectors, the shared one included.

    Returns
    -------
    Vocabulary
    """
    codes, uniques = factorize(column, name)
    n_rows = np.bincount(codes[codes >= 0], minlength=len(uniques))
    occurs = n_rows > 0
    values, counts = _as_array(uniques[occurs]), n_rows[occurs]
    order = _sorting_order(values)
    values, counts = values[order], counts[order]
    n_missing = int(np.sum(codes < 0))
    if n_missing:
        values = _append_missing(values)
        counts = np.append(counts, n_missing)
    groups = _groups(counts, len(column), min_frequency, max_categories)
    return Vocabulary(name, values, counts, groups)


def given_vocabulary(column: pd.Series, name: str, categories: Any) -> Vocabulary:
    """Return the vocabulary of categories that the user lists, in the user's order."""
    listed = pd.Series(categories)
    missing = listed.isna().to_numpy()
    if listed.duplicated().any() or missing.sum() > 1:
        raise ValueError(f"categories of column {name!r} repeat a value; list each once.")
    values = _as_array(pd.Index(listed[~missing]))
    if missing.any():
        values = _append_missing(values)
    groups = np.arange(len(values))
    empty = Vocabulary(name, values, np.zeros(len(values), dtype=np.intp), groups)
    codes = empty.encode(column)
    counts = np.bincount(codes[codes >= 0], minlength=len(values))
    return Vocabulary(name, values, counts, groups)


def _as_array(uniques: pd.Index) -> NDArray[Any]:
    """Return numbers and dates as numpy holds them, all else as objects."""
    if isinstance(uniques.dtype, np.dtype) and uniques.dtype.kind in "iufMm":
        return uniques.to_numpy()
    return uniques.to_numpy(dtype=object)


def _sorting_order(values: NDArray[Any]) -> IntArray:
    """Return the ascending order; values of types that do not compare, type by type."""
    try:
        return np.argsort(values, kind="stable")
    except TypeError:
        keys = [(type(value).__name__, str(value)) for value in values]
        return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.intp)


def _append_missing(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind in "Mm":
        return np.append(values, np.array("NaT", dtype=values.dtype))
    if values.dtype.kind in "iu":
        values = values.astype(object)
    return np.append(values, np.array([np.nan], dtype=values.dtype))


def _groups(
    counts: IntArray,
    n_rows: int,
    min_frequency: float | None,
    max_categories: int | None,
) -> IntArray:
    """Return each category's table row; infrequent categories share the last one."""
    infrequent = np.zeros(len(counts), dtype=bool)
    if min_frequency is not None:
        is_share = not isinstance(min_frequency, (int, np.integer))
        infrequent = counts < (min_frequency * n_rows if is_share else min_frequency)
    if max_categories is not None:
        n_kept = len(counts) - infrequent.sum()
        if n_kept + infrequent.any() > max_categories:
            by_count = np.argsort(-counts, kind="stable")
            infrequent[by_count[max_categories - 1 :]] = True
    groups = np.cumsum(~infrequent) - 1
    groups[infrequent] = (~infrequent).sum()
    return groups
