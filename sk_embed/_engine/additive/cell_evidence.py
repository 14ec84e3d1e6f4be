"""Crosses: pairs of columns whose cells say what their categories do not.

A *cell* is a pair of categories, one of each column. The residuals of the additive model,
each predicted without its row's fold, tell whether the cells of a pair have effects of
their own. With R_kc the sum of the residuals of cell c in fold k and H_kc that of the
curvature, products of different folds are summed ::

    T = sum_c w_c sum_{k != l} R_kc R_lc,    w_c = 1 / (phi (H_c + _PRIOR_ROWS h))

with phi the dispersion and h the mean curvature of a row. Effects of variance tau^2 have
E[R_kc R_lc] = H_kc H_lc tau^2, and noise has none, for folds share no rows.

*Null mean.* Residuals of one category hang together without any effect of a cell: the
model without fold k has seen the rows of fold l, which makes their product too small, and
it shrinks the category's effect, which makes it too large. Both are about kappa_a g_a with
g_a = 1 / (H_a + alpha_a), and products of the *other* cells of a category, which know
nothing of the cell, tell kappa_a. What both columns foretell is taken from T.

*Null variance.* Any R_kc may as well have the other sign. Given their sizes, T is a sum of
quadratic forms of random signs with matrices (G_c)_kl = w_c R_kc R_lc off the diagonal:
its variance is 2 sum tr(G_c^2), its third cumulant 8 sum tr(G_c^3), whatever the
distribution of the noise. A gamma distribution of the same cumulants gives the p-value.

Rows enter by sums over each cell and fold alone.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy.special import gammaincc, ndtr

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.cells import Pair
from sk_embed._engine.one_hot import add_transposed_product

# Rows of a cell that weigh as much as the prior of its effect while pairs are tested: an
# effect of a tenth of the noise's variance is found best.
_PRIOR_ROWS = 10.0
# Error of what other cells foretell of T, relative to it, that is allowed for: the two
# columns' categories overlap, and kappa is not the same for all of them.
_DOUBT = 0.1
# Skewness below which a gamma distribution is taken for a normal one, equal to rounding.
_MIN_SKEWNESS = 1e-4
_TINY = 1e-30


class CellSums(NamedTuple):
    """Sums over the rows of each cell, or category, in each fold.

    Parameters
    ----------
    residual, curvature : ndarray of shape (n_folds, n_cells, n_outputs)
        Weighted sums of the residuals, and of the loss's second derivatives.
    """

    residual: FloatArray
    curvature: FloatArray

    def take(self, cells: IntArray) -> CellSums:
        """Return the sums of some of the cells."""
        return CellSums(*(sums.take(cells, axis=1) for sums in self))


class Scale(NamedTuple):
    """Dispersion and mean curvature of a row, each of shape (n_outputs,)."""

    dispersion: FloatArray
    curvature: FloatArray


class Candidate(NamedTuple):
    """A pair of columns, and what the held-out residuals say about it.

    Parameters
    ----------
    pair : tuple of int
        Numbers of the two columns.
    explained : float
        Share of the residuals' variance that the cells' effects explain of new rows.
    z : float
        T less its null mean, in units of its null standard deviation.
    p_value : float
        Probability of so large a T without any cell's effect.
    prior : ndarray of shape (n_outputs,)
        Curvature that weighs as much as the prior of a cell's effect, phi / tau^2.
    """

    pair: Pair
    explained: float
    z: float
    p_value: float
    prior: FloatArray


def gathered(values: FloatArray, of_row: IntArray, n: int) -> FloatArray:
    """Return the sums of the rows of a matrix that have the same number, shape (n, ...)."""
    result = np.zeros((n, values.shape[1]))
    add_transposed_product(of_row.astype(np.int32)[:, None], values, result)
    return result


def products(values: FloatArray) -> FloatArray:
    """Return the sum over all ordered pairs of different folds, the first axis."""
    return values.sum(axis=0) ** 2 - np.einsum("kco,kco->co", values, values)


class CellProducts(NamedTuple):
    """Products of different folds of the same cell, summed over pairs of folds.

    Only cells that have rows in several folds have any: most cells of many categories
    have a row or two, and are left out.

    Parameters
    ----------
    cells : ndarray of shape (n_several,)
        Numbers of the cells in several folds.
    residual, curvature, squares : ndarray of shape (n_several, n_outputs)
        Products of the cells' residual sums, of their curvatures, and of the squares of
        their residual sums.
    square : ndarray of shape (n_folds, n_cells, n_outputs)
        Squares of the residual sums of all cells.
    """

    cells: IntArray
    residual: FloatArray
    curvature: FloatArray
    squares: FloatArray
    square: FloatArray

    @classmethod
    def of(cls, sums: CellSums) -> CellProducts:
        """Return the products of cells, given their sums."""
        n_folds_met = np.count_nonzero(sums.curvature.any(axis=2), axis=0)
        cells = np.flatnonzero(n_folds_met > 1)
        square = sums.residual**2
        residual, curvature = map(products, sums.take(cells))
        squares = products(square.take(cells, axis=1))
        return cls(cells, residual, curvature, squares, square)


class Column:
    """Sums of a column's categories, which do not depend on the pair.

    Parameters
    ----------
    sums : CellSums
        Sums of the rows of each category in each fold.
    alpha : ndarray of shape (n_outputs,)
        Penalty of the column's effects in the additive model.
    scale : Scale
        Dispersion and curvature of a row.
    """

    def __init__(self, sums: CellSums, alpha: FloatArray, scale: Scale) -> None:
        total = sums.curvature.sum(axis=0)
        self.n_used = int((total > 0).any(axis=1).sum())
        self.total = total + alpha
        self.shape = 1 / np.maximum(self.total, _TINY)
        self.weight = 1 / (scale.dispersion * (total + _PRIOR_ROWS * scale.curvature))
        self.residual, self.curvature = products(sums.residual), products(sums.curvature)

    def foretell(
        self, of_cell: IntArray, found: CellProducts, expected: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return what products of a category's other cells foretell, and its variance.

        Parameters
        ----------
        of_cell : ndarray of shape (n_cells,)
            Number of the category that each cell belongs to.
        found : CellProducts
            Products of different folds of the same cell.
        expected : ndarray of shape (n_several, n_outputs)
            Each cell's w_c sum_{k != l} H_kc H_lc, the factor of kappa g_a.
        """
        n, several = len(self.shape), of_cell[found.cells]
        same = np.hstack([found.residual, found.curvature, found.squares])
        of_residual, of_curvature, of_squares = np.hsplit(gathered(same, several, n), 3)
        square = np.stack([gathered(of_fold, of_cell, n) for of_fold in found.square])
        # Products of different cells are those of the category less those of each cell.
        others = self.residual - of_residual
        pairs = self.curvature - of_curvature
        spread = np.maximum(products(square) - of_squares, 0)
        seen = np.maximum((self.weight * self.shape * pairs).sum(axis=0), _TINY)
        factor = (expected * self.shape[several]).sum(axis=0) / seen
        foretold = factor * (self.weight * others).sum(axis=0)
        return foretold, 2 * factor**2 * (self.weight**2 * spread).sum(axis=0)


