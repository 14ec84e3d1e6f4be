"""The user guide's code on streams and other engines does what the guide says."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from sk_embed import EmbeddingEncoder

GUIDE = Path(__file__).parent.parent / "docs" / "user_guide.rst"


def code_of(label):
    """Return the blocks of Python in the section under a label."""
    section = GUIDE.read_text().split(f".. _{label}:\n")[1].split("\n.. _")[0]
    blocks = re.findall(r"code-block:: python\n\n((?:   .*\n|\n)+)", section)
    return [textwrap.dedent(block) for block in blocks]


def run(code, **names):
    """Run a block, as if typed in, and return all names that are known then."""
    names["__name__"] = "__main__"
    exec(code, names)  # noqa: S102 - our own guide
    return names


def draw(n_rows=900):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "shop": rng.choice(["north", "south", "west"], n_rows),
            "product": rng.integers(20, size=n_rows),
            "price": rng.normal(size=n_rows),
        }
    )
    y = X["product"] % 7 + X["price"] * (X["shop"] == "west") + rng.normal(size=n_rows)
    return X, y.rename("sales")


def test_files_are_learned_as_their_chunks_are(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    X, y = draw()
    (tmp_path / "folder_of_parquet_files").mkdir()
    monkeypatch.chdir(tmp_path)
    chunks = [(X[:500], y[:500]), (X[500:], y[500:])]
    for number, (rows, target) in enumerate(chunks):
        path = f"folder_of_parquet_files/{number}.parquet"
        rows.assign(sales=target).to_parquet(path, index=False)
    [code] = code_of("chunk-by-chunk")
    encoder = run(code)["encoder"]
    expected = EmbeddingEncoder(**encoder.get_params()).fit_chunks(chunks)
    assert encoder.n_iter_ == 4
    assert_array_equal(encoder.transform(X), expected.transform(X))
