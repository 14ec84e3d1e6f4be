"""Errors of other people's code are theirs: they come through as they were raised."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.model_selection import BaseCrossValidator, GroupKFold, KFold

from sk_embed import EmbeddingEncoder

N_ROWS = 60
X = pd.DataFrame({"a": (np.arange(N_ROWS) % 4).astype(str)})
Y = np.random.default_rng(0).normal(size=N_ROWS)
ERRORS = [
    TypeError("theirs"),
    IndexError("theirs"),
    ValueError("theirs"),
    KeyError("theirs"),
    AttributeError("theirs"),
    UnicodeDecodeError("utf-8", b"", 0, 1, "theirs"),
]
each_error = pytest.mark.parametrize(
    "error", ERRORS, ids=lambda error: type(error).__name__
)


def make(**parameters):
    defaults = {"n_components": 0, "max_iter": 1, "random_state": 0}
    return EmbeddingEncoder(**{**defaults, **parameters})


def assert_comes_through(error, call):
    with pytest.raises(type(error)) as raised:
        call()
    assert raised.value is error


class Failing(BaseCrossValidator):
    """A splitter that fails before its first or its second fold."""

    def __init__(self, error, n_folds):
        self.error, self.n_folds = error, n_folds

    def get_n_splits(self, X=None, y=None, groups=None):
        return 3

    def split(self, X, y=None, groups=None):
        return _Splits(self.error, list(KFold(3).split(X))[: self.n_folds])


class _Splits:
    def __init__(self, error, splits):
        self.error, self.splits = error, iter(splits)

    def __iter__(self):
        return self

    def __next__(self):
        for split in self.splits:
            return split
        raise self.error


@each_error
@pytest.mark.parametrize("n_folds", [0, 1])
def test_an_error_inside_a_splitter_comes_through(error, n_folds):
    encoder = make(cv=Failing(error, n_folds))
    assert_comes_through(error, lambda: encoder.fit_transform(X, Y))
    assert not hasattr(encoder, "n_components_")


def test_groups_that_do_not_sort_are_an_error_of_the_splitter():
    groups = np.array([0, "a", "b"] * 20, dtype=object)
    with sklearn.config_context(enable_metadata_routing=True):
        with pytest.raises((TypeError, ValueError)) as theirs:
            list(GroupKFold(3).split(X, Y, groups))
        with pytest.raises(type(theirs.value)) as raised:
            make(cv=GroupKFold(3)).fit_transform(X, Y, groups=groups)
    assert str(raised.value) == str(theirs.value)
    assert "cv" not in str(raised.value)


class _AsIs(BaseCrossValidator):
    """A splitter that gives what it is given."""

    def __init__(self, splits):
        self.splits = splits

    def get_n_splits(self, X=None, y=None, groups=None):
        return 2

    def split(self, X, y=None, groups=None):
        return self.splits


HALF, REST = np.arange(30), np.arange(30, 60)


@pytest.mark.parametrize(
    "splits",
    [
        [(HALF, REST), (REST, HALF, HALF)],
        [(HALF, REST), REST],
        [(HALF, REST), 5],
        [(HALF, REST), None],
        [(HALF, REST + 0.5), (REST, HALF)],
        [(HALF, REST + 1), (REST, HALF)],
        [(HALF, "abc"), (REST, HALF)],
        [(HALF, REST), (REST, np.zeros(5, dtype=bool))],
        [(HALF, REST)],
        [(HALF, REST), (REST, HALF), (HALF, REST)],
        [(HALF, np.append(REST, 59)), (REST, HALF)],
        [],
        None,
        3,
    ],
)
def test_folds_that_cannot_be_used_are_an_error_of_cv(splits):
    with pytest.raises(ValueError, match="`cv`") as raised:
        make(cv=_AsIs(splits)).fit_transform(X, Y)
    assert "\n" not in str(raised.value)


def test_folds_may_be_masks_or_lists():
    expected = make(cv=[(REST, HALF), (HALF, REST)]).fit_transform(X, Y)
    is_first = np.arange(N_ROWS) < 30
    for splits in (
        [(~is_first, is_first), (is_first, ~is_first)],
        [(REST.tolist(), HALF.tolist()), (HALF.tolist(), REST.tolist())],
    ):
        np.testing.assert_array_equal(make(cv=splits).fit_transform(X, Y), expected)


@each_error
@pytest.mark.parametrize("n_good", [0, 1])
def test_an_error_inside_an_iterable_of_chunks_comes_through(error, n_good):
    class Chunks:
        def __iter__(self):
            return _Splits(error, [(X, Y)] * n_good)

    encoder = make()
    assert_comes_through(error, lambda: encoder.fit_chunks(Chunks()))
    assert not hasattr(encoder, "n_components_")


@each_error
@pytest.mark.parametrize("what", ["y", "sample_weight"])
def test_an_error_inside_an_array_comes_through(error, what):
    class Lazy:
        def __array__(self, dtype=None, copy=None):
            raise error

        def __len__(self):
            return N_ROWS

    given = {"y": Y, "sample_weight": None, what: Lazy()}
    assert_comes_through(error, lambda: make().fit(X, **given))


@each_error
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_an_error_inside_a_callback_comes_through(error, n_jobs):
    if not hasattr(EmbeddingEncoder, "set_callbacks"):
        pytest.skip("callbacks came with scikit-learn 1.9")

    class Callback:
        requires_fit_info: tuple = ()

        def setup(self, *args, **kwargs):
            pass

        def teardown(self, *args, **kwargs):
            pass

        def on_fit_task_begin(self, *args, **kwargs):
            pass

        def on_fit_task_end(self, *args, **kwargs):
            raise error

    encoder = make(n_jobs=n_jobs).set_callbacks(Callback())
    with pytest.raises(type(error)) as raised:
        encoder.fit(X, Y)
    # From another thread it comes as one that is like it.
    assert str(raised.value) == str(error)
    assert not hasattr(encoder, "n_components_")


@each_error
def test_an_error_inside_a_label_comes_through(error):
    class Label:
        def __hash__(self):
            raise error

    with pytest.raises(type(error)) as raised:
        make().fit(X, [Label() for _ in range(N_ROWS)])
    assert raised.value is error


@each_error
def test_an_error_inside_a_callable_of_columns_comes_through(error):
    def columns(frame):
        raise error

    for call in (make().fit, make().fit_transform, make().partial_fit):
        call.__self__.set_params(categorical_features=columns)
        assert_comes_through(error, lambda call=call: call(X, Y))
