"""The output's containers, dtypes and names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal

from sk_embed import EmbeddingEncoder

N_ROWS = 120
DTYPES = {
    "small": "int8",
    "large": "int64",
    "half": "float32",
    "full": "float64",
    "flag": "bool",
    "nullable": "Int16",
}


@pytest.fixture(name="X")
def make_x():
    """Context of many dtypes around a categorical column, with an index of its own."""
    rng = np.random.default_rng(0)
    whole = rng.integers(2, size=N_ROWS)
    frame = pd.DataFrame(
        {name: whole.astype(dtype) for name, dtype in DTYPES.items() if name != "nullable"}
    )
    frame["large"] += 2**53
    frame["full"] += 0.1
    frame["nullable"] = pd.array(whole, dtype="Int16")
    frame.loc[::7, "nullable"] = pd.NA
    frame.insert(2, "shop", rng.choice(["a", "b", "c"], N_ROWS))
    return frame.set_index(pd.Index(np.repeat(np.arange(N_ROWS // 2), 2), name="row"))


@pytest.fixture
def y(X):
    return np.random.default_rng(1).normal(size=N_ROWS) + (X["shop"] == "a").to_numpy()


def encoder(**params):
    base = {"random_state": 0, "max_iter": 1, "n_components": 1}
    base |= {"categorical_features": ["shop"], "remainder": "passthrough"}
    return EmbeddingEncoder(**{**base, **params})


def outputs(fitted, X, y):
    """Return what both methods that encode give."""
    return fitted.fit_transform(X, y), fitted.transform(X)


# ---------------------------------------------------------------- frames


def test_context_keeps_its_dtypes_in_pandas(X, y):
    # Both methods give the vectors of frequent categories as they are.
    vectors = encoder(remainder="drop").fit(X, y).transform(X)
    fitted = encoder(cross_fit_below=0).set_output(transform="pandas")
    before = X.copy(deep=True)
    for frame in outputs(fitted, X, y):
        assert frame.columns.tolist() == ["shop_effect", "shop_0", *DTYPES]
        assert_frame_equal(frame[list(DTYPES)], X[list(DTYPES)])
        assert frame[["shop_effect", "shop_0"]].dtypes.tolist() == [np.float32] * 2
        assert_array_equal(frame[["shop_effect", "shop_0"]], vectors)
        frame.loc[:, "large"] = 7
    assert_frame_equal(X, before)


def test_context_keeps_its_dtypes_in_polars(X, y):
    X = pl.from_pandas(X)
    fitted = encoder(categorical_features=[2]).set_output(transform="polars")
    for frame in outputs(fitted, X, y):
        context = X.drop("shop")
        assert frame[:, :2].dtypes == [pl.Float32] * 2
        assert frame[:, 2:].dtypes == context.dtypes
        assert frame[:, 2:].rows() == context.rows()
        # scikit-learn 1.8 does not see the names of a polars 2 frame.
        if hasattr(fitted, "feature_names_in_"):
            assert frame.columns == ["shop_effect", "shop_0", *DTYPES]


@pytest.mark.parametrize(
    ("given", "asked"),
    [("pandas", "polars"), ("polars", "pandas"), ("numpy", "pandas"), ("numpy", "polars")],
)
def test_context_from_another_container_keeps_its_values(X, y, given, asked):
    X = X.drop(columns="nullable")
    names = {"pandas": list(X.columns), "polars": list(X.columns)}.get(given)
    convert = {
        "pandas": lambda X: X,
        "polars": pl.from_pandas,
        "numpy": pd.DataFrame.to_numpy,
    }
    fitted = encoder(categorical_features=[2]).set_output(transform=asked)
    for frame in outputs(fitted, convert[given](X), y):
        assert frame.shape == (N_ROWS, 7)
        values = np.asarray(frame)[:, 2:].astype(float)
        assert_array_equal(values, X.drop(columns="shop").astype(float))
        if names:
            dtypes = X.drop(columns="shop").dtypes.tolist()
            as_pandas = frame if asked == "pandas" else frame.to_pandas()
            assert as_pandas.dtypes.tolist()[2:] == dtypes


def test_gaps_become_nan_in_another_container(X, y):
    X = X[["shop", "nullable"]]
    frame = encoder().set_output(transform="polars").fit(X, y).transform(X)
    assert frame["nullable"].dtype == pl.Float64
    assert_array_equal(frame["nullable"].is_nan(), X["nullable"].isna())


@pytest.mark.parametrize("asked", ["pandas", "polars"])
def test_without_context_to_pass_a_frame_has_the_vectors_alone(X, y, asked):
    frame = encoder().set_output(transform=asked).fit_transform(X[["shop"]], y)
    assert list(frame.columns) == ["shop_effect", "shop_0"]


@pytest.mark.parametrize("asked", ["pandas", "polars"])
def test_context_that_is_no_number_is_an_error_in_a_frame_too(X, y, asked):
    fitted = encoder().set_output(transform=asked).fit(X, y)
    with pytest.raises(ValueError, match="'half' holds an infinite value"):
        fitted.transform(X.assign(half=np.inf))


# ---------------------------------------------------------------- arrays


def test_an_array_holds_context_and_vectors(X, y):
    X = X.drop(columns="nullable")
    for array in outputs(encoder(), X, y):
        assert array.dtype == np.float64
        assert array.flags.c_contiguous
        assert_array_equal(array[:, 2:], X.drop(columns="shop").astype(float))
    small = X[["shop", "small", "half", "flag"]]
    assert encoder().fit(small, y).transform(small).dtype == np.float32


# ---------------------------------------------------------------- names

COLLISIONS = {
    "effect and context": (
        pd.DataFrame({"a": ["x", "y"] * 20, "a_effect": np.arange(40.0)}),
        np.arange(40) + 0.5,
        {"categorical_features": ["a"]},
        "'a_effect'",
    ),
    "effect of a class and axis": (
        pd.DataFrame({"a": ["x", "y"] * 20, "a_effect": ["u", "v"] * 20}),
        np.arange(40) % 3,
        {"categorical_features": "all", "n_components": 1},
        "'a_effect_0'",
    ),
    "outputs of one name": (
        pd.DataFrame({"a": ["x", "y"] * 20}),
        pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["p", "p"]),
        {"categorical_features": "all"},
        "'a_effect_p'",
    ),
}


@pytest.mark.parametrize("collision", COLLISIONS.values(), ids=COLLISIONS)
def test_equal_names_are_one_clear_line_and_arrays_are_no_trouble(collision):
    X, y, params, name = collision
    fitted = encoder(**params)
    fitted.fit_transform(X, y)
    with pytest.raises(ValueError, match=f"2 output columns.*{name}.*rename") as raised:
        fitted.get_feature_names_out()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("asked", ["pandas", "polars"])
def test_equal_names_leave_an_encoder_that_makes_frames_as_it_was(asked):
    X, y, params, _ = COLLISIONS["effect and context"]
    unfitted = encoder(**params).set_output(transform=asked)
    with pytest.raises(ValueError, match="2 output columns"):
        unfitted.fit_transform(X, y)
    assert not [name for name in vars(unfitted) if name.endswith("_")]


# ---------------------------------------------------------------- output by column


def many_outputs(**params):
    """Return an encoder of two columns that are crossed, and a number between them."""
    rng = np.random.default_rng(2)
    X = pd.DataFrame(
        {
            "shop": rng.choice(["a", "b", "c"], N_ROWS),
            "price": rng.normal(size=N_ROWS),
            "day": rng.choice(["mon", "tue"], N_ROWS),
        }
    )
    base = {"categorical_features": ["shop", "day"], "crosses": [("day", "shop")]}
    return encoder(**{**base, **params}).fit(X, np.arange(N_ROWS) % 3)


@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("remainder", ["drop", "passthrough"])
def test_each_output_column_belongs_to_one_input_column_or_cross(counts, remainder):
    fitted = many_outputs(counts=counts, remainder=remainder)
    by_column = fitted.output_features_by_column()
    names = [name for of_column in by_column.values() for name in of_column]
    assert sorted(names) == sorted(fitted.get_feature_names_out())
    passed = ["price"] if remainder == "passthrough" else []
    assert list(by_column) == ["shop", "day", ("shop", "day"), *passed]
    for feature in ("shop", "day", ("shop", "day")):
        of_table = fitted.to_frame(feature).columns.drop("count").tolist()
        assert by_column[feature][: len(of_table)] == of_table
        assert len(by_column[feature]) == len(of_table) + counts


def test_columns_without_names_are_called_as_in_the_names_of_the_output():
    fitted = EmbeddingEncoder(1, max_iter=1, random_state=0)
    fitted.fit([["a"], ["b"]] * 20, np.arange(40) / 7)
    assert fitted.output_features_by_column() == {"x0": ["x0_effect", "x0_0"]}
    by_name = fitted.output_features_by_column(["shop"])
    assert by_name == {"shop": ["shop_effect", "shop_0"]}


def test_output_columns_of_one_name_have_no_owner():
    X, y, params, _ = COLLISIONS["effect and context"]
    with pytest.raises(ValueError, match="2 output columns"):
        encoder(**params).fit(X, y).output_features_by_column()
