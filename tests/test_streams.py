"""Learning chunk by chunk."""

from __future__ import annotations

import pickle
import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from sk_embed import EmbeddingEncoder


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def encoder(**params):
    return EmbeddingEncoder(
        **{"categorical_features": ["a", "b"], "random_state": 0} | params
    )


def draw(rng, n_rows=3_000, n_a=20, n_b=30):
    """Main effects, an interaction, and a slope that category and number share."""
    truth = np.random.default_rng(9)
    effect_a, effect_b, slope = truth.normal(size=(3, 100))
    X = pd.DataFrame(
        {
            "a": rng.integers(n_a, size=n_rows),
            "b": rng.integers(n_b, size=n_rows),
            "z": rng.normal(size=n_rows),
        }
    )
    raw = effect_a[X["a"]] + effect_b[X["b"]] + slope[X["a"]] * X["z"].to_numpy()
    X["a"] = "a" + X["a"].astype(str)
    return X, raw + 0.5 * rng.normal(size=n_rows)


def chunks(X, y, n_chunks):
    for rows in np.array_split(np.arange(len(y)), n_chunks):
        yield X.iloc[rows], y[rows]


def learned(X, y, n_chunks=10, **params):
    stream = encoder(**params)
    for chunk in chunks(X, y, n_chunks):
        stream.partial_fit(*chunk)
    return stream


def effects(stream, feature="a"):
    """Main effects, in units of the target."""
    scale = stream.unit_ * stream._fitted.target.scale[0]
    return stream.to_frame(feature)[f"{feature}_effect"] * scale


# ------------------------------------------------------------------ vocabulary


def test_no_known_category_changes_its_row(rng):
    X, y = draw(rng)
    stream = encoder()
    known = []
    for order in ([7, 3, 5], [1, 3, 9], [0, 2, 7]):
        names = [f"a{number}" for number in order]
        rows = X["a"].isin(names).to_numpy()
        stream.partial_fit(X[rows], y[rows])
        known += sorted(set(names) - set(known))
        assert stream.categories_[0].tolist() == known
        assert len(stream.embeddings_[0]) == len(known)


def test_an_emerging_category_is_learned_and_was_at_the_origin_before(rng):
    X, y = draw(rng)
    is_new = (X["a"] == "a3").to_numpy()
    stream = learned(X[~is_new], y[~is_new])
    new = X[is_new][:1]
    width = stream.n_components_[0]
    assert_array_equal(stream.transform(new)[:, :width], 0)
    stream.partial_fit(X[is_new], y[is_new] + 5)
    assert stream.categories_[0][-1] == "a3"
    assert effects(stream)["a3"] > 1


def test_a_disappearing_category_keeps_its_evidence(rng):
    X, y = draw(rng)
    gone = (X["a"] == "a3").to_numpy()
    stream = learned(
        X[gone | (np.arange(3_000) < 500)], y[gone | (np.arange(3_000) < 500)], 1
    )
    before = effects(stream)["a3"]
    for chunk in chunks(X[~gone], y[~gone], 10):
        stream.partial_fit(*chunk)
    assert effects(stream)["a3"] == pytest.approx(before, abs=0.3)
    assert stream.to_frame("a")["count"]["a3"] == gone.sum()


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_missing_keeps_the_row_that_it_came_in(missing, rng):
    X, y = draw(rng, 600)
    X["a"] = X["a"].astype(object)
    first, second = X[:300].copy(), X[300:].copy()
    first.loc[first["a"] == "a5", "a"] = missing
    first = first[first["a"] != "a7"]
    stream = encoder().partial_fit(first, y[first.index]).partial_fit(second, y[300:])
    categories = stream.categories_[0]
    assert [c for c in categories if not pd.isna(c)][-2:] == ["a5", "a7"]
    assert pd.isna(categories[-3])
    rows = pd.DataFrame({"a": [None, "a5", "a7"], "b": [0, 0, 0], "z": [0.0, 0, 0]})
    width = stream.n_components_[0]
    assert_array_equal(stream.transform(rows)[:, :width], stream.embeddings_[0][-3:])


def test_values_are_known_whatever_their_dtype(rng):
    X, y = draw(rng)
    stream = learned(X, y)
    as_category = X.assign(a=X["a"].astype("category"), b=X["b"].astype(float))
    assert_array_equal(stream.transform(as_category), stream.transform(X))
    stream.partial_fit(as_category, y)
    assert [len(c) for c in stream.categories_] == [20, 30]


