"""Counts of categories as output columns, as a user meets them."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_embed import EmbeddingEncoder

N_ROWS = 240
NAMES = ["shop_count", "day_count", "shop*day_count"]


@pytest.fixture(scope="module")
def table():
    """Shops, a few of them missing, days of which many are rare, and a number."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "shop": rng.choice(["east", "west", None], N_ROWS, p=[0.5, 0.4, 0.1]),
            "number": rng.normal(size=N_ROWS),
            "day": np.minimum(rng.geometric(0.2, N_ROWS), 12),
        }
    )
    return X, rng.normal(size=N_ROWS)


def encoder(**parameters):
    defaults = {
        "n_components": 0,
        "categorical_features": ["shop", "day"],
        "crosses": [("shop", "day")],
        "counts": True,
        "max_iter": 1,
        "random_state": 0,
    }
    encoder = EmbeddingEncoder(**{**defaults, **parameters})
    return encoder.set_output(transform="pandas")


def n_rows_of(X, among):
    """Return for each row of X the rows of its shop, its day and both among others."""
    keys = [["shop"], ["day"], ["shop", "day"]]
    sizes = [among.groupby(key, dropna=False).size().rename(name) for key, name in zip(keys, NAMES, strict=True)]  # fmt: skip # noqa: E501
    for key, of_key in zip(keys, sizes, strict=True):
        X = X.merge(of_key.reset_index(), on=key, how="left")
    return X[NAMES].fillna(0)


def assert_counts(encoded, expected):
    assert_allclose(np.expm1(encoded[NAMES]), expected, atol=1e-3)


# ------------------------------------------------------------------ what is counted


def test_new_rows_count_all_training_rows_of_their_category(table):
    X, y = table
    fitted = encoder().fit(X, y)
    assert_counts(fitted.transform(X), n_rows_of(X, X))
    assert fitted.get_feature_names_out().tolist()[-3:] == NAMES


@pytest.mark.parametrize("cross_fit_below", ["auto", 0])
def test_a_training_row_does_not_count_itself(table, cross_fit_below):
    X, y = table
    fitted = encoder(cross_fit_below=cross_fit_below)
    assert_counts(fitted.fit_transform(X, y), n_rows_of(X, X) - 1)
    none = encoder(crosses=None, cross_fit_below=cross_fit_below).fit_transform(X, y)
    assert_allclose(np.expm1(none[NAMES[:2]]), n_rows_of(X, X)[NAMES[:2]] - 1, atol=1e-3)


def test_without_cross_fitting_training_rows_are_as_new_ones(table):
    X, y = table
    fitted = encoder(cross_fit=False)
    assert_array_equal(fitted.fit_transform(X, y), fitted.transform(X))


def test_unknown_categories_and_cells_have_no_rows(table):
    X, y = table
    fitted = encoder().fit(X[X["day"] < 12], y[X["day"] < 12])
    new = pd.DataFrame({"shop": ["moon", "east"], "number": 0.0, "day": [1, 12]})
    counts = np.expm1(fitted.transform(new)[NAMES])
    assert_array_equal(counts.iloc[0, [0, 2]], 0)
    assert_array_equal(counts.iloc[1, [1, 2]], 0)
    assert (counts.to_numpy()[[0, 1], [1, 0]] > 1).all()


def test_training_rows_outside_given_categories_have_no_rows(table):
    X, y = table
    listed = {"day": [1, 2, 3]}
    fitted = encoder(categories=listed)
    counts = fitted.fit_transform(X, y)["day_count"]
    expected = n_rows_of(X, X)["day_count"].where(X["day"] <= 3, 1) - 1
    assert_allclose(np.expm1(counts), expected, atol=1e-3)


def test_categories_that_share_a_vector_count_together(table):
    X, y = table
    fitted = encoder(max_categories=4)
    grouped = X.assign(day=X["day"].clip(upper=4))
    assert_counts(fitted.fit_transform(X, y), n_rows_of(grouped, grouped) - 1)
    assert_counts(fitted.transform(X), n_rows_of(grouped, grouped))


def test_rows_count_whatever_they_weigh_but_not_without_weight(table):
    X, y = table
    weight = np.random.default_rng(1).choice([0.0, 0.5, 3.0], N_ROWS)
    used = weight > 0
    fitted = encoder()
    encoded = fitted.fit_transform(X, y, sample_weight=weight)
    assert_counts(encoded, n_rows_of(X, X[used]) - used[:, None])
    assert_counts(fitted.transform(X), n_rows_of(X, X[used]))
    frame = fitted.to_frame(("shop", "day"))
    assert frame["count"].sum() == used.sum()


