"""Columns whose categories become more, chunk by chunk, without a pass over those known."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._columns.comparable import factorize
from sk_embed._columns.exact import as_array, as_objects, narrowed
from sk_embed._columns.lookup import UNKNOWN, as_keys
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
    new : list
        New categories, sorted, None for missing.
    """

    codes: IntArray
    new: list[Any]


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
        known = np.array(as_objects(vocabulary.categories))
        known[pd.isna(known)] = None
        self._values: list[Any] = known.tolist()
        self._code_of = {key: code for code, key in enumerate(as_keys(known))}
        self._counts = GrowingArray(vocabulary.counts)

    def __len__(self) -> int:
        return len(self._values)

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
        places, values = occurs, as_objects(uniques[occurs])
        if (codes < 0).any():
            places, values = np.append(places, len(uniques)), np.append(values, [None])
        keys = as_keys(values)
        is_new = np.array([key not in self._code_of for key in keys], dtype=bool)
        new = _sorted(values[is_new]) if is_new.any() and not self.is_fixed else []
        behind = {key: len(self) + n for n, key in enumerate(as_keys(as_array(new)))}
        code_of_unique = np.full(len(uniques) + 1, UNKNOWN, dtype=np.int32)
        code_of_unique[places] = [
            self._code_of.get(key, behind.get(key, UNKNOWN)) for key in keys
        ]
        return Coded(code_of_unique.take(codes), new)

    def grow(self, new: list[Any]) -> None:
        """Append new categories."""
        behind = enumerate(as_keys(as_array(new)), start=len(self))
        self._code_of |= {key: code for code, key in behind}
        self._values += new
        self._counts.grow(len(new))

    def count(self, codes: IntArray) -> None:
        """Count the rows of a chunk."""
        different, n_rows = np.unique(codes[codes >= 0], return_counts=True)
        self._counts.values[different] += n_rows

    def as_vocabulary(self) -> Vocabulary:
        """Return the categories so far, for looking them up."""
        present, code_of, missing = self._values, None, self._code_of.get(None)
        if missing is None:
            code_of = self._code_of
        else:
            present = present[:missing] + present[missing + 1 :]
        values = narrowed(as_array(present))
        if missing is not None:
            values = insert_missing(values, missing)
        counts, shared = self._counts.values.astype(np.intp), np.zeros(len(values), bool)
        return Vocabulary(self.name, values, counts, shared, code_of)


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


def _sorted(new: NDArray[Any]) -> list[Any]:
    """Return new categories as fit sorts them, missing last."""
    is_missing = pd.isna(new)
    present = new[~is_missing]
    ordered: list[Any] = present[sorting_order(narrowed(present))].tolist()
    return ordered + [None] * int(is_missing.sum())
