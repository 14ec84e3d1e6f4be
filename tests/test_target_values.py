"""Targets and weights of every type, in every container: numbers, labels, or one line."""

from __future__ import annotations

import datetime as dt
import enum
import pickle
import uuid
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

from sk_embed import EmbeddingEncoder

N_ROWS = 120
CODES = np.arange(N_ROWS) % 3
NUMBERS = np.round(CODES + np.random.default_rng(0).normal(size=N_ROWS), 2)
X = pd.DataFrame({"a": (CODES * 3 // 2 + np.arange(N_ROWS) % 5 // 4).astype(str)})
WORDS = np.array(["x", "y", "z"])[CODES].tolist()


class Colour(enum.Enum):
    BLUE = 1
    GREEN = 2
    RED = 3


class Word(str, enum.Enum):
    X = "x"
    Y = "y"
    Z = "z"


def make(**parameters):
    chosen = {"n_components": 0, "alpha": 1.0, "max_iter": 1, "random_state": 0}
    return EmbeddingEncoder(**chosen | parameters)


def learned(y, how="fit", weight=None):
    encoder = make()
    if how == "fit":
        return encoder.fit(X, y, weight)
    return encoder.partial_fit(X, y, None, weight).partial_fit(X, y, None, weight)


each_way = pytest.mark.parametrize("how", ["fit", "partial_fit"])


# ---------------------------------------------------------------- masks

MASK = np.arange(N_ROWS) == 7
MASKED = {
    "numbers": np.ma.array(NUMBERS, mask=MASK),
    "whole numbers": np.ma.array(CODES, mask=MASK),
    "strings": np.ma.array(WORDS, mask=MASK),
    "one column": np.ma.array(NUMBERS, mask=MASK)[:, None],
    "two columns": np.ma.array(np.c_[NUMBERS, NUMBERS], mask=np.c_[MASK ^ MASK, MASK]),
    "a list": [*NUMBERS[:7], np.ma.masked, *NUMBERS[8:]],
    "a list of rows": list(np.ma.array(np.c_[NUMBERS, NUMBERS], mask=np.c_[MASK, MASK])),
    "Arrow": pa.array(NUMBERS, mask=MASK),
    "Arrow's whole numbers": pa.array(CODES, mask=MASK),
    "polars": pl.Series(
        [None if m else c for m, c in zip(MASK, CODES.tolist(), strict=True)]
    ),
}


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@each_way
@pytest.mark.parametrize("y", MASKED.values(), ids=MASKED)
def test_a_masked_target_is_a_missing_one(y, how):
    with pytest.raises(ValueError, match=r"Input y contains NaN \(row 7\)"):
        learned(y, how)


@each_way
@pytest.mark.parametrize(
    "weight",
    [
        np.ma.array(np.ones(N_ROWS), mask=MASK),
        np.ma.array(np.ones(N_ROWS, dtype=int), mask=MASK),
        [1.0] * 7 + [np.ma.masked] + [1.0] * (N_ROWS - 8),
        pd.Series(1, index=range(N_ROWS), dtype="Int64").mask(MASK),
        pa.array(np.ones(N_ROWS), mask=MASK),
        [1.0] * 7 + [None] + [1.0] * (N_ROWS - 8),
    ],
    ids=["floats", "integers", "a list", "Int64", "Arrow", "None"],
)
def test_a_masked_weight_is_a_missing_one(weight, how):
    with pytest.raises(ValueError, match=r"sample_weight contains NaN \(row 7\)"):
        learned(NUMBERS, how, weight)


@each_way
@pytest.mark.parametrize("mask", [False, np.zeros(N_ROWS, bool)], ids=["none", "all False"])
def test_a_mask_of_nothing_changes_no_bit(mask, how):
    weight = np.random.default_rng(1).uniform(0.5, 2, N_ROWS)
    expected = learned(NUMBERS, how, weight)
    found = learned(np.ma.array(NUMBERS, mask=mask), how, np.ma.array(weight, mask=mask))
    assert_array_equal(found.embeddings_[0], expected.embeddings_[0])


def test_a_masked_target_of_weight_zero_is_left_out():
    weight = np.where(MASK, 0.0, 1.0)
    expected = make().fit(X[~MASK], CODES[~MASK])
    for y in (
        np.ma.array(CODES, mask=MASK),
        [None if m else int(c) for m, c in zip(MASK, CODES, strict=True)],
    ):
        found = make().fit(X, y, weight)
        assert_array_equal(found.embeddings_[0], expected.embeddings_[0])
        assert_array_equal(found.classes_, [0, 1, 2])


# ---------------------------------------------------------------- numbers

DECIMALS = [Decimal(str(number)) for number in NUMBERS]
SAME_NUMBERS = {
    "float32 objects": np.array([np.float64(n) for n in NUMBERS], dtype=object),
    "longdouble": NUMBERS.astype(np.longdouble),
    "decimals": DECIMALS,
    "an array of decimals": np.array(DECIMALS, dtype=object),
    "decimals of Arrow": pa.array(DECIMALS),
    "decimals of polars": pl.from_arrow(pa.array(DECIMALS)),
    "decimals of pandas": pd.Series(DECIMALS, dtype=pd.ArrowDtype(pa.decimal128(9, 2))),
    "decimals and floats": [DECIMALS[0], *NUMBERS[1:]],
    "Arrow": pa.array(NUMBERS),
    "chunks of Arrow": pa.chunked_array([NUMBERS[:50], NUMBERS[50:]]),
    "Float64": pd.Series(NUMBERS, dtype="Float64"),
    "tuple": tuple(NUMBERS.tolist()),
    "the other order of bytes": NUMBERS.astype(">f8"),
}


@each_way
@pytest.mark.parametrize("y", SAME_NUMBERS.values(), ids=SAME_NUMBERS)
def test_numbers_of_every_type_give_the_same_bits(y, how):
    expected, found = learned(NUMBERS, how), learned(y, how)
    assert found.target_type_ == "continuous"
    assert_array_equal(found.embeddings_[0], expected.embeddings_[0])


def test_fractions_are_numbers():
    y = [Fraction(int(code), 3) for code in CODES]
    assert_array_equal(learned(y).embeddings_[0], learned(CODES / 3).embeddings_[0])


@each_way
def test_half_precision_is_standardised_in_double_precision(how):
    y = (NUMBERS * 20_000 / np.abs(NUMBERS).max()).astype(np.float16)  # its sum overflows
    y[0] = 0.5
    found, expected = learned(y, how), learned(y.astype(float), how)
    assert found.target_type_ == "continuous"
    assert_array_equal(found.embeddings_[0], expected.embeddings_[0])


@each_way
@pytest.mark.parametrize("dtype", ["f2", "f4", "g", "i1", "u1", "i2", "u8", ">i4", ">f2"])
def test_whole_numbers_of_every_dtype_are_the_same_classes(dtype, how):
    found, expected = learned(CODES.astype(dtype), how), learned(CODES, how)
    assert found.classes_.tolist() == [0, 1, 2]
    assert_array_equal(found.embeddings_[0], expected.embeddings_[0])


@pytest.mark.parametrize("offset", [2**60, 2**63, -(2**60)])
def test_large_whole_numbers_are_not_merged(offset):
    y = [offset + int(code) for code in CODES]
    assert learned(y).classes_.tolist() == [offset, offset + 1, offset + 2]
    assert learned(np.array(y, dtype=object)).classes_.tolist()[2] == offset + 2


@pytest.mark.parametrize("dtype", ["f2", "f8", "g"])
@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinity_is_an_error_in_every_precision(dtype, bad):
    y = NUMBERS.astype(dtype)
    y[3] = bad
    with pytest.raises(ValueError, match=r"infinity \(row 3\)"):
        learned(y)


@pytest.mark.parametrize("value", [10**400, Decimal("1e400"), Fraction(10**400)])
def test_a_number_beyond_floats_is_one_clear_line(value):
    with pytest.raises(ValueError, match=r"y (holds a number beyond|contains infinity)"):
        learned([value, *NUMBERS[1:].tolist()])


def test_columns_of_decimals_and_of_polars_are_numbers():
    expected = learned(np.c_[NUMBERS, CODES + 0.5]).embeddings_[0]
    for y in (
        pd.DataFrame({0: DECIMALS, 1: CODES + 0.5}),
        pl.DataFrame({"p": SAME_NUMBERS["decimals of polars"], "q": CODES + 0.5}),
        pa.table({"p": DECIMALS, "q": CODES + 0.5}),
    ):
        assert_array_equal(learned(y).embeddings_[0], expected)
    assert learned(y).get_feature_names_out().tolist() == ["a_effect_p", "a_effect_q"]


# ---------------------------------------------------------------- labels


def label_cases():
    cases = {
        "bytes": [b"xyz"[code : code + 1] for code in CODES],
        "numpy's bytes": np.array([b"x", b"y", b"z"])[CODES],
        "tuples": [(int(code), "of") for code in CODES],
        "a series of tuples": pd.Series([(int(code), 0) for code in CODES]),
        "UUIDs": [uuid.UUID(int=int(code)) for code in CODES],
        "an enumeration": [list(Colour)[code] for code in CODES],
        "intervals": pd.cut(pd.Series(CODES), 3),
        "a lone surrogate": np.array(["a", "\ud83d", "\ud83e"], dtype=object)[CODES],
    }
    return cases | string_cases()


def string_cases():
    cases = {
        "numpy's strings": [np.str_(word) for word in WORDS],
        "an enumeration of strings": [Word(word) for word in WORDS],
        "Arrow": pa.array(WORDS),
        "Arrow's dictionary": pa.array(WORDS).dictionary_encode(),
        "polars": pl.Series(WORDS),
        "polars' categories": pl.Series(WORDS, dtype=pl.Categorical),
        "polars' enumeration": pl.Series(WORDS, dtype=pl.Enum(["z", "y", "x"])),
        "pandas' strings": pd.Series(WORDS, dtype="string"),
        "categories": pd.Series(WORDS, dtype="category"),
    }
    if hasattr(np.dtypes, "StringDType"):
        cases["numpy's StringDType"] = np.array(WORDS, dtype=np.dtypes.StringDType())
    return cases


@each_way
@pytest.mark.parametrize("y", label_cases().values(), ids=label_cases())
def test_labels_of_every_type_are_classes(y, how):
    expected, found = learned(CODES, how), learned(y, how)
    assert found.target_type_ == "multiclass"
    assert_array_equal(found.embeddings_[0], expected.embeddings_[0])
    assert_array_equal(make().fit_transform(X, y), make().fit_transform(X, CODES))
    again = pickle.loads(pickle.dumps(found))
    assert again.classes_.tolist() == found.classes_.tolist()


@pytest.mark.parametrize("y", string_cases().values(), ids=string_cases())
def test_strings_of_every_type_are_strings(y):
    assert learned(y).classes_.tolist() == ["x", "y", "z"]
    assert {type(label) for label in learned(y).classes_.tolist()} == {str}


@pytest.mark.parametrize("name", ["bytes", "tuples", "UUIDs"])
def test_labels_of_python_are_saved(name, tmp_path):
    encoder = learned(label_cases()[name])
    encoder.save(tmp_path / "encoder.zip")
    loaded = EmbeddingEncoder.load(tmp_path / "encoder.zip")
    assert loaded.classes_.tolist() == encoder.classes_.tolist()


def test_booleans_of_every_type_are_two_classes():
    y = CODES > 0
    for given in (
        y.tolist(),
        y.astype(object),
        pa.array(y),
        pl.Series(y),
        pd.Series(y, dtype="boolean"),
    ):
        encoder = learned(given)
        assert encoder.target_type_ == "binary"
        assert encoder.classes_.tolist() == [False, True]


@each_way
@pytest.mark.parametrize(
    ("pair", "named"),
    [
        ([1, "a"], "numbers and strings, as 1 and 'a'"),
        (["1", 1], "numbers and strings, as 1 and '1'"),
        (["a", b"a"], "bytes and strings, as b'a' and 'a'"),
        (["a", (1, 2)], "strings and tuple"),
        ([Colour.RED, 1], "Colour and numbers"),
    ],
)
def test_labels_of_several_types_are_an_error_that_names_them(pair, named, how):
    y = np.empty(N_ROWS, dtype=object)
    y[:] = [pair[code % 2] for code in range(N_ROWS)]
    for given in (y, y.tolist()):
        if isinstance(given, list) and any(isinstance(label, tuple) for label in pair):
            continue  # a list with rows in it is no column of labels
        with pytest.raises(ValueError, match=f"y mixes {named}"):
            learned(given, how)


@pytest.mark.parametrize("bad", [{}, {1}, bytearray(b"x")])
def test_labels_that_are_not_hashable_are_one_clear_line(bad):
    with pytest.raises(ValueError, match=r"y holds a (dict|set|bytearray).*not hashable"):
        learned([bad] * N_ROWS)


@pytest.mark.parametrize(
    "classes",
    [
        [b"z", b"x", b"y"],
        np.array([b"x", b"y", b"z"]),
        np.array([b"x", b"y", b"z"], dtype=object),
    ],
)
def test_classes_of_partial_fit_are_of_every_type(classes):
    y = label_cases()["bytes"]
    encoder = make().partial_fit(X[:2], y[:2], classes=classes)
    encoder.partial_fit(X, y, classes=classes)
    assert encoder.classes_.tolist() == [b"x", b"y", b"z"]


@pytest.mark.parametrize("dtype", ["f2", "g", "i1", "O"])
def test_classes_of_partial_fit_are_of_every_dtype(dtype):
    classes = np.arange(3).astype(dtype)
    encoder = make().partial_fit(X[:2], CODES[:2].astype(dtype), classes=classes)
    assert encoder.partial_fit(X, CODES, classes=[0, 1, 2]).classes_.tolist() == [0, 1, 2]


def test_classes_of_tuples_are_classes():
    y = [(int(code), "of") for code in CODES]
    encoder = make().partial_fit(X[:1], y[:1], classes=[(0, "of"), (1, "of"), (2, "of")])
    assert encoder.partial_fit(X, y).classes_.tolist() == sorted(set(y))


@pytest.mark.parametrize("classes", [[1, "a"], [1, None], [], 3, [dt.date(2020, 1, 1)]])
def test_classes_that_cannot_be_used_are_one_clear_line(classes):
    with pytest.raises(ValueError, match=r"classes=|y mixes|times") as raised:
        make().partial_fit(X, CODES, classes=classes)
    assert "\n" not in str(raised.value)


# ---------------------------------------------------------------- times

DAYS = [dt.date(2020, 1, 1) + dt.timedelta(days=n) for n in range(N_ROWS)]
TIMES = {
    "datetime64": np.array(DAYS, dtype="M8[D]"),
    "timedelta64": np.arange(N_ROWS).astype("m8[s]"),
    "timestamps": pd.Series(pd.date_range("2020", periods=N_ROWS)),
    "timestamps with a zone": pd.Series(pd.date_range("2020", periods=N_ROWS, tz="UTC")),
    "Timedelta": list(pd.to_timedelta(range(N_ROWS), unit="s")),
    "periods": pd.Series(pd.period_range("2020", periods=N_ROWS, freq="D")),
    "dates": DAYS,
    "two dates": [DAYS[code % 2] for code in range(N_ROWS)],
    "datetimes": [dt.datetime.combine(day, dt.time()) for day in DAYS],
    "timedeltas": [day - DAYS[0] for day in DAYS],
    "times of day": [dt.time(code % 24) for code in range(N_ROWS)],
    "categories": pd.Series(DAYS[:2] * 60, dtype="category"),
    "dates of Arrow": pa.array(DAYS),
    "durations of Arrow": pa.array([day - DAYS[0] for day in DAYS]),
    "dates of polars": pl.Series(DAYS),
    "durations of polars": pl.Series([day - DAYS[0] for day in DAYS]),
    "a frame": pd.DataFrame({"p": NUMBERS, "q": pd.date_range("2020", periods=N_ROWS)}),
    "a frame of polars": pl.DataFrame({"p": NUMBERS, "q": DAYS}),
}


@each_way
@pytest.mark.parametrize("y", TIMES.values(), ids=TIMES)
def test_a_time_as_target_is_one_clear_line(y, how):
    with pytest.raises(
        ValueError, match=r"y holds times, as .*make numbers of them"
    ) as error:
        learned(y, how)
    assert "\n" not in str(error.value)


# ---------------------------------------------------------------- many classes


def warnings_of(y, how="fit", **parameters):
    rows = pd.DataFrame({"a": (np.arange(len(y)) % 4).astype(str)})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        getattr(make(**parameters), how)(rows, y)
    assert all(warning.filename == __file__ for warning in caught)
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize("how", ["fit", "fit_transform", "partial_fit"])
@pytest.mark.parametrize("dtype", [int, float, object, "u1"])
def test_21_to_100_whole_numbers_warn_once_of_both_readings(dtype, how):
    for n_classes, n_warnings in {20: 0, 21: 1, 100: 1, 101: 0}.items():
        messages = warnings_of(np.tile(np.arange(n_classes), 3).astype(dtype), how)
        assert len(messages) == n_warnings
        for message in messages:
            assert f"{n_classes} different whole numbers" in message
            assert "target_type='continuous'" in message


@pytest.mark.parametrize("target_type", ["continuous", "multiclass"])
def test_a_type_that_is_said_does_not_warn_of_whole_numbers(target_type):
    assert warnings_of(np.tile(np.arange(50), 3), target_type=target_type) == []


@pytest.mark.parametrize("how", ["fit", "fit_transform", "partial_fit"])
def test_more_classes_than_half_the_rows_warn(how):
    y = np.array([f"label {n}" for n in range(31)] + ["label 0"] * 29)
    assert ["31 classes in 60 rows" in message for message in warnings_of(y, how)] == [True]
    assert warnings_of(np.append(y, ["label 0"] * 2), how) == []


def test_more_than_200_classes_warn():
    y = np.array([f"label {n % 201}" for n in range(603)])
    (message,) = warnings_of(y)
    assert "201 classes in 603 rows" in message
    assert warnings_of(y[y != "label 200"]) == []
    assert len(warnings_of(y, target_type="multiclass")) == 1


def test_a_few_rows_of_a_few_classes_do_not_warn():
    assert warnings_of(["a", "b", "c", "a"]) == []


def test_classes_that_are_listed_warn_if_they_are_very_many():
    rows = X[:30]
    with pytest.warns(UserWarning, match="y has 201 classes, each of which"):
        make().partial_fit(rows, np.arange(30), classes=np.arange(201))


def test_rows_of_weight_zero_are_no_rows_of_a_target():
    y = np.array([f"label {n % 15}" for n in range(60)])
    with pytest.warns(UserWarning, match="15 classes in 20 rows"):
        make().fit(X[:60], y, np.arange(60) < 20)


# ---------------------------------------------------------------- weights

WEIGHTS = np.arange(N_ROWS) % 4 / 2
SAME_WEIGHTS = {
    "list": WEIGHTS.tolist(),
    "series": pd.Series(WEIGHTS, index=range(5, 5 + N_ROWS)),
    "Float64": pd.Series(WEIGHTS, dtype="Float64"),
    "Arrow": pa.array(WEIGHTS),
    "polars": pl.Series(WEIGHTS),
    "decimals": [Decimal(weight) for weight in WEIGHTS],
    "float16": WEIGHTS.astype("f2"),
    "longdouble": WEIGHTS.astype("g"),
    "objects": WEIGHTS.astype(object),
}


@each_way
@pytest.mark.parametrize("weight", SAME_WEIGHTS.values(), ids=SAME_WEIGHTS)
def test_weights_of_every_type_give_the_same_bits(weight, how):
    expected = learned(NUMBERS, how, WEIGHTS).embeddings_[0]
    assert_array_equal(learned(NUMBERS, how, weight).embeddings_[0], expected)


def test_boolean_weights_leave_rows_out():
    used = CODES > 0
    expected = make().fit(X[used], NUMBERS[used]).embeddings_[0]
    for weight in (used, used.tolist(), pa.array(used), pd.Series(used, dtype="boolean")):
        assert_array_equal(learned(NUMBERS, "fit", weight).embeddings_[0], expected)


@each_way
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (["1"] * N_ROWS, "must be numbers, but holds '1'"),
        (np.array(["1"] * N_ROWS), "must be numbers, but holds '1'"),
        (pd.Series(["1"] * N_ROWS), "must be numbers, but holds '1'"),
        ([b"1"] * N_ROWS, "must be numbers, but holds b'1'"),
        (np.ones(N_ROWS, dtype="m8[s]"), "sample_weight holds times"),
        (DAYS, "sample_weight holds times"),
        (np.ones(N_ROWS, dtype=complex), "sample_weight is complex"),
        (-np.ones(N_ROWS), "sample_weight is negative in row 0"),
        ([-Decimal(1)] * N_ROWS, "sample_weight is negative in row 0"),
        ([np.nan] * N_ROWS, r"sample_weight contains NaN \(row 0\)"),
        ([np.inf] * N_ROWS, "sample_weight contains infinity"),
        (np.full(N_ROWS, np.inf, "f2"), "sample_weight contains infinity"),
        ([None] * N_ROWS, "sample_weight is missing in all rows|missing|NaN"),
        (pd.DataFrame({"w": np.ones(N_ROWS)}), "sample_weight is a frame"),
        (np.ones(3), r"sample_weight.shape == \(3,\)"),
    ],
)
def test_weights_that_are_none_are_one_clear_line(weight, message, how):
    with pytest.raises(ValueError, match=message) as raised:
        learned(NUMBERS, how, weight)
    assert "\n" not in str(raised.value)


# ---------------------------------------------------------------- frames


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"p": NUMBERS}),
        pl.DataFrame({"p": NUMBERS}),
        pa.table({"p": NUMBERS}),
        NUMBERS[:, None],
        NUMBERS[:, None].tolist(),
    ],
    ids=["pandas", "polars", "Arrow", "numpy", "rows"],
)
def test_a_frame_of_one_column_is_taken_with_scikit_learns_warning_once(frame):
    with pytest.warns(UserWarning, match="A column-vector y was passed") as caught:
        encoded = make().fit_transform(X, frame)
    assert len(caught) == 1
    assert_array_equal(encoded, make().fit_transform(X, NUMBERS))
