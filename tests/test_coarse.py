"""The part of the Hessian that is solved exactly: with many slopes as with few."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from engine_data import LOSS_CASES, SQUARED, draw_targets, make_rows
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from sk_embed import EmbeddingEncoder
from sk_embed._engine.additive import coarse
from sk_embed._engine.additive import objective as additive_model
from sk_embed._engine.additive.coarse import (
    ContextRows,
    DenseRows,
    PseudoInverse,
    SlopesFirst,
    coarse_inverse,
)
from sk_embed._engine.additive.newton import minimize
from sk_embed._engine.additive.objective import AdditiveModel

each_loss = pytest.mark.parametrize(
    ("loss", "n_outputs"), LOSS_CASES.values(), ids=LOSS_CASES
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def few_slopes_are_many(monkeypatch):
    monkeypatch.setattr(coarse, "MANY_SLOPES", 1)
    monkeypatch.setattr(additive_model, "MANY_SLOPES", 1)


def draw_wide_rows(rng, loss, n_outputs, n_rows=40, n_context=90):
    targets = draw_targets(rng, loss, n_rows, n_outputs)
    return make_rows(
        rng.integers(4, size=(n_rows, 2)),
        targets,
        rng.normal(size=(n_rows, n_context)),
        rng.uniform(0.5, 2, size=n_rows),
    )


@pytest.mark.parametrize("by_rows", [True, False], ids=["by rows", "by columns"])
@pytest.mark.parametrize("n_context", [3, 30], ids=["few slopes", "many slopes"])
def test_slopes_first_is_the_inverse_of_all_at_once(
    rng, few_slopes_are_many, by_rows, n_context
):
    context, curvature = rng.normal(size=(20, n_context)), rng.uniform(0, 1, size=(20, 2))
    curvature[:3] = 0  # rows that are not used
    dense = np.column_stack([np.ones(20), context])
    block = np.einsum("nk,na,nb->kab", curvature, dense, dense)
    penalty = rng.uniform(0.5, 2, size=(n_context + 4, 1))
    penalty[0] = 0
    given = DenseRows(ContextRows(context), curvature) if by_rows else block
    inverse = coarse_inverse(given, penalty)
    assert isinstance(inverse, SlopesFirst)
    residual = rng.normal(size=(len(penalty), 2))
    expected = PseudoInverse(block, penalty)(residual)
    assert_allclose(inverse(residual), expected, rtol=1e-7, atol=1e-9)


@each_loss
@pytest.mark.parametrize("alpha", [0.0, 2.0])
def test_more_slopes_than_rows_have_the_same_main_effects(
    rng, monkeypatch, loss, n_outputs, alpha
):
    rows = draw_wide_rows(rng, loss, n_outputs)
    solved = []
    for threshold in (1, 1_000):
        monkeypatch.setattr(coarse, "MANY_SLOPES", threshold)
        monkeypatch.setattr(additive_model, "MANY_SLOPES", threshold)
        model = AdditiveModel(rows, loss, np.ones(len(rows), dtype=bool))
        solution = minimize(model, np.full(2, alpha), model.null_model, 1e-9)
        assert solution.converged
        solved.append(solution.at.coefficients[model.n_dense :])
    assert np.abs(solved[0]).max() > 1e-3
    assert_allclose(*solved, rtol=1e-5, atol=1e-7)


def test_more_slopes_than_rows_are_those_of_a_ridge(rng, few_slopes_are_many):
    rows = draw_wide_rows(rng, SQUARED, 1)
    model = AdditiveModel(rows, SQUARED, np.ones(len(rows), dtype=bool))
    solution = minimize(model, np.ones(2), model.null_model, 1e-10)
    one_hot = [np.eye(n)[c] for n, c in zip(rows.n_codes, rows.codes.T, strict=True)]
    design = np.hstack([rows.context, *one_hot])
    ridge = Ridge(alpha=1.0, tol=1e-12).fit(design, rows.targets[:, 0], rows.weight)
    assert_allclose(solution.at.coefficients[1:, 0], ridge.coef_, atol=1e-7)


@pytest.mark.parametrize("kind", ["continuous", "binary", "chunks"])
def test_no_matrix_of_all_slopes_is_inverted(rng, monkeypatch, kind):
    # Of a table of 60 rows; a pseudo-inverse of 600 slopes takes a hundred times longer.
    sizes = []
    for name in ("pinv", "eigh", "svd", "inv", "solve"):
        real = getattr(np.linalg, name)

        def spy(matrix, *args, real=real, **kwargs):
            sizes.append(np.shape(matrix)[-1])
            return real(matrix, *args, **kwargs)

        monkeypatch.setattr(np.linalg, name, spy)
    factor = coarse.cho_factor
    monkeypatch.setattr(
        coarse, "cho_factor", lambda a, **kw: (sizes.append(len(a)), factor(a, **kw))[1]
    )
    X = pd.DataFrame(rng.normal(size=(60, 600))).add_prefix("number")
    X["category"] = rng.choice(["a", "b", "c"], 60)
    y = rng.normal(size=60)
    encoder = EmbeddingEncoder(
        0, categorical_features=["category"], max_iter=1, random_state=0
    )
    if kind == "chunks":
        encoder.partial_fit(X, y).partial_fit(X[:30], y[:30])
    else:
        encoder.fit_transform(X, (y > 0).astype(int) if kind == "binary" else y)
    assert 60 <= max(sizes) <= 61


@pytest.mark.parametrize("n_rows", [40, 400], ids=["fewer rows", "more rows"])
def test_huge_weights_of_equal_columns_are_solved(rng, few_slopes_are_many, n_rows):
    X = pd.DataFrame(rng.normal(size=(n_rows, 30))).add_prefix("number")
    X = pd.concat([X, X.add_prefix("again_"), X.add_prefix("and_again_")], axis=1)
    X["category"] = rng.choice(["a", "b", "c"], n_rows)
    y = rng.normal(size=n_rows) + (X["category"] == "a")
    encoder = EmbeddingEncoder(
        0, categorical_features=["category"], max_iter=1, random_state=0, alpha=0.0
    )
    weight = np.full(n_rows, 1e10)
    assert np.isfinite(encoder.fit_transform(X, y, weight)).all()
