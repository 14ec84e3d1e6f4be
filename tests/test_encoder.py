"""The encoder through its public interface."""

from __future__ import annotations

import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal, assert_series_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    PredefinedSplit,
    StratifiedKFold,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import TargetEncoder

from sk_embed import EmbeddingEncoder

N_ROWS = 600
COLORS = ["blue", "green", "red", "white"]


def encoder(**params):
    return EmbeddingEncoder(**{"random_state": 0, **params})


def assert_same_bits(first, second):
    """Two fitted encoders hold the same categories and the same vectors."""
    assert first.n_components_ == second.n_components_
    for a, b in zip(first.categories_, second.categories_, strict=True):
        # Missing equals missing in an Index, not in an array of objects.
        assert pd.Index(a).equals(pd.Index(b))
    for a, b in zip(first.embeddings_, second.embeddings_, strict=True):
        assert_array_equal(a, b)
    assert first.loss_curve_ == second.loss_curve_


def correlation(x, y):
    return np.corrcoef(x, y)[0, 1] if np.ptp(x) > 0 else 0.0


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(name="X")
def make_x():
    """A frequent column, one with missing values, and one of three rows a category."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "color": rng.choice(COLORS, N_ROWS),
            "size": rng.choice(["S", "M", "L", None], N_ROWS),
            "user": [f"u{row // 3:03d}" for row in range(N_ROWS)],
        },
        index=pd.Index(np.arange(N_ROWS) * 10, name="row"),
    )
    return frame.sample(frac=1, random_state=2)


@pytest.fixture
def y(X):
    rng = np.random.default_rng(2)
    effect = X["color"].map(dict(zip(COLORS, [-1.0, 0.0, 1.0, 2.0], strict=True)))
    flip = np.where(X["size"].isna(), -1.0, 1.0)
    return pd.Series(flip * effect + 0.3 * rng.normal(size=N_ROWS), X.index, name="price")


@pytest.fixture
def labels(y):
    return pd.Series(np.digitize(y, [-0.5, 0.8]), y.index)


@pytest.fixture
def slopes():
    """A category's number is its slope: context without which it means nothing."""
    rng = np.random.default_rng(3)
    slope = rng.normal(size=60)
    X = pd.DataFrame({"shop": rng.integers(60, size=4000), "age": rng.normal(size=4000)})
    y = slope[X["shop"]] * X["age"] + 0.1 * rng.normal(size=4000)
    return X, y, slope


