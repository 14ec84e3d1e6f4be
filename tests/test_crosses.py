"""Pairs of columns that are encoded as columns of their own, as a user meets them."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from sk_embed import EmbeddingEncoder
from sk_embed._spool import Spool

N_ROWS = 900
SHOPS, DAYS = ["east", "north", "south", "west"], [1, 2, 3, 4, 5]


@pytest.fixture(scope="module")
def table():
    """Shops and days whose pairs have effects; a third column and a number that do not."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "shop": rng.choice(SHOPS, N_ROWS),
            "number": rng.normal(size=N_ROWS),
            "day": rng.choice(DAYS, N_ROWS),
            "color": rng.choice(["red", "blue"], N_ROWS),
        }
    )
    cells = rng.normal(size=(4, 5))
    signal = cells[X["shop"].map(SHOPS.index), X["day"] - 1]
    return X, signal + 0.3 * rng.normal(size=N_ROWS), signal


def encoder(**parameters):
    defaults = {
        "n_components": 0,
        "categorical_features": ["shop", "day", "color"],
        "max_iter": 1,
        "random_state": 0,
    }
    return EmbeddingEncoder(**{**defaults, **parameters})


def encoder_of_cells_alone(**parameters):
    """Return an encoder whose network foretells nothing of cells."""
    return encoder(alpha=1.0, hidden_layer_sizes=(), **parameters)


# ------------------------------------------------------------------ what is found


def test_the_pair_that_acts_is_found_named_and_explains_most(table):
    X, y, _ = table
    fitted = encoder().fit(X, y)
    ((first, second, explained),) = fitted.crosses_
    assert (first, second) == ("shop", "day")
    assert explained > 0.5
    names = fitted.get_feature_names_out().tolist()
    assert names[-2:] == ["shop*day_effect", "shop*day_total"]
    assert names[:3] == ["shop_effect", "day_effect", "color_effect"]


def test_a_linear_model_behind_crosses_fits_cells_that_it_cannot_fit_without(table):
    X, y, signal = table
    train, test = slice(0, 600), slice(600, None)

    def score(crosses):
        encoder_ = encoder(crosses=crosses)
        model = Ridge().fit(encoder_.fit_transform(X[train], y[train]), y[train])
        return model.score(encoder_.transform(X[test]), signal[test])

    assert score("auto") > 0.9
    assert score(None) < 0.5


def test_fit_and_fit_transform_leave_the_same_encoder(table):
    X, y, _ = table
    first, second = encoder().fit(X, y), encoder()
    second.fit_transform(X, y)
    assert first.crosses_ == second.crosses_
    assert_array_equal(first.transform(X), second.transform(X))


def test_too_few_rows_for_two_batches_have_no_crosses(table):
    X, y, _ = table
    assert encoder().fit(X[:64], y[:64]).crosses_ == []


def test_a_pair_that_groups_hold_apart_is_not_crossed(table):
    X, y, _ = table
    # All rows of a day are of one group, so that no fold knows the day that it holds out.
    folds = list(GroupKFold(5).split(X, y, X["day"]))
    grouped = encoder(cv=folds)
    grouped.fit_transform(X, y)
    assert grouped.crosses_ == []


def test_no_crosses_are_learned_if_none_are_wanted(table):
    X, y, _ = table
    fitted = encoder(crosses=None).fit(X, y)
    assert fitted.crosses_ == []
    assert fitted.transform(X).shape == (N_ROWS, 3)


# ------------------------------------------------------------------ what is given out


def test_the_total_is_the_sum_of_all_three(table):
    X, y, _ = table
    for fitted in (encoder(), encoder(remainder="passthrough")):
        for encoded in (fitted.fit_transform(X, y), fitted.transform(X)):
            frame = pd.DataFrame(encoded, columns=fitted.get_feature_names_out())
            parts = frame[["shop_effect", "day_effect", "shop*day_effect"]]
            assert_allclose(frame["shop*day_total"], parts.sum(axis=1), atol=1e-5)


def test_a_pair_that_was_not_there_has_what_its_categories_say(table):
    X, y, _ = table
    is_new = (X["shop"] == "west") & (X["day"] == 5)
    fitted = encoder(crosses=[("shop", "day")]).fit(X[~is_new], y[~is_new])
    encoded = pd.DataFrame(
        fitted.transform(X[is_new]), columns=fitted.get_feature_names_out()
    )
    assert_array_equal(encoded["shop*day_effect"], 0)
    assert (encoded["shop_effect"] != 0).all()
    assert_allclose(
        encoded["shop*day_total"], encoded["shop_effect"] + encoded["day_effect"], rtol=1e-5
    )


