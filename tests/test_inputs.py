"""The same table in every form that it comes in gives the same bits.

Each form of a column is learned from and encoded; whatever was learned from, every form
must be encoded alike.
"""

from __future__ import annotations

import copy
import datetime
import functools
import warnings
from contextlib import nullcontext
from decimal import Decimal
from importlib.util import find_spec
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

from sk_embed import EmbeddingEncoder

# Frames and arrays take turns, of which scikit-learn warns.
pytestmark = [
    pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning"),
    pytest.mark.filterwarnings("ignore:X has feature names, but:UserWarning"),
]

N_ROWS = 120
# A wave of each length in which the columns below repeat.
TARGET = sum(np.cos(2 * np.pi * np.arange(N_ROWS) / length + 1) for length in range(2, 8))


def encoder(**params):
    chosen = {"n_components": 2, "alpha": 1.0, "max_iter": 2, "random_state": 0}
    return EmbeddingEncoder(**chosen | params)


def of_length(values):
    return (list(values) * N_ROWS)[:N_ROWS]


def objects(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def frame(dtype):
    """Return what makes a pandas frame of a column of this dtype."""
    return lambda values: pd.DataFrame({"a": pd.Series(objects(values), dtype=dtype)})


def polars(dtype=None):
    return lambda values: pl.DataFrame({"a": pl.Series(values, dtype=dtype)})


def array(dtype):
    return lambda values: np.array(values, dtype=dtype)[:, None]


def lists(values):
    return [[value] for value in values]


def with_missing(missing):
    """Return what makes an object column whose missing values are this one."""

    def make(values):
        return frame(object)([missing if v is None else v for v in values])

    return make


def categories(values):
    return sorted({value for value in values if value is not None})


def unused_and_reversed(values):
    """Return an ordered category column, some of its categories never used."""
    known = categories(values)
    unused = [known[-1] + known[-1]] if isinstance(known[0], str) else []
    dtype = pd.CategoricalDtype([*unused, *known[::-1]], ordered=True)
    return pd.DataFrame({"a": pd.Categorical(values, dtype=dtype)})


def polars_enum(values):
    return polars(pl.Enum(["unused", *categories(values)[::-1]]))(values)


def arrow_dictionary(values):
    dtype = pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))
    return frame(dtype)(values)


def arrow(name, *arguments):
    """Return what makes a pandas frame of a column of a type of Arrow."""
    return lambda values: frame(pd.ArrowDtype(getattr(pa, name)(*arguments)))(values)


def arrow_table(name, *arguments):
    return lambda values: pa.table({"a": pa.array(values, getattr(pa, name)(*arguments))})


def masked(values):
    filled = [0 if value is None else value for value in values]
    return np.ma.masked_array(filled, [value is None for value in values])[:, None]


def integer_column_without_gaps(values):
    return pd.DataFrame({"a": pd.array(values, dtype="Int64")})


def berlin(values):
    return pd.Series(values).dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")


def sparse_column(values):
    return pd.DataFrame({"a": pd.arrays.SparseArray(values)})


OBJECTS = {
    "object": frame(object),
    "category": frame("category"),
    "array of objects": array(object),
    "lists": lists,
}
CATEGORIES = {"ordered category": unused_and_reversed}
STRING_DTYPES = {
    name: frame(name) for name in ("str", "string[python]", "string[pyarrow]")
} | {
    "Arrow dictionary": arrow_dictionary,
    "polars": polars(),
    "polars String": polars(pl.String),
    "polars Categorical": polars(pl.Categorical),
    "polars Enum": polars_enum,
}
MISSING = {
    repr(missing): with_missing(missing)
    for missing in (None, np.nan, float("nan"), pd.NA, pd.NaT, np.datetime64("NaT", "ns"))
}
INTEGER_DTYPES = {
    name: frame(name) for name in ("int8", "int64", "uint8", "uint64", "float32", "float64")
}
NULLABLE_DTYPES = {name: frame(name) for name in ("Int8", "UInt64", "Float64")}
ARROW_INTEGERS = {"Arrow integers": frame("int64[pyarrow]")}
POLARS_INTEGERS = {
    f"polars {dtype}": polars(dtype) for dtype in (pl.Int8, pl.Int64, pl.UInt64, pl.Float32)
}
if hasattr(pl, "Int128"):
    POLARS_INTEGERS["polars Int128"] = polars(pl.Int128)

