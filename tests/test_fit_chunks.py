"""Learning from chunks, in memory and from files, as from all rows together."""

from __future__ import annotations

import errno
import gc
import os
import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import KFold

from sk_embed import EmbeddingEncoder, _spool

CATEGORICAL = ["a", "b"]


def encoder(**params):
    defaults = {"categorical_features": CATEGORICAL, "random_state": 0, "max_iter": 2}
    return EmbeddingEncoder(**defaults | {"alpha": 1.0} | params)


def draw(n_rows=600):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "a": rng.choice(list("uvwxyz"), n_rows),
            "b": rng.integers(90, size=n_rows),
            "z": rng.normal(size=n_rows),
            "whole": rng.integers(7, size=n_rows),
        }
    )
    X["z"] = X["z"].where(X.index % 7 > 0)
    slope = X["z"].fillna(0) * (X["a"] > "v")
    y = X["b"] % 9 - (X["a"] == "w") + slope + rng.normal(size=n_rows)
    return X, y.rename("y")


def cut(*tables, ends=(150, 151, 400)):
    tables = [table for table in tables if table is not None]
    rows = np.split(np.arange(len(tables[0])), ends)
    return [tuple(table.iloc[r] for table in tables) for r in rows]


def labels_of(y):
    return pd.Series(np.array(["low", "mid", "high"])[np.digitize(y, [2, 6])], y.index)


def assert_same(first, second, X):
    assert_array_equal(first.transform(X), second.transform(X))
    assert first.loss_curve_ == second.loss_curve_
    for ours, theirs in zip(first.embeddings_, second.embeddings_, strict=True):
        assert_array_equal(ours, theirs)
    for ours, theirs in zip(first.reliability_, second.reliability_, strict=True):
        assert_array_equal(ours, theirs)
    for ours, theirs in zip(first.categories_, second.categories_, strict=True):
        assert ours.dtype == theirs.dtype
        assert_array_equal(ours, theirs)


@pytest.fixture
def spool_dir(tmp_path):
    """A folder that must be empty again at the end."""
    folder = tmp_path / "spool"
    folder.mkdir()
    yield folder
    gc.collect()
    assert list(folder.iterdir()) == []


# ------------------------------------------------------------------ what is learned

X, Y = draw()
WEIGHT = pd.Series(np.arange(len(Y)) % 3)
OUTPUTS = pd.DataFrame({"y": Y, "b": X["b"] / 2})
CASES = {
    "numbers": (Y, None, {"alpha": "auto"}),
    "two labels": (Y > 3, None, {"dtype": np.float64}),
    "labels": (labels_of(Y), None, {}),
    "several outputs": (OUTPUTS, None, {"target_type": "continuous"}),
    "indicator": ((OUTPUTS > 3).astype(int), None, {}),
    "weights": (Y, WEIGHT, {}),
    "labels and weights": (labels_of(Y), WEIGHT, {"cv": 3, "alpha": "auto"}),
    "rare by frequency": (Y, None, {"min_frequency": 7}),
    "rare by number": (Y, WEIGHT, {"max_categories": 20, "main_effects": False}),
    "no effects": (Y, None, {"main_effects": False, "init_scale": 0.1}),
    "effects alone": (Y, None, {"n_components": 0}),
    "context": (Y, None, {"remainder": "passthrough"}),
    "by dtype": (Y, None, {"categorical_features": "from_dtype"}),
    "given categories": (
        Y,
        None,
        {"categories": [list("zyxwv"), list(range(80))], "cross_fit_below": 9},
    ),
    "no folds": (Y, None, {"cross_fit": False}),
    "few enough": (Y, None, {"cross_fit_below": 0}),
}
each_case = pytest.mark.parametrize("case", CASES)


@cache
def learned(case):
    """Return the encoder that all rows give, and these rows encoded."""
    y, weight, params = CASES[case]
    expected = encoder(**params)
    return expected, expected.fit_transform(X, y, weight)


@each_case
def test_chunks_are_learned_to_the_bits_of_fit(case, spool_dir):
    (y, weight, params), (expected, _) = CASES[case], learned(case)
    found = encoder(**params).fit_chunks(cut(X, y, weight), spool_dir=spool_dir)
    assert_same(found, expected, X)
    assert vars(found).keys() == vars(expected).keys()
    assert found.n_features_in_ == 4


