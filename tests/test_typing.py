"""A user's script passes mypy's strict checks, and its mistakes do not."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

SCRIPT = """
import numpy as np
import pandas as pd

from sk_embed import EmbeddingEncoder, __version__
from sk_embed.datasets import make_categorical
from sk_embed.inspection import EmbeddingDisplay, nearest_categories, similarity


def encode(X: pd.DataFrame, y: "pd.Series[float]") -> "np.ndarray[tuple[int, int]]":
    encoder = EmbeddingEncoder(n_components=2, categorical_features=["a"], dtype=np.float64)
    fitted: EmbeddingEncoder = encoder.fit(X, y)
    widths: list[int] = fitted.n_components_
    names: list[str] = list(fitted.get_feature_names_out())
    tables = fitted.embeddings_
    print(__version__, widths, names, [table.shape for table in tables])
    near: pd.DataFrame = nearest_categories(fitted, "a", "b", n_neighbors=3)
    print(near, fitted.to_frame("a"))
    alike: pd.DataFrame = similarity(fitted, "a", metric="cosine")
    display: EmbeddingDisplay = EmbeddingDisplay.from_estimator(fitted, "a", max_labels=5)
    print(alike, display.labels_, make_categorical(9, n_categories=[5], random_state=0))
    fitted.save("encoder.zip")
    loaded: EmbeddingEncoder = EmbeddingEncoder.load("encoder.zip")
    print(loaded.categories_)
    encoded: np.ndarray[tuple[int, int]] = encoder.fit_transform(X, y, sample_weight=None)
    print(fitted.inverse_transform(encoded))
    return encoded
"""

MISTAKES = """
from sk_embed import EmbeddingEncoder
from sk_embed.inspection import nearest_categories

encoder = EmbeddingEncoder(warm_start="often")
EmbeddingEncoder(2, True)
EmbeddingEncoder(width=8)
nearest_categories(encoder, "a", "b", n_neighbors="all")
tables: str = encoder.embeddings_
encoder.save(5)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Share one cache, without which mypy reads numpy anew for each script."""
    return tmp_path_factory.mktemp("scripts")


def run_mypy(script, folder, monkeypatch):
    """Return what mypy says of a script, where sk_embed is found."""
    api = pytest.importorskip("mypy.api")
    path = folder / "script.py"
    path.write_text(script)
    monkeypatch.setenv("MYPYPATH", str(ROOT))
    options = ["--strict", "--ignore-missing-imports", "--follow-imports=silent"]
    files = [f"--cache-dir={folder / 'cache'}", "--config-file=", str(path)]
    return api.run([*options, *files])[0]


@pytest.mark.slow
def test_a_users_script_passes_strict_checks(folder, monkeypatch):
    assert "Success" in run_mypy(SCRIPT, folder, monkeypatch)


@pytest.mark.slow
def test_mistakes_are_found(folder, monkeypatch):
    assert "Found 6 errors" in run_mypy(MISTAKES, folder, monkeypatch)
