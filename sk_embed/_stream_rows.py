"""Places of growing vocabularies in one growing store."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sk_embed._arrays import IntArray
from sk_embed._columns.growing import Coded, GrowingVocabulary
from sk_embed._growing import GrowingArray


class StoreRows:
    """The store row of each category of several vocabularies.

    Each has one row more, behind those that it begins with, for what is not listed.

    Parameters
    ----------
    vocabularies : sequence of GrowingVocabulary
        Vocabularies that share the store, with the categories that are known at first.
    """

    def __init__(self, vocabularies: Sequence[GrowingVocabulary]) -> None:
        self._vocabularies = vocabularies
        n_codes = [len(vocabulary) + 1 for vocabulary in vocabularies]
        ends = np.cumsum(n_codes, dtype=np.int32)
        self._others = ends - 1
        self._rows = [
            GrowingArray(np.arange(end - n, end - 1, dtype=np.int32))
            for end, n in zip(ends, n_codes, strict=True)
        ]
        self.n_known = int(ends[-1]) if len(ends) else 0

    @property
    def of_categories(self) -> list[IntArray]:
        """Store row of each category of each vocabulary."""
        return [rows.values for rows in self._rows]

    def find(self, coded: Sequence[Coded], n_rows: int) -> tuple[IntArray, int]:
        """Return the store row of each value of a chunk, and the number of new rows.

        Parameters
        ----------
        coded : sequence of Coded
            The chunk's values in each vocabulary, before these have grown by it.
        n_rows : int
            Number of rows of the chunk.

        Returns
        -------
        rows : ndarray of int32 of shape (n_rows, n_vocabularies)
        n_new : int
        """
        found, n_new = np.empty((n_rows, len(self._rows)), dtype=np.int32), 0
        parts = zip(found.T, self._rows, self._others, coded, strict=True)
        for store, rows, other, of_values in parts:
            first = self.n_known + n_new
            codes = of_values.codes
            is_known = (codes >= 0) & (codes < len(rows))
            store[:] = np.where(codes < 0, other, codes - len(rows) + first)
            store[is_known] = rows.values[codes[is_known]]
            n_new += of_values.n_new
        return found, n_new

    def grow(self, coded: Sequence[Coded]) -> None:
        """Take over the new categories of a chunk that was learned, and count its rows."""
        first = self.n_known
        parts = zip(self._rows, self._vocabularies, coded, strict=True)
        for rows, vocabulary, of_values in parts:
            end = first + of_values.n_new
            vocabulary.grow(of_values)
            rows.grow(of_values.n_new, np.arange(first, end, dtype=np.int32))
            first = end
        self.n_known = first
