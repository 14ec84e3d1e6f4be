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
is left to chance. A constant of a column is counted as a parameter, though the data does
not tell it from the intercept. That is one too many, as if a further category were known
to have no effect: columns of a few rare categories have no evidence for anything smaller.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from sk_embed._arrays import FloatArray
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
        # The seed is fixed for the signs to be any: it is no source of what is learned.
        rng = np.random.default_rng(0)
        self._signs = rng.choice([-1.0, 1.0], (model.n_coefficients, model.n_outputs))
        self._solved = np.zeros_like(self._signs)

    def __call__(self, solution: Solution, alpha: FloatArray) -> FloatArray:
        """Return the effective parameters of each column, shape (n_columns,).

        Parameters
        ----------
        solution : Solution
            Solution of the model under ``alpha``.
        alpha : ndarray of shape (n_columns,)
            Penalty on the squares of each column's effects.
        """
        n_leading, n_codes = self._model.n_leading, self._model.n_codes
        curvature = solution.curvature.diagonal[n_leading:]
        # A code without rows under alpha = 0 has neither data nor prior: no parameter.
        total = curvature + np.repeat(alpha, n_codes)[:, None]
        share = np.divide(curvature, total, out=np.zeros_like(total), where=total > 0)
        of_diagonal = self._sum(share)
        beyond = self._beyond_the_preconditioner(solution, alpha)
        counted: FloatArray = of_diagonal - np.maximum(beyond, 0)
        return np.maximum(counted, _MIN_SHARE * of_diagonal)

    def _beyond_the_preconditioner(
        self, solution: Solution, alpha: FloatArray
    ) -> FloatArray:
        """Return ``s_j^T [(H + A)^-1 s - M^-1 s]_j`` for each column."""
        model, (at, curvature, _) = self._model, solution
        penalty = model.penalty(alpha)
        inverse = Preconditioner(curvature, penalty, model.n_codes)
        product = partial(model.hessian_product, at=at, penalty=penalty)
        signs = np.sqrt(penalty) * self._signs
        signs[: model.n_leading] = 0
        signs[curvature.diagonal <= 0] = 0
        # Go on from the solution under the penalties before
        residual = signs - product(self._solved) if self._solved.any() else signs
        norm = inverse.norm(residual)
        if norm > 0:
            exactness = _TOLERANCE * inverse.norm(signs) / norm
            step, _ = conjugate_gradients(product, residual, inverse, exactness)
            self._solved = self._solved + step
        difference = signs * (self._solved - inverse(signs))
        return self._sum(difference[model.n_leading :])

    def _sum(self, of_codes: FloatArray) -> FloatArray:
        """Return the sum over the categories and outputs of each column."""
        return np.add.reduceat(of_codes.sum(axis=1), self._first)