# ------------------------------------------------------------------ what else is put out


def test_counts_change_nothing_else(table):
    X, y = table
    for parameters in ({}, {"remainder": "passthrough"}, {"dtype": np.float64}):
        with_counts = encoder(**parameters)
        without = encoder(**parameters, counts=False)
        a, b = (fitted.fit_transform(X, y) for fitted in (with_counts, without))
        pd.testing.assert_frame_equal(a.drop(columns=NAMES), b)
        assert (a[NAMES].dtypes == parameters.get("dtype", np.float32)).all()
        assert with_counts.n_components_ == without.n_components_
        pd.testing.assert_frame_equal(with_counts.to_frame("day"), without.to_frame("day"))


def test_decoding_ignores_counts(table):
    X, y = table
    fitted = encoder(remainder="passthrough", alpha=1.0).fit(X, y)
    back = fitted.inverse_transform(fitted.transform(X))
    assert back.columns.equals(X.columns)
    assert ((back == X) | (back.isna() & X.isna())).all(axis=None)


def test_changing_the_parameter_counts_after_the_next_fit(table):
    X, y = table
    fitted = encoder().fit(X, y).set_params(counts=False)
    assert NAMES[0] in fitted.transform(X)
    assert NAMES[0] not in fitted.fit(X, y).transform(X)


# ------------------------------------------------------------------ every way of learning


def test_counts_are_in_pickles_and_files(table, tmp_path):
    X, y = table
    fitted = encoder().fit(X, y)
    fitted.save(tmp_path / "encoder.zip")
    again = EmbeddingEncoder.load(tmp_path / "encoder.zip")
    expected = fitted.transform(X)
    pd.testing.assert_frame_equal(again.transform(X), expected)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(fitted)).transform(X), expected)
    more = again.partial_fit(X[:100], y[:100]).transform(X)
    assert_counts(more, n_rows_of(X, X) + n_rows_of(X, X[:100]))


def test_files_from_before_have_no_counts():
    old = EmbeddingEncoder.load(Path(__file__).parent / "golden" / "encoder_v1.zip")
    assert not any(name.endswith("_count") for name in old.get_feature_names_out())
    assert old.counts is False


def test_a_stream_counts_the_rows_of_all_chunks(table):
    X, y = table
    stream = encoder()
    for first in (0, 100):
        chunk = slice(first, first + 140)
        stream.partial_fit(X[chunk], y[chunk])
    both = pd.concat([X[:140], X[100:240]])
    assert_counts(stream.transform(X), n_rows_of(X, both))


def test_chunks_of_a_large_table_count_as_all_rows_together(table):
    X, y = table
    chunks = [(X[a : a + 80], y[a : a + 80]) for a in (0, 80, 160)]
    weighted = [(a, b, np.arange(80) % 3) for a, b in chunks]
    fitted = encoder()
    encoded = pd.concat(fitted.fit_transform_chunks(chunks), ignore_index=True)
    assert_counts(encoded, n_rows_of(X, X) - 1)
    assert_counts(encoder().fit_chunks(chunks).transform(X), n_rows_of(X, X))
    encoded = pd.concat(fitted.fit_transform_chunks(weighted), ignore_index=True)
    used = np.arange(N_ROWS) % 80 % 3 > 0
    assert_counts(encoded, n_rows_of(X, X[used]) - used[:, None])


@pytest.mark.parametrize("cross_fit_below", ["auto", 0])
def test_partitions_count_as_all_rows_together(table, cross_fit_below, monkeypatch):
    dd = pytest.importorskip("dask.dataframe")
    import dask

    from sk_embed.dask import EmbeddingEncoder as DaskEncoder

    X, y = table
    monkeypatch.setattr("sk_embed.dask.N_ROUNDS", 2)
    frame = dd.from_pandas(X.assign(y=y), npartitions=2)
    crosses = [("shop", "day")] if cross_fit_below == "auto" else None
    like = encoder(crosses=crosses, cross_fit_below=cross_fit_below, alpha=1.0)
    fitted = DaskEncoder(**like.get_params())
    names = NAMES if crosses else NAMES[:2]
    with dask.config.set(scheduler="synchronous"):
        encoded = fitted.fit_transform(frame[list(X)], frame["y"]).compute()
        new = fitted.transform(frame[list(X)]).compute()
    expected = n_rows_of(X, X)[names]
    assert_allclose(np.expm1(encoded[names]), expected - 1, atol=1e-3)
    assert_allclose(np.expm1(new[names]), expected, atol=1e-3)
