"""One column's categories, and the way from its values to the rows of its table."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from functools import cached_property
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import BoolArray, IntArray
from sk_embed._columns.comparable import SHORT, factorize, one_by_one
from sk_embed._columns.exact import as_plain_array
from sk_embed._columns.from_rows import from_values
from sk_embed._columns.lookup import UNKNOWN, Lookup, code_behind_missing
from sk_embed._columns.sorting import sorting_order
from sk_embed._warn import warn

# Words for the kinds of values that pandas tells apart; a mixture of kinds has none.
_KINDS = {
    "string": "strings",
    "bytes": "bytes",
    "integer": "numbers",
    "floating": "numbers",
    "mixed-integer-float": "numbers",
    "boolean": "booleans",
    "decimal": "numbers",
    "datetime64": "times",
    "datetime": "times",
    "date": "dates",
    "time": "times of day",
    "timedelta64": "durations",
    "timedelta": "durations",
    "period": "periods",
    "interval": "intervals",
}


@dataclass(frozen=True)
class Vocabulary:
    """The categories of one column, as seen in fit.

    Parameters
    ----------
    name : str
        The column's name, for messages.
    categories : ndarray of shape (n_categories,)
        Sorted, missing last where it occurs; of a stream as they came.
    counts : ndarray of shape (n_categories,)
        Rows of each category in fit.
    is_infrequent : ndarray of bool of shape (n_categories,)
        Categories that share one vector.
    place_of : dict, optional
        Place of each category among those that are not missing, as
        :class:`~sk_embed._columns.lookup.Lookup` reads it, of a stream.
    """

    name: str
    categories: NDArray[Any]
    counts: IntArray
    is_infrequent: BoolArray
    place_of: InitVar[dict[Any, int] | None] = None
    _place_of: dict[Any, int] | None = field(init=False, repr=False, compare=False)

    @property
    def groups(self) -> IntArray:
        """Row of the table that each category reads: the infrequent share the last."""
        groups = np.cumsum(~self.is_infrequent) - 1
        groups[self.is_infrequent] = (~self.is_infrequent).sum()
        return groups

    @property
    def n_groups(self) -> int:
        """Rows of the table."""
        return int((~self.is_infrequent).sum()) + bool(self.is_infrequent.any())

    @property
    def table_rows(self) -> IntArray:
        """Table row of each code, and last, at code UNKNOWN, the row behind all others."""
        return np.append(self.groups, self.n_groups)

    def rows_of(self, codes: IntArray) -> IntArray:
        """Return the row of the table that each code reads."""
        return self.table_rows.take(codes)

    def codes_of(self, rows: IntArray) -> IntArray:
        """Return a code that reads each row of the table; the row behind them stays."""
        if not self.is_infrequent.any():
            return rows
        table_rows = self.table_rows
        codes = np.empty(self.n_groups + 1, dtype=np.intp)
        codes[table_rows] = np.arange(len(table_rows))
        return codes.take(rows)

    def spread(self, table: NDArray[Any]) -> NDArray[Any]:
        """Return the row of each code, given the rows of a table and the one behind them.

        That of UNKNOWN is last.
        """
        return table[self.table_rows] if self.is_infrequent.any() else table

    def row_labels(self) -> pd.Index:
        """Return a label for each row of the table: its category, or "infrequent"."""
        labels = pd.Index(self.categories, dtype=self.categories.dtype)
        if not self.is_infrequent.any():
            return labels
        return labels[~self.is_infrequent].astype(object).append(pd.Index(["infrequent"]))

    @property
    def kind(self) -> str | None:
        """What the categories are, in a word, or None if they are of several kinds."""
        return _kind(self.categories[~pd.isna(self.categories)])

    @property
    def infrequent_categories(self) -> NDArray[Any] | None:
        """Categories that share one vector, or None as in OneHotEncoder."""
        if not self.is_infrequent.any():
            return None
        return self.categories[self.is_infrequent]

    def __post_init__(self, place_of: dict[Any, int] | None) -> None:
        object.__setattr__(self, "_place_of", place_of)

    @cached_property
    def _missing_code(self) -> int:
        is_missing = pd.isna(self.categories)
        return int(np.argmax(is_missing)) if is_missing.any() else UNKNOWN

    @cached_property
    def _lookup(self) -> Lookup:
        # Made where it is needed: vocabularies of parts of a table are merged alone. If
        # several threads come here at once, each makes the same.
        return Lookup(self.categories[~pd.isna(self.categories)], self._place_of)

    def prepare(self) -> None:
        """Make what values are looked up by, so that the first ``transform`` need not."""
        self._lookup  # noqa: B018 - a property that is kept

    def __getstate__(self) -> dict[str, Any]:
        """Leave the lookup, which repeats the categories, out of pickles; pack the rest."""
        smallest = np.min_scalar_type(self.counts.max(initial=0))
        return {
            "name": self.name,
            "categories": self.categories,
            "counts": self.counts.astype(smallest),
            "is_infrequent": np.packbits(self.is_infrequent),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        n_categories = len(state["categories"])
        is_infrequent = np.unpackbits(state["is_infrequent"], count=n_categories)
        counts = state["counts"].astype(np.intp)
        vars(self).update(state, counts=counts, is_infrequent=is_infrequent.astype(bool))
        self.__post_init__(None)

    def encode(self, column: pd.Series) -> IntArray:
        """Return the code of each value: its place in ``categories``, or UNKNOWN."""
        split = one_by_one if len(column) <= SHORT else factorize
        codes, values = split(column, self.name)
        places = self._lookup.places(values)
        known = np.append(
            code_behind_missing(places, self._missing_code), self._missing_code
        )
        return known.take(codes)

    def check(
        self,
        codes: IntArray,
        column: pd.Series,
        handle_unknown: str,
        row_numbers: IntArray | None = None,
    ) -> None:
        """Raise where unknown values are an error; warn where all are of another kind.

        ``row_numbers`` are the rows' places in X, where the column is not all of it.
        """
        if handle_unknown == "error":
            self._require_known(codes, column, row_numbers)
        self._warn_if_of_another_kind(codes, column)

    def _require_known(
        self, codes: IntArray, column: pd.Series, row_numbers: IntArray | None
    ) -> None:
        """Raise ValueError if a code is UNKNOWN, naming column and category."""
        unknown = np.flatnonzero(codes == UNKNOWN)
        if len(unknown):
            (value,) = column.iloc[unknown[:1]].tolist()
            row = unknown[0] if row_numbers is None else row_numbers[unknown[0]]
            raise ValueError(
                f"Column {self.name!r} holds the unknown category {value!r:.200} in row "
                f"{row}; it was not there in fit. Use handle_unknown='prior' to "
                "encode unknown categories by their prior."
            )

    def _warn_if_of_another_kind(self, codes: IntArray, column: pd.Series) -> None:
        """Warn if no value is known because all are of another kind than in fit.

        New values of the same kind are nothing to warn of: a request of one row may well
        hold a new category.
        """
        is_known = (codes != UNKNOWN) & (codes != self._missing_code)
        if is_known.any() or column.isna().all():
            return
        _, values = factorize(column, self.name)
        before, now = self.kind, _kind(values)
        if None not in (before, now) and _comparable(before) != _comparable(now):
            warn(
                f"Column {self.name!r} held {before} in fit but holds {now} here, none of "
                f"which is known: each is encoded as zeros. Convert it to {before}.",
            )


def learn_vocabulary(
    column: pd.Series,
    name: str,
    min_frequency: float | None = None,
    max_categories: int | None = None,
) -> tuple[Vocabulary, IntArray]:
    """Learn the categories of a column, and encode it.

    Parameters
    ----------
    column : Series
        Values of the column, one for each row.
    name : str
        Name of the column, for messages.
    min_frequency : int or float, optional
        Categories with fewer rows (or a smaller share of rows) share one vector.
    max_categories : int, optional
        Largest number of vectors, the shared one included.

    Returns
    -------
    vocabulary : Vocabulary
    codes : ndarray of shape (n_rows,)
        Code of each value.
    """
    codes, uniques = factorize(column, name)
    # The last place counts the missing, whose code is -1.
    n_rows = np.bincount(codes.astype(np.intp) + 1, minlength=len(uniques) + 1)
    n_missing, n_rows = int(n_rows[0]), n_rows[1:]
    occurs = np.flatnonzero(n_rows)
    values, counts = uniques[occurs], n_rows[occurs]
    order = sorting_order(values)
    values, counts = values[order], counts[order]
    code_of_unique = np.full(len(uniques) + 1, UNKNOWN, dtype=np.int32)
    code_of_unique[occurs[order]] = np.arange(len(order))
    if n_missing:
        values = insert_missing(values, len(values))
        counts = np.append(counts, n_missing)
        code_of_unique[-1] = len(order)
    rare = infrequent(counts, len(column), min_frequency, max_categories)
    return Vocabulary(name, values, counts, rare), code_of_unique.take(codes)


def given_vocabulary(
    column: pd.Series,
    name: str,
    categories: Any,
    min_frequency: float | None = None,
    max_categories: int | None = None,
) -> tuple[Vocabulary, IntArray]:
    """Return the vocabulary of categories that the user lists, in the user's order.

    And the code of each value of the column.
    """
    if isinstance(categories, str) or not hasattr(categories, "__iter__"):
        raise ValueError(
            f"categories of column {name!r} must be a list, but are {categories!r}."
        )
    listed = from_values(list(categories))
    codes, _ = factorize(listed, name)
    missing = codes < 0
    if missing.sum() > 1 or len(np.unique(codes)) < len(codes):
        raise ValueError(f"categories of column {name!r} repeat a value; list each once.")
    if len(codes) == 0:
        raise ValueError(f"categories of column {name!r} are empty; list at least one.")
    values = as_plain_array(listed[~missing])
    if missing.any():
        values = insert_missing(values, len(values))
    none = np.zeros(len(values), dtype=bool)
    empty = Vocabulary(name, values, np.zeros(len(values), dtype=np.intp), none)
    codes = empty.encode(column)
    counts = np.bincount(codes[codes >= 0], minlength=len(values))
    rare = infrequent(counts, len(column), min_frequency, max_categories)
    return Vocabulary(name, values, counts, rare), codes


def _kind(values: NDArray[Any]) -> str | None:
    """Return in a word what the values are, or None if they are not all of one kind."""
    if not len(values):
        return None
    kind = _KINDS.get(pd.api.types.infer_dtype(values, skipna=False))
    with_zone = kind == "times" and getattr(values[0], "tzinfo", None) is not None
    return "times with a time zone" if with_zone else kind


def _comparable(kind: str | None) -> str | None:
    """Return the kind that values of a kind are compared as: True equals 1."""
    return "numbers" if kind == "booleans" else kind


def insert_missing(values: NDArray[Any], place: int) -> NDArray[Any]:
    """Return the values with a missing one at a place."""
    if values.dtype.kind in "Mm":
        return np.insert(values, place, np.array("NaT", dtype=values.dtype))
    if values.dtype.kind in "iu":
        values = values.astype(object)
    return np.insert(values, place, np.nan)


def infrequent(
    counts: IntArray,
    n_rows: int,
    min_frequency: float | None,
    max_categories: int | None,
) -> BoolArray:
    """Return which categories share one vector, by the rules of OneHotEncoder."""
    infrequent = np.zeros(len(counts), dtype=bool)
    if min_frequency is not None:
        is_count = isinstance(min_frequency, Integral)
        infrequent = counts < (min_frequency if is_count else min_frequency * n_rows)
    if max_categories is not None and max_categories < (~infrequent).sum() + 1:
        by_count = np.argsort(counts, kind="stable")
        infrequent[by_count[: len(counts) - (max_categories - 1)]] = True
    return infrequent