@pytest.mark.parametrize("later", [[0.5, 3.0], ["x", 3], [True, 3], [2**70, 3], [None, 3]])
def test_values_of_any_kind_may_follow_integers(later, rng):
    values = [[5, 3, 1], [2**62, 3, 5], later, [7, *later], [-1, 5, later[0]]]
    stream, met = encoder(categorical_features=["a"]), []
    for chunk in values:
        X = pd.DataFrame({"a": np.resize(pd.Series(chunk, dtype=object), 30)})
        if all(type(value) is int and value < 2**63 for value in chunk):
            X = X.astype(np.int64)
        stream.partial_fit(X, rng.normal(size=30))
        new = [v for v in chunk if v is not None and v not in met]
        met += sorted(new, key=lambda value: (isinstance(value, str), value))
        met += [None] * (None in chunk and None not in met)
        found = [None if pd.isna(v) else v for v in stream.categories_[0].tolist()]
        assert found == met
        assert_array_equal(stream.to_frame("a")["count"] > 0, True)
        assert stream.transform(X).any(axis=1).all()


def test_dates_are_categories_as_in_fit(rng):
    X, y = draw(rng)
    X["a"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(X["b"] % 7, unit="D")
    stream = learned(X, y)
    fitted = encoder().fit(X, y)
    assert_array_equal(np.sort(stream.categories_[0]), fitted.categories_[0])
    assert stream.transform(X).any(axis=1).all()


def test_listed_categories_stay_as_they_are(rng):
    X, y = draw(rng)
    listed = [["a2", "a1", "never"], list(range(30))]
    stream = learned(X, y, categories=listed)
    assert stream.categories_[0].tolist() == listed[0]
    assert_array_equal(stream.embeddings_[0][2], 0)
    width = stream.n_components_[0]
    others = stream.transform(X[~X["a"].isin(["a1", "a2"])])
    assert_array_equal(others[:, :width], 0)
    strict = encoder(categories=listed, handle_unknown="error")
    with pytest.raises(ValueError, match=r"Column 'a' holds the unknown category"):
        strict.partial_fit(X, y)


def test_counts_are_those_of_all_chunks(rng):
    X, y = draw(rng)
    stream = learned(X, y)
    expected = X["a"].value_counts()
    assert stream.to_frame("a")["count"].to_dict() == expected.to_dict()


# ------------------------------------------------------------------ quality


@pytest.mark.slow
def test_chunks_teach_about_what_all_rows_do(rng):
    X, y = draw(rng, 6_000)
    fitted = encoder(n_components=3).fit(X, y)
    one, many = learned(X, y, 1), learned(X, y, 60)
    for stream in (one, many):
        for feature in ("a", "b"):
            ours, theirs = effects(stream, feature), effects(fitted, feature)
            gap = ours - theirs[ours.index]
            assert gap.std() < 0.06 * theirs.std()


def test_vectors_learn_how_numbers_act(rng):
    X, y = draw(rng, 12_000)
    stream = learned(X, y, 24)
    slope = pd.Series(
        np.random.default_rng(9).normal(size=(3, 100))[2, :20],
        index=[f"a{n}" for n in range(20)],
    )
    axis = stream.to_frame("a")["a_0"]
    assert abs(np.corrcoef(axis, slope[axis.index])[0, 1]) > 0.95
    assert np.mean(stream.loss_curve_[-4:]) < 0.5 * stream.loss_curve_[0]


@pytest.mark.slow
def test_a_thousand_chunks_of_a_hundred_rows(rng):
    X, y = draw(rng, 100_000)
    stream = learned(X, y, 1_000)
    assert len(stream.loss_curve_) == stream.n_iter_ == 1_000
    noise = 0.5 * 0.25 / np.var(y[:100])
    assert np.mean(stream.loss_curve_[-100:]) < 1.15 * noise
    assert np.isfinite(stream.transform(X)).all()


def test_noise_teaches_nothing(rng):
    X, _ = draw(rng, 20_000)
    y = rng.normal(size=20_000)
    stream = learned(X, y, 40)
    assert np.mean(stream.loss_curve_[-10:]) < 1.1 * 0.5 * np.var(y)
    assert effects(stream).std() < 0.05


def test_rows_that_come_again_count_again(rng):
    X, y = draw(rng)
    once = learned(X, y)
    counts, steps = once.to_frame("a")["count"], once._learned.model.n_steps
    for chunk in chunks(X, y, 10):
        once.partial_fit(*chunk)
    assert once.to_frame("a")["count"].equals(2 * counts)
    assert once._learned.model.n_steps > steps
    assert once.n_iter_ == 20


def test_rows_that_come_one_by_one_all_count():
    stream = EmbeddingEncoder(n_components=0, target_type="binary", random_state=0)
    rows = [("x", 1), ("y", 0), ("x", 1), ("x", 0), ("y", 0)] * 8
    for category, label in rows:
        stream.partial_fit([[category]], [label], classes=[0, 1])
    table = stream.to_frame(0)
    assert table["count"].to_dict() == {"x": 24, "y": 16}
    assert table["x0_effect"]["x"] > 0.3 > -0.3 > table["x0_effect"]["y"]


# ------------------------------------------------------------------ forgetting


@pytest.mark.slow
def test_half_life_is_the_rows_after_which_the_past_counts_a_half(rng):
    # One column, one category that changes sides: its effect is the weighted mean.
    X = pd.DataFrame({"a": ["x", "y"] * 10_000})
    side = np.where(X["a"] == "x", 1.0, -1.0)
    y = side + 0.1 * rng.normal(size=20_000)
    stream = EmbeddingEncoder(n_components=0, half_life=1_000, alpha=1e-3, random_state=0)
    for chunk in chunks(X, y, 100):
        stream.partial_fit(*chunk)
    before = effects(stream)
    seen = [before["x"] - before["y"]]
    for chunk in chunks(X[:4_000], -y[:4_000], 20):
        stream.partial_fit(*chunk)
        now = effects(stream)
        seen.append(now["x"] - now["y"])
    # After 1,000 rows of each category, which are 10 chunks of 200, half-way.
    assert abs(seen[10]) < 0.15 * seen[0]
    assert seen[20] == pytest.approx(-seen[0] / 2, rel=0.2)


def test_nothing_is_forgotten_by_default(rng):
    X = pd.DataFrame({"a": ["x", "y"] * 5_000})
    y = np.where(X["a"] == "x", 1.0, -1.0) + 1e-3 * rng.normal(size=10_000)
    stream = EmbeddingEncoder(
        n_components=0, alpha=1e-3, target_type="continuous", random_state=0
    )
    for chunk in [*chunks(X, y, 10), *chunks(X, -y, 10)]:
        stream.partial_fit(*chunk)
    now = effects(stream)
    assert abs(now["x"] - now["y"]) < 0.1


# ------------------------------------------------------------------ contract


def test_the_same_chunks_give_the_same_bits(rng):
    X, y = draw(rng)
    first, second = learned(X, y), learned(X, y)
    assert_array_equal(first.transform(X), second.transform(X))
    assert first.loss_curve_ == second.loss_curve_
    assert not np.array_equal(
        first.transform(X), learned(X, y, random_state=1).transform(X)
    )


def test_transform_between_calls_changes_nothing(rng):
    X, y = draw(rng)
    expected = learned(X, y).transform(X)
    stream = encoder()
    for chunk in chunks(X, y, 10):
        stream.partial_fit(*chunk)
        assert np.isfinite(stream.transform(X)).all()
        names = stream.get_feature_names_out()
        assert len(names) == 18 + 2 * len(stream.crosses_)
    assert_array_equal(stream.transform(X), expected)


def test_a_pickle_goes_on_as_the_encoder_itself(rng):
    X, y = draw(rng)
    stream = learned(X[:1_500], y[:1_500])
    copied = pickle.loads(pickle.dumps(stream))
    for chunk in chunks(X[1_500:], y[1_500:], 5):
        stream.partial_fit(*chunk)
        copied.partial_fit(*chunk)
    assert_array_equal(copied.transform(X), stream.transform(X))


def test_a_file_of_a_stream_holds_what_transform_needs_and_says_so(rng, tmp_path):
    X, y = draw(rng)
    stream = learned(X.assign(a=X["a"].where(X["a"] != "a3", None)), y)
    stream.partial_fit(X, y)
    stream.save(tmp_path / "stream.zip")
    loaded = EmbeddingEncoder.load(tmp_path / "stream.zip")
    assert_array_equal(loaded.transform(X), stream.transform(X))
    with pytest.raises(ValueError, match="of one that had learned by partial_fit"):
        loaded.partial_fit(X, y)


def weights_of(y):
    return 0.5 + np.arange(len(y)) % 3


FITS = {
    "defaults": ({}, None),
    "double precision": ({"n_components": 2, "dtype": np.float64}, None),
    "weights": ({"n_components": 2}, weights_of),
    "vectors alone": ({"main_effects": False}, weights_of),
    "effects alone": ({"n_components": 0}, None),
    "random start": ({"init_scale": 0.1}, None),
}


@pytest.mark.slow
@pytest.mark.parametrize("copied_by", ["pickle", "file"])
@pytest.mark.parametrize("name", FITS)
def test_a_copy_of_a_fit_goes_on_to_the_same_bits(name, copied_by, rng, tmp_path):
    params, weighted = FITS[name]
    X, y = draw(rng)
    weight = None if weighted is None else weighted(y[:1_500])
    fitted = encoder(**params).fit(X[:1_500], y[:1_500], weight)
    if copied_by == "pickle":
        copied = pickle.loads(pickle.dumps(fitted))
    else:
        fitted.save(tmp_path / "fit.zip")
        copied = EmbeddingEncoder.load(tmp_path / "fit.zip")
    for chunk in chunks(X[1_500:], y[1_500:], 3):
        fitted.partial_fit(*chunk)
        copied.partial_fit(*chunk)
    assert_array_equal(copied.transform(X), fitted.transform(X))
    assert copied.loss_curve_ == fitted.loss_curve_


@pytest.mark.parametrize("target", ["labels", "outputs"])
def test_a_file_goes_on_with_its_labels_and_outputs(target, rng, tmp_path):
    X, y = draw(rng)
    if target == "labels":
        Y = pd.Series(np.array(["low", "mid", "high"])[np.digitize(y, [-1, 1])])
    else:
        Y = pd.DataFrame({"p": y, "q": 100 + y**2})
    fitted = encoder(n_components=1).fit(X[:2_000], Y[:2_000])
    fitted.save(tmp_path / "fit.zip")
    loaded = EmbeddingEncoder.load(tmp_path / "fit.zip").partial_fit(X[2_000:], Y[2_000:])
    fitted.partial_fit(X[2_000:], Y[2_000:])
    assert_array_equal(loaded.transform(X), fitted.transform(X))


@pytest.mark.parametrize("params", [{}, {"main_effects": False, "n_components": 2}])
def test_the_tables_that_a_fit_goes_on_from_predict_as_its_own(params, rng):
    # One chunk of a few rows moves little: the network, with the tables that are rotated
    # back, is as good on rows that neither has seen as it was at the end of the fit.
    X, y = draw(rng, 8_000)
    fitted = encoder(**params).fit(X[:6_000], y[:6_000])
    before = fitted.loss_curve_[-1]
    fitted.partial_fit(X[6_000:], y[6_000:])
    assert fitted.loss_curve_[-1] < 1.05 * before


@pytest.mark.parametrize("crosses", [None, [("a", "b")]])
def test_a_penalty_that_is_given_goes_on_with_its_rows(crosses, rng):
    X = pd.DataFrame(rng.integers(8, size=(4_000, 2)), columns=["a", "b"])
    cells = rng.normal(size=(8, 8))
    y = cells[X["a"], X["b"]] + rng.normal(size=len(X))

    def learned(encoder):
        key = "a" if crosses is None else ("a", "b")
        return encoder.to_frame(key).filter(like="effect").iloc[:, 0]

    params = {"alpha": 300.0, "crosses": crosses, "n_components": 0}
    # The network foretells nothing, so that cells are known by their rows alone.
    params.update(hidden_layer_sizes=(), max_iter=1, random_state=0)
    before = EmbeddingEncoder(**params).fit(X[:3_000], y[:3_000])
    whole = learned(EmbeddingEncoder(**params).fit(X, y))
    error_before = learned(before) - whole
    error = learned(before.partial_fit(X[3_000:], y[3_000:])) - whole
    assert (error**2).mean() < 0.1 * (error_before**2).mean()


def test_categories_that_shared_a_vector_go_on_each_by_itself(rng):
    X, y = draw(rng, 2_000)
    fitted = encoder(min_frequency=95, n_components=1).fit(X[:1_500], y[:1_500])
    assert len(fitted.infrequent_categories_[0]) > 1
    fitted.set_params(min_frequency=None).partial_fit(X[1_500:], y[1_500:])
    assert fitted.infrequent_categories_ == [None, None]
    assert effects(fitted).nunique() == 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_components", "is_weighted"), [("auto", False), (0, False), (2, True), (8, True)]
)
def test_a_fit_holds_little_more_than_its_tables_and_vocabularies(
    n_components, is_weighted, rng
):
    n_categories, n_rows = 30_000, 60_000
    X = pd.DataFrame({"a": np.resize(rng.permutation(n_categories), n_rows)})
    X["b"] = X["a"] % 7
    y = np.sin(X["b"]) + rng.normal(size=n_rows)
    weight = weights_of(y) if is_weighted else None
    fitted = encoder(n_components=n_components, max_iter=1).fit(X, y, weight)._fitted
    needed = fitted.tables, fitted.columns.vocabularies
    assert len(pickle.dumps(fitted)) < 1.3 * len(pickle.dumps(needed))
    assert size_of(fitted) < 1.3 * size_of(needed, prepared=needed[1])


