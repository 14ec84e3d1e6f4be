"""Row orders cut into batches, and the place of each code among those that a batch reads.

The backward pass of a look-up adds up the gradients of all places of the batch that
read the same row of the table: a product with a transposed one-hot matrix. Its columns
are the places, each with a single one in the row of its *slot*, the number of its code
among the different codes of the batch. Slots are found without sorting: each place
writes its own number at its code into one long array; the place whose number is still
there when all have written stands for its code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sk_embed._arrays import BoolArray, FloatArray, IntArray
from sk_embed._engine.one_hot import add_transposed_product
from sk_embed._engine.rows import Rows

# Stretches whose rows are mixed with each other. Sixteen let rows that follow each other
# in a sorted table meet rows from all over it, and each is still read from disk at once.
_STRETCHES_IN_REACH = 16
# Batches whose codes are read by one call.
_BATCHES_READ_AT_ONCE = 16


class Batch(NamedTuple):
    """A few rows, and the table rows that they read.

    Parameters
    ----------
    rows : ndarray of shape (n_rows,)
        Numbers of the batch's rows among all rows.
    table_rows : ndarray of shape (n_read,)
        The different table rows that are read.
    slots : ndarray of shape (n_rows, n_columns)
        Position in ``table_rows`` of the table row that each row reads, of each column.
    """

    rows: IntArray
    table_rows: IntArray
    slots: IntArray


class Copies(NamedTuple):
    """The rows of a batch, once for each table that learns from them.

    Parameters
    ----------
    table : ndarray of shape (n_copies,)
        Number of the table that each copy is for.
    row : ndarray of shape (n_copies,)
        Place of the row in the batch.
    slots : ndarray of shape (n_copies, n_columns)
        Position of the vector that each copy reads, of each column, where those of all
        tables lie side by side.
    """

    table: IntArray
    row: IntArray
    slots: IntArray


class RowOrder:
    """One order of the rows, cut into batches of equal size (the last may be smaller).

    Parameters
    ----------
    rows : Rows
        Rows that the order is of.
    order : ndarray of shape (n_rows,)
        A permutation of the rows, or a part of one.
    batch_size : int
        Number of rows of a batch.
    """

    def __init__(self, rows: Rows, order: IntArray, batch_size: int) -> None:
        self._rows = rows
        self._order = order
        self._batch_size = batch_size

    def __iter__(self) -> Iterator[Batch]:
        slot_of_code = np.zeros(self._rows.n_table_rows, dtype=np.int32)
        n_read, n_columns = (
            _BATCHES_READ_AT_ONCE * self._batch_size,
            len(self._rows.n_codes),
        )
        for first in range(0, len(self._order), n_read):
            stretch = self._order[first : first + n_read]
            # numpy indexes by its own integers alone, and would convert others at each use.
            codes = self._rows.stacked_codes(stretch).astype(np.intp)
            for start in range(0, len(stretch), self._batch_size):
                chosen = slice(start, start + self._batch_size)
                table_rows, slots = _numbered(codes[chosen].ravel(), slot_of_code)
                yield Batch(stretch[chosen], table_rows, slots.reshape(-1, n_columns))


def random_order(rng: np.random.Generator, n_rows: int, n_in_reach: int) -> IntArray:
    """Draw a random order of the rows that reads them in long stretches.

    The rows are cut into stretches, which are shuffled. Then the rows are shuffled within
    ``n_in_reach`` places at a time, which hold several stretches. If all rows are within
    reach, every order is as likely as any other.

    Parameters
    ----------
    rng : Generator
        Source of randomness, which is drawn from.
    n_rows : int
        Number of rows to be put in order.
    n_in_reach : int
        Number of rows that memory can hold at a time.
    """
    rows = np.arange(n_rows, dtype=np.int32)
    if n_rows <= n_in_reach:
        return rng.permutation(rows)
    n_stretches = -(-n_rows * _STRETCHES_IN_REACH // n_in_reach)
    stretches = np.array_split(rows, n_stretches)
    order = np.concatenate([stretches[i] for i in rng.permutation(n_stretches)])
    for start in range(0, n_rows, n_in_reach):
        rng.shuffle(order[start : start + n_in_reach])
    return order


def _numbered(codes: IntArray, slot_of_code: IntArray) -> tuple[IntArray, IntArray]:
    """Return the different codes, and the number of each place's code among them.

    ``slot_of_code`` is scratch space for any code; what it holds does not matter.
    """
    places = np.arange(len(codes), dtype=slot_of_code.dtype)
    slot_of_code[codes] = places
    table_rows = codes[slot_of_code.take(codes) == places]
    slot_of_code[table_rows] = places[: len(table_rows)]
    return table_rows, slot_of_code.take(codes)


def copies_for_tables(batch: Batch, is_used: BoolArray) -> Copies:
    """Copy the rows of a batch for the tables that learn from them.

    ``is_used``, shape (n_tables, n_rows), holds which rows each table learns from.
    """
    n_tables, n_rows = len(is_used), len(batch.rows)
    chosen = np.flatnonzero(is_used.take(batch.rows, axis=1))
    table, row = np.divmod(chosen, n_rows)
    # The slots of each table in turn, for all rows: long sums, which are fast.
    first = (batch.slots * n_tables).reshape(1, -1)
    slots = first + np.arange(n_tables, dtype=first.dtype)[:, None]
    slots = slots.reshape(n_tables * n_rows, -1).take(chosen, axis=0)
    return Copies(table, row, slots)


def scatter(gradient: FloatArray, slots: IntArray, n_slots: int) -> FloatArray:
    """Sum the gradient at the places into one row for each slot.

    Parameters
    ----------
    gradient : ndarray of shape (n_places, width)
        Gradient at the vector that each place reads.
    slots : ndarray of shape (n_places,)
        Number of the slot that each place reads.
    n_slots : int
        Number of slots, and so of rows of the result.

    Returns
    -------
    summed : ndarray of shape (n_slots, width)
    """
    summed = np.zeros((n_slots, gradient.shape[1]), gradient.dtype)
    add_transposed_product(slots[:, None], gradient, summed)
    return summed
