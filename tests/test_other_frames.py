"""Frames that narwhals knows, and what is no table that anything could be learned from."""

from __future__ import annotations

import datetime as dt
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from sk_embed import EmbeddingEncoder

pa = pytest.importorskip("pyarrow")

N_ROWS = 90
TARGET = np.sin(np.arange(N_ROWS))
VALUES = {
    "id": [10**18 + row % 3 for row in range(N_ROWS)],
    "fruit": [["pear", None, "plum"][row % 3] for row in range(N_ROWS)],
    "size": [[0.5, None, 2.0, 8.0][row % 4] for row in range(N_ROWS)],
}
FRAME = pd.DataFrame(VALUES)


def encoder(**parameters):
    return EmbeddingEncoder(
        1, categorical_features=[0, 1], max_iter=1, random_state=0, **parameters
    )


@pytest.fixture
def nw():
    return pytest.importorskip("narwhals.stable.v2")


# name: what makes a frame of narwhals' module and of the values
OTHERS = {
    "Arrow": lambda nw: pa.table(VALUES),
    "chunked Arrow": lambda nw: pa.concat_tables(
        [pa.table(VALUES).slice(0, 7), pa.table(VALUES).slice(7)]
    ),
    "record batch": lambda nw: pa.table(VALUES).combine_chunks().to_batches()[0],
    "narwhals of pandas": lambda nw: nw.from_native(FRAME),
    "narwhals of polars": lambda nw: nw.from_native(pl.DataFrame(VALUES)),
    "narwhals of Arrow": lambda nw: nw.from_native(pa.table(VALUES)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_frames_of_other_libraries_are_the_same_table(nw, name):
    X = OTHERS[name](nw)
    expected, own = encoder(remainder="passthrough"), encoder(remainder="passthrough")
    rows = expected.fit_transform(FRAME, TARGET)
    assert_array_equal(own.fit_transform(X, TARGET), rows)
    assert own.feature_names_in_.tolist() == [*VALUES]
    assert_array_equal(own.transform(X), expected.transform(FRAME))
    assert_array_equal(expected.transform(X), expected.transform(FRAME))


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_frames_of_other_libraries_come_out_as_the_frame_that_is_asked(nw, name, output):
    X = OTHERS[name](nw)
    fitted = encoder(remainder="passthrough").fit(FRAME, TARGET)
    expected = fitted.transform(FRAME)
    found = fitted.set_output(transform=output).transform(X)
    assert list(found.columns) == fitted.get_feature_names_out().tolist()
    assert_array_equal(found.to_numpy().astype(float), expected)


def test_the_index_of_a_frame_within_one_of_narwhals_is_kept(nw):
    indexed = FRAME.set_axis(range(7, 7 + N_ROWS))
    fitted = encoder().fit(FRAME, TARGET).set_output(transform="pandas")
    found = fitted.transform(nw.from_native(indexed))
    pd.testing.assert_index_equal(found.index, indexed.index)


@pytest.mark.parametrize("name", ["Arrow", "narwhals of Arrow", "narwhals of polars"])
def test_categories_come_back_in_a_frame_of_the_library(nw, name):
    fitted = encoder().fit(FRAME, TARGET)
    names = fitted.get_feature_names_out()
    encoded = dict(zip(names, fitted.transform(FRAME).T, strict=True))
    wrap = nw.from_native if "narwhals" in name else lambda frame: frame
    library = pl.DataFrame if "polars" in name else pa.table
    found = fitted.inverse_transform(wrap(library(encoded)))
    assert type(found) is type(library(encoded))
    columns = [
        found[name].to_pylist() if library is pa.table else found[name].to_list()
        for name in ("id", "fruit")
    ]
    assert columns == [VALUES["id"], VALUES["fruit"]]
    turned = library(dict(reversed(encoded.items())))
    with pytest.raises(ValueError, match=r"Column 0 of X is 'fruit_.*' there"):
        fitted.inverse_transform(wrap(turned))


def test_names_of_other_frames_are_checked(nw):
    fitted = encoder().fit(FRAME, TARGET)
    with pytest.raises(ValueError, match="must be in the same order"):
        fitted.transform(pa.table(VALUES).select(["fruit", "id", "size"]))


def test_chunks_of_other_frames_and_lists_are_learned_together(nw):
    stream, expected = encoder(), encoder()
    rows = list(zip(*VALUES.values(), strict=True))
    for X in (FRAME, pa.table(VALUES), pl.DataFrame(VALUES)):
        stream.partial_fit(X, TARGET)
    for _ in range(3):
        expected.partial_fit(FRAME, TARGET)
    assert_array_equal(stream.transform(FRAME), expected.transform(FRAME))
    assert len(stream.categories_[0]) == 3
    assert rows[0][0] == stream.categories_[0][0]


def test_a_frame_without_narwhals_is_one_line_that_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "narwhals.stable.v2", None)
    with pytest.raises(TypeError, match="a Table of pyarrow, which is read by narw") as r:
        encoder().fit(pa.table(VALUES), TARGET)
    assert "\n" not in str(r.value)


# ---------------------------------------------------------------- numbers as context

FLOATS = [0.5, 0.25, -3.0, 8.0]
CONTEXT = {
    **{d: lambda v, d=d: pd.Series(v, dtype=d) for d in ("float16", "float32", "Float64")},
    "long double": lambda v: pd.Series(np.array(v, "g")),
    "big-endian": lambda v: pd.Series(np.array(v, ">f8")),
    "objects": lambda v: pd.Series(v, dtype=object),
    "decimals": lambda v: pd.Series([Decimal(x) for x in v], dtype=object),
    "Arrow": lambda v: pd.Series(v, dtype="float64[pyarrow]"),
    "Arrow half float": lambda v: pd.Series(
        pd.arrays.ArrowExtensionArray(pa.array(list(map(np.float16, v)), pa.float16()))
    ),
    "Arrow decimal": lambda v: pd.Series(
        pd.arrays.ArrowExtensionArray(
            pa.array([Decimal(x) for x in v], pa.decimal128(9, 3))
        )
    ),
    "polars": lambda v: pl.Series(v),
    "polars Float32": lambda v: pl.Series(v, dtype=pl.Float32),
    "polars Float16": lambda v: pl.Series(v, dtype=getattr(pl, "Float16", pl.Float32)),
    "polars Decimal": lambda v: pl.Series(
        [Decimal(f"{x:.3f}") for x in v], dtype=pl.Decimal(9, 3)
    ),
}


@pytest.mark.parametrize("name", CONTEXT)
@pytest.mark.parametrize("remainder", ["drop", "passthrough"])
def test_context_of_every_type_of_number_gives_the_same_numbers(name, remainder):
    values = (FLOATS * N_ROWS)[:N_ROWS]
    column = CONTEXT[name](values)
    library = pl.DataFrame if isinstance(column, pl.Series) else pd.DataFrame
    X = library({"id": VALUES["id"], "n": column})
    parameters = {"remainder": remainder, "max_iter": 1, "random_state": 0}
    own, expected = (
        EmbeddingEncoder(1, categorical_features=[0], **parameters) for _ in range(2)
    )
    rows = expected.fit_transform(pd.DataFrame({"id": VALUES["id"], "n": values}), TARGET)
    assert_array_equal(own.fit_transform(X, TARGET), rows)
    assert_array_equal(
        own.transform(X[:1]), expected.transform(FRAME.assign(n=values)[["id", "n"]][:1])
    )


# ---------------------------------------------------------------- refused


def of_arrow(values, dtype=None):
    column = pa.array(values * N_ROWS, dtype)
    return pd.DataFrame({"a": pd.Series(pd.arrays.ArrowExtensionArray(column))})


FINE_TIME = {"dtype": pa.time64("ns")}
REFUSED = {
    "Arrow list": (lambda: of_arrow([[1]]), TypeError, "'a'.*a list in row 0"),
    "Arrow struct": (lambda: of_arrow([{"b": 1}]), TypeError, "'a'.*a dict in row 0"),
    "Arrow map": (
        lambda: of_arrow([[("b", 1)]], pa.map_(pa.string(), pa.int8())),
        TypeError,
        "'a'.*a list in row 0",
    ),
    "Arrow list, some missing": (
        lambda: of_arrow([None, [1]])[:N_ROWS],
        TypeError,
        "'a'.*a list in row 1",
    ),
    "Arrow time finer than Python's": (
        lambda: of_arrow([1001], pa.time64("ns")),
        ValueError,
        "'a' holds a time of day finer than microseconds in row 0",
    ),
    "polars time finer than Python's": (
        lambda: pl.DataFrame({"a": pl.Series([1001] * N_ROWS).cast(pl.Time)}),
        ValueError,
        "'a' holds a time of day finer than microseconds in row 0",
    ),
    "Arrow date beyond Python's": (
        lambda: of_arrow([4 * 10**6], pa.date32()),
        ValueError,
        "'a' holds a date beyond the years 1 to 9999",
    ),
    "polars date beyond Python's": (
        lambda: pl.DataFrame({"a": pl.Series([4 * 10**6] * N_ROWS).cast(pl.Date)}),
        ValueError,
        "'a' holds a date beyond the years 1 to 9999",
    ),
    "lists in a list of rows": (
        lambda: [["b", [1]]] * N_ROWS,
        TypeError,
        "'x1'.*a list in row 0",
    ),
    "structured array": (
        lambda: np.array([(1, "b")] * N_ROWS, [("a", "i8"), ("b", "U1")]),
        ValueError,
        r"structured array; pass pandas\.DataFrame",
    ),
    "raw bytes": (lambda: np.zeros((N_ROWS, 1), "V2"), ValueError, "no values to compare"),
    "picoseconds": (
        lambda: np.arange(N_ROWS).astype("M8[ps]")[:, None],
        ValueError,
        "times in ps, finer than nanoseconds",
    ),
    "dicts": (lambda: [{"a": 1}] * N_ROWS, ValueError, r"a dict.*pass pandas\.DataFrame"),
    "strings": (lambda: ["abc"] * N_ROWS, ValueError, "Expected 2D array.*a str"),
    "numbers": (lambda: [1] * N_ROWS, ValueError, "Expected 2D array.*an? int"),
    "sets": (lambda: [{1, 2}] * N_ROWS, ValueError, "Expected 2D array.*a set"),
    "no rows": (list, ValueError, "minimum of 1 is required"),
    "no columns": (lambda: [[]] * N_ROWS, ValueError, "minimum of 1 is required"),
    "a row too short": (
        lambda: [[1, 2]] * 2 + [[1]] * N_ROWS,
        ValueError,
        "rows differ in shape .row 2 has 1 values, but row 0 has 2",
    ),
    "complex list": (lambda: [[1j]] * N_ROWS, ValueError, "X is complex"),
}
REFUSED_BY_NARWHALS = {
    "Arrow list": (lambda nw: pa.table({"a": [[1]] * N_ROWS}), "a list in row 0"),
    "a column of Arrow": (lambda nw: pa.chunked_array([[1]]), "knows no frame"),
    "lazy frame of narwhals": (
        lambda nw: nw.from_native(pl.DataFrame(VALUES).lazy()),
        "holds no rows yet",
    ),
}


def assert_refused(X, error, match):
    fitted = EmbeddingEncoder(random_state=0).fit(
        FRAME[["fruit"]].set_axis(["a"], axis=1), TARGET
    )
    for call in (
        lambda: EmbeddingEncoder().fit(X, TARGET),
        lambda: EmbeddingEncoder().partial_fit(X, TARGET),
        lambda: fitted.transform(X),
    ):
        with pytest.raises(error, match=match) as raised:
            call()
        assert "\n" not in str(raised.value)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_table_of_categories_is_refused_in_one_line(name):
    make, error, match = REFUSED[name]
    X = make()
    if name not in ("lists in a list of rows",):
        assert_refused(X, error, match)
    else:
        with pytest.raises(error, match=match):
            EmbeddingEncoder().fit(X, TARGET)


@pytest.mark.parametrize("name", REFUSED_BY_NARWHALS)
def test_what_narwhals_holds_but_is_no_table_is_refused_in_one_line(nw, name):
    make, match = REFUSED_BY_NARWHALS[name]
    with pytest.raises(TypeError, match=match) as raised:
        EmbeddingEncoder().fit(make(nw), TARGET)
    assert "\n" not in str(raised.value)


def test_times_of_picoseconds_that_nanoseconds_hold_are_read():
    fine = (1000 * (np.arange(N_ROWS) % 3)).astype("M8[ps]")[:, None]
    fitted = EmbeddingEncoder(0, random_state=0).fit(fine, TARGET)
    assert_array_equal(fitted.transform(fine.astype("M8[ns]")), fitted.transform(fine))


def test_a_very_long_unknown_string_is_cut_in_its_error():
    fitted = encoder(handle_unknown="error").fit(FRAME, TARGET)
    with pytest.raises(ValueError, match="unknown category 'aaa") as raised:
        fitted.transform(FRAME.assign(fruit="a" * 10**6)[:1])
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize(
    "categories",
    [
        pa.array([2**53, 2**53 + 1]),
        pa.chunked_array([[2**53], [2**53 + 1]]),
        pl.Series([2**53, 2**53 + 1]),
        np.array([2**53, 2**53 + 1], dtype=np.uint64),
        [Decimal(2**53), Decimal(2**53 + 1)],
    ],
    ids=lambda values: type(values).__module__ + type(values).__name__,
)
def test_categories_may_be_listed_in_any_form(categories):
    rows = [(2**53 + row % 2,) for row in range(N_ROWS)]
    fitted = EmbeddingEncoder(0, categories=[categories], handle_unknown="error")
    assert fitted.fit(rows, TARGET).to_frame(0)["count"].tolist() == [45, 45]


@pytest.mark.parametrize("day", [dt.date(2020, 1, 1), dt.date(2020, 1, 3)])
def test_days_of_a_frame_of_polars_are_known_as_python_dates(day):
    days = pl.DataFrame({"day": [dt.date(2020, 1, 1 + row % 3) for row in range(N_ROWS)]})
    fitted = EmbeddingEncoder(0, handle_unknown="error", random_state=0).fit(days, TARGET)
    asked = fitted.transform(pd.DataFrame({"day": [day]}))
    assert_array_equal(asked[0], fitted.transform(days)[day.day - 1])
    assert fitted.categories_[0].tolist()[0] == dt.date(2020, 1, 1)