JANUARY = [datetime.datetime(2020, 1, day) for day in (3, 1, 2)]

# name: (values, forms); the first form is the one that the others are compared with.
FORMS = {
    "strings": (
        of_length(["pear", "fig", "plum", "fig", "10"]),
        OBJECTS
        | CATEGORIES
        | STRING_DTYPES
        | {"array of strings": array("U"), "rows as tuples": lambda v: [(x,) for x in v]},
    ),
    "strings and missing": (
        of_length(["pear", None, "plum", "", "nan"]),
        OBJECTS | CATEGORIES | STRING_DTYPES | MISSING,
    ),
    "bytes": (
        of_length([b"pear", b"fig", b"plum"]),
        OBJECTS | {"array of bytes": array("S"), "polars Binary": polars(pl.Binary)},
    ),
    "integers": (
        of_length([10, 9, 1, 0]),
        OBJECTS
        | CATEGORIES
        | INTEGER_DTYPES
        | NULLABLE_DTYPES
        | ARROW_INTEGERS
        | POLARS_INTEGERS
        | {
            "array of int": array("i4"),
            "array of float": array("f4"),
            "big-endian array": array(">i8"),
            "Fortran array": lambda v: np.asfortranarray(np.column_stack([v, v])[:, :1]),
            "sparse column": sparse_column,
        },
    ),
    "integers and missing": (
        of_length([10, None, 1, 0]),
        OBJECTS
        | CATEGORIES
        | NULLABLE_DTYPES
        | ARROW_INTEGERS
        | POLARS_INTEGERS
        | MISSING
        | {"float": frame("float64"), "array of float": array(float), "masked": masked},
    ),
    "integers beyond floats": (
        of_length([2**53, 2**53 + 1, None, 2**62]),
        {
            "object": frame(object),
            "Int64": frame("Int64"),
            "UInt64": frame("UInt64"),
            "category": frame("category"),
            "polars Int64": polars(pl.Int64),
            "polars UInt64": polars(pl.UInt64),
            "lists": lists,
        },
    ),
    "fractions": (
        of_length([0.5, -1.5, None, 2.0, np.inf]),
        OBJECTS
        | MISSING
        | {
            "float64": frame("float64"),
            "float32": frame("float32"),
            "Float64": frame("Float64"),
            "array": array(float),
            "polars": polars(),
        },
    ),
    "booleans": (
        of_length([True, False, True, True]),
        OBJECTS
        | CATEGORIES
        | INTEGER_DTYPES
        | NULLABLE_DTYPES
        | {
            "bool": frame("bool"),
            "boolean": frame("boolean"),
            "Arrow bool": frame("bool[pyarrow]"),
            "array": array(bool),
            "polars": polars(),
        },
    ),
    "booleans and missing": (
        of_length([True, False, None, True]),
        OBJECTS
        | CATEGORIES
        | MISSING
        | {
            "boolean": frame("boolean"),
            "Arrow bool": frame("bool[pyarrow]"),
            "float": frame("float64"),
            "polars": polars(),
        },
    ),
    "times": (
        of_length(JANUARY),
        OBJECTS
        | CATEGORIES
        | {
            f"datetime64[{unit}]": frame(f"datetime64[{unit}]")
            for unit in ("s", "us", "ns")
        }
        | {
            "array of days": array("M8[D]"),
            "array of ns": array("M8[ns]"),
            "polars Datetime": polars(pl.Datetime),
        },
    ),
    "dates": (
        of_length([time.date() for time in JANUARY]),
        OBJECTS
        | CATEGORIES
        | {
            "polars Date": polars(pl.Date),
            "Arrow date32": arrow("date32"),
            "Arrow date64": arrow("date64"),
        }
        | ({"Arrow table": arrow_table("date32")} if find_spec("narwhals") else {}),
    ),
    "times and missing": (
        of_length([*JANUARY, None]),
        {
            "object": frame(object),
            "datetime64[ns]": frame("datetime64[ns]"),
            "category": frame("category"),
            "array of objects": array(object),
            "array of ns": array("M8[ns]"),
            "polars Datetime": polars(pl.Datetime),
        }
        | MISSING,
    ),
    "times with a time zone": (
        of_length(JANUARY),
        {
            "UTC": lambda v: pd.DataFrame({"a": pd.Series(v).dt.tz_localize("UTC")}),
            "Berlin": lambda v: pd.DataFrame({"a": berlin(v)}),
            "object": lambda v: pd.DataFrame({"a": berlin(v).astype(object)}),
            "category": lambda v: pd.DataFrame({"a": berlin(v).astype("category")}),
            "polars": lambda v: pl.DataFrame(
                {"a": pl.Series(v).dt.replace_time_zone("UTC")}
            ),
            "polars, Berlin": lambda v: pl.DataFrame(
                {
                    "a": pl.Series(v)
                    .dt.replace_time_zone("UTC")
                    .dt.convert_time_zone("Europe/Berlin")
                }
            ),
        },
    ),
    "durations": (
        of_length([datetime.timedelta(days=days) for days in (2, 0, 1)]),
        OBJECTS
        | {
            "timedelta64": frame("timedelta64[ns]"),
            "array": array("m8[s]"),
            "polars": polars(),
        },
    ),
    "times of day": (
        of_length([datetime.time(hour) for hour in (20, 8, 12)]),
        OBJECTS | {"polars": polars()},
    ),
    "decimals": (
        of_length([Decimal("2.5"), Decimal("0.5"), Decimal("1.0"), None]),
        OBJECTS | {"polars": polars(pl.Decimal(10, 2))},
    ),
    "mixed types": (
        of_length([1, "1", 2.5, b"b", None, "b", datetime.date(2020, 1, 1)]),
        OBJECTS | MISSING,
    ),
    "integers of any size": (
        of_length([3**70, 1, -(10**30)]),
        OBJECTS,
    ),
}
PAIRS = [(kind, name) for kind, (_, forms) in FORMS.items() for name in forms]


