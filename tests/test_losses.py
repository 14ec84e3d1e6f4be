from __future__ import annotations

import numpy as np
import pytest
from engine_data import (
    BINOMIAL,
    LOSS_CASES,
    MULTINOMIAL,
    SQUARED,
    draw_targets,
    finite_differences,
    slope,
)
from numpy.testing import assert_allclose
from sklearn.metrics import log_loss

each_loss = pytest.mark.parametrize(
    ("loss", "n_outputs"), LOSS_CASES.values(), ids=LOSS_CASES
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@each_loss
def test_gradient_is_inverse_link_minus_target(loss, n_outputs, rng):
    y = draw_targets(rng, loss, 7, n_outputs)
    raw = 2 * rng.normal(size=y.shape)
    gradient = finite_differences(lambda raw: loss.loss(y, raw).sum(), raw)
    assert_allclose(loss.inverse_link(raw) - y, gradient, rtol=1e-7, atol=1e-8)


@each_loss
def test_gradient_is_inverse_link_minus_target_for_soft_targets(loss, n_outputs, rng):
    y = loss.inverse_link(rng.normal(size=(7, n_outputs)))
    raw = 2 * rng.normal(size=y.shape)
    gradient = finite_differences(lambda raw: loss.loss(y, raw).sum(), raw)
    assert_allclose(loss.inverse_link(raw) - y, gradient, rtol=1e-7, atol=1e-8)


@each_loss
def test_hessian_product_is_slope_of_inverse_link(loss, n_outputs, rng):
    raw, direction = 2 * rng.normal(size=(2, 7, n_outputs))
    product = loss.hessian_product(loss.inverse_link(raw), direction)
    assert_allclose(product, slope(loss.inverse_link, raw, direction), rtol=1e-7, atol=1e-9)


@each_loss
def test_curvature_is_diagonal_of_hessian(loss, n_outputs, rng):
    raw = 2 * rng.normal(size=(7, n_outputs))
    jacobian = finite_differences(loss.inverse_link, raw)
    diagonal = np.einsum("ikik->ik", jacobian)
    assert_allclose(loss.curvature(loss.inverse_link(raw)), diagonal, rtol=1e-7, atol=1e-9)


@each_loss
def test_inverse_link_inverts_link(loss, n_outputs, rng):
    mean = loss.inverse_link(2 * rng.normal(size=(7, n_outputs)))
    assert_allclose(loss.inverse_link(loss.link(mean)), mean, rtol=1e-12)


@pytest.mark.parametrize("loss", [SQUARED, BINOMIAL], ids=["squared", "binomial"])
def test_link_inverts_inverse_link(loss, rng):
    raw = 3 * rng.normal(size=(7, 2))
    assert_allclose(loss.link(loss.inverse_link(raw)), raw, rtol=1e-9)


def test_multinomial_link_inverts_inverse_link_up_to_a_common_shift(rng):
    raw = 2 * rng.normal(size=(7, 3))
    centred = raw - raw.mean(axis=1, keepdims=True)
    assert_allclose(MULTINOMIAL.link(MULTINOMIAL.inverse_link(raw)), centred, rtol=1e-9)


@pytest.mark.parametrize("loss", [BINOMIAL, MULTINOMIAL], ids=["binomial", "multinomial"])
def test_link_of_a_class_that_never_or_always_occurs_is_finite(loss):
    assert np.isfinite(loss.link(np.array([1.0, 0.0, 0.0]))).all()


@each_loss
def test_loss_of_each_row_is_never_negative(loss, n_outputs, rng):
    y = draw_targets(rng, loss, 50, n_outputs)
    losses = loss.loss(y, 5 * rng.normal(size=y.shape))
    assert losses.shape == (50,)
    assert np.all(losses >= 0)


def test_squared_loss_is_half_the_squared_error():
    assert SQUARED.loss(np.array([[1.0, 2.0]]), np.array([[4.0, 6.0]])) == [12.5]


def test_binomial_loss_is_log_loss(rng):
    y = draw_targets(rng, BINOMIAL, 20, 1)
    raw = rng.normal(size=y.shape)
    expected = log_loss(y[:, 0], BINOMIAL.inverse_link(raw)[:, 0])
    assert BINOMIAL.loss(y, raw).mean() == pytest.approx(expected, rel=1e-12)


def test_multinomial_loss_is_log_loss(rng):
    y = draw_targets(rng, MULTINOMIAL, 20, 3)
    raw = rng.normal(size=y.shape)
    expected = log_loss(y.argmax(axis=1), MULTINOMIAL.inverse_link(raw))
    assert MULTINOMIAL.loss(y, raw).mean() == pytest.approx(expected, rel=1e-12)


def test_two_classes_of_multinomial_are_binomial(rng):
    y = draw_targets(rng, BINOMIAL, 20, 1)
    raw = rng.normal(size=y.shape)
    both = np.hstack([np.zeros_like(raw), raw])
    assert_allclose(
        MULTINOMIAL.loss(np.hstack([1 - y, y]), both), BINOMIAL.loss(y, raw), rtol=1e-12
    )


# A warning is an error here, an overflow therefore too.
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("raw", [1e4, -1e4])
@each_loss
def test_far_raw_predictions_are_stable(loss, n_outputs, raw, dtype):
    y = np.eye(n_outputs, dtype=dtype)
    far = np.where(y == 1, dtype(raw), dtype(-raw))
    mean = loss.inverse_link(far)
    results = [
        loss.loss(y, far),
        mean,
        loss.curvature(mean),
        loss.hessian_product(mean, far),
    ]
    assert all(np.isfinite(result).all() for result in results)
    assert {result.dtype for result in results} == {np.dtype(dtype)}


@pytest.mark.parametrize(
    ("y", "raw", "expected"),
    [([1.0], [1e4], 0), ([0.0], [-1e4], 0), ([0.0], [1e4], 1e4), ([1.0], [-1e4], 1e4)],
)
def test_binomial_loss_is_linear_far_out(y, raw, expected):
    assert BINOMIAL.loss(np.array([y]), np.array([raw])) == [expected]


@pytest.mark.parametrize(
    ("true_class", "expected"), [(0, 0.0), (1, 1e4), (2, 2e4)], ids=str
)
def test_multinomial_loss_is_linear_far_out(true_class, expected):
    y = np.eye(3)[[true_class]]
    assert MULTINOMIAL.loss(y, np.array([[1e4, 0.0, -1e4]])) == [expected]


@each_loss
def test_raw_predictions_may_have_axes_between_rows_and_outputs(loss, n_outputs, rng):
    y = draw_targets(rng, loss, 6, n_outputs)
    raw = rng.normal(size=(6, 4, n_outputs))
    together = loss.loss(y[:, None, :], raw)
    apart = np.stack([loss.loss(y, raw[:, r]) for r in range(4)], axis=1)
    assert_allclose(together, apart, rtol=1e-12)
    assert_allclose(loss.inverse_link(raw)[:, 2], loss.inverse_link(raw[:, 2]), rtol=1e-12)
