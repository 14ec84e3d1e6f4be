"""Each bad input is one clear line, and leaves the encoder as it was."""

from __future__ import annotations

import pickle
from functools import cache

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.model_selection import KFold

from sk_embed import EmbeddingEncoder

N_ROWS = 60
rng = np.random.default_rng(0)
MODELS = [f"m{row // 3}" for row in range(N_ROWS)]
FRAME = pd.DataFrame(
    {
        "brand": rng.choice(["audi", "fiat", "seat"], N_ROWS),
        "model": MODELS,
        "age": rng.normal(size=N_ROWS),
    }
)
X = FRAME[["brand", "model"]]
Y = pd.Series(rng.normal(size=N_ROWS))
WEIGHT = np.ones(N_ROWS)
CONTEXT = {"categorical_features": ["brand", "model"]}


def with_value(values, row, value):
    """Return a copy with one value exchanged."""
    changed = np.array(values, dtype=object)
    changed[row] = value
    return changed


@pytest.fixture(params=["fresh", "fitted"])
def state(request):
    return request.param


@cache
def learned_once(params=()):
    """Return an encoder in pickled form, so that each test has its own."""
    encoder = EmbeddingEncoder(random_state=0, max_iter=1, **dict(params))
    return pickle.dumps(encoder.fit(FRAME, Y))


def make_encoder(state, params):
    """Return an encoder with these parameters, perhaps fitted before they were set."""
    encoder = EmbeddingEncoder(random_state=0, max_iter=1)
    if state == "fitted":
        encoder = pickle.loads(learned_once())
    return encoder.set_params(**params)


def assert_unchanged(encoder, before, names):
    assert vars(encoder).keys() == names
    assert joblib.hash(vars(encoder)) == before


def assert_one_line(error, *words):
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 400
    for word in words:
        assert word in message


def raises_and_leaves_unchanged(encoder, call, errors, match):
    """Return the error that the call raises, having looked at the encoder after it."""
    before, names = joblib.hash(vars(encoder)), set(vars(encoder))
    with pytest.raises(errors, match=match) as raised:
        call()
    assert_unchanged(encoder, before, names)
    return raised


# ---------------------------------------------------------------- fit

