"""Crosses: pairs of columns whose cells tell what their categories do not.

A *cell* is a pair of categories, one of each column. The residuals of the additive model,
each predicted without its row's fold, tell whether the cells of a pair have effects of
their own: with R_kc the sum of the residuals of cell c in fold k, the products ::

    T = sum_c sum_{k != l} w_c R_kc R_lc,    w_c = 1 / (H_c + lambda_0)

are positive on average where cells have effects, and have mean zero (below it, for the
residuals of a fitted model) where they have none: folds share no rows. Under that null
hypothesis each R_kc may as well have the other sign. Given their sizes, T is then a sum of
independent quadratic forms with matrices G_c, (G_c)_kl = w_c R_kc R_lc off the diagonal,
of random signs, so that its variance is 2 sum_c tr(G_c^2) and its third cumulant
8 sum_c tr(G_c^3), whatever the distribution of the noise, and with groups of rows that
hang together within folds.

Whatever belongs to rows enters by sums over the rows of a cell in a fold alone.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.special import gammaincc, ndtr

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.cells import Pair
from sk_embed._engine.losses import Loss
from sk_embed._engine.rows import Rows

# Rows of a cell that weigh as much as the prior of its effect while candidates are
# tested: cells of a tenth of the noise's variance, the size that has to be found.
PRIOR_ROWS = 10.0
# Largest share of the finer column's cells that a pair of one column nested in another
# has: more cells than 1.02 times as many tell of a pair.
NESTED = 1.02
# Below this skewness the gamma distribution is a normal one to rounding.
_MIN_SKEWNESS = 1e-4


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


class Sums(NamedTuple):
    """Sums over the rows of each cell in each fold.

    Parameters
    ----------
    residual : ndarray of shape (n_folds, n_cells, n_outputs)
        Weighted sum of the residuals.
    curvature : ndarray of shape (n_folds, n_cells, n_outputs)
        Weighted sum of the loss's second derivative.
    """

    residual: FloatArray
    curvature: FloatArray


class Scale(NamedTuple):
    """What a row says on average about each output.

    Parameters
    ----------
    dispersion : ndarray of shape (n_outputs,)
        Squared residual for each unit of curvature; the noise variance, 1 in a well fitted
        binomial model.
    curvature : ndarray of shape (n_outputs,)
        Mean curvature of a row.
    """

    dispersion: FloatArray
    curvature: FloatArray


class Candidate(NamedTuple):
    """A pair of columns, and what the held-out residuals say about it.

    Parameters
    ----------
    pair : tuple of int
        Numbers of the two columns.
    gain : float
        Decrease of the held-out loss by the cells' effects, as a share of the loss.
    z : float
        Test statistic in units of its standard deviation under the null hypothesis.
    p_value : float
        Probability of so large a statistic under the null hypothesis.
    """

    pair: tuple[int, int]
    gain: float
    z: float
    p_value: float


def cells_of(codes_a: IntArray, codes_b: IntArray, n_codes_b: int) -> Cells:
    """Return the cells of a pair of columns that have rows.

    Parameters
    ----------
    codes_a, codes_b : ndarray of shape (n_rows,)
        Codes of the two columns.
    n_codes_b : int
        Codes of the second.
    """
    keys, of_row = np.unique(cell_keys(codes_a, codes_b, n_codes_b), return_inverse=True)
    return Cells(of_row, keys.astype(np.int64))


def cell_keys(codes_a: IntArray, codes_b: IntArray, n_codes_b: int) -> FloatArray:
    """Return each row's pair of categories as one number; negative if one is unknown."""
    keys = codes_a.astype(np.int64) * n_codes_b + codes_b
    return np.where((codes_a < 0) | (codes_b < 0), -1, keys)


def fold_sums(
    of_row: IntArray,
    n_cells: int,
    fold_of_row: IntArray,
    n_folds: int,
    residual: FloatArray,
    curvature: FloatArray,
) -> Sums:
    """Sum residuals and curvatures over the rows of each cell in each fold.

    Parameters
    ----------
    of_row : ndarray of shape (n_rows,)
        Number of each row's cell.
    n_cells : int
        Number of cells.
    fold_of_row : ndarray of shape (n_rows,)
        Fold that holds each row out.
    n_folds : int
        Number of folds.
    residual, curvature : ndarray of shape (n_rows, n_outputs)
        Residual and second derivative of the loss at each row's held-out prediction, both
        times the row's weight.
    """
    place = fold_of_row * n_cells + of_row
    shape = n_folds, n_cells

    def summed(values: FloatArray) -> FloatArray:
        sums = np.empty((n_folds * n_cells, values.shape[1]))
        for output, column in enumerate(values.T):
            sums[:, output] = np.bincount(place, column, len(sums))
        return sums.reshape(*shape, -1)

    # A constant curvature is counted once.
    if curvature.strides[0] == 0:
        counts = np.bincount(place, minlength=n_folds * n_cells).reshape(*shape, 1)
        return Sums(summed(residual), counts * curvature[0])
    return Sums(summed(residual), summed(curvature))


