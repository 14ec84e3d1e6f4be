"""Values come back with their types; arrays and pairs that nobody writes do not."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from persistence_data import assert_same, header, npy

from sk_embed._persistence.members import Members, array_to_bytes
from sk_embed._persistence.values import from_json, from_runs, to_json, to_runs


@pytest.mark.parametrize(
    "value",
    [
        *[pd.NaT, pd.NA, None, [1, [2.5]], (), 2**62, -(2**62), np.array([1, 2])],
        dt.time(1, tzinfo=dt.timezone.utc),
        dt.datetime(2020, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=3))),
        pd.Timestamp(1, tz="UTC"),
        pd.Timestamp("2020").as_unit("ms"),
    ],
    ids=repr,
)
def test_a_value_that_is_read_is_the_one_that_was_written(value):
    assert_same(from_json(json.loads(json.dumps(to_json(value)))), value)


def test_integers_are_numbers_of_json_while_every_reader_holds_them():
    assert to_json(2**62 - 1) == ["int", 2**62 - 1]
    assert to_json(-(2**62)) == ["int", "-0x4000000000000000"]


def test_offsets_of_zones_are_in_microseconds():
    zone = dt.timezone(dt.timedelta(hours=3))
    assert to_json(dt.time(1, tzinfo=zone)) == ["time", ["01:00:00", 10_800_000_000]]


def test_runs_are_as_long_as_the_type_stays():
    assert to_runs(["a", "b", 1, "c"]) == [
        ["str", ["a", "b"]],
        ["int", [1]],
        ["str", ["c"]],
    ]


def test_a_value_within_itself_is_a_type_error():
    nested = []
    nested.append(nested)
    with pytest.raises(TypeError, match="list"):
        to_json(nested)


@pytest.mark.parametrize(
    "pair",
    [
        *[
            None,
            5,
            "ab",
            [],
            ["str"],
            ["str", 1],
            ["int", "zz"],
            ["int", True],
            ["int", 1.5],
        ],
        *[["bool", 1], ["None", 0], ["float", 1], ["float", "x"], ["Decimal", "x"]],
        *[["bytes", "0"], ["UUID", 5], ["date", "2020-13-01"], ["time", ["25:00", None]]],
        *[["Timestamp", [1, "D", None]], ["Timestamp", [1.5, "s", None]]],
        *[
            ["Timestamp", [1, "s", "../../../etc/passwd"]],
            ["Timestamp", [1, "s", "Europe"]],
        ],
        *[
            ["Timestamp", [1, "s", "dateutil//etc/passwd"]],
            ["Timestamp", [2**70, "s", None]],
        ],
        *[["Timestamp", [1, "s", 10**12]], ["datetime", ["2020", 5]], ["timedelta", ["1"]]],
        *[["Period", [2**70, "M"]], ["Period", [1, "nonsense"]], ["Period", [1]]],
        *[
            ["Interval", [["int", 2], ["int", 1], "left"]],
            ["tuple", {"a": 1}],
            ["list", "ab"],
        ],
        *[["numpy", ["|O", "00"]], ["numpy", ["<i8", "00"]], ["numpy", ["<i8", ""]]],
        *[["array", ["<U0", ""]], ["array", ["O", []]]],
        *[["dtype", "complex128"], ["numpy type", "object"], ["os.system", "ls"]],
    ],
    ids=str,
)
def test_a_pair_that_nobody_writes_is_refused(pair):
    with pytest.raises(ValueError, match="is no value with its type"):
        from_json(pair)


@pytest.mark.parametrize(
    "runs", [None, 5, [["str"]], [["str", [1]]], {"a": 1}, [[[], [1]]]]
)
def test_runs_that_nobody_writes_are_refused(runs):
    with pytest.raises(ValueError, match="are no values with their types"):
        from_runs(runs)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is no array of plain values"),
        (npy(np.array([{}], dtype=object)), "is no array of plain values"),
        (npy(np.zeros(2)), "claims 16 bytes.*|does not fit|of dtype"),
        (npy(np.zeros((2, 2), order="F"), _=(b"True", b"TRUE")), "no array of plain"),
        (npy(np.asfortranarray(np.ones((2, 3)))), "is no array of plain values"),
        (npy(np.zeros(1), _=(b"(1,)", b"(9,)")), "claims 72 bytes of values, but holds 8"),
        (npy(np.zeros(1))[:-1], "claims 8 bytes of values, but holds 7"),
        (npy(np.zeros(1)) + b"0", "claims 8 bytes of values, but holds 9"),
        (npy(np.zeros(1), _=(b"NUMPY\1", b"NUMPY\2")), "is no array of plain values"),
        (header("'<f8'", "9" * 18), "claims 7999999999999999992 bytes of values"),
        (header("'<U0'", "999999999"), "has values of no bytes"),
        (header("'<f3'", "0"), "has an unknown dtype"),
        (header("print(1)", "0"), "is no array of plain values"),
    ],
)  # fmt: skip
def test_an_array_that_is_not_what_its_header_says_is_refused(content, match):
    with pytest.raises(ValueError, match=match):
        Members({"x": content}).array("x", "f", (1,))


@pytest.mark.parametrize(
    ("array", "kinds", "shape"),
    [
        (np.zeros(3), "f", (2,)),
        (np.zeros(3), "f", (3, None)),
        (np.zeros((3, 1)), "f", (None,)),
        (np.zeros(3), "iu", (3,)),
        (np.zeros(3, dtype=bool), "f", (3,)),
    ],
)
def test_an_array_of_another_shape_or_kind_is_refused(array, kinds, shape):
    with pytest.raises(ValueError, match=r"'x' is of dtype .* does not fit the rest"):
        Members({"x": array_to_bytes(array)}).array("x", kinds, shape)


def test_bits_that_are_no_value_are_refused():
    no_bool = np.array([2], dtype="u1").view(bool)
    with pytest.raises(ValueError, match="bits that are no bool"):
        Members({"x": npy(no_bool)}).array("x", "b", (1,))
    no_text = np.array([0x110000], dtype="<u4").view("<U1")
    with pytest.raises(ValueError, match="bits that are no <U1"):
        Members({"x": npy(no_text)}).array("x", "U", (1,))


@pytest.mark.parametrize("dtype", ["?", "i1", "u8", "<i4", ">i4", "f4", ">f8", "M8[ns]"])
def test_an_array_comes_back_in_the_byte_order_of_the_machine(dtype):
    array = np.arange(6).reshape(2, 3).T.astype(dtype)
    again = Members({"x": array_to_bytes(array)}).array("x", array.dtype.kind, (3, None))
    assert again.dtype == array.dtype.newbyteorder("=")
    assert (again == array).all()
    assert again.dtype.isnative
