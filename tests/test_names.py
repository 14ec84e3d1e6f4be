"""What names of categories say: unknown categories, folds, and names that say nothing."""

from __future__ import annotations

import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone

from sk_embed import EmbeddingEncoder
from sk_embed._engine.name_prior import learn_prior_means
from sk_embed.inspection import nearest_categories

N_CATEGORIES, N_UNKNOWN, N_ROWS = 450, 150, 5


def words_and_effects(seed, n_categories=N_CATEGORIES, n_stems=24):
    """Names of three word stems each, whose effects are sums of the stems'."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    stems = ["".join(rng.choice(letters, rng.integers(4, 9))) for _ in range(n_stems)]
    of_stem = rng.normal(size=n_stems)
    picked = np.array([rng.permutation(n_stems)[:3] for _ in range(2 * n_categories)])
    _, first = np.unique(np.sort(picked, axis=1), axis=0, return_index=True)
    picked = picked[np.sort(first)[:n_categories]]
    names = np.array([" ".join(stems[s] for s in of) for of in picked], dtype=object)
    return names, of_stem[picked].sum(axis=1)


def rows_of(names, effects, seed=0):
    """Five rows of each category but those that are kept unknown."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(N_UNKNOWN, len(names)), N_ROWS)
    y = effects[codes] + np.sqrt(3) * rng.normal(size=len(codes))
    return pd.DataFrame({"title": names[codes]}), y


def encoder_of(**parameters):
    return EmbeddingEncoder(n_components=0, random_state=0, **parameters)


@pytest.fixture(scope="module")
def words():
    return words_and_effects(0)


@pytest.fixture(scope="module")
def fitted(words):
    return encoder_of().fit(*rows_of(*words))


def r2(predicted, effects):
    residual = effects - effects.mean() - (predicted - predicted.mean())
    return 1 - np.var(residual) / np.var(effects)


def encoded(encoder, names):
    return encoder.transform(pd.DataFrame({"title": names}))


def effects_of(encoder, names, y):
    return encoded(encoder, names)[:, 0] * encoder.unit_ * np.std(y)


def test_unknown_categories_are_what_their_names_say(words, fitted):
    names, effects = words
    _, y = rows_of(*words)
    unknown = effects_of(fitted, names[:N_UNKNOWN], y)
    assert r2(unknown, effects[:N_UNKNOWN]) > 0.6


def test_known_categories_of_few_rows_gain_by_their_names(words, fitted):
    names, effects = words
    X, y = rows_of(*words)
    without = encoder_of(names=False).fit(X, y)
    known = slice(N_UNKNOWN, None)
    error = 1 - r2(effects_of(fitted, names[known], y), effects[known])
    error_without = 1 - r2(effects_of(without, names[known], y), effects[known])
    assert error < 0.6 * error_without


def test_folds_that_have_seen_every_row_know_what_all_rows_know():
    # What names say is solved in principal axes for all rows, and without them for folds.
    rng = np.random.default_rng(0)
    grams = csr_array(rng.poisson(0.2, (400, 600)) / 10)
    table = grams @ rng.normal(size=(600, 2)) + 0.1 * rng.normal(size=(400, 2))
    shrinkage = rng.uniform(0.3, 1, 400)
    tables, weights = np.stack([table, table]), np.stack([shrinkage, shrinkage])
    priors = learn_prior_means(grams, tables, weights, is_tested=True)
    assert_allclose(priors.weights[1], priors.weights[0], rtol=1e-6, atol=1e-8)
    assert_allclose(priors.offsets[1], priors.offsets[0], rtol=1e-6, atol=1e-8)


def test_the_order_of_names_does_not_matter():
    rng = np.random.default_rng(0)
    grams = csr_array(rng.poisson(0.2, (400, 600)) / 10)
    table = grams @ rng.normal(size=(600, 2)) + 0.1 * rng.normal(size=(400, 2))
    order, shrinkage = rng.permutation(400), np.ones((1, 400))
    priors = learn_prior_means(grams, table[None], shrinkage, is_tested=True)
    again = learn_prior_means(grams[order], table[None, order], shrinkage, is_tested=True)
    assert_allclose(again.weights, priors.weights, atol=1e-4)