def make(kind, name):
    values, forms = FORMS[kind]
    return forms[name](values)


class Learned(NamedTuple):
    """The encoder learned from a form, its encoded rows, the form, and it before."""

    fitted: EmbeddingEncoder
    rows: np.ndarray
    X: Any
    before: Any


@functools.cache
def learned(kind, name):
    fitted, X = encoder(cross_fit_below=60), make(kind, name)
    before = copy.deepcopy(X)
    with warnings.catch_warnings():
        # pandas 2.1 looks into objects for dates.
        warnings.filterwarnings("ignore", category=FutureWarning, module="pandas")
        return Learned(fitted, fitted.fit_transform(X, TARGET), X, before)


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_every_form_of_a_column_gives_the_same_bits(kind, name):
    first = next(iter(FORMS[kind][1]))
    expected, expected_rows, *_ = learned(kind, first)
    fitted, rows, *_ = learned(kind, name)
    assert_array_equal(rows, expected_rows)
    assert_array_equal(fitted.embeddings_[0], expected.embeddings_[0])
    # As pandas holds them: numpy's times of two units are not equal.
    pairs = zip(
        pd.Series(fitted.categories_[0]), pd.Series(expected.categories_[0]), strict=True
    )
    for own, other in pairs:
        assert (pd.isna(own) and pd.isna(other)) or own == other


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_every_form_is_known_to_an_encoder_that_learned_another(kind, name):
    fitted = learned(kind, name).fitted
    vectors = fitted.transform(make(kind, name))
    assert np.abs(vectors).max() > 0.1
    for other in FORMS[kind][1]:
        assert_array_equal(fitted.transform(make(kind, other)), vectors, err_msg=other)


@pytest.mark.parametrize(("kind", "name"), PAIRS)
def test_learning_and_encoding_change_no_form(kind, name):
    fitted, _, X, before = learned(kind, name)
    fitted.transform(X)
    if not isinstance(X, (pl.DataFrame, pa.Table)):
        X, before = pd.DataFrame(X), pd.DataFrame(before)
    assert X.equals(before)


@pytest.mark.skipif(not hasattr(pl, "Int128"), reason="this polars has no Int128")
def test_polars_integers_beyond_64_bits_stay_apart():
    numbers = of_length([2**80, 2**80 + 1, None, -(2**70)])
    wide, python = encoder(), encoder()
    encoded = wide.fit_transform(
        pl.DataFrame({"a": pl.Series(numbers, dtype=pl.Int128)}), TARGET
    )
    assert_array_equal(encoded, python.fit_transform(frame(object)(numbers), TARGET))
    assert len(wide.categories_[0]) == 4


