"""Tables, targets and parameters at random, for hypothesis."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
from hypothesis import strategies as st

INT64 = np.iinfo(np.int64)
SHORT_TEXT = st.text(max_size=4)
MOMENTS = st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1))

# For each kind of column: its values, and what pandas makes of a list of them.
KINDS: dict[str, tuple[st.SearchStrategy, Any]] = {
    "object": (SHORT_TEXT, object),
    "string": (SHORT_TEXT, "string"),
    "category": (SHORT_TEXT, "category"),
    "category of numbers": (st.integers(-5, 5), "category"),
    "int8": (st.integers(-128, 127), "int8"),
    "int64": (st.integers(INT64.min, INT64.max), "int64"),
    "uint64": (st.integers(0, 2**64 - 1), "uint64"),
    "Int64": (st.integers(INT64.min, INT64.max), "Int64"),
    "wide integers": (st.integers(-(2**80), 2**80), object),
    "float64": (st.floats(allow_nan=False), "float64"),
    "float32": (st.floats(width=32, allow_nan=False), "float32"),
    "Float64": (st.floats(allow_nan=False), "Float64"),
    "bool": (st.booleans(), "bool"),
    "boolean": (st.booleans(), "boolean"),
    "bytes": (st.binary(max_size=3), object),
    "decimals": (st.decimals(allow_nan=False, allow_infinity=False, places=2), object),
    "dates": (st.dates(), object),
    "times": (st.times(), object),
    "datetime64[ns]": (MOMENTS, "datetime64[ns]"),
    "datetime64[s]": (MOMENTS, "datetime64[s]"),
    "with a zone": (MOMENTS, "datetime64[us, UTC]"),
    "timedelta64": (st.timedeltas(dt.timedelta(-99), dt.timedelta(99)), "timedelta64[ns]"),
    "months": (st.integers(0, 900).map(lambda n: pd.Period(ordinal=n, freq="M")), None),
    "pairs": (st.tuples(SHORT_TEXT, st.integers(0, 3)), object),
    "mixed": (
        st.one_of(
            *[SHORT_TEXT, st.integers(), st.floats(allow_nan=False), st.booleans()],
            *[st.binary(max_size=2), st.dates(), st.just(Decimal("1.5"))],
        ),
        object,
    ),
}
# What cannot hold a gap.
WITHOUT_GAPS = ("int8", "int64", "uint64", "bool")
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-3, 3).map(float),
    st.sampled_from([1e30, -1e300, 5e-324]),
)

LABELS = [["a", "b"], ["a", "b", "c"], [0, 1], [True, False], [5], [-1, 2, 9]]


class Case(NamedTuple):
    """What one example fits, and what it encodes."""

    X: Any
    y: Any
    sample_weight: Any
    X_new: Any
    parameters: dict[str, Any]


@st.composite
def columns(draw, n_rows):
    """A column of one kind, as a Series."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    values, dtype = KINDS[kind]
    pool = draw(st.lists(values, min_size=1, max_size=6))
    chosen = draw(st.lists(st.sampled_from(pool), min_size=n_rows, max_size=n_rows))
    column = pd.Series(chosen, dtype=dtype)
    if kind not in WITHOUT_GAPS and draw(st.booleans()):
        gaps = draw(st.lists(st.integers(0, n_rows - 1), max_size=n_rows))
        column.iloc[gaps] = (
            draw(st.sampled_from([None, np.nan])) if dtype is object else None
        )
    return column


@st.composite
def numbers(draw, n_rows):
    """A column of numeric context."""
    values = draw(st.lists(NUMBERS, min_size=n_rows, max_size=n_rows))
    kind = draw(
        st.sampled_from(["float64", "Float64", "bool", "int64", "constant", "gaps"])
    )
    if kind == "constant":
        return pd.Series(values[:1] * n_rows)
    if kind == "gaps":
        return pd.Series([value if value > 0 else np.nan for value in values])
    if kind in ("bool", "int64"):
        return pd.Series([value > 0 for value in values]).astype(kind)
    return pd.Series(values, dtype=kind)


