"""Effects of cells that are shrunk to what vectors foretell of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge

from sk_embed import EmbeddingEncoder
from sk_embed._engine.additive.foretold import (
    UNSHRUNK,
    Foretold,
    shrinkages,
)
from sk_embed._engine.additive.residuals import Residuals
from sk_embed._engine.network.second_difference import second_difference
from sk_embed._engine.network.trunk import Trunk

N_CATEGORIES = 40


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# ------------------------------------------------------------------ the network's part


def predicted(trunk, vectors):
    return trunk.forward(np.concatenate(vectors)[None])[0][0]


@pytest.mark.parametrize("n_context", [0, 2])
def test_a_second_difference_leaves_out_what_each_category_says(rng, n_context):
    n_codes, width = np.array([4, 3, 5]), 2
    table = rng.normal(size=(n_codes.sum(), width))
    trunk = Trunk(len(n_codes) * width + n_context, (16, 8), 2, np.dtype(float))
    trunk.initialize(rng, intercept=np.zeros(2))
    a, b = np.array([3, 0, 2]), np.array([4, 0, 1])
    difference = second_difference(trunk, table, n_codes, (0, 2), (a, b))
    origin, context = np.zeros(width), np.zeros(n_context)
    for cell, (v, w) in enumerate(zip(table[a], table[7 + b], strict=True)):
        expected = (
            predicted(trunk, [v, origin, w, context])
            - predicted(trunk, [v, origin, origin, context])
            - predicted(trunk, [origin, origin, w, context])
            + predicted(trunk, [origin, origin, origin, context])
        )
        assert_allclose(difference[cell], expected, atol=1e-12)


def test_a_network_without_hidden_layers_foretells_nothing(rng):
    n_codes = np.array([4, 3])
    trunk = Trunk(4, (), 1, np.dtype(float))
    trunk.initialize(rng, intercept=np.zeros(1))
    table = rng.normal(size=(7, 2))
    codes = np.array([0, 1, 2]), np.array([2, 1, 0])
    assert_allclose(second_difference(trunk, table, n_codes, (0, 1), codes), 0, atol=1e-12)


# ------------------------------------------------------------------ how far to shrink


def draw_rows_of_cells(rng, foretold, n_rows=8_000, n_cells=400, noise=1.0):
    """Return cells as rows know them without their fold, and the rows' residuals.

    ``foretold`` is the share of a cell's effect that is foretold; the rest is noise of
    the same size.
    """
    truth = rng.normal(size=n_cells)
    told = foretold * truth + (1 - foretold) * rng.normal(size=n_cells)
    cell = rng.integers(n_cells, size=n_rows)
    y = truth[cell] + noise * rng.normal(size=n_rows)
    fold = rng.integers(5, size=n_rows)
    place = fold * n_cells + cell
    n, total = (np.bincount(place, w, 5 * n_cells).reshape(5, -1) for w in (None, y))
    n, total = n.sum(axis=0) - n, total.sum(axis=0) - total
    cells = Foretold(
        (total / (n + noise**2))[:, :, None],
        np.broadcast_to(told, n.shape)[:, :, None],
        n,
        np.array([noise**2]),
    )
    residuals = Residuals(y[:, None], np.ones((n_rows, 1)))
    place = fold, cell
    of_rows = Foretold(
        cells.effects[place], cells.means[place], cells.weight[place], cells.penalty_ratio
    )
    return cells, residuals, of_rows, truth


def test_effects_that_are_foretold_are_taken_as_they_are(rng):
    cells, residuals, of_rows, truth = draw_rows_of_cells(rng, foretold=1.0)
    (found,) = shrinkages([of_rows], residuals)
    assert found.slope > 0.95
    assert found.factor > 50
    before = ((cells.effects[:, :, 0] - truth) ** 2).mean()
    after = ((cells.shrunk(found)[:, :, 0] - truth) ** 2).mean()
    assert after < 0.1 * before


def test_effects_of_which_noise_is_foretold_stay_to_the_bit(rng):
    cells, residuals, of_rows, _ = draw_rows_of_cells(rng, foretold=0.0)
    (found,) = shrinkages([of_rows], residuals)
    assert found == UNSHRUNK
    assert_array_equal(cells.shrunk(found), cells.effects)


def test_what_is_partly_foretold_is_closer_to_the_truth_than_either(rng):
    cells, residuals, of_rows, truth = draw_rows_of_cells(rng, 0.4, n_rows=1_200)
    (found,) = shrinkages([of_rows], residuals)
    # The slope of the truth over what is foretold is .4 / (.4 ** 2 + .6 ** 2) = .77.
    assert 0.6 < found.slope < 0.95

    def error(effects):
        known = cells.weight > 0
        return ((effects[:, :, 0] - truth)[known] ** 2).mean()

    assert error(cells.shrunk(found)) < 0.9 * min(error(cells.effects), error(cells.means))


def test_cells_without_rows_keep_the_effect_zero(rng):
    cells, residuals, of_rows, _ = draw_rows_of_cells(rng, 1.0, n_rows=800)
    (found,) = shrinkages([of_rows], residuals)
    assert found.slope > 0.5
    assert (cells.weight == 0).any()
    assert (cells.shrunk(found)[cells.weight == 0] == 0).all()


def test_of_two_crosses_that_are_foretold_alike_one_is_enough(rng):
    _, residuals, of_rows, _ = draw_rows_of_cells(rng, foretold=1.0)
    found = shrinkages([of_rows, of_rows], residuals)
    predicted = sum(of_rows.shrunk(shrinkage) for shrinkage in found)
    assert_allclose(predicted.std(), 1, atol=0.1)


# ------------------------------------------------------------------ behind the encoder


@pytest.fixture(scope="module")
def products():
    """Return a table whose cells are products of two numbers a category, in all rank 2."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.integers(N_CATEGORIES, size=(14_000, 2)), columns=["a", "b"])
    a, b = rng.normal(size=(2, N_CATEGORIES, 2))
    signal = np.einsum("ir,ir->i", a[X["a"]], b[X["b"]]) / np.sqrt(2)
    return X, signal, signal + rng.normal(size=len(X))


