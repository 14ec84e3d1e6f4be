"""The choice of crosses: pairs of columns whose cells have effects of their own."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.additive.cell_evidence import (
    Candidate,
    CellSums,
    Column,
    Parent,
    Scale,
    candidate_of_cells,
    gathered,
)
from sk_embed._engine.additive.residuals import Residuals
from sk_embed._engine.cells import Pair
from sk_embed._engine.losses import Loss
from sk_embed._engine.rows import Rows

# Rows that are screened, if there are more than twice as many: 780 pairs of them take a
# third of the time of a fit.
MAX_ROWS_SCREENED = 30_000
# Number of crosses at most, besides the number of columns.
_MAX_CROSSES = 12
# Number of cells over that of the finer column's categories, up to which one column all
# but tells the other and the pair says nothing new.
_NESTED = 1.02
# Probability with which a table without any cell's effect has a cross.
_LEVEL = 0.05
# Largest p-value of a pair that is tested again after others are taken.
_NEAR = 0.05
# Share of the rows whose category has no rows outside their fold, from which a column
# takes part in no cross.
_MOSTLY_UNKNOWN = 0.5
# Groups of folds, at most: products of all pairs and triples of them are made.
_MAX_FOLDS = 5
_TINY = 1e-30


class Cells(NamedTuple):
    """The cells of a pair of columns that have rows.

    Parameters
    ----------
    of_row : ndarray of shape (n_rows,)
        Number of each row's cell.
    keys : ndarray of shape (n_cells,)
        Pair of categories of each cell, ``code_a * n_codes_b + code_b``, ascending.
    """

    of_row: IntArray
    keys: IntArray


def cells_of(
    codes_a: IntArray, codes_b: IntArray, n_codes_b: int, by_code_b: IntArray
) -> Cells:
    """Return the cells of a pair of columns that have rows.

    ``by_code_b``, shape (n_rows,), holds the rows in the order of their codes in b.
    """
    n_keys = (int(codes_a.max()) + 1) * int(n_codes_b)
    if n_keys <= 4 * len(codes_a):
        # Few possible cells are counted, which is faster than sorting the rows.
        keys = codes_a.astype(np.int64) * n_codes_b + codes_b
        has_rows = np.bincount(keys, minlength=n_keys) > 0
        cell_of_key = np.cumsum(has_rows) - 1
        return Cells(cell_of_key[keys], np.flatnonzero(has_rows))
    # A stable sort by a of rows that are sorted by b sorts them by cell.
    order = by_code_b.take(rows_by_code(codes_a.take(by_code_b)))
    keys = codes_a.take(order).astype(np.int64) * n_codes_b + codes_b.take(order)
    is_first = np.append(True, keys[1:] != keys[:-1])
    of_row = np.empty(len(order), dtype=np.intp)
    of_row[order] = np.cumsum(is_first) - 1
    return Cells(of_row, keys[is_first])


def rows_by_code(codes: IntArray) -> IntArray:
    """Return the rows in the order of their codes, those of one code as they come."""
    # numpy sorts integers of two bytes by counting.
    return codes.astype(np.min_scalar_type(int(codes.max()))).argsort(kind="stable")


def sums_of(of_row: IntArray, n: int, rows: HeldOutRows) -> CellSums:
    """Sum residuals and curvatures over the rows of each of ``n`` cells in each fold."""
    # Codes may be of one byte.
    place = rows.fold * np.int64(n) + of_row
    shape = rows.n_folds, n, -1
    residual = gathered(rows.residual, place, n * rows.n_folds).reshape(shape)
    if rows.is_even:
        # The rows all weigh the same: they are counted.
        counts = np.bincount(place, minlength=n * rows.n_folds).reshape(shape)
        return CellSums(residual, counts * rows.curvature[0])
    return CellSums(
        residual, gathered(rows.curvature, place, n * rows.n_folds).reshape(shape)
    )


class HeldOutRows:
    """Rows with the residuals of the additive model that was learned without their fold.

    Residuals, and second derivatives of the loss at the held-out predictions, are those of
    a row times its weight.

    Parameters
    ----------
    rows : Rows
        Rows that pairs of columns are screened by.
    fold : ndarray of shape (n_rows,)
        Fold that holds each row out.
    held_out : ndarray of shape (n_rows, n_outputs)
        Raw prediction of each row without its fold.
    loss : Loss
        Loss of the additive model.
    alpha : ndarray of shape (n_columns, n_outputs)
        Penalty of each column's effects in the additive model.
    """

    def __init__(
        self,
        rows: Rows,
        fold: IntArray,
        held_out: FloatArray,
        loss: Loss,
        alpha: FloatArray,
    ) -> None:
        # Categories that have no rows here would take time alone.
        columns = zip(rows.codes.T, rows.n_codes, strict=True)
        self.codes, self.alpha = [renumbered(*column) for column in columns], alpha
        self.n_codes = [int(codes.max()) + 1 for codes in self.codes]
        self._by_code = [rows_by_code(codes) for codes in self.codes]
        # Products of rows of different groups of folds are products of different folds.
        self.fold = fold % _MAX_FOLDS
        self.n_folds = int(self.fold.max()) + 1
        self.weight = rows.weight.astype(np.float64)
        self.residual, self.curvature = Residuals.of(rows, held_out, loss)
        self.is_even = bool((self.curvature == self.curvature[0]).all())
        self.refresh()

    def refresh(self) -> None:
        """Sum anew what is left of the residuals, for all rows and for each column."""
        squares = np.einsum("ik,ik,i->k", self.residual, self.residual, 1 / self.weight)
        total = np.maximum(self.curvature.sum(axis=0), _TINY)
        self.scale = Scale(np.maximum(squares / total, 1e-12), total / self.weight.sum())
        self.columns = [
            Column(sums_of(codes, n, self), alpha, self.scale)
            for codes, n, alpha in zip(self.codes, self.n_codes, self.alpha, strict=True)
        ]

    def cells(self, pair: Pair) -> Cells:
        """Return the cells of a pair of columns."""
        a, b = pair
        return cells_of(self.codes[a], self.codes[b], self.n_codes[b], self._by_code[b])

    def parents(self, pair: Pair, cells: Cells) -> list[Parent]:
        """Return the two columns, and each cell's category in them."""
        of_cell = divmod(cells.keys, self.n_codes[pair[1]])
        return [(self.columns[c], codes) for c, codes in zip(pair, of_cell, strict=True)]

    def take(self, candidate: Candidate) -> None:
        """Subtract what the cells of a pair say of the rows of other folds."""
        cells = self.cells(candidate.pair)
        residual, curvature = sums_of(cells.of_row, len(cells.keys), self)
        left_out = residual.sum(axis=0) - residual
        known = curvature.sum(axis=0) - curvature
        effects = left_out / (known + candidate.prior)
        self.residual -= self.curvature * effects[self.fold, cells.of_row]
        self.refresh()


