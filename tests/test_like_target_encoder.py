"""The behaviours that scikit-learn's tests ask of TargetEncoder, asked of ours.

``STANDS_FOR`` lists the tests of ``sklearn/preprocessing/tests/test_target_encoder.py``
(1.9.1) under what stands for them here.

Ours differs on purpose: an effect is a coefficient of an additive model, about zero, where
TargetEncoder gives a mean; unknown categories, and those that a fold has not seen, are
zeros. Two things are not asked for: that a single label has no effect under ``alpha=0``,
whose minimum is at infinity, and that targets of several columns are refused.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logit
from sklearn.datasets import make_regression
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline

from sk_embed import EmbeddingEncoder

# Each test of this module, or the reason why there is none: scikit-learn's tests.
STANDS_FOR = {
    "test_effects_are_the_penalised_minimum": [
        "test_encoding",
    ],
    "test_binary_effects_are_the_penalised_minimum": [
        "test_encoding",
    ],
    "test_training_rows_are_encoded_without_their_fold": [
        "test_encoding",
    ],
    "test_effects_of_classes_are_the_penalised_minimum": [
        "test_encoding_multiclass",
    ],
    "test_unknown_is_zero": [
        "test_encoding_multiclass",
    ],
    "test_given_categories_that_never_occur_are_zeros_like_unknown_ones": [
        "test_custom_categories",
    ],
    "test_x_and_y_of_other_lengths_are_an_error": [
        "test_errors",
    ],
    "test_whole_numbers_are_classes_unless_asked_for_as_numbers": [
        "test_use_regression_target",
    ],
    "test_names_are_those_of_the_frame": [
        "test_feature_names_out_set_output",
    ],
    "test_columns_are_encoded_side_by_side": [
        "test_multiple_features_quick",
    ],
    "test_a_constant_target_or_column_is_zero": [
        "test_constant_target_and_feature",
    ],
    "test_sorted_targets_do_not_leak": [
        "test_fit_transform_not_associated_with_y_if_ordinal_categorical_is_not",
    ],
    "test_a_category_that_a_fold_has_not_seen_is_zero_without_a_penalty_too": [
        "test_smooth_zero",
    ],
    "test_what_categories_are_called_does_not_matter": [
        "test_invariance_of_encoding_under_label_permutation",
    ],
    "test_a_linear_model_trusts_what_is_informative_alone": [
        "test_target_encoding_for_linear_regression",
    ],
    "test_frames_under_copy_on_write_are_read": [
        "test_pandas_copy_on_write",
    ],
    "test_folds_must_not_overlap": [
        "test_target_encoder_raises_cv_overlap",
    ],
    "none: there is no parameter shuffle": [
        "test_target_encoder_shuffle_random_state_deprecated",
    ],
}

ALPHA = 2.0
# Each training row gets the vector of its fold, however frequent its category.
ALWAYS = 10**6

SPELLINGS = {
    "integers": ([0, 1, 2], 4),
    "numbers and NaN": ([1.0, 3.0, np.nan], 6.0),
    "strings": (["cat", "dog", "snake"], "bear"),
}


def encoder(**params):
    """Return an encoder by main effects alone, which have a formula."""
    defaults = {"n_components": 0, "alpha": ALPHA, "random_state": 0, "dtype": np.float64}
    return EmbeddingEncoder(**{**defaults, **params})


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def codes(rng):
    """The categories of a column: 20, 30 and 40 rows, shuffled."""
    return rng.permutation(np.repeat([0, 1, 2], [20, 30, 40]))


def spell(codes, categories):
    """Return a column of objects that holds these categories."""
    return np.array(categories, dtype=object)[codes][:, None]


def expected_effects(codes, targets, n_categories=3):
    """Solve the penalised least squares of one column: shrunken means about a base."""
    counts = np.bincount(codes, minlength=n_categories)
    sums = np.bincount(codes, targets, minlength=n_categories)
    share = ALPHA / (counts + ALPHA)
    base = (share * sums).sum() / (share * counts).sum()
    return (sums - counts * base) / (counts + ALPHA)


# ---------------------------------------------------------------- what an effect is


@pytest.mark.parametrize("given", [True, False], ids=["given", "auto"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_effects_are_the_penalised_minimum(rng, codes, spelling, given):
    categories, unknown = SPELLINGS[spelling]
    y = rng.uniform(-10, 20, size=len(codes))
    fitted = encoder(categories=[categories] if given else "auto")
    fitted.fit(spell(codes, categories), y)
    expected = expected_effects(codes, (y - y.mean()) / y.std())
    assert fitted.target_type_ == "continuous"
    assert fitted.classes_ is None
    assert_allclose(fitted.embeddings_[0][:, 0], expected, atol=1e-5)
    new = np.array([*categories, unknown], dtype=object)[:, None]
    assert_allclose(fitted.transform(new)[:, 0], [*expected, 0], atol=1e-5)


@pytest.mark.parametrize("labels", [["cat", "dog"], [0, 1], [False, True]], ids=str)
def test_binary_effects_are_the_penalised_minimum(rng, codes, labels):
    classes = (rng.random(len(codes)) < 0.2 + 0.3 * codes).astype(int)
    fitted = encoder().fit(codes[:, None], np.array(labels)[classes])
    assert fitted.target_type_ == "binary"
    assert fitted.classes_.tolist() == labels
    effects = fitted.embeddings_[0][:, 0]
    counts = np.bincount(codes)
    # Where the objective is flat, the penalty's slope is the sum of the residuals.
    chances = np.bincount(codes, classes) / counts - ALPHA * effects / counts
    base = logit(chances) - effects
    assert_allclose(base, base[0], atol=1e-5)
    assert_allclose(effects.sum(), 0, atol=1e-5)


@pytest.mark.parametrize("labels", [[1, 2, 3], ["a", "b", "c"]], ids=str)
def test_effects_of_classes_are_the_penalised_minimum(rng, codes, labels):
    classes = (codes + (rng.random(len(codes)) < 0.4)) % 3
    fitted = encoder().fit(codes[:, None], np.array(labels)[classes])
    assert fitted.target_type_ == "multiclass"
    assert fitted.classes_.tolist() == labels
    effects = fitted.embeddings_[0]
    counts = np.bincount(codes)[:, None]
    shares = np.stack([np.bincount(codes, classes == k) for k in range(3)], axis=1)
    chances = (shares - ALPHA * effects) / counts
    # Logits are free up to a number for each category, that of the softmax.
    bases = np.log(chances) - effects
    bases -= bases.mean(axis=1, keepdims=True)
    assert_allclose(bases, np.tile(bases[0], (3, 1)), atol=1e-4)
    assert_allclose(chances.sum(axis=1), 1, atol=1e-5)


def test_training_rows_are_encoded_without_their_fold(rng, codes):
    y = rng.uniform(-10, 20, size=len(codes))
    splitter = KFold(3, shuffle=True, random_state=0)
    encoded = encoder(cv=splitter, cross_fit_below=ALWAYS).fit_transform(codes[:, None], y)
    standardised = (y - y.mean()) / y.std()
    for train, test in splitter.split(codes):
        effects = expected_effects(codes[train], standardised[train])
        assert_allclose(encoded[test, 0], effects[codes[test]], atol=1e-5)


@pytest.mark.parametrize("target", ["continuous", "binary", "multiclass"])
def test_unknown_is_zero(rng, codes, target):
    y = {"continuous": rng.normal(size=90), "binary": codes > 0, "multiclass": codes}[
        target
    ]
    fitted = encoder().fit(codes[:, None], y)
    assert_array_equal(fitted.transform([[9], [-1]]), 0)
    assert np.abs(fitted.transform([[0], [1]])).max() > 0


@pytest.mark.parametrize(
    ("known", "never"), [([0, 1], 2), (["cat", "dog"], "cow")], ids=["numbers", "strings"]
)
def test_given_categories_that_never_occur_are_zeros_like_unknown_ones(rng, known, never):
    X = np.array(known, dtype=object)[rng.integers(2, size=40)][:, None]
    fitted = encoder(categories=[[*known, never]]).fit(X, rng.normal(size=40))
    assert_array_equal(fitted.embeddings_[0][-1], 0)
    assert_array_equal(fitted.transform([[never], [5]]), 0)


# ---------------------------------------------------------------- targets


def test_x_and_y_of_other_lengths_are_an_error():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        encoder().fit_transform([[1], [0], [1]], [1, 2, 0, 1])


def test_whole_numbers_are_classes_unless_asked_for_as_numbers():
    X, y = [[0], [1], [0], [1], [0], [1]], np.array([1.0, 2.0, 3.0, 2.0, 3.0, 4.0])
    guessed, told = encoder(cv=2), encoder(cv=2, target_type="continuous")
    assert guessed.fit_transform(X, y).shape == (6, 4)
    assert guessed.target_type_ == "multiclass"
    assert told.fit_transform(X, y).shape == (6, 1)
    assert told.target_type_ == "continuous"


@pytest.mark.parametrize(
    ("y", "names"),
    [
        ([1, 2] * 10, ["A_effect", "B_effect"]),
        ([1, 2, 3, 2] * 5, [f"{c}_effect_{k}" for c in "AB" for k in (1, 2, 3)]),
        (
            ["y1", "y2", "y3", "y2"] * 5,
            [f"{c}_effect_{k}" for c in "AB" for k in ("y1", "y2", "y3")],
        ),
    ],
    ids=["binary", "numbers", "strings"],
)
def test_names_are_those_of_the_frame(y, names):
    X = pd.DataFrame({"A": ["a", "b"] * 10, "B": [1, 2] * 10})
    plain, pandas = encoder(), encoder().set_output(transform="pandas")
    frame = pandas.fit_transform(X, y)
    assert_array_equal(frame, plain.fit_transform(X, y))
    assert frame.columns.tolist() == pandas.get_feature_names_out().tolist() == names


@pytest.mark.parametrize("convert", [pd.DataFrame, np.asarray], ids=["pandas", "numpy"])
@pytest.mark.parametrize("target", ["continuous", "integers", "strings"])
def test_columns_are_encoded_side_by_side(rng, convert, target):
    X = convert(
        np.column_stack([rng.integers(2, size=300), rng.integers(10, 13, size=300)])
    )
    y = rng.normal(size=300)
    if target != "continuous":
        y = np.where(y > 0, *((1, 0) if target == "integers" else ("yes", "no")))
    fitted = encoder(cv=KFold(3), cross_fit_below=ALWAYS)
    encoded = fitted.fit_transform(X, y)
    assert encoded.shape == (300, 2)
    assert [len(categories) for categories in fitted.categories_] == [2, 3]
    left, right = (table[:, 0] for table in fitted.embeddings_)
    new = fitted.transform(convert([[0, 11], [1, 5], [7, 12]]))
    assert_array_equal(new, [[left[0], right[1]], [left[1], 0], [0, right[2]]])
    # Near those of all rows, but of three different folds.
    assert len(np.unique(encoded[np.asarray(X)[:, 0] == 0, 0])) == 3


# Without a penalty the effects of a single label have no minimum short of infinity.
@pytest.mark.parametrize(
    ("value", "alpha"),
    [(value, alpha) for value in (3.4, 0, "a") for alpha in ("auto", 4.0)] + [(3.4, 0.0)],
)
def test_a_constant_target_or_column_is_zero(value, alpha):
    y = [value] * 20
    X = np.ones((20, 1), dtype=int)
    fitted = encoder(alpha=alpha, cv=2)
    assert_allclose(fitted.fit_transform(X, y), 0, atol=1e-6)
    assert_allclose(fitted.transform([[1], [0]]), 0, atol=1e-6)
    two = np.arange(20)[:, None] % 2
    assert_allclose(encoder(alpha=alpha, cv=2).fit_transform(two, y), 0, atol=1e-6)


# ---------------------------------------------------------------- leaks


@pytest.mark.slow
@pytest.mark.parametrize("below", [30, ALWAYS])
def test_sorted_targets_do_not_leak(rng, below):
    X, y = rng.integers(30, size=(3000, 1)), np.sort(rng.normal(size=3000))
    encoded = encoder(alpha="auto", cross_fit_below=below).fit_transform(X, y)
    forest = RandomForestRegressor(n_estimators=10, min_samples_leaf=20, random_state=0)
    splits = ShuffleSplit(10, random_state=0)
    assert cross_val_score(forest, X, y, cv=splits).mean() < 0.1
    assert cross_val_score(forest, encoded, y, cv=splits).mean() < 0.1


def test_a_category_that_a_fold_has_not_seen_is_zero_without_a_penalty_too():
    X = np.repeat([0, 1], 5)[:, None]
    y = np.array([2.1, 4.3, 1.2, 3.1, 1.0, 9.0, 10.3, 14.2, 13.3, 15.0])
    encoded = encoder(alpha=0.0, cv=KFold(2)).fit_transform(X, y)
    assert_array_equal(encoded, 0)


@pytest.mark.parametrize("alpha", [0.0, 1e3, "auto"])
def test_what_categories_are_called_does_not_matter(rng, alpha):
    y = rng.normal(size=1000)
    X = np.digitize(y, np.quantile(y, np.arange(1, 30) / 30))
    names = rng.permutation(30)
    first, second = encoder(alpha=alpha), encoder(alpha=alpha)
    expected = first.fit_transform(X[:, None], y)
    assert_allclose(second.fit_transform(names[X][:, None], y), expected, atol=1e-5)
    assert_allclose(
        second.transform(names[X][:, None]), first.transform(X[:, None]), atol=1e-5
    )


@pytest.mark.slow
def test_a_linear_model_trusts_what_is_informative_alone(rng):
    n_rows = 12_000
    y = rng.normal(size=n_rows)
    noisy = y + 0.8 * rng.normal(size=n_rows)
    bins = np.digitize(noisy, np.linspace(-3, 3, 99))
    informative = rng.permutation(100)[bins]
    shuffled = rng.permutation(informative)
    nearly_unique = rng.integers(int(0.9 * n_rows), size=n_rows)
    X = np.column_stack([informative, shuffled, nearly_unique])
    X, X_new, y, y_new = train_test_split(X, y, random_state=0)
    ridge = Ridge(alpha=1e-6, solver="lsqr", fit_intercept=False)
    assert ridge.fit(X, y).score(X, y) < 0.1

    model = make_pipeline(encoder(alpha=0.1), ridge).fit(X, y)
    assert model.score(X, y) > 0.5
    assert model.score(X_new, y_new) > 0.5
    weights = model[-1].coef_ * model[0].transform(X_new).std(axis=0)
    assert model[-1].coef_[0] == pytest.approx(1, abs=0.05)
    assert np.abs(weights[1:]).max() < 0.2 * weights[0]

    # Encoded as new rows are, the training rows tell their targets to the next model.
    leaky = encoder(alpha=0.1).fit(X, y)
    ridge.fit(leaky.transform(X), y)
    assert ridge.score(leaky.transform(X), y) > 0.7
    assert ridge.score(leaky.transform(X_new), y_new) < 0.5


# ---------------------------------------------------------------- inputs


def test_frames_under_copy_on_write_are_read():
    frame = pd.DataFrame({"x": ["a", "b", "b"], "y": [4.0, 5.0, 6.0]})
    frame["y"].to_numpy().flags.writeable = False
    fitted = encoder(target_type="continuous").fit(frame[["x"]], frame["y"])
    assert np.isfinite(fitted.transform(frame[["x"]])).all()
    with pd.option_context("mode.string_storage", "python"):
        encoder(target_type="continuous").fit(frame[["x"]], frame["y"])


def test_folds_must_not_overlap():
    X, y = make_regression(n_samples=100, n_features=3, random_state=0)
    assert encoder(cv=KFold().split(X, y)).fit_transform(X, y).shape == (100, 3)
    assert encoder(cv=StratifiedKFold(2)).fit_transform(X, y > 0).shape == (100, 3)
    overlapping = ShuffleSplit(5, random_state=0).split(X, y)
    with pytest.raises(ValueError, match="must hold each row exactly once"):
        encoder(cv=overlapping).fit_transform(X, y)


# ---------------------------------------------------------------- the list


def test_the_list_names_every_test_of_this_module():
    ours = {name for name in globals() if name.startswith("test_")}
    ours.remove("test_the_list_names_every_test_of_this_module")
    assert {name for name in STANDS_FOR if not name.startswith("none: ")} == ours
