"""The encoder for Dask: scores, speed and memory, on workers of this machine.

    python benchmarks/partitions.py FOLDER       scores beside the fit in memory
    python benchmarks/partitions.py --speed      rows per second by workers, bytes a round
    python benchmarks/partitions.py --transform  memory of workers that encode 10^7 rows
    python benchmarks/partitions.py --rules      how partitions are combined

Scores: half of the rows teach the encoder, a quarter the model behind it, and a quarter
tests. Rules: simulated tables, whose losses and scores on new rows are printed. Prints the
tables of benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import pickle
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from _tables import Table, load_tables
from distributed import Client, LocalCluster
from sklearn.ensemble import HistGradientBoostingRegressor
from streams import NAMES, scores

import sk_embed
import sk_embed.dask
from sk_embed import _dask_partitions
from sk_embed._engine.network import local_sgd as rounds

N_PARTITIONS = 8


@contextmanager
def workers(n_workers: int) -> Iterator[Client]:
    """Start worker processes of one thread each."""
    with (
        LocalCluster(
            n_workers=n_workers, threads_per_worker=1, dashboard_address=None
        ) as c,
        Client(c) as client,
    ):
        yield client


# ------------------------------------------------------------------ scores


def compare(table: Table, seed: int) -> list[tuple[str, list, float]]:
    """Return scores and seconds of the fit in memory, and of that by Dask."""
    X = pd.concat([table.categories.astype("string"), table.numbers], axis=1)
    order = np.random.default_rng(seed).permutation(len(X))
    rows = np.split(order, [len(X) // 2, len(X) * 3 // 4])
    (learned, *parts), (y, *ys) = [X.iloc[r] for r in rows], [table.y[r] for r in rows]
    chosen = {"categorical_features": list(table.categories), "random_state": seed}
    lines = []
    start = time.perf_counter()
    encoder = sk_embed.EmbeddingEncoder(**chosen).fit(learned, y)
    seconds = time.perf_counter() - start
    lines.append(("in memory", scores(table, parts, ys, encoder), seconds))
    frame = dd.from_pandas(learned.assign(_y=y).reset_index(drop=True), N_PARTITIONS)
    start = time.perf_counter()
    by_dask = sk_embed.dask.EmbeddingEncoder(**chosen)
    by_dask.fit(frame[list(X.columns)], frame["_y"])
    seconds = time.perf_counter() - start
    lines.append(("by Dask", scores(table, parts, ys, by_dask.to_memory()), seconds))
    return lines


def print_scores(folder: Path, n_seeds: int) -> None:
    """Print the mean scores over seeds."""
    print("| table | learned | boosting | linear | seconds |\n|" + " --- |" * 5)
    with workers(4):
        for table in load_tables(folder, NAMES, None, "random"):
            results = [compare(table, seed) for seed in range(n_seeds)]
            for lines in zip(*results, strict=True):
                boosting, linear = np.mean([scored for _, scored, _ in lines], axis=0)
                seconds = np.mean([seconds for _, _, seconds in lines])
                print(
                    f"| {table.name} | {lines[0][0]} | {boosting:.4f} | {linear:.4f} | "
                    f"{seconds:.0f} |",
                    flush=True,
                )


# ------------------------------------------------------------------ speed

COLUMNS = {"user": 100_000, "item": 10_000, "shop": 500}


def draw(n_rows: int, seed: int) -> pd.DataFrame:
    """Draw rows of three columns of categories and two of numbers."""
    rng = np.random.default_rng(seed)
    levels = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n_rows, 2)), columns=["a", "b"])
    y = 0.5 * rng.normal(size=n_rows)
    for name, n_categories in COLUMNS.items():
        # The smaller of two draws: half of the categories have three quarters of the rows.
        codes = rng.integers(n_categories, size=(2, n_rows)).min(axis=0)
        slope, level = levels.normal(size=(2, n_categories))
        y += 0.3 * slope[codes] * frame["a"].to_numpy() + 0.3 * level[codes]
        frame[name] = codes
    return frame.assign(y=y)


def time_fits(n_rows: int) -> None:
    """Print seconds and rows per second in memory and by 1, 2 and 4 workers."""
    names = [*COLUMNS, "a", "b"]
    chosen = {"categorical_features": list(COLUMNS), "random_state": 0}
    chosen["max_iter"] = 2
    table = draw(n_rows, 1)
    start = time.perf_counter()
    sk_embed.EmbeddingEncoder(**chosen).fit(table[names], table["y"])
    in_memory = time.perf_counter() - start
    print("| learned | seconds | rows a second | of in memory |\n|" + " --- |" * 4)
    print(f"| in memory | {in_memory:.1f} | {n_rows / in_memory:,.0f} | 1 |", flush=True)
    for n_workers in (1, 2, 4):
        with workers(n_workers):
            frame = dd.from_pandas(table, N_PARTITIONS).persist()
            start = time.perf_counter()
            encoder = sk_embed.dask.EmbeddingEncoder(**chosen)
            encoder.fit(frame[names], frame["y"])
            seconds = time.perf_counter() - start
        print(
            f"| {n_workers} worker(s) | {seconds:.1f} | {n_rows / seconds:,.0f} | "
            f"{in_memory / seconds:.2f} |",
            flush=True,
        )
    print_traffic(table, names, chosen)


def print_traffic(table: pd.DataFrame, names: list[str], chosen: dict) -> None:
    """Print how often partitions are asked, and the bytes of questions and answers."""
    asked: dict[str, list] = defaultdict(list)
    sum_over, run_task = _dask_partitions.Partitions.sum_over, _dask_partitions.run_task

    def note_result(part, task):
        result = run_task(part, task)
        sizes.append(len(pickle.dumps(result)))
        return result

    def note_task(self, function, *arguments):
        size, before, start = len(pickle.dumps(arguments)), len(sizes), time.perf_counter()
        result = sum_over(self, function, *arguments)
        seconds = time.perf_counter() - start
        asked[function.__name__].append((size, np.mean(sizes[before:]), seconds))
        return result

    sizes: list[int] = []
    frame = dd.from_pandas(table, N_PARTITIONS)
    with (
        dask.config.set(scheduler="synchronous"),
        mock.patch.object(_dask_partitions.Partitions, "sum_over", note_task),
        mock.patch.object(_dask_partitions, "run_task", note_result),
        mock.patch.object(sk_embed.dask, "_MAX_TASKS_AT_A_TIME", 1),
    ):
        sk_embed.dask.EmbeddingEncoder(**chosen).fit(frame[names], frame["y"])
    print("\n| asked | times | bytes of the question | of an answer | seconds in all |")
    print("|" + " --- |" * 5)
    for name, lines in asked.items():
        question, answered, _ = np.mean(lines, axis=0)
        cells = [name[1:], f"{len(lines)}", f"{question:,.0f}", f"{answered:,.0f}"]
        cells.append(f"{np.sum([seconds for _, _, seconds in lines]):.1f}")
        print("| " + " | ".join(cells) + " |")


# ------------------------------------------------------------------ memory


def peak_bytes() -> int:
    """Return the largest memory that this process has held."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise OSError("no VmHWM")