@pytest.fixture
def interaction():
    """Two columns that say nothing alone: their effects are zero on average."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.integers(40, size=(3000, 2)), columns=["store", "item"])
    return X, np.cos(X["store"]) * np.sin(X["item"]) + 0.1 * rng.normal(size=3000)


@pytest.fixture
def noise():
    """A target that nothing explains, and categories that are seen once, or thrice."""
    rng = np.random.default_rng(4)
    y = rng.normal(size=1200)
    rows = np.arange(1200)
    X = pd.DataFrame({"once": rows, "thrice": rng.permutation(rows // 3)})
    return X, y


# ---------------------------------------------------------------- in scikit-learn


def test_pipeline_learns_interactions_and_predicts_new_rows(interaction):
    X, y = interaction
    scores = []
    for encode in (encoder(), TargetEncoder()):
        model = Pipeline([("encode", encode), ("model", HistGradientBoostingRegressor())])
        model.fit(X[:2400], y[:2400])
        scores.append(model.score(X[2400:], y[2400:]))
    assert scores[0] > 0.9
    assert scores[0] > scores[1] + 0.2


def test_pipeline_with_a_classifier_takes_labels_of_strings(X, labels):
    names = labels.map({0: "low", 1: "middle", 2: "high"})
    model = make_pipeline(encoder(), HistGradientBoostingClassifier(max_iter=20))
    model.fit(X, names)
    assert model.score(X, names) > 0.8
    assert set(model.predict(X)) == {"low", "middle", "high"}


def test_column_transformer_gives_the_columns_of_the_encoder(X, y):
    frame = X.assign(width=np.arange(N_ROWS))
    columns = ColumnTransformer(
        [("category", encoder(), ["color", "user"]), ("number", "passthrough", ["width"])]
    )
    alone = encoder()
    expected = alone.fit_transform(X[["color", "user"]], y)
    result = columns.fit_transform(frame, y)
    assert_array_equal(result[:, :-1], expected)
    assert_array_equal(result[:, -1], np.arange(N_ROWS))
    assert columns.get_feature_names_out().tolist() == [
        *(f"category__{name}" for name in alone.get_feature_names_out()),
        "number__width",
    ]


@pytest.mark.slow
def test_grid_search_chooses_a_width(rng):
    X = pd.DataFrame(rng.integers(30, size=(1500, 2)), columns=["store", "item"])
    y = np.cos(X["store"]) * np.sin(X["item"]) + 0.1 * rng.normal(size=1500)
    model = Pipeline(
        [
            ("encode", encoder(crosses=None)),
            ("model", HistGradientBoostingRegressor(max_iter=30, random_state=0)),
        ]
    )
    search = GridSearchCV(model, {"encode__n_components": [0, 4]}, cv=3).fit(X, y)
    without, with_vectors = search.cv_results_["mean_test_score"]
    assert with_vectors > without + 0.05
    assert search.best_params_ == {"encode__n_components": 4}


def test_pipeline_passes_sample_weight(X, y):
    weight = np.arange(N_ROWS) % 3
    model = Pipeline([("encode", encoder()), ("model", HistGradientBoostingRegressor())])
    model.fit(X, y, encode__sample_weight=weight)
    alone = encoder()
    alone.fit_transform(X, y, weight)
    assert_same_bits(model["encode"], alone)


def test_fit_returns_self_and_sets_scikit_learns_attributes(X, y):
    unfitted = encoder()
    fitted = unfitted.fit(X, y)
    assert fitted is unfitted
    assert fitted.n_features_in_ == 3
    assert fitted.feature_names_in_.tolist() == ["color", "size", "user"]
    assert not hasattr(encoder().fit(X.to_numpy(), y), "feature_names_in_")


@pytest.mark.parametrize(
    "use",
    [
        lambda unfitted, X: unfitted.transform(X),
        lambda unfitted, X: unfitted.get_feature_names_out(),
        lambda unfitted, X: unfitted.to_frame("color"),
        lambda unfitted, X: unfitted.embeddings_,
    ],
    ids=["transform", "get_feature_names_out", "to_frame", "embeddings_"],
)
def test_using_an_unfitted_encoder_is_scikit_learns_error(X, use):
    with pytest.raises(NotFittedError, match="EmbeddingEncoder instance is not fitted"):
        use(EmbeddingEncoder(), X)


def test_an_unfitted_encoder_has_no_fitted_attributes():
    assert not [name for name in vars(EmbeddingEncoder()) if name.endswith("_")]
    assert not hasattr(EmbeddingEncoder(), "embeddings_")


# ---------------------------------------------------------------- the same bits


def test_clone_keeps_parameters_and_learns_the_same_bits(X, y):
    first = encoder(n_components=3, min_frequency=2, categorical_features=["color", "size"])
    frame = X.drop(columns="user")
    second = clone(first.fit(frame, y))
    assert second.get_params() == first.get_params()
    assert not hasattr(second, "categories_")
    assert_same_bits(first, second.fit(frame, y))


def by_joblib(fitted, path):
    joblib.dump(fitted, path)
    return joblib.load(path)


@pytest.mark.parametrize(
    "round_trip",
    [lambda fitted, path: pickle.loads(pickle.dumps(fitted)), by_joblib],
    ids=["pickle", "joblib"],
)
def test_round_trips_keep_every_bit(X, y, round_trip, tmp_path):
    fitted = encoder().fit(X, y)
    loaded = round_trip(fitted, tmp_path / "encoder.joblib")
    new = X.assign(color="mauve").iloc[:5]
    assert_same_bits(fitted, loaded)
    assert_array_equal(fitted.transform(X), loaded.transform(X))
    assert_array_equal(fitted.transform(new), loaded.transform(new))
    assert_array_equal(fitted.get_feature_names_out(), loaded.get_feature_names_out())


@pytest.mark.parametrize("n_jobs", [None, 1, 2, -1])
def test_the_same_seed_gives_the_same_bits_whatever_n_jobs(X, y, n_jobs):
    first, second = encoder(), encoder(n_jobs=n_jobs)
    assert_array_equal(first.fit_transform(X, y), second.fit_transform(X, y))
    assert_same_bits(first, second)


def test_another_seed_gives_other_bits(X, y):
    first = encoder(n_components=2).fit(X, y).embeddings_[0]
    second = encoder(n_components=2, random_state=1).fit(X, y).embeddings_[0]
    assert np.abs(first[:, 1:] - second[:, 1:]).max() > 1e-6
    # The main effects are a convex problem's solution: chance has no part in them.
    assert_array_equal(first[:, 0], second[:, 0])


def test_a_random_state_instance_is_consumed(X, y):
    state = np.random.RandomState(0)
    first = encoder(n_components=2, random_state=state).fit(X, y).embeddings_[0]
    second = encoder(n_components=2, random_state=state).fit(X, y).embeddings_[0]
    again = encoder(n_components=2, random_state=np.random.RandomState(0)).fit(X, y)
    assert np.any(first != second)
    assert_array_equal(first, again.embeddings_[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    "convert",
    [
        pd.DataFrame.to_numpy,
        lambda X: X.to_numpy().tolist(),
        lambda X: X.astype(object),
        lambda X: X.astype("category"),
        lambda X: X.reset_index(drop=True),
        lambda X: np.asfortranarray(X.to_numpy()),
        lambda X: pl.from_pandas(X.reset_index(drop=True)),
    ],
    ids=["numpy", "lists", "object", "category", "other index", "Fortran", "polars"],
)
def test_every_container_gives_the_same_bits(X, y, convert):
    first, second = encoder(), encoder()
    expected = first.fit_transform(X, y)
    assert_array_equal(second.fit_transform(convert(X), y.to_numpy()), expected)
    assert_array_equal(second.transform(convert(X)), first.transform(X))
    for a, b in zip(first.embeddings_, second.embeddings_, strict=True):
        assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int8", "float32", "Int64", object, "category"])
def test_numbers_as_categories_give_the_same_bits_in_every_dtype(noise, dtype):
    X, y = noise
    X = X[["thrice"]] % 50
    assert_array_equal(
        encoder().fit(X.astype(dtype), y).embeddings_[0], encoder().fit(X, y).embeddings_[0]
    )


def test_dtypes_may_differ_between_fit_and_transform(noise):
    X, y = noise
    X = X[["thrice"]] % 50
    fitted = encoder().fit(X, y)
    expected = fitted.transform(X)
    for dtype in ["float64", "Int64", object, "category"]:
        assert_array_equal(fitted.transform(X.astype(dtype)), expected)


def test_a_column_of_bools_may_arrive_as_integers(rng):
    X = pd.DataFrame({"is_new": rng.random(200) < 0.5})
    fitted = encoder().fit(X, X["is_new"] + 0.1 * rng.normal(size=200))
    expected = fitted.transform(X)
    assert np.abs(expected).max() > 0.5
    assert_array_equal(fitted.transform(X.astype(int)), expected)


def test_rows_are_encoded_alike_alone_and_together(X, y):
    fitted = encoder().fit(X, y)
    together = fitted.transform(X)
    alone = [fitted.transform(X.iloc[[row]])[0] for row in range(0, N_ROWS, 50)]
    assert_array_equal(alone, together[::50])


# ---------------------------------------------------------------- targets


def test_a_continuous_target_gives_one_effect_that_follows_it(X, y):
    fitted = encoder(n_components=0).fit(X[["color"]], X["color"].map(len) + 0.01 * y)
    assert fitted.target_type_ == "continuous"
    assert fitted.classes_ is None
    lengths = [len(color) for color in fitted.categories_[0]]
    assert correlation(fitted.embeddings_[0][:, 0], lengths) > 0.99


@pytest.mark.parametrize("unit", [1e-9, 1e12])
def test_the_unit_of_the_target_does_not_matter(X, y, unit):
    expected = encoder(n_components=2).fit_transform(X, y)
    result = encoder(n_components=2).fit_transform(X, y * unit)
    assert_allclose(result, expected, rtol=1e-3, atol=1e-5)


TWO_LABELS = {
    "bool": lambda y: y > 0,
    "str": lambda y: np.where(y > 0, "yes", "no"),
    "object": lambda y: np.where(y > 0, "yes", "no").astype(object),
    "category": lambda y: (y > 0).map({False: "no", True: "yes"}).astype("category"),
    "signs": lambda y: np.where(y > 0, 1, -1),
    "float": lambda y: np.where(y > 0, 1.0, 0.0),
    "nullable": lambda y: (y > 0).astype("boolean"),
}


@pytest.mark.slow
@pytest.mark.parametrize("convert", TWO_LABELS.values(), ids=TWO_LABELS)
def test_two_labels_of_any_type_give_the_same_bits(X, y, convert):
    expected = encoder().fit(X, (y > 0).astype(int))
    fitted = encoder().fit(X, convert(y))
    assert fitted.target_type_ == "binary"
    assert fitted.classes_.tolist() == sorted(set(convert(y)))
    assert_same_bits(fitted, expected)


THREE_LABELS = {
    "str": {0: "a", 1: "b", 2: "c"},
    "numbers": {0: -5, 1: 7, 2: 99},
    "float": {0: 0.0, 1: 1.0, 2: 2.0},
}


@pytest.mark.slow
@pytest.mark.parametrize("names", THREE_LABELS.values(), ids=THREE_LABELS)
def test_three_labels_of_any_type_give_the_same_bits(X, labels, names):
    expected = encoder().fit(X, labels)
    fitted = encoder().fit(X, labels.map(names))
    assert fitted.target_type_ == "multiclass"
    assert fitted.classes_.tolist() == list(names.values())
    assert_same_bits(fitted, expected)


def test_a_binary_effect_is_higher_where_the_second_label_is_frequent(X):
    y = np.where(X["color"] == "red", "yes", "no")
    y[:60] = "yes"
    fitted = encoder(n_components=0).fit(X[["color"]], y)
    effects = dict(zip(fitted.categories_[0], fitted.embeddings_[0][:, 0], strict=True))
    assert effects["red"] > max(effects[color] for color in COLORS if color != "red") + 1


def test_each_class_has_an_effect_that_is_highest_where_the_class_is_frequent(X):
    y = X["color"].to_numpy().copy()
    y[::5] = "red"
    table = encoder(n_components=0).fit(X[["color"]], y).to_frame("color")
    effects = table.drop(columns="count")
    assert effects.columns.tolist() == [f"color_effect_{color}" for color in COLORS]
    assert effects.idxmax(axis=1).tolist() == effects.columns.tolist()


@pytest.mark.parametrize("target_type", ["continuous", "binary", "multiclass"])
def test_target_type_can_be_asked_for(X, target_type):
    y = (X["color"] == "red").astype(int)
    fitted = encoder(target_type=target_type, n_components=0).fit(X[["color"]], y)
    assert fitted.target_type_ == target_type
    assert fitted.n_components_ == [2 if target_type == "multiclass" else 1]


@pytest.mark.parametrize(
    ("value", "target_type"),
    [
        (1.5, "continuous"),
        (3, "auto"),
        ("a", "auto"),
        ("a", "binary"),
        ("a", "multiclass"),
    ],
)
def test_a_constant_target_gives_effects_of_zero(X, value, target_type):
    y = np.full(N_ROWS, value)
    fitted = encoder(target_type=target_type)
    assert_allclose(fitted.fit_transform(X, y), 0, atol=1e-4)
    assert_allclose(fitted.transform(X), 0, atol=1e-4)


# ---------------------------------------------------------------- unknown, missing, rare


def test_unknown_categories_are_zeros_in_their_own_columns_only(X, y):
    fitted = encoder(n_components=2, crosses=None).fit(X, y)
    new = X.iloc[:4].assign(color=["mauve", 3, "", 1.5])
    result = pd.DataFrame(fitted.transform(new), columns=fitted.get_feature_names_out())
    expected = pd.DataFrame(fitted.transform(X.iloc[:4]), columns=result.columns)
    is_color = result.columns.str.startswith("color_")
    assert is_color.sum() == 3
    assert_array_equal(result.loc[:, is_color], 0)
    assert_frame_equal(result.loc[:, ~is_color], expected.loc[:, ~is_color])


def test_missing_has_its_own_vector(X, y):
    fitted = encoder(n_components=2).fit(X, y)
    table = fitted.to_frame("size")
    assert table.index[:-1].tolist() == ["L", "M", "S"]
    assert pd.isna(table.index[-1])
    own = table.drop(columns="count").to_numpy()[-1]
    assert np.linalg.norm(own) > 0.1
    for missing in (None, np.nan, pd.NA, pd.NaT):
        column = np.array([missing], dtype=object)
        result = fitted.transform(X.iloc[:1].assign(size=column))
        assert_array_equal(result[0, 3:6], own)


def test_missing_that_was_not_in_fit_is_unknown(X, y):
    fitted = encoder(n_components=2).fit(X, y)
    result = fitted.transform(X.iloc[:1].assign(color=[None]))
    assert_array_equal(result[0, :3], 0)


def test_known_categories_pass_under_handle_unknown_error(X, y):
    strict = encoder(handle_unknown="error")
    assert_array_equal(strict.fit(X, y).transform(X), encoder().fit(X, y).transform(X))


def test_the_output_is_finite_without_gaps_and_contiguous(X, y, labels):
    gaps = X.assign(age=np.where(np.arange(N_ROWS) % 4, np.nan, 1e30))
    for target in (y, labels, y > 0):
        fitted = encoder(categorical_features=["color", "size", "user"])
        for result in (fitted.fit_transform(gaps, target), fitted.transform(gaps)):
            assert np.isfinite(result).all()
            assert result.flags.c_contiguous


@pytest.mark.parametrize("dtype", [np.float32, np.float64, "float64"])
def test_the_output_has_the_dtype_asked_for(X, y, dtype):
    fitted = encoder(dtype=dtype)
    assert fitted.fit_transform(X, y).dtype == np.dtype(dtype)
    assert fitted.transform(X).dtype == np.dtype(dtype)
    assert {table.dtype for table in fitted.embeddings_} == {np.dtype(dtype)}


RARE = {
    "min_frequency": {"min_frequency": 50},
    "share": {"min_frequency": 50 / N_ROWS},
    "max_categories": {"max_categories": 3},
}


@pytest.fixture
def shops(rng):
    """Two frequent shops and eight rare ones, four of three rows."""
    rare = np.repeat([f"r{shop}" for shop in range(8)], [3, 3, 3, 3, 14, 14, 14, 14])
    frequent = np.where(rng.random(N_ROWS - len(rare)) < 0.5, "big", "huge")
    X = pd.DataFrame({"shop": np.append(frequent, rare), "k": rng.integers(2, size=N_ROWS)})
    return X, (X["shop"] == "huge") + 0.3 * X["k"] + 0.2 * rng.normal(size=N_ROWS)


@pytest.mark.parametrize("settings", RARE.values(), ids=RARE)
def test_infrequent_categories_share_the_vector_of_one_category(shops, settings):
    X, y = shops
    merged = X.assign(shop=X["shop"].where(~X["shop"].str.startswith("r"), "rare"))
    first, second = encoder(n_components=2, **settings), encoder(n_components=2)
    # As a group they are frequent: so fit_transform, too, must take them for one.
    assert_array_equal(first.fit_transform(X, y), second.fit_transform(merged, y))
    assert_array_equal(first.transform(X), second.transform(merged))
    assert first.infrequent_categories_[0].tolist() == [f"r{shop}" for shop in range(8)]
    assert first.infrequent_categories_[1] is None
    assert first.categories_[0].tolist() == ["big", "huge", *(f"r{s}" for s in range(8))]
    assert np.ptp(first.embeddings_[0][2:], axis=0).max() == 0


def test_given_categories_are_the_tables_rows_in_their_order(X, y):
    given = [["white", "red", "green", "blue"], ["S", "M"]]
    frame = X[["color", "size"]]
    fitted = encoder(categories=given, n_components=2, crosses=None)
    encoded = fitted.fit_transform(frame, y)
    assert [categories.tolist() for categories in fitted.categories_] == given
    assert fitted.to_frame("color")["count"].tolist() == [
        (X["color"] == color).sum() for color in given[0]
    ]
    # Values that are not given are learned from, but not kept.
    not_given = ~X["size"].isin(["S", "M"])
    assert not_given.sum() > 100
    assert_array_equal(encoded[not_given, 3:], 0)
    assert_array_equal(fitted.transform(frame)[not_given, 3:], 0)


def test_a_given_category_that_never_occurs_is_the_origin(X, y):
    fitted = encoder(categories=[[*COLORS, "puce"]], n_components=2)
    fitted.fit(X[["color"]], y)
    assert_array_equal(fitted.embeddings_[0][-1], 0)


def test_given_categories_in_sorted_order_change_no_bit(X, y):
    frame = X[["color"]]
    assert_same_bits(encoder(categories=[COLORS]).fit(frame, y), encoder().fit(frame, y))


def test_infrequent_categories_share_a_vector_among_given_ones_too(shops):
    # As in OneHotEncoder.
    X, y = shops
    given = sorted(X["shop"].unique())
    first = encoder(categories=[given, [0, 1]], max_categories=3).fit(X, y)
    second = encoder(max_categories=3).fit(X, y)
    assert_array_equal(first.infrequent_categories_[0], second.infrequent_categories_[0])
    assert_same_bits(first, second)


# ---------------------------------------------------------------- width


def test_an_integer_width_counts_the_vectors_axes(X, y):
    fitted = encoder(n_components=3).fit(X, y)
    assert fitted.n_components_ == [4, 4, 4]
    assert [table.shape for table in fitted.embeddings_] == [(4, 4), (4, 4), (200, 4)]
    assert [len(ratio) for ratio in fitted.explained_variance_ratio_] == [3, 3, 3]
    assert [len(reliability) for reliability in fitted.reliability_] == [3, 3, 3]


def test_width_zero_leaves_the_main_effects(X, y):
    fitted = encoder(n_components=0).fit(X, y)
    assert fitted.n_components_ == [1, 1, 1]
    full = encoder().fit(X, y)
    for effects, table in zip(fitted.embeddings_, full.embeddings_, strict=True):
        assert_array_equal(effects[:, 0], table[:, 0])


@pytest.mark.parametrize("width", [0, 1, 2, 5])
def test_a_smaller_width_has_the_first_axes_of_a_larger(X, y, width):
    small = encoder(n_components=width, crosses=None)
    large = encoder(n_components=8, crosses=None)
    few, many = small.fit_transform(X, y), large.fit_transform(X, y)
    for a, b in zip(small.embeddings_, large.embeddings_, strict=True):
        assert_array_equal(a, b[:, : width + 1])
    firsts = np.cumsum([0, *large.n_components_[:-1]])
    same = [
        first + axis
        for first, n in zip(firsts, small.n_components_, strict=True)
        for axis in range(n)
    ]
    assert_array_equal(few, many[:, same])


def test_explained_variance_falls_and_sums_to_one(X, y):
    for ratio in encoder(n_components=8).fit(X, y).explained_variance_ratio_:
        assert np.all(np.diff(ratio) <= 0)
        assert_allclose(ratio.sum(), 1)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_share_keeps_the_first_axes_that_explain_it(X, y, share):
    full = encoder(n_components=8).fit(X, y)
    kept = encoder(n_components=share).fit(X, y)
    for ratio, n_components in zip(
        full.explained_variance_ratio_, kept.n_components_, strict=True
    ):
        n_axes = n_components - 1
        assert ratio[:n_axes].sum() >= share
        assert ratio[: n_axes - 1].sum() < share


def second_moments(table):
    """Mean square of each output column of a frame of vectors, over the rows of fit."""
    return np.average(table.drop(columns="count") ** 2, axis=0, weights=table["count"])


def test_auto_keeps_the_reliable_axes_that_have_a_share(slopes):
    X, y, _ = slopes
    full = encoder(n_components=8, categorical_features=["shop"]).fit(X, y)
    auto = encoder(categorical_features=["shop"]).fit(X, y)
    moments = second_moments(full.to_frame("shop"))
    has_share = moments[1:] > 0.01 * moments.sum()
    is_reliable = full.reliability_[0] > 0.2
    is_kept = has_share & is_reliable
    # Each condition is seen at work.
    assert 0 < is_kept.sum() < is_reliable.sum() < 8
    assert_array_equal(auto.reliability_[0], full.reliability_[0][is_kept])
    vectors = full.embeddings_[0][:, 1:]
    assert_array_equal(auto.embeddings_[0][:, 1:], vectors[:, is_kept])


def test_explained_variance_is_the_share_of_the_vectors_second_moment(slopes):
    X, y, _ = slopes
    full = encoder(n_components=8, categorical_features=["shop"]).fit(X, y)
    moments = second_moments(full.to_frame("shop"))[1:]
    expected = moments / moments.sum()
    assert_allclose(full.explained_variance_ratio_[0], expected, rtol=1e-3, atol=1e-5)


def test_auto_keeps_no_axis_of_pure_noise(noise):
    X, y = noise
    assert encoder().fit(X, y).n_components_ == [1, 1]


@pytest.mark.parametrize("seed", range(4))
def test_auto_keeps_an_interaction_that_has_no_main_effect(interaction, seed):
    # Exchanging the signs of both columns' vectors changes no prediction. Halves of the
    # rows that learn opposite signs have still found the same.
    X, y = interaction
    fitted = encoder(random_state=seed).fit(X, y)
    for number, truth in enumerate([np.cos, np.sin]):
        vectors = fitted.embeddings_[number][:, 1:]
        found = [
            abs(correlation(axis, truth(fitted.categories_[number]))) for axis in vectors.T
        ]
        assert max(found, default=0) > 0.9
        assert max(fitted.reliability_[number], default=0) > 0.9


@pytest.mark.parametrize("n_components", ["auto", 0.5, 2])
def test_a_column_without_main_effects_has_at_least_one_axis(noise, n_components):
    X, y = noise
    fitted = encoder(n_components=n_components, main_effects=False).fit(X, y)
    assert min(fitted.n_components_) >= 1
    assert fitted.get_feature_names_out()[0] == "once_0"
    assert_same_bits(fitted, clone(fitted).fit(X, y))


# ---------------------------------------------------------------- names, containers


def test_names_are_the_effect_then_the_axes(X, y):
    names = encoder(n_components=2, crosses=None).fit(X, y).get_feature_names_out()
    assert names.tolist() == [
        f"{column}_{part}" for column in X.columns for part in ("effect", "0", "1")
    ]


def test_names_of_several_classes_hold_the_labels(X, labels):
    fitted = encoder(n_components=1).fit(X[["color"]], labels.map({0: "a", 1: "b", 2: "c"}))
    assert fitted.get_feature_names_out().tolist() == [
        "color_effect_a",
        "color_effect_b",
        "color_effect_c",
        "color_0",
    ]


@pytest.mark.parametrize("dtype", [int, "Int64", object])
def test_names_of_integer_classes_hold_integers(X, labels, dtype):
    fitted = encoder(n_components=0).fit(X[["color"]], labels.astype(dtype))
    assert fitted.get_feature_names_out().tolist() == [
        f"color_effect_{label}" for label in range(3)
    ]


def test_names_of_a_binary_target_hold_no_label(X, y):
    names = encoder(n_components=1).fit(X[["color"]], y > 0).get_feature_names_out()
    assert names.tolist() == ["color_effect", "color_0"]


def test_columns_without_names_are_numbered_or_named_by_the_caller(X, y):
    fitted = encoder(n_components=0, crosses=None).fit(X.to_numpy(), y)
    assert fitted.get_feature_names_out().tolist() == [
        "x0_effect",
        "x1_effect",
        "x2_effect",
    ]
    assert fitted.get_feature_names_out(["a", "b", "c"])[1] == "b_effect"


def test_other_names_than_those_of_fit_are_an_error(X, y):
    fitted = encoder(n_components=0).fit(X, y)
    with pytest.raises(ValueError, match="input_features is not equal"):
        fitted.get_feature_names_out(["a", "b", "c"])


def test_set_output_pandas_keeps_index_and_names(X, y):
    plain, fitted = encoder(), encoder().set_output(transform="pandas")
    arrays = plain.fit_transform(X, y), plain.transform(X)
    frames = fitted.fit_transform(X, y), fitted.transform(X)
    for array, frame in zip(arrays, frames, strict=True):
        assert_array_equal(frame, array)
        assert isinstance(frame, pd.DataFrame)
        assert frame.columns.tolist() == fitted.get_feature_names_out().tolist()
        pd.testing.assert_index_equal(frame.index, X.index)


def test_set_output_polars_keeps_names(X, y):
    plain, fitted = encoder(), encoder().set_output(transform="polars")
    arrays = plain.fit_transform(X, y), plain.transform(X)
    frames = fitted.fit_transform(X, y), fitted.transform(X)
    for array, frame in zip(arrays, frames, strict=True):
        assert_array_equal(frame.to_numpy(), array)
        assert isinstance(frame, pl.DataFrame)
        assert frame.columns == fitted.get_feature_names_out().tolist()


# ---------------------------------------------------------------- context


def test_context_makes_vectors_that_hold_slopes(slopes):
    X, y, slope = slopes
    with_context = encoder(categorical_features=["shop"], n_components=1).fit(X, y)
    effect, first_axis = with_context.embeddings_[0].T
    assert abs(correlation(first_axis, slope)) > 0.95
    # The main effect cannot know: the slopes' effect is zero on average. Nor can any
    # vector without the number.
    assert abs(correlation(effect, slope)) < 0.5
    without = encoder(n_components=1).fit(X[["shop"]], y)
    assert abs(correlation(without.embeddings_[0][:, 1], slope)) < 0.5


@pytest.mark.parametrize(
    "chosen", [["shop"], [0], [True, False], np.array([True, False]), ("shop",)], ids=str
)
def test_names_indices_and_masks_mean_the_same(slopes, chosen):
    X, y, _ = slopes
    X, y = X[:500], y[:500]
    assert_same_bits(
        encoder(categorical_features=chosen).fit(X, y),
        encoder(categorical_features=["shop"]).fit(X, y),
    )


def test_from_dtype_means_the_columns_that_are_not_numbers(slopes):
    X, y, _ = slopes
    X = X[:500].assign(shop=X["shop"].astype(str))
    assert_same_bits(
        encoder(categorical_features="from_dtype").fit(X, y[:500]),
        encoder(categorical_features=["shop"]).fit(X, y[:500]),
    )


def test_all_columns_are_categories_by_default(slopes):
    X, y, _ = slopes
    fitted = encoder(max_iter=1).fit(X[:200].round(1), y[:200])
    assert len(fitted.categories_) == 2
    assert_array_equal(fitted.categories_[1], np.unique(X[:200]["age"].round(1)))


def test_the_order_of_context_and_categories_in_x_is_the_outputs(X, y):
    frame = pd.DataFrame({"age": np.arange(N_ROWS), "color": X["color"], "pay": 1.0})
    fitted = encoder(
        categorical_features=["color"], n_components=0, remainder="passthrough"
    ).fit(frame, y)
    assert fitted.get_feature_names_out().tolist() == ["color_effect", "age", "pay"]


def test_passthrough_appends_context_unchanged(X, y):
    age = np.where(np.arange(N_ROWS) % 7 == 0, np.nan, np.linspace(-1e6, 1e6, N_ROWS))
    frame = X[["color"]].assign(age=age)
    fitted = encoder(categorical_features=["color"], remainder="passthrough")
    for result in (fitted.fit_transform(frame, y), fitted.transform(frame)):
        assert result.shape[1] == sum(fitted.n_components_) + 1
        assert_array_equal(result[:, -1], age)
    dropped = encoder(categorical_features=["color"]).fit(frame, y)
    assert_same_bits(fitted, dropped)
    assert_array_equal(dropped.transform(frame), fitted.transform(frame)[:, :-1])
    assert dropped.transform(frame).dtype == np.float32


def test_an_array_has_the_smallest_dtype_that_holds_context_and_vectors(X, y):
    columns = {"int16": np.float32, "bool": np.float32, "float32": np.float32}
    columns |= {"int32": np.float64, "int64": np.float64, "Int8": np.float64}
    whole = np.arange(N_ROWS) % 2
    params = {"categorical_features": ["color"], "remainder": "passthrough"}
    fitted = encoder(**params).fit(X[["color"]].assign(age=whole), y)
    for dtype, expected in columns.items():
        result = fitted.transform(X[["color"]].assign(age=whole).astype({"age": dtype}))
        assert result.dtype == expected
        assert result.flags.c_contiguous
        assert_array_equal(result[:, -1], whole)
    large = np.arange(N_ROWS) + 2**50
    assert_array_equal(fitted.transform(X[["color"]].assign(age=large))[:, -1], large)


def test_dropped_context_changes_no_encoding_at_transform(X, y):
    frame = X.assign(age=np.linspace(0, 1, N_ROWS))
    fitted = encoder(categorical_features=["color", "size", "user"]).fit(frame, y)
    assert_array_equal(fitted.transform(frame.assign(age=-5.0)), fitted.transform(frame))


@pytest.mark.parametrize("far", [1e30, 1e300])
def test_one_wild_value_of_context_leaves_the_vectors_alone(slopes, far):
    X, y, slope = slopes
    wild = X.copy()
    wild.loc[0, "age"] = far
    table = (
        encoder(categorical_features=["shop"], n_components=4).fit(wild, y).embeddings_[0]
    )
    assert np.isfinite(table).all()
    assert max(abs(correlation(axis, slope)) for axis in table[:, 1:].T) > 0.95


# ---------------------------------------------------------------- unit of the output


def draw_shops(seed, slope, n_context=1, n_rows=3000):
    """Draw shops' effects beside context; each context column has this slope."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"shop": rng.integers(20, size=n_rows)})
    for number in range(n_context):
        X[f"x{number}"] = rng.normal(size=n_rows)
    effect = rng.normal(size=20)
    noise = 0.3 * rng.normal(size=n_rows)
    y = effect[X["shop"]] + slope * X.drop(columns="shop").sum(axis=1) + noise
    return X, y, effect