def test_cells_that_vectors_foretell_are_known_better_than_by_their_rows(products):
    X, signal, y = products
    train, test = slice(8_000), slice(8_000, None)
    encoder = EmbeddingEncoder(target_type="continuous", random_state=0)
    encoded = pd.DataFrame(
        encoder.fit_transform(X[train], y[train]), columns=encoder.get_feature_names_out()
    )
    assert len(encoder.crosses_) == 1
    of_cells = pd.Series(y[train]).groupby([X["a"][train], X["b"][train]])
    # The best that the rows of a cell alone can say, with variance 1 of effects and noise.
    alone = of_cells.sum() / (of_cells.size() + 1)
    keys = pd.MultiIndex.from_frame(X[test])
    error_alone = ((alone.reindex(keys, fill_value=0) - signal[test]) ** 2).mean()
    model = Ridge().fit(encoded[["a*b_effect", "a*b_total"]], y[train])
    new = pd.DataFrame(encoder.transform(X[test]), columns=encoded.columns)
    error = ((model.predict(new[["a*b_effect", "a*b_total"]]) - signal[test]) ** 2).mean()
    assert error < 0.6 * error_alone


@pytest.mark.parametrize("crosses", ["auto", [("a", "b")]])
def test_fit_shrinks_as_fit_transform_does(products, crosses):
    X, _, y = (part[:3_000] for part in products)
    encoders = [EmbeddingEncoder(crosses=crosses, random_state=0) for _ in range(2)]
    encoders[0].fit(X, y)
    encoders[1].fit_transform(X, y)
    assert_array_equal(*(encoder.transform(X) for encoder in encoders))
