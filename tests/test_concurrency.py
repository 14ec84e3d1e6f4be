"""Threads that share an encoder, and fits that are interrupted at any moment.

``SK_EMBED_SECONDS=60 python -m pytest tests/test_concurrency.py`` lets threads run so long.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import threadpoolctl

import sk_embed
from sk_embed import EmbeddingEncoder
from sk_embed._sklearn_compat import single_blas_thread

SECONDS = float(os.environ.get("SK_EMBED_SECONDS", "2"))
N_THREADS = 8
PACKAGE = str(Path(sk_embed.__file__).parent)


def draw(n_rows=300):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "a": rng.choice(["x", "y", None], n_rows),
            "b": rng.integers(100, size=n_rows),
            "when": pd.Timestamp("2020")
            + pd.to_timedelta(rng.integers(9, size=n_rows), "D"),
            "n": rng.normal(size=n_rows),
        }
    )
    return X, rng.normal(size=n_rows)


def make(**parameters):
    categorical = ["a", "b", "when"]
    defaults = {"categorical_features": categorical, "random_state": 0, "max_iter": 2}
    return EmbeddingEncoder(2, **{**defaults, **parameters})


def test_threads_share_an_encoder_that_others_pickle_save_and_inspect(tmp_path):
    X, y = draw()
    encoder = make(remainder="passthrough").fit(X, y)
    expected = encoder.transform(X)
    # Loaded anew: nothing of it was ever used.
    encoder = pickle.loads(pickle.dumps(encoder))
    end = time.monotonic() + SECONDS

    def transform(number):
        np.testing.assert_array_equal(encoder.transform(X), expected)

    def copy(number):
        twin = pickle.loads(pickle.dumps(encoder))
        np.testing.assert_array_equal(twin.transform(X), expected)

    def save(number):
        path = tmp_path / "shared.zip"
        encoder.save(path)
        np.testing.assert_array_equal(EmbeddingEncoder.load(path).transform(X), expected)

    def inspect(number):
        assert len(encoder.to_frame("b")) == len(encoder.categories_[1])
        assert len(encoder.get_feature_names_out()) == expected.shape[1]

    def run(number):
        task = [transform, copy, save, inspect][max(number - N_THREADS + 1, 0)]
        n_times = 0
        while time.monotonic() < end or n_times == 0:
            task(number)
            n_times += 1
        return n_times

    with ThreadPoolExecutor(N_THREADS + 3) as pool:
        assert min(pool.map(run, range(N_THREADS + 3))) > 0


def everything(encoder):
    """All that an encoder holds, as bytes."""
    return {name: pickle.dumps(value) for name, value in vars(encoder).items()}


class Interruption:
    """Raises KeyboardInterrupt at the n-th call of or in the package within the block."""

    def __init__(self, n_calls):
        self.n_left = self.n_calls = n_calls

    def __enter__(self):
        self._before = sys.getprofile()
        sys.setprofile(self._count)
        return self

    def __exit__(self, *error):
        sys.setprofile(self._before)

    def _count(self, frame, event, argument):
        # Not in callbacks of C, which cannot pass it on.
        if event.endswith("call") and frame.f_code.co_filename.startswith(PACKAGE):
            self.n_left -= 1
            if self.n_left == 0:
                raise KeyboardInterrupt


@pytest.mark.parametrize("is_fitted", [False, True])
def test_a_fit_that_is_interrupted_at_any_moment_leaves_the_encoder_as_it_was(is_fitted):
    X, y = draw(120)
    # Under a given alpha, calls that estimate it do not outnumber all others.
    encoder = make(warm_start=True, hidden_layer_sizes=(4,), max_iter=1, alpha=1.0)
    if is_fitted:
        encoder.fit(X, -y)
    before = everything(encoder)
    twin = pickle.loads(pickle.dumps(encoder))
    with Interruption(10**9) as uninterrupted:
        twin.fit_transform(X, y)
    n_calls = uninterrupted.n_calls - uninterrupted.n_left
    moments = np.random.default_rng(0).integers(1, n_calls, 15)
    for moment in moments:
        with pytest.raises(KeyboardInterrupt), Interruption(int(moment)):
            encoder.fit_transform(X, y)
        assert everything(encoder) == before
    assert everything(encoder.fit(X, y)) == everything(twin)


def test_fits_that_overlap_keep_blas_at_one_thread_and_lift_the_limit_together():
    def n_threads():
        pools = threadpoolctl.threadpool_info()
        return {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"}

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = n_threads()
        first, second = single_blas_thread(), single_blas_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert n_threads() == {1}
        second.__exit__(None, None, None)
        assert n_threads() == before