# ---------------------------------------------------------------- what is equal


def test_numbers_and_booleans_that_are_equal_are_one_category_and_strings_another():
    column = frame(object)(of_length([1, 1.0, True, np.int8(1), Decimal(1), "1", 0]))
    fitted = encoder().fit(column, TARGET)
    assert fitted.categories_[0].tolist() == [0, 1, "1"]
    one, two, three, text = fitted.transform(frame(object)([1, 1.0, True, "1"]))
    assert_array_equal(one, two)
    assert_array_equal(one, three)
    assert np.any(one != text)


def test_missing_is_one_category_however_it_is_written():
    column = frame(object)(of_length(["a", None, np.nan, pd.NA, pd.NaT, "b"]))
    fitted = encoder().fit(column, TARGET)
    assert fitted.categories_[0][:2].tolist() == ["a", "b"]
    assert fitted.to_frame("a")["count"].tolist() == [20, 20, 80]
    nan_as_text = fitted.transform(frame(object)(["nan", "None", ""]))
    assert_array_equal(nan_as_text, 0)


def test_unused_categories_of_a_category_column_have_no_row():
    values, _ = FORMS["strings"]
    fitted = encoder().fit(unused_and_reversed(values), TARGET)
    assert fitted.categories_[0].tolist() == ["10", "fig", "pear", "plum"]


def test_a_category_column_that_was_sorted_or_cut_counts_by_its_values():
    values, _ = FORMS["strings"]
    column = pd.Series(values, dtype="category")
    fitted = encoder().fit(column.to_frame("a"), TARGET)
    expected = fitted.transform(column.to_frame("a"))
    few = column.iloc[:2].cat.remove_unused_categories()
    more = column.iloc[:2].cat.set_categories(["unheard of", "pear", "fig"])
    for part in (few, more, few.cat.as_ordered()):
        assert_array_equal(fitted.transform(part.to_frame("a")), expected[:2])


# ---------------------------------------------------------------- whole tables

VALUES = {
    "fruit": of_length(["pear", "fig", None, "plum"]),
    "store": of_length([3, 1, 2]),
    "open": of_length([True, False, True, True, False]),
    "weight": of_length([0.5, None, 2.0, 1.0, -1.0, 3.0, 0.0]),
}
TABLE = pd.DataFrame(VALUES)
ROLES = {"categorical_features": [0, 1, 2], "remainder": "passthrough"}


def write_memmap(tmp_path):
    """Return a table of integers as a read-only map of a file."""
    path = tmp_path / "table.npy"
    np.save(path, np.column_stack([np.arange(N_ROWS) % 4, np.arange(N_ROWS) % 7]))
    return np.load(path, mmap_mode="r")


TABLES = {
    "nullable": lambda: TABLE.convert_dtypes(),
    "object": lambda: TABLE.astype(object),
    "category": lambda: TABLE.astype({"fruit": "category", "store": "category"}),
    "polars": lambda: pl.DataFrame(VALUES),
    "polars, categorical": lambda: pl.DataFrame(VALUES).with_columns(
        pl.col("fruit").cast(pl.Categorical)
    ),
    "array of objects": lambda: TABLE.astype(object).to_numpy(),
    "lists": lambda: [list(row) for row in zip(*VALUES.values(), strict=True)],
    "tuples": lambda: list(zip(*VALUES.values(), strict=True)),
    "columns named by number": lambda: TABLE.set_axis([7.5, 5.5, 3.5, 1.5], axis=1),
    "columns named by tuple": lambda: TABLE.set_axis(
        pd.MultiIndex.from_product([["a", "b"], ["c", "d"]]), axis=1
    ),
    "columns named by date": lambda: TABLE.set_axis(
        pd.date_range("2020-01-01", periods=4), axis=1
    ),
    "columns of one name": lambda: TABLE.set_axis(["a", "a", "a", "a"], axis=1),
    "columns of two names": lambda: TABLE.set_axis(["a", "b", "b", "a"], axis=1),
    "names that are not ASCII": lambda: TABLE.set_axis([*"äøß日"], axis=1),
    "an index that repeats": lambda: TABLE.set_axis([1] * N_ROWS),
    "an index of dates": lambda: TABLE.set_axis(
        pd.date_range("2020-01-01", periods=N_ROWS)[::-1]
    ),
    "an index of two levels": lambda: TABLE.set_axis(
        pd.MultiIndex.from_product([range(10), range(12)])
    ),
    "a view of a larger frame": lambda: pd.concat([TABLE, TABLE]).iloc[:N_ROWS],
}


