from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import DataConversionWarning

from sk_embed._columns.target import as_target, read_target

THREE_LABELS = {
    "str": ["b", "a", "c", "a"],
    "object": np.array(["b", "a", "c", "a"], dtype=object),
    "numpy str": np.array(["b", "a", "c", "a"]),
    "category": pd.Series(["b", "a", "c", "a"], dtype="category"),
    "string": pd.Series(["b", "a", "c", "a"], dtype="string"),
    "polars": pl.Series(["b", "a", "c", "a"]),
    "int": [1, 0, 2, 0],
    "negative": [5, -7, 100, -7],
    "float": [1.0, 0.0, 2.0, 0.0],
    "Int64": pd.Series([1, 0, 2, 0], dtype="Int64"),
    "int as object": np.array([1, 0, 2, 0], dtype=object),
}
TWO_LABELS = {
    "bool": [True, False, True],
    "numpy bool": np.array([True, False, True]),
    "bool as object": np.array([True, False, True], dtype=object),
    "boolean": pd.Series([True, False, True], dtype="boolean"),
    "int": [1, 0, 1],
    "signs": [1, -1, 1],
    "float": [1.0, 0.0, 1.0],
    "str": ["yes", "no", "yes"],
    "category": pd.Series(["yes", "no", "yes"], dtype="category"),
}


def read(y, target_type="auto", weight=None):
    given = as_target(y)
    n_rows = len(given.values)
    weight = np.ones(n_rows) if weight is None else np.asarray(weight, dtype=float)
    return read_target(given, target_type, weight)


@pytest.fixture
def prices():
    return np.random.default_rng(0).normal(size=200)


# ---------------------------------------------------------------- types


@pytest.mark.parametrize("labels", THREE_LABELS.values(), ids=THREE_LABELS)
def test_three_labels_of_any_type_are_multiclass(labels):
    target = read(labels)
    assert target.type == "multiclass"
    assert target.classes.tolist() == sorted(set(labels))
    assert_array_equal(target.values, np.eye(3)[[1, 0, 2, 0]])


@pytest.mark.parametrize("labels", TWO_LABELS.values(), ids=TWO_LABELS)
def test_two_labels_of_any_type_are_binary(labels):
    target = read(labels)
    assert target.type == "binary"
    assert target.classes.tolist() == sorted(set(labels))
    assert_array_equal(target.values, [[1.0], [0.0], [1.0]])


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (pd.Series([True, False], dtype="boolean"), bool),
        (pd.Series([0, 1, 2], dtype="Int64"), int),
        (np.array([True, False], dtype=object), bool),
        (np.array([0, 1, 2], dtype=object), int),
    ],
    ids=["boolean", "Int64", "bool as object", "int as object"],
)
def test_classes_are_of_the_type_of_the_labels(labels, kind):
    # They stand in the output's names: brand_effect_1, not brand_effect_1.0.
    assert {type(label) for label in read(labels).classes.tolist()} == {kind}


@pytest.mark.parametrize(
    "numbers",
    [
        np.linspace(0, 1, 7),
        np.linspace(0, 1, 7).astype(np.float32),
        np.linspace(0, 1, 7).astype(object),
        pd.Series(np.linspace(0, 1, 7), dtype="Float64"),
        pl.Series(np.linspace(0, 1, 7)),
        list(np.linspace(0, 1, 7)),
    ],
    ids=["float64", "float32", "object", "Float64", "polars", "list"],
)
def test_fractions_are_continuous(numbers):
    target = read(numbers)
    assert target.type == "continuous"
    assert target.classes is None
    assert target.values.shape == (7, 1)


@pytest.mark.parametrize("dtype", [int, float, object, np.uint8])
def test_more_than_a_hundred_whole_numbers_are_continuous(dtype):
    # Each twice: scikit-learn 1.7.0 warns of labels that are all different.
    assert read(np.tile(np.arange(101), 2).astype(dtype)).type == "continuous"
    assert read(np.tile(np.arange(100), 2).astype(dtype)).type == "multiclass"


def test_numbers_that_no_integer_holds_are_continuous():
    assert read([1e300, -1e19, 2.0**63, 5.0] * 2).type == "continuous"


def test_more_than_a_hundred_strings_are_labels():
    assert read(np.tile(np.arange(101), 2).astype(str)).type == "multiclass"


