"""Values are one category where Python calls them equal, in whatever form they come."""

from __future__ import annotations

import collections
import datetime as dt
import enum
import functools
import pickle
import sqlite3
import uuid
from contextlib import closing
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from sk_embed import EmbeddingEncoder
from sk_embed.inspection import nearest_categories

pa = pytest.importorskip("pyarrow")

N_ROWS = 130  # more than are looked up one by one
TARGET = np.arange(N_ROWS) % 7 + np.cos(np.arange(N_ROWS))
NAN = float("nan")


class Colour(str, enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


Pair = collections.namedtuple("Pair", "first second")


def objects(values):
    return np.fromiter(values, dtype=object, count=len(values))


def repeated(values, n_rows):
    return [values[row % len(values)] for row in range(n_rows)]


def lists(values):
    return lambda n_rows: [[value] for value in repeated(values, n_rows)]


def tuples(values):
    return lambda n_rows: [(value,) for value in repeated(values, n_rows)]


def frame(values, dtype=object):
    return lambda n_rows: pd.DataFrame(
        {"a": pd.Series(objects(repeated(values, n_rows)), dtype=dtype)}
    )


def categories(values):
    """Return what makes a category column by codes, for pandas 2 itself merges strings."""
    known = [value for value in values if value is not None]
    code_of = {value: code for code, value in enumerate(known)} | {None: -1}
    index = pd.Index(objects(known), dtype=object)

    def make(n_rows):
        codes = [code_of[value] for value in repeated(values, n_rows)]
        return pd.DataFrame({"a": pd.Categorical.from_codes(codes, categories=index)})

    return make


def array(values, dtype=object):
    if dtype is object:
        return lambda n_rows: objects(repeated(values, n_rows))[:, None]
    return lambda n_rows: np.array(repeated(values, n_rows), dtype=dtype)[:, None]


def arrow(values, dtype=None):
    def make(n_rows):
        column = pa.array(repeated(values, n_rows), dtype)
        return pd.DataFrame({"a": pd.Series(pd.arrays.ArrowExtensionArray(column))})

    return make


def arrow_dictionary(dictionary):
    def make(n_rows):
        codes = pa.array(repeated(range(len(dictionary)), n_rows))
        column = pa.DictionaryArray.from_arrays(codes, dictionary)
        return pd.DataFrame({"a": pd.Series(pd.arrays.ArrowExtensionArray(column))})

    return make


def polars(values, dtype=None):
    return lambda n_rows: pl.DataFrame(
        {"a": pl.Series(repeated(values, n_rows), dtype=dtype)}
    )


def as_they_come(values):
    """Return the forms that hold Python's own values."""
    return {
        "lists": lists(values),
        "tuples": tuples(values),
        "objects": frame(values),
        "array of objects": array(values),
    }


def units(values, of_numpy, of_arrow):
    forms = {}
    for unit in ("s", "ms", "us", "ns"):
        forms[f"pandas {unit}"] = frame(values, f"{of_numpy}64[{unit}]")
        forms[f"array of {unit}"] = array(values, f"{of_numpy}64[{unit}]")
        forms[f"Arrow {unit}"] = arrow(values, of_arrow(unit))
    return forms


def nan_that_is_not_masked(n_rows):
    numbers = np.array(repeated([1.5, NAN, 2.0], n_rows))
    is_missing = np.zeros(n_rows, dtype=bool)
    return pd.DataFrame({"a": pd.arrays.FloatingArray(numbers, is_missing)})


def masked(n_rows):
    rows = repeated([1.5, None, 2.0], n_rows)
    mask = [value is None for value in rows]
    return np.ma.masked_array([value or 0 for value in rows], mask)[:, None]


def database_rows(n_rows):
    rows = repeated([10**18, 10**18 + 1], n_rows)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        return [connection.execute("select ? a", (number,)).fetchone() for number in rows]


AROUND_FLOATS = [2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1]
BEYOND_INT64 = [2**63, 2**63 + 1, 1, 2**64 - 1]
HALVES = [0.5, -0.0, 1.0, 2.0]
NUL = ["a", "a\0", "a\0b", "", "long" * 3000]
LONE = ["\ud83d", "'\\ud83d'", "x", "a\0", "a"]
DATES = [dt.date(2020, 1, 1), dt.date(1, 1, 1), dt.date(9999, 12, 31)]
TIMES = [dt.datetime(2020, 1, 1), dt.datetime(1900, 5, 5, 1, 2, 3), dt.datetime(2100, 1, 1)]
FAR = [dt.datetime(1, 1, 1), dt.datetime(9999, 1, 1), dt.datetime(2020, 1, 1)]
IN_UTC = [dt.datetime(year, 1, 1, tzinfo=dt.timezone.utc) for year in (2020, 2021)]
DURATIONS = [dt.timedelta(1), dt.timedelta(0, 1), dt.timedelta(-3)]
OF_DAY = [dt.time(1), dt.time(2, 3, 4, 5)]
DECIMALS = [Decimal("1.50"), Decimal("2.5"), None, Decimal(3)]
IDS = [uuid.UUID(int=1), uuid.UUID(int=2)]
MONTHS = [pd.Period("2020-01", "M"), pd.Period("2021-02", "M")]
INTERVALS = [pd.Interval(0, 1), pd.Interval(1, 2)]
LONG_DOUBLES = [np.longdouble(text) for text in ("0.1", "0.2", "0.5")]
MIXED = [1, "1", 2.5, b"b", None, dt.date(2020, 1, 1), Decimal("7.5"), (1, 2)]
MIXED_OF_NUMPY = [
    *(np.int8(1), np.str_("1"), np.float32(2.5), np.bytes_(b"b"), NAN),
    *(dt.date(2020, 1, 1), Fraction(15, 2), (1.0, 2)),
]

# name: (number of categories, forms)
FORMS = {
    "integers around those that floats hold": (
        4,
        as_they_come(AROUND_FLOATS)
        | {
            dtype: frame(AROUND_FLOATS, dtype)
            for dtype in ("int64", "uint64", "Int64", "UInt64")
        }
        | {
            "Arrow": arrow(AROUND_FLOATS),
            "Arrow uint64": arrow(AROUND_FLOATS, pa.uint64()),
            "Arrow decimal": arrow(list(map(Decimal, AROUND_FLOATS)), pa.decimal128(25, 0)),
            "polars": polars(AROUND_FLOATS),
            "polars UInt64": polars(AROUND_FLOATS, pl.UInt64),
            "categories": categories(AROUND_FLOATS),
            "decimals": frame(list(map(Decimal, AROUND_FLOATS))),
            "fractions": frame(list(map(Fraction, AROUND_FLOATS))),
            "numpy's": lists(list(map(np.int64, AROUND_FLOATS))),
        },
    ),
    "integers beyond int64": (
        4,
        as_they_come(BEYOND_INT64)
        | {
            "uint64": frame(BEYOND_INT64, "uint64"),
            "array of uint64": array(BEYOND_INT64, "u8"),
            "UInt64": frame(BEYOND_INT64, "UInt64"),
            "Arrow": arrow(BEYOND_INT64, pa.uint64()),
            "polars": polars(BEYOND_INT64, pl.UInt64),
            "decimals": frame(list(map(Decimal, BEYOND_INT64))),
        },
    ),
    "floats of every width": (
        4,
        as_they_come(HALVES)
        | {
            dtype: frame(HALVES, dtype)
            for dtype in ("float16", "float32", "float64", "Float32", "Float64")
        }
        | {
            f"array of {dtype}": array(HALVES, dtype)
            for dtype in ("f2", ">f2", "f4", ">f4", "f8", "g")
        }
        | {
            "big-endian": lambda n: pd.DataFrame({"a": array(HALVES, ">f8")(n)[:, 0]}),
            "long double": lambda n: pd.DataFrame({"a": array(HALVES, "g")(n)[:, 0]}),
            "list of half floats": lists(list(map(np.float16, HALVES))),
            "list of long doubles": lists(list(map(np.longdouble, HALVES))),
            "Arrow half floats": arrow(list(map(np.float16, HALVES)), pa.float16()),
            "polars Float32": polars(HALVES, pl.Float32),
            "polars Float16": polars(HALVES, getattr(pl, "Float16", pl.Float32)),
            "decimals": frame(list(map(Decimal, HALVES))),
            "fractions": frame(list(map(Fraction, HALVES))),
            "all kinds of numbers": lists([Fraction(1, 2), 0, True, Decimal(2)]),
        },
    ),
    "zeros of both signs": (
        2,
        as_they_come([0.0, -0.0, 1.0])
        | {"float64": frame([0.0, -0.0, 1.0], "float64")}
        | {"Float64": frame([0.0, -0.0, 1.0], "Float64")}
        | {"Arrow": arrow([0.0, -0.0, 1.0]), "polars": polars([0.0, -0.0, 1.0])},
    ),
    "long doubles that no float holds": (
        3,
        as_they_come(LONG_DOUBLES) | {"array": array(LONG_DOUBLES, "g")},
    ),
    "booleans": (
        2,
        as_they_come([True, False])
        | {dtype: frame([True, False], dtype) for dtype in ("bool", "boolean", "int8")}
        | {
            "Arrow": arrow([True, False]),
            "polars": polars([True, False]),
            "numpy's": lists([np.True_, np.False_]),
            "decimals": frame([Decimal(1), Decimal(0)]),
        },
    ),
    "strings with NUL": (
        5,
        as_they_come(NUL)
        | {dtype: frame(NUL, dtype) for dtype in ("str", "string", "string[python]")}
        | {
            "Arrow": arrow(NUL),
            "Arrow, large": arrow(NUL, pa.large_string()),
            "Arrow dictionary": arrow_dictionary(pa.array(NUL)),
            "polars": polars(NUL),
            "polars Categorical": polars(NUL, pl.Categorical),
            "categories": categories(NUL),
        },
    ),
    "strings of lone surrogates": (5, as_they_come(LONE)),
    "members of an enumeration of strings": (
        2,
        as_they_come([*Colour]) | {"strings": frame(["red", "blue"], "str")},
    ),
    "members of an enumeration of numbers": (
        2,
        as_they_come([*Size]) | {"numbers": frame([1, 2], "int64")},
    ),
    "tuples, in which NaN is missing": (
        4,
        as_they_come([(1, "a"), (2, NAN), (1, float("nan")), ("b",)]),
    ),
    "named tuples": (
        2,
        as_they_come([Pair(1, 2), Pair(2, 3)]) | {"tuples": frame([(1, 2), (2, 3)])},
    ),
    "sets": (
        3,
        as_they_come([frozenset("ab"), frozenset("a"), frozenset("c")])
        | {"others": lists([frozenset("ba"), frozenset("a"), frozenset("c")])},
    ),
    "dates": (
        3,
        as_they_come(DATES)
        | {
            "polars": polars(DATES),
            "Arrow date32": arrow(DATES),
            "Arrow date64": arrow(DATES, pa.date64()),
            "categories": categories(DATES),
        },
    ),
    "times of every unit": (
        3,
        as_they_come(TIMES)
        | units(TIMES, "datetime", pa.timestamp)
        | {
            "numpy's": lists(list(map(np.datetime64, TIMES))),
            "objects of numpy's": frame(list(map(np.datetime64, TIMES))),
            "pandas' and numpy's": frame(
                [np.datetime64(TIMES[0]), TIMES[1], pd.Timestamp(TIMES[2])]
            ),
        }
        | {f"polars {u}": polars(TIMES, pl.Datetime(u)) for u in ("ms", "us", "ns")},
    ),
    "times beyond nanoseconds": (
        3,
        as_they_come(FAR)
        | {
            "array of s": array(FAR, "M8[s]"),
            "array of us": array(FAR, "M8[us]"),
            "Arrow s": arrow(FAR, pa.timestamp("s")),
            "Arrow us": arrow(FAR, pa.timestamp("us")),
            "polars": polars(FAR, pl.Datetime("us")),
        },
    ),
    "times with a zone": (
        2,
        as_they_come(IN_UTC)
        | {
            "UTC": frame(IN_UTC, "datetime64[us, UTC]"),
            "Berlin": frame(IN_UTC, "datetime64[ns, Europe/Berlin]"),
            "Arrow": arrow(IN_UTC, pa.timestamp("s", "Europe/Berlin")),
            "polars": polars(IN_UTC, pl.Datetime("us", "UTC")),
        },
    ),
    "durations of every unit": (
        3,
        as_they_come(DURATIONS)
        | units(DURATIONS, "timedelta", pa.duration)
        | {"numpy's": lists(list(map(np.timedelta64, DURATIONS)))},
    ),
    "times of day": (
        2,
        as_they_come(OF_DAY)
        | {
            "Arrow": arrow(OF_DAY),
            "Arrow ns": arrow(OF_DAY, pa.time64("ns")),
            "polars": polars(OF_DAY),
        },
    ),
    "periods": (2, as_they_come(MONTHS) | {"period": frame(MONTHS, "period[M]")}),
    "intervals": (
        2,
        as_they_come(INTERVALS) | {"interval": frame(INTERVALS, "interval[int64, right]")},
    ),
    "bytes": (
        2,
        as_they_come([b"ab", b"a\0"])
        | {
            "Arrow": arrow([b"ab", b"a\0"]),
            "Arrow, large": arrow([b"ab", b"a\0"], pa.large_binary()),
            "Arrow, of two bytes": arrow([b"ab", b"a\0"], pa.binary(2)),
            "polars": polars([b"ab", b"a\0"]),
        },
    ),
    "UUIDs": (
        2,
        as_they_come(IDS)
        | (
            {"Arrow": arrow([i.bytes for i in IDS], pa.uuid())}
            if hasattr(pa, "uuid")
            else {}
        ),
    ),
    "decimals": (
        4,
        as_they_come(DECIMALS)
        | {
            "Arrow": arrow(DECIMALS, pa.decimal128(10, 2)),
            "Arrow, wide": arrow(DECIMALS, pa.decimal256(50, 3)),
            "polars": polars(
                [Decimal("1.50"), Decimal("2.50"), None, Decimal("3.00")], pl.Decimal(10, 2)
            ),
            "float64": frame([1.5, 2.5, None, 3], "float64"),
        },
    ),
    "numbers and missing": (
        3,
        as_they_come([1.5, None, 2.0])
        | {
            "NaN in lists": lists([1.5, NAN, 2]),
            "NA in lists": lists([1.5, pd.NA, 2]),
            "Float64": frame([1.5, None, 2.0], "Float64"),
            "Float64 with NaN": nan_that_is_not_masked,
            "Arrow": arrow([1.5, None, 2.0]),
            "Arrow with NaN": arrow([1.5, NAN, 2.0]),
            "polars with NaN": polars([1.5, NAN, 2.0]),
            "array of half floats": array([1.5, None, 2.0], "f2"),
            "masked": masked,
            "list of masked rows": lambda n_rows: list(masked(n_rows)),
        },
    ),
    "integers and missing": (
        3,
        as_they_come([1, None, 2**60 + 1])
        | {
            "NaN in lists": lists([1, NAN, 2**60 + 1]),
            "Int64": frame([1, None, 2**60 + 1], "Int64"),
            "Arrow": arrow([1, None, 2**60 + 1]),
            "polars": polars([1, None, 2**60 + 1]),
            "categories": categories([1, None, 2**60 + 1]),
        },
    ),
    "nothing but missing": (
        1,
        as_they_come([None])
        | {
            "Arrow": arrow([None], pa.null()),
            "polars": polars([None], pl.Null),
            "float64": frame([None], "float64"),
            "categories": categories([None]),
        },
    ),
    "mixed types": (
        8,
        as_they_come(MIXED)
        | {"polars Object": polars(MIXED, pl.Object), "numpy's": lists(MIXED_OF_NUMPY)},
    ),
    "a dictionary of Arrow that repeats a value": (
        2,
        {"Arrow": arrow_dictionary(pa.array(["a", "a", "b"]))}
        | as_they_come(["a", "a", "b"]),
    ),
    "rows of a database": (
        2,
        {
            "rows": database_rows,
            "deque": lambda n: collections.deque(database_rows(n)),
            "named tuples": lambda n: [Pair(*row, 0)[:1] for row in database_rows(n)],
            "rows of numpy": lambda n: [objects(list(row)) for row in database_rows(n)],
            "Arrow's scalars": lambda n: [(pa.scalar(*row),) for row in database_rows(n)],
            "Series": lambda n: [
                pd.Series(list(r), dtype=object) for r in database_rows(n)
            ],
        }
        | as_they_come([10**18, 10**18 + 1]),
    ),
}
if hasattr(getattr(np, "dtypes", None), "StringDType"):
    TEXT = np.dtypes.StringDType
    FORMS["numpy's own strings"] = (
        3,
        {"StringDType": array(["a", "b\0", ""], TEXT())} | as_they_come(["a", "b\0", ""]),
    )
    FORMS["numpy's own strings with gaps"] = (
        2,
        {
            f"StringDType, {gap}": array(["a", gap], TEXT(na_object=gap))
            for gap in (None, NAN, pd.NA)
        }
        | as_they_come(["a", None]),
    )
# What no file can hold.
NOT_SAVED = (Colour, Size, Pair, Fraction, frozenset)

pytestmark = [
    pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning"),
    pytest.mark.filterwarnings("ignore:X has feature names, but:UserWarning"),
]


def encoder(**parameters):
    return EmbeddingEncoder(
        0, alpha=1.0, max_iter=1, hidden_layer_sizes=(2,), random_state=0, **parameters
    )


@functools.cache
def fit_each(name):
    """Return an encoder fitted on each form, and how that encodes its rows."""
    fitted = []
    for make in FORMS[name][1].values():
        X = make(N_ROWS)
        own = encoder().fit(X, TARGET)
        fitted.append((own, own.transform(X)))
    return fitted


@functools.cache
def made(name, form, n_rows):
    return FORMS[name][1][form](n_rows)


def assert_known_alike(fitted, name, expected):
    for form in FORMS[name][1]:
        for n_rows in (N_ROWS, 64, 1):
            found = fitted.transform(made(name, form, n_rows))
            assert_array_equal(found, expected[:n_rows], err_msg=f"{n_rows} of {form}")


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMS)
def test_equal_values_have_one_vector_whatever_form_was_learned_from(name):
    n_categories, _ = FORMS[name]
    _, first = fit_each(name)[0]
    for fitted, encoded in fit_each(name):
        assert len(fitted.categories_[0]) == n_categories
        assert len(np.unique(encoded)) == n_categories
        assert_array_equal(encoded, first)
        assert_known_alike(fitted, name, first)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMS)