@each_case
def test_encoded_chunks_are_the_rows_of_fit_transform(case, spool_dir):
    (y, weight, params), (expected, rows) = CASES[case], learned(case)
    found = encoder(**params)
    chunks = found.fit_transform_chunks(cut(X, y, weight), spool_dir=spool_dir)
    assert_same(found, expected, X)
    chunks = list(chunks)
    assert [len(chunk) for chunk in chunks] == [150, 1, 249, 200]
    assert {chunk.dtype for chunk in chunks} == {rows.dtype}
    assert_array_equal(np.concatenate(chunks), rows)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_encoded_chunks_are_frames_with_their_index_and_context(library):
    pytest.importorskip(library)
    params = {"remainder": "passthrough"}
    expected = encoder(**params).set_output(transform=library).fit_transform(X, Y)
    found = encoder(**params).set_output(transform=library)
    chunks = list(found.fit_transform_chunks(iter(cut(X, Y))))
    if library == "pandas":
        pd.testing.assert_frame_equal(pd.concat(chunks), expected)
    else:
        import polars as pl

        assert pl.concat(chunks).equals(expected)


def forms():
    names = {"categorical_features": [0, 1]}
    yield "arrays", lambda x, y: (x.to_numpy(), y.to_numpy()), names
    yield "lists", lambda x, y: (x.to_numpy().tolist(), y.tolist()), names
    yield "categories", lambda x, y: (x.astype({"a": "category"}), y), {}
    yield "nullable", lambda x, y: (x.convert_dtypes(), y.astype("Float64")), {}


@pytest.mark.parametrize(("change", "params"), [f[1:] for f in forms()],
                         ids=[f[0] for f in forms()])  # fmt: skip
def test_chunks_may_be_of_any_form_that_fit_takes(change, params):
    expected = encoder(**params).fit(*change(X, Y))
    chunks = [change(*chunk) for chunk in cut(X, Y)]
    found = encoder(**params).fit_chunks(chunks)
    assert_array_equal(
        found.transform(change(X, Y)[0]), expected.transform(change(X, Y)[0])
    )


def test_frames_of_several_libraries_are_one_table():
    pl = pytest.importorskip("polars")
    first, second, *others = cut(X, Y)
    chunks = [(pl.from_pandas(first[0]), pl.from_pandas(first[1])), second, *others]
    found = encoder().fit_chunks(chunks)
    assert_array_equal(found.transform(X), encoder().fit(X, Y).transform(X))


def test_a_column_that_is_whole_in_one_chunk_alone_has_the_same_categories():
    mixed = X.assign(b=X["b"].where(X.index > 200, X["b"] + 0.5))
    chunks = cut(mixed, Y, ends=[300])
    chunks[1] = chunks[1][0].astype({"b": int}), chunks[1][1]
    assert_same(encoder().fit_chunks(chunks), encoder().fit(mixed, Y), mixed)


def test_an_iterator_is_gone_over_once():
    read = []

    def chunks():
        for number, chunk in enumerate(cut(X, Y)):
            read.append(number)
            yield chunk

    assert_same(encoder().fit_chunks(chunks()), encoder().fit(X, Y), X)
    assert read == [0, 1, 2, 3]


@pytest.mark.parametrize("before", ["fit", "partial_fit"])
def test_it_begins_anew_whatever_was_learned_before(before):
    found = encoder()
    getattr(found, before)(X.assign(a="other", more=0), -Y)
    expected = encoder().fit(X, Y)
    assert_same(found.fit_chunks(cut(X, Y)), expected, X)
    assert found.n_features_in_ == 4


def test_partial_fit_goes_on_from_it_as_from_fit():
    later = X.assign(a="new"), Y
    found = encoder().fit_chunks(cut(X, Y)).partial_fit(*later)
    assert_same(found, encoder().fit(X, Y).partial_fit(*later), X)


def test_warm_start_goes_on_from_the_network():
    warm = encoder(warm_start=True).fit(X, Y)
    expected = encoder(warm_start=True).fit(X, Y).fit(X, -Y)
    assert_same(warm.fit_chunks(cut(X, -Y)), expected, X)


def test_chunks_without_rows_or_without_weight_are_passed_over(spool_dir):
    chunks = cut(X, Y, pd.Series(1.0, X.index))
    nothing, zero = (X[:0], Y[:0]), (X[:50], Y[:50] * np.nan, np.zeros(50))
    chunks = [nothing, zero, *chunks, nothing, zero]
    found = encoder()
    encoded = list(found.fit_transform_chunks(chunks, spool_dir=spool_dir))
    expected = encoder()
    X_all, y_all, weight = (
        pd.concat([pd.DataFrame(c[k]) for c in chunks if len(c) == 3]).squeeze("columns")
        for k in range(3)
    )
    rows = expected.fit_transform(X_all, y_all, weight)
    assert_array_equal(np.concatenate(encoded), rows)
    assert len(encoded) == 6
    assert_same(encoder().fit_chunks(chunks), expected, X)