@pytest.mark.parametrize("target_type", ["continuous", "binary", "multiclass"])
def test_the_type_that_is_asked_for_is_taken(target_type):
    target = read([0, 1, 1], target_type)
    assert target.type == target_type
    assert target.values.shape == (3, 2 if target_type == "multiclass" else 1)


def test_many_numbers_can_be_asked_to_be_classes():
    assert len(read(np.arange(150), "multiclass").classes) == 150


# ---------------------------------------------------------------- standardised


def test_a_continuous_target_is_standardised(prices):
    values = read(5 + 3 * prices).values
    assert_allclose(values.mean(), 0, atol=1e-12)
    assert_allclose(values.std(), 1, rtol=1e-12)


@pytest.mark.parametrize("unit", [1e-300, 1e-9, 1.0, 1e12, 1e300], ids=str)
@pytest.mark.parametrize("offset", [0, 100])
def test_units_do_not_matter(prices, unit, offset):
    expected = read(prices).values
    values = read(unit * (prices + offset)).values
    assert_allclose(values, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("offset", [1e6, 1e10], ids=str)
def test_an_offset_does_not_matter_beyond_rounding(prices, offset):
    rounded = (prices + offset) - offset
    assert_allclose(read(prices + offset).values, read(rounded).values, atol=1e-3)


@pytest.mark.parametrize("value", [0.5, 0.1 + 0.2, 1e300, 1e-300], ids=str)
def test_a_constant_is_zero(value):
    assert_array_equal(read(np.full(50, value), "continuous").values, 0)


def test_weights_are_rows_repeated(prices):
    weight = np.random.default_rng(1).integers(1, 4, size=len(prices))
    weighted = read(prices, weight=weight).values
    repeated = read(np.repeat(prices, weight)).values
    assert_allclose(np.repeat(weighted, weight, axis=0), repeated, rtol=1e-12)


@pytest.mark.parametrize("label", ["a", 1, True, 2.0])
def test_one_label_is_a_binary_target_of_zeros(label):
    target = read([label] * 3)
    assert target.type == "binary"
    assert target.classes.tolist() == [label]
    assert_array_equal(target.values, 0)


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "y",
    [
        [1.0, np.nan, 2.0],
        np.array(["a", None, "b"], dtype=object),
        pd.Series([1, None, 2], dtype="Int64"),
        pd.Series(["a", None, "b"], dtype="category"),
        pd.Series(["a", pd.NA, "b"], dtype="string"),
        pd.Series([True, None, False], dtype="boolean"),
        pl.Series(["a", None, "b"]),
        pl.Series([1, None, 2]),
    ],
    ids=[
        "float",
        "object",
        "Int64",
        "category",
        "string",
        "boolean",
        "polars",
        "polars int",
    ],
)
@pytest.mark.parametrize("target_type", ["auto", "multiclass"])
def test_missing_values_are_an_error_that_names_the_row(y, target_type):
    with pytest.raises(ValueError, match=r"Input y contains NaN \(row 1\)") as raised:
        read(y, target_type)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("infinite", [np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [float, object])
def test_infinite_values_are_an_error_that_names_the_row(infinite, dtype):
    y = np.array([1.0, 2.0, infinite], dtype=dtype)
    with pytest.raises(ValueError, match=r"Input y contains infinity \(row 2\)"):
        read(y)


def test_three_labels_as_binary_are_an_error_that_names_the_way_out():
    with pytest.raises(ValueError, match="'binary' but y has 3 classes; use 'multiclass'"):
        read(["a", "b", "c"], "binary")


def test_labels_as_continuous_are_an_error():
    with pytest.raises(ValueError, match="'continuous' but y is not numeric"):
        read(["a", "b"], "continuous")


@pytest.mark.parametrize(
    "y",
    [
        np.array([1, "a", "b"], dtype=object),
        np.array([{}, {}, {}], dtype=object),
        np.array([1 + 1j, 2, 3]),
    ],
    ids=["mixed", "dict", "complex"],
)
def test_a_target_that_is_neither_numbers_nor_labels_is_one_clear_line(y):
    with pytest.raises(ValueError, match=r"\by\b") as raised:
        read(y)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 200


def test_one_column_in_two_dimensions_is_taken_with_scikit_learns_warning():
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        target = read(np.linspace(0, 1, 5)[:, None])
    assert target.values.shape == (5, 1)
