"""Main effects: the joint additive model, solved to convergence.

Each weighting of the rows (all rows; all but one fold) is solved by its own rows, so that
not even the number of its steps depends on another's. So are outputs that the loss does
not tie to each other: several targets have the effects, the penalties and the noise that
each has alone.

With ``alpha`` left open it is estimated by empirical Bayes. Read the penalty as the
prior w_j[c] ~ N(0, tau_j^2), so that alpha_j = phi / tau_j^2 with phi the dispersion
(the noise variance; 1 for a binomial or multinomial target). MacKay's fixed point
(Bayesian interpolation, Neural Computation 4, 1992) is ::

    gamma_j = n_j - alpha_j tr [(H + A)^-1]_jj      effective parameters of column j
    alpha_j = phi * gamma_j / ||w_j||^2

with H the Hessian of the loss and A that of the penalty: see
:mod:`sk_embed._engine.additive.effective_parameters`.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from sk_embed._arrays import FloatArray
from sk_embed._engine.additive.effective_parameters import EffectiveParameters
from sk_embed._engine.additive.newton import Solution, minimize
from sk_embed._engine.additive.objective import (
    AdditiveModel,
    AdditiveObjective,
    Evaluation,
)
from sk_embed._engine.losses import Loss
from sk_embed._engine.rows import Rows

# While the penalties still move, the coefficients need only follow.
_TOLERANCE_OF_ESTIMATE = 1e-3
_MAX_ALPHA_UPDATES = 30
_ALPHA_TOLERANCE = 0.1
_MAX_LENGTHENING = 4.0
ALPHA_RANGE = (1e-3, 1e6)
# A variance of effects is about the same in some of the rows as in all: these find where
# all rows begin.
ROWS_OF_FIRST_ESTIMATE = 50_000
# Smallest curvature of a row that counts; with less, a binomial or multinomial model is
# sure of the label.
_MIN_CURVATURE = 1e-9


class Solved(NamedTuple):
    """Coefficients of an additive model.

    Parameters
    ----------
    effects : ndarray of shape (sum(n_codes), n_outputs)
        Main effects of the stacked categories of all columns.
    dense : ndarray of shape (1 + n_context, n_outputs)
        Intercept and slopes of the context.
    converged : bool
        Whether the gradient vanished, to the solver's tolerance.
    """

    effects: FloatArray
    dense: FloatArray
    converged: bool

    @property
    def coefficients(self) -> FloatArray:
        """All coefficients, in the order of the objective's."""
        return np.concatenate([self.dense, self.effects])


class MainEffects(NamedTuple):
    """A solved additive model.

    Parameters
    ----------
    full : Solved
        Coefficients that all rows have.
    folds : list of Solved
        Coefficients that all rows but those of each fold have.
    alpha : ndarray of shape (n_groups, n_columns)
        Penalty of each column, for each group of outputs that are solved jointly.
    noise_ratio : ndarray of shape (n_groups, n_columns)
        Rows of a category that weigh as much as the prior of its column: the noise
        variance of a row over the variance of the column's effects.
    curvature : ndarray of shape (n_groups, n_columns)
        Mean second derivative of the loss of a row of weight 1. ``alpha / curvature`` is
        the number of rows that weigh as much as the penalty that was solved with;
        ``noise_ratio`` is that of the next estimate, another where ``alpha`` is given.
    """

    full: Solved
    folds: list[Solved]
    alpha: FloatArray
    noise_ratio: FloatArray
    curvature: FloatArray

    @property
    def converged(self) -> bool:
        """Whether the gradient vanished in all solutions."""
        return self.full.converged and all(fold.converged for fold in self.folds)

    def first_folds(self, n_folds: int) -> MainEffects:
        """Return the solutions of all rows and without each of the first folds."""
        return self._replace(folds=self.folds[:n_folds])


class KnownColumns(NamedTuple):
    """The model of the first columns, to which others are added.

    Parameters
    ----------
    effects : MainEffects
        Solutions of the model without the other columns, from which those with them begin:
        each from that of the same rows.
    alpha : ndarray of shape (n_groups, n_known)
        Penalties that are not estimated again, of the first columns with the others.
    """

    effects: MainEffects
    alpha: FloatArray