# A column, and the category of each cell in it.
Parent: TypeAlias = tuple[Column, IntArray]


def candidate_of_cells(
    pair: Pair,
    sums: CellSums,
    parents: list[Parent],
    scale: Scale,
) -> Candidate:
    """Test whether cells have effects of their own, beyond those of their categories.

    Parameters
    ----------
    pair : tuple of int
        Numbers of the two columns.
    sums : CellSums
        Sums of residuals and curvatures of each cell, in each fold.
    parents : list of (Column, ndarray of shape (n_cells,))
        The two columns, and the category of each cell in them.
    scale : Scale
        Dispersion and curvature of a row.
    """
    total = sums.curvature.sum(axis=0)
    found = CellProducts.of(sums)
    chosen, total_of_chosen = found.cells, total[found.cells]
    weight = 1 / (scale.dispersion * (total_of_chosen + _PRIOR_ROWS * scale.curvature))
    expected = weight * found.curvature
    statistic = (weight * found.residual).sum(axis=0)
    # Take the null mean off
    of_chosen = [(column, of_cell[chosen]) for column, of_cell in parents]
    shared = expected * leverage_share(total_of_chosen, of_chosen)
    told = [column.foretell(of_cell, found, shared) for column, of_cell in parents]
    mean = np.sum([foretold for foretold, _ in told], axis=0)
    statistic = statistic - mean
    tau2 = statistic / np.maximum(expected.sum(axis=0), _TINY)
    prior = scale.dispersion / np.maximum(tau2, 1e-6 * scale.dispersion)
    if statistic.sum() <= 0:
        return Candidate(pair, 0.0, 0.0, 1.0, prior)
    # Add the variances of T, of its null mean, and of what is doubted of that
    variance, third = cumulants(sums.take(chosen).residual, weight)
    alone = max(float(2 * (weight**2 * found.squares).sum()), _TINY)
    of_mean = sum(float(spread.sum()) for _, spread in told) * variance / alone
    # A few cells may by chance be quieter than noise is.
    noise = 2 * (weight**2 * found.curvature * scale.dispersion**2).sum()
    variance = max(variance, float(noise), _TINY)
    deviation = (variance + of_mean + (_DOUBT * float(mean.sum())) ** 2) ** 0.5
    z = float(statistic.sum()) / deviation
    p_value = upper_tail(z, third / deviation**3)
    return Candidate(pair, explained(total, prior), z, p_value, prior)


