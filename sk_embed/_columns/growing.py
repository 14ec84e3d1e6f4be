"""Columns whose categories become more, chunk by chunk, without a pass over those known."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._columns.comparable import factorize
from sk_embed._columns.growing_values import growing_values, narrowed_objects
from sk_embed._columns.lookup import UNKNOWN, code_behind_missing
from sk_embed._columns.sorting import sorting_order
from sk_embed._columns.table import TableColumns
from sk_embed._columns.vocabulary import Vocabulary, insert_missing
from sk_embed._growing import GrowingArray


class Coded(NamedTuple):
    """A chunk's column, encoded, before the vocabulary has grown by it.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Code of each value, those of new categories behind those known; UNKNOWN only
        where categories are listed.
    new : ndarray of shape (n_new_values,)
        New categories, sorted, without missing.
    is_missing_new : bool
        Whether missing is a new category too, behind these.
    """

    codes: IntArray
    new: NDArray[Any]
    is_missing_new: bool

    @property
    def n_new(self) -> int:
        """Number of new categories."""
        return len(self.new) + self.is_missing_new


class GrowingVocabulary:
    """The categories of one column, in the order in which they came.

    Those that come in one chunk are sorted, missing last.

    Parameters
    ----------
    vocabulary : Vocabulary
        Categories that are known before the first row, and their counts.
    is_fixed : bool
        Whether the user has listed all categories.
    """

    def __init__(self, vocabulary: Vocabulary, is_fixed: bool) -> None:
        self.name, self.is_fixed = vocabulary.name, is_fixed
        is_missing = pd.isna(vocabulary.categories)
        self._values = growing_values(vocabulary.categories[~is_missing])
        self._missing = int(np.argmax(is_missing)) if is_missing.any() else UNKNOWN
        self._counts = GrowingArray(vocabulary.counts)

    def __len__(self) -> int:
        return len(self._counts)

    def __getstate__(self) -> dict[str, Any]:
        """Give the categories as an array: not every format has keys of their types."""
        return {"vocabulary": self.as_vocabulary(), "is_fixed": self.is_fixed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def encode(self, column: pd.Series) -> Coded:
        """Encode a chunk's column; nothing is changed yet.

        Raises
        ------
        TypeError
            If a value cannot be hashed.
        """
        codes, uniques = factorize(column, self.name)
        occurs = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(uniques)))
        values = uniques[occurs]
        places = self._values.places(values)
        known = code_behind_missing(places, self._missing)
        code_of_unique = np.full(len(uniques) + 1, UNKNOWN, dtype=np.int32)
        code_of_unique[occurs], code_of_unique[-1] = known, self._missing
        if self.is_fixed:
            return Coded(code_of_unique.take(codes), values[:0], False)
        is_new = places == UNKNOWN
        order = np.flatnonzero(is_new)[sorting_order(narrowed_objects(values[is_new]))]
        code_of_unique[occurs[order]] = len(self) + np.arange(len(order))
        is_missing_new = self._missing == UNKNOWN and bool((codes < 0).any())
        if is_missing_new:
            code_of_unique[-1] = len(self) + len(order)
        return Coded(code_of_unique.take(codes), values[order], is_missing_new)

    def grow(self, coded: Coded) -> None:
        """Append the new categories of a chunk, and count its rows."""
        self._values = self._values.appended(coded.new)
        if coded.is_missing_new:
            self._missing = len(self) + len(coded.new)
        self._counts.grow(coded.n_new)
        different, n_rows = np.unique(coded.codes[coded.codes >= 0], return_counts=True)
        self._counts.values[different] += n_rows

    def as_vocabulary(self) -> Vocabulary:
        """Return the categories so far, for looking them up."""
        values, place_of = self._values.as_array(), self._values.place_of
        if self._missing != UNKNOWN:
            values = insert_missing(values, self._missing)
        counts, shared = self._counts.values.astype(np.intp), np.zeros(len(values), bool)
        return Vocabulary(self.name, values, counts, shared, place_of)


class GrowingColumns:
    """The columns of a stream.

    Parameters
    ----------
    columns : TableColumns
        Columns before the first chunk; numeric columns stay scaled as they are here.
    is_fixed : list of bool
        Whether the user has listed all categories, for each categorical column.
    handle_unknown : {"prior", "error"}
        Whether a value that is not in such a list reads the row for unlisted values, or
        raises.
    """

    def __init__(
        self, columns: TableColumns, is_fixed: list[bool], handle_unknown: str
    ) -> None:
        self.is_categorical, self.scaler = columns.is_categorical, columns.scaler
        self._handle_unknown = handle_unknown
        pairs = list(zip(columns.vocabularies, is_fixed, strict=True))
        self._listed = [vocabulary if fixed else None for vocabulary, fixed in pairs]
        self.vocabularies = [GrowingVocabulary(*pair) for pair in pairs]

    def encode(self, columns: list[pd.Series]) -> list[Coded]:
        """Encode a chunk's categorical columns; nothing is changed yet."""
        chosen = [
            c for c, is_one in zip(columns, self.is_categorical, strict=True) if is_one
        ]
        coded = [v.encode(c) for v, c in zip(self.vocabularies, chosen, strict=True)]
        for listed, of_column, column in zip(self._listed, coded, chosen, strict=True):
            if listed is not None:
                listed.check(of_column.codes, column, self._handle_unknown)
        return coded

    def context(self, columns: list[pd.Series]) -> FloatArray:
        """Return a chunk's context, scaled."""
        return self.scaler.transform(self._without_vocabularies().numbers(columns))

    def as_columns(self) -> TableColumns:
        """Return the columns so far, for encoding rows."""
        vocabularies = [v.as_vocabulary() for v in self.vocabularies]
        return TableColumns(self.is_categorical, vocabularies, self.scaler)

    def _without_vocabularies(self) -> TableColumns:
        return TableColumns(self.is_categorical, [], self.scaler)