@st.composite
def targets(draw, n_rows):
    """A target of any type."""
    kind = draw(st.sampled_from(["numbers", "labels", "outputs", "indicator"]))
    if kind == "labels":
        pool = draw(st.sampled_from(LABELS))
        labels = draw(st.lists(st.sampled_from(pool), min_size=n_rows, max_size=n_rows))
        return pd.Series(labels, dtype=object) if draw(st.booleans()) else np.array(labels)
    if kind == "numbers":
        finite = st.floats(-1e300, 1e300)
        return np.array(draw(st.lists(finite, min_size=n_rows, max_size=n_rows)))
    seed = draw(st.integers(0, 9))
    drawn = np.random.default_rng(seed).normal(size=(n_rows, 2))
    drawn[:, 0] *= draw(st.sampled_from([0, 1, 1e200]))
    return drawn if kind == "outputs" else (drawn > 0).astype(int)


def in_container(draw, frame):
    """The table as a frame of pandas or polars, an array, or a list of rows."""
    kind = draw(st.sampled_from(["pandas", "pandas", "array", "list", "polars"]))
    if kind == "array":
        is_plain = all(isinstance(dtype, np.dtype) for dtype in frame.dtypes)
        return (frame if is_plain else frame.astype(object)).to_numpy()
    if kind == "list":
        return frame.astype(object).to_numpy().tolist()
    if kind == "polars":
        try:
            return pl.from_pandas(frame)
        except Exception:  # what has no place in polars stays in pandas
            return frame
    return frame


@st.composite
def cases(draw):
    """A table to learn from, its target, and a table to encode."""
    n_rows = draw(st.integers(1, 25))
    n_new = draw(st.integers(1, 8))
    n_categorical, n_context = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    learned, new = {}, {}
    for number in range(n_categorical):
        name = draw(st.sampled_from(["a", "ä b", "x0", "effect"])) + str(number)
        learned[name] = draw(columns(n_rows))
        keeps = draw(st.booleans()) and n_rows >= n_new
        new[name] = learned[name].iloc[:n_new] if keeps else draw(columns(n_new))
    for number in range(n_context):
        learned[f"n{number}"], new[f"n{number}"] = (
            draw(numbers(n_rows)),
            draw(numbers(n_new)),
        )
    weights = st.lists(
        st.sampled_from([0.0, 0.3, 1.0, 1e6]), min_size=n_rows, max_size=n_rows
    )
    X, X_new = pd.DataFrame(learned), pd.DataFrame(new)
    return Case(
        in_container(draw, X),
        draw(targets(n_rows)),
        draw(st.one_of(st.none(), weights.map(np.array))),
        in_container(draw, X_new),
        {
            **draw(parameters()),
            "categorical_features": list(range(n_categorical)) if n_context else "all",
        },
    )


@st.composite
def parameters(draw):
    """Parameters inside their ranges, for a fit that is over at once."""
    return {
        "n_components": draw(st.sampled_from(["auto", 1, 2, 10, 0.5])),
        "main_effects": draw(st.booleans()),
        "remainder": draw(st.sampled_from(["drop", "passthrough"])),
        "handle_unknown": draw(st.sampled_from(["prior", "prior", "error"])),
        "min_frequency": draw(st.sampled_from([None, None, 2, 0.2])),
        "max_categories": draw(st.sampled_from([None, None, 1, 3])),
        "hidden_layer_sizes": draw(st.sampled_from(["auto", (), (3,), (2, 2, 2)])),
        "alpha": draw(st.sampled_from(["auto", 0.0, 1.0, 1e12])),
        "batch_size": draw(st.sampled_from(["auto", 1, 7])),
        "max_iter": draw(st.integers(1, 2)),
        "cross_fit": draw(st.booleans()),
        "cross_fit_below": draw(st.sampled_from(["auto", 0, 3, 10**9])),
        "cv": draw(st.sampled_from([2, 3, None])),
        "init_scale": draw(st.sampled_from([0.0, 0.0, 0.1])),
        "dtype": draw(st.sampled_from([np.float32, np.float64])),
        "random_state": draw(st.integers(0, 3)),
    }