@functools.cache
def learned_table():
    """Return the encoder learned from the table, and its training rows encoded."""
    fitted = encoder(**ROLES)
    return fitted, fitted.fit_transform(TABLE, TARGET)


@pytest.mark.parametrize("name", TABLES)
def test_every_form_of_a_table_gives_the_same_bits(name):
    (first, rows), second = learned_table(), encoder(**ROLES)
    table = TABLES[name]()
    numbers = TABLE.assign(weight=TABLE["weight"].fillna(0.25))
    assert_array_equal(second.fit_transform(table, TARGET), rows)
    assert_array_equal(second.transform(table), first.transform(TABLE))
    assert np.isnan(first.transform(TABLE)).any(axis=0).tolist()[-1]
    assert np.isfinite(first.transform(numbers)).all()


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_every_form_of_a_table_can_come_out_as_a_frame(name, container):
    table = TABLES[name]()
    fitted = encoder(**ROLES).set_output(transform=container)
    result = fitted.fit_transform(table, TARGET)
    assert list(result.columns) == fitted.get_feature_names_out().tolist()
    found = fitted.transform(table)
    if container == "pandas":
        # Context that is passed through keeps its dtype, here object or nullable.
        found = found.astype("Float64").astype(float)
    assert_array_equal(found.to_numpy(), learned_table()[0].transform(TABLE))
    if container == "pandas" and isinstance(table, pd.DataFrame):
        pd.testing.assert_index_equal(result.index, table.index)


@pytest.mark.parametrize("axis", [[7.5, 5.5, 3.5, 1.5], ["a", "b", "b", "a"]], ids=str)
def test_names_that_are_no_strings_or_repeat_count_as_none(axis):
    fitted = encoder(**ROLES).fit(TABLE.set_axis(axis, axis=1), TARGET)
    assert not hasattr(fitted, "feature_names_in_")
    assert fitted.n_features_in_ == 4
    names = fitted.get_feature_names_out().tolist()
    assert names[0] == "x0_effect"
    assert names[-1] == "x3"
    assert len(set(names)) == len(names)


def test_names_of_a_polars_frame_are_its_columns():
    fitted = encoder(**ROLES).fit(pl.DataFrame(VALUES), TARGET)
    assert fitted.feature_names_in_.tolist() == [*VALUES]
    assert fitted.get_feature_names_out()[-1] == "weight"
    with pytest.raises(ValueError, match="must be in the same order"):
        fitted.transform(pl.DataFrame(VALUES)[["store", "fruit", "open", "weight"]])


def test_names_of_which_only_some_are_strings_are_scikit_learns_error():
    with pytest.raises(TypeError, match="only supported if all input features have string"):
        encoder().fit(TABLE.set_axis(["a", "b", "c", 3], axis=1), TARGET)


def test_a_read_only_memory_map_is_read_and_not_written(tmp_path):
    table = write_memmap(tmp_path)
    expected = np.array(table)
    y = joblib.load(joblib.dump(TARGET, tmp_path / "y")[0], mmap_mode="r")
    fitted, usual = encoder(), encoder()
    assert_array_equal(
        fitted.fit_transform(table, y), usual.fit_transform(expected, TARGET)
    )
    assert_array_equal(fitted.transform(table), usual.transform(expected))
    assert_array_equal(table, expected)


def test_x_may_be_read_only(tmp_path):
    values = TABLE.astype(object).to_numpy()
    values.flags.writeable = False
    first, second = encoder(**ROLES), encoder(**ROLES)
    assert_array_equal(
        first.fit_transform(values, TARGET), second.fit_transform(TABLE, TARGET)
    )


def test_the_index_of_the_target_does_not_count():
    shuffled = pd.Series(TARGET, index=np.arange(N_ROWS)[::-1])
    first, second = encoder().fit(TABLE, TARGET), encoder().fit(TABLE, shuffled)
    assert_array_equal(first.transform(TABLE), second.transform(TABLE))