def test_parquet_files_are_read_once(tmp_path):
    ds = pytest.importorskip("pyarrow.dataset")
    for number, (part, of_part) in enumerate(cut(X, Y)):
        part.assign(y=of_part).to_parquet(tmp_path / f"{number}.parquet", index=False)

    class Batches:
        n_read = 0

        def __iter__(self):
            for batch in ds.dataset(tmp_path).to_batches(batch_size=75):
                self.n_read += len(batch)
                chunk = batch.to_pandas()
                yield chunk.drop(columns="y"), chunk["y"]

    batches = Batches()
    assert_same(encoder().fit_chunks(batches), encoder().fit(X, Y), X)
    assert batches.n_read == len(X)


def test_it_tells_of_epochs(capsys):
    encoder(verbose=1).fit_chunks(cut(X, Y))
    assert "epoch 1 of 2" in capsys.readouterr().out


# ------------------------------------------------------------------ beyond the page cache


def test_a_spool_beyond_the_bound_is_visited_in_stretches(monkeypatch, spool_dir):
    X, y = draw(4_000)
    plain = encoder().fit(X, y)
    # A row takes 2 bytes of codes, 12 of context and 4 of the target.
    monkeypatch.setattr(_spool, "MAX_BYTES_IN_REACH", 18 * 1_000)
    found, again = (encoder().fit_chunks(cut(X, y), spool_dir=spool_dir) for _ in range(2))
    assert_same(found, again, X)
    # Main effects do not depend on the order of the rows; vectors do, but little.
    ours, theirs = found.to_frame("b")["b_effect"], plain.to_frame("b")["b_effect"]
    assert_allclose(ours * found.unit_, theirs * plain.unit_, atol=1e-6)
    assert found.loss_curve_ != plain.loss_curve_
    assert found.loss_curve_[-1] == pytest.approx(plain.loss_curve_[-1], rel=0.1)


def test_a_spool_within_the_bound_is_visited_as_fit_does(monkeypatch):
    monkeypatch.setattr(_spool, "MAX_BYTES_IN_REACH", 18 * len(X))
    assert_same(encoder().fit_chunks(cut(X, Y)), encoder().fit(X, Y), X)


# ------------------------------------------------------------------ the folder


@pytest.mark.parametrize("method", ["fit_chunks", "fit_transform_chunks"])
@pytest.mark.parametrize(
    ("folder", "error", "words"),
    [
        ("nowhere", FileNotFoundError, "spool_dir='nowhere' is no folder; make it first"),
        (3, TypeError, "spool_dir must be a str or a path, but is 3"),
        (b"/tmp", TypeError, "spool_dir must be a str or a path, but is b'/tmp'"),
    ],
)
def test_what_is_no_folder_to_spool_in_is_named(method, folder, error, words):
    X, y = np.array([["a"], ["b"]] * 5), np.arange(10.0)
    with pytest.raises(error, match=words):
        getattr(encoder(), method)([(X, y)], spool_dir=folder)


def test_the_folder_is_there_until_all_rows_are_encoded(spool_dir):
    encoded = encoder().fit_transform_chunks(cut(X, Y), spool_dir=spool_dir)
    for number, _ in enumerate(encoded):
        assert len(list(spool_dir.iterdir())) == 1, number
    assert list(spool_dir.iterdir()) == []


@pytest.mark.parametrize("n_taken", [0, 1])
def test_the_folder_is_removed_with_the_iterator(n_taken, spool_dir):
    encoded = encoder().fit_transform_chunks(cut(X, Y), spool_dir=spool_dir)
    for _ in range(n_taken):
        next(encoded)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del encoded
        gc.collect()
    assert list(spool_dir.iterdir()) == []


def test_rows_are_encoded_as_they_were_learned_whatever_comes_later():
    expected = encoder().fit_transform(X, Y)
    found = encoder()
    chunks = found.fit_transform_chunks(cut(X, Y))
    found.partial_fit(X, -Y)
    found.set_params(remainder="passthrough").set_output(transform="pandas")
    assert_array_equal(np.concatenate(list(chunks)), expected)


def test_a_full_disk_is_an_error_that_leaves_nothing(monkeypatch, spool_dir):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", fail, raising=False)
    failed = encoder()
    with pytest.raises(OSError, match="No space left"):
        failed.fit_chunks(cut(X, Y), spool_dir=spool_dir)
    assert list(spool_dir.iterdir()) == []
    assert vars(failed).keys() == vars(encoder()).keys()


# ------------------------------------------------------------------ refusals


def broken(number, error=ValueError):
    def chunks(c):
        yield from c[:number]
        raise error("the file ends early")

    return chunks


