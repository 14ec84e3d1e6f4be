"""Data and parameters at the edges of what floats hold: finite vectors, and no warning."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning

from sk_embed import EmbeddingEncoder
from sk_embed._engine.additive import newton

N_ROWS = 600


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def fit(X, y, sample_weight=None, **parameters):
    """Fit by fit_transform, of which all is finite."""
    encoder = EmbeddingEncoder(**{"random_state": 0, "max_iter": 4, **parameters})
    encoded = encoder.fit_transform(X, y, sample_weight)
    assert np.isfinite(encoded).all()
    assert np.isfinite(encoder.transform(X)).all()
    assert np.isfinite(encoder.loss_curve_).all()
    return encoder


def draw_categories(rng, *n_categories):
    return pd.DataFrame({f"c{n}": rng.integers(n, size=N_ROWS) for n in n_categories})


# ----------------------------------------------------------------- targets


@pytest.mark.parametrize("alpha", ["auto", 0.0])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes_that_categories_separate_have_finite_effects(n_classes, alpha, rng):
    X = draw_categories(rng, 12, 5)
    encoder = fit(X, X["c12"] % n_classes, alpha=alpha)
    # Without a penalty the solution is infinite: solved is where the gradient is a
    # millionth of what it was, at log-odds of some tens.
    assert np.abs(encoder.embeddings_[0]).max() < (10 if alpha == "auto" else 100)


@pytest.mark.filterwarnings("ignore:The main effects did not converge")
@pytest.mark.parametrize("seed", [10, 12, 50, *range(5)])
def test_labels_that_few_rows_of_any_weight_separate_have_finite_effects(seed):
    rng = np.random.default_rng(seed)
    n_rows = int(rng.integers(6, 16))
    X = pd.DataFrame({name: rng.integers(5, size=n_rows) for name in "ab"}).assign(c=1)
    y, weight = rng.choice([-1, 2, 9], n_rows), rng.choice([1e-5, 0.3, 1, 1e6], n_rows)
    fit(X, y, weight, alpha=0.0, hidden_layer_sizes=(), cv=2, cross_fit_below=10**9)


@pytest.mark.parametrize("alpha", ["auto", 0.0])
@pytest.mark.parametrize("n_rare", [1, 2])
def test_a_class_of_one_row_is_no_trouble(n_rare, alpha, rng):
    y = np.zeros(N_ROWS, dtype=int)
    y[:n_rare] = 1 + np.arange(n_rare)
    assert len(fit(draw_categories(rng, 12), y, alpha=alpha).classes_) == 1 + n_rare


@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e300])
def test_a_target_of_any_size_is_no_trouble(scale, rng):
    X = draw_categories(rng, 12)
    # Steps of the smallest float leave whole numbers.
    y = np.round(rng.normal(size=N_ROWS) * 1e3 + 500 * X["c12"]) * scale
    encoder = fit(X, y, target_type="continuous")
    assert np.ptp(encoder.embeddings_[0][:, 0]) > 1


def test_an_outlier_does_not_make_the_effects_of_others_infinite(rng):
    y = rng.normal(size=N_ROWS)
    y[0] = 1e300
    fit(draw_categories(rng, 12), y)


# ----------------------------------------------------------------- categories


@pytest.mark.parametrize("n_classes", [None, 2, 3])
def test_one_category_alone_says_nothing(n_classes, rng):
    X = pd.DataFrame({"a": ["x"] * 5000})
    for _ in range(3):
        y = (
            rng.normal(size=5000)
            if n_classes is None
            else rng.integers(n_classes, size=5000)
        )
        encoder = fit(X, y, n_components=0, max_iter=1)
        assert np.abs(encoder.embeddings_[0]).max() < 1e-6


@pytest.mark.parametrize("n_classes", [None, 2, 3])
def test_a_category_for_each_row_says_nothing_of_training_rows(n_classes, rng):
    X = pd.DataFrame({"a": np.arange(N_ROWS), "b": np.arange(N_ROWS)[::-1]})
    y = (
        rng.normal(size=N_ROWS)
        if n_classes is None
        else rng.integers(n_classes, size=N_ROWS)
    )
    encoder = EmbeddingEncoder(2, random_state=0, max_iter=4)
    assert not encoder.fit_transform(X, y).any()
    assert np.isfinite(encoder.transform(X)).all()


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_columns_that_say_the_same_share_the_effect_evenly(alpha, rng):
    category = rng.integers(12, size=N_ROWS)
    X = pd.DataFrame({"a": category, "b": category, "c": 2 * category})
    encoder = fit(X, category + rng.normal(size=N_ROWS), n_components=0, alpha=alpha)
    for table in encoder.embeddings_[1:]:
        np.testing.assert_allclose(table, encoder.embeddings_[0], atol=1e-6)
    assert np.ptp(encoder.embeddings_[0]) * 3 > 2


# ----------------------------------------------------------------- context

CONTEXT = {
    "constant": lambda rng: np.full(N_ROWS, 7.0),
    "one of 1e30": lambda rng: np.where(
        np.arange(N_ROWS) == 3, 1e30, rng.normal(size=N_ROWS)
    ),
    "of 1e30": lambda rng: 1e30 * rng.normal(size=N_ROWS),
    "of 1e-300": lambda rng: 1e-300 * rng.normal(size=N_ROWS),
    "both ends": lambda rng: rng.choice([-1.7e308, 1.7e308], N_ROWS),
    "half missing": lambda rng: np.where(rng.random(N_ROWS) < 0.5, np.nan, 1.0),
    "all missing": lambda rng: np.full(N_ROWS, np.nan),
    "large integers": lambda rng: rng.integers(-(2**62), 2**62, N_ROWS),
}


@pytest.mark.parametrize("is_label", [False, True])
@pytest.mark.parametrize("kind", CONTEXT)
def test_context_of_any_size_is_no_trouble(kind, is_label, rng):
    X = draw_categories(rng, 12).assign(
        n=CONTEXT[kind](rng), again=lambda X: 2 * (X["n"] / 4)
    )
    y = rng.normal(size=N_ROWS)
    encoder = fit(X, y > 0 if is_label else y, categorical_features=["c12"])
    new = X.assign(n=np.resize([0.0, np.nan, 1e308, -1e308, 5e-324], N_ROWS))
    assert np.isfinite(encoder.transform(new)).all()


# ----------------------------------------------------------------- weights


@pytest.mark.parametrize("weight", [1e-30, 1e-9, 1e9])
def test_weights_of_any_size_have_finite_vectors(weight, rng):
    X = draw_categories(rng, 12)
    fit(X, rng.normal(size=N_ROWS), np.full(N_ROWS, weight))
    fit(X, rng.normal(size=N_ROWS) > 0, weight * 10 ** rng.uniform(-3, 3, N_ROWS))


@pytest.mark.parametrize(("dtype", "weight"), [("float32", 1e14), ("float64", 1e130)])
def test_weights_whose_squares_overflow_are_one_clear_line(dtype, weight, rng):
    X, weights = draw_categories(rng, 12), np.full(N_ROWS, weight)
    with pytest.raises(
        ValueError, match=r"^sample_weight sums to .*average row has about 1"
    ):
        EmbeddingEncoder(dtype=dtype).fit(X, rng.normal(size=N_ROWS), weights)


# ----------------------------------------------------------------- parameters at their ends

ENDS = [
    {"learning_rate_init": 1.0},
    {"learning_rate_init": 1.0, "hidden_layer_sizes": ()},
    {"learning_rate_init": 1.0, "hidden_layer_sizes": (8,) * 10},
    {"learning_rate_init": 5e-324},
    {"init_scale": 10.0, "learning_rate_init": 1.0},
    {"alpha": 0.0},
    {"alpha": 5e-324},
    {"alpha": 1e300},
    {"tol": 1e300},
    {"batch_size": 1, "max_iter": 1},
    {"batch_size": 10**9},
    {"n_components": 200},
    {"cross_fit_below": 10**12},
]


@pytest.mark.slow
@pytest.mark.parametrize("parameters", ENDS, ids=str)
@pytest.mark.parametrize("target", ["numbers", "two", "three"])
def test_parameters_at_the_ends_of_their_ranges_do_not_diverge(parameters, target, rng):
    # Few rows: the network's weights then decay fastest.
    X = draw_categories(rng, 30, 5).assign(n=rng.standard_t(1.5, N_ROWS))[:200]
    y = rng.standard_t(1.5, 200) + np.sin(X["c30"])
    y = {"numbers": y, "two": y > 0, "three": np.digitize(y, [-1, 1])}[target]
    fit(X, y, **{"categorical_features": ["c30", "c5"], "max_iter": 20, **parameters})


def test_what_does_not_converge_is_a_warning(rng, monkeypatch):
    monkeypatch.setattr(newton, "_MAX_NEWTON_STEPS", 1)
    X = draw_categories(rng, 12)
    with pytest.warns(ConvergenceWarning, match="main effects did not converge; a larger"):
        EmbeddingEncoder(alpha=1.0, max_iter=1).fit(X, X["c12"] % 2)
