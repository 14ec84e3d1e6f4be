"""Main effects: the joint additive model, solved to convergence.

The model, for a row with codes c_j and numeric context x::

    raw = b + beta . x + sum_j w_j[c_j]

minimises the convex objective ::

    sum_i weight_i * loss(y_i, raw_i) + 1/2 sum_j alpha_j ||w_j||^2 + 1/2 ||beta||^2

by Newton's method; each step is solved by conjugate gradients with the Hessian's
diagonal as preconditioner. Each weighting of the rows (all rows; all but one fold) is
solved on its own, so that not even the number of its steps depends on another's rows. So
are outputs that the loss does not tie to each other: several targets have the effects, the
penalties and the noise that each has alone.

With ``alpha`` left open it is estimated by empirical Bayes. Read the penalty as the
prior w_j[c] ~ N(0, tau_j^2), so that alpha_j = phi / tau_j^2 with phi the dispersion
(the noise variance; 1 for a binomial or multinomial target). MacKay's fixed point
(Bayesian interpolation, Neural Computation 4, 1992) is ::

    gamma_j = sum_c h_c / (h_c + alpha_j)       effective parameters of column j
    alpha_j = phi * gamma_j / ||w_j||^2

with h_c the curvature of the loss summed over the category's rows: the off-diagonal of
the Hessian is left out of gamma, never of w.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import sqrt

import numpy as np
from scipy.sparse import csr_array, hstack

from sk_embed._arrays import FloatArray
from sk_embed._engine.losses import Loss
from sk_embed._engine.rows import Rows
from sk_embed._engine.tasks import TaskMap, map_in_turn

# Numeric context is bounded to a few units, so its slopes need no more than a touch of
# penalty to keep collinear columns from exchanging huge coefficients.
_CONTEXT_ALPHA = 1.0
_TOLERANCE = 1e-6
# While the penalties still move, the coefficients need only follow.
_TOLERANCE_OF_ESTIMATE = 1e-3
_MAX_NEWTON_STEPS = 50
_MAX_CONJUGATE_GRADIENT_STEPS = 1_000
# How exactly a Newton step is solved: at first roughly, then as exactly as the quadratic
# model foretold the gradient of the step before (Eisenstat & Walker, SIAM J. Sci. Comput.
# 17, 1996). Squared loss is its own model, and conjugate gradients need not start again.
_FORCING_RANGE = (1e-3, 0.1)
# Of one step: further than from never to always.
_MAX_LOG_ODDS = 30.0
# Of a direction's length, below which its curvature is rounding.
_FLAT = np.finfo(np.float64).eps ** 2
_MAX_HALVINGS = 20
_ROUNDING = 1e-10
_MAX_ALPHA_UPDATES = 30
_ALPHA_TOLERANCE = 0.02
_ALPHA_RANGE = (1e-3, 1e6)
# Of a row, below which a binomial or multinomial model is sure of the label.
_MIN_CURVATURE = 1e-9


@dataclass(frozen=True)
class MainEffects:
    """A solved additive model.

    Parameters
    ----------
    effects : ndarray of shape (1 + n_folds, sum(n_codes), n_outputs)
        Stacked main effects: of all rows, then without each fold.
    alpha : ndarray of shape (n_groups, n_columns)
        Penalty of each column, for each group of outputs that are solved jointly.
    noise_ratio : ndarray of shape (n_groups, n_columns)
        Rows of a category that weigh as much as the prior of its column: the noise
        variance of a row over the variance of the column's effects.
    converged : bool
        Whether the gradient vanished.
    """

    effects: FloatArray
    alpha: FloatArray
    noise_ratio: FloatArray
    converged: bool


class AdditiveModel:
    """The additive model of given rows.

    Parameters
    ----------
    rows : Rows
        Training rows.
    loss : Loss
        What is minimised.
    """

    def __init__(self, rows: Rows, loss: Loss) -> None:
        self.rows = rows
        self.loss = loss
        self.design = _design(rows)
        self.design_transposed = self.design.T.tocsr()
        self.n_outputs = rows.targets.shape[1]
        self.n_leading = 1 + rows.context.shape[1]
        self._squared_transposed = _squared(self.design_transposed)
        self._targets = rows.targets.astype(np.float64)

    def penalty(self, alpha: FloatArray) -> FloatArray:
        """Return the penalty of each coefficient, shape (n_coefficients, 1)."""
        leading = np.full(self.n_leading, _CONTEXT_ALPHA)
        leading[0] = 0.0
        return np.concatenate([leading, np.repeat(alpha, self.rows.n_codes)])[:, None]

    def empty(self, weights: FloatArray) -> FloatArray:
        """Return the coefficients of the model without any effect."""
        coefficients = np.zeros((self.design.shape[1], self.n_outputs))
        mean = np.einsum("i,ik->k", weights, self._targets) / weights.sum()
        coefficients[0] = self.loss.link(mean)
        return coefficients

    def raw_prediction(self, coefficients: FloatArray) -> FloatArray:
        """Return the raw prediction, shape (n_rows, n_outputs)."""
        return self.design @ coefficients

    def pull_back(self, at_rows: FloatArray) -> FloatArray:
        """Apply the transposed design to an array of the raw prediction's shape."""
        return self.design_transposed @ at_rows

    def objective(
        self, coefficients: FloatArray, weights: FloatArray, penalty: FloatArray
    ) -> float:
        """Return the objective."""
        losses = self.loss.loss(self._targets, self.raw_prediction(coefficients))
        data_term = np.einsum("i,i->", losses, weights)
        return float(data_term + (penalty * coefficients**2).sum() / 2)

    def gradient(
        self, coefficients: FloatArray, weights: FloatArray, penalty: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return the gradient, and the expected target on which the Hessian depends."""
        mean = self.loss.inverse_link(self.raw_prediction(coefficients))
        residual = (mean - self._targets) * weights[:, None]
        return self.pull_back(residual) + penalty * coefficients, mean

    def hessian_product(
        self,
        direction: FloatArray,
        mean: FloatArray,
        weights: FloatArray,
        penalty: FloatArray,
    ) -> FloatArray:
        """Return the Hessian at the expected target times ``direction``."""
        at_rows = self.loss.hessian_product(mean, self.raw_prediction(direction))
        return self.pull_back(at_rows * weights[:, None]) + penalty * direction

    def curvature(self, mean: FloatArray, weights: FloatArray) -> FloatArray:
        """Return the diagonal of the Hessian without the penalty."""
        at_rows = self.loss.curvature(mean) * weights[:, None]
        return self._squared_transposed @ at_rows

    def solve(
        self,
        weights: FloatArray,
        alpha: FloatArray,
        start: FloatArray,
        tolerance: float = _TOLERANCE,
    ) -> tuple[FloatArray, bool]:
        """Minimise the objective.

        Parameters
        ----------
        weights : ndarray of shape (n_rows,)
            Weight of each row.
        alpha : ndarray of shape (n_columns,)
            Penalty of each column.
        start : ndarray of shape (n_coefficients, n_outputs)
            Where to begin.
        tolerance : float
            Where the norm of the gradient, relative to that of the empty model, is zero.

        Returns
        -------
        coefficients : ndarray of shape (n_coefficients, n_outputs)
        converged : bool
        """
        penalty = self.penalty(alpha)
        coefficients = start.copy()
        scale: float | None = None
        forcing, foretold, norm_before = _FORCING_RANGE[1], 0.0, 0.0
        value = self.objective(coefficients, weights, penalty)
        for _ in range(_MAX_NEWTON_STEPS):
            gradient, mean = self.gradient(coefficients, weights, penalty)
            diagonal = self.curvature(mean, weights) + penalty
            # An empty category under alpha = 0 has neither data nor prior: it stays.
            is_held = diagonal > np.finfo(np.float64).tiny
            inverse_diagonal = 1 / np.where(is_held, diagonal, 1)
            if scale is None:
                scale = self._gradient_scale(weights, penalty, inverse_diagonal)
            norm = sqrt(_inner(gradient, inverse_diagonal * gradient))
            if norm <= tolerance * scale:
                return coefficients, True
            hessian = partial(
                self.hessian_product, mean=mean, weights=weights, penalty=penalty
            )
            if norm_before > 0:
                surprise = abs(norm - foretold) / norm_before
                forcing = float(np.clip(surprise, *_FORCING_RANGE))
            step, foretold = _conjugate_gradients(
                hessian, -gradient, inverse_diagonal, forcing
            )
            norm_before = norm
            coefficients, value, moved = self._descend(
                coefficients, step, value, weights, penalty
            )
            if not moved:
                # No step lowers the objective: the floor of float arithmetic.
                return coefficients, norm <= 1e-3 * scale
        return coefficients, False

    def _gradient_scale(
        self, weights: FloatArray, penalty: FloatArray, inverse_diagonal: FloatArray
    ) -> float:
        """Norm of the gradient of the empty model, which a solved one is compared to.

        Where the empty model is solved already, the norm is rounding: of sums over rows,
        it grows as the root of their weight.
        """
        gradient, _ = self.gradient(self.empty(weights), weights, penalty)
        norm = sqrt(_inner(gradient, inverse_diagonal * gradient))
        return max(norm, sqrt(np.finfo(np.float64).eps * float(weights.sum())))

    def _descend(
        self,
        coefficients: FloatArray,
        step: FloatArray,
        value: float,
        weights: FloatArray,
        penalty: FloatArray,
    ) -> tuple[FloatArray, float, bool]:
        """Take the Newton step, halved as long as the objective rises."""
        length = self._first_length(step)
        for _ in range(_MAX_HALVINGS):
            candidate = coefficients + length * step
            new_value = self.objective(candidate, weights, penalty)
            # Near the solution a step gains less than the rounding of so long a sum; the
            # objective is convex, and it is the gradient that decides convergence.
            if new_value <= value + _ROUNDING * abs(value):
                return candidate, new_value, True
            length /= 2
        return coefficients, value, False

    def _first_length(self, step: FloatArray) -> float:
        """Return the share of a Newton step that is tried first.

        Where labels are all but certain the loss is all but flat, and without a penalty
        the step goes to log-odds that no float32 holds.
        """
        if self.loss.has_free_dispersion:
            return 1.0
        return _MAX_LOG_ODDS / max(float(np.abs(step).max()), _MAX_LOG_ODDS)

    def dispersion(
        self, coefficients: FloatArray, weights: FloatArray, n_effective: float
    ) -> float:
        """Estimate the noise variance, or return 1 where the loss fixes it."""
        if not self.loss.has_free_dispersion:
            return 1.0
        losses = self.loss.loss(self._targets, self.raw_prediction(coefficients))
        n_free = max(float(weights.sum()) - n_effective, 1.0)
        return max(2 * float(losses @ weights) / (n_free * self.n_outputs), 1e-12)

    def estimate_alpha(self) -> FloatArray:
        """Estimate the penalty of each column by empirical Bayes, shape (n_columns,)."""
        weights = self.rows.weight.astype(np.float64)
        alpha: FloatArray = np.ones(len(self.rows.n_codes))
        coefficients = self.empty(weights)
        for _ in range(_MAX_ALPHA_UPDATES):
            coefficients, _ = self.solve(
                weights, alpha, coefficients, _TOLERANCE_OF_ESTIMATE
            )
            new_alpha, _ = self.evidence(coefficients, weights, alpha)
            change = np.abs(np.log(new_alpha / alpha))
            alpha = new_alpha
            if change.max() < _ALPHA_TOLERANCE:
                break
        return alpha

    def evidence(
        self, coefficients: FloatArray, weights: FloatArray, alpha: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return the penalty and the noise ratio of each column that a solution speaks for.

        Parameters
        ----------
        coefficients : ndarray of shape (n_coefficients, n_outputs)
            Solved under ``alpha``.
        weights : ndarray of shape (n_rows,)
            Weight of each row.
        alpha : ndarray of shape (n_columns,)
            Penalty of each column.

        Returns
        -------
        alpha, noise_ratio : ndarray of shape (n_columns,)
        """
        first = np.cumsum(np.append(0, self.rows.n_codes[:-1]))
        mean = self.loss.inverse_link(self.raw_prediction(coefficients))
        curvature = self.curvature(mean, weights)[self.n_leading :]
        per_code = np.repeat(alpha, self.rows.n_codes)[:, None]
        # A code without rows under alpha = 0 has neither data nor prior: no parameter.
        total = curvature + per_code
        effective = np.add.reduceat(
            np.divide(curvature, total, out=np.zeros_like(total), where=total > 0).sum(1),
            first,
        )
        effects = coefficients[self.n_leading :]
        squares = np.add.reduceat((effects**2).sum(1), first)
        n_effective = self.n_leading + effective.sum() / self.n_outputs
        dispersion = self.dispersion(coefficients, weights, n_effective)
        # No effects at all call for the largest penalty.
        tiny = np.finfo(np.float64).tiny
        with np.errstate(over="ignore"):
            ratio = dispersion * effective / np.maximum(squares, tiny)
        new_alpha = np.clip(np.where(squares > tiny, ratio, np.inf), *_ALPHA_RANGE)
        curvature_of_row = np.add.reduceat(curvature.mean(1), first) / weights.sum()
        return new_alpha, new_alpha / np.maximum(curvature_of_row, _MIN_CURVATURE)


def fit_main_effects(
    rows: Rows,
    loss: Loss,
    fold_weights: FloatArray,
    alpha: float | None,
    map_tasks: TaskMap = map_in_turn,
) -> MainEffects:
    """Solve the additive model for all rows, and for those without each fold.

    Parameters
    ----------
    rows : Rows
        Training rows.
    loss : Loss
        What is minimised.
    fold_weights : ndarray of shape (n_folds, n_rows)
        Weight of each row, for each fold.
    alpha : float or None
        Penalty of every column, or None to estimate one for each column.
    map_tasks : callable, optional
        Like ``map``, but may run the tasks side by side.

    Returns
    -------
    MainEffects
    """
    parts = [
        _fit_jointly(
            replace(rows, targets=rows.targets[:, outputs]),
            loss,
            fold_weights,
            alpha,
            map_tasks,
        )
        for outputs in loss.joint_outputs(rows.targets.shape[1])
    ]
    return MainEffects(
        np.concatenate([part.effects for part in parts], axis=2),
        np.concatenate([part.alpha for part in parts]),
        np.concatenate([part.noise_ratio for part in parts]),
        all(part.converged for part in parts),
    )


def _fit_jointly(
    rows: Rows,
    loss: Loss,
    fold_weights: FloatArray,
    alpha: float | None,
    map_tasks: TaskMap,
) -> MainEffects:
    model = AdditiveModel(rows, loss)
    if alpha is None:
        alphas = model.estimate_alpha()
    else:
        alphas = np.full(len(rows.n_codes), float(alpha))

    # Each solution starts from its own rows and stops by them alone. What the solution
    # of all rows, or the number of steps that another fold takes, would carry over of a
    # held-out row's target is tiny, yet trees split on its sign.
    def solve(weights: FloatArray) -> tuple[FloatArray, bool]:
        weights = weights.astype(np.float64)
        return model.solve(weights, alphas, model.empty(weights))

    solutions = map_tasks(solve, [rows.weight, *fold_weights])
    effects = [coefficients[model.n_leading :] for coefficients, _ in solutions]
    _, noise_ratio = model.evidence(solutions[0][0], rows.weight.astype(np.float64), alphas)
    converged = all(done for _, done in solutions)
    return MainEffects(np.stack(effects), alphas[None], noise_ratio[None], converged)


def _design(rows: Rows) -> csr_array:
    """Return the design matrix: a column of ones, the context, the categories."""
    n_rows, n_columns = rows.codes.shape
    boundaries = np.arange(n_rows + 1) * n_columns
    one_hot = csr_array(
        (np.ones(n_rows * n_columns), rows.stacked_codes.ravel(), boundaries),
        shape=(n_rows, int(rows.n_codes.sum())),
    )
    leading = np.column_stack([np.ones(n_rows), rows.context.astype(np.float64)])
    return csr_array(hstack([csr_array(leading), one_hot], format="csr"))


def _squared(matrix: csr_array) -> csr_array:
    return csr_array((matrix.data**2, matrix.indices, matrix.indptr), shape=matrix.shape)


def _inner(a: FloatArray, b: FloatArray) -> float:
    return float(np.einsum("pk,pk->", a, b))


def _conjugate_gradients(
    product: Callable[[FloatArray], FloatArray],
    target: FloatArray,
    inverse_diagonal: FloatArray,
    tolerance: float,
) -> tuple[FloatArray, float]:
    """Solve a positive definite system roughly, by products with its matrix.

    Returns the solution, and the norm of what is left of the residual.
    """
    solution = np.zeros_like(target)
    residual = target.copy()
    preconditioned = inverse_diagonal * residual
    direction = preconditioned.copy()
    energy = _inner(residual, preconditioned)
    enough = tolerance**2 * energy
    for _ in range(_MAX_CONJUGATE_GRADIENT_STEPS):
        if energy <= enough:
            break
        image = product(direction)
        bend = _inner(direction, image)
        if bend <= _FLAT * energy:
            # The system is flat along the direction, as far as floats can tell.
            break
        length = energy / bend
        solution += length * direction
        residual -= length * image
        preconditioned = inverse_diagonal * residual
        new_energy = _inner(residual, preconditioned)
        direction = preconditioned + new_energy / energy * direction
        energy = new_energy
    return solution, sqrt(energy)
