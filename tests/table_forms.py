"""One table in each form that it comes in, for hypothesis."""

from __future__ import annotations

import datetime as dt
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from hypothesis import strategies as st

# scikit-learn before 1.9 does not need it.
HAS_NARWHALS = find_spec("narwhals") is not None
MOMENTS = (dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1))
# Neighbours that float64 cannot tell apart, or only just.
_AROUND = [2**53 - 1, 2**53, 2**53 + 1, 2**62, 2**62 + 1, 2**63 - 1]
TEXT = st.text(
    st.one_of(st.sampled_from("ab\0 "), st.characters(exclude_categories=["Cs"])),
    max_size=3,
)


class Kind(NamedTuple):
    """What a column holds, and the dtypes that hold it; None for objects."""

    values: st.SearchStrategy
    numpy: Any
    nullable: Any
    arrow: pa.DataType
    polars: Any


KINDS = {
    "int64": Kind(
        st.sampled_from(_AROUND) | st.integers(-(2**63), 2**63 - 1),
        "int64",
        "Int64",
        pa.int64(),
        pl.Int64,
    ),
    "uint64": Kind(
        st.sampled_from([*_AROUND, 2**63, 2**63 + 1]) | st.integers(0, 2**64 - 1),
        "uint64",
        "UInt64",
        pa.uint64(),
        pl.UInt64,
    ),
    "int8": Kind(st.integers(-128, 127), "int8", "Int8", pa.int8(), pl.Int8),
    "float64": Kind(
        st.sampled_from([0.0, -0.0, 0.1, float(2**53), float(2**63)])
        | st.floats(allow_nan=False),
        "float64",
        "Float64",
        pa.float64(),
        pl.Float64,
    ),
    "float32": Kind(
        st.floats(width=32, allow_nan=False), "float32", "Float32", pa.float32(), pl.Float32
    ),
    "float16": Kind(
        st.floats(width=16, allow_nan=False).map(np.float16),
        "float16",
        "Float32",
        pa.float16(),
        getattr(pl, "Float16", pl.Float32),
    ),
    "booleans": Kind(st.booleans(), "bool", "boolean", pa.bool_(), pl.Boolean),
    "strings": Kind(TEXT, None, "string", pa.string(), pl.String),
    "long strings": Kind(TEXT, "str", "str", pa.large_string(), pl.Categorical),
    "bytes": Kind(st.binary(max_size=2), None, None, pa.binary(), pl.Binary),
    "dates": Kind(st.dates(), None, None, pa.date32(), pl.Date),
    "times": Kind(
        st.datetimes(*MOMENTS),
        "datetime64[us]",
        "datetime64[us]",
        pa.timestamp("us"),
        pl.Datetime("us"),
    ),
    "durations": Kind(
        st.timedeltas(dt.timedelta(-(10**5)), dt.timedelta(10**5)),
        "timedelta64[us]",
        "timedelta64[us]",
        pa.duration("us"),
        pl.Duration("us"),
    ),
    "times of day": Kind(st.times(), None, None, pa.time64("us"), pl.Time),
    "decimals": Kind(
        st.decimals(-(10**9), 10**9, allow_nan=False, places=2),
        None,
        None,
        pa.decimal128(20, 2),
        pl.Decimal(20, 2),
    ),
}
# Dtypes of numpy that hold no gap, in whose place the values stay objects.
_WITHOUT_GAPS = "biu"


class Column(NamedTuple):
    """A column's kind and values, None for missing."""

    kind: Kind
    values: list[Any]


def objects(values):
    return np.fromiter(values, dtype=object, count=len(values))


def _plain(values):
    """Return values as Python's own, of which float16 has none."""
    return [float(v) if isinstance(v, np.float16) else v for v in values]


