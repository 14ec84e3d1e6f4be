"""Cells: pairs of categories of two columns, as the codes of a column of their own.

A cell's *key* holds the codes of both its categories, ``code_a * 2**32 + code_b``, so that
it stays the same when either column grows. The cells of a pair of columns that have rows
are numbered in the order of their keys; the code behind them, like the last code of any
column, stands for what is not listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import NamedTuple, TypeAlias

import numpy as np

from sk_embed._arrays import FloatArray, IntArray

Pair: TypeAlias = tuple[int, int]

_CODES = np.int64(2**32)
# Rows whose cells are found at a time: 8 MiB of keys, and a few copies of them.
ROWS_OF_A_STRETCH = 2**20


class CrossRule(NamedTuple):
    """Which pairs of columns to cross: given ones, or ones that held-out rows choose.

    Parameters
    ----------
    pairs : tuple of pairs of int
        Pairs of columns that are given; none where they are chosen.
    is_chosen : bool
        Whether pairs are chosen by rows that were held out.
    """

    pairs: tuple[Pair, ...] = ()
    is_chosen: bool = False

    @property
    def may_cross(self) -> bool:
        """Whether any pair may be crossed, so that folds are needed."""
        return self.is_chosen or bool(self.pairs)


NO_CROSSES = CrossRule()


def keys_of(first: IntArray, second: IntArray) -> IntArray:
    """Return the key of each row's cell, shape (n_rows,), given its codes."""
    # Codes may be of one byte, whose products are of no larger type before numpy 2.
    keys: IntArray = first.astype(np.int64) * _CODES + second.astype(np.int64)
    return keys


def codes_of(keys: IntArray) -> tuple[IntArray, IntArray]:
    """Return the codes of each cell's two categories, shape (n_cells,) each."""
    first, second = np.divmod(keys, _CODES)
    return first, second


class ListedCells(NamedTuple):
    """The cells of a pair of columns that have rows.

    Parameters
    ----------
    keys : ndarray of shape (n_cells,)
        Keys of the cells that have rows, rising.
    n_rows : ndarray of shape (n_cells,)
        Number of rows of each cell, whatever they weigh.
    """

    keys: IntArray
    n_rows: IntArray


class Interaction(NamedTuple):
    """Effects of all cells of a pair of columns, as products of numbers of the categories.

    The effect of the cell (a, b) is ``sum_r first[a, r] second[b, r]``, so that it is known
    of cells without rows too.

    Parameters
    ----------
    first : ndarray of shape (n_codes_first, rank)
        Numbers of the first column's categories; zeros, the last, are those of any other.
    second : ndarray of shape (n_codes_second, rank, n_outputs)
        Numbers of the second column's categories.
    """

    first: FloatArray
    second: FloatArray

    @property
    def rank(self) -> int:
        """Numbers of each category."""
        return self.first.shape[1]

    def effects(self, first: IntArray, second: IntArray) -> FloatArray:
        """Return the effects of cells, given their codes, of shape (n_cells, n_outputs)."""
        effects = np.zeros((len(first), self.second.shape[2]), self.second.dtype)
        # One product after the other: a sum of another order would have other last bits.
        for of_first, of_second in zip(
            self.first.T, self.second.swapaxes(0, 1), strict=True
        ):
            effects += of_first.take(first)[:, None] * of_second.take(second, axis=0)
        return effects

    def scaled(self, factor: float) -> Interaction:
        """Return the same of effects that are larger by a factor."""
        return self._replace(second=self.second * factor)

    def astype(self, dtype: np.dtype) -> Interaction:
        """Return the same in floats of a type."""
        return Interaction(self.first.astype(dtype), self.second.astype(dtype))


def listed_cells(codes: IntArray, n_codes: IntArray, pair: Pair) -> ListedCells:
    """Return the cells of a pair of columns that have rows.

    Parameters
    ----------
    codes : ndarray of shape (n_rows, n_columns)
        Code of each row's category.
    n_codes : ndarray of shape (n_columns,)
        Number of codes of each column; the last code of a column is in no cell.
    pair : tuple of int
        Numbers of the two columns.
    """
    a, b = pair
    is_listed = (codes[:, a] < n_codes[a] - 1) & (codes[:, b] < n_codes[b] - 1)
    keys = keys_of(codes[is_listed, a], codes[is_listed, b])
    return ListedCells(*np.unique(keys, return_counts=True))