# ---------------------------------------------------------------- not a table

NOT_A_TABLE = {
    "LazyFrame": (lambda: pl.DataFrame(VALUES).lazy(), TypeError, r"pass X\.collect\(\)"),
    "Series": (lambda: TABLE["fruit"], ValueError, r"pass.*X\.to_frame\(\)"),
    "polars Series": (lambda: pl.Series([1, 2]), ValueError, r"pass.*X\.to_frame\(\)"),
    "rows of several lengths": (lambda: [["a", 1], ["b"]], ValueError, "rows differ"),
    "complex array": (lambda: np.ones((N_ROWS, 1), "c16"), ValueError, "X is complex"),
    "complex column": (
        lambda: pd.DataFrame({"a": np.ones(N_ROWS, "c16")}),
        ValueError,
        "X is complex",
    ),
    "polars list": (
        lambda: pl.DataFrame({"a": [[1]] * N_ROWS}),
        TypeError,
        "Column 'a'.*a list in row 0",
    ),
    "polars struct": (
        lambda: pl.DataFrame({"a": [{"b": 1}] * N_ROWS}),
        TypeError,
        "Column 'a'.*a dict in row 0",
    ),
}


@pytest.mark.parametrize("name", NOT_A_TABLE)
def test_what_is_not_a_table_of_categories_is_one_clear_line(name):
    make_input, error, match = NOT_A_TABLE[name]
    X = make_input()
    for call in (
        lambda: encoder().fit(X, TARGET),
        lambda: encoder().fit_transform(X, TARGET),
        lambda: encoder().fit(frame(object)(VALUES["fruit"]), TARGET).transform(X),
    ):
        with pytest.raises(error, match=match) as raised:
            call()
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "params",
    [
        {"categorical_features": ["b"]},
        {"categories": {"b": [1, 2]}},
        {"crosses": [("a", "b")]},
        {"names": ["b"]},
    ],
    ids=str,
)
def test_names_cannot_choose_among_columns_of_one_name(params):
    (parameter,) = params
    table = TABLE.set_axis(["a", "b", "c", "a"], axis=1)
    message = f"{parameter} names columns, but X has 2 columns of the name 'a'; rename"
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match=message):
            getattr(encoder(**params), method)(table, TARGET)


# ---------------------------------------------------------------- another kind

MIDNIGHT = datetime.datetime(2020, 1, 1)
OTHER_KINDS = {
    "strings of numbers": ([1, 2, 3], ["1", "2"], "numbers in fit but holds strings"),
    "numbers of strings": (["1", "2"], [1, 2], "strings in fit but holds numbers"),
    "fractions of strings": (["1", None], [1.0, None], "strings.*holds numbers"),
    "strings of booleans": ([True, False, None], ["True"], "booleans in.*holds strings"),
    "booleans of strings": (["a", None], [True], "strings.*holds booleans"),
    "bytes of strings": (["a", "b"], [b"a"], "strings.*holds bytes"),
    "strings of times": ([MIDNIGHT], ["2020-01-01"], "times.*holds strings"),
    "times of dates": ([MIDNIGHT.date()], [MIDNIGHT], "dates.*holds times"),
    "a time zone": (
        [MIDNIGHT],
        [MIDNIGHT.replace(tzinfo=datetime.timezone.utc)],
        "holds times with a time zone",
    ),
}
SAME_KIND = {
    "a new string": (["a", "b"], ["c"]),
    "a new number": ([1, 2], [2.5]),
    "a known number among strings": ([1, 2], ["x", 1]),
    "a known string among numbers": (["1", "2"], [1, "2"]),
    "mixed types in fit": ([1, "a"], ["1"]),
    "missing alone": ([1, 2], [None]),
    "missing, which is known": (["a", None], [None, np.nan]),
    "a new string, and missing": (["a", None], ["b", None]),
    "nothing but missing in fit": ([None], ["a"]),
}


@pytest.mark.parametrize("name", OTHER_KINDS)
@pytest.mark.parametrize("n_rows", [1, 30])
def test_a_column_of_another_kind_than_in_fit_is_a_warning(name, n_rows):
    before, now, match = OTHER_KINDS[name]
    fitted = encoder().fit(frame(object)(of_length(before)), TARGET)
    new = frame(object)(of_length(now)[:n_rows])
    with pytest.warns(UserWarning, match=f"Column 'a' held .*{match}") as caught:
        result = fitted.transform(new)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert "\n" not in str(caught[0].message)
    assert_array_equal(result[new["a"].notna()], 0)


