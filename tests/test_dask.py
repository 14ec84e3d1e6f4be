"""The encoder for Dask's data frames, on a cluster of worker processes too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from contextlib import nullcontext
from copy import copy
from decimal import Decimal
from functools import partial
from threading import Lock

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold

import sk_embed

dask = pytest.importorskip("dask")
dd = pytest.importorskip("dask.dataframe")
da = pytest.importorskip("dask.array")

from sk_embed import _dask_partitions  # noqa: E402
from sk_embed import dask as sk_embed_dask  # noqa: E402
from sk_embed.dask import EmbeddingEncoder  # noqa: E402

N_ROWS, N_ROUNDS = 600, sk_embed_dask.N_ROUNDS
# A partition's sum of these can be squared, that of all rows cannot.
N_HUGE = 6e12
NAMES = ["shop", "item", "size"]
CATEGORICAL = ["shop", "item"]


@pytest.fixture(autouse=True)
def _in_turn(monkeypatch):
    """Compute here, unless a cluster is asked, and in few rounds: each takes its time."""
    monkeypatch.setattr(sk_embed_dask, "N_ROUNDS", 2)
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    shop, item = rng.integers(8, size=N_ROWS), rng.integers(20, size=N_ROWS)
    size = rng.normal(size=N_ROWS)
    slopes, levels = rng.normal(size=8), rng.normal(size=20)
    frame = pd.DataFrame({"shop": [f"shop {s}" for s in shop], "item": item, "size": size})
    frame["sold"] = levels[item] + 2 * slopes[shop] * size + rng.normal(size=N_ROWS)
    frame["weight"] = rng.integers(3, size=N_ROWS)
    frame.loc[::9, "shop"] = None
    frame.loc[::11, "size"] = np.nan
    return frame


@pytest.fixture
def lazy(table):
    return dd.from_pandas(table, npartitions=4)


def encoder_of(cls=EmbeddingEncoder, **changes):
    """Return an encoder that does not ask the partitions as often as "auto" would."""
    chosen = {"categorical_features": CATEGORICAL, "max_iter": 2, "random_state": 0}
    return cls(**(chosen | {"alpha": 2.0, "crosses": None} | changes))


def fit(lazy, **changes):
    return encoder_of(**changes).fit(lazy[NAMES], lazy["sold"])


@pytest.fixture(scope="module")
def fitted_once(table):
    with dask.config.set(scheduler="synchronous"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sk_embed_dask, "N_ROUNDS", 2)
        return fit(dd.from_pandas(table, npartitions=4))


@pytest.fixture
def fitted(fitted_once):
    """An encoder of its own for each test that needs one as :func:`fit` makes it."""
    return copy(fitted_once)


def assert_same_tables(a, b):
    assert a.unit_ == b.unit_
    assert a.loss_curve_ == b.loss_curve_
    for of_a, of_b in zip(a.embeddings_, b.embeddings_, strict=True):
        assert_array_equal(of_a, of_b)


# ------------------------------------------------------------------ what is exact


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"alpha": "auto"},
        {"min_frequency": 32},
        {"max_categories": 5},
        {"categories": [[f"shop {n}" for n in range(9)] + [None], list(range(3, 25))]},
        {"categorical_features": "from_dtype"},
        {"categorical_features": [0]},
        {"categorical_features": lambda frame: frame.columns[:2].tolist()},
        {"categories": {"item": list(range(3, 25))}},
    ],
)
def test_main_effects_and_categories_are_those_of_the_rows_in_memory(table, lazy, changes):
    changes = {"n_components": 0, "max_iter": 1, **changes}
    found = fit(lazy, **changes)
    expected = encoder_of(sk_embed.EmbeddingEncoder, **changes)
    expected.fit(table[NAMES], table["sold"])
    for name in ("categories_", "infrequent_categories_"):
        for a, b in zip(getattr(found, name), getattr(expected, name), strict=True):
            assert (a is None) == (b is None)
            if b is not None:
                pd.testing.assert_index_equal(pd.Index(a), pd.Index(b))
    for name in NAMES[: len(found.categories_)]:
        assert_array_equal(found.to_frame(name)["count"], expected.to_frame(name)["count"])
    for a, b in zip(found.embeddings_, expected.embeddings_, strict=True):
        # In units of the context's sensitivity, which the network tells.
        assert_allclose(a * found.unit_, b * expected.unit_, atol=1e-5)


TARGETS = {
    "binary": lambda table: table["sold"] > 0,
    "multiclass": lambda table: np.digitize(table["sold"], [-1, 1]).astype(str),
    "continuous": lambda table: 1e6 + 1e3 * table["sold"],
    "continuous-multioutput": lambda table: table[["sold", "item"]] * [1.0, 1.5],
    "multilabel-indicator": lambda table: (table[["sold", "item"]] > [0, 9]).astype(int),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_targets_are_read_and_learned_as_in_memory(table, kind):
    y = TARGETS[kind](table)
    y = y if isinstance(y, pd.DataFrame) else pd.Series(y, table.index)
    lazy, lazy_y = dd.from_pandas(table, npartitions=3), dd.from_pandas(y, npartitions=3)
    found = encoder_of(n_components=0, alpha=3.0).fit(lazy[NAMES], lazy_y)
    expected = encoder_of(sk_embed.EmbeddingEncoder, n_components=0, alpha=3.0)
    expected.fit(table[NAMES], y)
    assert found.target_type_ == expected.target_type_ == kind
    assert_array_equal(found.get_feature_names_out(), expected.get_feature_names_out())
    if expected.classes_ is not None:
        assert_array_equal(found.classes_, expected.classes_)
    for a, b in zip(found.embeddings_, expected.embeddings_, strict=True):
        assert_allclose(a * found.unit_, b * expected.unit_, atol=2e-5)


def in_partitions(values, n_partitions=4):
    """Return values of any type as a Dask Series, as objects that Dask leaves alone."""
    with dask.config.set({"dataframe.convert-string": False}):
        return dd.from_pandas(pd.Series(values, dtype=object), npartitions=n_partitions)


@pytest.fixture(scope="module")
def fitted_to_codes(table):
    """An encoder of three classes that are the numbers 0, 1 and 2."""
    lazy = dd.from_pandas(table, npartitions=4)
    with dask.config.set(scheduler="synchronous"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sk_embed_dask, "N_ROUNDS", 2)
        codes = in_partitions((table["item"] % 3).tolist())
        return encoder_of(max_iter=1).fit(lazy[NAMES], codes)


LABELS = {
    "bytes": [b"p", b"q", b"r"],
    "tuples": [(0, "of"), (1, "of"), (2, "of")],
    "lone surrogates": ["a", "\ud83d", "\ud83e"],
    "decimals": [Decimal(1), Decimal(2), Decimal(3)],
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_of_every_type_are_classes(table, lazy, labels, fitted_to_codes):
    y = in_partitions([labels[code] for code in table["item"] % 3])
    found = encoder_of(max_iter=1).fit(lazy[NAMES], y)
    assert found.target_type_ == "multiclass"
    assert found.classes_.tolist() == labels
    assert_same_tables(found, fitted_to_codes)


def test_decimals_are_numbers(table, lazy):
    numbers = table["sold"].round(3)
    y = in_partitions([Decimal(str(number)) for number in numbers])
    found = encoder_of(max_iter=1).fit(lazy[NAMES], y)
    expected = encoder_of(max_iter=1).fit(
        lazy[NAMES], dd.from_pandas(numbers, npartitions=4)
    )
    assert found.target_type_ == "continuous"
    assert_same_tables(found, expected)


def test_half_precision_is_standardised_in_double_precision(table, lazy):
    # The largest float16 is 65,504: neither the sum nor the squares fit in.
    numbers = (table["sold"] * 5_000).astype("f2").to_numpy()
    found = encoder_of(max_iter=1).fit(lazy[NAMES], da.from_array(numbers, chunks=150))
    wide = da.from_array(numbers.astype(float), chunks=150)
    assert_same_tables(found, encoder_of(max_iter=1).fit(lazy[NAMES], wide))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (list(pd.date_range("2020", periods=N_ROWS)), "Partition [0-3]: y holds times"),
        ([1, "a"] * (N_ROWS // 2), "y mixes numbers and strings"),
        ([1] * 300 + ["a"] * 300, "y mixes numbers and strings"),
        ([{}] * N_ROWS, "not hashable"),
    ],
)
def test_targets_that_cannot_be_used_are_one_clear_line(lazy, values, message):
    with pytest.raises(ValueError, match=message) as raised:
        encoder_of().fit(lazy[NAMES], in_partitions(values))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("n_labels", "as_label", "message"),
    [
        (21, int, "21 different whole numbers"),
        (100, int, "100 different whole numbers"),
        (201, str, "201 classes in 600 rows"),
        (20, str, None),
        (101, int, None),
    ],
)
def test_many_classes_are_warned_of(lazy, n_labels, as_label, message):
    values = [as_label(n % n_labels) for n in range(N_ROWS)]
    with pytest.warns(UserWarning, match=message) if message else nullcontext():
        encoder_of(n_components=0, max_iter=1).fit(lazy[NAMES], in_partitions(values))


def test_weights_are_counts(table, lazy):
    weighted = encoder_of(n_components=0).fit(lazy[NAMES], lazy["sold"], lazy["weight"])
    repeated = table.loc[table.index.repeat(table["weight"])].reset_index(drop=True)
    expected = fit(dd.from_pandas(repeated, npartitions=4), n_components=0)
    for a, b in zip(weighted.embeddings_, expected.embeddings_, strict=True):
        assert_allclose(a * weighted.unit_, b * expected.unit_, atol=1e-4)


def test_partitions_without_rows_change_nothing(table, lazy):
    # The first, whose dtypes are told by no value; and weights and a nullable target.
    lazy = lazy.assign(sold=lazy["sold"].astype("Float64"), weight=1.0)
    empty = lazy.map_partitions(lambda part: part[part.index // 150 != 0])
    without = table[table.index // 150 != 0]
    assert 0 in empty.map_partitions(len).compute().tolist()
    found = encoder_of(n_components=0)
    encoded = found.fit_transform(empty[NAMES], empty["sold"], empty["weight"])
    assert len(encoded.compute()) == len(found.transform(empty[NAMES]).compute())
    expected = encoder_of(sk_embed.EmbeddingEncoder, n_components=0)
    expected.fit(without[NAMES], without["sold"])
    for a, b in zip(found.embeddings_, expected.embeddings_, strict=True):
        assert_allclose(a * found.unit_, b * expected.unit_, atol=1e-5)


def test_partitions_of_a_row_each_are_spread_over_the_folds(table):
    few = table.iloc[:9]
    lazy = dd.from_pandas(few, npartitions=9)
    assert lazy.map_partitions(len).compute().tolist() == [1] * 9
    chosen = {"categorical_features": ["item"], "cv": 3, "cross_fit_below": 100}
    encoder = encoder_of(n_components=0, alpha=1.0, **chosen)
    encoded = encoder.fit_transform(lazy[["item"]], lazy["sold"], None)
    assert np.isfinite(encoded.compute().to_numpy()).all()


def test_a_partition_of_weight_zero_is_encoded_and_not_learned(table, lazy):
    weight = dd.from_pandas(pd.Series((table.index >= 150) * 1.0), npartitions=4)
    encoder = encoder_of(n_components=0)
    encoded = encoder.fit_transform(lazy[NAMES], lazy["sold"], weight).compute()
    of_transform = encoder.to_memory().transform(table[NAMES])
    assert_array_equal(encoded[:150], of_transform[:150])
    assert sum(encoder.to_frame("item")["count"]) == 450


# ------------------------------------------------------------------ vectors


def draw_slopes(n_rows, rng, slopes):
    item = rng.integers(len(slopes), size=n_rows)
    x = rng.normal(size=n_rows)
    frame = pd.DataFrame({"item": item, "x": x})
    frame["y"] = slopes[item] * x + rng.normal(size=n_rows)
    return frame


@pytest.mark.slow
def test_vectors_are_worth_those_of_the_rows_in_memory(monkeypatch):
    monkeypatch.setattr(sk_embed_dask, "N_ROUNDS", N_ROUNDS)
    rng = np.random.default_rng(0)
    slopes = 2 * rng.normal(size=50)
    learned, model, test = (draw_slopes(n, rng, slopes) for n in (16_000, 5_000, 5_000))
    lazy = dd.from_pandas(learned, npartitions=4)
    by = {"categorical_features": ["item"], "random_state": 0}
    names = ["item", "x"]
    fitted = [
        EmbeddingEncoder(**by).fit(lazy[names], lazy["y"]).to_memory(),
        sk_embed.EmbeddingEncoder(**by).fit(learned[names], learned["y"]),
    ]
    scores = []
    for encoder in fitted:
        behind = HistGradientBoostingRegressor(random_state=0)
        encoded = [
            np.column_stack([encoder.transform(t[names]), t["x"]]) for t in (model, test)
        ]
        scores.append(behind.fit(encoded[0], model["y"]).score(encoded[1], test["y"]))
    assert scores[1] > 0.5
    assert scores[0] > scores[1] - 0.02


def test_rows_of_fit_are_encoded_without_their_targets():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"item": rng.integers(400, size=2_000)})
    table["y"] = rng.normal(size=2_000)
    lazy = dd.from_pandas(table, npartitions=4)
    encoder = EmbeddingEncoder(n_components=0, alpha=0.5, random_state=0)
    encoded = encoder.fit_transform(lazy[["item"]], lazy["y"]).compute()
    leaking = encoder.transform(lazy[["item"]]).compute()
    scores = [
        r2_score(table["y"], Ridge().fit(e, table["y"]).predict(e))
        for e in (encoded, leaking)
    ]
    assert scores[0] < 0.01
    assert scores[1] > 0.1


def test_folds_hold_labels_evenly_and_each_row_gets_one_of_its_folds(table, lazy):
    encoder = encoder_of(cross_fit_below=10**6, cv=3, n_components=0, alpha=2.0)
    encoded = encoder.fit_transform(lazy[NAMES], (lazy["sold"] > 0).astype(int)).compute()
    vectors = encoded.groupby(table["item"])["item_effect"].nunique()
    assert (vectors == 3).all()


@pytest.mark.parametrize("changes", [{"cross_fit": False}, {"cross_fit_below": 0}])
def test_without_cross_fitting_rows_of_fit_are_encoded_as_others(lazy, changes):
    encoder = encoder_of(**changes)
    encoded = encoder.fit_transform(lazy[NAMES], lazy["sold"])
    assert_array_equal(encoded.compute(), encoder.transform(lazy[NAMES]).compute())


def test_fit_transform_fits_as_fit_does(lazy):
    a, b = (encoder_of(n_components=2, crosses="auto") for _ in "ab")
    b.fit(lazy[NAMES], lazy["sold"])
    a.fit_transform(lazy[NAMES], lazy["sold"])
    for of_a, of_b in zip(a.embeddings_, b.embeddings_, strict=True):
        assert_allclose(of_a, of_b, atol=1e-4)


# ------------------------------------------------------------------ Dask's habits


def test_what_comes_back_is_lazy_and_keeps_index_and_partitions(table, lazy):
    encoder = encoder_of(n_components=2, remainder="passthrough")
    outputs = [
        encoder.fit_transform(lazy[NAMES], lazy["sold"]),
        encoder.transform(lazy[NAMES]),
    ]
    for output in outputs:
        assert isinstance(output, dd.DataFrame)
        assert output.divisions == lazy.divisions
        computed = output.compute()
        assert_array_equal(computed.index, table.index)
        assert list(output.columns) == list(encoder.get_feature_names_out())
        assert (computed.dtypes == output.dtypes).all()
        assert computed["size"].equals(table["size"])
    expected = encoder.to_memory().set_output(transform="pandas").transform(table[NAMES])
    pd.testing.assert_frame_equal(computed, expected)


def test_nothing_is_read_before_the_output_is_computed(lazy, fitted):
    def fail(part):
        raise AssertionError("read")

    output = fitted.transform(lazy[NAMES].map_partitions(fail, meta=lazy[NAMES]._meta))
    with pytest.raises(AssertionError, match="read"):
        output.compute()


def test_targets_and_weights_may_be_arrays(table, lazy):
    y, weight = (
        da.from_array(table[name].to_numpy(), chunks=150) for name in ("sold", "weight")
    )
    found = encoder_of().fit(lazy[NAMES], y, weight)
    expected = encoder_of().fit(lazy[NAMES], lazy["sold"], lazy["weight"])
    assert_same_tables(found, expected)


def test_encoder_for_memory_is_the_same_encoder(table, tmp_path, fitted):
    encoder = fitted
    plain = encoder.to_memory()
    assert type(plain) is sk_embed.EmbeddingEncoder
    assert plain.get_params() == encoder.get_params()
    encoded = plain.transform(table[NAMES])
    assert_array_equal(encoder.transform(table[NAMES]), encoded)
    encoder.save(tmp_path / "encoder.zip")
    loaded = sk_embed.EmbeddingEncoder.load(tmp_path / "encoder.zip")
    assert_array_equal(loaded.transform(table[NAMES]), encoded)
    plain.partial_fit(table[NAMES], table["sold"])
    assert_array_equal(encoder.transform(table[NAMES]), encoded)


def test_parameters_are_those_of_the_encoder_in_memory():
    encoder = encoder_of(n_components=3, cv=7)
    assert clone(encoder).get_params() == encoder.get_params()
    assert encoder.get_params().keys() == sk_embed.EmbeddingEncoder().get_params().keys()


def test_warm_start_goes_on_from_the_trunk(lazy):
    encoder = fit(lazy, warm_start=True, max_iter=8)
    before = encoder.loss_curve_
    encoder.fit(lazy[NAMES], lazy["sold"])
    assert encoder.loss_curve_[0] < before[0]
    message = "warm_start=True goes on from a continuous target, but this one is binary"
    with pytest.raises(ValueError, match=message):
        encoder.fit(lazy[NAMES], lazy["sold"] > 0)


def test_epochs_are_told(lazy, capsys):
    fit(lazy, verbose=1, max_iter=4)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("[EmbeddingEncoder] epoch 1 of 4: loss")


# Of Dask itself, on pandas 3.1.
@pytest.mark.filterwarnings("ignore:The inplace keyword")
@pytest.mark.parametrize("how", ["shuffle", "set_index", "merge", "parquet"])
def test_rows_of_x_and_y_are_the_same_whatever_dask_makes_of_them(
    table, lazy, how, tmp_path
):
    table = table.assign(sold=10.0 * table["item"] + table["sold"], more=1.0)
    lazy = dd.from_pandas(table.sample(frac=1, random_state=0).reset_index(drop=True), 4)
    if how == "shuffle":
        lazy = lazy.shuffle("shop")
    elif how == "set_index":
        lazy = lazy.set_index("item", drop=False)
    elif how == "merge":
        other = pd.DataFrame({"item": np.arange(20), "level": 1.0})
        lazy = lazy.merge(dd.from_pandas(other, npartitions=2), on="item")
    else:
        lazy.to_parquet(tmp_path)
        lazy = dd.read_parquet(tmp_path)
    X = lazy[["item", "size"]].astype({"size": "float32"})
    encoder = encoder_of(n_components=0, categorical_features=["item"], max_iter=1)
    encoder.fit(X, lazy["sold"])
    effects = encoder.to_frame("item")["item_effect"]
    assert np.corrcoef(effects, effects.index)[0, 1] > 0.99
    assert len(encoder.transform(X).compute()) == N_ROWS


def test_rows_that_come_back_in_another_order_are_not_given_others_folds(table):
    n_times = []

    def draw(seed):
        n_times.append(seed)
        return table.sample(frac=1, random_state=len(n_times))

    lazy = dd.from_map(draw, [0, 1], meta=table.iloc[:0])
    encoded = encoder_of(n_components=0).fit_transform(lazy[NAMES], lazy["sold"])
    with pytest.raises(ValueError, match=r"Partition \d has other rows than in fit"):
        encoded.compute()


def test_dtypes_of_context_are_those_that_were_told(table):
    def draw(number):
        part = table[number::2]
        return part.astype({"weight": "float32"}) if number else part

    lazy = dd.from_map(draw, [0, 1], meta=table.iloc[:0].astype({"weight": "float64"}))
    names = ["item", "weight"]
    encoder = encoder_of(
        n_components=0, categorical_features=["item"], max_iter=1, remainder="passthrough"
    )
    for encoded in (
        encoder.fit_transform(lazy[names], lazy["sold"]),
        encoder.transform(lazy[names]),
    ):
        assert encoded.compute()["weight"].dtype == encoded.dtypes["weight"] == np.float64


# ------------------------------------------------------------------ errors


def fit_of(lazy, **changes):
    given = {"X": lazy[NAMES], "y": lazy["sold"]} | changes
    return partial(encoder_of().fit, **given)


REFUSED = {
    "X in memory": (TypeError, "X is a DataFrame, but this encoder is fitted by Dask"),
    "y in memory": (TypeError, "y is a Series, but must be a Dask Series or Array"),
    "no y": (ValueError, "requires y to be passed"),
    "other partitions": (ValueError, "y has 3 partitions, but X has 4"),
    "other rows": (ValueError, r"Partition \d: y has index \d+ in row 0, but X has"),
    "weights of other rows": (ValueError, r"Partition \d: sample_weight has index \d+"),
    "weights beyond squares": (ValueError, "sample_weight sums to 3600000000000000.0"),
    "other lengths": (ValueError, r"Partition \d: y has 149 rows, but X has 150"),
    "missing target": (ValueError, r"Partition 1: Input y contains NaN \(row 10\)"),
    "infinite target": (ValueError, r"Partition 2: Input y contains infinity \(row 0\)"),
    "a row without label": (ValueError, r"Partition 3: Input y contains NaN \(row 5\)"),
    "negative weight": (ValueError, "Partition 2: sample_weight is negative in row 10"),
    "no weight": (ValueError, "There is no row to learn from"),
    "infinite number": (ValueError, "Partition 3: Context column 'size' holds an infinite"),
    "no such column": (ValueError, "categorical_features names column 'shops'"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_used_is_named_and_changes_nothing(table, lazy, what, fitted):
    error, message = REFUSED[what]
    series = pd.Series
    bad = {
        "missing target": series(table["sold"].where(table.index != 160)),
        "infinite target": series(table["sold"].where(table.index != 300, np.inf)),
        "a row without label": series(table["shop"].fillna("none")).where(
            table.index != 455
        ),
        "negative weight": series(np.where(table.index == 310, -1.0, 1.0)),
        "no weight": series(np.zeros(N_ROWS)),
        "infinite number": table[NAMES].assign(
            size=table["size"].where(table.index != 500, np.inf)
        ),
    }
    bad = {name: dd.from_pandas(values, npartitions=4) for name, values in bad.items()}
    given = {
        "X in memory": {"X": table[NAMES]},
        "y in memory": {"y": table["sold"]},
        "no y": {"y": None},
        "other partitions": {"y": dd.from_pandas(table, npartitions=3)["sold"]},
        "other rows": {"y": lazy["sold"].map_partitions(lambda y: y.iloc[::-1])},
        "weights of other rows": {
            "sample_weight": lazy["weight"].map_partitions(lambda w: w.iloc[::-1])
        },
        "weights beyond squares": {"sample_weight": lazy["sold"] * 0 + N_HUGE},
        "other lengths": {"y": lazy["sold"].map_partitions(lambda y: y.iloc[1:])},
        "missing target": {"y": bad["missing target"]},
        "infinite target": {"y": bad["infinite target"]},
        "a row without label": {"y": bad["a row without label"]},
        "negative weight": {"sample_weight": bad["negative weight"]},
        "no weight": {"sample_weight": bad["no weight"]},
        "infinite number": {"X": bad["infinite number"]},
        "no such column": {},
    }[what]
    encoder = fitted
    if what == "no such column":
        encoder.set_params(categorical_features=["shops"])
    before = vars(encoder).copy()
    with pytest.raises(error, match=message):
        encoder.fit(**({"X": lazy[NAMES], "y": lazy["sold"]} | given))
    assert vars(encoder).keys() == before.keys()
    assert all(vars(encoder)[name] is value for name, value in before.items())


def test_the_encoder_for_memory_refuses_tables_of_dask(lazy, fitted):
    for method in ("fit", "partial_fit"):
        with pytest.raises(TypeError, match=r"X is of Dask.*use sk_embed\.dask"):
            getattr(sk_embed.EmbeddingEncoder(), method)(lazy[NAMES], lazy["sold"])
    with pytest.raises(TypeError, match="X is of Dask"):
        fitted.to_memory().transform(lazy[NAMES])


def test_splitters_and_groups_are_refused(lazy):
    with pytest.raises(ValueError, match=r"cv=KFold.* cannot be used with Dask"):
        encoder_of(cv=KFold(3)).fit_transform(lazy[NAMES], lazy["sold"])
    with pytest.raises(ValueError, match="'groups' cannot be used with Dask"):
        encoder_of().fit_transform(lazy[NAMES], lazy["sold"], groups=lazy["item"])


def test_unknown_categories_are_told_where_they_are(table, lazy):
    listed = [[f"shop {n}" for n in range(8)] + [None], list(range(19))]
    encoder = encoder_of(categories=listed, handle_unknown="error")
    with pytest.raises(ValueError, match=r"Partition \d: Column 'item' holds the unknown"):
        encoder.fit(lazy[NAMES], lazy["sold"])
    encoder = fit(lazy, handle_unknown="error")
    unknown = encoder.transform(lazy[NAMES].assign(item=99))
    with pytest.raises(ValueError, match="Column 'item' holds the unknown category 99"):
        unknown.compute()


def test_a_measurement_as_a_category_is_warned_of(lazy):
    encoder = encoder_of(n_components=0, max_iter=1, categorical_features="all")
    with pytest.warns(UserWarning, match=r"'size' holds \d+ different numbers"):
        encoder.fit(lazy[NAMES].dropna(), lazy.dropna()["sold"])


def test_columns_in_another_order_are_refused_before_anything_is_read(lazy, fitted):
    with pytest.raises(ValueError, match="feature names"):
        fitted.transform(lazy[NAMES[::-1]])


# ------------------------------------------------------------------ workers


@pytest.fixture
def client():
    """Three worker processes."""
    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings():
        # Of processes and sockets, which are not ours.
        warnings.simplefilter("ignore")
        with (
            distributed.LocalCluster(n_workers=0, dashboard_address=None) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):
            # Without a nanny each, which would start a killed one anew.
            command = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny"]
            command += ["--nthreads", "1", "--no-dashboard", cluster.scheduler_address]
            processes = [
                subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(3)
            ]
            try:
                client.wait_for_workers(3, timeout=120)
                yield client
            finally:
                for process in processes:
                    process.kill()
                    process.wait()


def fit_by(scheduler, lazy):
    """Fit by the name of a scheduler, or by a client that is in use here alone."""
    is_client = not isinstance(scheduler, str)
    name, context = (
        ("distributed", scheduler.as_current()) if is_client else (scheduler, nullcontext())
    )
    with warnings.catch_warnings(), dask.config.set(scheduler=name), context:
        warnings.simplefilter("ignore", ResourceWarning)
        encoder = encoder_of(n_components=2, max_iter=2, crosses="auto")
        encoded = encoder.fit_transform(lazy[NAMES], lazy["sold"])
        return encoder, encoded.compute()


def assert_same(first, second):
    assert_same_tables(first[0], second[0])
    pd.testing.assert_frame_equal(first[1], second[1])


@pytest.mark.slow
def test_workers_threads_and_one_process_give_the_same_bits(client, lazy):
    of_workers = fit_by(client, lazy)
    assert_same(fit_by("threads", lazy), of_workers)
    assert_same(fit_by("synchronous", lazy), of_workers)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["_next_bits", "_trunk_round", "_table_round"])
def test_a_worker_that_is_killed_changes_no_bit(client, lazy, monkeypatch, when):
    killed, lock = [], Lock()
    sum_over = _dask_partitions.Partitions.sum_over

    def sum_over_and_kill(self, function, *arguments):
        # Tables are asked for by several threads.
        if function.__name__ == when and lock.acquire(blocking=False):
            workers = client.run(os.getpid)
            killed.append(min(workers))
            os.kill(workers[killed[0]], signal.SIGKILL)
        return sum_over(self, function, *arguments)

    monkeypatch.setattr(_dask_partitions.Partitions, "sum_over", sum_over_and_kill)
    found = fit_by(client, lazy)
    assert len(killed) == 1
    assert killed[0] not in client.scheduler_info()["workers"]
    assert_same(found, fit_by("synchronous", lazy))


@pytest.mark.filterwarnings("ignore:Column .* held .* in fit but holds:UserWarning")
def test_strings_without_utf_8_are_categories_of_their_own():
    # Dask itself would make Arrow's strings of them.
    values = ["\ud83d", "'\\ud83d'", "a", "a\0"]
    codes = np.arange(200) % len(values)
    X = pd.DataFrame({"a": pd.Series(np.array(values, dtype=object)[codes], dtype=object)})
    y = pd.Series(codes + np.sin(np.arange(200)), name="y")
    with dask.config.set({"dataframe.convert-string": False}):
        rows, target = (dd.from_pandas(part, npartitions=3) for part in (X, y))
        encoder = EmbeddingEncoder(0, max_iter=1, random_state=0).fit(rows, target)
        assert encoder.categories_[0].tolist() == sorted(values)
        assert len(np.unique(encoder.transform(rows).compute())) == len(values)