def cells_of_stretches(codes: IntArray, n_codes: IntArray, pair: Pair) -> ListedCells:
    """Return the same as :func:`listed_cells`, a stretch of the rows after the other."""
    parts = (listed_cells(codes[s], n_codes, pair) for s in _stretches(len(codes)))
    return reduce(_merged, parts)


def _merged(a: ListedCells, b: ListedCells) -> ListedCells:
    keys, place = np.unique(np.concatenate([a.keys, b.keys]), return_inverse=True)
    n_rows = np.bincount(place, np.concatenate([a.n_rows, b.n_rows]), len(keys))
    return ListedCells(keys, n_rows.astype(np.intp))


def crossed_codes(
    codes: IntArray, pairs: Sequence[Pair], known: list[IntArray]
) -> Iterator[IntArray]:
    """Yield stretches of the codes with pairs as further columns, in int32.

    The arguments are those of :func:`columns_of_cells`.
    """
    for stretch in _stretches(len(codes)):
        of_rows = codes[stretch]
        cells, _ = columns_of_cells(of_rows, pairs, known)
        yield np.hstack([of_rows, cells], dtype=np.int32, casting="unsafe")


def _stretches(n_rows: int) -> Iterator[slice]:
    for start in range(0, n_rows, ROWS_OF_A_STRETCH):
        yield slice(start, start + ROWS_OF_A_STRETCH)


def cell_codes(keys: IntArray, known: IntArray) -> IntArray:
    """Return the number of each key among the rising ``known`` ones, or their number."""
    if not len(known):
        return np.zeros(len(keys), dtype=np.intp)
    places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[places] == keys, places, len(known))


def parents_of_cells(
    n_codes: IntArray, pairs: Sequence[Pair], known: list[IntArray]
) -> IntArray:
    """Return the two categories of each cell, as rows of the stack of all tables.

    Parameters
    ----------
    n_codes : ndarray of shape (n_columns,)
        Number of codes of each column, without those of the pairs.
    pairs : sequence of tuple of int
        Numbers of two columns each.
    known : list of ndarray of shape (n_cells,)
        Keys of each pair's cells.

    Returns
    -------
    parents : ndarray of int32 of shape (n_stacked_cells, 2)
        For the codes of all pairs one after the other. The last code of a pair, which has
        no rows, stands in its place in the last categories of both columns.
    """
    ends = np.cumsum(n_codes)
    return np.concatenate(
        [
            np.column_stack(
                [
                    np.append(ends[column] - n_codes[column] + codes, ends[column] - 1)
                    for column, codes in zip(pair, codes_of(keys), strict=True)
                ]
            )
            for pair, keys in zip(pairs, known, strict=True)
        ],
        dtype=np.int32,
        casting="unsafe",
    )


def columns_of_cells(
    codes: IntArray, pairs: Sequence[Pair], known: list[IntArray]
) -> tuple[IntArray, IntArray]:
    """Return pairs as columns of their own: codes, and the number of each one's codes.

    Parameters
    ----------
    codes : ndarray of shape (n_rows, n_columns)
        Code of each row's category.
    pairs : sequence of tuple of int
        Numbers of two columns each.
    known : list of ndarray of shape (n_cells,)
        Keys of each pair's cells.

    Returns
    -------
    codes : ndarray of int32 of shape (n_rows, n_pairs)
    n_codes : ndarray of shape (n_pairs,)
    """
    columns = [
        cell_codes(keys_of(codes[:, a], codes[:, b]), keys)
        for (a, b), keys in zip(pairs, known, strict=True)
    ]
    n_codes = np.array([len(keys) + 1 for keys in known])
    return np.column_stack(columns).astype(np.int32), n_codes
