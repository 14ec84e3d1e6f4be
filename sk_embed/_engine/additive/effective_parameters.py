"""Effective parameters of each column of an additive model.

With H the Hessian and A the diagonal matrix of the penalties, the effective parameters of
column j, of n_j categories with rows and the penalty alpha_j, are ::

    gamma_j = n_j - alpha_j tr [(H + A)^-1]_jj

The diagonal of H alone would give ``sum_c h_c / (h_c + alpha_j)``. That is too many where
other columns tell what a category does, as a product's type and maker do: the penalty of
the column would be far too large, up to infinity. The difference is estimated with random
signs z (Hutchinson, Commun. Stat. Simul. Comput. 19, 1990), scaled by the root of the
penalties so that no column's noise reaches the others::

    gamma_j = sum_c h_c / (h_c + alpha_j) - s_j^T [(H + A)^-1 s - M^-1 s]_j,
    s = A^(1/2) z

with M^-1 the preconditioner. It knows the diagonal and the constants that columns
exchange with the intercept, so that only what is between the categories of several columns
is left to chance; where categories and rows are few, the mean over several draws is taken.

A constant of a column is counted as a parameter, though the data does not tell it from the
intercept. That is one too many, as if a further category were known to have no effect:
columns of a few rare categories have no evidence for anything smaller.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.additive.newton import (
    Preconditioner,
    Solution,
    conjugate_gradients,
)
from sk_embed._engine.additive.objective import AdditiveObjective

# Norm of what may be left of the linear system's residual, relative to its right side: an
# error far below the chance of the signs.
_TOLERANCE = 0.01
# Smallest share of the diagonal's count. Chance must not make the number zero or negative.
_MIN_SHARE = 0.01
# Signs over which chance averages out, and how many draws are made of few categories and
# few rows to reach it.
_ENOUGH_SIGNS = 2_000
_MAX_DRAWS = 16
# Digits by which categories are told apart.
_N_DIGITS = 9


class EffectiveParameters:
    """Counts the effective parameters of a model, again and again as penalties move.

    The signs stay the same, so that the count is a smooth function of the penalties, and
    each solution of the linear system begins at the one before.

    Parameters
    ----------
    model : AdditiveObjective
        Model whose parameters are counted.
    """

    def __init__(self, model: AdditiveObjective) -> None:
        self._model = model
        self._first = np.cumsum(np.append(0, model.n_codes[:-1]))
        n_draws = 1
        if model.is_small:
            n_draws = int(np.clip(_ENOUGH_SIGNS // model.n_coefficients, 1, _MAX_DRAWS))
        self._signs = random_signs(model, n_draws)
        self._solved = np.zeros(self._signs.shape)

    def __call__(self, solution: Solution, alpha: FloatArray) -> FloatArray:
        """Return the effective parameters of each column, shape (n_columns,).

        Parameters
        ----------
        solution : Solution
            Solution of the model under ``alpha``.
        alpha : ndarray of shape (n_columns,)
            Penalty on the squares of each column's effects.
        """
        n_dense, n_codes = self._model.n_dense, self._model.n_codes
        curvature = solution.curvature.diagonal[n_dense:]
        of_diagonal = self._sum(_share(curvature, np.repeat(alpha, n_codes)[:, None]))
        penalty = self._model.penalty(alpha)
        inverse = Preconditioner(solution.curvature, penalty, n_codes)
        beyond = np.mean(
            [
                self._beyond_the_preconditioner(solution, penalty, inverse, draw)
                for draw in range(len(self._signs))
            ],
            axis=0,
        )
        counted: FloatArray = of_diagonal - np.maximum(beyond, 0)
        return np.maximum(counted, _MIN_SHARE * of_diagonal)

    def _beyond_the_preconditioner(
        self, solution: Solution, penalty: FloatArray, inverse: Preconditioner, draw: int
    ) -> FloatArray:
        """Return ``s_j^T [(H + A)^-1 s - M^-1 s]_j`` for each column."""
        model, (at, curvature, _) = self._model, solution
        product = partial(model.hessian_product, at=at, penalty=penalty)
        signs = np.sqrt(penalty) * self._signs[draw]
        signs[: model.n_dense] = 0
        signs[curvature.diagonal <= 0] = 0
        # Go on from the solution under the penalties before
        solved = self._solved[draw]
        residual = signs - product(solved) if solved.any() else signs
        norm = inverse.norm(residual)
        if norm > 0:
            cg_tolerance = _TOLERANCE * inverse.norm(signs) / norm
            step, _ = conjugate_gradients(product, residual, inverse, cg_tolerance)
            self._solved[draw] += step
        difference = signs * (self._solved[draw] - inverse(signs))
        return self._sum(difference[model.n_dense :])

    def _sum(self, of_codes: FloatArray) -> FloatArray:
        """Return the sum over the categories and outputs of each column."""
        return np.add.reduceat(of_codes.sum(axis=1), self._first)


def _share(curvature: FloatArray, penalty: FloatArray) -> FloatArray:
    """Return the share of the data in what holds each coefficient.

    A code without rows under a penalty of 0 has neither data nor prior: no parameter.
    """
    total = curvature + penalty
    return np.divide(curvature, total, out=np.zeros_like(total), where=total > 0)


def random_signs(model: AdditiveObjective, n_draws: int) -> IntArray:
    """Return signs for each coefficient, whatever it is named and wherever it stands.

    Signs are drawn in the order of a number that only the data gives a category: the size
    of its gradient in the null model, and what its rows' other categories have of it. So
    the penalties depend neither on the order of columns, categories and labels nor on that
    of rows, but for categories that nothing distinguishes.

    Returns
    -------
    ndarray of int8 of shape (n_draws, n_coefficients, n_outputs)
    """
    null = model.null_model
    size = np.abs(null.gradient)
    size[: model.n_dense] = 0
    shared = model.hessian_product(size, null, np.zeros(1))
    # Rounded, so that sums in another order do not part what nothing distinguishes.
    key = np.round(_to_unit_length(size) + _to_unit_length(shared), _N_DIGITS)
    order = np.argsort(key, axis=None, kind="stable")
    # Coefficients without rows come first, and their signs are not used. Signs are drawn
    # from the end, so that they do not depend on how many these are.
    of_one_byte = np.array([-1, 1], dtype=np.int8)
    drawn = np.random.default_rng(0).choice(of_one_byte, (size.size, n_draws))
    signs = np.empty((n_draws, size.size), dtype=np.int8)
    signs[:, order[::-1]] = drawn.T
    return signs.reshape(n_draws, *size.shape)


def _to_unit_length(of_coefficients: FloatArray) -> FloatArray:
    """Return an array divided by its norm, or zeros."""
    norm = np.linalg.norm(of_coefficients)
    return of_coefficients / norm if norm > 0 else of_coefficients
