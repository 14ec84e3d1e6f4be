"""Rows in blocks that never meet: only sums over the blocks are ever computed.

A block may be on another machine than the next. Each summand is a pure function of a block
and of arguments that are the same for all blocks, and summands are added in a fixed order:
whoever computes them, and however often, the sum has the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from sk_embed._arrays import BoolArray, FloatArray, IntArray
from sk_embed._engine.cells import ListedCells, Pair, columns_of_cells, listed_cells
from sk_embed._engine.rows import (
    ALL_ROWS,
    Rows,
    effective_number,
    joined,
    without_fold,
)

# Answer of a block: entries that can be added to those of another block; lists are joined.
PartialSums: TypeAlias = tuple[Any, ...]

_MAX_SUMMANDS = 8


@dataclass(frozen=True)
class RowSums:
    """Values of some rows of a long table, the others of which are zero.

    Parameters
    ----------
    rows : ndarray of shape (n_rows,)
        Numbers of the rows that are not zero, rising.
    values : ndarray of shape (n_rows, width)
        Values of these rows, in the same order.
    """

    rows: IntArray
    values: FloatArray

    def __add__(self, other: RowSums) -> RowSums:
        rows = np.union1d(self.rows, other.rows)
        values = np.zeros((len(rows), self.values.shape[1]), self.values.dtype)
        values[np.searchsorted(rows, self.rows)] = self.values
        values[np.searchsorted(rows, other.rows)] += other.values
        return RowSums(rows, values)

    def as_table(self, n_rows: int) -> FloatArray:
        """Return the long table, shape (n_rows, width)."""
        table = np.zeros((n_rows, self.values.shape[1]), self.values.dtype)
        table[self.rows] = self.values
        return table


@dataclass(frozen=True)
class Block:
    """Some of the rows, with codes of their own.

    Parameters
    ----------
    number : int
        Number of the block, from which it draws its row orders.
    rows : Rows
        Rows of the block; their codes are those of the categories that occur here.
    table_rows : ndarray of shape (sum(rows.n_codes),)
        Row of each of these categories in the stack of all tables, rising.
    is_used : ndarray of bool of shape (3 + n_folds, n_rows)
        Whether each row is used in all rows, in each of two halves, and without each fold.
    """

    number: int
    rows: Rows
    table_rows: IntArray
    is_used: BoolArray

    def order(self, seeds: Sequence[int]) -> IntArray:
        """Draw an order of the rows, shape (n_rows,)."""
        rng = np.random.default_rng([*seeds, self.number])
        return rng.permutation(len(self.rows)).astype(np.int32)

    def sample(self, n_rows: int, n_all_rows: int) -> tuple[Rows, IntArray]:
        """Return this block's share of ``n_rows`` evenly spaced rows, with stacked codes.

        And the fold of each. The ``n_codes`` of the rows do not count.
        """
        size = -(-n_rows * len(self.rows) // n_all_rows)
        places = np.linspace(0, len(self.rows) - 1, min(size, len(self.rows)))
        chosen = places.astype(np.intp)
        rows = self.rows.part(chosen)
        codes = self.table_rows.take(rows.stacked_codes_of(slice(None)))
        rows = Rows(codes, rows.n_codes, rows.context, rows.targets, rows.weight)
        return rows, fold_of_rows(self.is_used[without_fold(0) :, chosen])

    def codes(self, n_codes: IntArray) -> IntArray:
        """Return the rows' codes as all blocks count them, shape (n_rows, n_columns)."""
        stacked = self.table_rows.take(self.rows.stacked_codes_of(slice(None)))
        offsets: IntArray = np.cumsum(n_codes) - n_codes
        return stacked - offsets


def fold_of_rows(is_training: BoolArray) -> IntArray:
    """Return a fold that does not train on each row: its own, the first if several.

    ``is_training`` has the shape (n_folds, n_rows).
    """
    return np.argmin(is_training, axis=0) if len(is_training) else np.empty(0, np.intp)