def test_equal_values_count_once_in_chunks_of_all_forms(name):
    n_categories, forms = FORMS[name]
    begun = [encoder(), encoder().fit(next(iter(forms.values()))(N_ROWS), TARGET)]
    for stream in begun:
        for make in forms.values():
            stream.partial_fit(make(N_ROWS), TARGET)
        assert len(stream.categories_[0]) == n_categories
        make = next(iter(forms.values()))
        assert_known_alike(stream, name, stream.transform(make(N_ROWS)))


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMS)
def test_equal_values_are_known_to_an_encoder_from_a_pickle_or_a_file(name, tmp_path):
    for fitted, encoded in fit_each(name):
        assert_known_alike(pickle.loads(pickle.dumps(fitted)), name, encoded)
        if not any(isinstance(value, NOT_SAVED) for value in fitted.categories_[0]):
            fitted.save(tmp_path / "encoder.zip")
            loaded = EmbeddingEncoder.load(tmp_path / "encoder.zip")
            assert_known_alike(loaded, name, encoded)


@pytest.mark.parametrize("name", FORMS)
def test_values_come_back_and_are_asked_for_by_themselves(name):
    for fitted, encoded in fit_each(name):
        found = fitted.inverse_transform(encoded)
        assert_array_equal(fitted.transform(found), encoded)
        table = fitted.to_frame(0)
        assert table["count"].sum() == N_ROWS
        for category in table.index:
            others = nearest_categories(fitted, 0, category, n_neighbors=99)
            assert len(others) == len(table) - 1


