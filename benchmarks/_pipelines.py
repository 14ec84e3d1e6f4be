"""The encoder as its users meet it: fits, look-ups, sizes, memory."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _timing import interleaved, peak_bytes, record
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.preprocessing import OneHotEncoder, TargetEncoder

from sk_embed import EmbeddingEncoder

CARDINALITIES = (10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 60_000, 100_000)
N_ROWS = 1_000_000


def draw_table(
    n_rows: int, cardinalities: tuple[int, ...], as_strings: bool
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return columns with effects on y; a few categories hold most rows."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=n_rows)
    columns = {}
    for number, n_categories in enumerate(cardinalities):
        share = np.arange(1, n_categories + 1) ** -0.7
        codes = rng.choice(n_categories, n_rows, p=share / share.sum()).astype(np.int32)
        y += 0.5 * rng.normal(size=n_categories)[codes]
        if as_strings:
            names = np.array([f"k{code}" for code in range(n_categories)], dtype=object)
            columns[f"c{number}"] = pd.Series(names[codes], dtype=object)
        else:
            columns[f"c{number}"] = pd.Series(codes)
    return pd.DataFrame(columns), y


def fits(repeats: int) -> Iterator[dict[str, Any]]:
    """Yield seconds of fit_transform beside those of the model behind and of rivals."""
    X, y = draw_table(N_ROWS, CARDINALITIES, as_strings=True)
    encoder = EmbeddingEncoder(random_state=0)
    encoded = encoder.fit_transform(X, y)
    boosting = HistGradientBoostingRegressor(random_state=0)
    seconds = interleaved(
        {
            "ours": lambda: encoder.fit_transform(X, y),
            "HistGradientBoosting.fit on our output": lambda: boosting.fit(encoded, y),
            "TargetEncoder.fit_transform": lambda: TargetEncoder(
                target_type="continuous"
            ).fit_transform(X, y),
            "OneHotEncoder.fit_transform": lambda: OneHotEncoder().fit_transform(X),
        },
        repeats,
    )
    goals = {
        "HistGradientBoosting.fit on our output": 1.0,
        "TargetEncoder.fit_transform": 8.0,
        "OneHotEncoder.fit_transform": None,
    }
    case = "fit_transform, 10^6 rows x 10 strings, s"
    for rival, goal in goals.items():
        yield record("fit", case, rival, seconds["ours"], seconds[rival], goal)


def look_ups(repeats: int) -> Iterator[dict[str, Any]]:
    """Yield milliseconds of transform on a million rows, and on a single one."""
    X, y = draw_table(N_ROWS, CARDINALITIES, as_strings=True)
    numbers, _ = draw_table(N_ROWS, CARDINALITIES, as_strings=False)
    forms = {
        "object": (X, 1 / 3),
        "str": (X.astype("str"), 1 / 3),
        "integer": (numbers, 1 / 3),
        "category": (X.astype("category"), 1 / 10),
    }
    n_learned = N_ROWS // 10
    for name, (frame, goal) in forms.items():
        learned, y_learned = frame[:n_learned], y[:n_learned]
        encoder = EmbeddingEncoder(random_state=0, max_iter=1).fit(learned, y_learned)
        rival = TargetEncoder(target_type="continuous").fit(learned, y_learned)
        one_hot = OneHotEncoder(handle_unknown="ignore").fit(learned)
        for n_rows, rows, goal_of_case in ((N_ROWS, frame, goal), (1, frame[:1], 1 / 3)):
            functions = {
                "ours": partial(encoder.transform, rows),
                "TargetEncoder.transform": partial(rival.transform, rows),
                "OneHotEncoder.transform": partial(one_hot.transform, rows),
            }
            seconds = interleaved(functions, repeats if n_rows > 1 else 5 * repeats)
            case = f"transform, {n_rows:,} x 10 of {name}, ms"
            for of_rival, goal_of_rival in (
                ("TargetEncoder.transform", goal_of_case),
                ("OneHotEncoder.transform", None),
            ):
                ours, theirs = 1e3 * seconds["ours"], 1e3 * seconds[of_rival]
                yield record("transform", case, of_rival, ours, theirs, goal_of_rival)


def growth(repeats: int) -> Iterator[dict[str, Any]]:
    """Yield microseconds per row of fit, of more rows and of more categories."""
    cardinalities = CARDINALITIES[:8]

    def of_row(n_rows: int, cardinalities: tuple[int, ...], **parameters: Any) -> float:
        X, y = draw_table(n_rows, cardinalities, as_strings=False)
        encoder = EmbeddingEncoder(random_state=0, **parameters)
        seconds = interleaved({"ours": lambda: encoder.fit(X, y)}, min(repeats, 3))
        return 1e6 * seconds["ours"] / n_rows

    few = of_row(100_000, cardinalities)
    for n_rows in (1_000_000, 10_000_000):
        case = f"fit, {n_rows:,} rows x 8 integers, µs per row"
        ours = of_row(n_rows, cardinalities)
        yield record("growth", case, "100,000 rows", ours, few, 1.2)
    # As many passes for each: where they stop is told by the signal.
    few = of_row(N_ROWS, (1_000,), max_iter=3)
    for n_categories in (10_000, 100_000, 1_000_000):
        case = f"fit, 10^6 rows of {n_categories:,} categories, µs per row"
        ours = of_row(N_ROWS, (n_categories,), max_iter=3)
        yield record("growth", case, "1,000 categories", ours, few, 1.5)


def memory(repeats: int) -> Iterator[dict[str, Any]]:
    """Yield MiB of fit beyond the table that it is given, of codes and tables as a unit."""
    for case, *arguments in (
        (
            "10^7 rows x 8 integers",
            "10000000",
            ",".join(map(str, CARDINALITIES[:8])),
            "auto",
        ),
        ("10^6 rows of 10^6 categories x 32 dims", "1000000", "1000000", "32"),
    ):
        child = [sys.executable, __file__, *arguments]
        peak, codes, tables = (
            float(number) / 2**20 for number in subprocess.check_output(child).split()
        )
        yield record(
            "memory", f"fit, {case}, MiB", "codes + tables", peak, codes + tables, 3
        )


def _memory_of_fit(n_rows: int, cardinalities: tuple[int, ...], n_components: Any) -> None:
    """Print the bytes of a fit in this process: peak, codes, tables."""
    # Each category occurs.
    rng = np.random.default_rng(0)
    columns = [
        rng.permutation(np.arange(n_rows) % n).astype(np.int32) for n in cardinalities
    ]
    X, y = pd.DataFrame(dict(enumerate(columns))), rng.normal(size=n_rows)
    del columns
    before = peak_bytes()
    encoder = EmbeddingEncoder(n_components, random_state=0).fit(X, y)
    peak = peak_bytes() - before
    n_codes = max(len(categories) for categories in encoder.categories_)
    codes = n_rows * len(cardinalities) * np.min_scalar_type(n_codes).itemsize
    width = 8 if n_components == "auto" else n_components
    print(peak, codes, 4 * (1 + width) * sum(map(len, encoder.categories_)))


def package(repeats: int) -> Iterator[dict[str, Any]]:
    """Yield import time, and the bytes of the wheel and of a pickle."""

    def imports(modules: str) -> None:
        subprocess.run([sys.executable, "-c", f"import {modules}"], check=True)

    both = {
        "ours": partial(imports, "sk_embed"),
        "theirs": partial(imports, "sklearn.preprocessing, pandas"),
    }
    seconds = interleaved(both, 2 * repeats)
    yield record(
        "package", "import, s", "sklearn.preprocessing + pandas", *seconds.values(), 1.1
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(__file__).parents[1]
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
        subprocess.run(build, cwd=root, check=True, capture_output=True)
        (wheel,) = Path(folder).glob("*.whl")
        size = wheel.stat().st_size
    yield record("package", "wheel, kB", "200 kB", size / 1e3, 200, 1)

    X, y = draw_table(100_000, CARDINALITIES, as_strings=True)
    encoder = EmbeddingEncoder(8, random_state=0, max_iter=1).fit(X, y)
    parts = sum(table.nbytes for table in encoder.embeddings_)
    parts += sum(len(pickle.dumps(categories)) for categories in encoder.categories_)
    case, rival = "pickle, kB", "tables + vocabularies"
    yield record("package", case, rival, len(pickle.dumps(encoder)) / 1e3, parts / 1e3, 1.2)


if __name__ == "__main__":
    _memory_of_fit(
        int(sys.argv[1]),
        tuple(map(int, sys.argv[2].split(","))),
        int(sys.argv[3]) if sys.argv[3].isdigit() else sys.argv[3],
    )
