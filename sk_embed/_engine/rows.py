"""The rows that the engine learns from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray, IntArray

# Rows that are turned into double precision at a time: a few MiB.
_ROWS_OF_A_BLOCK = 65_536
# Rows to which the offsets of the columns are added at a time.
_ROWS_OF_TILED_OFFSETS = 1_024

# Codes up to which rows in memory keep them as row numbers in the stack: 16 MiB.
_MAX_CODES_KEPT = 2**22

# Numbers of subsets of the rows: all of them, two disjoint halves, then all rows without
# those of each fold.
ALL_ROWS = 0
HALVES = (1, 2)
_FIRST_FOLD = 3


@dataclass(frozen=True)
class Rows:
    """The training rows as arrays.

    Parameters
    ----------
    codes : ndarray of shape (n_rows, n_columns)
        Code of each row's category, counted within its column.
    n_codes : ndarray of shape (n_columns,)
        Number of codes of each column.
    context : ndarray of shape (n_rows, n_context)
        Numeric columns, scaled and bounded to a few units.
    targets : ndarray of shape (n_rows, n_outputs)
        As the loss wants them.
    weight : ndarray of shape (n_rows,)
        Positive weight of each row.
    cell_parents : ndarray of int32 of shape (n_cells, 2), optional
        Two categories of each code of the last columns, if these are pairs of others, as
        rows of the stack of all tables.
    may_keep_stacked : bool, default=False
        Whether codes are kept as rows of the stack as well, if they are not too many. They
        are read some hundred times.
    """

    codes: IntArray
    n_codes: IntArray
    context: FloatArray
    targets: FloatArray
    weight: FloatArray
    cell_parents: IntArray | None = None
    may_keep_stacked: bool = False

    @cached_property
    def offsets(self) -> IntArray:
        """First row of each column's table in the stack of all tables."""
        return np.concatenate([[0], np.cumsum(self.n_codes)[:-1]]).astype(np.int32)

    def mean(self, values: FloatArray) -> FloatArray:
        """Return the weighted mean over rows, in double precision: sums are long."""
        return np.average(values, axis=0, weights=self._double_weight)

    @cached_property
    def _has_one_weight(self) -> bool:
        """Whether all weights are one number that is seen from each row."""
        return self.weight.strides == (0,)

    @property
    def _double_weight(self) -> FloatArray:
        """Weight of each row in double precision."""
        if not self._has_one_weight:
            return self.weight.astype(np.float64)
        return np.broadcast_to(self.weight[:1].astype(np.float64), self.weight.shape)

    def context_variance(self) -> FloatArray:
        """Return the weighted variance of each context column, shape (n_context,).

        To the bits of :meth:`mean`, but without a copy of all rows in double precision:
        numpy adds the rows of several columns one after the other, as this does by blocks.
        A single column it adds pairwise, which takes all rows at once.
        """
        center = self._mean_by_blocks(lambda block: self.context[block])
        return self._mean_by_blocks(lambda block: (self.context[block] - center) ** 2)

    def _mean_by_blocks(self, values_of: Callable[[slice], FloatArray]) -> FloatArray:
        weight = self._double_weight
        n_in_block = _ROWS_OF_A_BLOCK if self.context.shape[1] > 1 else len(self)
        total = values_of(slice(0, 0)).astype(np.float64)
        for start in range(0, len(self), n_in_block):
            block = slice(start, start + n_in_block)
            weighted = values_of(block) * weight[block, None]
            total = np.concatenate([total, weighted]).sum(axis=0, keepdims=True)
        return total[0] / weight.sum()

    @property
    def n_table_rows(self) -> int:
        """Rows of the stack of all tables."""
        return int(self.n_codes.sum())

    def stacked_codes(self, rows: IntArray) -> IntArray:
        """Return the codes of some rows as row numbers in the stack of all tables."""
        if self._kept_stacked is not None:
            return self._kept_stacked.take(rows, axis=0)
        return self._stacked(self.codes.take(rows, axis=0))

    def stacked_codes_of(self, rows: slice) -> IntArray:
        """Return the same for a stretch of rows; the result must not be written to."""
        if self._kept_stacked is not None:
            return self._kept_stacked[rows]
        return self._stacked(self.codes[rows])

    @cached_property
    def _kept_stacked(self) -> IntArray | None:
        """Codes of all rows as row numbers in the stack, if they are kept."""
        is_kept = self.may_keep_stacked and self.codes.size <= _MAX_CODES_KEPT
        return self._stacked(self.codes) if is_kept else None

    def _stacked(self, codes: IntArray) -> IntArray:
        # One long sum is several times faster than one short sum for each row.
        stacked = codes.astype(np.int32, order="C")
        flat = stacked.reshape(-1)
        n_tiled = max(len(self._tiled_offsets), 1)
        for start in range(0, len(flat), n_tiled):
            part = flat[start : start + n_tiled]
            part += self._tiled_offsets[: len(part)]
        return stacked

    @cached_property
    def _tiled_offsets(self) -> IntArray:
        """Offsets of a few thousand rows, one row after the other."""
        return np.tile(self.offsets, _ROWS_OF_TILED_OFFSETS)

    def part(self, rows: IntArray) -> Rows:
        """Return some of the rows."""
        return replace(
            self,
            codes=self.codes[rows],
            context=self.context[rows],
            targets=self.targets[rows],
            weight=self.weight[rows],
        )

    def with_columns(self, codes: IntArray, n_codes: IntArray) -> Rows:
        """Return the rows with further columns of codes behind their own."""
        return replace(
            self,
            codes=np.hstack([self.codes, codes], dtype=np.int32, casting="unsafe"),
            n_codes=np.concatenate([self.n_codes, n_codes]),
        )

    def weight_of_codes(self) -> FloatArray:
        """Return the weight of each stacked code's rows, shape (sum(n_codes),)."""
        return np.concatenate(
            [
                sums_of_codes(codes, n_codes, lambda rows: self.weight[rows])
                for codes, n_codes in zip(self.codes.T, self.n_codes, strict=True)
            ]
        )

    def with_local_codes(self) -> LocalRows:
        """Return the rows with codes of their own: of those that occur here alone."""
        table_rows = [np.empty(0, dtype=np.int32)]
        codes = [self.codes[:, :0].astype(np.int32)]
        for column in self.codes.T:
            different, code = np.unique(column, return_inverse=True)
            table_rows.append(different)
            codes.append(code.astype(np.int32))
        n_codes = np.array([len(different) for different in table_rows[1:]], dtype=np.intp)
        rows = replace(self, codes=np.column_stack(codes), n_codes=n_codes)
        return LocalRows(rows, np.concatenate(table_rows))

    def sampled(self, n_rows: int) -> IntArray:
        """Return the numbers of ``n_rows`` random rows, or of all if they are hardly more.

        Hardly more are at most twice as many.
        The seed is fixed for the rows to be any: it is no source of what is learned.
        """
        if len(self) <= 2 * n_rows:
            return np.arange(len(self))
        return np.random.default_rng(0).choice(len(self), n_rows, replace=False)

    def sample(self, n_rows: int) -> Rows | None:
        """Return ``n_rows`` random rows, or None if all are at most twice as many."""
        return None if len(self) <= 2 * n_rows else self.part(self.sampled(n_rows))

    def effective_counts(self) -> list[FloatArray]:
        """Return the effective number of rows of each code of each column."""
        weight = self._double_weight
        return [
            effective_number(
                sums_of_codes(codes, n_codes, lambda rows: weight[rows]),
                sums_of_codes(codes, n_codes, lambda rows: weight[rows] ** 2),
            )
            for codes, n_codes in zip(self.codes.T, self.n_codes, strict=True)
        ]

    def with_outputs(self, outputs: slice) -> Rows:
        """Return the rows with some columns of the target alone."""
        if self.targets[:, outputs].shape == self.targets.shape:
            return self
        return replace(self, targets=np.ascontiguousarray(self.targets[:, outputs]))

    def __len__(self) -> int:
        return len(self.codes)