BAD_INPUT = {
    # name: (parameters, X, y, sample_weight, error, what the message says)
    "no y": ({}, X, None, None, ValueError, "requires y.*y is None"),
    "y of other length": ({}, X, Y[:9], None, ValueError, r"numbers of samples.*60, 9"),
    "y with NaN": ({}, X, Y.where(Y < 1), None, ValueError, r"y contains NaN \(row \d+\)"),
    "y with None": (
        {},
        X,
        with_value(["a", "b"] * 30, 7, None),
        None,
        ValueError,
        r"y contains NaN \(row 7\)",
    ),
    "infinite y": (
        {},
        X,
        np.where(np.arange(N_ROWS) == 5, np.inf, Y),
        None,
        ValueError,
        r"y contains infinity \(row 5\)",
    ),
    "two columns of whole numbers": (
        {},
        X,
        np.arange(2 * N_ROWS).reshape(-1, 2) % 7,
        None,
        ValueError,
        "y has 2 columns.*target_type='continuous'",
    ),
    "two columns as labels": (
        {"target_type": "multiclass"},
        X,
        np.ones((N_ROWS, 2)),
        None,
        ValueError,
        r"target_type='multiclass' but y has 2 column\(s\).*'multilabel-indicator'",
    ),
    "one column as several": (
        {"target_type": "continuous-multioutput"},
        X,
        Y,
        None,
        ValueError,
        r"'continuous-multioutput' but y has 1 column\(s\); use.*'continuous'",
    ),
    "two columns of strings": (
        {},
        X,
        np.full((N_ROWS, 2), "a"),
        None,
        ValueError,
        "Several columns of y must be numbers, but column 0, of dtype .*, holds 'a'",
    ),
    "two columns with NaN": (
        {},
        X,
        np.where(np.arange(2 * N_ROWS).reshape(-1, 2) == 7, np.nan, 0.5),
        None,
        ValueError,
        r"y contains NaN \(row 3\)",
    ),
    "an indicator of other values": (
        {},
        X,
        np.where(np.ones((N_ROWS, 2)) * (np.arange(2) > 0), 1, -1),
        None,
        ValueError,
        "indicator holds 0 and 1, but y holds -1.*target_type='continuous'",
    ),
    "sparse y": (
        {},
        X,
        sparse.csr_array(np.eye(N_ROWS)),
        None,
        TypeError,
        r"Sparse data was passed as y; pass y\.toarray\(\)",
    ),
    "lists of labels": (
        {},
        X,
        [["a"], ["a", "b"]] * (N_ROWS // 2),
        None,
        ValueError,
        "y is a list of rows of different lengths.*MultiLabelBinarizer",
    ),
    "three dimensions of y": (
        {},
        X,
        np.ones((N_ROWS, 2, 2)),
        None,
        ValueError,
        "y must have one or two dimensions, but has 3",
    ),
    "complex y": ({}, X, Y.to_numpy() + 1j, None, ValueError, r"\by\b"),
    "y of mixed types": (
        {},
        X,
        with_value(["a", "b"] * 30, 7, 3.5),
        None,
        ValueError,
        r"\by\b",
    ),
    "y of mixed types as labels": (
        {"target_type": "multiclass"},
        X,
        with_value(["a", "b"] * 30, 7, 3.5),
        None,
        (TypeError, ValueError),
        r"\by\b",
    ),
    "three labels as binary": (
        {"target_type": "binary"},
        X,
        FRAME["brand"],
        None,
        ValueError,
        "target_type='binary' but y has 3 classes",
    ),
    "labels as continuous": (
        {"target_type": "continuous"},
        X,
        FRAME["brand"],
        None,
        ValueError,
        "target_type='continuous' but y is not numeric",
    ),
    "sparse X": (
        {},
        sparse.csr_array(np.eye(N_ROWS)),
        Y,
        None,
        TypeError,
        "Sparse data was passed.*toarray",
    ),
    "no rows": ({}, X[:0], Y[:0], None, ValueError, r"0 sample\(s\)"),
    "no rows, polars": ({}, pl.DataFrame({"a": []}), Y[:0], None, ValueError, "0 sample"),
    "no rows, numpy": ({}, np.empty((0, 2)), Y[:0], None, ValueError, r"0 sample\(s\)"),
    "no columns": ({}, X[[]], Y, None, ValueError, r"0 feature\(s\)"),
    "one-dimensional list": ({}, list(X["brand"]), Y, None, ValueError, "(?i)2D array"),
    "one-dimensional array": (
        {},
        X["brand"].to_numpy(),
        Y,
        None,
        ValueError,
        "(?i)2D array",
    ),
    "a series": ({}, X["brand"], Y, None, ValueError, "(?i)2-dimensional|2D array"),
    "three dimensions": ({}, np.ones((N_ROWS, 2, 2)), Y, None, ValueError, "dim 3"),
    "a string": ({}, "brand", Y, None, ValueError, "(?i)2D array"),
    "a dict in a cell": (
        {},
        X.assign(model=with_value(X["model"], 4, {})),
        Y,
        None,
        TypeError,
        r"'model'.*argument must be a string or a number.*a dict in row 4",
    ),
    "a list in a cell": (
        {},
        pd.DataFrame({"model": with_value(X["model"], 59, [1])}),
        Y,
        None,
        TypeError,
        r"'model'.*argument must be a string or a number.*a list in row 59",
    ),
    "all weights zero": ({}, X, Y, 0 * WEIGHT, ValueError, "(?i)sample.weight.*zero"),
    "negative weight": (
        {},
        X,
        Y,
        np.where(np.arange(N_ROWS) == 3, -1.5, 1.0),
        ValueError,
        r"(?i)sample_weight.*negative.*row 3.*-1\.5",
    ),
    "weights of other length": ({}, X, Y, WEIGHT[:9], ValueError, "sample_weight.shape"),
    "weight NaN": ({}, X, Y, np.nan * WEIGHT, ValueError, "sample_weight contains NaN"),
    "weight of strings": ({}, X, Y, ["heavy"] * N_ROWS, ValueError, "sample_weight"),
    "context of strings": (
        CONTEXT,
        FRAME.assign(age="old"),
        Y,
        None,
        ValueError,
        r"'age' is not numeric: it holds .* in row \d+.*categorical_features",
    ),
    "infinite context": (
        CONTEXT,
        FRAME.assign(age=np.inf),
        Y,
        None,
        ValueError,
        "'age' holds an infinite value.*categorical_features",
    ),
    "unknown name": (
        {"categorical_features": ["brand", "colour"]},
        FRAME,
        Y,
        None,
        ValueError,
        r"categorical_features.*'colour'.*\['brand', 'model', 'age'\]",
    ),
    "names without names": (
        {"categorical_features": ["brand"]},
        FRAME.to_numpy(),
        Y,
        None,
        ValueError,
        "categorical_features.*'brand'.*no column names.*indices",
    ),
    "index outside": (
        {"categorical_features": [0, 3]},
        FRAME,
        Y,
        None,
        ValueError,
        "categorical_features names column 3.*0 to 2",
    ),
    "mask of other length": (
        {"categorical_features": [True, False]},
        FRAME,
        Y,
        None,
        ValueError,
        "categorical_features.*each of the 3 columns",
    ),
    "no categorical column": (
        {"categorical_features": []},
        FRAME,
        Y,
        None,
        ValueError,
        "categorical_features.*no categorical column",
    ),
    "too few lists of categories": (
        {"categories": [["audi"]]},
        X,
        Y,
        None,
        ValueError,
        "categories lists 1 columns, but 2",
    ),
    "an empty list of categories": (
        {"categories": [["audi"], []]},
        X,
        Y,
        None,
        ValueError,
        "categories.*'model'",
    ),
    "categories that are no list": (
        {"categories": ["audi", ["m1"]]},
        X,
        Y,
        None,
        (TypeError, ValueError),
        "categories.*'brand'",
    ),
    "repeated categories": (
        {"categories": [["audi", "audi"], ["m1"]]},
        X,
        Y,
        None,
        ValueError,
        "categories of column 'brand' repeat",
    ),
    "an unhashable category": (
        {"categories": [["audi", {}], ["m1"]]},
        X,
        Y,
        None,
        TypeError,
        "'brand'",
    ),
    "a category that is not given": (
        {
            "categories": [["audi", "seat"], list(set(MODELS))],
            "handle_unknown": "error",
        },
        X,
        Y,
        None,
        ValueError,
        r"'brand'.*'fiat'.*row \d+",
    ),
}


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_one_clear_line_and_leaves_the_encoder_as_it_was(state, method, name):
    params, features, target, weight, errors, match = BAD_INPUT[name]
    encoder = make_encoder(state, params)
    fit = getattr(encoder, method)
    raised = raises_and_leaves_unchanged(
        encoder, lambda: fit(features, target, weight), errors, match
    )
    assert_one_line(raised)


# ---------------------------------------------------------------- parameters

BAD_PARAMETERS = [
    ("n_components", -1),
    ("n_components", 1.0),
    ("n_components", 0.0),
    ("n_components", 2.5),
    ("n_components", "all"),
    ("n_components", None),
    ("categorical_features", "none"),
    ("categorical_features", None),
    ("main_effects", "yes"),
    ("main_effects", None),
    ("remainder", "keep"),
    ("categories", "given"),
    ("categories", None),
    ("handle_unknown", "ignore"),
    ("min_frequency", 0),
    ("min_frequency", 1.0),
    ("min_frequency", -0.5),
    ("min_frequency", 2.5),
    ("max_categories", 0),
    ("max_categories", 2.5),
    ("target_type", "ordinal"),
    ("hidden_layer_sizes", "large"),
    ("hidden_layer_sizes", 64),
    ("hidden_layer_sizes", (64, 0)),
    ("hidden_layer_sizes", (-1,)),
    ("hidden_layer_sizes", (3.5,)),
    ("hidden_layer_sizes", ("64",)),
    ("learning_rate_init", 0.0),
    ("learning_rate_init", -1e-3),
    ("learning_rate_init", np.nan),
    ("learning_rate_init", 1.001),
    ("alpha", -1.0),
    ("alpha", "none"),
    ("batch_size", 0),
    ("batch_size", 2.5),
    ("max_iter", 0),
    ("max_iter", 2.5),
    ("tol", -1.0),
    ("n_iter_no_change", 0),
    ("cross_fit", "yes"),
    ("cv", 1),
    ("cv", 0),
    ("cv", "five"),
    ("cv", 2.5),
    ("init_scale", -0.1),
    ("init_scale", 11.0),
    ("warm_start", "yes"),
    ("n_jobs", 1.5),
    ("random_state", "seed"),
    ("random_state", -1),
    ("verbose", -1),
    ("verbose", "loud"),
    ("dtype", int),
    ("dtype", np.int32),
    ("dtype", object),
    ("dtype", np.complex64),
    ("dtype", "single precision"),
    # float16 has no room for sums over rows; longdouble no linear algebra.
    ("dtype", np.float16),
    ("dtype", None),
]


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
@pytest.mark.parametrize(
    ("name", "value"), BAD_PARAMETERS, ids=[f"{n}={v!r}" for n, v in BAD_PARAMETERS]
)
def test_a_parameter_out_of_range_is_one_clear_line_that_names_it(
    state, method, name, value
):
    encoder = make_encoder(state, {name: value})
    raised = raises_and_leaves_unchanged(
        encoder, lambda: getattr(encoder, method)(X, Y), (TypeError, ValueError), name
    )
    assert_one_line(raised, name)


@pytest.mark.parametrize("method", ["fit", "fit_transform", "partial_fit"])
def test_a_columns_name_in_no_list_is_told_to_go_into_one(method):
    encoder = EmbeddingEncoder(categorical_features="brand")
    with pytest.raises(ValueError, match=r"categorical_features=\['brand'\]") as raised:
        getattr(encoder, method)(FRAME, Y)
    assert_one_line(raised, "categorical_features")


@pytest.mark.parametrize("name", EmbeddingEncoder().get_params())
def test_a_parameter_of_a_senseless_type_is_an_error_that_names_it(name):
    encoder = EmbeddingEncoder(**{name: object()})
    with pytest.raises((TypeError, ValueError), match=name) as raised:
        encoder.fit_transform(X, Y)
    assert_one_line(raised, name)


# ---------------------------------------------------------------- cv

BAD_SPLITS = {
    "rows in no fold": (
        [(np.arange(30, 60), np.arange(30))],
        "cv.*row 30 is in 0 of them",
    ),
    "rows in two folds": (
        [(np.arange(2), np.arange(60)), (np.arange(2), np.arange(5))],
        "cv.*row 0 is in 2 of them",
    ),
    "no fold": ([], "cv` gives no folds"),
    "rows that are not there": ([(np.arange(2), np.arange(61))], "cv"),
    "numbers": ([1, 2, 3], "cv"),
}


@pytest.mark.parametrize("name", BAD_SPLITS)
def test_bad_splits_are_one_clear_line(state, name):
    splits, match = BAD_SPLITS[name]
    encoder = make_encoder(state, {"cv": splits})
    raised = raises_and_leaves_unchanged(
        encoder, lambda: encoder.fit_transform(X, Y), (TypeError, ValueError), match
    )
    assert_one_line(raised)


def test_a_splitters_class_in_place_of_an_object_is_one_clear_line(state):
    encoder = make_encoder(state, {"cv": KFold})
    raised = raises_and_leaves_unchanged(
        encoder, lambda: encoder.fit_transform(X, Y), TypeError, r"cv is.*cv=KFold\(\)"
    )
    assert_one_line(raised)


def test_more_folds_than_rows_are_one_clear_line(state):
    encoder = make_encoder(state, {"cv": 61})
    raised = raises_and_leaves_unchanged(
        encoder, lambda: encoder.fit_transform(X, Y), ValueError, "61.*60"
    )
    assert_one_line(raised)


def test_groups_without_metadata_routing_are_an_error(state):
    encoder = make_encoder(state, {})
    raised = raises_and_leaves_unchanged(
        encoder,
        lambda: encoder.fit_transform(X, Y, groups=np.arange(N_ROWS)),
        TypeError,
        "groups",
    )
    assert_one_line(raised)


# ---------------------------------------------------------------- warm start

OTHER_SHAPES = {
    "another column": ({}, FRAME.assign(fuel="gas"), Y),
    "other labels": ({}, FRAME, FRAME["brand"]),
    "other layers": ({"hidden_layer_sizes": (8,)}, FRAME, Y),
    "wider tables": ({"n_components": 20}, FRAME, Y),
    "a column turned context": (CONTEXT, FRAME, Y),
}


@pytest.mark.parametrize("name", OTHER_SHAPES)
def test_a_warm_start_into_another_network_is_one_clear_line(name):
    params, features, target = OTHER_SHAPES[name]
    encoder = EmbeddingEncoder(warm_start=True, max_iter=1).fit(FRAME, Y)
    encoder.set_params(**params)
    raised = raises_and_leaves_unchanged(
        encoder, lambda: encoder.fit(features, target), ValueError, "warm_start"
    )
    assert_one_line(raised)


# ---------------------------------------------------------------- transform

# scikit-learn's own words: its common checks ask for these, of several lines.
OTHER_COLUMNS = {
    "a column more": (FRAME, "unseen at fit time:\n- age"),
    "a column less": (X[["brand"]], "now missing:\n- model"),
    "another order": (X[["model", "brand"]], "must be in the same order"),
    "another name": (X.rename(columns={"model": "type"}), "unseen at fit time:\n- type"),
}


@pytest.mark.parametrize("name", OTHER_COLUMNS)
def test_other_columns_than_in_fit_are_scikit_learns_error(name):
    features, match = OTHER_COLUMNS[name]
    encoder = EmbeddingEncoder(max_iter=1).fit(X, Y)
    raises_and_leaves_unchanged(
        encoder, lambda: encoder.transform(features), ValueError, match
    )


@pytest.mark.parametrize("n_columns", [1, 3])
def test_another_number_of_columns_than_in_fit_is_one_clear_line(n_columns):
    encoder = EmbeddingEncoder(max_iter=1).fit(X.to_numpy(), Y)
    raised = raises_and_leaves_unchanged(
        encoder,
        lambda: encoder.transform(FRAME.to_numpy()[:, :n_columns]),
        ValueError,
        f"X has {n_columns} features, but EmbeddingEncoder is expecting 2",
    )
    assert_one_line(raised)


BAD_ROWS = {
    "unknown category": (
        FRAME.assign(model=with_value(FRAME["model"], 5, "m99")),
        ValueError,
        r"'model'.*unknown category 'm99' in row 5.*handle_unknown",
    ),
    "unknown number": (
        FRAME.assign(model=with_value(FRAME["model"], 5, 3.5)),
        ValueError,
        r"'model'.*unknown category 3\.5 in row 5",
    ),
    "missing that was not in fit": (
        FRAME.assign(brand=with_value(FRAME["brand"], 2, None)),
        ValueError,
        r"'brand'.*unknown category (None|nan) in row 2",
    ),
    "a dict in a cell": (
        FRAME.assign(model=with_value(FRAME["model"], 5, {})),
        TypeError,
        "'model'.*argument must be a string or a number",
    ),
    "context of strings": (
        FRAME.assign(age="old"),
        ValueError,
        "'age' is not numeric",
    ),
    "infinite context": (
        FRAME.assign(age=-np.inf),
        ValueError,
        "'age' holds an infinite value",
    ),
    "no rows": (FRAME[:0], ValueError, r"0 sample\(s\)"),
    "sparse": (sparse.csr_array(np.eye(3)), TypeError, "Sparse data was passed"),
    "one dimension": (FRAME["brand"].tolist(), ValueError, "(?i)2D array"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_rows_that_cannot_be_encoded_are_one_clear_line(name):
    features, errors, match = BAD_ROWS[name]
    encoder = EmbeddingEncoder(
        handle_unknown="error", remainder="passthrough", max_iter=1, **CONTEXT
    ).fit(FRAME, Y)
    raised = raises_and_leaves_unchanged(
        encoder, lambda: encoder.transform(features), errors, match
    )
    assert_one_line(raised)


def test_an_unknown_category_names_a_column_without_a_name():
    encoder = EmbeddingEncoder(handle_unknown="error", max_iter=1).fit(X.to_numpy(), Y)
    with pytest.raises(ValueError, match=r"'x1'.*'m99' in row 0"):
        encoder.transform([["audi", "m99"]])


# ---------------------------------------------------------------- after an error


def test_an_encoder_works_on_after_an_error():
    encoder = EmbeddingEncoder(random_state=0, max_iter=1).fit(X, Y)
    expected = encoder.transform(X)
    with pytest.raises(ValueError, match="y contains NaN"):
        encoder.fit(FRAME, Y.where(Y < 1))
    np.testing.assert_array_equal(encoder.transform(X), expected)


def test_an_interrupted_fit_leaves_the_encoder_as_it_was(state, monkeypatch):
    encoder = make_encoder(state, {"verbose": 1})
    before, names = joblib.hash(vars(encoder)), set(vars(encoder))

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.print", interrupt)
    with pytest.raises(KeyboardInterrupt):
        encoder.fit_transform(X, Y)
    monkeypatch.undo()
    assert_unchanged(encoder, before, names)
