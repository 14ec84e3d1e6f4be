"""Newton's method for additive models, by conjugate gradients.

The preconditioner is the Hessian's diagonal, from which cells of crosses are eliminated
(see :mod:`sk_embed._engine.additive.elimination`), and, added to it, an exact solution for
what this does not see: each column holds every row once, so that a constant can be moved
from one column to another, or into the intercept, at next to no change of the objective.
With the columns of Z the intercept, the slopes and the sum of each column's
categories that have rows::

    M^-1 = D^-1 + Z (Z^T H Z)^-1 Z^T

(a two-level additive Schwarz method; Z^T H Z needs no more than the Hessian of intercept
and slopes, see :mod:`sk_embed._engine.additive.coarse`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import sqrt
from typing import NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.additive.coarse import coarse_inverse
from sk_embed._engine.additive.elimination import Diagonal, DiagonalWithCells
from sk_embed._engine.additive.objective import AdditiveObjective, Curvature, Evaluation

_MAX_NEWTON_STEPS = 50
_MAX_CONJUGATE_GRADIENT_STEPS = 1_000
# How exactly a Newton step is solved: at first roughly, then as exactly as the quadratic
# model predicted the gradient of the step before (Eisenstat & Walker, SIAM J. Sci. Comput.
# 17, 1996), but no more exactly than products in single precision tell.
_FORCING_RANGE = (1e-4, 0.1)
# Largest change of a log-odds coefficient in one Newton step; 30 spans probabilities from
# 1e-13 to 1 - 1e-13.
_MAX_LOG_ODDS = 30.0
# Curvature, relative to the squared length of a direction, below which it is rounding.
_FLAT = np.finfo(np.float64).eps ** 2
_MAX_HALVINGS = 20
_ROUNDING = 1e-10
# Norm of the gradient, relative to that of the null model, that counts as converged if no
# step lowers the objective: the floor of float arithmetic.
_FLOOR = 1e-3


class Solution(NamedTuple):
    """A minimised objective.

    Parameters
    ----------
    at : Evaluation
        Objective and gradient at the minimiser, without the penalty.
    curvature : Curvature
        Diagonal and dense block of the Hessian at the minimiser.
    converged : bool
        Whether the gradient vanished, to the solver's tolerance.
    """

    at: Evaluation
    curvature: Curvature
    converged: bool


class Preconditioner:
    """The inverse of the Hessian, roughly.

    Parameters
    ----------
    curvature : Curvature
        Diagonal and dense block of the Hessian, without the penalty.
    penalty : ndarray of shape (n_coefficients, 1)
        Penalty on the square of each coefficient.
    n_codes : ndarray of shape (n_columns,)
        Number of codes of each column.
    cell_parents : ndarray of int32 of shape (n_cells, 2), optional
        The two categories of each cell of crosses, among the stacked ones; the cells are
        the last of these.
    """

    def __init__(
        self,
        curvature: Curvature,
        penalty: FloatArray,
        n_codes: IntArray,
        cell_parents: IntArray | None = None,
    ) -> None:
        diagonal, block = curvature
        n_dense = len(diagonal) - int(n_codes.sum())
        self._local: Diagonal | DiagonalWithCells = Diagonal(diagonal, penalty)
        if cell_parents is not None:
            parents = n_dense + cell_parents
            self._local = DiagonalWithCells(diagonal, penalty, parents)
        # A category without rows takes no part, so that its effect stays exactly zero.
        self._has_rows = np.asarray(diagonal.any(axis=1, keepdims=True), np.float64)
        self._n_dense = n_dense
        self._n_codes = n_codes
        self._first = self._n_dense + np.concatenate([[0], np.cumsum(n_codes)[:-1]])
        self._coarse_inverse = coarse_inverse(block, self._sums(penalty))

    def __call__(self, residual: FloatArray) -> FloatArray:
        """Apply it to an array of the coefficients' shape."""
        result = self._local(residual)
        coarse = self._coarse_inverse(self._sums(residual))
        result[: self._n_dense] += coarse[: self._n_dense]
        of_codes = np.repeat(coarse[self._n_dense :], self._n_codes, axis=0)
        of_codes *= self._has_rows[self._n_dense :]
        result[self._n_dense :] += of_codes
        return result

    def norm(self, gradient: FloatArray) -> float:
        """Return the length of a gradient in this metric."""
        # Rounding can make a product of nothing negative.
        return sqrt(max(_inner(gradient, self(gradient)), 0.0))

    def _sums(self, array: FloatArray) -> FloatArray:
        """Return intercept and slopes as they are, and the sum of each column."""
        sums = np.add.reduceat(array * self._has_rows, self._first, axis=0)
        return np.concatenate([array[: self._n_dense], sums])