def measure_transform(n_rows: int) -> None:
    """Print the peak memory of two workers that encode rows as they are drawn."""
    names = [*COLUMNS, "a", "b"]
    n_partitions = n_rows // 100_000
    frame = dd.from_map(draw, [100_000] * n_partitions, range(n_partitions))
    with workers(2) as client:
        encoder = sk_embed.dask.EmbeddingEncoder(
            categorical_features=list(COLUMNS), random_state=0
        )
        learned = frame.partitions[:10]
        encoder.fit(learned[names], learned["y"])
    with workers(2) as client:
        start = time.perf_counter()
        means = encoder.transform(frame[names]).mean().compute()
        seconds = time.perf_counter() - start
        peaks = client.run(peak_bytes).values()
    print(
        f"{n_rows:,} rows into {len(means)} columns: {seconds:.0f} s, "
        f"{n_rows / seconds:,.0f} rows a second, peak memory of the workers "
        + ", ".join(f"{peak / 2**20:,.0f} MiB" for peak in peaks)
    )


# ------------------------------------------------------------------ rules

RULES: dict[str, Callable] = {
    "root of G + g": lambda before, evidence: np.sqrt(before + evidence),
    "1 + g": lambda before, evidence: 1 + evidence,
    "G + g": lambda before, evidence: before + evidence,
    "g": lambda before, evidence: evidence + 1e-12,
    "1 (the sum)": lambda before, evidence: np.ones_like(evidence),
}


