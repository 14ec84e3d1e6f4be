"""Columns whose categories become more, chunk by chunk, without a pass over those known."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._columns.table import TableColumns
from sk_embed._columns.vocabulary import (
    UNKNOWN,
    Vocabulary,
    as_plain_array,
    factorize,
    insert_missing,
    sorting_order,
)


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
        What is known at first.
    is_fixed : bool
        Whether the user has listed all categories.
    """

    def __init__(self, vocabulary: Vocabulary, is_fixed: bool) -> None:
        self.name, self.is_fixed = vocabulary.name, is_fixed
        known = pd.Series(vocabulary.categories, dtype=vocabulary.categories.dtype)
        is_missing = known.isna().to_numpy()
        self._values: list[Any] = [
            None if missing else value
            for value, missing in zip(known.tolist(), is_missing, strict=True)
        ]
        self._code_of = {value: code for code, value in enumerate(self._values)}
        self.counts: list[int] = vocabulary.counts.tolist()

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
        values: list[Any] = uniques[occurs].tolist()
        if (codes < 0).any():
            values.append(None)
        new = [value for value in values if value not in self._code_of]
        new = [] if self.is_fixed or not new else _sorted(new)
        behind = {value: len(self) + place for place, value in enumerate(new)}
        code_of_unique = np.full(len(uniques) + 1, UNKNOWN, dtype=np.int32)
        places = np.append(occurs, len(uniques))[: len(values)]
        code_of_unique[places] = [
            self._code_of.get(value, behind.get(value, UNKNOWN)) for value in values
        ]
        return Coded(code_of_unique.take(codes), new)

    def grow(self, new: list[Any]) -> None:
        """Append new categories."""
        for value in new:
            self._code_of[value] = len(self._values)
            self._values.append(value)
        self.counts += [0] * len(new)

    def count(self, codes: IntArray) -> None:
        """Count the rows of a chunk."""
        different, n_rows = np.unique(codes[codes >= 0], return_counts=True)
        for code, n in zip(different.tolist(), n_rows.tolist(), strict=True):
            self.counts[code] += n

    def as_vocabulary(self) -> Vocabulary:
        """Return the categories so far, for looking them up."""
        present = [value for value in self._values if value is not None]
        values = as_plain_array(pd.Series(present, dtype=object).infer_objects())
        if None in self._code_of:
            values = insert_missing(values, self._code_of[None])
        counts = np.array(self.counts, dtype=np.intp)
        return Vocabulary(self.name, values, counts, np.zeros(len(values), dtype=bool))


class GrowingColumns:
    """The columns of a stream.

    Parameters
    ----------
    columns : TableColumns
        What is known at first; numeric columns stay scaled as they are here.
    is_fixed : list of bool
        Whether the user has listed all categories, for each categorical column.
    handle_unknown : {"prior", "error"}
        What becomes of a value that is not in such a list.
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


def _sorted(new: list[Any]) -> list[Any]:
    """Return new categories as fit sorts them, missing last."""
    present = [value for value in new if value is not None]
    values: NDArray[Any] = as_plain_array(pd.Series(present, dtype=object).infer_objects())
    ordered = [present[place] for place in sorting_order(values)]
    return ordered + [None] * (len(present) < len(new))