@pytest.mark.parametrize("name", FORMS)
def test_rows_of_weight_zero_are_left_out_of_every_form(name):
    weight = (np.arange(N_ROWS) > 9).astype(float)
    expected = None
    for form in FORMS[name][1]:
        X = made(name, form, N_ROWS)
        fitted = encoder().fit(X, TARGET, weight)
        expected = fitted.transform(X) if expected is None else expected
        assert_array_equal(fitted.transform(X), expected, err_msg=form)


# ---------------------------------------------------------------- not equal

NOT_EQUAL = {
    "an integer that no float is": (frame([2**53 + 1], "int64"), frame([2.0**53])),
    "a float beside an integer": (frame([2.0**53]), frame([2**53 + 1], "int64")),
    "the end of int64 as a float": (
        frame([2**63 - 1], "int64"),
        frame([2.0**63], "float64"),
    ),
    "the end of uint64 as a float": (
        frame([2**64 - 1], "uint64"),
        frame([2.0**64], "float"),
    ),
    "a float beyond int64": (frame([2.0**63], "float64"), frame([2**63 - 1], "int64")),
    "minus one as unsigned": (frame([-1], "int64"), frame([2**64 - 1], "uint64")),
    "unsigned beside minus one": (frame([2**64 - 1], "uint64"), frame([-1], "int64")),
    "256 beside int8": (frame([0], "int8"), frame([256], "int64")),
    "a tenth in half its digits": (frame([0.1], "float64"), frame([0.1], "float32")),
    "a tenth in all its digits": (frame([0.1], "float32"), frame([0.1], "float64")),
    "a decimal tenth": (frame([0.1], "float64"), frame([Decimal("0.1")])),
    "infinity beside the largest": (frame([2**63 - 1], "int64"), frame([np.inf], "float")),
    "a date beside its midnight": (frame(DATES[:1]), frame(TIMES[:1], "datetime64[us]")),
    "a second beside its nanosecond": (
        array(["2020-01-01"], "M8[s]"),
        array(["2020-01-01T00:00:00.000000001"], "M8[ns]"),
    ),
    "a time that another unit does not reach": (
        array(["2020-01-01"], "M8[ns]"),
        array([2**33], "M8[s]"),
    ),
    "a duration beside its number": (array([1], "m8[s]"), frame([1], "int64")),
    "bytes beside their string": (frame(["a"]), frame([b"a"])),
    "a string beside its lone surrogate": (lists(["'\\ud83d'"]), lists(["\ud83d"])),
    "a string that ends at NUL": (lists(["a"]), lists(["a\0b"])),
    "a digit beside its number": (frame([1], "int64"), frame(["1"])),
}