def simulate(kind: str, n_rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw rows of one of three kinds of interaction."""
    rng = np.random.default_rng([seed, len(kind)])
    share = 1 / np.arange(1, 1001) ** 0.7
    a, b = rng.choice(1000, n_rows, p=share / share.sum()), rng.integers(60, size=n_rows)
    c, x = a // 20, rng.normal(size=(n_rows, 3))
    of_a, of_b, of_c = rng.normal(size=1000), rng.normal(size=60), rng.normal(size=50)
    if kind == "slopes":
        y = of_a[a] * 0.5 + of_b[b] * x[:, 0] + of_a[::-1][a] * x[:, 1]
    elif kind == "pairs":
        u, v = rng.normal(size=(1000, 2)), rng.normal(size=(60, 2))
        y = 0.5 * of_a[a] + (u[a] * v[b]).sum(axis=1)
    else:
        y = of_c[c] + 0.5 * of_a[a] + of_b[b] + of_c[::-1][c] * x[:, 0]
    frame = pd.DataFrame(
        {"a": a, "b": b, "c": c, "x0": x[:, 0], "x1": x[:, 1], "x2": x[:, 2]}
    )
    return frame, y + rng.normal(size=n_rows)


def score_rule(
    kind: str, n_rows: int, seed: int, n_partitions: int | None, is_sorted: bool
) -> list[float]:
    """Return last loss, and R2 of boosting on new rows; of memory for no partitions."""
    X, y = simulate(kind, 2 * n_rows, seed)
    parts = np.split(np.arange(2 * n_rows), [n_rows, n_rows * 3 // 2])
    if is_sorted:
        parts[0] = X["c"].iloc[:n_rows].argsort(kind="stable").to_numpy()
    (learned, *rest), (target, *ys) = parts, [y[part] for part in parts]
    chosen = {"categorical_features": ["a", "b", "c"], "random_state": seed, "max_iter": 20}
    if n_partitions is None:
        encoder = sk_embed.EmbeddingEncoder(**chosen).fit(X.iloc[learned], target)
    else:
        frame = dd.from_pandas(X.iloc[learned].assign(y=target), n_partitions)
        encoder = sk_embed.dask.EmbeddingEncoder(**chosen).fit(frame[list(X)], frame["y"])
    encoded = [np.column_stack([encoder.transform(X.iloc[r]), X.iloc[r, 3:]]) for r in rest]
    behind = HistGradientBoostingRegressor(random_state=0).fit(encoded[0], ys[0])
    return [encoder.loss_curve_[-1], behind.score(encoded[1], ys[1])]


def print_rules(n_rows: int, n_seeds: int) -> None:
    """Print losses and scores of several rules, numbers of rounds and of partitions."""
    best = "root of G + g"
    cases = [("in memory", best, 16, None, False)]
    cases += [(f"trust {rule}", rule, 16, N_PARTITIONS, False) for rule in RULES]
    cases += [(f"{n} rounds", best, n, N_PARTITIONS, False) for n in (2, 4, 8, 32)]
    cases += [(f"{n} partitions", best, 16, n, False) for n in (2, 32)]
    cases += [("rows sorted by c", best, 16, N_PARTITIONS, True)]
    kinds = ("slopes", "pairs", "nested")
    print("| learned | " + " | ".join(f"{k}: loss | R2" for k in kinds) + " |")
    print("|" + " --- |" * 7)
    for name, rule, n_rounds, n_partitions, is_sorted in cases:
        cells = []
        for kind in kinds:
            with (
                dask.config.set(scheduler="synchronous"),
                mock.patch.object(rounds, "adagrad_scale", RULES[rule]),
                mock.patch.object(sk_embed.dask, "N_ROUNDS", n_rounds),
            ):
                results = [
                    score_rule(kind, n_rows, seed, n_partitions, is_sorted)
                    for seed in range(n_seeds)
                ]
            cells += [f"{mean:.3f}" for mean in np.mean(results, axis=0)]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Read the arguments, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    for name in ("speed", "transform", "rules"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    warnings.filterwarnings("ignore", category=ResourceWarning)
    if asked.folder:
        print_scores(asked.folder, asked.seeds)
    if asked.speed:
        time_fits(asked.rows or 1_000_000)
    if asked.transform:
        measure_transform(asked.rows or 10_000_000)
    if asked.rules:
        print_rules(asked.rows or 30_000, asked.seeds)


if __name__ == "__main__":
    main()
