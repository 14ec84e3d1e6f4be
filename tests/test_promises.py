"""What an independent review found broken, and must stay mended."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.model_selection import KFold, StratifiedKFold

from sk_embed import EmbeddingEncoder


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def draw_noise(rng, n_rows=900, n_categories=30):
    """Categories of 30 rows each, and a target that knows nothing of them."""
    item = rng.permutation(np.arange(n_rows) % n_categories)
    return pd.DataFrame({"item": item}), rng.normal(size=n_rows)


def test_a_row_that_outweighs_its_category_does_not_leak(rng):
    X, y = draw_noise(rng)
    weight = np.full(900, 1e-3)
    heavy = np.array([np.flatnonzero(X["item"] == item)[0] for item in range(30)])
    weight[heavy] = 10.0
    encoder = EmbeddingEncoder(n_components=0, alpha=1.0, random_state=0)
    encoded = encoder.fit_transform(X, y, weight)[heavy, 0]
    in_sample = encoder.transform(X)[heavy, 0]
    assert np.corrcoef(in_sample, y[heavy])[0, 1] > 0.9
    assert abs(np.corrcoef(encoded, y[heavy])[0, 1]) < 0.6


def test_equal_weights_leave_the_gate_at_its_count(rng):
    X, y = draw_noise(rng)
    for below, is_full in ((30, True), (31, False)):
        encoder = EmbeddingEncoder(cross_fit_below=below, random_state=0)
        encoded = encoder.fit_transform(X, y, np.full(900, 0.3))
        assert np.array_equal(encoded, encoder.transform(X)) == is_full


def test_cv_none_makes_shuffled_folds():
    # Sorted by category, folds in the order of rows would hold whole categories.
    X = pd.DataFrame({"item": np.repeat(np.arange(40), 10)})
    y = X["item"] % 7 + np.random.default_rng(0).normal(size=400)
    encoded = EmbeddingEncoder(cv=None, random_state=0).fit_transform(X, y)
    expected = EmbeddingEncoder(cv=5, random_state=0).fit_transform(X, y)
    np.testing.assert_array_equal(encoded, expected)
    assert np.mean(encoded[:, 0] == 0) < 0.1


def test_rows_that_a_split_purges_do_not_reach_its_fold(rng):
    X, y = draw_noise(rng, 300, 100)
    purged = [(train[train % 2 == 0], test) for train, test in KFold(5).split(X)]
    encoder = EmbeddingEncoder(n_components=0, alpha=1.0, cv=purged, random_state=0)
    before = encoder.fit_transform(X, y)
    # An odd row is in no training part: its target moves no row that has its fold's
    # vector, which all categories of three rows have.
    changed = np.where(np.arange(300) % 2 == 1, -y, y)
    mean_and_scale = changed.mean(), changed.std()
    changed = (changed - mean_and_scale[0]) / mean_and_scale[1] * y.std() + y.mean()
    after = encoder.fit_transform(X, changed)
    even = np.arange(300) % 2 == 0
    moved = np.corrcoef(before[even, 0], after[even, 0])[0, 1]
    assert moved > 0.999


@pytest.mark.parametrize("as_object", [True, False])
def test_stratified_folds_take_labels_of_any_type(rng, as_object):
    X, y = draw_noise(rng, 300, 100)
    labels = pd.Series(np.where(y > 0, 1, 2), dtype=object if as_object else int)
    encoder = EmbeddingEncoder(cv=StratifiedKFold(4), random_state=0)
    assert np.isfinite(encoder.fit_transform(X, labels)).all()


def test_polars_integers_with_gaps_stay_apart():
    large = 2**60
    X = pl.DataFrame({"id": [large, large + 1, None] * 20})
    encoder = EmbeddingEncoder(random_state=0).fit(X, np.arange(60.0) % 7)
    assert encoder.categories_[0][:2].tolist() == [large, large + 1]


def test_threads_may_share_an_encoder_that_was_just_loaded(rng):
    X = pd.DataFrame({"id": rng.permutation(20_000)})
    encoder = EmbeddingEncoder(n_components=0, random_state=0, max_iter=1)
    expected = encoder.fit(X, rng.normal(size=20_000)).transform(X)
    loaded = pickle.loads(pickle.dumps(encoder))
    with ThreadPoolExecutor(8) as pool:
        for encoded in pool.map(loaded.transform, [X] * 16):
            np.testing.assert_array_equal(encoded, expected)


def test_a_loaded_encoder_goes_on_from_the_same_network(rng):
    X, y = draw_noise(rng)
    encoder = EmbeddingEncoder(warm_start=True, random_state=0).fit(X, y)
    loaded = pickle.loads(pickle.dumps(encoder)).fit(X, y)
    encoder.fit(X, y)
    assert loaded.loss_curve_ == encoder.loss_curve_


def test_a_warm_start_from_another_target_type_is_one_clear_line(rng):
    X, y = draw_noise(rng)
    encoder = EmbeddingEncoder(warm_start=True, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=r"warm_start=True goes on from a continuous"):
        encoder.fit(X, y > 0)


def test_names_are_those_of_the_fit_whatever_is_set_later(rng):
    X, y = draw_noise(rng)
    encoder = EmbeddingEncoder(2, random_state=0).fit(X, y)
    names = encoder.get_feature_names_out().tolist()
    encoder.set_params(main_effects=False)
    assert encoder.get_feature_names_out().tolist() == names


def test_parameters_that_leave_no_column_are_one_clear_line(rng):
    X, y = draw_noise(rng)
    with pytest.raises(ValueError, match=r"n_components=0 and main_effects=False"):
        EmbeddingEncoder(0, main_effects=False).fit(X, y)


def test_weights_that_vanish_in_the_dtype_are_one_clear_line(rng):
    X, y = draw_noise(rng)
    with pytest.raises(ValueError, match=r"sample_weight holds 1e-50"):
        EmbeddingEncoder().fit(X, y, np.full(900, 1e-50))


def test_too_few_rows_to_tell_give_main_effects_alone(rng):
    X, y = draw_noise(rng, 60, 5)
    encoder = EmbeddingEncoder(random_state=0).fit(X, y)
    assert encoder.n_components_ == [1]