class AdditiveFit(NamedTuple):
    """The model of all rows, for outputs that the loss ties to each other.

    Parameters
    ----------
    alpha, noise_ratio, curvature : ndarray of shape (n_columns,)
        Penalty, noise ratio and curvature of each column, as in :class:`MainEffects`.
    solved : Solved
        Coefficients that all rows have under these penalties.
    """

    alpha: FloatArray
    noise_ratio: FloatArray
    curvature: FloatArray
    solved: Solved

    @property
    def effects(self) -> FloatArray:
        """Stacked main effects, shape (sum(n_codes), n_outputs)."""
        return self.solved.effects


class ObjectiveSource(Protocol):
    """Rows of which the additive model's objective can be asked."""

    @property
    def mean_target(self) -> FloatArray:
        """Weighted mean of the targets, shape (n_outputs,)."""

    def sample(self, n_rows: int) -> Rows | None:
        """Return about ``n_rows`` rows, or None if all are not more than twice as many."""

    def objective(self, loss: Loss, outputs: slice, subset: int) -> AdditiveObjective:
        """Return the objective over a subset of the rows; subset 0 is all of them."""


def output_groups(source: ObjectiveSource, loss: Loss) -> list[slice]:
    """Return the groups of outputs that the loss ties to each other."""
    return loss.joint_outputs(len(source.mean_target))


def by_output(of_groups: FloatArray, loss: Loss, n_outputs: int) -> FloatArray:
    """Return what each group of outputs has, for each output.

    Parameters
    ----------
    of_groups : ndarray of shape (n_groups, n_columns)
        A number for each column and group of outputs that the loss ties to each other.
    loss : Loss
        Loss that ties outputs to each other, or not.
    n_outputs : int
        Number of outputs of the target.

    Returns
    -------
    of_outputs : ndarray of shape (n_columns, n_outputs)
    """
    groups = loss.joint_outputs(n_outputs)
    sizes = [len(range(n_outputs)[outputs]) for outputs in groups]
    return np.repeat(of_groups, sizes, axis=0).T


def fit_all_rows(
    source: ObjectiveSource,
    loss: Loss,
    alpha: float | None,
    known: KnownColumns | None = None,
) -> list[AdditiveFit]:
    """Solve the additive model for all rows, each group of outputs by itself.

    Parameters
    ----------
    source : ObjectiveSource
        Training rows, wherever they are.
    loss : Loss
        Loss whose weighted sum over rows is minimised.
    alpha : float or None
        Penalty of every column, or None to estimate one for each column.
    known : KnownColumns, optional
        The model of the first columns.
    """
    sample = source.sample(ROWS_OF_FIRST_ESTIMATE) if alpha is None else None
    fits = []
    for group, outputs in enumerate(output_groups(source, loss)):
        model = source.objective(loss, outputs, 0)
        of_sample = None
        if sample is not None:
            of_sample = of_all_rows(sample.with_outputs(outputs), loss)
        if known is None:
            fits.append(solve_all_rows(model, of_sample, alpha))
        else:
            start = beginning(model, known.effects.full, outputs)
            fits.append(solve_all_rows(model, of_sample, alpha, known.alpha[group], start))
    return fits


def beginning(model: AdditiveObjective, known: Solved, outputs: slice) -> Evaluation:
    """Return the model where the other columns have no effects yet.

    Parameters
    ----------
    model : AdditiveObjective
        Objective with the other columns, of some outputs.
    known : Solved
        Solution without the other columns, for the same rows.
    outputs : slice
        Outputs of ``model`` among those of ``known``.
    """
    coefficients, first = model.zeros(), known.coefficients[:, outputs]
    coefficients[: len(first)] = first
    return model.evaluate(coefficients)