@pytest.mark.parametrize("name", SAME_KIND)
def test_new_values_of_the_same_kind_are_no_warning(name):
    before, now = SAME_KIND[name]
    fitted = encoder().fit(frame(object)(of_length(before)), TARGET)
    fitted.transform(frame(object)(now))


def test_a_category_column_without_values_is_no_warning():
    fitted = encoder().fit(frame("Int64")(of_length([1, 2, None])), TARGET)
    empty = pd.DataFrame({"a": pd.Categorical([None, None], categories=["a", "b"])})
    fitted.transform(empty)


def test_given_categories_of_another_kind_than_the_column_are_a_warning():
    with pytest.warns(UserWarning, match="strings in fit but holds numbers"):
        encoder(categories=[["1", "2"]]).fit(frame("int64")(of_length([1, 2])), TARGET)


def test_another_kind_is_an_error_where_unknown_is():
    fitted = encoder(handle_unknown="error").fit(frame("int64")(of_length([1, 2])), TARGET)
    with pytest.raises(ValueError, match="unknown category '1' in row 0"):
        fitted.transform(frame(object)(["1"]))


# ---------------------------------------------------------------- measurements


def measured(n_rows=240, n_repeats=1, step=0.37):
    """Return a column of different floats, each of them so many times, and a target."""
    values = step * (np.arange(n_rows) // n_repeats)
    return pd.DataFrame({"size": values}), np.sin(np.arange(n_rows))


@pytest.mark.parametrize("method", ["fit", "fit_transform", "partial_fit"])
@pytest.mark.parametrize(
    "convert", [pd.DataFrame.copy, pd.DataFrame.to_numpy, pl.from_pandas]
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_measurements_as_categories_are_one_warning(method, convert, dtype):
    X, y = measured()
    X = convert(X.astype(dtype))
    with pytest.warns(
        UserWarning, match="holds 240 different numbers in 240 rows"
    ) as caught:
        getattr(encoder(target_type="continuous", max_iter=1), method)(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert "\n" not in str(caught[0].message)


MOMENTS = pd.Series(pd.date_range("2020", periods=240, freq="h"))
TIMES = {
    "times": (MOMENTS, "240 different times"),
    "times with a zone": (MOMENTS.dt.tz_localize("UTC"), "240 different times with a time"),
    "dates": (MOMENTS.dt.round("D").dt.date, None),
    "different dates": (pd.Series(pd.date_range("2020", periods=240).date), "240.* dates"),
}


@pytest.mark.parametrize("chosen", ["all", "from_dtype"])
@pytest.mark.parametrize("name", TIMES)
def test_times_that_hardly_come_twice_are_one_warning(name, chosen):
    values, message = TIMES[name]
    X, y = pd.DataFrame({"when": values}), measured()[1]
    expected = pytest.warns(UserWarning, match=message) if message else nullcontext([0])
    with expected as caught:
        encoder(max_iter=1, categorical_features=chosen).fit(X, y)
    assert len(caught) == 1
    encoder(max_iter=1, categorical_features=["when"]).fit(X, y)


NO_MEASUREMENTS = {
    "whole numbers": (measured(step=1.0), {}),
    "integers": ((measured(step=1)[0].astype(int), measured()[1]), {}),
    "strings": ((measured()[0].astype(str), measured()[1]), {}),
    "each number twice": (measured(n_repeats=2), {}),
    "few rows": (measured(n_rows=199), {}),
    "named as categorical": (measured(), {"categorical_features": ["size"]}),
    "chosen by a mask": (measured(), {"categorical_features": [True]}),
    "categories given": (measured(), {"categories": [0.37 * np.arange(240)]}),
    "infinities": ((measured()[0] / 0, measured()[1]), {}),
    "nothing but missing": ((measured()[0] * np.nan, measured()[1]), {}),
}


@pytest.mark.parametrize("name", NO_MEASUREMENTS)
def test_what_may_be_categories_is_no_warning(name):
    # Warnings are errors here.
    (X, y), params = NO_MEASUREMENTS[name]
    encoder(target_type="continuous", max_iter=1, **params).fit(X, y)