def test_a_look_up_after_a_chunk_knows_no_category_of_later_chunks():
    # A stream and what it gives out share the dict of its categories.
    stream = EmbeddingEncoder(n_components=1, random_state=0)
    stream.partial_fit([["a"], ["b"]] * 20, np.arange(40) % 2 + 0.5)
    before = stream._fitted
    stream.partial_fit([["c"], ["a"]] * 20, np.arange(40) % 2 + 0.5)
    column = pd.Series(["c", "b", "a", None], dtype=object)
    assert before.columns.vocabularies[0].encode(column).tolist() == [-1, 1, 0, -1]
    after = stream._fitted.columns.vocabularies[0]
    assert after.encode(column).tolist() == [2, 1, 0, -1]
    stream.partial_fit([[None], ["d"]] * 20, np.arange(40) % 2 + 0.5)
    assert after.encode(column).tolist() == [2, 1, 0, -1]
    assert stream._fitted.columns.vocabularies[0].encode(column).tolist() == [2, 1, 0, 4]


def size_of(value, prepared=()):
    """The memory that a copy takes, without what is made while copying.

    And what some vocabularies take to look values up.
    """
    tracemalloc.start()
    copied, vocabularies = pickle.loads(pickle.dumps((value, prepared)))
    for vocabulary in vocabularies:
        vocabulary.prepare()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del copied, vocabularies
    return size