def leverage_share(total: FloatArray, parents: list[Parent]) -> FloatArray:
    """Return what two categories fit of their cell, as a share of the sum of each alone.

    With A = H_a + alpha_a, B = H_b + alpha_b and C = H_c, the leverage
    [1 1] [[A C] [C B]]^-1 [1 1]' over 1/A + 1/B: 1 where the cell is a small part of both
    categories, near 1/2 where it is all of both. It is ::

        (1 - 2 C / (A + B)) / (1 - (C / A) (C / B))
    """
    a, b = (np.maximum(column.total[of_cell], _TINY) for column, of_cell in parents)
    apart = 1 - (total / a) * (total / b)
    share = np.full_like(apart, 0.5)
    return np.divide(1 - 2 * total / (a + b), apart, out=share, where=apart > 1e-9)


def cumulants(residual: FloatArray, weight: FloatArray) -> tuple[float, float]:
    """Return variance and third cumulant of T under random signs of a cell in a fold.

    The signs are those of all outputs at once. Of a symmetric matrix without diagonal
    tr(G^2) is twice the sum over pairs, tr(G^3) six times that over triples.
    """
    n_folds = len(residual)
    weighted = residual * weight
    gram = {
        (k, m): np.einsum("ck,ck->c", weighted[k], residual[m])
        for k, m in combinations(range(n_folds), 2)
    }
    pairs = sum(float(g @ g) for g in gram.values())
    triples = sum(
        float((gram[k, m] * gram[m, n]) @ gram[k, n])
        for k, m, n in combinations(range(n_folds), 3)
    )
    return 4 * pairs, 48 * triples


def upper_tail(z: float, skewness: float) -> float:
    """Return the probability above z of a gamma distribution of mean 0 and variance 1."""
    if skewness < _MIN_SKEWNESS:
        return float(ndtr(-z))
    shape = 4 / skewness**2
    return float(gammaincc(shape, max(shape + z * shape**0.5, 0.0)))


def explained(total: FloatArray, prior: FloatArray) -> float:
    """Return the share of the residuals' variance that cells explain of new rows.

    Effects of variance tau^2 = phi / prior are known to H / (H + prior) of it.
    """
    known = (total**2 / (total + prior)).sum(axis=0) / prior
    return float(known.sum() / total.sum())