def test_an_unknown_category_has_the_others_effect(table):
    X, y, _ = table
    fitted = encoder(crosses=[("shop", "day")]).fit(X, y)
    encoded = pd.DataFrame(
        fitted.transform(X[:6].assign(shop="moon")), columns=fitted.get_feature_names_out()
    )
    assert_array_equal(encoded["shop*day_effect"], 0)
    assert_array_equal(encoded["shop*day_total"], encoded["day_effect"])


def test_own_effects_alone_are_given_out_without_main_effects(table):
    X, y, _ = table
    fitted = encoder(main_effects=False, n_components=1).fit(X, y)
    names = fitted.get_feature_names_out().tolist()
    assert names == ["shop_0", "day_0", "color_0", "shop*day_effect"]


def test_each_class_has_an_effect_and_a_total(table):
    X, y, _ = table
    classes = np.array(["a", "b", "c"])[np.digitize(y, [-0.5, 0.5])]
    fitted = encoder(crosses=[("shop", "day")]).fit(X, classes)
    names = fitted.get_feature_names_out().tolist()
    assert names[-6:] == [
        f"shop*day_{part}_{label}" for part in ("effect", "total") for label in "abc"
    ]
    assert fitted.transform(X).shape == (N_ROWS, 15)


def test_rows_of_rare_cells_get_what_was_learned_without_their_fold(table):
    X, y, _ = table
    rare = X.assign(day=np.arange(N_ROWS) % 300)
    fitted = encoder(crosses=[("shop", "day")], cross_fit_below=10, alpha=1.0)
    encoded, plain = fitted.fit_transform(rare, y), fitted.transform(rare)
    assert (encoded[:, 3] != plain[:, 3]).mean() > 0.9
    # The vectors of noise are copies of it, but not those that its training rows get.
    noise = np.random.default_rng(1).normal(size=N_ROWS)
    honest, leaky = fitted.fit_transform(rare, noise), fitted.transform(rare)
    assert np.corrcoef(leaky[:, 3], noise)[0, 1] > 0.3
    assert abs(np.corrcoef(honest[:, 3], noise)[0, 1]) < 0.1


def test_decoding_ignores_crosses(table):
    X, y, _ = table
    fitted = encoder(remainder="passthrough").fit(X, y)
    back = fitted.inverse_transform(fitted.set_output(transform="pandas").transform(X))
    assert_array_equal(back["shop"], X["shop"])
    assert_allclose(back["number"], X["number"])


def test_the_table_of_a_cross_is_indexed_by_both_categories(table):
    X, y, _ = table
    fitted = encoder().fit(X, y)
    frame = fitted.to_frame(("shop", "day"))
    assert frame.index.names == ["shop", "day"]
    assert frame["count"].sum() == N_ROWS
    assert (
        frame.loc[("west", 3), "count"] == ((X["shop"] == "west") & (X["day"] == 3)).sum()
    )
    row = fitted.transform(X[:1])[0, -2:]
    assert_allclose(frame.loc[(X["shop"][0], X["day"][0])].iloc[:2], row, rtol=1e-6)
    assert_array_equal(fitted.to_frame((0, 2)), frame)
    with pytest.raises(ValueError, match=r"\('shop', 'color'\) is not a cross.*'day'"):
        fitted.to_frame(("shop", "color"))


def test_infrequent_categories_share_their_cells(table):
    X, y, _ = table
    fitted = encoder(crosses=[("shop", "day")], max_categories=3).fit(X, y)
    frame = fitted.to_frame(("shop", "day"))
    assert len(frame) == 9
    assert "infrequent" in frame.index.get_level_values("day")
    grouped = pd.Series(fitted.transform(X)[:, 3]).groupby(
        [X["shop"].where(~X["shop"].isin(fitted.infrequent_categories_[0])).fillna("x"),
         X["day"].where(~X["day"].isin(fitted.infrequent_categories_[1])).fillna(0)]
    )  # fmt: skip
    assert (grouped.min() == grouped.max()).all()


def test_weights_count_as_rows(table):
    X, y, _ = table
    # Without numbers, effects are in the unit of the target.
    X, twice = X.drop(columns="number"), np.arange(N_ROWS) % 3 == 0
    crosses = [("shop", "day")]
    weighted = encoder_of_cells_alone(crosses=crosses).fit(X, y, 1.0 + twice)
    repeated = encoder_of_cells_alone(crosses=crosses).fit(
        pd.concat([X, X[twice]]), np.append(y, y[twice])
    )
    a, b = (fitted.to_frame(("shop", "day")) for fitted in (weighted, repeated))
    assert_allclose(a["shop*day_effect"], b["shop*day_effect"], atol=1e-2)