def renumbered(codes: IntArray, n_codes: int) -> IntArray:
    """Return codes that count those alone which have rows, in their order."""
    has_rows = np.bincount(codes, minlength=n_codes) > 0
    return (np.cumsum(has_rows) - 1)[codes]


def candidate_of(rows: HeldOutRows, pair: Pair) -> Candidate | None:
    """Test the cells of a pair; None where one column all but tells the other."""
    cells = rows.cells(pair)
    finer = max(rows.columns[column].n_used for column in pair)
    if len(cells.keys) <= _NESTED * finer:
        return None
    return candidate_of_cells(
        pair,
        sums_of(cells.of_row, len(cells.keys), rows),
        rows.parents(pair, cells),
        rows.scale,
    )


def usable_columns(rows: HeldOutRows) -> list[int]:
    """Return the columns of two categories and more that other folds mostly know."""
    return [
        j
        for j, column in enumerate(rows.columns)
        if column.n_used > 1
        and unknown_share(rows.codes[j], rows.n_codes[j], rows) < _MOSTLY_UNKNOWN
    ]


def unknown_share(codes: IntArray, n_codes: int, rows: HeldOutRows) -> float:
    """Return the share of rows whose category has no rows outside the row's fold."""
    place = codes.astype(np.int64) * rows.n_folds + rows.fold
    counts = np.bincount(place, minlength=n_codes * rows.n_folds)
    counts = counts.reshape(n_codes, rows.n_folds)
    return float(counts[counts == counts.sum(axis=1, keepdims=True)].sum() / len(codes))


def choose_crosses(rows: HeldOutRows) -> list[Candidate]:
    """Choose the pairs of columns that are learned as columns of their own.

    Pairs are taken one by one, each time the one that explains most among those that are
    significant on what is left of the residuals: the first at ``_LEVEL`` over the number of
    pairs, which bounds the probability of any cross where there is none; the j-th at j
    times that, which bounds the share of false ones (Benjamini & Hochberg, J. R. Stat.
    Soc. B 57, 1995).

    Parameters
    ----------
    rows : HeldOutRows
        Residuals; those that the crosses leave are left in them.
    """
    tested = [candidate_of(rows, pair) for pair in combinations(usable_columns(rows), 2)]
    candidates = [found for found in tested if found is not None]
    level = _LEVEL / max(len(candidates), 1)
    near = [candidate.pair for candidate in candidates if candidate.p_value <= _NEAR]
    taken: list[Candidate] = []
    while len(taken) < min(len(rows.columns), _MAX_CROSSES):
        significant = [
            candidate
            for candidate in candidates
            if candidate.p_value <= level * (len(taken) + 1)
        ]
        if not significant:
            break
        best = max(significant, key=lambda candidate: candidate.explained)
        taken.append(best)
        rows.take(best)
        near.remove(best.pair)
        candidates = [found for pair in near if (found := candidate_of(rows, pair))]
    return taken


def confirmed(candidates: list[Candidate], rows: HeldOutRows) -> list[Candidate]:
    """Return the chosen pairs that rows which did not choose them confirm.

    Each is tested once, beside those before it, so that a false one among them is kept with
    the probability ``_LEVEL``.

    Parameters
    ----------
    candidates : list of Candidate
        Pairs in the order in which they were taken.
    rows : HeldOutRows
        Other rows than those that chose them. What the confirmed pairs explain is taken
        out of their residuals.
    """
    kept: list[Candidate] = []
    for candidate in candidates:
        again = candidate_of(rows, candidate.pair)
        if again is not None and again.p_value <= _LEVEL:
            kept.append(candidate)
            rows.take(candidate)
    return kept