def slope_on(effect, found):
    return np.polyfit(effect, found, 1)[0]


@pytest.mark.slow
@pytest.mark.parametrize("n_context", [1, 3])
@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("seed", range(2))
def test_a_distance_of_1_means_as_much_as_a_standard_deviation_of_context(
    slope, n_context, seed
):
    # Shops that are as far apart as one deviation of a context column moves the target
    # are 1 apart, however much or little that is.
    X, y, effect = draw_shops(seed, slope, n_context)
    fitted = encoder(n_components=0, categorical_features=["shop"]).fit(X, y)
    per_deviation = slope_on(effect, fitted.embeddings_[0][:, 0]) * slope
    assert per_deviation == pytest.approx(1, abs=0.07)


def test_without_context_a_distance_of_1_is_a_standard_deviation_of_the_target():
    X, y, effect = draw_shops(0, 0.5)
    fitted = encoder(n_components=0).fit(X[["shop"]], y)
    in_deviations = slope_on(effect, fitted.embeddings_[0][:, 0]) * y.std()
    assert in_deviations == pytest.approx(1, abs=0.05)


def test_context_that_does_not_count_makes_the_output_ten_times_larger_at_most():
    X, y, _ = draw_shops(0, 0.0)
    beside = encoder(n_components=0, categorical_features=["shop"]).fit(X, y)
    alone = encoder(n_components=0).fit(X[["shop"]], y)
    ratio = beside.embeddings_[0] / alone.embeddings_[0]
    assert_allclose(ratio, 10, rtol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("unit", [1e-3, 1e3])
def test_the_unit_of_context_does_not_matter(slopes, unit):
    X, y, _ = slopes
    other = X.assign(age=unit * X["age"] + 7 * unit)
    params = {"n_components": 2, "categorical_features": ["shop"]}
    first, second = encoder(**params), encoder(**params)
    expected = first.fit_transform(X, y)
    assert_allclose(second.fit_transform(other, y), expected, rtol=1e-2, atol=1e-2)
    assert_allclose(second.embeddings_[0], first.embeddings_[0], rtol=1e-2, atol=1e-2)


@pytest.mark.slow
def test_the_unit_is_that_of_effects_vectors_and_fold_vectors_alike(slopes):
    # Beside eight numbers that do not count, all of the output is larger by one factor.
    X, y, _ = slopes
    rng = np.random.default_rng(5)
    y = y + np.cos(np.arange(60))[X["shop"]]
    beside = X.assign(**{f"x{number}": rng.normal(size=len(X)) for number in range(8)})
    params = {"n_components": 1, "categorical_features": ["shop"], "cross_fit_below": 10**6}
    outputs = []
    for frame in (X, beside):
        fitted = encoder(**params)
        training, new = fitted.fit_transform(frame, y), fitted.transform(frame)
        assert_array_equal(np.unique(new, axis=0), np.unique(fitted.embeddings_[0], axis=0))
        outputs += [training, new]
    sizes = np.array([np.sqrt((output**2).mean(axis=0)) for output in outputs])
    factors = sizes[2:] / sizes[:2]
    assert_allclose(factors, factors.mean(), rtol=0.2)
    assert 2 < factors.mean() < 4


# ---------------------------------------------------------------- vectors less effects


def draw_additive(seed, n_rows=3000):
    """Draw a target in which columns act each on its own."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.integers([40, 25], size=(n_rows, 2)), columns=["store", "item"])
    store, item = rng.normal(size=40), rng.normal(size=25)
    y = store[X["store"]] + item[X["item"]] + 0.5 * rng.normal(size=n_rows)
    return X, y


def weighted_correlation(table, first, second):
    covariance = np.cov(table[first], table[second], aweights=table["count"])
    return covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])


@pytest.mark.parametrize("seed", range(4))
def test_vectors_do_not_say_again_what_main_effects_say(seed):
    X, y = draw_additive(seed)
    both = encoder(n_components=8).fit(X, y)
    vectors_alone = encoder(n_components=8, main_effects=False).fit(X, y)
    for name in X:
        table = both.to_frame(name)
        assert abs(weighted_correlation(table, f"{name}_effect", f"{name}_0")) < 0.3
        # All vectors together are a tenth of the effects' size.
        moments = second_moments(table)
        assert moments[1:].sum() < 0.1 * moments[0]
        # Vectors that stand alone say it, by their first axis.
        alone = vectors_alone.to_frame(name).assign(effect=table[f"{name}_effect"])
        assert abs(weighted_correlation(alone, "effect", f"{name}_0")) > 0.9


@pytest.mark.parametrize("seed", range(4))
def test_auto_keeps_next_to_nothing_of_additive_data(seed):
    # What it keeps is bent, not straight, in the effect.
    X, y = draw_additive(seed)
    fitted = encoder().fit(X, y)
    for name in X:
        moments = second_moments(fitted.to_frame(name))
        assert moments[1:].sum() < 0.05 * moments[0]


# ---------------------------------------------------------------- the tables


def test_rows_of_embeddings_belong_to_categories(X, y):
    fitted = encoder(n_components=2).fit(X, y)
    start = 0
    for name, categories, table in zip(
        X.columns, fitted.categories_, fitted.embeddings_, strict=True
    ):
        rows = pd.DataFrame({column: X[column].iloc[0] for column in X}, range(len(table)))
        encoded = fitted.transform(rows.assign(**{name: categories}))
        assert_array_equal(encoded[:, start : start + table.shape[1]], table)
        start += table.shape[1]


def test_to_frame_is_the_table_with_names_and_counts(X, y):
    fitted = encoder(n_components=2).fit(X, y)
    table = fitted.to_frame("color")
    assert table.index.tolist() == COLORS
    assert table.index.name == "color"
    assert table.columns.tolist() == ["color_effect", "color_0", "color_1", "count"]
    assert_array_equal(table.iloc[:, :-1], fitted.embeddings_[0])
    assert_series_equal(
        table["count"], X["color"].value_counts().sort_index(), check_index=False
    )


def test_to_frame_takes_a_columns_number_in_x(X, y):
    frame = pd.DataFrame({"age": np.arange(N_ROWS), "color": X["color"]})
    fitted = encoder(categorical_features=["color"], n_components=2).fit(frame, y)
    assert_frame_equal(fitted.to_frame(1), fitted.to_frame("color"))


@pytest.mark.parametrize("feature", ["age", "colour", 0, 7, -1, None], ids=repr)
def test_to_frame_of_no_categorical_column_names_those_there_are(X, y, feature):
    frame = pd.DataFrame({"age": np.arange(N_ROWS), "color": X["color"]})
    fitted = encoder(categorical_features=["color"], n_components=0).fit(frame, y)
    with pytest.raises(ValueError, match=r"not a categorical column.*\['color'\]"):
        fitted.to_frame(feature)


def test_a_caller_cannot_change_the_encoder_through_to_frame(X, y):
    fitted = encoder().fit(X, y)
    expected = fitted.transform(X)
    table = fitted.to_frame("color")
    table.iloc[:, :] = 7
    assert_array_equal(fitted.transform(X), expected)


# ---------------------------------------------------------------- cross-fitting


@pytest.mark.parametrize("target", ["y", "labels"])
def test_fit_transform_leaves_the_same_encoder_as_fit(X, request, target):
    target = request.getfixturevalue(target)
    first, second = encoder(), encoder()
    first.fit_transform(X, target)
    assert_same_bits(first, second.fit(X, target))
    assert_array_equal(first.transform(X), second.transform(X))
    assert vars(first).keys() == vars(second).keys()


def test_fit_transform_differs_from_transform_for_rare_categories_only(X, y):
    fitted = encoder(n_components=2, cross_fit_below=30)
    training, new = fitted.fit_transform(X, y), fitted.transform(X)
    # Four colours of about 150 rows each; 200 users of 3 rows.
    assert_array_equal(training[:, :6], new[:, :6])
    assert np.mean(np.any(training[:, 6:] != new[:, 6:], axis=1)) > 0.9


def test_the_border_between_rare_and_frequent_is_cross_fit_below(rng):
    X = pd.DataFrame({"shop": np.repeat(["seven", "eight"], [7, 8]).tolist() * 20})
    X["shop"] += np.repeat(np.arange(20), 15).astype(str)
    y = rng.normal(size=300)
    fitted = encoder(n_components=0, alpha=1.0, cross_fit_below=8)
    differs = (fitted.fit_transform(X, y) != fitted.transform(X))[:, 0]
    assert_array_equal(differs, X["shop"].str.startswith("seven"))


def test_without_rare_categories_fit_transform_equals_transform(X, y):
    fitted = encoder(cross_fit_below=30, crosses=None)
    frame = X[["color", "size"]]
    assert_array_equal(fitted.fit_transform(frame, y), fitted.transform(frame))


def test_a_border_of_zero_rows_cross_fits_nothing_and_a_large_one_everything(X, y):
    fitted = encoder(n_components=2, cross_fit_below=0)
    assert_array_equal(fitted.fit_transform(X, y), fitted.transform(X))
    fitted = encoder(n_components=2, cross_fit_below=10**6)
    differs = fitted.fit_transform(X, y) != fitted.transform(X)
    assert np.all(differs.mean(axis=0) > 0.9)


def test_by_default_columns_whose_categories_lie_apart_are_cross_fitted(X, y):
    # Four colours of about 150 rows, which are far from rare.
    fitted = encoder(n_components=0)
    frame = X[["color"]]
    training, new = fitted.fit_transform(frame, y), fitted.transform(frame)
    assert np.mean(training != new) > 0.9
    # Five folds' vectors of each, all nearer to their own category's than to others'.
    assert len(np.unique(training)) == 5 * 4
    table = fitted.embeddings_[0][:, 0]
    nearest = table[np.abs(training - table).argmin(axis=1)]
    assert_array_equal(nearest, new[:, 0])


@pytest.mark.parametrize("per_category", [150, 250])
def test_by_default_a_column_of_noise_is_cross_fitted_below_200_rows(rng, per_category):
    # Its noise ratio is beyond all bounds, and its categories do not lie apart.
    X = pd.DataFrame({"shop": np.repeat(np.arange(20), per_category)})
    y = rng.normal(size=len(X))
    fitted = encoder(n_components=0, alpha=1.0)
    differs = fitted.fit_transform(X, y) != fitted.transform(X)
    assert np.mean(differs) == pytest.approx(float(per_category < 200), abs=0.01)


def test_by_default_a_category_of_ten_rows_of_a_clear_column_is_frequent(rng):
    # Hardly any noise: but a hundred categories in a row that is dense with them do not
    # lie apart, as fold vectors of one reach the next.
    shop = np.repeat(np.arange(100), np.where(np.arange(100) % 2, 9, 11))
    X = pd.DataFrame({"shop": shop})
    y = np.linspace(0, 1, 100)[shop] + 0.05 * rng.normal(size=len(shop))
    fitted = encoder(n_components=0)
    differs = (fitted.fit_transform(X, y) != fitted.transform(X))[:, 0]
    assert_array_equal(differs, shop % 2 == 1)


def test_without_cross_fitting_fit_transform_equals_transform(X, y):
    fitted = encoder(cross_fit=False)
    training = fitted.fit_transform(X, y)
    assert_array_equal(training, fitted.transform(X))
    assert_array_equal(training, encoder().fit(X, y).transform(X))


def test_a_category_that_is_seen_once_is_unknown_without_its_fold(noise):
    # What learned without a row's fold has never seen its category.
    X, y = noise
    fitted = encoder(n_components=2)
    assert_allclose(fitted.fit_transform(X[["once"]], y), 0, atol=1e-6)
    assert abs(correlation(fitted.transform(X[["once"]])[:, 0], y)) > 0.9


@pytest.mark.parametrize("alpha", ["auto", 1.0])
@pytest.mark.parametrize("binary", [False, True])
def test_training_rows_do_not_tell_their_targets(noise, alpha, binary):
    X, y = noise
    X, y = X[["thrice"]], y > 0 if binary else y
    fitted = encoder(n_components=2, alpha=alpha)
    training, new = fitted.fit_transform(X, y), fitted.transform(X)
    assert abs(correlation(new[:, 0], y)) > 0.4
    assert max(abs(correlation(axis, y)) for axis in training.T) < 0.1


@pytest.mark.slow
def test_a_rare_rows_effect_does_not_depend_on_its_own_target(noise):
    # Exact where nothing else ties folds together: the main effects of a fold under a
    # given alpha, for labels, which need no mean and deviation of all rows. (The trunk
    # and the axes of the interaction vectors are learned from all rows.)
    X, y = noise
    X, y = X[["thrice"]], (y > 0).astype(int)
    # (Folds that spread the labels evenly would be others for other labels.)
    folds = PredefinedSplit(np.random.default_rng(5).integers(5, size=len(X)))
    fitted = encoder(n_components=0, alpha=1.0, cv=folds)
    before = fitted.fit_transform(X, y)
    row = int(np.argmax(np.abs(before)))
    other = y.copy()
    other[row] = 1 - other[row]
    after = fitted.fit_transform(X, other)
    assert abs(before[row, 0]) > 0.3
    assert_allclose(after[row], before[row], rtol=1e-6)
    # But other rows of its category know it, as do new rows.
    assert np.abs(after - before).max() > 0.3
    leaked = fitted.fit(X, y).transform(X) - fitted.fit(X, other).transform(X)
    assert np.abs(leaked[row]).max() > 0.3


@pytest.mark.slow
def test_a_rare_rows_effect_depends_on_no_target_of_its_fold(noise):
    # Two rows exchange their targets, so that mean and deviation stay.
    X, y = noise
    X = X[["thrice"]]
    folds = np.arange(len(X)) % 5
    first_fold = np.flatnonzero(folds == 0)
    low, high = first_fold[[np.argmin(y[first_fold]), np.argmax(y[first_fold])]]
    other = y.copy()
    other[[low, high]] = y[[high, low]]
    fitted = encoder(n_components=0, alpha=1.0, cv=PredefinedSplit(folds), dtype=np.float64)
    before, after = fitted.fit_transform(X, y), fitted.fit_transform(X, other)
    assert_allclose(after[first_fold], before[first_fold], rtol=1e-6, atol=1e-9)
    assert np.abs(after - before).max() > 0.3


@pytest.mark.parametrize("seed", range(4))
def test_vectors_of_all_folds_lie_in_one_coordinate_system(interaction, seed):
    # Not with the sign of some folds turned, nor shrunk because the row orders that they
    # are the mean of had different signs: what is downstream would learn from these rows
    # and meet the full vectors in new ones.
    X, y = interaction
    fold = np.arange(len(X)) % 5
    fitted = encoder(
        n_components=1, random_state=seed, cv=PredefinedSplit(fold), cross_fit_below=10**6
    )
    training, new = fitted.fit_transform(X, y), fitted.transform(X)
    for number in range(5):
        rows = fold == number
        for axis in (1, 3):
            assert correlation(training[rows, axis], new[rows, axis]) > 0.9
            ratio = training[rows, axis].std() / new[rows, axis].std()
            assert 0.8 < ratio < 1.25


def test_the_loss_curve_is_honest(noise):
    # Half the variance of the standardised target: what a constant prediction has. A
    # training loss would fall to nothing on categories that are seen once.
    X, y = noise
    assert min(encoder(max_iter=10).fit(X, y).loss_curve_) > 0.45


def draw_noise_beside_context(n_context, binary, n_rows=1000):
    rng = np.random.default_rng(6)
    X = pd.DataFrame({"few": rng.integers(30, size=n_rows), "many": np.arange(n_rows) // 3})
    for number in range(n_context):
        X[f"x{number}"] = rng.normal(size=n_rows)
    y = rng.normal(size=n_rows)
    return X, (y > np.median(y)) if binary else y


@pytest.mark.parametrize("binary", [False, True], ids=["continuous", "binary"])
@pytest.mark.parametrize("n_context", [0, 1])
def test_the_loss_curve_is_honest_for_as_many_epochs_as_auto_takes(n_context, binary):
    # Predictions f that know nothing of the target y have the loss of a constant plus
    # the mean of f^2 / 2 - f y. Of n rows that is a chance of deviation d / sqrt(n), with
    # d that of f, about d^2 / 2: at z deviations never below -z^2 / (2 n), whatever d is.
    # (For labels the same.)
    X, y = draw_noise_beside_context(n_context, binary)
    fitted = encoder(
        max_iter=60, n_iter_no_change=60, categorical_features=["few", "many"]
    ).fit(X, y)
    constant = np.log(2) if binary else 0.5
    assert min(fitted.loss_curve_) > constant - 4**2 / (2 * len(X))


@pytest.mark.parametrize("binary", [False, True], ids=["continuous", "binary"])
@pytest.mark.parametrize("n_context", [3, 10])
def test_beside_much_context_the_first_epoch_is_honest(n_context, binary):
    # Later epochs meet the same numbers again, and the docstring says so.
    X, y = draw_noise_beside_context(n_context, binary)
    fitted = encoder(max_iter=1, categorical_features=["few", "many"]).fit(X, y)
    constant = np.log(2) if binary else 0.5
    assert fitted.loss_curve_[0] > constant - 4**2 / (2 * len(X))


@pytest.mark.parametrize("binary", [False, True], ids=["continuous", "binary"])
def test_beside_much_context_noise_is_not_learned_by_heart(binary):
    # By 3.5 % as a mean, says the docstring; without weight decay it is by nearly half.
    X, y = draw_noise_beside_context(10, binary)
    fitted = encoder(categorical_features=["few", "many"]).fit(X, y)
    constant = np.log(2) if binary else 0.5
    assert fitted.loss_curve_[-1] > 0.94 * constant


@pytest.mark.parametrize("binary", [False, True], ids=["continuous", "binary"])
def test_noise_beside_many_numbers_is_told_as_noise(binary):
    # The network remembers rows by twenty numbers: a second one, which a tenth of the rows
    # is held out from, tells so, and no axis of noise is put out.
    X, y = draw_noise_beside_context(20, binary)
    fitted = encoder(categorical_features=["few", "many"]).fit(X, y)
    constant = np.log(2) if binary else 0.5
    assert fitted.loss_curve_[-1] > 0.97 * constant
    assert all((of_column < 0.2).all() for of_column in fitted.reliability_)
    assert fitted.transform(X).shape[1] == 2


def test_signal_beside_many_numbers_is_put_out():
    rng = np.random.default_rng(0)
    shop, numbers = rng.integers(20, size=2_000), rng.normal(size=(2_000, 20))
    y = rng.normal(size=20)[shop] * numbers[:, 0] + 0.3 * rng.normal(size=2_000)
    X = pd.DataFrame(numbers).add_prefix("number_").assign(shop=shop)
    fitted = encoder(categorical_features=["shop"]).fit(X, y)
    assert fitted.reliability_[0][0] > 0.7
    assert fitted.transform(X).shape[1] > 1


def test_few_rows_are_learned_from_as_long_as_the_loss_falls():
    # Each category multiplies ten numbers, which takes more than twenty passes over 3,000
    # rows to find.
    rng = np.random.default_rng(0)
    shop, numbers = rng.integers(60, size=3_000), rng.uniform(-1, 1, (3_000, 10))
    y = (rng.normal(size=(60, 10))[shop] * numbers).sum(axis=1)
    X = pd.DataFrame(numbers).add_prefix("number_").assign(shop=shop)
    fitted = encoder(categorical_features=["shop"]).fit(X, y + rng.normal(size=3_000))
    assert fitted.n_iter_ > 20
    # So that what is learned after them is no chance.
    assert fitted.loss_curve_[-1] < 0.95 * fitted.loss_curve_[19]


def test_cv_takes_a_splitter_or_its_splits(X, y):
    splitter = KFold(4, shuffle=True, random_state=3)
    by_splitter = encoder(cv=splitter).fit_transform(X, y)
    by_splits = encoder(cv=list(splitter.split(X))).fit_transform(X, y)
    assert_array_equal(by_splitter, by_splits)
    assert np.any(by_splitter != encoder(cv=4).fit_transform(X, y))


def test_cv_takes_a_generator_of_splits(X, y):
    splitter = KFold(4)
    assert_array_equal(
        encoder(cv=splitter.split(X)).fit_transform(X, y),
        encoder(cv=splitter).fit_transform(X, y),
    )


def test_cv_takes_a_splitter_that_needs_labels(X, labels):
    splitter = StratifiedKFold(4)
    names = labels.map({0: "a", 1: "b", 2: "c"})
    assert_array_equal(
        encoder(cv=splitter).fit_transform(X, names),
        encoder(cv=list(splitter.split(X, labels))).fit_transform(X, names),
    )


def test_cv_as_an_integer_makes_shuffled_folds(noise):
    # Folds cut from sorted rows would leave a category's rows in one fold, unseen.
    X, y = noise
    X = pd.DataFrame({"sorted": np.sort(X["thrice"])})
    training = encoder(n_components=0, alpha=1.0).fit_transform(X, y)
    assert np.mean(np.abs(training) > 1e-3) > 0.8


def test_cv_does_not_touch_the_fitted_encoder(X, y):
    first, second = encoder(cv=2), encoder(cv=5)
    first.fit_transform(X, y)
    second.fit_transform(X, y)
    assert_same_bits(first, second)


def test_groups_are_routed_to_the_splitter(X, y):
    groups = np.arange(N_ROWS) // 7
    expected = encoder(cv=list(GroupKFold(4).split(X, y, groups))).fit_transform(X, y)
    with config_context(enable_metadata_routing=True):
        routed = encoder(cv=GroupKFold(4)).fit_transform(X, y, groups=groups)
    assert_array_equal(routed, expected)


def test_groups_are_routed_through_a_pipeline(X, y):
    groups = np.arange(N_ROWS) // 7
    with config_context(enable_metadata_routing=True):
        first = make_pipeline(encoder(cv=GroupKFold(4)))
        routed = first.fit_transform(X, y, groups=groups)
        alone = encoder(cv=GroupKFold(4)).fit_transform(X, y, groups=groups)
    assert_array_equal(routed, alone)


def test_sample_weight_and_groups_are_routed_side_by_side(X, y):
    groups, weight = np.arange(N_ROWS) // 7, np.arange(N_ROWS) % 3 + 0.5
    with config_context(enable_metadata_routing=True):
        inner = encoder(cv=GroupKFold(4)).set_fit_request(sample_weight=True)
        model = make_pipeline(inner)
        routed = model.fit_transform(X, y, groups=groups, sample_weight=weight)
        alone = encoder(cv=GroupKFold(4)).fit_transform(X, y, weight, groups=groups)
    assert_array_equal(routed, alone)


@pytest.mark.parametrize("columns", [["color"], ["user"]], ids=["frequent", "rare"])
def test_parameters_that_are_routed_nowhere_are_an_error(X, y, columns):
    # Whether or not these rows need folds.
    with pytest.raises(TypeError, match="groups"):
        encoder().fit_transform(X[columns], y, groups=np.arange(N_ROWS))


# ---------------------------------------------------------------- inputs, weights


def test_fitting_and_encoding_change_no_input(X, y):
    weight = np.ones(N_ROWS)
    before = X.copy(deep=True), y.copy(deep=True), weight.copy()
    fitted = encoder()
    fitted.fit(X, y, weight)
    fitted.fit_transform(X, y, weight)
    fitted.transform(X)
    assert_frame_equal(X, before[0])
    assert_series_equal(y, before[1])
    assert_array_equal(weight, before[2])


def test_read_only_arrays_are_no_trouble(X, y):
    numbers = np.column_stack([X["color"].astype("category").cat.codes, np.arange(N_ROWS)])
    arrays = numbers.astype(float), y.to_numpy(copy=True), np.ones(N_ROWS)
    for array in arrays:
        array.setflags(write=False)
    fitted = encoder(categorical_features=[0], remainder="passthrough")
    result = fitted.fit_transform(*arrays)
    assert result.flags.writeable
    assert fitted.transform(arrays[0]).flags.writeable


def test_writing_into_the_output_does_not_change_the_encoder(X, y):
    fitted = encoder().fit(X, y)
    expected = fitted.transform(X)
    fitted.transform(X)[:] = 7
    assert_array_equal(fitted.transform(X), expected)


def test_rows_of_weight_zero_are_left_out(X, y):
    weight = np.where(np.arange(N_ROWS) < 100, 0.0, 1.0)
    poisoned = y.where(weight > 0, 1e9)
    weighted = encoder().fit(X, poisoned, weight)
    assert_same_bits(weighted, encoder().fit(X[100:], y[100:]))


def test_rows_of_weight_zero_are_encoded_as_new_rows_are(X, y):
    is_used = np.arange(N_ROWS) >= 100
    fitted = encoder()
    training = fitted.fit_transform(X, y, is_used.astype(float))
    assert_array_equal(training[~is_used], fitted.transform(X)[~is_used])


def test_categories_of_weight_zero_are_unknown(X, y):
    fitted = encoder(n_components=2).fit(X, y, (X["color"] != "red").astype(float))
    assert "red" not in fitted.categories_[0]
    assert_array_equal(fitted.transform(X)[X["color"] == "red", :3], 0)


def test_a_missing_target_of_weight_zero_is_no_error(X, y):
    gaps = y.copy()
    gaps.iloc[:10] = np.nan
    weight = np.where(np.arange(N_ROWS) < 10, 0.0, 1.0)
    assert_same_bits(encoder().fit(X, gaps, weight), encoder().fit(X[10:], y[10:]))


@pytest.mark.parametrize("target", ["y", "labels"])
def test_whole_weights_are_rows_repeated_within_one_batch(X, request, target):
    target = request.getfixturevalue(target)
    frame = X[["color", "size"]].assign(age=np.linspace(-1, 1, N_ROWS))
    weight = np.random.default_rng(5).integers(0, 4, size=N_ROWS)
    repeated = np.repeat(np.arange(N_ROWS), weight)
    params = {"batch_size": 4 * N_ROWS, "n_components": 2, "dtype": np.float64}
    params["categorical_features"] = ["color", "size"]
    weighted = encoder(**params).fit(frame, target, weight)
    longer = encoder(**params).fit(frame.iloc[repeated], target.iloc[repeated])
    for a, b in zip(weighted.embeddings_, longer.embeddings_, strict=True):
        assert np.abs(a[:, 1:]).max() > 1e-3
        assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    assert_allclose(weighted.loss_curve_, longer.loss_curve_, rtol=1e-9)


def test_heavy_rows_count_more(X, y):
    # The red rows above their median say more than those below.
    is_red = X["color"] == "red"
    weight = np.where(is_red & (y > y[is_red].median()), 5.0, 1.0)
    heavy = encoder(n_components=0).fit(X[["color"]], y, weight).to_frame("color")
    equal = encoder(n_components=0).fit(X[["color"]], y).to_frame("color")
    shift = (heavy - equal)["color_effect"]
    assert shift["red"] - shift["blue"] > 0.1


# ---------------------------------------------------------------- learning


def test_the_loss_curve_has_one_entry_for_each_iteration(X, y):
    fitted = encoder(max_iter=3, n_iter_no_change=3).fit(X, y)
    assert fitted.n_iter_ == 3
    assert len(fitted.loss_curve_) == 3
    assert all(isinstance(loss, float) for loss in fitted.loss_curve_)


def test_the_loss_falls_where_there_is_something_to_learn(slopes):
    X, y, _ = slopes
    curve = encoder(categorical_features=["shop"]).fit(X, y).loss_curve_
    assert curve[-1] < 0.5 * curve[0]


@pytest.mark.parametrize("patience", [1, 3, 6])
def test_learning_stops_after_so_many_iterations_without_a_fall(X, y, patience):
    fitted = encoder(tol=0.01, n_iter_no_change=patience, max_iter=200).fit(X, y)
    assert patience < fitted.n_iter_ < 200
    curve = fitted.loss_curve_
    # A fall counts from 0.01 of the loss of a constant prediction of a standardised
    # target, which is a half.
    falls = [loss < min(curve[:epoch]) - 0.005 for epoch, loss in enumerate(curve) if epoch]
    assert not any(falls[-patience:])
    assert falls[-patience - 1]


def test_more_patience_learns_longer(X, y):
    n_iter = [
        encoder(tol=0.01, n_iter_no_change=patience, max_iter=200).fit(X, y).n_iter_
        for patience in (1, 3, 9)
    ]
    assert n_iter[0] < n_iter[1] < n_iter[2]


def test_warm_start_goes_on_from_the_last_fit(slopes):
    X, y, _ = slopes
    warm = encoder(warm_start=True, max_iter=2, categorical_features=["shop"])
    first = warm.fit(X, y).loss_curve_
    second = warm.fit(X, y).loss_curve_
    assert second[0] < first[-1]


def test_warm_start_begins_like_any_other_fit(X, y):
    assert_same_bits(encoder(warm_start=True).fit(X, y), encoder().fit(X, y))


def test_without_warm_start_a_second_fit_forgets_the_first(X, y, labels):
    twice = encoder().fit(X[["color"]], labels).fit(X, y)
    assert_same_bits(twice, encoder().fit(X, y))
    assert twice.classes_ is None


def test_warm_start_takes_a_vocabulary_that_has_changed(X, y):
    warm = encoder(warm_start=True).fit(X, y)
    warm.fit(X.assign(color=X["color"].replace("red", "puce")), y)
    assert "puce" in warm.categories_[0]


def test_verbose_prints_a_line_for_each_epoch(X, y, capsys):
    fitted = encoder(verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == fitted.n_iter_
    assert all("EmbeddingEncoder" in line for line in lines)
    printed = [float(line.split("loss ")[1].split(",")[0]) for line in lines]
    assert_allclose(printed, fitted.loss_curve_, atol=1e-4)


def test_nothing_is_printed_by_default(X, y, capsys):
    encoder().fit_transform(X, y)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == ""


@pytest.mark.parametrize(
    "params",
    [
        {"hidden_layer_sizes": (16,)},
        {"hidden_layer_sizes": [8, 8, 4]},
        {"hidden_layer_sizes": ()},
        {"batch_size": 32},
        {"learning_rate_init": 1e-2},
        {"alpha": 0.0},
        {"alpha": 10.0},
        {"init_scale": 0.1},
        {"init_scale": 1.0},
        {"max_iter": 1},
    ],
    ids=str,
)
def test_each_parameter_of_learning_changes_the_vectors(X, y, params):
    base = {"n_components": 2, "init_scale": 0.0}
    default = encoder(**base).fit(X, y)
    changed = encoder(**{**base, **params}).fit(X, y)
    assert np.isfinite(changed.transform(X)).all()
    assert np.any(changed.embeddings_[0] != default.embeddings_[0])


@pytest.mark.parametrize("n_rows", [1, 2, 3, 7])
def test_very_few_rows_are_enough(X, y, n_rows):
    fitted = encoder().fit(X[:n_rows], y[:n_rows] + 0.5)
    assert np.isfinite(fitted.transform(X)).all()


@pytest.mark.parametrize("n_rows", [2, 3, 4])
def test_fewer_rows_than_folds_are_an_error_that_names_the_numbers(X, y, n_rows):
    with pytest.raises(ValueError, match=f"cv makes 5.*n_samples={n_rows}"):
        encoder().fit_transform(X[:n_rows], y[:n_rows])


def test_one_category_alone_is_no_trouble(y):
    fitted = encoder()
    result = fitted.fit_transform(np.full((N_ROWS, 1), "a"), y)
    assert_allclose(result, 0, atol=1e-3)