def solve_all_rows(
    model: AdditiveObjective,
    sample: AdditiveObjective | None,
    alpha: float | None,
    known: FloatArray | tuple[()] = (),
    start: Evaluation | None = None,
) -> AdditiveFit:
    """Solve the additive model for all rows.

    Parameters
    ----------
    model : AdditiveObjective
        Objective over all rows, for outputs that the loss ties to each other.
    sample : AdditiveObjective or None
        Objective over some of the rows, where there are many: see :func:`estimate_alpha`.
    alpha : float or None
        Penalty of every column, or None to estimate one for each.
    known : ndarray of shape (n_known,)
        Penalties of the first columns, which are not estimated again.
    start : Evaluation, optional
        Evaluation that the solver begins at where no penalty is estimated; the null model,
        unless given.
    """
    start = model.null_model if start is None else start
    parameters = None
    if alpha is not None:
        alphas: FloatArray = np.full(len(model.n_codes), float(alpha))
    elif len(known) == len(model.n_codes):
        alphas = np.asarray(known)
    else:
        alphas, start, parameters = estimate_alpha(model, sample, known)
    solution = minimize(model, alphas, start)
    # The counter of the estimate is all but done with the penalties that it has ended at.
    parameters = parameters or EffectiveParameters(model)
    estimate, curvature = update_penalty(model, solution, alphas, parameters)
    solved = _solved(model, solution)
    return AdditiveFit(alphas, estimate / curvature, curvature, solved)


def fit_fold(
    fit: AdditiveFit, model: AdditiveObjective, start: Evaluation | None = None
) -> Solved:
    """Solve the additive model for some of the rows, under the penalties of all.

    The fold starts from its own rows and stops by them alone. What the solution of all
    rows would carry over of a held-out row's target is tiny, yet trees split on its sign.

    Parameters
    ----------
    fit : AdditiveFit
        Solution for all rows, of the same outputs.
    model : AdditiveObjective
        Objective over the fold's training rows.
    start : Evaluation, optional
        Evaluation that the solver begins at, which may depend on the fold's training rows
        alone; the null model, unless given.

    Returns
    -------
    Solved
    """
    start = model.null_model if start is None else start
    return _solved(model, minimize(model, fit.alpha, start))


def stack_fits(fits: list[AdditiveFit], folds: list[list[Solved]]) -> MainEffects:
    """Put solutions together: of all rows, and for each fold one of each group."""
    return MainEffects(
        _of_all_outputs([fit.solved for fit in fits]),
        [_of_all_outputs(fold) for fold in folds],
        np.stack([fit.alpha for fit in fits]),
        np.stack([fit.noise_ratio for fit in fits]),
        np.stack([fit.curvature for fit in fits]),
    )


def _of_all_outputs(groups: list[Solved]) -> Solved:
    if len(groups) == 1:
        return groups[0]
    effects, dense, converged = zip(*groups, strict=True)
    return Solved(np.hstack(effects), np.hstack(dense), all(converged))


def _solved(model: AdditiveObjective, solution: Solution) -> Solved:
    dense, effects = np.split(solution.at.coefficients, [model.n_dense])
    return Solved(effects, dense, solution.converged)


def of_all_rows(rows: Rows, loss: Loss, **options: Any) -> AdditiveModel:
    """Return the model in which every row counts, with the options of a model."""
    return AdditiveModel(rows, loss, np.broadcast_to(True, len(rows)), **options)


def of_a_sample(rows: Rows, loss: Loss) -> AdditiveModel | None:
    """Return the model of some of many rows, or None if they are few."""
    sample = rows.sample(ROWS_OF_FIRST_ESTIMATE)
    return None if sample is None else of_all_rows(sample, loss)


class AlphaEstimate(NamedTuple):
    """Penalties by empirical Bayes, and where their estimation has ended.

    Parameters
    ----------
    alpha : ndarray of shape (n_columns,)
        Penalty on the squares of each column's effects.
    at : Evaluation
        The model of all rows close to its solution.
    parameters : EffectiveParameters
        Counter of the parameters of the model of all rows.
    """

    alpha: FloatArray
    at: Evaluation
    parameters: EffectiveParameters


