from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engine_data import (
    BINOMIAL,
    LOSS_CASES,
    MULTINOMIAL,
    SQUARED,
    draw_rows,
    draw_targets,
    finite_differences,
    make_rows,
    slope,
)
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression, Ridge

from sk_embed._engine.additive import objective as additive_model
from sk_embed._engine.additive.effective_parameters import EffectiveParameters
from sk_embed._engine.additive.main_effects import (
    fit_all_rows,
    fit_fold,
    output_groups,
    stack_fits,
)
from sk_embed._engine.additive.newton import minimize
from sk_embed._engine.additive.objective import AdditiveModel
from sk_embed._engine.sources import InMemory

each_loss = pytest.mark.parametrize(
    ("loss", "n_outputs"), LOSS_CASES.values(), ids=LOSS_CASES
)
# The norm of the gradient, relative to the empty model's, at which tests call it solved.
TIGHT = 1e-8
ALPHA = np.array([0.5, 4.0])


def every_row(rows):
    return np.ones(len(rows), dtype=bool)


def no_folds(rows):
    return np.empty((0, len(rows)), dtype=bool)


def without_folds(rows, n_folds):
    """Rows that are not of each fold: every n_folds-th row is of one fold."""
    return np.arange(len(rows)) % n_folds != np.arange(n_folds)[:, None]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def dense_design(rows):
    one_hot = [np.eye(n)[c] for n, c in zip(rows.n_codes, rows.codes.T, strict=True)]
    return np.hstack([np.ones((len(rows), 1)), rows.context, *one_hot])


def fit_main_effects(rows, loss, is_training, alpha):
    """Solve for all rows and for each fold, as `learn_model` does in several tasks."""
    source = InMemory(rows)
    fits = fit_all_rows(source, loss, alpha)
    groups = [rows.with_outputs(outputs) for outputs in output_groups(source, loss)]
    folds = [
        [
            fit_fold(whole, AdditiveModel(group, loss, used))
            for whole, group in zip(fits, groups, strict=True)
        ]
        for used in is_training
    ]
    return stack_fits(fits, folds)


def all_effects(learned):
    """Return the effects of all rows, then without each fold."""
    return np.stack([solved.effects for solved in (learned.full, *learned.folds)])


def model_of(rows, loss, weights=None):
    """Return the additive model, of other weights if they are given."""
    if weights is not None:
        rows = replace(rows, weight=weights)
    return AdditiveModel(rows, loss, every_row(rows))


def solved(model, alpha):
    solution = minimize(model, alpha, model.null_model, TIGHT)
    assert solution.converged
    return solution.at.coefficients


def solve(rows, loss, alpha, weights=None):
    return solved(model_of(rows, loss, weights), alpha)


def logistic_regression(rows, loss, alpha):
    """Solve by scikit-learn, whose penalty is the same for all: scale the columns."""
    penalty = model_of(rows, loss).penalty(alpha)[1:, 0]
    y = rows.targets[:, 0] if rows.targets.shape[1] == 1 else rows.targets.argmax(axis=1)
    # Newton's method: the default solver of scikit-learn 1.6 warns under a new scipy.
    regression = LogisticRegression(
        C=1.0, tol=1e-10, max_iter=10_000, solver="newton-cholesky"
    )
    regression.fit(dense_design(rows)[:, 1:] / np.sqrt(penalty), y, rows.weight)
    coefficients = regression.coef_ / np.sqrt(penalty)
    return np.vstack([regression.intercept_, coefficients.T])


def simulate(rng, n_rows, n_codes, deviations, noise):
    """Draw crossed random effects; return the rows and the variances that were drawn."""
    codes = np.column_stack([rng.integers(n, size=n_rows) for n in n_codes])
    effects = [
        rng.normal(scale=deviation, size=n)
        for n, deviation in zip(n_codes, deviations, strict=True)
    ]
    signal = sum(e[c] for e, c in zip(effects, codes.T, strict=True))
    targets = signal + rng.normal(scale=noise, size=n_rows)
    return make_rows(codes, targets, n_codes=n_codes), np.array([e.var() for e in effects])


# ------------------------------------------------------------------ derivatives


