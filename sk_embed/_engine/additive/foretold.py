"""Effects of cells that are shrunk to what another model foretells of them.

The additive model shrinks the effect of a cell, a pair of categories, to zero. Where
another model foretells d_c - the network, by the vectors of the two categories - a cell of
few rows is better known by that. With w_c the additive model's effect, n_c the weight of
the cell's rows and k the rows that weigh as much as its penalty, the rows of the cell alone
say w_c (n_c + k) / n_c, and the effect becomes ::

    (n_c + k) / (n_c + q k) w_c + q k / (n_c + q k) g d_c,      q >= 1,  0 <= g <= 1

g and q are those of the largest gain of rows that neither model has learned from: with r_i
and h_i the gradient and the curvature of the loss at the held-out prediction of the
columns, and u_i the effect of the row's cell without the row's fold, ::

    sum_i r_i u_i - h_i u_i^2 / 2

The effects stay as they are unless this is above that of any q with g = 0 by two standard
errors: rows tell that by the difference that each of them makes. How far an effect is
shrunk without a prediction is the penalty's business.

A cell without rows has the effect ``h d_c``, ``0 <= h <= 1``: vectors that have learned
from a cell's rows may foretell this cell alone. So h is judged by held-out rows whose cells
have no other rows; it is zero unless their gain is above 0 by two standard errors. Rows
count as independent, so that folds which hold out whole cells of many rows let a false h
pass more often.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.additive.residuals import Residuals

# q: in steps of two, up to where the rows of a cell hardly count.
_FACTORS = (2.0 ** np.arange(12)).tolist()
# Crosses that tell the same are fitted to what the others leave, one after the other.
_N_SWEEPS = 2
_MIN_Z = 2.0
_TINY = 1e-30


class Foretold(NamedTuple):
    """Cells of a pair of columns, and what is foretold of them.

    Parameters
    ----------
    effects, means : ndarray of shape (..., n_cells, n_outputs)
        Effects of the cells by the additive model, and those foretold, by the same rows.
    weight : ndarray of shape (..., n_cells)
        Weight of each cell's rows, of those that both have learned from.
    penalty_ratio : ndarray of shape (n_outputs,)
        Rows that weigh as much as the penalty of an effect.
    """

    effects: FloatArray
    means: FloatArray
    weight: FloatArray
    penalty_ratio: FloatArray

    def of_cells(self, cells: IntArray) -> Foretold:
        """Return what is known of some cells."""
        return Foretold(
            self.effects[cells], self.means[cells], self.weight[cells], self.penalty_ratio
        )

    def shrunk(self, shrinkage: Shrinkage) -> FloatArray:
        """Return the effects, shrunk to what is foretold."""
        own, told = self.parts(shrinkage.factor)
        return own + shrinkage.slope * told + shrinkage.slope_without_rows * self.unmet()

    def parts(self, factor: float) -> tuple[FloatArray, FloatArray]:
        """Return the share of the effects, and that of what is foretold with slope 1."""
        n, k = self.weight[..., None].astype(np.float64), self.penalty_ratio
        has_rows = n > 0
        total = np.maximum(n + factor * k, _TINY)
        own = self.effects * np.where(has_rows, (n + k) / total, 0.0)
        return own, self.means * np.where(has_rows, factor * k / total, 0.0)

    def unmet(self) -> FloatArray:
        """Return what is foretold of cells without rows, zero for others."""
        return self.means * (self.weight == 0)[..., None]


class Shrinkage(NamedTuple):
    """Factor q of the penalty, and slopes g and h of what is foretold, as above."""

    factor: float
    slope: float
    slope_without_rows: float = 0.0


UNSHRUNK = Shrinkage(1.0, 0.0)


def shrinkages(cells: Sequence[Foretold], residuals: Residuals) -> list[Shrinkage]:
    """Return for each cross how far its effects are shrunk to what is foretold.

    Parameters
    ----------
    cells : sequence of Foretold
        For each cross what is known of each row's cell without the row's fold: arrays of
        n_rows.
    residuals : Residuals
        Residuals that the columns' held-out predictions leave of these rows.
    """
    found = [UNSHRUNK] * len(cells)
    predicted = np.stack([c.shrunk(s) for c, s in zip(cells, found, strict=True)])
    for _ in range(_N_SWEEPS):
        for j, of_cross in enumerate(cells):
            rest = residuals.less(predicted.sum(axis=0) - predicted[j])
            found[j] = _best(of_cross, rest)
            predicted[j] = of_cross.shrunk(found[j])
    return found


def _best(cells: Foretold, residuals: Residuals) -> Shrinkage:
    """Return the shrinkage of the largest gain, or none that is not above chance."""
    best = _of_largest_gain(
        cells,
        residuals,
        (_with_best_slope(cells, residuals, factor) for factor in _FACTORS),
    )
    unforetold = _of_largest_gain(
        cells, residuals, (Shrinkage(factor, 0.0) for factor in _FACTORS)
    )
    found = UNSHRUNK
    if _is_above_chance(best.gain - unforetold.gain):
        found = best.shrinkage
    unmet = cells.unmet()
    slope = _slope(unmet, residuals)
    if _is_above_chance(residuals.gain(slope * unmet)):
        found = found._replace(slope_without_rows=slope)
    return found


def _is_above_chance(gain: FloatArray) -> bool:
    return bool(gain.sum() > _MIN_Z * np.sqrt((gain**2).sum()))


class _Tried(NamedTuple):
    shrinkage: Shrinkage
    gain: FloatArray


def _of_largest_gain(
    cells: Foretold, residuals: Residuals, shrinkages: Iterable[Shrinkage]
) -> _Tried:
    tried = (_Tried(found, residuals.gain(cells.shrunk(found))) for found in shrinkages)
    return max(tried, key=lambda found: float(found.gain.sum()))


def _with_best_slope(cells: Foretold, residuals: Residuals, factor: float) -> Shrinkage:
    own, told = cells.parts(factor)
    return Shrinkage(factor, _slope(told, residuals.less(own)))


def _slope(told: FloatArray, residuals: Residuals) -> float:
    """Return the slope, from 0 to 1, of the largest gain of what is foretold."""
    curvature = (residuals.curvature * told**2).sum()
    slope = (residuals.gradient * told).sum() / max(float(curvature), _TINY)
    return float(np.clip(slope, 0.0, 1.0))