def estimate_alpha(
    model: AdditiveObjective,
    sample: AdditiveObjective | None = None,
    known: FloatArray | tuple[()] = (),
) -> AlphaEstimate:
    """Estimate the penalty of each column by empirical Bayes.

    Parameters
    ----------
    model : AdditiveObjective
        Objective as the sum over all rows.
    sample : AdditiveObjective, optional
        Objective over some of the rows; the estimates of it are where those of all rows
        begin.
    known : ndarray of shape (n_known,), optional
        Penalties of the first columns, which are not estimated again.

    Returns
    -------
    AlphaEstimate
    """
    alpha: FloatArray = np.ones(len(model.n_codes))
    alpha[: len(known)] = known
    for objective in [model] if sample is None else [sample, model]:
        at = objective.null_model
        update, parameters = AlphaUpdate(), EffectiveParameters(objective)
        for _ in range(_MAX_ALPHA_UPDATES):
            solution = minimize(objective, alpha, at, _TOLERANCE_OF_ESTIMATE)
            at = solution.at
            new_alpha, _ = update_penalty(objective, solution, alpha, parameters)
            change = np.log(new_alpha / alpha)
            change[: len(known)] = 0
            alpha = np.clip(alpha * np.exp(update(alpha, change)), *ALPHA_RANGE)
            if np.abs(change).max() < _ALPHA_TOLERANCE:
                break
    return AlphaEstimate(alpha, at, parameters)


class AlphaUpdate:
    """The fixed point's steps, longer where they would go on in the same direction.

    MacKay's steps shrink by the same factor each time, for rare categories a factor
    close to 1. The secant through the last two steps, of each column by itself, tells
    where they would lead; a step is lengthened up to fourfold, never shortened.
    """

    def __init__(self) -> None:
        self._before: tuple[FloatArray, FloatArray] | None = None

    def __call__(self, alpha: FloatArray, change: FloatArray) -> FloatArray:
        """Return the change of log alpha to make, given that of the fixed point."""
        place = np.log(alpha)
        factor = np.ones_like(change)
        if self._before is not None:
            moved, fell = place - self._before[0], self._before[1] - change
            is_sure = (change * moved > 0) & (fell * moved > 0)
            np.divide(moved, fell, out=factor, where=is_sure)
        self._before = place, change
        return np.clip(factor, 1, _MAX_LENGTHENING) * change


def update_penalty(
    model: AdditiveObjective,
    solution: Solution,
    alpha: FloatArray,
    parameters: EffectiveParameters,
) -> tuple[FloatArray, FloatArray]:
    """Return MacKay's next penalty, and the curvature of a row, of each column.

    Parameters
    ----------
    model : AdditiveObjective
        Objective as the sum over all rows.
    solution : Solution
        Minimum of this objective under the penalties ``alpha``.
    alpha : ndarray of shape (n_columns,)
        Penalty on the squares of each column's effects.
    parameters : EffectiveParameters
        Counter of the model's effective parameters.

    Returns
    -------
    alpha, curvature : ndarray of shape (n_columns,)
        The penalty; and the mean second derivative of the loss of a row of weight 1.
    """
    first = np.cumsum(np.append(0, model.n_codes[:-1]))
    effective = parameters(solution, alpha)
    effects = solution.at.coefficients[model.n_dense :]
    squares = np.add.reduceat((effects**2).sum(1), first)
    n_effective = model.n_dense + effective.sum() / model.n_outputs
    dispersion = _dispersion(model, solution, n_effective)
    # No effects at all call for the largest penalty.
    tiny = np.finfo(np.float64).tiny
    with np.errstate(over="ignore"):
        ratio = dispersion * effective / np.maximum(squares, tiny)
    new_alpha = np.clip(np.where(squares > tiny, ratio, np.inf), *ALPHA_RANGE)
    curvature = solution.curvature.diagonal[model.n_dense :]
    curvature_of_row = np.add.reduceat(curvature.mean(1), first) / model.total_weight
    return new_alpha, np.maximum(curvature_of_row, _MIN_CURVATURE)


def _dispersion(model: AdditiveObjective, solution: Solution, n_effective: float) -> float:
    """Estimate the noise variance, or return 1 where the loss fixes it."""
    if not model.loss.has_free_dispersion:
        return 1.0
    n_free = max(model.total_weight - n_effective, 1.0)
    return max(2 * solution.at.value / (n_free * model.n_outputs), 1e-12)
