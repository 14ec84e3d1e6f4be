"""Effects of cells that are shrunk to what vectors foretell of them."""

from __future__ import annotations

import pickle

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
from sk_embed._engine.network.second_difference import interaction, second_difference
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
    assert_array_equal(second_difference(trunk, table, n_codes, (0, 1), codes), 0)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_products_of_few_numbers_are_the_second_differences(rng, n_outputs):
    n_codes, width = np.array([300, 7, 400]), 2
    table = rng.normal(size=(n_codes.sum(), width))
    # What is not listed lies at the origin.
    table[np.cumsum(n_codes) - 1] = 0
    trunk = Trunk(len(n_codes) * width, (16, 8), n_outputs, np.dtype(float))
    trunk.initialize(rng, intercept=np.zeros(n_outputs))
    weight = [rng.integers(1, 9, size=n).astype(float) for n in n_codes[[0, 2]]]
    found = interaction(trunk, table, n_codes, (0, 2), weight)
    assert found.first.shape[1] < 20
    codes = tuple(part.ravel() for part in np.indices((300, 400)))
    expected = second_difference(trunk, table, n_codes, (0, 2), codes)
    error = ((found.effects(*codes) - expected) ** 2).sum()
    # A hundredth may be left of the cells that tell the numbers, and more of others.
    assert error < 0.04 * (expected**2).sum()
    first, second = np.array([299, 5, 299]), np.array([5, 399, 399])
    assert_array_equal(found.effects(first, second), 0)


def test_a_network_that_foretells_nothing_takes_no_numbers(rng):
    trunk = Trunk(4, (), 2, np.dtype(float))
    trunk.initialize(rng, intercept=np.zeros(2))
    weight = [np.ones(4), np.ones(3)]
    codes = np.array([0, 1]), np.array([2, 1])
    found = interaction(trunk, rng.normal(size=(7, 2)), np.array([4, 3]), (0, 1), weight)
    assert found.first.shape == (4, 0)
    assert_array_equal(found.effects(*codes), np.zeros((2, 2)))


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


def test_cells_without_rows_have_what_is_foretold(rng):
    cells, residuals, of_rows, _ = draw_rows_of_cells(rng, 1.0, n_rows=800)
    (found,) = shrinkages([of_rows], residuals)
    is_empty = cells.weight == 0
    assert is_empty.any()
    assert found.slope_without_rows > 0.5
    expected = found.slope_without_rows * cells.means[is_empty]
    assert_allclose(cells.shrunk(found)[is_empty], expected)
    assert_array_equal(cells.shrunk(UNSHRUNK)[is_empty], 0)


def test_cells_without_rows_keep_the_effect_zero_if_only_others_are_foretold(rng):
    _, residuals, of_rows, _ = draw_rows_of_cells(rng, 1.0, n_rows=800)
    noise = rng.normal(size=of_rows.means.shape)
    has_rows = of_rows.weight[:, None] > 0
    of_rows = of_rows._replace(means=np.where(has_rows, of_rows.means, noise))
    (found,) = shrinkages([of_rows], residuals)
    assert found.slope > 0.5
    assert found.slope_without_rows == 0
    assert_array_equal(of_rows.shrunk(found)[of_rows.weight == 0], 0)


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


@pytest.fixture(scope="module")
def of_some_pairs():
    """Return an encoder of rows of pairs of rank 2, and rows of other pairs."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.integers(60, size=(5_000, 2)), columns=["a", "b"])
    a, b = rng.normal(size=(2, 60, 2))
    signal = np.einsum("ir,ir->i", a[X["a"]], b[X["b"]]) / np.sqrt(2)
    y = signal + 0.5 * rng.normal(size=len(X))
    cell = 60 * X["a"] + X["b"]
    is_new = ~cell.isin(cell[:3_750])
    encoder = EmbeddingEncoder(target_type="continuous", random_state=0)
    return encoder.fit(X[~is_new], y[~is_new]), X[is_new], signal[is_new]


def test_pairs_that_were_never_met_have_what_the_vectors_foretell(of_some_pairs):
    encoder, X, signal = of_some_pairs
    encoded = pd.DataFrame(encoder.transform(X), columns=encoder.get_feature_names_out())
    own, total = encoded["a*b_effect"], encoded["a*b_total"]
    assert_array_equal(total, own + encoded["a_effect"] + encoded["b_effect"])
    assert np.corrcoef(encoded["a_effect"] + encoded["b_effect"], signal)[0, 1] < 0.4
    assert np.corrcoef(total, signal)[0, 1] > 0.9


def test_a_pair_with_an_unknown_category_has_no_effect_of_its_own(of_some_pairs):
    encoder, *_ = of_some_pairs
    unknown = pd.DataFrame({"a": [3, 99, 99], "b": [99, 3, 99]})
    encoded = pd.DataFrame(
        encoder.transform(unknown), columns=encoder.get_feature_names_out()
    )
    assert_array_equal(encoded["a*b_effect"], 0)


def test_what_is_foretold_is_saved_and_pickled(of_some_pairs, tmp_path):
    encoder, X, _ = of_some_pairs
    expected = encoder.transform(X)
    encoder.save(tmp_path / "encoder.zip")
    assert_array_equal(
        EmbeddingEncoder.load(tmp_path / "encoder.zip").transform(X), expected
    )
    assert_array_equal(pickle.loads(pickle.dumps(encoder)).transform(X), expected)
