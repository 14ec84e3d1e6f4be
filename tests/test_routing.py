"""Metadata that is routed to the encoder, and folds in every form that ``cv`` takes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import Ridge
from sklearn.metrics import make_scorer, r2_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    PredefinedSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.pipeline import Pipeline, make_pipeline

from sk_embed import EmbeddingEncoder
from sk_embed._cross_fitting import draw_folds

N_ROWS = 400


@pytest.fixture(name="X")
def make_x():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"shop": rng.integers(9, size=N_ROWS), "user": np.arange(N_ROWS) // 4}
    )


@pytest.fixture
def y(X):
    return pd.Series(np.cos(X["user"]) + X["shop"] % 2, name="price")


@pytest.fixture
def weight():
    return np.random.default_rng(1).uniform(0.5, 2, N_ROWS)


@pytest.fixture
def groups():
    return np.random.default_rng(2).integers(12, size=N_ROWS)


@pytest.fixture
def _routing():
    with config_context(enable_metadata_routing=True):
        yield


def encoder(**params):
    # Outputs that are compared have one width.
    few = {"random_state": 0, "max_iter": 2, "n_components": 1}
    return EmbeddingEncoder(**few | params)


def grouped(**params):
    return encoder(cv=GroupKFold(4), **params).set_fit_request(sample_weight=True)


# ---------------------------------------------------------------- routing


WRAPPED = {
    "Pipeline": lambda inner: make_pipeline(inner),
    "ColumnTransformer": lambda inner: ColumnTransformer([("c", inner, ["shop", "user"])]),
    "both": lambda inner: make_pipeline(ColumnTransformer([("c", inner, [0, 1])])),
}


@pytest.mark.usefixtures("_routing")
@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_weights_reach_fit_transform_and_groups_reach_cv(wrap, X, y, weight, groups):
    routed = wrap(grouped()).fit_transform(X, y, sample_weight=weight, groups=groups)
    splits = list(GroupKFold(4).split(X, y, groups))
    alone = encoder(cv=splits).fit_transform(X, y, weight)
    assert_array_equal(routed, alone)
    # Neither is without effect.
    assert np.any(alone != encoder(cv=splits).fit_transform(X, y))
    assert np.any(alone != encoder().fit_transform(X, y, weight))


@pytest.mark.usefixtures("_routing")
def test_weights_reach_fit(X, y, weight):
    inner = encoder().set_fit_request(sample_weight=True)
    model = Pipeline([("nothing", "passthrough"), ("encode", inner)])
    model.fit(X, y, sample_weight=weight)
    expected = encoder().fit(X, y, weight).transform(X)
    assert_array_equal(model.transform(X), expected)


@pytest.mark.usefixtures("_routing")
def test_grid_search_routes_the_rows_of_each_split(X, y, weight, groups):
    model = make_pipeline(grouped(), Ridge().set_fit_request(sample_weight=False))
    alphas = [1.0, 100.0]
    search = GridSearchCV(
        model,
        {"embeddingencoder__alpha": alphas},
        cv=KFold(3),
        scoring=make_scorer(r2_score).set_score_request(sample_weight=True),
    )
    search.fit(X, y, sample_weight=weight, groups=groups)
    train, test = next(iter(KFold(3).split(X)))
    splits = list(GroupKFold(4).split(train, None, groups[train]))
    scores = []
    for alpha in alphas:
        inner = encoder(alpha=alpha, cv=splits)
        encoded = inner.fit_transform(X.iloc[train], y.iloc[train], weight[train])
        alone = Ridge().fit(encoded, y.iloc[train])
        scores.append(
            alone.score(inner.transform(X.iloc[test]), y.iloc[test], weight[test])
        )
    assert_array_equal(search.cv_results_["split0_test_score"], scores)
    refitted = encoder(
        cv=list(GroupKFold(4).split(X, y, groups)),
        alpha=search.best_params_["embeddingencoder__alpha"],
    )
    refitted.fit_transform(X, y, weight)
    assert_array_equal(search.best_estimator_[0].transform(X), refitted.transform(X))


@pytest.mark.parametrize("cv", [5, None, KFold(3), [(np.arange(9), np.arange(9))]], ids=str)
@pytest.mark.parametrize("is_routed", [False, True])
def test_groups_without_a_splitter_by_groups_are_one_clear_line(
    cv, is_routed, X, y, groups
):
    with config_context(enable_metadata_routing=is_routed):
        message = r"got groups, but cv=.* does not split by groups.*cv=GroupKFold\(5\)"
        with pytest.raises(TypeError, match=message) as raised:
            encoder(cv=cv).fit_transform(X, y, groups=groups)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("cv", [GroupKFold(3), StratifiedGroupKFold(3)])
def test_a_splitter_by_groups_without_groups_is_one_clear_line(cv, X, y):
    with pytest.raises(ValueError, match="splits by groups, but fit_transform got none"):
        encoder(cv=cv).fit_transform(X, y > 0)


@pytest.mark.usefixtures("_routing")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: np.where(np.arange(N_ROWS) == 7, np.nan, g), "missing in row 7"),
        (lambda g: [None, *map(str, g[1:])], "missing in row 0"),
        (lambda g: pd.Series(g).astype("Int64").where(g > 0), r"missing in row \d+"),
        (lambda g: g[:9], "groups has 9 rows, but X has 400"),
    ],
)
def test_groups_with_gaps_or_of_another_length_are_one_clear_line(
    change, message, X, y, groups
):
    with pytest.raises(ValueError, match=message) as raised:
        grouped().fit_transform(X, y, groups=change(groups))
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("_routing")
def test_weights_that_nobody_asked_for_are_scikit_learns_error(X, y, weight):
    with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
        make_pipeline(encoder()).fit_transform(X, y, sample_weight=weight)


# ---------------------------------------------------------------- the forms of cv


CV = {
    "splitter": lambda splits, X: PredefinedSplit(np.arange(N_ROWS) % 4),
    "list": lambda splits, X: splits,
    "tuple": lambda splits, X: tuple(splits),
    "generator": lambda splits, X: (split for split in splits),
}


@pytest.mark.parametrize("form", CV.values(), ids=CV)
def test_cv_takes_splits_in_every_form(X, y, form):
    splits = list(PredefinedSplit(np.arange(N_ROWS) % 4).split())
    encoded = encoder(cv=form(splits, X)).fit_transform(X, y)
    assert_array_equal(encoded, encoder(cv=splits).fit_transform(X, y))
    assert np.any(encoded != encoder().fit_transform(X, y))


def test_fit_and_rows_without_rare_categories_leave_a_generator_alone(X, y):
    # Nine shops of about 44 rows each; users of 4.
    fitted = encoder(cv=KFold(4).split(X), cross_fit_below=30)
    fitted.fit(X, y)
    fitted.fit_transform(X[["shop"]], y)
    expected = encoder(cv=KFold(4), cross_fit_below=30).fit_transform(X, y)
    assert_array_equal(fitted.fit_transform(X, y), expected)


def test_a_generator_that_is_used_up_is_one_clear_line_and_changes_nothing(X, y):
    fitted = encoder(cv=KFold(4).split(X))
    fitted.fit_transform(X, y)
    before = fitted.transform(X)
    with pytest.raises(ValueError, match=r"`cv` gives no folds.*pass a list") as raised:
        fitted.fit_transform(X, -y)
    assert "\n" not in str(raised.value)
    assert_array_equal(fitted.transform(X), before)


def test_a_generator_cannot_be_cloned_and_a_list_can(X):
    with pytest.raises(TypeError, match="generator"):
        clone(encoder(cv=KFold(4).split(X)))
    assert len(clone(encoder(cv=list(KFold(4).split(X)))).cv) == 4


@pytest.mark.parametrize("cv", [1, 0, 2.5, "five", True, len], ids=str)
def test_anything_else_as_cv_is_an_error_that_says_what_may_be(X, y, cv):
    with pytest.raises(ValueError, match=r"'cv' parameter.*must be an int.*an iterable"):
        encoder(cv=cv).fit_transform(X, y)


# ---------------------------------------------------------------- folds of an integer


def folds_of(y, **params):
    """Return the fold of each row."""
    return draw_folds(5, None, np.asarray(y), seed=0, **params).of_row


@pytest.mark.parametrize("dtype", [int, object, str])
def test_labels_are_spread_over_the_folds(dtype):
    sizes = [603, 52, 5, 3, 1, 1, 1]
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(7), sizes))
    folds = folds_of(labels.astype(dtype), is_label=True)
    for label, size in enumerate(sizes):
        of_label = np.bincount(folds[labels == label], minlength=5)
        assert np.ptp(of_label) <= 2
        assert np.sum(of_label > 0) == min(size, 5)
    assert np.ptp(np.bincount(folds)) <= 1


def test_labels_of_one_row_each_are_spread_over_the_folds():
    labels = np.append(np.arange(100), np.full(400, 100))
    of_single = np.bincount(folds_of(labels, is_label=True)[:100], minlength=5)
    assert of_single.min() >= 10


def test_folds_of_numbers_are_those_of_a_shuffled_k_fold():
    y = np.random.default_rng(0).normal(size=47)
    folds = folds_of(y, is_label=False)
    shuffled = KFold(5, shuffle=True, random_state=0).split(y)
    for number, (_, test) in enumerate(shuffled):
        assert_array_equal(np.flatnonzero(folds == number), test)


@pytest.mark.parametrize("n_rare", [1, 2, 3])
def test_rare_labels_are_no_trouble_where_stratified_k_fold_warns(X, n_rare):
    labels = np.where(np.arange(N_ROWS) < n_rare, "rare", "usual")
    assert np.isfinite(encoder().fit_transform(X, labels)).all()
    with pytest.warns(UserWarning, match="least populated class"):
        encoder(cv=StratifiedKFold(5)).fit_transform(X, labels)