@pytest.mark.filterwarnings("ignore:Column .* held .* in fit but holds:UserWarning")
@pytest.mark.parametrize("n_rows", [1, N_ROWS])
@pytest.mark.parametrize("name", NOT_EQUAL)
def test_values_that_python_does_not_call_equal_are_unknown(name, n_rows):
    known, other = NOT_EQUAL[name]
    fitted = encoder().fit(known(N_ROWS), np.r_[TARGET[1:], 99.0])
    assert_array_equal(fitted.transform(other(n_rows)), 0)
    strict = encoder(handle_unknown="error").fit(known(N_ROWS), TARGET)
    with pytest.raises(ValueError, match=r"unknown category .* in row 0") as raised:
        strict.transform(other(n_rows))
    assert "\n" not in str(raised.value)
    both = encoder().partial_fit(known(N_ROWS), TARGET).partial_fit(other(N_ROWS), TARGET)
    assert len(both.categories_[0]) == 2


@pytest.mark.parametrize("turn", [1, -1])
def test_the_order_of_sets_does_not_depend_on_the_order_of_rows(turn):
    values = [frozenset(text) for text in ("ab", "c", "a", "", "bc")]
    fitted = encoder().fit(lists(values[::turn])(N_ROWS), TARGET)
    found = ["".join(sorted(value)) for value in fitted.categories_[0]]
    assert found == ["", "a", "ab", "bc", "c"]


def test_the_order_of_numbers_beside_strings_is_theirs_whichever_type_came_first():
    for one in (1, 1.0, Decimal(1), Fraction(1), np.float32(1)):
        column = lists([one, "a", Decimal("-Infinity"), Fraction(1, 2), 2, 1, Decimal(1)])
        fitted = encoder().fit(column(N_ROWS), TARGET)
        assert fitted.categories_[0].tolist() == [Decimal("-Infinity"), 0.5, 1, 2, "a"]