@pytest.mark.parametrize("n_components", ["auto", 2, 0.9])
def test_a_fit_is_gone_on_from(n_components, rng):
    X, y = draw(rng, 6_000)
    fitted = encoder(n_components=n_components).fit(X[:3_000], y[:3_000])
    before, widths = effects(fitted), fitted.n_components_
    n_epochs = fitted.n_iter_
    later = X[3_000:].assign(a=X["a"][3_000:].replace("a3", "new"))
    for chunk in chunks(later, y[3_000:], 6):
        fitted.partial_fit(*chunk)
    after = effects(fitted)
    assert fitted.n_components_ == widths
    assert fitted.n_iter_ == n_epochs + 6
    assert fitted.categories_[0].tolist() == [*before.index, "new"]
    gap = after[before.index] - before
    assert gap.std() < 0.1 * before.std()
    assert np.mean(fitted.loss_curve_[-6:]) < 1.1 * fitted.loss_curve_[n_epochs - 1]


def test_fit_starts_anew(rng):
    X, y = draw(rng)
    stream = learned(X, y).fit(X, y)
    assert_array_equal(stream.transform(X), encoder().fit(X, y).transform(X))


def test_rows_of_weight_zero_are_left_out(rng):
    X, y = draw(rng, 600)
    weight = (X["a"] != "a3").to_numpy().astype(float)
    y_bad = np.where(weight > 0, y, np.nan)
    used = weight > 0
    weighted = encoder().partial_fit(X, y_bad, sample_weight=weight)
    assert "a3" not in weighted.categories_[0]
    expected = encoder().partial_fit(X[used], y[used])
    assert_array_equal(weighted.transform(X), expected.transform(X))