ERRORS = {
    "none": (lambda _: None, TypeError, "must be a list or another iterable"),
    "empty": (lambda _: [], ValueError, "give at least one chunk of rows"),
    "no rows": (lambda c: [(c[0][0][:0], c[0][1][:0])], ValueError, "holds no rows"),
    "no weight": (
        lambda c: [(*c[0], np.zeros(len(c[0][1])))],
        ValueError,
        "no rows of positive weight",
    ),
    "empty lists": (lambda _: [([], [])], ValueError, "holds no rows"),
    "frame": (lambda c: [*c, c[0][0]], TypeError, "Chunk 4 is a DataFrame; each chunk"),
    "long": (lambda c: [(*c[0], 1, 2)], TypeError, "Chunk 0 is a tuple of length 4"),
    "no y": (lambda c: [(c[0][0], None)], ValueError, "Chunk 0: .*requires y to be passed"),
    "NaN": (
        lambda c: [*c, (c[0][0], c[0][1].where(c[0][1].index != 7))],
        ValueError,
        r"Chunk 4: Input y contains NaN \(row 7\)",
    ),
    "order": (
        lambda c: [*c, (c[0][0][["z", "b", "a", "whole"]], c[0][1])],
        ValueError,
        r"Chunk 4: (.|\n)*must be in the same order as they were in fit",
    ),
    "names": (
        lambda c: [*c, (c[0][0].drop(columns="z"), c[0][1])],
        ValueError,
        "Chunk 4: .*feature names",
    ),
    "number of columns": (
        lambda c: [(x.to_numpy()[:, : 4 - n // 3], y) for n, (x, y) in enumerate(c)],
        ValueError,
        "Chunk 3: X has 3 features",
    ),
    "outputs": (
        lambda c: [*c, (c[0][0], c[0][0][["z", "whole"]].fillna(0))],
        ValueError,
        "Chunk 4: y has 2 column",
    ),
    "length": (lambda c: [*c, (c[0][0], c[1][1])], ValueError, "Chunk 4: .*inconsistent"),
    "words": (
        lambda c: [*c, (c[0][0].assign(z="some"), c[0][1])],
        ValueError,
        "Chunk 4: Context column 'z' is not numeric",
    ),
    "iterator": (broken(2), ValueError, "the file ends early"),
    "interrupt": (broken(2, KeyboardInterrupt), KeyboardInterrupt, "the file ends"),
}


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fit_chunks", "fit_transform_chunks"])
@pytest.mark.parametrize(("chunks_of", "error", "match"), ERRORS.values(), ids=ERRORS)
def test_a_call_that_fails_leaves_encoder_and_folder_as_they_were(
    chunks_of, error, match, method, spool_dir
):
    given = {"n_components": 0}
    if match.startswith("Chunk 3"):
        given["categorical_features"] = [0, 1]
    failed = encoder(**given)
    with pytest.raises(error, match=match) as caught:
        getattr(failed, method)(chunks_of(cut(X, Y)), spool_dir=spool_dir)
    # Messages of several lines are scikit-learn's, on names.
    assert "\n" not in str(caught.value) or "feature names" in str(caught.value)
    assert list(spool_dir.iterdir()) == []
    assert vars(failed).keys() == vars(encoder()).keys()
    with pytest.raises(NotFittedError):
        failed.transform(X)


@pytest.mark.parametrize("before", ["fit", "partial_fit"])
def test_a_call_that_fails_leaves_what_was_learned(before):
    found, twin = (getattr(encoder(), before)(X, -Y) for _ in range(2))
    with pytest.raises(ValueError, match="the file ends early"):
        found.fit_chunks(broken(2)(cut(X.assign(a="more"), Y)))
    later = X.assign(a="later"), Y
    assert_same(found.partial_fit(*later), twin.partial_fit(*later), X)


def test_a_splitter_is_refused_before_a_chunk_is_read():
    def chunks():
        pytest.fail("read")
        yield

    with pytest.raises(ValueError, match=r"cv=KFold\(.*pass a number of folds"):
        encoder(cv=KFold(3)).fit_transform_chunks(chunks())
    with pytest.raises(ValueError, match="'half_life' parameter"):
        encoder(half_life=-1.0).fit_chunks(chunks())


def test_a_list_of_splits_is_that_of_all_rows():
    splits = list(KFold(3).split(X))
    expected = encoder(cv=splits).fit_transform(X, Y)
    encoded = encoder(cv=splits).fit_transform_chunks(cut(X, Y))
    assert_array_equal(np.concatenate(list(encoded)), expected)


def test_warnings_are_those_of_fit():
    floats = X.assign(b=Y)
    with pytest.warns(UserWarning, match="different numbers in 600 rows"):
        encoder(categorical_features="all").fit_chunks(cut(floats, Y))
