from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr

from sk_embed import EmbeddingEncoder
from sk_embed.datasets import make_categorical


def test_columns_are_informative_then_noise_then_numeric():
    X, y = make_categorical(50, n_categories=[5, 6], n_noise=2, n_numeric=1)
    assert X.columns.tolist() == ["cat_0", "cat_1", "noise_0", "noise_1", "num_0"]
    assert X.shape == (50, 5)
    assert y.shape == (50,)


def test_a_seed_makes_the_same_table_and_another_seed_another():
    first, second, other = (make_categorical(80, random_state=seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert not np.array_equal(first[1], other[1])


def test_latent_distance_is_the_change_that_exchanging_two_categories_brings():
    X, _, truth = make_categorical(
        400_000, n_categories=(4, 6, 5), return_truth=True, random_state=0
    )
    latent = truth.latent["cat_0"].to_numpy()
    signals = [truth.signal[X["cat_0"] == name] for name in truth.latent["cat_0"].index]
    # Rows of two categories are alike but for the effects, and for the vectors that
    # multiply their partners.
    means = np.array([signal.mean() for signal in signals])
    np.testing.assert_allclose(means, latent[:, 0], atol=0.02)
    rest = np.array([signal.var() for signal in signals]) - (latent[:, 1:] ** 2).sum(axis=1)
    np.testing.assert_allclose(rest, rest.mean(), rtol=0.02)


def test_categories_bend_the_slopes_of_numbers_by_their_latent_distance():
    X, _, truth = make_categorical(
        100_000, n_categories=(4, 4), n_numeric=3, return_truth=True, random_state=0
    )
    numbers = X.filter(like="num_").to_numpy()
    latent = truth.latent["cat_0"]
    rows = [X["cat_0"] == name for name in latent.index]
    slopes = [
        np.linalg.lstsq(numbers[row], truth.signal[row], rcond=None)[0] for row in rows
    ]
    # Two partners: the other column and the numbers.
    expected = pdist(latent[["0", "1"]]) / np.sqrt(2)
    np.testing.assert_allclose(pdist(np.array(slopes)), expected, rtol=0.05)


def test_effects_and_vectors_have_mean_0_over_the_rows():
    X, _, truth = make_categorical(200_000, return_truth=True, random_state=0)
    rows = truth.latent["cat_1"].loc[X["cat_1"]].to_numpy()
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=0.01)
    np.testing.assert_allclose(rows.std(axis=0), [1, 1, 0.5], rtol=0.02)


def test_noise_columns_say_nothing_and_noise_is_as_large_as_asked():
    X, y, truth = make_categorical(
        100_000, n_categories=(10, 10), noise=0.7, return_truth=True, random_state=0
    )
    assert np.std(y - truth.signal) == pytest.approx(0.7, rel=0.02)
    between = pd.Series(y).groupby(X["noise_0"]).mean().std()
    assert between < 0.1 < pd.Series(y).groupby(X["cat_0"]).mean().std()


@pytest.mark.parametrize("imbalance", [0, 1])
def test_the_first_category_is_the_most_frequent_by_the_imbalance(imbalance):
    X, _ = make_categorical(100_000, n_categories=[20], imbalance=imbalance, random_state=0)
    counts = X["cat_0"].value_counts()
    assert counts["c00"] / counts["c19"] == pytest.approx(20**imbalance, rel=0.15)


def test_cells_are_hidden_after_the_target_is_made():
    whole, y = make_categorical(5_000, n_numeric=1, random_state=0)
    hidden, y_hidden = make_categorical(5_000, n_numeric=1, missing=0.2, random_state=0)
    np.testing.assert_array_equal(y, y_hidden)
    is_hidden = hidden.isna()
    assert is_hidden[["cat_0", "noise_0"]].to_numpy().mean() == pytest.approx(0.2, abs=0.02)
    assert not is_hidden["num_0"].any()
    assert (hidden["cat_0"] == whole["cat_0"])[~is_hidden["cat_0"]].all()


@pytest.mark.parametrize("n_classes", [2, 5])
def test_classes_are_equally_frequent(n_classes):
    _, y = make_categorical(1_000, n_classes=n_classes, random_state=0)
    assert np.bincount(y).tolist() == [1_000 // n_classes] * n_classes


def test_a_single_column_has_no_partner_and_so_no_vector():
    _, _, truth = make_categorical(100, n_categories=[8], return_truth=True, random_state=0)
    latent = truth.latent["cat_0"]
    assert (latent[["0", "1"]] == 0).all(axis=None)
    assert set(np.round(truth.signal, 9)) <= set(np.round(latent["effect"], 9))


@pytest.mark.slow
@pytest.mark.parametrize("parameters", [{"n_numeric": 2}, {"interaction": 0.5}])
def test_distances_of_an_embedding_rank_as_the_latent_ones(parameters):
    """Of categories of 50 rows and more; benchmarks/legible.py measures more tables."""
    X, y, truth = make_categorical(20_000, return_truth=True, random_state=0, **parameters)
    encoder = EmbeddingEncoder(categorical_features="from_dtype", random_state=0)
    encoder.fit(X, y)
    for feature, latent in truth.latent.items():
        learned = encoder.to_frame(feature)
        learned = learned[learned["count"] >= 50].drop(columns="count")
        assert len(learned) > 40
        known = latent.loc[learned.index]
        assert spearmanr(pdist(learned), pdist(known)).statistic > 0.94


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"n_samples": 0}, "n_samples must be a whole number of at least 1, but is 0"),
        ({"n_latent": 1.5}, "n_latent must be a whole number"),
        ({"n_noise": -1}, "n_noise must be a whole number of at least 0, but is -1"),
        ({"noise": -1.0}, "noise must be a number of at least 0, but is -1.0"),
        ({"interaction": "much"}, "interaction must be a number of at least 0"),
        ({"missing": 1.0}, "missing must be a share"),
        ({"n_classes": 1}, "n_classes must be a whole number of at least 2"),
        ({"n_categories": [3, 50]}, r"n_latent \+ 2 = 4 categories, but is \[3, 50\]"),
        ({"n_categories": 50}, "n_categories must list"),
        ({"n_categories": []}, "n_categories must list"),
    ],
)
def test_what_is_out_of_range_is_one_clear_line(parameters, words):
    with pytest.raises(ValueError, match=words) as raised:
        make_categorical(**parameters)
    assert "\n" not in str(raised.value)
