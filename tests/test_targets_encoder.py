"""Every kind of target, through the encoder."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import StratifiedKFold
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from sk_embed import EmbeddingEncoder

N_ROWS = 1500


def encoder(**params):
    return EmbeddingEncoder(**{"random_state": 0, **params})


def effects(fitted, feature):
    """Return the main effects of a column: a row for each category."""
    table = fitted.to_frame(feature)
    return table[[name for name in table.columns if "_effect" in name]]


def correlation(x, y):
    return np.corrcoef(x, y)[0, 1]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(name="X")
def make_x():
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "shop": rng.integers(40, size=N_ROWS),
            "item": rng.integers(40, size=N_ROWS),
            "user": rng.permutation(np.arange(N_ROWS) // 3),
        }
    )


@pytest.fixture
def outputs(X):
    """Three outputs: of the shop, of the item, and of noise."""
    rng = np.random.default_rng(2)
    noise = rng.normal(size=(N_ROWS, 3))
    y = np.column_stack([np.cos(X["shop"]), 5 * np.sin(X["item"]), np.zeros(N_ROWS)])
    return y + noise * [0.1, 0.5, 1.0]


@pytest.fixture
def indicator(outputs):
    return (outputs > [0.3, 0.0, 1.0]).astype(int)


# ---------------------------------------------------------------- several numbers


def test_several_continuous_outputs_have_an_effect_each(X, outputs):
    fitted = encoder(n_components=0).fit(X, outputs)
    assert fitted.target_type_ == "continuous-multioutput"
    assert fitted.classes_ is None
    assert fitted.n_components_ == [3, 3, 3]
    shop, item = effects(fitted, "shop"), effects(fitted, "item")
    assert correlation(shop["shop_effect_0"], np.cos(shop.index)) > 0.95
    assert correlation(item["item_effect_1"], np.sin(item.index)) > 0.95
    assert np.abs(shop[["shop_effect_1", "shop_effect_2"]]).to_numpy().max() < 0.2


@pytest.mark.parametrize("target", ["outputs", "indicator"])
def test_effects_of_several_outputs_are_those_of_each_alone(X, target, request):
    # The noise of one output does not shrink the effects of another.
    y = request.getfixturevalue(target)
    params = {"n_components": 0, "dtype": np.float64, "max_iter": 1}
    together = encoder(**params).fit(X, y).embeddings_
    for number, column in enumerate(y.T):
        alone = encoder(**params).fit(X, column).embeddings_
        for shared, own in zip(together, alone, strict=True):
            assert_allclose(shared[:, number], own[:, 0], rtol=1e-12, atol=1e-15)


def test_vectors_of_several_outputs_learn_what_any_of_them_interacts(X, rng):
    interaction = np.cos(X["shop"]) * np.sin(X["item"])
    y = np.column_stack([rng.normal(size=N_ROWS), interaction])
    X = X[["shop", "item"]]
    model = make_pipeline(encoder(), RandomForestRegressor(30, random_state=0))
    model.fit(X[:1200], y[:1200])
    predicted = model.predict(X[1200:])
    assert correlation(predicted[:, 1], y[1200:, 1]) > 0.8


CONTAINERS = {
    "frame": lambda y: pd.DataFrame(y, columns=["a", "b", "c"]),
    "polars": lambda y: pl.DataFrame(y, schema=["a", "b", "c"]),
    "lists": lambda y: y.tolist(),
    "object": lambda y: y.astype(object),
    "nullable": lambda y: pd.DataFrame(y).astype("Float64"),
    "Fortran": np.asfortranarray,
}


@pytest.mark.slow
@pytest.mark.parametrize("convert", CONTAINERS.values(), ids=CONTAINERS)
@pytest.mark.parametrize("target", ["outputs", "indicator"])
def test_every_container_of_outputs_gives_the_same_bits(X, target, convert, request):
    y = request.getfixturevalue(target)
    first, second = encoder(max_iter=2), encoder(max_iter=2)
    assert_array_equal(first.fit_transform(X, convert(y)), second.fit_transform(X, y))
    assert first.target_type_ == second.target_type_


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_outputs_have_the_names_of_ys_columns(X, outputs, frame):
    y = frame({"price": outputs[:, 0], "sold": outputs[:, 1]})
    fitted = encoder(n_components=1, max_iter=1).fit(X[["shop"]], y)
    assert fitted.get_feature_names_out().tolist() == [
        "shop_effect_price",
        "shop_effect_sold",
        "shop_0",
    ]


@pytest.mark.parametrize(
    "convert",
    [np.asarray, pd.DataFrame, lambda y: pd.DataFrame(y, columns=["a", 1, "b"])],
    ids=["array", "numbered", "not all strings"],
)
def test_outputs_without_names_are_numbered(X, outputs, convert):
    fitted = encoder(n_components=0, max_iter=1).fit(X[["shop"]], convert(outputs))
    assert fitted.get_feature_names_out().tolist() == [
        "shop_effect_0",
        "shop_effect_1",
        "shop_effect_2",
    ]


@pytest.mark.parametrize("target_type", ["continuous", "continuous-multioutput"])
def test_counts_in_several_columns_can_be_said_to_be_continuous(X, rng, target_type):
    y = np.column_stack([X["shop"] % 3, rng.integers(5, size=N_ROWS)])
    with pytest.raises(ValueError, match="pass target_type='continuous'"):
        encoder().fit(X, y)
    fitted = encoder(target_type=target_type, n_components=0).fit(X, y)
    assert fitted.target_type_ == "continuous-multioutput"
    shop = effects(fitted, "shop")
    assert correlation(shop["shop_effect_0"], shop.index % 3) > 0.99


def test_whole_numbers_of_many_values_are_continuous_outputs(X, rng):
    y = np.column_stack([rng.integers(3, size=N_ROWS), 1000 * (X["shop"] + X["item"])])
    y[:, 1] += rng.integers(500, size=N_ROWS)
    assert encoder(max_iter=1).fit(X, y).target_type_ == "continuous-multioutput"


@pytest.mark.parametrize("unit", [1e-9, 1e12])
def test_the_unit_of_an_output_does_not_matter(X, outputs, unit):
    expected = encoder(n_components=2).fit_transform(X, outputs)
    result = encoder(n_components=2).fit_transform(X, outputs * [1, unit, 1])
    assert_allclose(result, expected, rtol=1e-3, atol=1e-5)


def test_a_constant_output_has_effects_of_zero(X, outputs):
    y = np.column_stack([outputs[:, 0], np.full(N_ROWS, 0.1 + 0.2)])
    fitted = encoder(n_components=0).fit(X, y)
    assert_allclose(effects(fitted, "shop")["shop_effect_1"], 0, atol=1e-6)
    assert np.abs(effects(fitted, "shop")["shop_effect_0"]).max() > 0.5


def test_all_outputs_constant_give_zeros(X):
    assert_allclose(encoder().fit_transform(X, np.full((N_ROWS, 2), 0.5)), 0, atol=1e-4)


# ---------------------------------------------------------------- several labels


def test_an_indicator_has_an_effect_for_each_label(X, indicator):
    fitted = encoder(n_components=0).fit(X, indicator)
    assert fitted.target_type_ == "multilabel-indicator"
    assert_array_equal(fitted.classes_, [0, 1, 2])
    shop, item = effects(fitted, "shop"), effects(fitted, "item")
    assert correlation(shop["shop_effect_0"], np.cos(shop.index)) > 0.9
    assert correlation(item["item_effect_1"], np.sin(item.index)) > 0.9


def test_classes_of_an_indicator_are_the_names_of_its_columns(X, indicator):
    y = pd.DataFrame(indicator, columns=["new", "sold", "red"])
    fitted = encoder(n_components=0, max_iter=1).fit(X[["shop"]], y)
    assert fitted.classes_.tolist() == ["new", "sold", "red"]
    assert fitted.get_feature_names_out().tolist() == [
        "shop_effect_new",
        "shop_effect_sold",
        "shop_effect_red",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [bool, float, "int8", object, "boolean"])
def test_an_indicator_may_be_of_any_dtype(X, indicator, dtype):
    expected = encoder(max_iter=2).fit(X, indicator).transform(X)
    y = pd.DataFrame(indicator).astype(bool if dtype == "boolean" else int).astype(dtype)
    fitted = encoder(max_iter=2).fit(X, y)
    assert fitted.target_type_ == "multilabel-indicator"
    assert_array_equal(fitted.transform(X), expected)


def test_a_label_that_no_row_has_has_effects_of_zero(X, indicator):
    y = np.column_stack([indicator, np.zeros(N_ROWS, dtype=int)])
    fitted = encoder(n_components=0).fit(X, y)
    assert_allclose(effects(fitted, "shop")["shop_effect_3"], 0, atol=1e-3)


def test_a_pipeline_learns_several_labels(X, indicator):
    X = X[["shop", "item"]]
    model = make_pipeline(encoder(), MultiOutputClassifier(DecisionTreeClassifier()))
    model.fit(X[:1200], indicator[:1200])
    accuracy = (model.predict(X[1200:]) == indicator[1200:]).mean(axis=0)
    share = indicator.mean(axis=0)
    assert np.all(accuracy[:2] > np.maximum(share, 1 - share)[:2] + 0.1)


# ---------------------------------------------------------------- either


@pytest.mark.parametrize("target", ["outputs", "indicator"])
def test_training_rows_do_not_tell_their_outputs(rng, target):
    X = pd.DataFrame({"thrice": rng.permutation(np.arange(N_ROWS) // 3)})
    y = rng.normal(size=(N_ROWS, 2))
    y = (y > 0).astype(int) if target == "indicator" else y
    fitted = encoder(n_components=1, alpha=1.0)
    training, new = fitted.fit_transform(X, y), fitted.transform(X)
    for output in range(2):
        assert correlation(new[:, output], y[:, output]) > 0.4
        assert abs(correlation(training[:, output], y[:, output])) < 0.1


@pytest.mark.parametrize("target", ["outputs", "indicator"])
def test_whole_weights_are_rows_repeated(X, request, target):
    y = request.getfixturevalue(target)
    X = X[["shop", "item"]]
    weight = np.random.default_rng(5).integers(0, 4, size=N_ROWS)
    repeated = np.repeat(np.arange(N_ROWS), weight)
    params = {"batch_size": 4 * N_ROWS, "n_components": 2, "dtype": np.float64}
    weighted = encoder(**params).fit(X, y, weight)
    longer = encoder(**params).fit(X.iloc[repeated], y[repeated])
    for a, b in zip(weighted.embeddings_, longer.embeddings_, strict=True):
        assert np.abs(a[:, 3:]).max() > 1e-3
        assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("target", ["outputs", "indicator"])
def test_rows_of_weight_zero_may_hold_anything(X, request, target):
    y = request.getfixturevalue(target).astype(float)
    weight = np.where(np.arange(N_ROWS) < 100, 0.0, 1.0)
    poisoned = np.where(weight[:, None] > 0, y, np.nan)
    first = encoder(max_iter=2).fit(X, poisoned, weight)
    second = encoder(max_iter=2).fit(X[100:], y[100:])
    assert_array_equal(first.transform(X), second.transform(X))


@pytest.mark.parametrize("target", ["outputs", "indicator"])
def test_inputs_stay_and_round_trips_keep_every_bit(X, request, target):
    y = pd.DataFrame(request.getfixturevalue(target), columns=["a", "b", "c"])
    before = y.copy(deep=True)
    fitted = encoder(max_iter=2).fit(X, y)
    pd.testing.assert_frame_equal(y, before)
    loaded = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(loaded.transform(X), fitted.transform(X))
    assert (
        loaded.get_feature_names_out().tolist() == fitted.get_feature_names_out().tolist()
    )


def test_splitters_of_labels_say_that_they_take_one_column(X, outputs):
    with pytest.raises(ValueError, match="Supported target types are"):
        encoder(cv=StratifiedKFold(3), max_iter=1).fit_transform(X, outputs)


def test_a_warm_start_with_another_number_of_outputs_is_one_clear_line(X, outputs):
    warm = encoder(warm_start=True, max_iter=1).fit(X, outputs)
    with pytest.raises(ValueError, match="warm_start=True"):
        warm.fit(X, outputs[:, :2])


# ---------------------------------------------------------------- rare classes


def test_classes_of_very_different_size_are_no_trouble(X):
    y = np.where(X["shop"] < 20, "a", "b").astype(object)
    y[0], y[1:4], y[4:11] = "once", "thrice", "seven"
    fitted = encoder(n_components=1)
    training = fitted.fit_transform(X, y)
    assert np.isfinite(training).all()
    assert fitted.classes_.tolist() == ["a", "b", "once", "seven", "thrice"]
    shop = effects(fitted, "shop")
    assert (shop["shop_effect_a"] > shop["shop_effect_b"]).tolist() == [
        shop < 20 for shop in range(40)
    ]


@pytest.mark.parametrize("n_classes", [2, 30])
def test_classes_of_one_row_are_no_trouble(X, n_classes):
    y = np.zeros(60, dtype=int)
    y[: n_classes - 1] = np.arange(1, n_classes)
    kind = "binary" if n_classes == 2 else "multiclass"
    encoded = encoder(max_iter=2, target_type=kind).fit_transform(X[:60], y)
    assert np.isfinite(encoded).all()


def test_a_class_of_each_row_is_no_trouble_beyond_a_warning(X):
    with pytest.warns(UserWarning, match="60 classes in 60 rows"):
        encoded = encoder(max_iter=2, target_type="multiclass").fit_transform(
            X[:60], np.arange(60)
        )
    assert np.isfinite(encoded).all()


@pytest.mark.slow
def test_rows_of_a_rare_class_help_each_other_over_the_folds(X):
    # Ten rows in one fold would leave nothing of their class to learn from in its
    # training part: their category would look like any other of the first class.
    X = pd.DataFrame({"item": X["item"].mask(np.arange(N_ROWS) < 10, 99)})
    y = np.where(X["item"] == 99, "rare", "usual")
    for seed in range(5):
        fitted = encoder(n_components=0, alpha=1.0, random_state=seed)
        own = fitted.fit_transform(X, y)[:10, 0]
        assert np.ptp(own) < 1e-3
