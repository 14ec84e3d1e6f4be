"""skops, which loads what it trusts by name, needs no trust beyond SKOPS_TRUSTED."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from sk_embed import SKOPS_TRUSTED, EmbeddingEncoder

skops_io = pytest.importorskip("skops.io")

N_ROWS = 120
CODES = np.arange(N_ROWS) % 4
WORDS = np.array(["w", "x", "y", "z"], dtype=object)[CODES]
NUMBERS = np.random.default_rng(0).normal(size=N_ROWS)
Y = NUMBERS + CODES


def column(values, dtype=None):
    return pd.DataFrame({"a": pd.Series(values, dtype=dtype), "number": NUMBERS})


def listed(convert):
    return column([convert(int(code)) for code in CODES], object)


def periods(name):
    offset = getattr(pd.offsets, name)(**({"weekday": 6} if name == "Week" else {}))
    return column(pd.period_range("2020-01-01", periods=4, freq=offset)[CODES])


DAY = dt.date(2020, 1, 1)
OFFSETS = ("Day", "Hour", "Minute", "Second", "Week", "MonthEnd", "QuarterEnd", "YearEnd")
TABLES = {
    "strings": column(WORDS, object),
    "missing": column(np.where(CODES > 2, None, WORDS), object),
    "numbers": column(CODES / 2),
    "whole numbers": column(CODES),
    "booleans": column(CODES > 1),
    "category": column(WORDS, "category"),
    "Int64": column(CODES, "Int64"),
    "string": column(WORDS, "string"),
    "strings of Arrow": column(WORDS, "string[pyarrow]"),
    "integers of Arrow": column(CODES, "int64[pyarrow]"),
    "dates of Arrow": column([DAY] * N_ROWS, pd.ArrowDtype(pa.date32())),
    "datetime64": column(pd.date_range("2020", periods=4)[CODES]),
    "timedelta64": column(pd.to_timedelta(CODES, unit="D")),
    "dates": listed(lambda code: DAY + dt.timedelta(days=code)),
    "times of day": listed(dt.time),
    "early datetimes": listed(lambda code: dt.datetime(1, 1, 1 + code, microsecond=1)),
    "timedeltas": listed(lambda code: dt.timedelta(days=code * 10**8)),
    "decimals": listed(Decimal),
    "fractions": listed(lambda code: Fraction(code, 3)),
    "UUIDs": listed(lambda code: uuid.UUID(int=code)),
    "bytes": listed(lambda code: bytes([code])),
    "tuples": listed(lambda code: (code, "of", DAY)),
    "a cross of types": listed([1, "x", None, DAY].__getitem__),
    "another cross": listed([b"x", 2.5, ("x", 1), uuid.UUID(int=1)].__getitem__),
    "intervals": column(pd.interval_range(0, 4)[CODES]),
    **{f"periods of {name}": periods(name) for name in OFFSETS},
    "polars": pl.DataFrame({"a": WORDS.tolist(), "number": NUMBERS}),
    "categories of polars": pl.DataFrame(
        {"a": pl.Series(WORDS.tolist(), dtype=pl.Categorical), "number": NUMBERS}
    ),
    "array": np.c_[CODES, CODES / 2],
    "array of strings": np.c_[WORDS, CODES].astype(object),
    "rows": [[word, number] for word, number in zip(WORDS, NUMBERS, strict=True)],
}
TARGETS = {
    "numbers": Y,
    "two classes": CODES > 1,
    "classes": np.array(["p", "q", "r"])[np.arange(N_ROWS) % 3],
    "classes of objects": np.array(["p", "q", "r"], object)[np.arange(N_ROWS) % 3],
    "bytes": [bytes([code]) for code in CODES],
    "tuples": [(int(code), "of") for code in CODES],
    "decimals": [Decimal(str(number)) for number in NUMBERS.round(2)],
    "columns": pd.DataFrame({"u": Y, "v": NUMBERS}),
    "an indicator": np.c_[CODES > 1, CODES > 2].astype(int),
}
PARAMETERS = {
    "the width": {"n_components": "auto"},
    "rare categories": {"max_categories": 3},
    "double precision": {"dtype": np.float64},
    "listed categories": {"categories": [["w", "x", "y", "z"]]},
    "categories by name": {"categories": {"a": ["w", "x", "y", "z"]}},
    "a half-life": {"half_life": 100.0},
    "context that is passed": {"remainder": "passthrough"},
    "layers": {"hidden_layer_sizes": (3, 2)},
    "no main effects": {"main_effects": False},
}
asked: set[str] = set()


def make(**parameters):
    defaults = {"n_components": 2, "categorical_features": [0], "max_iter": 1}
    return EmbeddingEncoder(**{"random_state": 0, **defaults, **parameters})


def loaded(estimator):
    written = skops_io.dumps(estimator)
    asked.update(skops_io.get_untrusted_types(data=written))
    return skops_io.loads(written, trusted=SKOPS_TRUSTED)


def assert_loads(encoder, how, X, y):
    if how == "fit then partial_fit":
        encoder.fit(X, y).partial_fit(X, y)
    else:
        getattr(encoder, how)(X, y)
    again = loaded(encoder)
    assert_array_equal(again.transform(X), encoder.transform(X))
    for found, expected in zip(again.categories_, encoder.categories_, strict=True):
        assert [type(value) for value in found] == [type(value) for value in expected]
    if encoder.classes_ is not None:
        assert again.classes_.tolist() == encoder.classes_.tolist()
    if how != "fit":  # the stream goes on from where it was
        again.partial_fit(X, y)
        assert_array_equal(again.transform(X), encoder.partial_fit(X, y).transform(X))


each_way = pytest.mark.parametrize("how", ["fit", "partial_fit", "fit then partial_fit"])


@each_way
@pytest.mark.parametrize("X", TABLES.values(), ids=TABLES)
def test_encoders_of_every_table_load_with_the_trust_that_is_listed(X, how):
    assert_loads(make(), how, X, Y)


@each_way
@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
def test_encoders_of_every_target_load_with_the_trust_that_is_listed(y, how):
    assert_loads(make(), how, TABLES["strings"], y)


@each_way
@pytest.mark.parametrize("parameters", PARAMETERS.values(), ids=PARAMETERS)
def test_encoders_of_all_parameters_load_with_the_trust_that_is_listed(parameters, how):
    if "max_categories" in parameters and how != "fit":
        pytest.skip("chunks do not tell which categories are rare")
    assert_loads(make(**parameters), how, TABLES["strings"], Y)


@each_way
def test_encoders_with_crosses_load_with_the_trust_that_is_listed(how):
    X = TABLES["strings"].assign(b=CODES // 2)
    assert_loads(make(categorical_features=[0, 2], crosses=[(0, 2)]), how, X, Y)


def test_a_pipeline_loads_with_the_trust_that_is_listed():
    X = TABLES["strings"]
    model = make_pipeline(make(), Ridge()).fit(X, Y)
    assert_array_equal(loaded(model).predict(X), model.predict(X))


def test_an_encoder_of_dask_loads_with_the_trust_that_is_listed():
    pytest.importorskip("dask.dataframe")
    import dask.dataframe as dd

    from sk_embed.dask import EmbeddingEncoder as DaskEncoder

    frame = TABLES["strings"].assign(y=Y)
    table = dd.from_pandas(frame, npartitions=1)
    encoder = DaskEncoder(0, categorical_features=["a"], max_iter=1, random_state=0)
    encoder.fit(table[["a", "number"]], table["y"])
    X = TABLES["strings"]
    assert_array_equal(loaded(encoder).transform(X), encoder.transform(X))


def test_the_list_holds_nothing_that_no_encoder_needs():
    # The last test of this file: the others have asked for all that is needed.
    if len(asked) < 10:
        pytest.skip("the tests that ask were not run")
    pytest.importorskip("dask.dataframe")
    assert sorted(SKOPS_TRUSTED) == sorted(set(SKOPS_TRUSTED))
    assert set(SKOPS_TRUSTED) - asked == set()