def make_block(
    number: int, rows: Rows, fold_of_row: IntArray | None, n_folds: int, seed: int
) -> Block:
    """Make a block of rows.

    Parameters
    ----------
    number : int
        Number of the block, from which it draws its row orders.
    rows : Rows
        With codes as all blocks count them.
    fold_of_row : ndarray of shape (n_rows,) or None
        The test fold of each row.
    n_folds : int
        Number of folds; 0 if ``fold_of_row`` is None.
    seed : int
        Seed from which the halves are drawn.
    """
    in_first = np.zeros(len(rows), dtype=bool)
    order = np.random.default_rng([seed, number]).permutation(len(rows))
    in_first[order[: len(rows) // 2]] = True
    is_used = [np.ones_like(in_first), in_first, ~in_first]
    if fold_of_row is not None:
        is_used += [fold_of_row != fold for fold in range(n_folds)]
    return _with_local_codes(number, rows, np.array(is_used))


def _with_local_codes(number: int, rows: Rows, is_used: BoolArray) -> Block:
    """Return rows, with codes as all blocks count them, as a block."""
    stacked = replace(rows, codes=rows.stacked_codes_of(slice(None)))
    local = stacked.with_local_codes()
    return Block(number, local.rows, local.table_rows, is_used)


def with_cells(
    block: Block, n_codes: IntArray, pairs: Sequence[Pair], known: list[IntArray]
) -> Block:
    """Return a block with pairs of its columns as further columns.

    Parameters
    ----------
    block : Block
        Block whose rows lack these columns.
    n_codes : ndarray of shape (n_columns,)
        Codes of each of its columns, as all blocks count them.
    pairs : sequence of tuple of int
        Numbers of two columns each.
    known : list of ndarray of shape (n_cells,)
        Keys of each pair's cells, of all blocks.
    """
    codes = block.codes(n_codes)
    rows = replace(block.rows, codes=codes, n_codes=n_codes)
    rows = rows.with_columns(*columns_of_cells(codes, pairs, known))
    return _with_local_codes(block.number, rows, block.is_used)


def cells_of_pairs(blocks: Blocks, pairs: Sequence[Pair]) -> list[ListedCells]:
    """Return each pair's cells that have rows in any block."""
    found = blocks.sum_over(_cells_of_pairs, blocks.n_codes, pairs)
    return [ListedCells(of.rows, of.values[:, 0].astype(np.intp)) for of in found]


def _cells_of_pairs(block: Block, n_codes: IntArray, pairs: Sequence[Pair]) -> PartialSums:
    codes = block.codes(n_codes)
    cells = [listed_cells(codes, n_codes, pair) for pair in pairs]
    return tuple(RowSums(of.keys, of.n_rows[:, None] * 1.0) for of in cells)


class Blocks(Protocol):
    """Blocks of rows, wherever they are."""

    @property
    def n_codes(self) -> IntArray:
        """Number of codes of each column, as all blocks together count them."""

    def sum_over(
        self, function: Callable[..., PartialSums], *arguments: Any
    ) -> PartialSums:
        """Return the sum of ``function(block, *arguments)`` over the blocks.

        The function must be pure, and like its arguments can be pickled.
        """

    def mapped(
        self, function: Callable[..., Block], n_codes: IntArray, *arguments: Any
    ) -> Blocks:
        """Return ``function(block, *arguments)`` of each block, with these codes.

        The function must be pure, and like its arguments can be pickled.
        """


class BlockList:
    """Blocks that are all here.

    Parameters
    ----------
    blocks : list of Block
        Blocks of rows, one at least.
    n_codes : ndarray of shape (n_columns,)
        Number of codes of each column.
    """

    def __init__(self, blocks: list[Block], n_codes: IntArray) -> None:
        self.blocks, self.n_codes = blocks, n_codes

    def sum_over(
        self, function: Callable[..., PartialSums], *arguments: Any
    ) -> PartialSums:
        """Return the sum of ``function(block, *arguments)`` over the blocks."""
        parts: list[Any] = [function(block, *arguments) for block in self.blocks]
        while len(parts) > 1:
            parts = [add_up(group) for group in in_groups(parts)]
        return parts[0]

    def mapped(
        self, function: Callable[..., Block], n_codes: IntArray, *arguments: Any
    ) -> BlockList:
        """Return ``function(block, *arguments)`` of each block, with these codes."""
        return BlockList([function(block, *arguments) for block in self.blocks], n_codes)


def in_groups(parts: list[Any]) -> list[list[Any]]:
    """Return the groups in which parts are added, level by level."""
    starts = range(0, len(parts), _MAX_SUMMANDS)
    return [parts[start : start + _MAX_SUMMANDS] for start in starts]


def add_up(group: list[PartialSums]) -> PartialSums:
    """Return the sum of some answers, from the first to the last."""
    return reduce(lambda a, b: tuple(x + y for x, y in zip(a, b, strict=True)), group)


class RowSummary(NamedTuple):
    """What must be known of all rows before anything is learned.

    Parameters
    ----------
    n_rows, n_context : int
        Number of rows, and of numeric columns.
    weight : ndarray of shape (3 + n_folds,)
        Weight of the rows in each subset; see :class:`Block`.
    target_sum : ndarray of shape (3 + n_folds, n_outputs)
        Weighted sum of their targets.
    code_weight : ndarray of shape (sum(n_codes), 3 + n_folds)
        Weight of each code's rows.
    code_squares : ndarray of shape (sum(n_codes),)
        Sum of squares of the weights of each code's rows.
    """

    n_rows: int
    n_context: int
    weight: FloatArray
    target_sum: FloatArray
    code_weight: FloatArray
    code_squares: FloatArray

    @property
    def mean_target(self) -> FloatArray:
        """Weighted mean of all targets, shape (n_outputs,)."""
        return self.target_sum[ALL_ROWS] / self.weight[ALL_ROWS]

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return len(self.weight) - without_fold(0)

    def weight_of_codes(self, n_codes: IntArray, subset: int) -> list[FloatArray]:
        """Return the weight of each code's rows in a subset, (n_codes,) for each column."""
        return np.split(self.code_weight[:, subset], np.cumsum(n_codes)[:-1])

    def effective_counts(self, n_codes: IntArray) -> list[FloatArray]:
        """Return the effective number of rows, ``(sum w)^2 / sum w^2``.

        Of each code of each column, shape (n_codes,) each.
        """
        effective = effective_number(self.code_weight[:, ALL_ROWS], self.code_squares)
        return np.split(effective, np.cumsum(n_codes)[:-1])


def summarize(blocks: Blocks) -> RowSummary:
    """Ask the blocks what must be known before anything is learned."""
    n_blocks, n_rows, n_context, weight, target_sum, of_codes = blocks.sum_over(
        _summarize_block
    )
    table = of_codes.as_table(int(blocks.n_codes.sum()))
    n_context //= n_blocks
    return RowSummary(n_rows, n_context, weight, target_sum, table[:, :-1], table[:, -1])


def _summarize_block(block: Block) -> PartialSums:
    rows = block.rows
    weight = rows.weight * block.is_used.astype(np.float64)
    codes = rows.stacked_codes_of(slice(None)).ravel()
    n_columns, n_codes = rows.codes.shape[1], rows.n_table_rows
    weightings = [*weight, rows.weight.astype(np.float64) ** 2]
    of_codes = [np.bincount(codes, np.repeat(w, n_columns), n_codes) for w in weightings]
    return (
        1,
        len(rows),
        rows.context.shape[1],
        weight.sum(axis=1),
        weight @ rows.targets,
        RowSums(block.table_rows, np.column_stack(of_codes)),
    )


def sample_of(blocks: Blocks, n_rows: int, summary: RowSummary) -> tuple[Rows, IntArray]:
    """Gather about ``n_rows`` evenly spaced rows of all blocks together, or all rows.

    Returns
    -------
    rows : Rows
        With codes as all blocks count them.
    fold_of_row : ndarray of shape (n_rows,)
        Fold of each; empty if there are no folds.
    """
    (samples,) = blocks.sum_over(_sample_of, n_rows, summary.n_rows)
    parts, folds = zip(*samples, strict=True)
    offsets = np.cumsum(blocks.n_codes) - blocks.n_codes
    rows = joined(parts, blocks.n_codes)
    rows = replace(rows, codes=rows.codes - offsets.astype(np.int32))
    return rows, np.concatenate(folds)


def _sample_of(block: Block, n_rows: int, n_all_rows: int) -> PartialSums:
    return ([block.sample(n_rows, n_all_rows)],)
