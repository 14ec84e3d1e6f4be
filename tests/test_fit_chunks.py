"""Learning from chunks that are gone over again, in memory and from files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError

from sk_embed import EmbeddingEncoder


def encoder(**params):
    return EmbeddingEncoder(
        **{"categorical_features": ["a", "b"], "random_state": 0} | params
    )


def draw(n_rows=600):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "a": rng.choice(list("uvwxyz"), n_rows),
            "b": rng.integers(9, size=n_rows),
            "z": rng.normal(size=n_rows),
        }
    )
    y = X["b"] - (X["a"] == "w") + X["z"] * (X["a"] > "v") + rng.normal(size=n_rows)
    return X, y.rename("y")


def cut(*parts, n_chunks=4):
    rows = np.array_split(np.arange(len(parts[0])), n_chunks)
    return [tuple(part.iloc[r] for part in parts) for r in rows]


def learned(chunks, n_passes=2, classes=None, **params):
    """What the same calls of partial_fit teach a new encoder."""
    stream = encoder(**params)
    for _ in range(n_passes):
        for X, y, *weight in chunks:
            stream.partial_fit(X, y, classes, *weight)
    return stream


def assert_same(first, second, X):
    assert_array_equal(first.transform(X), second.transform(X))
    assert first.loss_curve_ == second.loss_curve_
    assert first.n_iter_ == second.n_iter_
    for ours, theirs in zip(first.categories_, second.categories_, strict=True):
        assert_array_equal(ours, theirs)


# ------------------------------------------------------------------ what it learns


@pytest.mark.parametrize("n_passes", [1, 2, 3])
def test_it_learns_what_the_same_calls_of_partial_fit_teach(n_passes):
    X, y = draw()
    chunks = cut(X, y)
    ours = encoder().fit_chunks(chunks, n_passes)
    assert ours.n_iter_ == 4 * n_passes
    assert_same(ours, learned(chunks, n_passes), X)


def test_two_passes_are_the_default():
    chunks = cut(*draw())
    assert encoder().fit_chunks(chunks).n_iter_ == 8


@pytest.mark.parametrize("before", ["fit", "partial_fit", "fit_chunks"])
def test_it_begins_anew_whatever_was_learned_before(before):
    X, y = draw()
    other = X.assign(a="other", more=0), -y
    stream = encoder()
    getattr(stream, before)(*([[other]] if before == "fit_chunks" else other))
    chunks = cut(X, y)
    expected = learned(chunks)
    assert_same(stream.fit_chunks(chunks), expected, X)
    assert stream.n_features_in_ == 3
    assert vars(stream).keys() == vars(expected).keys()


def test_it_is_gone_on_from_by_partial_fit():
    X, y = draw()
    chunks = cut(X, y)
    later = X.assign(a="new"), y
    ours, theirs = encoder().fit_chunks(chunks), learned(chunks)
    assert_same(ours.partial_fit(*later), theirs.partial_fit(*later), X)


def test_weights_are_those_of_their_chunk():
    X, y = draw()
    chunks = cut(X, y, pd.Series(np.linspace(0, 3, len(y))))
    ours = encoder().fit_chunks(chunks)
    assert_same(ours, learned(chunks), X)
    assert not np.array_equal(ours.transform(X), learned(cut(X, y)).transform(X))


def test_classes_that_come_later_are_named_beforehand():
    X, y = draw()
    labels = pd.Series(np.array(["low", "mid", "high"])[np.digitize(y, [2, 6])])
    order = labels.sort_values().index  # "high" first, "mid" last
    chunks = cut(X.loc[order], labels[order], n_chunks=6)
    classes = ["low", "mid", "high"]
    ours = encoder().fit_chunks(chunks, classes=classes)
    assert ours.classes_.tolist() == ["high", "low", "mid"]
    assert_same(ours, learned(chunks, classes=classes), X)
    with pytest.raises(ValueError, match="is not among the classes"):
        encoder(target_type="multiclass").fit_chunks(chunks)


def test_chunks_without_rows_are_passed_over():
    X, y = draw()
    chunks = cut(X, y)
    nothing = X[:0], y[:0]
    ours = encoder().fit_chunks([nothing, *chunks, nothing])
    assert_same(ours, learned(chunks), X)


def test_an_iterator_will_do_for_a_single_pass():
    X, y = draw()
    chunks = cut(X, y)
    assert_same(encoder().fit_chunks(iter(chunks), n_passes=1), learned(chunks, 1), X)


def test_parquet_files_are_read_anew_in_each_pass(tmp_path):
    ds = pytest.importorskip("pyarrow.dataset")
    X, y = draw()
    for number, (part, of_part) in enumerate(cut(X, y, n_chunks=3)):
        part.assign(y=of_part).to_parquet(tmp_path / f"{number}.parquet", index=False)

    class Batches:
        n_read = 0

        def __iter__(self):
            for batch in ds.dataset(tmp_path).to_batches(batch_size=75):
                self.n_read += len(batch)
                chunk = batch.to_pandas()
                yield chunk.drop(columns="y"), chunk["y"]

    batches = Batches()
    ours = encoder().fit_chunks(batches)
    assert batches.n_read == 2 * len(X)
    assert ours.to_frame("a")["count"].sum() == len(X)
    assert_same(ours, learned(list(batches)), X)


# ------------------------------------------------------------------ refusals


class Exhausted:
    """Gives its chunks once, as an object that holds an open file may."""

    def __init__(self, chunks):
        self._left = iter(chunks)

    def __iter__(self):
        yield from self._left


CASES = {
    "iterator": (lambda c: iter(c), TypeError, "list_iterator, which lasts for one pass"),
    "generator": (lambda c: (x for x in c), TypeError, "whose __iter__ reads the chunks"),
    "exhausted": (Exhausted, ValueError, "gave 4 chunks in pass 1, but 0 in pass 2"),
    "none": (lambda _: None, TypeError, "must be a list or another iterable"),
    "empty": (lambda _: [], ValueError, "give at least one chunk of rows"),
    "frame": (lambda c: [*c, c[0][0]], TypeError, "Chunk 4 is a DataFrame; each chunk"),
    "long": (lambda c: [(*c[0], 1, 2)], TypeError, "Chunk 0 is a tuple of length 4"),
    "no y": (lambda c: [(c[0][0], None)], ValueError, "requires y to be passed"),
    "NaN": (lambda c: [*c, (c[0][0], c[0][1] * np.nan)], ValueError, "y contains NaN"),
    "order": (
        lambda c: [*c, (c[0][0][["z", "b", "a"]], c[0][1])],
        ValueError,
        "must be in the same order as they were in fit",
    ),
}


@pytest.mark.parametrize(("chunks_of", "error", "match"), CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("before", [None, "fit", "partial_fit"])
def test_a_call_that_fails_leaves_the_encoder_as_it_was(before, chunks_of, error, match):
    X, y = draw()
    stream, twin = encoder(), encoder()
    if before is not None:
        getattr(stream, before)(X, -y)
        getattr(twin, before)(X, -y)
    with pytest.raises(error, match=match) as caught:
        stream.fit_chunks(chunks_of(cut(X, y)))
    assert error is not TypeError or "\n" not in str(caught.value)
    assert vars(stream).keys() == vars(twin).keys()
    if before is None:
        with pytest.raises(NotFittedError):
            stream.transform(X)
        return
    assert_array_equal(stream.transform(X), twin.transform(X))
    later = X.assign(a="later"), y
    assert_same(stream.partial_fit(*later), twin.partial_fit(*later), X)


@pytest.mark.parametrize("n_passes", [0, -1, 1.5, "2", None])
def test_a_number_of_passes_that_is_none_is_an_error(n_passes):
    with pytest.raises(ValueError, match="n_passes must be an integer from 1, but is"):
        encoder().fit_chunks(cut(*draw()), n_passes)


def test_parameters_are_checked_before_a_chunk_is_read():
    def chunks():
        pytest.fail("read")
        yield

    with pytest.raises(ValueError, match="'half_life' parameter"):
        encoder(half_life=-1.0).fit_chunks(chunks(), n_passes=1)


# ------------------------------------------------------------------ chunks come again


def test_chunks_too_short_to_be_recognised_count_once():
    X, y = draw(410)
    chunks = [
        (X[start : start + 100], y[start : start + 100]) for start in range(0, 410, 100)
    ]
    fitted = encoder().fit_chunks(chunks, n_passes=3)
    assert fitted.to_frame("a")["count"].sum() == 410
    # What partial_fit cannot tell.
    assert learned(chunks, 2).to_frame("a")["count"].sum() == 420


def test_chunks_of_other_rows_in_a_later_pass_are_refused():
    X, y = draw()

    class Shuffled:
        n_passes = 0

        def __iter__(self):
            self.n_passes += 1
            rows = np.random.default_rng(self.n_passes).permutation(len(X))
            return iter(cut(X.iloc[rows], y.iloc[rows]))

    fitted = encoder()
    with pytest.raises(ValueError, match="a chunk of a later pass is none of the first"):
        fitted.fit_chunks(Shuffled())
    assert not hasattr(fitted, "categories_")


def test_chunks_of_no_weight_are_passed_over():
    X, y = draw()
    chunks = cut(X, y, pd.Series(1.0, X.index))
    nothing = [(X[:50], y[:50], np.zeros(50))]
    found = encoder().fit_chunks(nothing + chunks + nothing)
    assert_same(found, encoder().fit_chunks(chunks), X)


def test_what_is_wrong_in_a_chunk_is_told_with_its_number():
    X, y = draw()
    chunks = cut(X, y)
    missing = (X[:50], y[:50].where(y.index[:50] != 7))
    with pytest.raises(ValueError, match=r"Chunk 4: Input y contains NaN \(row 7\)"):
        encoder().fit_chunks([*chunks, missing])
    with pytest.raises(ValueError, match=r"Chunk 4: .*feature names"):
        encoder().fit_chunks([*chunks, (X[["b", "a", "z"]], y)])