def test_classes_that_come_later_are_named_in_the_first_call(rng):
    X, y = draw(rng)
    labels = np.array(["low", "mid", "high"])[np.digitize(y, [-1, 1])]
    first = labels != "high"
    stream = encoder().partial_fit(X[first], labels[first], classes=["low", "mid", "high"])
    assert stream.classes_.tolist() == ["high", "low", "mid"]
    names = stream.get_feature_names_out().tolist()
    assert np.isfinite(stream.transform(X)).all()
    stream.partial_fit(X, labels).partial_fit(X[:50], labels[:50], classes=stream.classes_)
    assert stream.get_feature_names_out().tolist() == names
    effect = stream.to_frame("a")
    share = pd.Series(labels == "high").groupby(X["a"]).mean()
    found = effect["a_effect_high"][share.index]
    assert np.corrcoef(found, share)[0, 1] > 0.8


@pytest.mark.parametrize("classes", [None, [0, 1]])
def test_two_classes_have_one_effect(classes, rng):
    X, y = draw(rng)
    stream = encoder().partial_fit(X, (y > 0).astype(int), classes=classes)
    assert stream.target_type_ == "binary"
    assert stream.get_feature_names_out()[0] == "a_effect"


@pytest.mark.parametrize("kind", ["numbers", "indicator"])
def test_several_outputs_have_an_effect_each(kind, rng):
    X, y = draw(rng)
    Y = np.column_stack([y, -y + rng.normal(size=len(y))])
    Y = Y if kind == "numbers" else (Y > 0).astype(int)
    stream = encoder()
    for rows in np.array_split(np.arange(3_000), 5):
        stream.partial_fit(X.iloc[rows], Y[rows])
    table = stream.to_frame("a")
    assert np.corrcoef(table["a_effect_0"], table["a_effect_1"])[0, 1] < -0.8