# ------------------------------------------------------------------ what may be asked


@pytest.mark.parametrize(
    ("crosses", "message"),
    [
        ([("shop", "shop")], "pairs of two different columns"),
        ([("shop", 0)], "pairs of two different columns"),
        ([np.array(3)], "pairs of two different columns"),
        (
            [("shop", ("shop", "day"))],
            r"\('shop', 'day'\), which is not one of the categor",
        ),
        (
            [(2, (0, 7, 8, 9))],
            r"\(0, 7, 8, 9\), which is not one of the categorical columns",
        ),
        ([(np.array([0, 1]), np.array([1, 2]))], r"array\(\[0, 1\]\), which is not one"),
        (["shop"], "pairs of two different columns"),
        ([("shop", "number")], "'number', which is not one of the categorical columns"),
        ([("shop", "moon")], "'moon', which is not one of the categorical columns"),
        ([("shop", 9)], "9, which is not one of the categorical columns"),
        ([("shop", "day"), ("day", "shop")], "twice"),
    ],
)
def test_what_is_no_pair_of_categorical_columns_is_named(table, crosses, message):
    X, y, _ = table
    with pytest.raises(ValueError, match=message):
        encoder(crosses=crosses).fit(X, y)


@pytest.mark.parametrize("asked", [True, 0.0, [0], ["shop", "day"], np.array([0, 2])])
def test_what_is_no_column_has_no_table(table, asked):
    X, y, _ = table
    fitted = encoder(crosses=[("shop", "day")]).fit(X, y)
    with pytest.raises(ValueError, match="is not a categorical column of this encoder"):
        fitted.to_frame(asked)


@pytest.mark.parametrize("asked", [(0, ("shop", "day")), ("shop", [1]), ("shop", 0)])
def test_what_is_no_pair_has_no_table(table, asked):
    X, y, _ = table
    fitted = encoder(crosses=[("shop", "day")]).fit(X, y)
    with pytest.raises(ValueError, match=r"columns \['shop'|pairs of two"):
        fitted.to_frame(asked)


def test_fewer_rows_than_folds_cannot_judge_crosses(table):
    X, y, _ = table
    with pytest.raises(ValueError, match=r"cv makes 5 folds.*n_samples=4; pass more rows"):
        encoder(crosses=[("shop", "day")]).fit(X[:4], y[:4])


def test_a_name_and_an_index_are_a_pair(table):
    X, y, _ = table
    fitted = encoder(crosses=[("day", 0)]).fit(X, y)
    assert [cross[:2] for cross in fitted.crosses_] == [("shop", "day")]
    pd.testing.assert_frame_equal(
        fitted.to_frame((0, "day")), fitted.to_frame(("shop", "day"))
    )


def test_pairs_are_given_by_names_or_indices(table):
    X, y, _ = table
    by_name = encoder(crosses=[("day", "shop")]).fit(X, y)
    by_index = encoder(crosses=[(0, 2)]).fit(X, y)
    assert by_name.crosses_ == by_index.crosses_
    assert_array_equal(by_name.transform(X), by_index.transform(X))


# ------------------------------------------------------------------ every way of learning


def test_crosses_are_in_pickles_and_files(table, tmp_path):
    X, y, _ = table
    fitted = encoder().fit(X, y)
    fitted.save(tmp_path / "encoder.zip")
    for again in (
        pickle.loads(pickle.dumps(fitted)),
        EmbeddingEncoder.load(tmp_path / "encoder.zip"),
    ):
        assert again.crosses_ == fitted.crosses_
        assert_array_equal(again.transform(X), fitted.transform(X))
        more = again.partial_fit(X, y).transform(X)
        assert_array_equal(more, pickle.loads(pickle.dumps(fitted)).partial_fit(X, y).transform(X))  # fmt: skip # noqa: E501


def test_chunks_of_a_large_table_have_the_crosses_of_all_rows(table):
    X, y, _ = table
    whole, chunks = encoder(), [(X[a : a + 300], y[a : a + 300]) for a in (0, 300, 600)]
    encoded = whole.fit_transform(X, y)
    chunked = encoder()
    assert_array_equal(np.concatenate(list(chunked.fit_transform_chunks(chunks))), encoded)
    assert chunked.crosses_ == whole.crosses_
    assert_array_equal(encoder().fit_chunks(chunks).transform(X), whole.transform(X))