def scale_of(residual: FloatArray, curvature: FloatArray, weight: FloatArray) -> Scale:
    """Return the dispersion and mean curvature of a row, for each output.

    Parameters
    ----------
    residual, curvature : ndarray of shape (n_rows, n_outputs)
        As in :func:`fold_sums`: times the row's weight.
    weight : ndarray of shape (n_rows,)
        Weights of the rows.
    """
    squares = np.einsum("ik,ik,i->k", residual, residual, 1 / weight)
    total = np.maximum(curvature.sum(axis=0), np.finfo(np.float64).tiny)
    return Scale(np.maximum(squares / total, 1e-12), total / weight.sum())


def evidence_of_cells(sums: Sums, scale: Scale) -> tuple[float, float]:
    """Test whether cells have effects of their own.

    Returns the statistic T of the module's head in units of its standard deviation under
    random signs, and its p-value by the gamma distribution of the same three cumulants.

    Parameters
    ----------
    sums : Sums
        Of the residuals' cells.
    scale : Scale
        Of a row.
    """
    total = sums.curvature.sum(axis=0)
    weight = 1 / (scale.dispersion * (total + PRIOR_ROWS * scale.curvature))
    # Signs are those of a fold's whole cell: products of folds are summed over outputs.
    gram = np.einsum("kco,lco,co->ckl", sums.residual, sums.residual, weight, optimize=True)
    every = np.arange(gram.shape[1])
    gram[:, every, every] = 0
    variance = 2 * float(np.einsum("ckl,ckl->", gram, gram))
    if variance <= 0:
        return 0.0, 1.0
    third = 8 * float(np.einsum("ckl,clm,cmk->", gram, gram, gram, optimize=True))
    z = float(gram.sum()) / variance**0.5
    return z, upper_tail(z, third / variance**1.5)


def upper_tail(z: float, skewness: float) -> float:
    """Return the probability above z of a standardised gamma distribution.

    A gamma distribution of shape a = 4 / skewness^2, moved to mean 0 and variance 1.
    """
    if skewness < _MIN_SKEWNESS:
        return float(ndtr(-z))
    shape = 4 / skewness**2
    return float(gammaincc(shape, max(shape + z * shape**0.5, 0.0)))


def prior_curvature(sums: Sums, scale: Scale) -> FloatArray:
    """Return the curvature that weighs as much as the prior of a cell's effect.

    The effects' variance by the method of moments, from products of folds that share no
    rows: E[R_k R_l] = H_k H_l tau^2. The prior's curvature is the dispersion over tau^2.
    """
    total = sums.curvature.sum(axis=0)
    weight = 1 / (scale.dispersion * (total + PRIOR_ROWS * scale.curvature))

    def products(values: FloatArray) -> FloatArray:
        squares = values.sum(axis=0) ** 2 - (values**2).sum(axis=0)
        return (squares * weight).sum(axis=0)

    tiny = np.finfo(np.float64).tiny
    variance = products(sums.residual) / np.maximum(products(sums.curvature), tiny)
    return scale.dispersion / np.maximum(variance, 1e-6 * scale.dispersion)


def held_out_effects(sums: Sums, scale: Scale) -> FloatArray:
    """Return each cell's shrunk effect without each fold, shape of ``sums.residual``."""
    residual = sums.residual.sum(axis=0) - sums.residual
    curvature = sums.curvature.sum(axis=0) - sums.curvature
    return residual / (curvature + prior_curvature(sums, scale))


def held_out_gain(sums: Sums, effects: FloatArray, scale: Scale) -> float:
    """Return the decrease of the held-out loss, to second order, in units of dispersion."""
    gain = sums.residual * effects - sums.curvature * effects**2 / 2
    return float((gain.sum(axis=(0, 1)) / scale.dispersion).sum())


def unknown_share(
    codes: IntArray, n_codes: int, fold_of_row: IntArray, n_folds: int
) -> float:
    """Return the share of rows whose category has no rows outside the row's fold."""
    counts = np.bincount(fold_of_row * n_codes + codes, minlength=n_folds * n_codes)
    counts = counts.reshape(n_folds, n_codes)
    return float(counts[counts == counts.sum(axis=0)].sum() / len(codes))