# ------------------------------------------------------------------ refusals


def refused(X, y, later, match, error=ValueError, **params):
    """Check the error of a second chunk, and that it leaves the encoder as it was."""
    stream, twin = encoder(**params).partial_fit(X, y), encoder(**params).partial_fit(X, y)
    with pytest.raises(error, match=match):
        stream.partial_fit(*later)
    assert vars(stream).keys() == vars(twin).keys()
    more = X.iloc[::-1].assign(a="new"), y[::-1]
    stream.partial_fit(*more)
    twin.partial_fit(*more)
    assert_array_equal(stream.transform(X), twin.transform(X))


def test_partial_fit_refuses_columns_in_another_order_as_transform_does(rng):
    X, y = draw(rng)
    shuffled = X[["z", "b", "a"]]
    message = "Feature names must be in the same order as they were in fit"
    refused(X, y, (shuffled, y), message)
    with pytest.raises(ValueError, match=message):
        encoder().partial_fit(X, y).transform(shuffled)


def test_a_column_that_is_not_there_is_an_error_by_name(rng):
    X, y = draw(rng)
    refused(X, y, (X.drop(columns="b"), y), r"seen at fit time, yet now missing:\n- b")
    refused(X, y, (X.assign(c=1), y), r"unseen at fit time:\n- c")


def test_a_label_outside_the_classes_is_an_error(rng):
    X, y = draw(rng)
    labels = np.where(y > 0, "yes", "no")
    later = X.assign(a="other"), np.where(y > 2, "maybe", labels)
    refused(X, labels, later, "holds the label 'maybe', which is not among the classes")


def test_other_classes_than_in_the_first_call_are_an_error(rng):
    X, y = draw(rng)
    labels = np.where(y > 0, "yes", "no")
    refused(X, labels, (X, labels, ["no", "perhaps"]), "is not the same as in the first")
    with pytest.raises(ValueError, match="classes= holds 2 labels for one column"):
        encoder(target_type="continuous").partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="target_type='binary' but classes= holds 3"):
        encoder(target_type="binary").partial_fit(X, labels, classes=["a", "no", "yes"])


@pytest.mark.slow
def test_a_chunk_that_cannot_be_learned_changes_nothing(rng):
    X, y = draw(rng)
    other = X.assign(a="other")
    refused(X, y, (other, np.where(y > 1, np.nan, y)), "Input y contains NaN")
    refused(X, y, (other, y[:-1]), "inconsistent numbers of samples")
    refused(X, y, (other.assign(z=np.inf), y), "Context column 'z' holds an infinite")
    refused(X, y, (other.assign(a=[[1]] * len(X)), y), "must be hashable", TypeError)
    refused(X, y, (other, np.column_stack([y, y])), r"y has 2 column\(s\), but had 1")
    refused(
        X, y, (other, np.char.add(y.astype(str), "x")), "y was numbers in the first chunk"
    )


