"""Row orders cut into batches, each with what its scatter needs.

The backward pass of a look-up adds up the gradients of all places of the batch that
read the same row of the table: a product with a transposed one-hot matrix. Its
structure follows from the codes alone, so it is found once for each row order and
serves every epoch, sweep and fold that goes over the rows in this order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from sk_embed._arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Batch:
    """A few rows, and the table rows that they read.

    Parameters
    ----------
    rows : ndarray of shape (batch_size,)
        Row numbers.
    codes : ndarray of shape (batch_size * n_columns,)
        Table row read at each place, rows of the batch one after the other.
    touched : ndarray of shape (n_touched,)
        The different table rows among ``codes``, ascending.
    places : ndarray of shape (batch_size * n_columns,)
        Places sorted by the table row that they read.
    boundaries : ndarray of shape (n_touched + 1,)
        Where each touched row's places begin in ``places``.
    """

    rows: IntArray
    codes: IntArray
    touched: IntArray
    places: IntArray
    boundaries: IntArray

    def repeat(self, n_tables: int, table_size: int) -> Batch:
        """Return the batch that reads ``n_tables`` tables, stacked, instead of one.

        The rows appear once for each table. Nothing is sorted again.
        """
        if n_tables == 1:
            return self
        table = np.arange(n_tables, dtype=self.codes.dtype)[:, None]
        n_places = len(self.codes)
        ends = self.boundaries[1:] + table * n_places
        return Batch(
            rows=np.tile(self.rows, n_tables),
            codes=(self.codes + table * table_size).ravel(),
            touched=(self.touched + table * table_size).ravel(),
            places=(self.places + table * n_places).ravel(),
            boundaries=np.concatenate([self.boundaries[:1], ends.ravel()]),
        )

    def scatter(self, gradient: FloatArray) -> FloatArray:
        """Sum the gradient at the places into one row for each touched table row.

        ``gradient`` has shape (batch_size * n_columns, width).
        """
        ones = np.ones(len(self.places), gradient.dtype)
        shape = (len(self.touched), len(self.places))
        one_hot = csr_array((ones, self.places, self.boundaries), shape=shape)
        return one_hot @ gradient


class RowOrder:
    """One order of the rows, cut into batches of equal size (the last may be smaller).

    Parameters
    ----------
    stacked_codes : ndarray of shape (n_rows, n_columns)
        Codes as row numbers of the stacked table.
    order : ndarray of shape (n_rows,)
        A permutation of the rows.
    batch_size : int
        Rows of a batch.
    """

    def __init__(self, stacked_codes: IntArray, order: IntArray, batch_size: int) -> None:
        n_rows, n_columns = stacked_codes.shape
        self._order = order
        self._codes = stacked_codes[order].ravel()
        self._batch_starts = np.append(np.arange(0, n_rows, batch_size), n_rows)
        first_place = self._batch_starts * n_columns
        batch_of_place = np.repeat(np.arange(len(first_place) - 1), np.diff(first_place))

        n_codes = int(self._codes.max()) + 1
        sort_key = batch_of_place * n_codes + self._codes
        by_key = np.argsort(sort_key, kind="stable")
        sorted_key = sort_key[by_key]
        is_first = np.append(True, sorted_key[1:] != sorted_key[:-1])
        starts = np.flatnonzero(is_first)
        self._touched = self._codes[by_key[starts]]
        self._segment_starts = np.searchsorted(starts, first_place)
        self._starts = np.append(starts, len(by_key)).astype(np.int32)
        self._places = (by_key - first_place[batch_of_place]).astype(np.int32)
        self._first_place = first_place

    def __iter__(self) -> Iterator[Batch]:
        for number in range(len(self._batch_starts) - 1):
            row_slice = slice(*self._batch_starts[number : number + 2])
            place_slice = slice(*self._first_place[number : number + 2])
            first, last = self._segment_starts[number : number + 2]
            yield Batch(
                rows=self._order[row_slice],
                codes=self._codes[place_slice],
                touched=self._touched[first:last],
                places=self._places[place_slice],
                boundaries=self._starts[first : last + 1] - self._starts[first],
            )