def is_nested(n_cells: int, n_used_a: int, n_used_b: int) -> bool:
    """Return whether one column all but tells the other: the pair says nothing new."""
    return n_cells <= NESTED * max(n_used_a, n_used_b)


MAX_ROWS_SCREENED = 50_000
_LEVEL = 0.05


class Screen:
    """Held-out residuals of the additive model, by which pairs are tried and taken.

    Parameters
    ----------
    rows : Rows
        Rows that are screened.
    fold_of_row : ndarray of shape (n_rows,)
        Fold that holds each row out.
    held_out : ndarray of shape (n_rows, n_outputs)
        Raw prediction of each row without its fold.
    loss : Loss
        What is minimised.
    """

    def __init__(
        self, rows: Rows, fold_of_row: IntArray, held_out: FloatArray, loss: Loss
    ) -> None:
        self._rows = rows
        self._fold_of_row, self._n_folds = fold_of_row, int(fold_of_row.max()) + 1
        self._weight = rows.weight.astype(np.float64)
        mean = loss.inverse_link(held_out)
        self._residual = (rows.targets - mean) * self._weight[:, None]
        self._curvature = loss.curvature(mean) * self._weight[:, None]

    def pairs(self) -> list[Pair]:
        """Return the pairs of columns of several categories each that are not nested."""
        n_used = [len(np.unique(column)) for column in self._rows.codes.T]
        is_known = [self._unknown_share(j) < 0.5 for j in range(len(n_used))]
        usable = np.flatnonzero((np.array(n_used) > 1) & is_known).tolist()
        return [
            (a, b)
            for a, b in combinations(usable, 2)
            if not is_nested(len(self._cells((a, b)).keys), n_used[a], n_used[b])
        ]

    def _unknown_share(self, j: int) -> float:
        rows = self._rows
        n_codes = int(rows.n_codes[j])
        return unknown_share(rows.codes[:, j], n_codes, self._fold_of_row, self._n_folds)

    def _cells(self, pair: Pair) -> Cells:
        a, b = pair
        codes = self._rows.codes
        return cells_of(codes[:, a], codes[:, b], int(self._rows.n_codes[b]))

    def _sums(self, cells: Cells) -> Sums:
        return fold_sums(
            cells.of_row,
            len(cells.keys),
            self._fold_of_row,
            self._n_folds,
            self._residual,
            self._curvature,
        )

    def _scale(self) -> Scale:
        return scale_of(self._residual, self._curvature, self._weight)

    def tried(self, pair: Pair) -> Candidate:
        """Test a pair on what is left of the residuals."""
        sums, scale = self._sums(self._cells(pair)), self._scale()
        z, p_value = evidence_of_cells(sums, scale)
        gain = held_out_gain(sums, held_out_effects(sums, scale), scale)
        loss = float(self._curvature.sum()) / 2
        return Candidate(pair, gain / loss, z, p_value)

    def take(self, pair: Pair) -> None:
        """Subtract what a pair's cells say of the rows that are held out."""
        cells = self._cells(pair)
        effects = held_out_effects(self._sums(cells), self._scale())
        self._residual -= self._curvature * effects[self._fold_of_row, cells.of_row]


def select_pairs(
    rows: Rows, fold_of_row: IntArray, held_out: FloatArray, loss: Loss
) -> list[Pair]:
    """Choose the pairs of columns whose cells have effects of their own.

    The pair of the largest held-out gain is taken, its prediction is subtracted, and those
    that are left are tried again, as long as one is beyond chance: the j-th of m candidates
    at a level of 0.05 j / m (Benjamini & Hochberg, 1995), at most as many as columns.
    """
    screen = Screen(rows, fold_of_row, held_out, loss)
    pairs = screen.pairs()
    candidates, taken = [screen.tried(pair) for pair in pairs], list[Pair]()
    left = [c.pair for c in candidates if c.p_value <= _LEVEL]
    while len(taken) < rows.codes.shape[1]:
        level = _LEVEL * (len(taken) + 1) / max(len(pairs), 1)
        beyond = [c for c in candidates if c.p_value <= level and c.gain > 0]
        if not beyond:
            break
        best = max(beyond, key=lambda candidate: candidate.gain).pair
        taken.append(best)
        screen.take(best)
        left = [pair for pair in left if pair != best]
        candidates = [screen.tried(pair) for pair in left]
    return taken