def test_without_names_unknown_categories_are_at_the_origin(words):
    encoder = encoder_of(names=False).fit(*rows_of(*words))
    assert not encoded(encoder, words[0][:N_UNKNOWN]).any()


def test_names_that_say_nothing_change_no_bit():
    n_changed = 0
    for seed in range(6):
        names, effects = words_and_effects(seed, 250)
        X, y = rows_of(np.random.default_rng(seed).permutation(names), effects)
        auto = encoder_of(crosses=None).fit_transform(X, y)
        n_changed += not np.array_equal(
            auto, encoder_of(crosses=None, names=False).fit_transform(X, y)
        )
    assert n_changed <= 1


def test_training_rows_of_categories_that_a_fold_has_not_seen_are_filled_alike(words):
    names, effects = words
    X, y = rows_of(names, effects)
    fold = np.repeat(np.arange(len(names) - N_UNKNOWN), N_ROWS) % 5
    folds = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(5)]
    Z = encoder_of(cv=folds).fit_transform(X, y)
    # Each category is unknown to the one fold that its rows are encoded by.
    predicted = Z[::N_ROWS, 0]
    assert np.corrcoef(predicted, effects[N_UNKNOWN:])[0, 1] ** 2 > 0.6
    # Whoever knows neither name nor rows has nothing.
    assert not encoder_of(cv=folds, names=False).fit_transform(X, y).any()


def test_a_training_row_knows_nothing_of_its_own_target(words):
    X, y = rows_of(*words)
    fold = np.arange(len(y)) % 5
    folds = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(5)]
    encoder = encoder_of(cv=folds, names=["title"])
    noise = np.random.default_rng(1).normal(size=np.sum(fold == 0))
    other = y.copy()
    other[fold == 0] += noise
    moved = (encoder.fit_transform(X, other) - encoder.fit_transform(X, y))[:, 0]
    of_category = {k: moved[fold == k] for k in range(5)}
    # The categories of these rows have one row in each fold, in the same order. Chance
    # alone correlates within three standard errors.
    assert abs(np.corrcoef(noise, of_category[0])[0, 1]) < 3 / np.sqrt(len(noise))
    assert np.corrcoef(noise, of_category[1])[0, 1] > 0.4


@pytest.mark.parametrize("name", [None, np.nan, "", "§§§§", 3, ("a", 1)])
def test_what_has_no_known_name_is_at_the_origin(words, fitted, name):
    column = np.empty(2, dtype=object)
    column[:] = [words[0][-1], name]
    assert not encoded(fitted, column)[1].any()


def test_rows_are_encoded_alike_one_by_one_and_together(words, fitted):
    names = np.append(words[0][:100], [None, "new name"])
    together = encoded(fitted, names)
    one_by_one = np.vstack([encoded(fitted, names[[i]]) for i in range(0, 102, 17)])
    assert_allclose(together[::17], one_by_one, rtol=1e-5, atol=1e-6)


def test_a_name_counts_in_either_case(words, fitted):
    upper = np.array([name.upper() for name in words[0][:9]], dtype=object)
    assert_allclose(encoded(fitted, upper), encoded(fitted, words[0][:9]), rtol=1e-6)


def test_handle_unknown_error_still_raises(words):
    encoder = encoder_of(handle_unknown="error").fit(*rows_of(*words))
    with pytest.raises(ValueError, match="unknown category"):
        encoded(encoder, words[0][:1])


def test_saved_pickled_and_cloned_encoders_know_names_too(words, fitted, tmp_path):
    names = words[0][:20]
    fitted.save(tmp_path / "encoder.zip")
    loaded = EmbeddingEncoder.load(tmp_path / "encoder.zip")
    for again in (loaded, pickle.loads(pickle.dumps(fitted))):
        assert_array_equal(encoded(again, names), encoded(fitted, names))
    assert clone(encoder_of(names=["title"])).get_params()["names"] == ["title"]