def minimize(
    model: AdditiveObjective,
    alpha: FloatArray,
    start: Evaluation,
    tolerance: float | None = None,
) -> Solution:
    """Minimise the objective.

    Parameters
    ----------
    model : AdditiveObjective
        Objective, with the rows that it is the sum over.
    alpha : ndarray of shape (n_columns,)
        Penalty on the squares of each column's effects.
    start : Evaluation
        Coefficients, evaluated, from which the first step is taken.
    tolerance : float, optional
        Norm of the gradient that counts as zero, relative to that of the null model; the
        model's own, unless given.

    Returns
    -------
    Solution
    """
    penalty, at = model.penalty(alpha), start
    tolerance = model.tolerance if tolerance is None else tolerance
    # A quadratic objective is its own model: conjugate gradients need not start again.
    finest, roughest = _FORCING_RANGE
    forcing = finest if model.loss.has_constant_curvature else roughest
    gradient_tolerance = predicted_norm = norm_before = 0.0
    curvature = model.curvature(at)
    precondition = partial(
        Preconditioner,
        penalty=penalty,
        n_codes=model.n_codes,
        cell_parents=model.cell_parents,
    )
    inverse = precondition(curvature)
    for step_number in range(_MAX_NEWTON_STEPS):
        if step_number > 0 and not model.loss.has_constant_curvature:
            curvature = model.curvature(at)
            inverse = precondition(curvature)
        downhill = -at.penalized_gradient(penalty)
        norm = inverse.norm(downhill)
        if step_number == 0:
            null_norm = inverse.norm(model.null_model.penalized_gradient(penalty))
            # If the null model is the solution, the norm is the rounding of sums over rows,
            # which grows as the root of their weight.
            rounding = sqrt(np.finfo(np.float64).eps * model.total_weight)
            gradient_tolerance = tolerance * max(null_norm, rounding)
        else:
            error = abs(norm - predicted_norm)
            forcing = float(np.clip(error / norm_before, *_FORCING_RANGE))
        if norm <= gradient_tolerance:
            return Solution(at, curvature, True)
        # No step need be more exact than the end.
        cg_tolerance = max(forcing, gradient_tolerance / norm / 2)
        hessian = partial(model.hessian_product, at=at, penalty=penalty)
        step, predicted_norm = conjugate_gradients(hessian, downhill, inverse, cg_tolerance)
        norm_before = norm
        lower = _line_search(model, penalty, at, step)
        del step, hessian, downhill  # there may be as many coefficients as rows
        if lower is None:
            # No step lowers the objective: the floor of float arithmetic.
            return Solution(at, curvature, norm <= _FLOOR / tolerance * gradient_tolerance)
        at = lower
    return Solution(at, curvature, False)


def _line_search(
    model: AdditiveObjective, penalty: FloatArray, at: Evaluation, step: FloatArray
) -> Evaluation | None:
    """Take the Newton step, halved while the objective rises; None if it always does."""
    # Near the solution a step gains less than the rounding of so long a sum; the
    # objective is convex, and it is the gradient that decides convergence.
    value = at.penalized_value(penalty)
    threshold = value + _ROUNDING * abs(value)
    step_size = _first_step_size(model, step)
    for _ in range(_MAX_HALVINGS):
        candidate = model.evaluate(at.coefficients + step_size * step)
        if candidate.penalized_value(penalty) <= threshold:
            return candidate
        step_size /= 2
    return None


def _first_step_size(model: AdditiveObjective, step: FloatArray) -> float:
    """Return the share of a Newton step that is tried first.

    Where labels are all but certain the loss is all but flat, and without a penalty the
    step goes to log-odds that no float32 holds.
    """
    if model.loss.has_constant_curvature:
        return 1.0
    return _MAX_LOG_ODDS / max(float(np.abs(step).max()), _MAX_LOG_ODDS)


def conjugate_gradients(
    product: Callable[[FloatArray], FloatArray],
    target: FloatArray,
    preconditioner: Callable[[FloatArray], FloatArray],
    tolerance: float,
) -> tuple[FloatArray, float]:
    """Solve a positive definite system roughly, by products with its matrix.

    Parameters
    ----------
    product : callable
        Multiplies an array of the target's shape with the matrix.
    target : ndarray of shape (n_coefficients, n_outputs)
        Right-hand side of the system.
    preconditioner : callable
        Likewise, with roughly its inverse.
    tolerance : float
        Norm of what may be left of the residual, relative to that of the target.

    Returns
    -------
    solution : ndarray of the target's shape
    norm : float
        What is left of the residual.
    """
    solution = np.zeros_like(target)
    residual = target.copy()
    direction = preconditioner(residual)
    energy = _inner(residual, direction)
    threshold = tolerance**2 * energy
    for _ in range(_MAX_CONJUGATE_GRADIENT_STEPS):
        if energy <= threshold:
            break
        image = product(direction)
        curvature = _inner(direction, image)
        if curvature <= _FLAT * energy:
            # The system is flat along the direction, as far as floats can tell.
            break
        step_size = energy / curvature
        solution += step_size * direction
        residual -= step_size * image
        del image  # makes room for the arrays of the preconditioner
        preconditioned = preconditioner(residual)
        new_energy = _inner(residual, preconditioned)
        direction *= new_energy / energy
        direction += preconditioned
        energy = new_energy
    return solution, sqrt(max(energy, 0.0))


def _inner(a: FloatArray, b: FloatArray) -> float:
    return float(np.einsum("pk,pk->", a, b))
