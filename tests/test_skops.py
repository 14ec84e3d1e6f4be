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
WITH_CROSSES = TABLES["strings"].assign(b=CODES // 2)
CROSSES = {"categorical_features": [0, 2], "crosses": [(0, 2)]}
# name: (parameters, X, y)
CASES = {
    **{f"X: {name}": ({}, X, Y) for name, X in TABLES.items()},
    **{f"y: {name}": ({}, TABLES["strings"], y) for name, y in TARGETS.items()},
    **{name: (parameters, TABLES["strings"], Y) for name, parameters in PARAMETERS.items()},
    "crosses": (CROSSES, WITH_CROSSES, Y),
}


def make(**parameters):
    defaults = {"n_components": 2, "categorical_features": [0], "max_iter": 1}
    return EmbeddingEncoder(**{"random_state": 0, **defaults, **parameters})


@pytest.fixture(scope="module")
def skops_io():
    """skops, which takes two seconds to import; only processes that run a test do."""
    return pytest.importorskip("skops.io")


def loaded(skops_io, estimator):
    return skops_io.loads(skops_io.dumps(estimator), trusted=SKOPS_TRUSTED)


def learned(case, how):
    parameters, X, y = CASES[case]
    encoder = make(**parameters)
    if how == "fit then partial_fit":
        return encoder.fit(X, y).partial_fit(X, y)
    return getattr(encoder, how)(X, y)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["fit", "partial_fit", "fit then partial_fit"])
@pytest.mark.parametrize("case", CASES)
def test_every_encoder_loads_with_the_trust_that_is_listed(skops_io, case, how):
    if "max_categories" in CASES[case][0] and how != "fit":
        pytest.skip("chunks do not tell which categories are rare")
    _, X, y = CASES[case]
    encoder = learned(case, how)
    again = loaded(skops_io, encoder)
    assert_array_equal(again.transform(X), encoder.transform(X))
    for found, expected in zip(again.categories_, encoder.categories_, strict=True):
        assert [type(value) for value in found] == [type(value) for value in expected]
    if encoder.classes_ is not None:
        assert again.classes_.tolist() == encoder.classes_.tolist()
    if how != "fit":  # the stream goes on from where it was
        again.partial_fit(X, y)
        assert_array_equal(again.transform(X), encoder.partial_fit(X, y).transform(X))


def test_a_pipeline_loads_with_the_trust_that_is_listed(skops_io):
    X = TABLES["strings"]
    model = make_pipeline(make(), Ridge()).fit(X, Y)
    assert_array_equal(loaded(skops_io, model).predict(X), model.predict(X))


def learned_by_dask():
    dd = pytest.importorskip("dask.dataframe")
    from sk_embed.dask import EmbeddingEncoder as DaskEncoder

    table = dd.from_pandas(TABLES["strings"].assign(y=Y), npartitions=1)
    encoder = DaskEncoder(0, categorical_features=["a"], max_iter=1, random_state=0)
    return encoder.fit(table[["a", "number"]], table["y"])


def test_an_encoder_of_dask_loads_with_the_trust_that_is_listed(skops_io):
    encoder = learned_by_dask()
    X = TABLES["strings"]
    assert_array_equal(loaded(skops_io, encoder).transform(X), encoder.transform(X))


@pytest.mark.slow
def test_the_list_holds_nothing_that_no_encoder_needs(skops_io):
    encoders = [learned_by_dask(), *(learned(case, "fit") for case in CASES)]
    encoders.extend(learned(f"y: {name}", "partial_fit") for name in TARGETS)
    names = np.array([f"{place // 10} {place % 10}" for place in range(60)] * 3)
    numbers = np.arange(180) % 60 + 0.5
    encoders.append(make(names=[0], max_iter=1).fit(names[:, None], numbers))
    needed = set()
    for encoder in encoders:
        needed.update(skops_io.get_untrusted_types(data=skops_io.dumps(encoder)))
    assert set(SKOPS_TRUSTED) - needed == set()
    assert len(SKOPS_TRUSTED) == len(set(SKOPS_TRUSTED))
