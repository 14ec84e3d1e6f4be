"""Whatever table there is: vectors without gaps, or one clear line, and nothing changed.

``SK_EMBED_EXAMPLES=10000 python -m pytest tests/test_properties.py`` draws that many
examples anew; without it a few hundred are the same each time.
"""

from __future__ import annotations

import copy
import os
import pickle
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.exceptions import ConvergenceWarning

from sk_embed import EmbeddingEncoder

pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, event, given, settings
from strategies import cases

N_EXAMPLES = os.environ.get("SK_EMBED_EXAMPLES")
SETTINGS = settings(
    max_examples=int(N_EXAMPLES or 200),
    derandomize=N_EXAMPLES is None,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
# Said of what was asked for, and no fault.
EXPECTED_WARNINGS = [
    (ConvergenceWarning, "The main effects did not converge"),
    (UserWarning, "Column .* held .* in fit but holds"),
    (UserWarning, "X does not have valid feature names"),
    (UserWarning, "X has feature names, but"),
]


def attempt(function, *args, **kwargs):
    """Return what a call gives, or None where it is refused in one clear line."""
    try:
        return function(*args, **kwargs)
    except (ValueError, TypeError) as error:
        refused = error
    assert type(refused) in (ValueError, TypeError), repr(refused)
    message = str(refused)
    assert 20 < len(message) < 600, message
    assert "\n" not in message
    event(message[:40])
    return None


def assert_unchanged(now, before):
    assert type(now) is type(before)
    if isinstance(now, pd.DataFrame):
        pd.testing.assert_frame_equal(now, before)
    elif isinstance(now, pd.Series):
        pd.testing.assert_series_equal(now, before)
    elif isinstance(now, pl.DataFrame):
        assert now.equals(before, null_equal=True)
    elif isinstance(now, np.ndarray) and now.dtype != object:
        assert now.tobytes() == before.tobytes()
    else:
        assert repr(now) == repr(before)


def assert_announced(encoder, encoded, X):
    """Assert shape, names, dtype, and that no vector has a gap."""
    n_rows = len(X)
    n_vectors = sum(encoder.n_components_)
    assert encoded.shape == (n_rows, len(encoder.get_feature_names_out()))
    assert np.isfinite(encoded[:, :n_vectors]).all()
    if encoder.remainder == "drop":
        assert encoded.shape[1] == n_vectors
        assert encoded.dtype == encoder.dtype
        assert encoded.flags.c_contiguous


def rows_of(X, part):
    return X.iloc[part] if isinstance(X, pd.DataFrame) else X[part]


@pytest.mark.slow
@SETTINGS
@given(case=cases())
def test_every_table_has_vectors_or_one_clear_line(case):
    with warnings.catch_warnings():
        for category, message in EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", message, category)
        check(case)


def check(case):
    X, y, sample_weight, X_new, parameters = case
    before = copy.deepcopy((X, y, sample_weight, X_new))
    encoder = EmbeddingEncoder(**parameters)
    encoded = attempt(encoder.fit_transform, X, y, sample_weight)
    if encoded is None:
        assert not hasattr(encoder, "embeddings_")
    else:
        assert_announced(encoder, encoded, X)
        assert_announced(encoder, encoder.transform(X), X)
        assert np.isfinite(encoder.loss_curve_).all()
        assert_encodes_alike(encoder, X_new)
        other = EmbeddingEncoder(**parameters).fit(X, y, sample_weight)
        np.testing.assert_array_equal(other.transform(X), encoder.transform(X))
    for now, then in zip((X, y, sample_weight, X_new), before, strict=True):
        assert_unchanged(now, then)


def assert_encodes_alike(encoder, X):
    """Assert that copies, and the rows taken apart, give the bits of the whole."""
    expected = attempt(encoder.transform, X)
    if expected is None:
        return
    assert_announced(encoder, expected, X)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.zip"
        encoder.save(path)
        loaded = EmbeddingEncoder.load(path)
    for twin in (encoder, loaded, pickle.loads(pickle.dumps(encoder))):
        np.testing.assert_array_equal(twin.transform(X), expected)
    half = (len(X) + 1) // 2
    if not isinstance(X, list) and len(X) > 1:
        parts = [rows_of(X, slice(half)), rows_of(X, slice(half, None))]
        apart = np.vstack([encoder.transform(part) for part in parts])
        np.testing.assert_array_equal(apart, expected)