def test_a_network_that_diverges_changes_nothing(rng, monkeypatch):
    X, y = draw(rng)
    stream, twin = learned(X, y), learned(X, y)
    later = X.assign(a="other"), -y
    with monkeypatch.context() as patched:
        patched.setattr(
            "sk_embed._engine.network.passes.TrunkLearner.pop_loss", lambda _: np.nan
        )
        with pytest.raises(ValueError, match="The network diverged"):
            stream.partial_fit(*later)
    assert_array_equal(stream.transform(X), twin.transform(X))
    stream.partial_fit(*later)
    assert_array_equal(stream.transform(X), twin.partial_fit(*later).transform(X))


def test_a_first_chunk_that_fails_leaves_an_unfitted_encoder(rng):
    X, y = draw(rng)
    stream = encoder()
    with pytest.raises(ValueError, match="NaN"):
        stream.partial_fit(X, np.where(y > 1, np.nan, y))
    with pytest.raises(NotFittedError):
        stream.transform(X)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        _ = stream.categories_


@pytest.mark.parametrize("name", ["min_frequency", "max_categories"])
def test_rare_categories_cannot_be_told_from_a_chunk(name, rng):
    X, y = draw(rng)
    with pytest.raises(ValueError, match=f"{name}=5 cannot be used by partial_fit"):
        encoder(**{name: 5}).partial_fit(X, y)


# ------------------------------------------------------------------ cost


@pytest.mark.parametrize("n_components", ["auto", 2])
def test_a_stream_keeps_what_a_chunk_needs_of_each_category(n_components, rng):
    n_categories, n_halves = 30_000, 10_000 if n_components == "auto" else 0
    X = pd.DataFrame({"a": rng.permutation(n_categories), "b": 0, "z": 0.0})
    stream = encoder(n_components=n_components)
    for chunk in chunks(X, rng.normal(size=n_categories), 10):
        stream.partial_fit(*chunk)
    # Floats of a vector, of the state of its optimiser, of a main effect's evidence and of
    # a weight; a category, its place and its count; its places in the stores.
    of_each = 4 * (8 + 8 + 2 + 1) + (8 + 4 + 8) + 4 * (1 + (n_halves > 0))
    of_halves = 4 * 2 * (8 + 8)
    needed = of_each * n_categories + of_halves * n_halves
    learned = stream._learned
    assert size_of((learned.model, learned.columns, learned._rows)) < 1.1 * needed


def test_frequent_categories_tell_how_far_halves_agree(rng, monkeypatch):
    # Of a chunk, all but thirty categories of the first column come once; those thirty act
    # together with the second column, and are the last in order.
    n_rows = 9_000
    X = pd.DataFrame(
        {"a": 10_000 + rng.integers(30, size=n_rows), "b": rng.integers(8, size=n_rows)}
    )
    acts = np.cos(X["a"]) * np.cos(X["b"])
    is_rare = rng.random(n_rows) < 0.1
    X.loc[is_rare, "a"] = np.flatnonzero(is_rare)
    y = (acts * ~is_rare + 0.1 * rng.normal(size=n_rows)).to_numpy()
    known = learned(X, y)
    monkeypatch.setattr("sk_embed._engine.online.columns._MOST_KEPT", 40)
    kept = learned(X, y)
    assert known.reliability_[0][0] > 0.8
    assert_allclose(kept.reliability_[0][0], known.reliability_[0][0], atol=0.05)


@pytest.mark.slow
def test_a_chunk_costs_the_same_whatever_the_vocabulary_holds(rng):
    seconds = {}
    for n_known in (1_000, 300_000):
        X = pd.DataFrame({"a": np.arange(n_known), "b": 0, "z": 0.0})
        stream = encoder(n_components=2).partial_fit(X, rng.normal(size=n_known))
        later, y = draw(rng, 2_000)
        times = []
        for chunk in chunks(later, y, 20):
            start = time.process_time()
            stream.partial_fit(*chunk)
            times.append(time.process_time() - start)
        seconds[n_known] = np.median(times)
    assert seconds[300_000] < 3 * seconds[1_000]


def test_a_random_start_is_supported(rng):
    X, y = draw(rng)
    stream = learned(X, y, init_scale=0.1)
    assert_allclose(effects(stream), effects(learned(X, y)), atol=1e-6)
    assert np.isfinite(stream.transform(X)).all()