class LocalRows(NamedTuple):
    """Rows with codes of their own.

    Parameters
    ----------
    rows : Rows
        Rows whose codes are numbered among those that occur here, column by column.
    table_rows : ndarray of shape (sum(rows.n_codes),)
        Code that each of these has elsewhere, as a row of a store or of stacked tables.
    """

    rows: Rows
    table_rows: IntArray


def without_fold(fold: int) -> int:
    """Return the number of the subset of all rows without those of a fold."""
    return _FIRST_FOLD + fold


def joined(parts: Sequence[Rows], n_codes: IntArray) -> Rows:
    """Return the rows of several parts, one behind the other, with these ``n_codes``."""
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("codes", "context", "targets", "weight")
    }
    return Rows(n_codes=n_codes, **arrays)


def sums_of_codes(
    codes: IntArray, n_codes: int, weight_of: Callable[[slice], FloatArray]
) -> FloatArray:
    """Return the weight of the rows of each code, summed in double precision.

    These are the bits of ``numpy.bincount``, without copies of all rows in the types that
    it asks for.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Code of each row's category.
    n_codes : int
        Number of codes, with and without rows.
    weight_of : callable
        Returns the weights of a stretch of the rows.
    """
    sums = np.zeros(n_codes)
    for start in range(0, len(codes), _ROWS_OF_A_BLOCK):
        rows = slice(start, start + _ROWS_OF_A_BLOCK)
        weight = weight_of(rows).astype(np.float64, copy=False)
        np.add.at(sums, codes[rows].astype(np.intp), weight)
    return sums


def effective_number(weight: FloatArray, squares: FloatArray) -> FloatArray:
    """Return the effective number of rows, given the sums of weights and their squares.

    One row that outweighs all others is one row: ``(sum w)^2 / sum w^2``.
    """
    return np.divide(weight**2, squares, out=np.zeros(len(weight)), where=squares > 0)
