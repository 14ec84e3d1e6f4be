"""What is told while the encoder learns: printed lines, and scikit-learn's callbacks."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from sk_embed import EmbeddingEncoder
from sk_embed._progress import reporter

LINE = re.compile(
    r"\[EmbeddingEncoder\] epoch (\d+) of (\d+): loss (\d+\.\d{5}), "
    r"at most about (\d+) s left"
)


@pytest.fixture(name="X")
def make_x():
    rng = np.random.default_rng(0)
    return pd.DataFrame({"a": rng.integers(20, size=300), "b": rng.integers(90, size=300)})


@pytest.fixture
def y(X):
    return np.cos(X["a"]) + 0.1 * np.random.default_rng(1).normal(size=len(X))


def encoder(**params):
    return EmbeddingEncoder(**{"random_state": 0, "max_iter": 4, **params})


# ---------------------------------------------------------------- lines


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_verbose_prints_number_loss_and_time_of_each_epoch(X, y, capsys, method):
    fitted = encoder(verbose=1)
    getattr(fitted, method)(X, y)
    lines = capsys.readouterr().out.splitlines()
    matches = [LINE.fullmatch(line) for line in lines]
    assert all(matches)
    assert [int(match[1]) for match in matches] == list(range(1, fitted.n_iter_ + 1))
    assert {match[2] for match in matches} == {"4"}
    assert [match[3] for match in matches] == [f"{loss:.5f}" for loss in fitted.loss_curve_]


def test_the_time_left_is_that_of_epochs_and_passes_to_come(capsys):
    seconds = iter([100.0, 102.0, 106.0, 109.0])
    report = reporter("", 3, 10, lambda name: False, clock=lambda: next(seconds))
    for epoch in (1, 2, 3):
        report(epoch, 0.5)
    left = [line.split("about ")[1] for line in capsys.readouterr().out.splitlines()]
    # 2 s for one epoch, 12 passes to come; 6 s for two, 11; 9 s for three, 10.
    assert left == ["24 s left", "33 s left", "30 s left"]


def test_printing_changes_no_bit(X, y):
    assert_array_equal(
        encoder(verbose=1).fit_transform(X, y), encoder().fit_transform(X, y)
    )


# ---------------------------------------------------------------- callbacks


class Recorder:
    """A callback that keeps what it was told; ``stop_at`` names a task to stop at."""

    def __init__(self, stop_at=None, fail_at=None):
        self.stop_at, self.fail_at = stop_at, fail_at
        self.told = []
        self.data = []

    def note(self, what, context):
        self.told.append((what, context.task_name))
        if self.fail_at == (what, context.task_name):
            raise RuntimeError("the callback failed")

    def setup(self, estimator, context):
        self.note("setup", context)

    def teardown(self, estimator, context):
        self.note("teardown", context)

    def on_fit_task_begin(self, estimator, context):
        self.note("begin", context)

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self.note("end", context)
        self.data.append((X, y, metadata, fitted_estimator))
        return context.task_name == self.stop_at


@pytest.fixture
def callback():
    return pytest.importorskip("sklearn.callback")


def test_without_scikit_learns_callbacks_there_is_no_method_to_set_them():
    has_callbacks = tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 9)
    assert hasattr(EmbeddingEncoder, "set_callbacks") == has_callbacks


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
@pytest.mark.usefixtures("callback")
def test_callbacks_are_told_of_the_fit_and_each_epoch(X, y, method):
    recorder = Recorder()
    weight = np.ones(len(X))
    fitted = encoder(max_iter=2).set_callbacks(recorder)
    getattr(fitted, method)(X, y, weight)
    parts = ["epoch 1", "epoch 2", "tables"]
    assert recorder.told == [
        ("setup", "fit"),
        ("begin", "fit"),
        *((what, part) for part in parts for what in ("begin", "end")),
        ("end", "fit"),
        ("teardown", "fit"),
    ]
    for features, target, metadata, _ in recorder.data:
        assert features is X
        assert target is y
        assert metadata == {"sample_weight": weight}
    estimators = [fitted_estimator for *_, fitted_estimator in recorder.data]
    assert estimators[:-1] == [None, None, None]
    assert_array_equal(estimators[-1].transform(X), fitted.transform(X))


@pytest.mark.usefixtures("callback")
def test_callbacks_change_no_bit_and_stay(X, y):
    watched = encoder().set_callbacks(Recorder())
    plain = encoder()
    assert_array_equal(watched.fit_transform(X, y), plain.fit_transform(X, y))
    assert vars(watched).keys() - vars(plain).keys() == {"_skl_callbacks"}


@pytest.mark.usefixtures("callback")
def test_a_callback_can_stop_the_epochs(X, y):
    recorder = Recorder(stop_at="epoch 2")
    stopped = encoder().set_callbacks(recorder).fit(X, y)
    assert stopped.n_iter_ == 2
    assert ("end", "tables") in recorder.told
    assert_array_equal(stopped.transform(X), encoder(max_iter=2).fit(X, y).transform(X))


FAILURES = [("setup", "fit"), ("begin", "fit"), ("end", "epoch 1"), ("end", "fit")]


@pytest.mark.parametrize("failure", FAILURES, ids=str)
@pytest.mark.usefixtures("callback")
def test_callbacks_are_torn_down_and_the_encoder_is_as_before_after_an_error(X, y, failure):
    fitted = encoder().fit(X, y)
    before = fitted.transform(X)
    recorder = Recorder(fail_at=failure)
    fitted.set_callbacks(recorder)
    names = set(vars(fitted))
    with pytest.raises(RuntimeError, match="the callback failed"):
        fitted.fit(X, -2 * y)
    assert recorder.told[-2:] == [failure, ("teardown", "fit")]
    assert set(vars(fitted)) == names
    assert_array_equal(fitted.transform(X), before)


def test_a_bad_input_tears_callbacks_down(X, y, callback):
    recorder = Recorder()
    with pytest.raises(ValueError, match="y contains NaN"):
        encoder().set_callbacks(recorder).fit(X, y.where(y < 0))
    assert recorder.told[-1] == ("teardown", "fit")


def test_the_progress_bar_reaches_its_end(X, y, callback, capsys):
    pytest.importorskip("rich")
    encoder().set_callbacks(callback.ProgressBar()).fit(X, y)
    out = capsys.readouterr().out
    assert "EmbeddingEncoder - fit" in out
    assert "100%" in out


def test_the_progress_bar_of_a_pipeline_shows_the_encoder(X, y, callback, capsys):
    pytest.importorskip("rich")
    model = make_pipeline(encoder(), Ridge())
    model.set_callbacks(callback.ProgressBar())
    # Ridge has no callbacks, of which scikit-learn warns.
    with pytest.warns(UserWarning, match="Ridge does not support callbacks"):
        model.fit(X, y)
    assert "EmbeddingEncoder - fit" in capsys.readouterr().out


def test_a_scoring_monitor_scores_the_fitted_encoder(X, y, callback):
    monitor = callback.ScoringMonitor(
        scoring=lambda fitted, X, y: {"width": fitted.transform(X).shape[1]}
    )
    fitted = encoder().set_callbacks(monitor).fit(X, y)
    (row,) = monitor.get_logs().data
    assert row["width"] == sum(fitted.n_components_)
    assert row["task_name"] == "fit"
