from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial import cKDTree
from sklearn import config_context
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
)

from sk_embed import EmbeddingEncoder
from sk_embed._cross_fitting import (
    draw_folds,
    gets_fold_vector,
    needs_folds,
    read_folds,
)


def pairs(test_folds, n_rows):
    """Return splits whose training parts are all rows but the test fold's."""
    return [(np.setdiff1d(np.arange(n_rows), test), test) for test in test_folds]


def test_each_row_gets_the_fold_that_tests_it():
    folds = read_folds(pairs([[3, 0], [1], [4, 2]], 5), 5)
    assert_array_equal(folds.of_row, [0, 1, 2, 0, 2])


def test_rows_that_a_split_leaves_out_are_not_trained_on():
    folds = read_folds([([2, 3], [0, 1]), ([0], [2, 3])], 4)
    assert_array_equal(folds.is_training, [[0, 0, 1, 1], [1, 0, 0, 0]])


@pytest.mark.parametrize("train", [[], [1, 2]], ids=["empty", "overlapping"])
def test_training_parts_that_are_empty_or_tested_are_refused(train):
    with pytest.raises(ValueError, match=r"Fold 0 of `cv` has training rows among"):
        read_folds([(train, [0, 1]), ([0, 1], [2])], 3)


@pytest.mark.parametrize(
    "splitter",
    [KFold(5), KFold(3, shuffle=True, random_state=0), StratifiedKFold(4)],
    ids=["KFold", "shuffled", "StratifiedKFold"],
)
def test_folds_are_those_of_the_splitter(splitter):
    X, y = np.zeros(23), np.arange(23) % 2
    folds = read_folds(splitter.split(X, y), 23).of_row
    for number, (train, test) in enumerate(splitter.split(X, y)):
        assert np.all(folds[test] == number)
        assert np.all(folds[train] != number)


@pytest.mark.parametrize(("cv", "n_folds"), [(3, 3), (np.int64(7), 7), (None, 5)])
@pytest.mark.parametrize("is_label", [False, True])
def test_a_number_makes_as_many_folds_of_equal_size_and_none_makes_five(
    cv, n_folds, is_label
):
    y = np.arange(105) % 2
    folds = draw_folds(cv, np.zeros((105, 1)), y, is_label, seed=0)
    assert_array_equal(np.bincount(folds.of_row), [105 / n_folds] * n_folds)


def test_test_folds_may_be_masks():
    mask = np.array([True, False, True])
    assert_array_equal(read_folds([(~mask, mask), (mask, ~mask)], 3).of_row, [0, 1, 0])


def test_overlapping_folds_are_refused_with_the_row_and_how_often():
    splits = pairs([[0, 1], [1, 2]], 3)
    with pytest.raises(ValueError, match=r"exactly once, but row 1 is in 2 of them"):
        read_folds(splits, 3)


def test_missing_rows_are_refused_with_the_row():
    splits = pairs([[0, 1], [3]], 4)
    with pytest.raises(ValueError, match=r"exactly once, but row 2 is in 0 of them"):
        read_folds(splits, 4)


def test_no_folds_are_refused():
    with pytest.raises(ValueError, match=r"`cv` gives no folds.*pass a list"):
        read_folds([], 2)


@pytest.mark.parametrize(
    "splitter",
    [ShuffleSplit(5, random_state=0), TimeSeriesSplit(3)],
    ids=["ShuffleSplit", "TimeSeriesSplit"],
)
def test_splitters_that_do_not_partition_are_refused(splitter):
    with pytest.raises(ValueError, match=r"pass an int or a splitter such as KFold"):
        read_folds(splitter.split(np.zeros(20)), 20)


def test_folds_may_be_restricted_to_rows():
    folds = read_folds(pairs([[3, 0], [1], [4, 2]], 5), 5).restricted_to(np.array([1, 3]))
    assert_array_equal(folds.of_row, [1, 0])
    assert_array_equal(folds.is_training, [[1, 0], [0, 1], [1, 1]])


def test_folds_without_training_rows_of_positive_weight_are_refused():
    folds = read_folds(pairs([[0, 1], [2]], 3), 3)
    with pytest.raises(ValueError, match=r"no training rows of positive weight"):
        folds.restricted_to(np.array([0, 1]))


# ------------------------------------------------------------------ who gets a fold vector