@each_loss
def test_gradient_is_slope_of_objective(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    model = model_of(rows, loss, rng.uniform(size=40))
    penalty = model.penalty(ALPHA)
    point = rng.normal(size=(1 + 2 + 6 + 3, n_outputs))
    expected = finite_differences(
        lambda coefficients: model.evaluate(coefficients).penalized_value(penalty), point
    )
    gradient = model.evaluate(point).penalized_gradient(penalty)
    assert_allclose(gradient, expected, rtol=1e-6, atol=1e-6)


@each_loss
def test_hessian_product_is_slope_of_gradient(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    model = model_of(rows, loss, rng.uniform(size=40))
    penalty = model.penalty(ALPHA)
    point, direction = rng.normal(size=(2, 1 + 2 + 6 + 3, n_outputs))
    expected = slope(
        lambda p: model.evaluate(p).penalized_gradient(penalty), point, direction
    )
    product = model.hessian_product(direction, model.evaluate(point), penalty)
    assert_allclose(product, expected, rtol=1e-6, atol=1e-7)


@each_loss
def test_curvature_is_diagonal_and_leading_block_of_hessian(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    model = model_of(rows, loss, rng.uniform(size=40))
    point = rng.normal(size=(12, n_outputs))
    at = model.evaluate(point)
    units = np.eye(point.size).reshape(-1, *point.shape)
    hessian = np.array(
        [model.hessian_product(unit, at, np.zeros((12, 1))) for unit in units]
    )
    hessian = hessian.reshape(12, n_outputs, 12, n_outputs)
    diagonal, block = model.curvature(at)
    assert_allclose(diagonal, np.einsum("pkpk->pk", hessian), rtol=1e-10)
    expected = np.einsum("akbk->kab", hessian[:3, :, :3])
    assert_allclose(block, expected, rtol=1e-10, atol=1e-12)


@each_loss
def test_many_rows_say_what_few_say_at_a_time(loss, n_outputs, rng, monkeypatch):
    rows = draw_rows(rng, loss, n_outputs)
    point, direction = rng.normal(size=(2, 12, n_outputs))
    penalty = model_of(rows, loss).penalty(ALPHA)

    def seen():
        model = model_of(rows, loss)
        at = model.evaluate(point)
        product = model.hessian_product(direction, at, penalty)
        return *at[1:], product, *model.curvature(at)

    at_once = seen()
    monkeypatch.setattr(additive_model, "ROWS_OF_A_CHUNK", 7)
    # Products with the Hessian are then of single precision.
    for chunked, whole in zip(seen(), at_once, strict=True):
        assert_allclose(chunked, whole, rtol=2e-5, atol=2e-5)


def test_raw_prediction_is_intercept_slopes_and_effects(rng):
    rows = draw_rows(rng, BINOMIAL)
    coefficients = rng.normal(size=(12, 1))
    assert_allclose(
        model_of(rows, BINOMIAL).evaluate(coefficients).mean,
        BINOMIAL.inverse_link(dense_design(rows) @ coefficients),
        rtol=1e-10,
        atol=1e-12,
    )


@each_loss
def test_empty_model_predicts_the_weighted_mean(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    weights = rng.uniform(size=40)
    model = model_of(rows, loss, weights)
    coefficients = model.null_coefficients()
    expected = np.average(rows.targets, axis=0, weights=weights)
    assert_allclose(loss.inverse_link(coefficients[0]), expected, rtol=1e-10)
    assert not coefficients[1:].any()


# ------------------------------------------------------------------ solutions


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_squared_loss_is_solved_in_closed_form(n_outputs, rng):
    rows = draw_rows(rng, SQUARED, n_outputs)
    X, penalty = dense_design(rows), model_of(rows, SQUARED).penalty(ALPHA)[:, 0]
    weighted = X * rows.weight[:, None]
    expected = np.linalg.solve(X.T @ weighted + np.diag(penalty), weighted.T @ rows.targets)
    assert_allclose(solve(rows, SQUARED, ALPHA), expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 30.0])
def test_squared_loss_agrees_with_ridge(alpha, rng):
    rows = draw_rows(rng, n_context=0)
    ridge = Ridge(alpha=alpha).fit(dense_design(rows)[:, 1:], rows.targets, rows.weight)
    learned = fit_main_effects(rows, SQUARED, no_folds(rows), alpha)
    assert_allclose(learned.full.effects[:, 0], ridge.coef_.ravel(), rtol=1e-4, atol=1e-5)
    assert learned.converged


def test_binomial_loss_agrees_with_logistic_regression(rng):
    rows = draw_rows(rng, BINOMIAL, n_rows=300)
    expected = logistic_regression(rows, BINOMIAL, ALPHA)
    assert_allclose(solve(rows, BINOMIAL, ALPHA), expected, rtol=1e-4, atol=1e-5)


def test_multinomial_loss_agrees_with_logistic_regression(rng):
    rows = draw_rows(rng, MULTINOMIAL, 3, n_rows=300)
    expected = logistic_regression(rows, MULTINOMIAL, ALPHA)
    found = solve(rows, MULTINOMIAL, ALPHA)
    # A shift of all classes' intercepts changes nothing.
    expected[0] -= expected[0].mean()
    found[0] -= found[0].mean()
    assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e3])
@each_loss
def test_gradient_vanishes_at_the_solution(loss, n_outputs, alpha, rng):
    rows = draw_rows(rng, loss, n_outputs, n_rows=200, n_codes=(30, 5))
    alpha = np.full(2, alpha)
    model = model_of(rows, loss)
    penalty = model.penalty(alpha)
    at_null = model.null_model.penalized_gradient(penalty)
    at_solution = model.evaluate(solved(model, alpha)).penalized_gradient(penalty)
    assert np.abs(at_solution).max() < 1e-7 * np.abs(at_null).max()


@each_loss
def test_each_fold_is_solved_as_if_alone(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    weights = without_folds(rows, 4)
    together = fit_main_effects(rows, loss, weights, 1.0)
    folds = [fold.effects for fold in together.folds]
    alone = [fit_main_effects(rows, loss, w[None], 1.0).folds[0].effects for w in weights]
    assert_array_equal(folds, alone)
    full = fit_main_effects(rows, loss, weights[:0], 1.0).full
    assert_array_equal(together.full.effects, full.effects)
    assert np.abs(folds[0] - folds[1]).max() > 1e-3


@each_loss
def test_row_of_weight_two_is_two_rows(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    once = make_rows(rows.codes, rows.targets, rows.context, n_codes=rows.n_codes)
    times = np.arange(40) % 2 + 1
    repeated = make_rows(
        *(np.repeat(a, times, axis=0) for a in (rows.codes, rows.targets, rows.context)),
        n_codes=rows.n_codes,
    )
    weighted = solve(once, loss, ALPHA, times.astype(float))[1:]
    assert_allclose(weighted, solve(repeated, loss, ALPHA)[1:], rtol=1e-6, atol=1e-7)


@each_loss
def test_row_that_is_not_used_is_no_row(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    used = np.arange(40) % 3 > 0
    kept = make_rows(
        rows.codes[used],
        rows.targets[used],
        rows.context[used],
        rows.weight[used],
        n_codes=rows.n_codes,
    )
    ignored = solved(AdditiveModel(rows, loss, used), ALPHA)[1:]
    assert_allclose(ignored, solve(kept, loss, ALPHA)[1:], rtol=1e-6, atol=1e-7)


@each_loss
def test_effects_without_a_fold_do_not_depend_on_its_targets(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    fold = (np.arange(40) % 4 == 1)[:, None]
    targets = np.where(fold, draw_targets(rng, loss, 40, n_outputs), rows.targets)
    changed = make_rows(rows.codes, targets, rows.context, rows.weight)
    weights = ~fold.T
    # Bit for bit: trees split on the sign of what would be left.
    before, after = (fit_main_effects(r, loss, weights, 1.0) for r in (rows, changed))
    assert_array_equal(before.folds[0].effects, after.folds[0].effects)


def test_no_fold_depends_on_its_targets_by_way_of_other_folds(rng):
    # All other solutions change with the target, and may take another number of steps.
    rows = draw_rows(rng, BINOMIAL, n_rows=60, n_codes=(12, 5))
    weights = without_folds(rows, 5)
    before = all_effects(fit_main_effects(rows, BINOMIAL, weights, 1.0))
    for i in range(60):
        targets = rows.targets.copy()
        targets[i] = 1 - targets[i]
        flipped = make_rows(
            rows.codes, targets, rows.context, rows.weight, n_codes=rows.n_codes
        )
        after = all_effects(fit_main_effects(flipped, BINOMIAL, weights, 1.0))
        has_changed = (after != before).any(axis=(1, 2))
        assert_array_equal(has_changed, np.arange(-1, 5) != i % 5)


def test_category_without_rows_has_no_effect(rng):
    rows = draw_rows(rng, n_codes=(6, 3))
    wider = make_rows(rows.codes, rows.targets, rows.context, n_codes=(8, 3))
    without_fold = (rows.codes[:, 0] != 2)[None]
    learned = fit_main_effects(wider, SQUARED, without_fold, None)
    effects = all_effects(learned)[:, :, 0]
    assert_array_equal(np.flatnonzero(effects[0] == 0), [6, 7])
    assert_array_equal(np.flatnonzero(effects[1] == 0), [2, 6, 7])


def test_without_penalty_predictions_are_least_squares(rng):
    # With a category that has neither rows nor a prior.
    rows = draw_rows(rng, n_context=0)
    rows = make_rows(rows.codes, rows.targets, n_codes=(6, 4))
    X = dense_design(rows)
    coefficients = solve(rows, SQUARED, np.zeros(2))
    least_squares, *_ = np.linalg.lstsq(X, rows.targets, rcond=None)
    assert_allclose(X @ coefficients, X @ least_squares, rtol=1e-6, atol=1e-7)


def test_given_alpha_is_that_of_each_column(rng):
    rows = draw_rows(rng)
    learned = fit_main_effects(rows, SQUARED, no_folds(rows), 2.5)
    assert_array_equal(learned.alpha, [[2.5, 2.5]])


@pytest.mark.parametrize("alpha", [None, 1.0], ids=["estimated", "given"])
@pytest.mark.parametrize("n_codes", [2, 3, 10])
@pytest.mark.parametrize("loss", [SQUARED, BINOMIAL], ids=["squared", "binomial"])
def test_noise_of_many_rows_converges(loss, n_codes, alpha, rng):
    # Nearly all of the objective is noise, and its rounding more than a step can gain.
    n_rows = 3000
    codes = rng.integers(n_codes, size=n_rows)
    rows = make_rows(codes, draw_targets(rng, loss, n_rows, 1))
    learned = fit_main_effects(rows, loss, without_folds(rows, 5), alpha)
    assert learned.converged


@pytest.mark.parametrize("alpha", [None, 1.0], ids=["estimated", "given"])
def test_separable_classes_have_finite_effects(alpha, rng):
    codes = rng.integers(20, size=(400, 1))
    rows = make_rows(codes, (codes < 10).astype(float))
    learned = fit_main_effects(rows, BINOMIAL, no_folds(rows), alpha)
    effects = learned.full.effects[:, 0]
    assert learned.converged
    assert np.isfinite(effects).all()
    assert effects[:10].min() > 1
    assert effects[10:].max() < -1


def test_separable_classes_of_several_have_finite_effects(rng):
    codes = rng.integers(21, size=(400, 1))
    rows = make_rows(codes, np.eye(3)[codes[:, 0] % 3])
    learned = fit_main_effects(rows, MULTINOMIAL, no_folds(rows), None)
    assert learned.converged
    assert np.isfinite(learned.full.effects).all()
    assert_array_equal(learned.full.effects.argmax(axis=1), np.arange(21) % 3)


# ------------------------------------------------------------------ estimated penalties


@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_empirical_bayes_recovers_variance_components(noise, rng):
    rows, variances = simulate(rng, 40_000, (300, 200), (1.0, 0.4), noise)
    learned = fit_main_effects(rows, SQUARED, no_folds(rows), None)
    assert_allclose(learned.alpha[0], noise**2 / variances, rtol=0.25)


def test_empirical_bayes_recovers_variances_of_rare_categories(rng):
    # Ten rows a category, noise of nine times the variance.
    rows, variances = simulate(rng, 40_000, (4000,), (1 / 3,), 1.0)
    learned = fit_main_effects(rows, SQUARED, no_folds(rows), None)
    assert_allclose(learned.alpha[0], 1 / variances, rtol=0.25)


def test_empirical_bayes_recovers_variances_under_the_logit_link(rng):
    rows, variances = simulate(rng, 40_000, (300, 200), (1.0, 0.4), 0.0)
    targets = rng.random((40_000, 1)) < BINOMIAL.inverse_link(rows.targets)
    rows = make_rows(rows.codes, targets.astype(float), n_codes=(300, 200))
    learned = fit_main_effects(rows, BINOMIAL, no_folds(rows), None)
    assert_allclose(learned.alpha[0], 1 / variances, rtol=0.25)


def test_empirical_bayes_recovers_variances_of_wide_columns_beside_each_other(rng):
    # Three rows a category in each of three columns: the other two explain a part of what
    # a category's rows have in common. By the diagonal of the Hessian, alpha is 4 to 5.
    rows, variances = simulate(rng, 6_000, (2000,) * 3, (1.0,) * 3, 1.0)
    learned = fit_main_effects(rows, SQUARED, no_folds(rows), None)
    assert_allclose(learned.alpha[0], 1 / variances, rtol=0.25)


@pytest.mark.parametrize("seed", range(3))
def test_penalty_of_a_wide_column_does_not_run_away_beside_others(seed):
    # Products are nested in types; households cross both. The effect of the households is
    # half of the noise, but the products' coefficients could take much of it.
    rng = np.random.default_rng(seed)
    household, product = rng.integers(1000, size=6000), rng.integers(2500, size=6000)
    types = rng.integers(500, size=2500)
    codes = np.column_stack([household, product, types[product]])
    deviations = (0.4, 1.0, 1.0)
    effects = [
        rng.normal(scale=d, size=n)
        for d, n in zip(deviations, (1000, 2500, 500), strict=True)
    ]
    signal = sum(e[c] for e, c in zip(effects, codes.T, strict=True))
    rows = make_rows(codes, signal + rng.normal(scale=0.8, size=6000))
    learned = fit_main_effects(rows, SQUARED, no_folds(rows), None)
    assert_allclose(learned.alpha[0], 0.64 / np.square(deviations), rtol=0.4)


@each_loss
def test_effective_parameters_are_on_average_those_of_the_whole_hessian(
    loss, n_outputs, rng
):
    drawn = np.array([effective_parameters(loss, n_outputs, rng) for _ in range(30)])
    error, (_, expected) = drawn[:, 0] - drawn[:, 1], drawn.mean(axis=0)
    standard_error = error.std(axis=0) / np.sqrt(len(drawn))
    assert (standard_error < 0.1 * expected).all()
    assert (np.abs(error.mean(axis=0)) < 4 * standard_error).all()


def effective_parameters(loss, n_outputs, rng):
    """Return the effective parameters as they are estimated, and as they are."""
    # Two crossed columns and one that tells each category of the first its group.
    codes = np.column_stack([rng.integers(n, size=150) for n in (50, 40)])
    codes = np.column_stack([codes, codes[:, 0] // 4])
    rows = make_rows(codes, draw_targets(rng, loss, 150, n_outputs))
    model, alpha = model_of(rows, loss), np.array([1.0, 0.5, 2.0])
    solution = minimize(model, alpha, model.null_model, TIGHT)
    penalty = model.penalty(alpha)
    n_coefficients = model.n_coefficients * model.n_outputs
    every = np.eye(n_coefficients).reshape(n_coefficients, *model.zeros().shape)
    hessian = [model.hessian_product(one, solution.at, penalty).ravel() for one in every]
    inverse = np.linalg.pinv(np.array(hessian), hermitian=True)
    unknown = penalty * np.diag(inverse).reshape(model.zeros().shape)
    first = np.cumsum([0, *rows.n_codes[:-1]])
    has_rows = solution.curvature.diagonal[1:] > 0
    expected = np.add.reduceat((has_rows * (1 - unknown[1:])).sum(axis=1), first)
    # The constant of a column is counted as well, for each output.
    return EffectiveParameters(model)(solution, alpha) - model.n_outputs, expected


@pytest.mark.parametrize("loss", [SQUARED, BINOMIAL], ids=["squared", "binomial"])
def test_column_of_noise_is_shrunk_to_nothing(loss, rng):
    rows, _ = simulate(rng, 20_000, (100, 200), (1.0, 0.0), 1.0)
    if loss is BINOMIAL:
        rows = make_rows(rows.codes, (rows.targets > 0).astype(float))
    learned = fit_main_effects(rows, loss, every_row(rows)[None], None)
    signal, noise = np.split(learned.full.effects[:, 0], [100])
    rows_per_category = 20_000 / 200
    assert learned.alpha[0, 1] > 3 * rows_per_category
    assert learned.alpha[0, 0] < 0.1 * rows_per_category
    assert noise.std() < 0.05 * signal.std()


def test_estimated_alpha_does_not_depend_on_the_unit_of_the_target(rng):
    rows, _ = simulate(rng, 2000, (50, 20), (1.0, 0.4), 1.0)
    larger = make_rows(rows.codes, 1000 * rows.targets)
    alpha, expected = (
        fit_main_effects(r, SQUARED, every_row(r)[None], None).alpha for r in (larger, rows)
    )
    assert_allclose(alpha, expected, rtol=1e-6)


def test_estimated_alpha_depends_on_all_rows_alone(rng):
    rows, _ = simulate(rng, 2000, (50, 20), (1.0, 0.4), 1.0)
    weights = np.stack([np.ones(2000, dtype=bool), np.arange(2000) % 5 > 0])
    more = fit_main_effects(rows, SQUARED, weights, None)
    alone = fit_main_effects(rows, SQUARED, weights[:1], None)
    assert_array_equal(more.alpha, alone.alpha)
    assert_allclose(more.full.effects, alone.full.effects, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", [SQUARED, BINOMIAL], ids=["squared", "binomial"])
def test_outputs_that_the_loss_does_not_tie_are_solved_apart(loss, rng):
    # The noise of one says nothing about the effects, or the penalties, of another.
    rows, _ = simulate(rng, 2000, (50, 20), (1.0, 0.4), 0.3)
    targets = np.column_stack([rows.targets, rng.normal(size=2000)])
    targets = targets if loss is SQUARED else (targets > 0).astype(float)
    weights = np.stack([np.ones(2000, dtype=bool), np.arange(2000) % 5 > 0])
    both, *alone = (
        fit_main_effects(make_rows(rows.codes, part), loss, weights, None)
        for part in (targets, targets[:, :1], targets[:, 1:])
    )
    assert both.converged
    assert_array_equal(both.alpha, np.concatenate([part.alpha for part in alone]))
    assert_array_equal(
        all_effects(both), np.concatenate([all_effects(part) for part in alone], axis=2)
    )


def test_column_of_one_category_has_no_effect_beside_the_intercept(rng):
    rows = draw_rows(rng, n_codes=(1, 4))
    learned = fit_main_effects(rows, SQUARED, no_folds(rows), None)
    assert abs(learned.full.effects[0, 0]) < 1e-6


@each_loss
def test_constant_target_has_no_effects(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    constant = make_rows(rows.codes, np.tile(rows.targets[:1], (40, 1)), rows.context)
    learned = fit_main_effects(constant, loss, every_row(constant)[None], None)
    assert learned.converged
    assert_allclose(learned.full.effects, 0, atol=1e-3)


def test_target_without_noise_is_fitted(rng):
    rows, _ = simulate(rng, 2000, (50, 20), (1.0, 0.4), 0.0)
    learned = fit_main_effects(rows, SQUARED, no_folds(rows), None)
    first, second = np.split(learned.full.effects[:, 0], [50])
    fitted = first[rows.codes[:, 0]] + second[rows.codes[:, 1]]
    residual = rows.targets[:, 0] - fitted
    assert learned.converged
    assert residual.std() < 1e-3


# ------------------------------------------------------------------ noise ratio


def tolerance(ratio, n_rows, n_codes, bias):
    """Four standard errors of a variance that is estimated from noisy effects.

    The mean square of n effects of variance 1, each with noise of variance r, has a
    standard error of sqrt((4 r + 2 r^2) / n) about that of the effects themselves.
    """
    noise_of_effect = ratio * n_codes / n_rows
    error = np.sqrt((4 * noise_of_effect + 2 * noise_of_effect**2) / n_codes)
    return 4 * error + bias


@pytest.mark.parametrize(
    ("n_rows", "n_codes", "deviations", "noise"),
    [
        (40_000, (300, 200), (1.0, 0.4), 0.5),
        (40_000, (300, 200), (1.0, 0.4), 2.0),
        (40_000, (4000,), (1 / 3,), 1.0),
    ],
    ids=["little noise", "much noise", "rare categories"],
)
@pytest.mark.parametrize("seed", range(3))
def test_noise_ratio_is_that_of_the_variances(n_rows, n_codes, deviations, noise, seed):
    rng = np.random.default_rng(seed)
    rows, variances = simulate(rng, n_rows, n_codes, deviations, noise)
    expected = noise**2 / variances
    found = fit_main_effects(rows, SQUARED, no_folds(rows), None).noise_ratio[0]
    error = np.abs(np.log(found / expected))
    assert np.all(error < tolerance(expected, n_rows, np.array(n_codes), bias=0.01))


@pytest.mark.parametrize("intercept", [0.0, -2.0], ids=["even", "rare label"])
@pytest.mark.parametrize("seed", range(3))
def test_noise_ratio_under_the_logit_link_is_that_of_the_curvature(intercept, seed):
    # A label's noise, in log-odds, is one over the variance p (1 - p) of the label. That
    # of an average row stands for all, which of rare labels says a tenth too little.
    rng = np.random.default_rng(seed)
    rows, variances = simulate(rng, 40_000, (300, 200), (1.0, 0.4), 0.0)
    chance = BINOMIAL.inverse_link(intercept + rows.targets)
    labels = (rng.random(chance.shape) < chance).astype(float)
    rows = make_rows(rows.codes, labels, n_codes=(300, 200))
    expected = 1 / (np.mean(chance * (1 - chance)) * variances)
    found = fit_main_effects(rows, BINOMIAL, no_folds(rows), None).noise_ratio[0]
    error = np.abs(np.log(found / expected))
    assert np.all(error < tolerance(expected, 40_000, np.array([300, 200]), bias=0.1))


@pytest.mark.parametrize("alpha", [0.0, 0.01, 1.0])
def test_noise_ratio_does_not_hang_on_a_small_penalty_that_is_given(alpha, rng):
    rows, _ = simulate(rng, 20_000, (100, 50), (1.0, 0.4), 1.0)
    estimated, given = (
        fit_main_effects(rows, SQUARED, no_folds(rows), a) for a in (None, alpha)
    )
    assert_allclose(given.noise_ratio, estimated.noise_ratio, rtol=0.1)


def test_noise_ratio_of_a_column_of_noise_is_beyond_all_rows_of_a_category(rng):
    rows, _ = simulate(rng, 20_000, (100, 200), (1.0, 0.0), 1.0)
    learned = fit_main_effects(rows, SQUARED, no_folds(rows), None)
    assert learned.noise_ratio[0, 1] > 3 * 20_000 / 200
    assert learned.noise_ratio[0, 0] < 2


@pytest.mark.parametrize("unit", [1e-4, 1e4])
def test_noise_ratio_does_not_depend_on_the_unit_of_the_target(unit, rng):
    rows, _ = simulate(rng, 2000, (50, 20), (1.0, 0.4), 1.0)
    larger = make_rows(rows.codes, unit * rows.targets)
    found, expected = (
        fit_main_effects(r, SQUARED, every_row(r)[None], None).noise_ratio
        for r in (larger, rows)
    )
    assert_allclose(found, expected, rtol=1e-6)


def test_noise_ratio_depends_on_all_rows_alone(rng):
    rows, _ = simulate(rng, 2000, (50, 20), (1.0, 0.4), 1.0)
    more = fit_main_effects(rows, SQUARED, without_folds(rows, 5), None)
    alone = fit_main_effects(rows, SQUARED, no_folds(rows), None)
    assert_array_equal(more.noise_ratio, alone.noise_ratio)


def test_each_output_has_the_noise_ratio_it_has_alone(rng):
    rows, _ = simulate(rng, 2000, (50, 20), (1.0, 0.4), 0.3)
    targets = np.column_stack([rows.targets, rng.normal(size=2000)])
    both, *alone = (
        fit_main_effects(make_rows(rows.codes, part), SQUARED, no_folds(rows), None)
        for part in (targets, targets[:, :1], targets[:, 1:])
    )
    assert_array_equal(
        both.noise_ratio, np.concatenate([part.noise_ratio for part in alone])
    )


@each_loss
@pytest.mark.parametrize("alpha", [None, 0.0, 1.0], ids=str)
def test_noise_ratio_is_a_positive_number_whatever_the_target(loss, n_outputs, alpha, rng):
    # With a category that has no rows, and a target that is the same in all rows.
    rows = draw_rows(rng, loss, n_outputs)
    for targets in (rows.targets, np.tile(rows.targets[:1], (40, 1))):
        wider = make_rows(rows.codes, targets, rows.context, n_codes=(7, 3))
        learned = fit_main_effects(wider, loss, no_folds(rows), alpha)
        assert learned.noise_ratio.shape == learned.alpha.shape
        assert np.isfinite(learned.noise_ratio).all()
        assert np.all(learned.noise_ratio > 0)
