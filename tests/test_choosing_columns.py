"""Which columns are categories, and which categories they have, by name and by callable."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.compose import make_column_selector
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sk_embed import EmbeddingEncoder

N_ROWS = 90
RNG = np.random.default_rng(0)
X = pd.DataFrame(
    {
        "shop": np.array(["p", "q", "r"])[np.arange(N_ROWS) % 3],
        "price": RNG.normal(size=N_ROWS),
        "item": (np.arange(N_ROWS) % 5).astype(str),
        "day": np.arange(N_ROWS) % 7,
    }
)
Y = (X["shop"] == "p") + (X["item"] == "1") + RNG.normal(size=N_ROWS)


def make(**parameters):
    defaults = {"n_components": 0, "alpha": 1.0, "max_iter": 1, "random_state": 0}
    return EmbeddingEncoder(**{**defaults, **parameters})


class Selector:
    """A selector as those of skrub: no callable, but an object with ``expand``."""

    def __init__(self, kind):
        self.kind = kind

    def expand(self, frame):
        frame = frame.to_pandas() if isinstance(frame, pl.DataFrame) else frame
        return [name for name in frame.columns if frame[name].dtype.kind == self.kind]


CHOOSERS = {
    "make_column_selector": make_column_selector(dtype_exclude="number"),
    "by a pattern": make_column_selector(pattern="shop|item"),
    "a selector": Selector("O"),
    "names": lambda frame: ["shop", "item"],
    "an index of names": lambda frame: frame.columns[[0, 2]],
    "an array of names": lambda frame: np.array(["shop", "item"]),
    "places": lambda frame: [0, 2],
    "a mask": lambda frame: [c in ("shop", "item") for c in frame],
    "a slice": lambda frame: slice(0, 3, 2),
}
OBJECTS = X.astype({"shop": object, "item": object})


@pytest.mark.parametrize("chooser", CHOOSERS.values(), ids=CHOOSERS)
@pytest.mark.parametrize("how", ["fit", "fit_transform", "partial_fit"])
def test_a_callable_chooses_columns(chooser, how):
    encoders = [make(categorical_features=c) for c in (chooser, ["shop", "item"])]
    found, expected = (getattr(encoder, how)(OBJECTS, Y) for encoder in encoders)
    assert encoders[0].get_feature_names_out().tolist() == ["shop_effect", "item_effect"]
    if how == "fit_transform":
        assert_array_equal(found, expected)
    assert_array_equal(encoders[0].transform(OBJECTS), encoders[1].transform(OBJECTS))


def test_a_callable_that_names_one_column_chooses_it():
    encoder = make(categorical_features=lambda frame: "item").fit(X[["price", "item"]], Y)
    assert encoder.get_feature_names_out().tolist() == ["item_effect"]


def test_a_callable_is_given_what_fit_is_given_once():
    seen = []

    def choose(table):
        seen.append(table)
        return [0]

    for table in (
        X,
        X.to_numpy(dtype=object),
        pl.from_pandas(X),
        X.to_numpy(object).tolist(),
    ):
        encoder = make(categorical_features=choose).fit(table, Y)
        encoder.transform(table)
        assert seen[-1] is table
    encoder.partial_fit(table, Y)
    assert len(seen) == 4


def test_skrubs_selectors_choose_columns():
    selectors = pytest.importorskip("skrub.selectors")
    for frame in (X, pl.from_pandas(X)):
        encoder = make(categorical_features=selectors.string() | selectors.glob("day"))
        assert clone(encoder).fit(frame, Y).get_feature_names_out().tolist() == [
            "shop_effect",
            "item_effect",
            "day_effect",
        ]


def test_a_callable_is_cloned_and_searched():
    encoder = make(categorical_features=make_column_selector(dtype_exclude="number"))
    search = GridSearchCV(
        make_pipeline(encoder, Ridge()), {"embeddingencoder__alpha": [1.0, 2.0]}, cv=2
    ).fit(X, Y)
    best = search.best_estimator_[0]
    assert best.get_feature_names_out().tolist() == ["shop_effect", "item_effect"]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ([], "leaves no categorical column"),
        (["shopp"], "names column 'shopp', which X does not have"),
        ("shopp", "names column 'shopp', which X does not have"),
        ([4], "names column 4"),
        (None, "categorical_features must be one list"),
        ([True], "as a mask must have one entry"),
        (7, "categorical_features must be one list"),
    ],
)
def test_a_callable_that_chooses_no_columns_is_one_clear_line(chosen, message):
    for choose in (lambda table: chosen, type("S", (), {"expand": lambda s, t: chosen})()):
        with pytest.raises(ValueError, match=message) as raised:
            make(categorical_features=choose).fit(X, Y)
        assert "\n" not in str(raised.value)


def test_a_callable_cannot_be_saved_and_the_error_names_the_way_out(tmp_path):
    encoder = make(categorical_features=make_column_selector(pattern="shop")).fit(X, Y)
    with pytest.raises(TypeError, match="set_params"):
        encoder.save(tmp_path / "encoder.zip")
    encoder.set_params(categorical_features="all").save(tmp_path / "encoder.zip")
    loaded = EmbeddingEncoder.load(tmp_path / "encoder.zip")
    assert_array_equal(loaded.transform(X), encoder.transform(X))


# ---------------------------------------------------------------- labels and places


@pytest.mark.parametrize(
    "labels",
    [
        [1, 2, 3, 4],
        [3, 2, 1, 0],
        [9, 1, 7, 2],
        [0, 2, 1, 3],
        [4.0, 3.0, 2.0, 1.0],
    ],
    ids=str,
)
@pytest.mark.parametrize("how", ["fit", "fit_transform", "partial_fit"])
@pytest.mark.parametrize("chosen", [[2, 1], np.array([2, 1]), lambda frame: [2, 1]])
def test_numbers_that_are_places_and_labels_are_refused_with_both_readings(
    labels, chosen, how
):
    frame = X.set_axis(labels, axis=1)
    with pytest.raises(ValueError, match=r"as places.*as labels.*strings") as raised:
        getattr(make(categorical_features=chosen), how)(frame, Y)
    assert f"labelled {[labels[2], labels[1]]}" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "frame",
    [
        X,
        X.set_axis(range(4), axis=1),
        X.set_axis([2019, 2020, 2021, 2022], axis=1),
        X.set_axis([0, 7, 2, 9], axis=1),
        X.to_numpy(object),
        pl.from_pandas(X),
    ],
    ids=["strings", "places", "years", "some places", "array", "polars"],
)
def test_numbers_that_are_places_alone_are_taken(frame):
    encoder = make(categorical_features=[0, 2]).fit(frame, Y)
    assert_array_equal(
        encoder.transform(frame), make(categorical_features=[0, 2]).fit(X, Y).transform(X)
    )


def test_labels_that_are_no_places_are_refused_with_both_readings():
    frame = X.set_axis([10, 20, 30, 40], axis=1)
    with pytest.raises(ValueError, match=r"labelled \[None, None\].*in places \[2, 0\]"):
        make(categorical_features=[30, 10]).fit(frame, Y)


def test_a_mask_and_strings_are_no_numbers():
    frame = X.set_axis([4, 3, 2, 1], axis=1)
    mask = make(categorical_features=[True, False, True, False]).fit(frame, Y)
    expected = make(categorical_features=[0, 2]).fit(X, Y)
    assert_array_equal(mask.transform(frame), expected.transform(X))
    named = frame.rename(columns=str)
    by_name = make(categorical_features=["4", "2"]).fit(named, Y)
    assert_array_equal(by_name.transform(named), expected.transform(X))


# ---------------------------------------------------------------- categories by name

LISTED = {"item": ["4", "3", "2", "1", "0", "of no row"]}


@pytest.mark.parametrize("how", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("table", "categories"),
    [
        (X, LISTED),
        (X, LISTED | {"shop": "auto"}),
        (X, {2: LISTED["item"]}),
        (pl.from_pandas(X), LISTED),
        (X.to_numpy(object), {2: LISTED["item"]}),
        (X.to_numpy(object), {np.int64(2): np.array(LISTED["item"], object)}),
    ],
    ids=["name", "auto", "place", "polars", "array", "numpy"],
)
def test_categories_by_name_are_those_in_a_list(table, categories, how):
    chosen = [0, 2]
    found = make(categorical_features=chosen, categories=categories)
    expected = make(
        categorical_features=chosen, categories=[["p", "q", "r"], LISTED["item"]]
    )
    getattr(found, how)(table, Y)
    getattr(expected, how)(X, Y)
    assert found.categories_[0].tolist() == ["p", "q", "r"]
    assert found.categories_[1].tolist() == LISTED["item"]
    assert_array_equal(found.transform(table), expected.transform(X))


def test_no_name_at_all_is_auto():
    found = make(categorical_features=[0, 2], categories={}).fit(X, Y)
    expected = make(categorical_features=[0, 2]).fit(X, Y)
    assert_array_equal(found.transform(X), expected.transform(X))


@pytest.mark.parametrize("begins_by", ["fit", "partial_fit"])
def test_columns_that_are_not_named_grow_and_those_named_do_not(begins_by):
    later = X.assign(shop="new", item="new")
    encoder = make(categorical_features=[0, 2], categories=LISTED)
    getattr(encoder, begins_by)(X, Y)
    encoder.partial_fit(later, Y)
    assert encoder.categories_[0].tolist() == ["p", "q", "r", "new"]
    assert encoder.categories_[1].tolist() == LISTED["item"]


@pytest.mark.parametrize("how", ["fit", "partial_fit"])
def test_what_is_not_listed_is_an_error_of_the_named_column(how):
    encoder = make(
        categorical_features=[0, 2], categories={"item": ["1"]}, handle_unknown="error"
    )
    with pytest.raises(ValueError, match="Column 'item' holds the unknown category '0'"):
        getattr(encoder, how)(X, Y)


@pytest.mark.parametrize(
    ("table", "categories", "message"),
    [
        (X, {"itm": ["1"]}, r"names column 'itm', which X does not have; it has \['shop'"),
        (X, {9: ["1"]}, "names column 9, which X does not have"),
        (X, {"price": [1]}, r"'price', which is not categorical.*\['shop', 'item'\]"),
        (X, {1: [1]}, r"'price', which is not categorical.*\['shop', 'item'\]"),
        (X, {"item": ["1"], 2: ["1"]}, "names column 2 twice"),
        (X, {"item": "1"}, "categories of column 'item' must be a list"),
        (X, {"item": []}, "categories of column 'item' are empty"),
        (X, {None: ["1"]}, "names column None"),
        (X.to_numpy(object), {"item": ["1"]}, "4 columns without names"),
        (X.set_axis([3, 2, 1, 0], axis=1), {2: ["1"]}, "as places.*as labels"),
    ],
)
@pytest.mark.parametrize("how", ["fit", "partial_fit"])
def test_categories_that_fit_no_column_are_one_clear_line(table, categories, message, how):
    mask = [True, False, True, False]
    with pytest.raises(ValueError, match=message) as raised:
        getattr(make(categorical_features=mask, categories=categories), how)(table, Y)
    assert "\n" not in str(raised.value)


def test_categories_by_name_are_saved(tmp_path):
    encoder = make(categorical_features=[0, 2], categories=LISTED).fit(X, Y)
    encoder.save(tmp_path / "encoder.zip")
    loaded = EmbeddingEncoder.load(tmp_path / "encoder.zip")
    assert loaded.categories == LISTED
    assert_array_equal(loaded.transform(X), encoder.transform(X))