def draw_column(rng, spread, n_rows=1000.0, n_categories=50, width=2):
    """Draw categories on a lattice of step 1, and five fold vectors that far from each."""
    full = np.zeros((n_categories, width))
    full[:, 0] = rng.permutation(n_categories)
    folds = np.repeat(full[None], 5, axis=0)
    folds[:, :, 0] += spread * rng.choice([-1, 1], size=(5, n_categories))
    return full, folds, np.full(n_categories, n_rows)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("noise_ratio", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("spread", [0.0, 100.0], ids=["apart", "mixed"])
@pytest.mark.parametrize("below", [0, 1, 8, np.int64(8), 10**6])
def test_an_int_is_the_number_of_rows_whatever_the_vectors(below, spread, noise_ratio, rng):
    full, folds, _ = draw_column(rng, spread)
    n_rows = rng.integers(0, 20, size=50).astype(float)
    n_rows[:3] = 7, 8, 9
    found = gets_fold_vector(full, folds, n_rows, noise_ratio, below)
    assert_array_equal(found, n_rows < below)


def test_rounding_of_weights_does_not_make_a_category_rare(rng):
    full, folds, _ = draw_column(rng, 100.0, n_categories=2)
    n_rows = np.array([8 * (1 - 1e-9), 8 * (1 - 1e-3)])
    assert_array_equal(gets_fold_vector(full, folds, n_rows, 1.0, 8), [False, True])
    assert_array_equal(gets_fold_vector(full, folds, n_rows, 0.8, "auto"), [True, True])
    n_rows = n_rows / 8 * 30
    assert_array_equal(gets_fold_vector(full, folds, n_rows, 3.0, "auto"), [False, True])


@pytest.mark.parametrize(
    ("noise_ratio", "threshold"),
    [(1e-9, 10), (0.99, 10), (1.0, 10), (3.0, 30), (20.0, 200), (21.0, 200), (1e9, 200)],
)
def test_auto_is_ten_times_the_noise_ratio_from_10_to_200(noise_ratio, threshold, rng):
    # Fold vectors far beyond other categories: rows alone decide.
    full, folds, _ = draw_column(rng, 100.0, n_categories=400)
    n_rows = np.arange(400.0)
    found = gets_fold_vector(full, folds, n_rows, noise_ratio, "auto")
    assert_array_equal(found, n_rows < threshold)


@pytest.mark.parametrize(("spread", "is_apart"), [(0.0, True), (0.99, True), (1.01, False)])
def test_under_auto_a_column_whose_categories_lie_apart_gets_fold_vectors(
    spread, is_apart, rng
):
    # The next category is 1 away.
    full, folds, n_rows = draw_column(rng, spread)
    assert_array_equal(gets_fold_vector(full, folds, n_rows, 1e3, "auto"), is_apart)


@pytest.mark.parametrize(("far", "is_apart"), [(2.2, True), (2.3, False)])
def test_the_spread_of_fold_vectors_is_their_root_mean_square(far, is_apart, rng):
    # Four of five where the full vector is: the root of five is 2.24.
    full, folds, n_rows = draw_column(rng, 0.0)
    folds[3, :, 0] += far
    assert_array_equal(gets_fold_vector(full, folds, n_rows, 1e3, "auto"), is_apart)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_whether_categories_lie_apart_does_not_depend_on_the_unit(unit, rng):
    for spread, is_apart in ((0.9, True), (1.1, False)):
        full, folds, n_rows = draw_column(rng, spread)
        found = gets_fold_vector(unit * full, unit * folds, n_rows, 1e3, "auto")
        assert_array_equal(found, is_apart)


@pytest.mark.parametrize(("n_near", "is_apart"), [(4, True), (5, False)])
def test_nine_tenths_of_the_rows_decide_whether_categories_lie_apart(n_near, is_apart, rng):
    # Pairs of categories at the same place, in a hundred.
    full, folds, n_rows = draw_column(rng, 0.5, n_categories=100)
    full[:n_near, 0] = 1000 + np.arange(n_near)
    full[n_near : 2 * n_near] = full[:n_near]
    folds[:, n_near : 2 * n_near] = full[:n_near] + 0.5
    folds[:, :n_near] = full[:n_near] + 0.5
    assert_array_equal(gets_fold_vector(full, folds, n_rows, 1e3, "auto"), is_apart)


def test_categories_count_by_their_rows_whether_they_lie_apart(rng):
    full, folds, n_rows = draw_column(rng, 0.5)
    # One that is not apart, of as many rows as ten others.
    folds[:, 7] = full[7] + 5
    assert gets_fold_vector(full, folds, n_rows, 1e3, "auto").all()
    n_rows[7] *= 10
    assert not gets_fold_vector(full, folds, n_rows, 1e3, "auto").any()


def test_rare_categories_are_not_asked_but_may_lie_between(rng):
    full, folds, n_rows = draw_column(rng, 0.5, n_categories=50)
    n_rows[full[:, 0] % 2 == 1] = 5
    # Fold vectors of rare categories that fly about cost the frequent ones nothing.
    is_rare = n_rows < 10
    folds[:, is_rare] += 1000
    assert gets_fold_vector(full, folds, n_rows, 1e3, "auto").all()
    # Frequent ones are 2 apart, yet a rare one lies half way.
    folds[:, ~is_rare] = full[~is_rare] + [1.2, 0]
    assert_array_equal(gets_fold_vector(full, folds, n_rows, 1e3, "auto"), is_rare)


def test_categories_without_rows_do_not_lie_between(rng):
    full, folds, n_rows = draw_column(rng, 0.9)
    with_origins = np.vstack([full, full])
    more = np.concatenate([folds, folds], axis=1)
    counts = np.concatenate([n_rows, np.zeros(50)])
    assert gets_fold_vector(with_origins, more, counts, 1e3, "auto").all()


def test_a_column_of_rare_categories_alone_gets_fold_vectors(rng):
    full, folds, n_rows = draw_column(rng, 100.0, n_rows=5.0)
    assert gets_fold_vector(full, folds, n_rows, 1e3, "auto").all()


def test_categories_that_mix_on_every_axis_do_not_lie_apart(rng):
    # Of 400 in four dimensions the next one is further than the fold vectors, but on each
    # axis some lie between them: trees split on one axis at a time.
    full = rng.normal(size=(400, 4))
    steps = rng.normal(scale=0.1, size=(5, 400, 4))
    n_rows = np.full(400, 1000.0)
    distance = cKDTree(full).query(full, k=2)[0][:, 1]
    assert np.median(distance) > 2 * np.sqrt((steps**2).sum(axis=2).mean())
    assert not gets_fold_vector(full, full + steps, n_rows, 1e3, "auto").any()
    # One more axis that tells them apart is enough.
    number = np.arange(400.0)[:, None]
    full, steps = np.hstack([full, number]), np.pad(steps, ((0, 0), (0, 0), (0, 1)))
    assert gets_fold_vector(full, full + steps, n_rows, 1e3, "auto").all()


@pytest.mark.parametrize(("noise_ratio", "leaks"), [(10.1, True), (9.9, False)])
def test_categories_of_a_hundred_times_the_noise_ratio_get_full_vectors(
    noise_ratio, leaks, rng
):
    # However far apart they lie.
    full, folds, n_rows = draw_column(rng, 0.1)
    assert_array_equal(gets_fold_vector(full, folds, n_rows, noise_ratio, "auto"), leaks)


def test_folds_are_needed_if_any_category_is_rare():
    # The last code is for what is not in a given vocabulary.
    columns = [np.array([50.0, 50.0, 0.0]), np.array([50.0, 40.0, 0.0])]
    assert not needs_folds(columns, 40)
    assert needs_folds(columns, 41)
    assert needs_folds(columns, "auto")


def test_equal_vectors_do_not_lie_apart(rng):
    # As those of a column of noise, shrunk to nothing.
    n_rows = np.full(50, 1000.0)
    zeros = np.zeros((50, 1)), np.zeros((5, 50, 1))
    assert not gets_fold_vector(*zeros, n_rows, 1e9, "auto").any()


@pytest.mark.parametrize("n_rows", [[1000.0, 0.0], [0.0, 0.0], [5.0, 0.0]], ids=str)
def test_a_column_of_one_category_or_none_is_no_trouble(n_rows):
    full, folds = np.zeros((2, 1)), np.zeros((5, 2, 1))
    found = gets_fold_vector(full, folds, np.array(n_rows), 1.0, "auto")
    assert found.shape == (2,)


def test_single_precision_is_no_trouble(rng):
    full, folds, n_rows = draw_column(rng, 0.9)
    single = (part.astype(np.float32) for part in (full, folds, n_rows))
    assert gets_fold_vector(*single, 1e3, "auto").all()


# ------------------------------------------------------------- categories that no fold met


@pytest.mark.parametrize("crosses", [None, [("model", "kind")]])
def test_frequent_categories_that_lie_in_one_fold_are_encoded_as_unknown(crosses, rng):
    model, kind = rng.integers(10, size=600), rng.integers(3, size=600)
    X = pd.DataFrame({"model": model.astype(str), "kind": kind.astype(str)})
    y = rng.normal(size=10)[model] + kind + 0.1 * rng.normal(size=600)
    encoder = EmbeddingEncoder(
        cv=GroupKFold(5), crosses=crosses, names=False, random_state=0
    )
    with config_context(enable_metadata_routing=True):
        encoded = encoder.set_output(transform="pandas").fit_transform(X, y, groups=model)
    # New rows of such groups will all be of unknown models, as these say.
    unknown = encoder.transform(X.assign(model="new"))
    own = encoded.columns[encoded.columns.str.match("model") & (encoded != 0).any()]
    # The total of a cross holds the effect of the kind, which each fold learns anew.
    assert_allclose(encoded[own], unknown[own], atol=0.02)
    assert set(own) <= {"model*kind_total"}
    assert len(set(encoded["kind_effect"])) > 1
    assert len(set(encoder.transform(X)["model_effect"])) == 10


def test_folds_by_rows_leave_frequent_categories_their_full_vectors(rng):
    model = rng.integers(3, size=2000)
    X = pd.DataFrame({"model": model.astype(str)})
    y = np.arange(3)[model] + 0.1 * rng.normal(size=2000)
    encoder = EmbeddingEncoder(crosses=None, random_state=0)
    encoded = encoder.fit_transform(X, y)
    assert_array_equal(encoded[:, 0], encoder.transform(X)[:, 0])
