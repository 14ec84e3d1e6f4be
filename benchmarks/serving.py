"""Time and size of encoders as ONNX graphs, beside ``transform`` and ``save``.

``python benchmarks/serving.py``

Each table has 60,000 rows. Times are processor time of one thread, the median of runs that
take turns. Every graph is checked to give the bits of ``transform``.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd

from sk_embed import EmbeddingEncoder
from sk_embed.onnx import to_onnx

N_ROWS = 60_000
N_RUNS = 15
# The two sizes of requests, and how often each is repeated in a measured run.
SIZES = {1: 20, 1_000: 3}
RNG = np.random.default_rng(0)


def texts(n_categories: int, n_columns: int = 1) -> pd.DataFrame:
    """Return columns of strings."""
    names = np.array([f"category {i:06d}" for i in range(n_categories)], dtype=object)
    codes = RNG.integers(0, n_categories, (n_columns, N_ROWS))
    return pd.DataFrame(
        {f"column{j}": names[of_column] for j, of_column in enumerate(codes)}
    )


def integers(n_categories: int, n_columns: int) -> pd.DataFrame:
    """Return columns of integers."""
    codes = RNG.integers(0, n_categories, (N_ROWS, n_columns))
    return pd.DataFrame(codes, columns=[f"column{j}" for j in range(n_columns)])


def tables() -> dict[str, pd.DataFrame]:
    """Return the tables by what they hold."""
    return {
        "1 column of 100 strings": texts(100),
        "1 column of 30,000 strings": texts(30_000),
        "10 columns of 1,000 strings": texts(1_000, 10),
        "10 columns of 1,000 integers": integers(1_000, 10),
        "10 columns of 1,000 eighths": integers(1_000, 10) / 8,
        "10 columns of 1,000 floats above 1e9": integers(1_000, 10) + 1e9,
        "2 columns of 300 strings, crossed": texts(300, 2),
    }


def microseconds(function, argument, n_times: int) -> float:
    """Return the processor time of one call."""
    start = time.process_time()
    for _ in range(n_times):
        function(argument)
    return 1e6 * (time.process_time() - start) / n_times


def measure(X: pd.DataFrame, is_crossed: bool) -> dict[str, float]:
    """Return sizes in MB, and microseconds a row."""
    crosses = [tuple(X.columns)] if is_crossed else None
    encoder = EmbeddingEncoder(
        n_components=8, crosses=crosses, names=False, max_iter=2, random_state=0
    )
    encoder.fit(X, RNG.normal(size=N_ROWS) + pd.factorize(X.iloc[:, 0])[0] % 7)
    graph = to_onnx(encoder).SerializeToString()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.zip"
        encoder.save(path)
        figures = {"MB of save": path.stat().st_size / 1e6, "MB of graph": len(graph) / 1e6}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options)
    for n_rows, n_times in SIZES.items():
        rows = X[:n_rows]
        feeds = {name: rows[[name]].to_numpy() for name in rows}
        (encoded,) = session.run(None, feeds)
        np.testing.assert_array_equal(encoded, encoder.transform(rows))
        times = [
            (
                microseconds(encoder.transform, rows, n_times),
                microseconds(lambda given: session.run(None, given), feeds, n_times),
            )
            for _ in range(N_RUNS)
        ]
        ours, graphs = np.median(times, axis=0) / n_rows
        figures[f"transform, {n_rows:,}"] = ours
        figures[f"graph, {n_rows:,}"] = graphs
    return figures


if __name__ == "__main__":
    measured = {name: measure(X, "crossed" in name) for name, X in tables().items()}
    print(pd.DataFrame(measured).T.round(2).to_string())