def test_codes_of_cells_are_kept_in_a_file_a_stretch_after_the_other(table, monkeypatch):
    X, y, _ = table
    expected = encoder().fit(X, y)
    files = []

    def stacked(self, stretches, shape):
        stretches = list(stretches)
        files.append((len(stretches), stack(self, stretches, shape)))
        return files[-1][1]

    stack = Spool.stacked
    monkeypatch.setattr(Spool, "stacked", stacked)
    monkeypatch.setattr("sk_embed._engine.cells.ROWS_OF_A_STRETCH", 250)
    fitted = encoder().fit_chunks([(X[:500], y[:500]), (X[500:], y[500:])])
    assert_array_equal(fitted.transform(X), expected.transform(X))
    ((n_stretches, codes),) = files
    assert n_stretches == 4
    assert not codes.flags.writeable
    assert isinstance(codes.base, np.memmap)
    frames = [e.to_frame(("shop", "day")) for e in (fitted, expected)]
    assert_array_equal(*frames)


@pytest.mark.parametrize("crosses", ["auto", [("shop", "day")]])
def test_a_stream_learns_the_pairs_of_its_first_chunk(table, crosses):
    X, y, signal = table
    stream = encoder(crosses=crosses)
    for start in (0, 450):
        chunk = slice(start, start + 450)
        stream.partial_fit(X[chunk], y[chunk])
    ((first, second, _),) = stream.crosses_
    assert (first, second) == ("shop", "day")
    total = stream.transform(X)[:, -1]
    assert np.corrcoef(total, signal)[0, 1] > 0.95
    new = X[:20].assign(shop="moon")
    stream.partial_fit(new, y[:20])
    frame = stream.to_frame(("shop", "day"))
    assert frame.loc["moon", "count"].sum() == 20
    assert frame["count"].sum() == N_ROWS + 20


def test_a_stream_that_fails_is_as_it_was(table):
    X, y, _ = table
    stream = encoder(crosses=[("shop", "day")]).partial_fit(X[:400], y[:400])
    before = stream.transform(X)
    with pytest.raises(ValueError, match="NaN"):
        stream.partial_fit(X.assign(shop="moon"), np.full(N_ROWS, np.nan))
    assert_array_equal(stream.transform(X), before)
    assert len(stream.to_frame(("shop", "day"))) == 20


def test_a_stream_of_weights_that_overflow_is_an_error_without_a_warning(table):
    X, y, _ = table
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=r"sample_weight sums to.*scale the weights"):
            encoder().partial_fit(X[:100], y[:100], sample_weight=np.full(100, 1e300))


def test_partitions_have_the_crosses_of_memory(table, monkeypatch):
    dd = pytest.importorskip("dask.dataframe")
    import dask

    from sk_embed.dask import EmbeddingEncoder as DaskEncoder

    X, y, _ = table
    X = X.drop(columns="number")
    monkeypatch.setattr("sk_embed.dask.N_ROUNDS", 2)
    frame = dd.from_pandas(X.assign(y=y), npartitions=2)
    memory = encoder_of_cells_alone(crosses=[("shop", "day")]).fit(X, y)
    with dask.config.set(scheduler="synchronous"):
        fitted = DaskEncoder(**encoder_of_cells_alone().get_params())
        encoded = fitted.fit_transform(frame[list(X)], frame["y"]).compute()
        given = DaskEncoder(**memory.get_params()).fit(frame[list(X)], frame["y"])
    assert [cross[:2] for cross in fitted.crosses_] == [("shop", "day")]
    a, b = (e.to_frame(("shop", "day")) for e in (given, memory))
    assert_allclose(a["shop*day_effect"], b["shop*day_effect"], atol=1e-3)
    names = ["shop_effect", "day_effect", "shop*day_effect"]
    assert_allclose(encoded["shop*day_total"], encoded[names].sum(axis=1), atol=1e-5)


def test_partitions_have_about_the_cells_of_memory_beside_a_network(table, monkeypatch):
    dd = pytest.importorskip("dask.dataframe")
    import dask

    from sk_embed.dask import EmbeddingEncoder as DaskEncoder

    X, y, _ = table
    monkeypatch.setattr("sk_embed.dask.N_ROUNDS", 2)
    frame = dd.from_pandas(X.assign(y=y), npartitions=2)
    memory = encoder(crosses=[("shop", "day")]).fit(X, y)
    with dask.config.set(scheduler="synchronous"):
        partitions = DaskEncoder(**memory.get_params()).fit(frame[list(X)], frame["y"])
    effects = (e.to_frame(("shop", "day"))["shop*day_effect"] for e in (memory, partitions))
    assert np.corrcoef(*effects)[0, 1] > 0.99