def _numpy(column):
    values = objects(column.values)
    dtype = np.dtype(object)
    if column.kind.numpy not in (None, "str"):
        dtype = np.dtype(column.kind.numpy)
    if None in column.values and dtype.kind in _WITHOUT_GAPS:
        dtype = np.dtype(object)
    if dtype.kind in "Mm":
        return pd.Series(values, dtype=dtype).to_numpy()
    return values.astype(dtype)


def _one_array(columns):
    """Return an array of the columns' dtype, of objects if they differ."""
    arrays = [_numpy(column) for column in columns]
    if len({array.dtype for array in arrays}) == 1:
        return np.column_stack(arrays)
    return np.column_stack([objects(_plain(column.values)) for column in columns])


def _frame(make):
    """Return what makes a pandas frame of columns."""

    def of(columns):
        return pd.DataFrame({f"c{n}": make(column) for n, column in enumerate(columns)})

    return of


def _of_pandas(column):
    dtype = column.kind.numpy if column.kind.numpy == "str" else None
    values = _numpy(column)
    return pd.Series(values, dtype=dtype or values.dtype)


def _nullable(column):
    return pd.Series(objects(_plain(column.values)), dtype=column.kind.nullable or object)


def _categories(column):
    # By codes, for pandas 2 itself merges strings that differ behind a NUL.
    values = _plain(column.values)
    known = list(dict.fromkeys(value for value in values if value is not None))
    code_of = {value: code for code, value in enumerate(known)} | {None: -1}
    index = pd.Index(objects(known), dtype=object)
    return pd.Categorical.from_codes([code_of[value] for value in values], categories=index)


def _arrow(column):
    return pa.array(column.values, column.kind.arrow)


def _table(columns):
    return pa.table({f"c{n}": _arrow(column) for n, column in enumerate(columns)})


def _polars(columns):
    return pl.DataFrame(
        {
            f"c{n}": pl.Series(_plain(column.values), dtype=column.kind.polars, strict=True)
            for n, column in enumerate(columns)
        }
    )


def _of_narwhals(make):
    def of(columns):
        import narwhals.stable.v2 as nw

        return nw.from_native(make(columns))

    return of


FORMS = {
    "lists": lambda columns: [list(row) for row in zip(*_values(columns), strict=True)],
    "tuples": lambda columns: list(zip(*_values(columns), strict=True)),
    "array": _one_array,
    "pandas": _frame(_of_pandas),
    "objects": _frame(lambda c: pd.Series(objects(_plain(c.values)), dtype=object)),
    "nullable": _frame(_nullable),
    "Arrow-backed": _frame(lambda c: pd.Series(pd.arrays.ArrowExtensionArray(_arrow(c)))),
    "category": _frame(_categories),
    "polars": _polars,
}
if HAS_NARWHALS:
    FORMS |= {
        "Arrow": _table,
        "narwhals of polars": _of_narwhals(_polars),
        "narwhals of Arrow": _of_narwhals(_table),
    }


def _values(columns):
    return [_plain(column.values) for column in columns]


@st.composite
def columns_of(draw, kinds, pools, n_rows):
    """Columns of so many rows, of values from their pools."""
    return [
        Column(
            KINDS[kind],
            draw(st.lists(st.sampled_from(pool), min_size=n_rows, max_size=n_rows)),
        )
        for kind, pool in zip(kinds, pools, strict=True)
    ]


@st.composite
def tables(draw):
    """A table to learn from, and one to encode, of some values that the first has not."""
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3))
    pools = []
    for kind in kinds:
        pool = draw(st.lists(KINDS[kind].values, min_size=2, max_size=5))
        pools.append([*pool, None] if draw(st.booleans()) else pool)
    # Few rows are looked up one by one, many after the different values are found.
    n_rows, n_new = draw(st.sampled_from([5, 30, 70])), draw(st.sampled_from([1, 64, 65]))
    learned = [pool[: 1 + draw(st.integers(0, len(pool) - 1))] for pool in pools]
    return (
        draw(columns_of(kinds, learned, n_rows)),
        draw(columns_of(kinds, pools, n_new)),
    )