def test_names_count_by_the_text_of_numbers_only_where_asked_for():
    rng = np.random.default_rng(0)
    codes = rng.choice(np.arange(1000, 9999), 600, replace=False)
    y = np.repeat(codes // 1000, 5) + rng.normal(size=3000)
    X = pd.DataFrame({"code": np.repeat(codes, 5)})
    new = pd.DataFrame({"code": np.setdiff1d(np.arange(1000, 9999), codes)[::50]})
    assert not encoder_of().fit(X, y).transform(new).any()
    asked = encoder_of(names=["code"]).fit(X, y)
    found = asked.transform(new)[:, 0]
    assert np.corrcoef(found, new["code"] // 1000)[0, 1] > 0.9
    assert_array_equal(asked.transform(new.astype(float)), asked.transform(new))


def test_several_outputs_and_classes_have_names(words):
    names, effects = words
    X, y = rows_of(names, effects)
    outputs = np.column_stack([y, -y])
    both = encoder_of().fit(X, outputs)
    found = encoded(both, names[:N_UNKNOWN])
    assert_allclose(found[:, 0], -found[:, 1], atol=1e-3)
    classes = np.array(["low", "middle", "high"])[np.digitize(y, [-1, 1])]
    of_classes = encoded(encoder_of().fit(X, classes), names[:N_UNKNOWN])
    high = of_classes[:, 0]  # classes are sorted: high, low, middle
    assert np.corrcoef(high, effects[:N_UNKNOWN])[0, 1] > 0.7


def test_weights_count_as_rows(words):
    X, y = rows_of(*words)
    weight = np.where(np.arange(len(y)) % 3 == 0, 2.0, 1.0)
    twice = np.repeat(np.arange(len(y)), weight.astype(int))
    weighted = encoder_of(alpha=1.0).fit(X, y, sample_weight=weight)
    repeated = encoder_of(alpha=1.0).fit(X.iloc[twice], y[twice])
    new = words[0][:N_UNKNOWN]
    assert_allclose(encoded(weighted, new), encoded(repeated, new), atol=2e-3)


def test_infrequent_categories_share_a_vector_without_a_name(words):
    X, y = rows_of(*words)
    X.loc[: len(X) // 2, "title"] = X["title"].iloc[: len(X) // 2 + 1].str[:-1] + "x"
    encoder = encoder_of(min_frequency=5).fit(X.drop(index=[0]), np.delete(y, 0))
    (infrequent,) = encoder.infrequent_categories_
    assert len(np.unique(encoded(encoder, infrequent), axis=0)) == 1


def test_categories_that_are_listed_without_rows_are_what_their_names_say(words, fitted):
    names = words[0]
    encoder = encoder_of(categories=[list(names)]).fit(*rows_of(*words))
    found = encoded(encoder, names[:N_UNKNOWN])
    assert_allclose(found, encoded(fitted, names[:N_UNKNOWN]), atol=1e-5)


def test_partial_fit_goes_on_without_what_names_say(words):
    names, _ = words
    X, y = rows_of(*words)
    encoder = encoder_of().fit(X, y).partial_fit(X.iloc[:5], y[:5])
    without = encoder_of(names=False).fit(X, y).partial_fit(X.iloc[:5], y[:5])
    assert not encoded(encoder, names[:N_UNKNOWN]).any()
    known = names[N_UNKNOWN:]
    assert_allclose(encoded(encoder, known), encoded(without, known), atol=1e-4)


def test_chunks_learn_what_names_say(words, fitted):
    X, y = rows_of(*words)
    chunks = [(X.iloc[:700], y[:700]), (X.iloc[700:], y[700:])]
    by_chunks = encoder_of().fit_chunks(chunks)
    new = words[0][:N_UNKNOWN]
    assert_array_equal(encoded(by_chunks, new), encoded(fitted, new))


def test_neighbours_of_a_name_that_was_never_seen(words, fitted):
    name = words[0][0]
    neighbours = nearest_categories(fitted, "title", name, n_neighbors=4)
    assert len(neighbours) == 4
    assert name not in neighbours["category"].tolist()
    distance = np.abs(
        encoded(fitted, words[0][:1]) - encoded(fitted, neighbours["category"].to_numpy())
    )
    assert_allclose(distance[:, 0], neighbours["distance"], atol=1e-6)


@pytest.mark.parametrize("column", ["job", 1, True, None, (0, 7), ("title", "job")])
def test_columns_that_there_are_not_cannot_be_asked_for(words, column):
    with pytest.raises(ValueError, match=r"names names column .*categorical columns"):
        encoder_of(names=[column]).fit(*rows_of(*words))


def test_flags_are_no_columns(words):
    X, y = rows_of(*words)
    with pytest.raises(ValueError, match="names names column True"):
        encoder_of(names=[True, False]).fit(X.assign(other=X["title"]), y)


def test_numbers_that_may_be_labels_or_places_are_refused(words):
    X, y = rows_of(*words)
    X = pd.DataFrame({1: X["title"], 0: X["title"]})
    with pytest.raises(ValueError, match=r"names.*labels of columns of X"):
        encoder_of(names=[0]).fit(X, y)


@pytest.mark.parametrize("seed", range(6))
def test_names_that_are_used_untested_and_say_nothing_do_not_warn(seed):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"title": [f"{code:03d}" for code in rng.integers(40, size=200)]})
    y = rng.normal(size=200)
    assert np.isfinite(encoder_of(names=True).fit(X, y).transform(X)).all()


@pytest.mark.parametrize("name", [3, "", "§§§", b"x", ("a", 1)])
def test_what_has_no_known_name_has_no_neighbours(fitted, name):
    with pytest.raises(ValueError, match="title"):
        nearest_categories(fitted, "title", name)


@pytest.fixture(scope="module")
def numbers():
    """Numbers whose hundreds tell the effect, and an encoder of their digits."""
    rng = np.random.default_rng(0)
    values = np.arange(100, 900, 9)
    codes = rng.integers(len(values), size=600)
    y = values[codes] // 100 + 0.3 * rng.normal(size=600)
    encoder = encoder_of(names=["title"], categorical_features=["title"])
    return encoder.fit(pd.DataFrame({"title": values[codes]}), y)


def test_equal_numbers_have_one_name_whatever_their_type_and_the_rows_beside(numbers):
    equal = np.array([500, 500.0, Decimal("500.00"), Fraction(500)], dtype=object)
    alone = np.vstack([encoded(numbers, equal[[place]]) for place in range(len(equal))])
    together = encoded(numbers, np.tile(equal, 30))
    assert np.ptp(alone) == 0
    assert np.abs(alone).min() > 0
    assert np.ptp(together) == 0
    assert_array_equal(together[: len(equal)], alone)


def test_a_moment_has_one_name_in_every_time_zone():
    moment = pd.Timestamp("2020-01-01 23:30", tz="UTC")
    same = [moment, moment.tz_convert("Asia/Tokyo"), moment.to_pydatetime()]
    times = pd.Series(pd.date_range("2020", periods=60, tz="UTC").repeat(3))
    X = pd.DataFrame({"title": times.astype(object)})
    y = times.dt.month + 0.1 * np.arange(180) % 3
    fitted = encoder_of(names=["title"], alpha=1.0).fit(X, y)
    found = encoded(fitted, pd.Series(same, dtype=object))
    assert np.abs(found).min() > 0
    assert np.ptp(found) == 0


@pytest.mark.parametrize(
    ("n_categories", "noise", "message"),
    [
        (9, 1.0, "'title', which has 9 categories with names, fewer than 30"),
        (60, 0.0, "'title', which has names that predict nothing"),
    ],
)
def test_a_listed_column_whose_names_are_not_used_is_a_warning(
    n_categories, noise, message
):
    X = pd.DataFrame({"title": [f"no. {row % n_categories}" for row in range(240)]})
    y = noise * np.random.default_rng(0).normal(size=240)
    options = {"alpha": 1.0, "n_jobs": 2, "target_type": "continuous"}
    with pytest.warns(UserWarning, match=message) as caught:
        encoder_of(names=["title"], **options).fit(X, y)
    assert [warning.filename for warning in caught] == [__file__]
    encoder_of(names=True, **options).fit(X, y)


def test_numbers_that_are_not_finite_are_unknown_without_an_error(numbers):
    assert np.isfinite(encoded(numbers, np.array([np.inf, -np.inf]))).all()
