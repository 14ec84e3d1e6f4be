"""fit_chunks and partial_fit against fit on the same rows; cost of a call; large files.

    python benchmarks/streams.py FOLDER     scores, for a folder of tables with a catalog
    python benchmarks/streams.py --cost     seconds of a call, by what is known before
    python benchmarks/streams.py --out-of-core FILE.parquet [--rows 20000000]
    python benchmarks/streams.py --spool    time and memory of fit_chunks and fit

Scores: half of the rows teach the encoder, a quarter the model behind it, which both
encoders have never seen, and a quarter tests. Prints the tables of benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pandas as pd
from _tables import Table, load_tables
from _timing import peak_bytes
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_embed import EmbeddingEncoder

NAMES = ["nyc_flights", "hotel_bookings", "grocery_prices"]
N_CHUNKS = 20


def models(task: str) -> tuple[str, dict[str, object]]:
    """Return the name of the score, and the models behind the encoder."""
    if task == "regression":
        boosting, linear = HistGradientBoostingRegressor(random_state=0), Ridge()
    else:
        boosting = HistGradientBoostingClassifier(random_state=0)
        linear = LogisticRegression(max_iter=1_000)
    score = {"regression": "r2", "binary": "roc_auc"}.get(task, "accuracy")
    return score, {"boosting": boosting, "linear": make_pipeline(StandardScaler(), linear)}


def scores(table: Table, parts: list[pd.DataFrame], ys: list[np.ndarray], encoder) -> list:
    """Return each model's score on the last part, trained on the part before."""
    numbers = list(table.numbers.columns)
    encoded = [
        np.hstack([encoder.transform(part), part[numbers].fillna(0)]) for part in parts
    ]
    name, behind = models(table.task)
    scorer = get_scorer(name)
    return [scorer(m.fit(encoded[0], ys[0]), encoded[1], ys[1]) for m in behind.values()]


def compare(table: Table, seed: int) -> list[tuple[str, list, float]]:
    """Return scores and seconds of fit, of fit_chunks and of partial_fit."""
    X = pd.concat([table.categories, table.numbers], axis=1)
    order = np.random.default_rng(seed).permutation(len(X))
    first, second = len(X) // 2, len(X) * 3 // 4
    rows = np.split(order, [first, second])
    (learned, *parts), (y, *ys) = [X.iloc[r] for r in rows], [table.y[r] for r in rows]
    chosen = {"categorical_features": list(table.categories), "random_state": seed}
    cuts = np.array_split(np.arange(len(y)), N_CHUNKS)
    chunks = [(learned.iloc[cut], y[cut]) for cut in cuts]
    ways = {
        "fit": lambda encoder: encoder.fit(learned, y),
        "fit_chunks": lambda encoder: encoder.fit_chunks(chunks),
        "partial_fit": lambda encoder: [encoder.partial_fit(*chunk) for chunk in chunks],
    }
    lines = []
    for name, learn in ways.items():
        encoder, start = EmbeddingEncoder(**chosen), time.process_time()
        learn(encoder)
        seconds = time.process_time() - start
        lines.append((name, scores(table, parts, ys, encoder), seconds))
    return lines


def print_scores(folder: Path, n_rows: int, n_seeds: int) -> None:
    """Print the mean scores over seeds."""
    print("| table | learned by | boosting | linear | seconds |\n|" + " --- |" * 5)
    for table in load_tables(folder, NAMES, n_rows, "random"):
        runs = [compare(table, seed) for seed in range(n_seeds)]
        for of_seeds in zip(*runs, strict=True):
            means = np.mean([line[1] for line in of_seeds], axis=0)
            seconds = np.mean([line[2] for line in of_seeds])
            cells = " | ".join(f"{mean:.4f}" for mean in means)
            print(
                f"| {table.name} | {of_seeds[0][0]} | {cells} | {seconds:.1f} |", flush=True
            )


def print_cost() -> None:
    """Print the seconds of a call of 100 rows, and of the first transform after it."""
    print(
        "| categories known | partial_fit, ms | first transform, ms |\n| --- | --- | --- |"
    )
    rng = np.random.default_rng(0)
    for n_known in (1_000, 10_000, 100_000, 1_000_000):
        encoder = EmbeddingEncoder(random_state=0)
        for ids in np.array_split(np.arange(n_known), max(n_known // 100_000, 1)):
            encoder.partial_fit(ids[:, None], rng.normal(size=len(ids)))
        seconds = []
        for _ in range(30):
            X, y = rng.integers(n_known, size=(100, 1)), rng.normal(size=100)
            start = time.perf_counter()
            encoder.partial_fit(X, y)
            seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
        encoder.transform(X)
        first = time.perf_counter() - start
        print(f"| {n_known:,} | {1e3 * np.median(seconds):.1f} | {1e3 * first:.0f} |")


def draw(
    rng: np.random.Generator, n_rows: int, truth: dict[str, np.ndarray]
) -> pd.DataFrame:
    """Draw rows of three columns of categories, two of numbers, and the target."""
    # Popular categories are few, as everywhere.
    user, item, place = (
        (len(truth[name]) * rng.random(n_rows) ** 3).astype(np.int64)
        for name in ("user", "item", "place")
    )
    x = rng.normal(size=(n_rows, 2))
    raw = truth["user"][user] + truth["item"][item] * (1 + x[:, 0]) + truth["place"][place]
    return pd.DataFrame(
        {
            "user": np.char.add("user-", user.astype("U8")),
            "item": np.char.add("item-", item.astype("U8")),
            "place": place,
            "x0": x[:, 0],
            "x1": x[:, 1],
            # Columns that are in the file, but are not read.
            **{f"note_{number}": rng.random(n_rows) for number in range(6)},
            "y": raw + x[:, 1] + rng.normal(size=n_rows),
        }
    )


def write_rows(path: Path, n_rows: int) -> None:
    """Write a Parquet file, a row group for each 100,000 rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    sizes = {"user": 200_000, "item": 20_000, "place": 300}
    truth = {name: rng.normal(size=size) for name, size in sizes.items()}
    writer = None
    for _ in range(n_rows // 100_000):
        rows = pa.Table.from_pandas(draw(rng, 100_000, truth), preserve_index=False)
        writer = writer or pq.ParquetWriter(path, rows.schema, compression="none")
        writer.write_table(rows)
    if writer is not None:
        writer.close()


class ParquetChunks:
    """The rows of a file, 100,000 at a time; prints time and memory after the last."""

    def __init__(self, path: Path, columns: list[str], target: str) -> None:
        self.path, self.columns, self.target = path, columns, target

    def __iter__(self) -> Iterator[tuple[pd.DataFrame, pd.Series]]:
        """Read the file anew."""
        import pyarrow.parquet as pq

        start, n_seen = time.process_time(), 0
        # Unless it is told not to, pyarrow keeps what it has read.
        file = pq.ParquetFile(self.path, pre_buffer=False)
        for batch in file.iter_batches(100_000, columns=[*self.columns, self.target]):
            chunk = batch.to_pandas()
            n_seen += len(chunk)
            yield chunk[self.columns], chunk[self.target]
        seconds = time.process_time() - start
        print(
            f"spooled: {n_seen:,} rows in {seconds:.0f} s, {n_seen / seconds:,.0f} rows/s, "
            f"peak {peak_bytes() / 2**20:.0f} MiB",
            flush=True,
        )


@contextmanager
def largest_size(folder: str) -> Iterator[list[int]]:
    """Look at a folder's size twice a second; the list holds the bytes seen so far."""
    is_over, sizes = threading.Event(), [0]

    def look() -> None:
        while not is_over.wait(0.5):
            # Files that are removed meanwhile have no size.
            with suppress(FileNotFoundError):
                files = Path(folder).rglob("*")
                sizes.append(sum(file.stat().st_blocks * 512 for file in files))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield sizes
    finally:
        is_over.set()
        thread.join()


def print_out_of_core(path: Path, n_rows: int) -> None:
    """Learn from the file; print time of the processor, memory, and the spool's size."""
    if not path.exists():
        write_rows(path, n_rows)
    categories, numbers = ["user", "item", "place"], ["x0", "x1"]
    print(
        f"{path.stat().st_size / 2**30:.2f} GiB of Parquet; {peak_bytes() / 2**20:.0f} MiB"
    )
    chunks = ParquetChunks(path, categories + numbers, "y")
    encoder = EmbeddingEncoder(3, categorical_features=categories, random_state=0)
    processor, wall = time.process_time(), time.perf_counter()
    with (
        tempfile.TemporaryDirectory(dir=path.parent) as folder,
        largest_size(folder) as spooled,
    ):
        encoder.fit_chunks(chunks, spool_dir=folder)
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    sizes = [len(of_column) for of_column in encoder.categories_]
    print(
        f"learned in {processor:.0f} s of the processor, {wall:.0f} s in all; spool "
        f"{max(spooled) / 2**30:.2f} GiB; peak {peak_bytes() / 2**20:.0f} MiB"
    )
    X, _ = next(iter(chunks))
    encoder.transform(X)
    print(f"loss of each pass: {np.round(encoder.loss_curve_, 4).tolist()}")
    print(f"categories {sizes}; after transform peak {peak_bytes() / 2**20:.0f} MiB")


def learn_once(way: str, n_rows: int) -> None:
    """Draw rows and learn them in one way; print time and memory."""
    rng = np.random.default_rng(0)
    sizes = {"user": 200_000, "item": 20_000, "place": 300}
    truth = {name: rng.normal(size=size) for name, size in sizes.items()}
    columns = [*sizes, "x0", "x1"]
    encoder = EmbeddingEncoder(3, categorical_features=list(sizes), random_state=0)

    def chunks() -> Iterator[tuple[pd.DataFrame, pd.Series]]:
        for _ in range(n_rows // 100_000):
            rows = draw(rng, 100_000, truth)
            yield rows[columns], rows["y"]

    if way == "fit":
        parts = list(chunks())
        X, y = (pd.concat(part, ignore_index=True) for part in zip(*parts, strict=True))
        del parts
        start = time.process_time()
        encoder.fit(X, y)
    else:
        # What it takes to draw the rows is not of learning.
        state, start = rng.bit_generator.state, time.process_time()
        for _ in chunks():
            pass
        rng.bit_generator.state, start = state, 2 * time.process_time() - start
        encoder.fit_chunks(chunks())
    seconds = time.process_time() - start
    print(
        f"| {way} | {n_rows:,} | {seconds:.1f} | {peak_bytes() / 2**20:.0f} |", flush=True
    )


def print_spool(n_rows: int) -> None:
    """Print time and memory of both ways, each in a process of its own."""
    print(
        "| learned by | rows | seconds | peak, MiB |\n| --- | --- | --- | --- |", flush=True
    )
    for way in ("fit", "fit_chunks"):
        command = [sys.executable, __file__, "--way", way, "--rows", str(n_rows)]
        subprocess.run(command, check=True)


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", help="tables with a catalog.json")
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--out-of-core", type=Path, metavar="FILE")
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--spool", action="store_true")
    parser.add_argument("--way", choices=["fit", "fit_chunks"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.folder is not None:
        n_rows = arguments.rows or 60_000
        print_scores(arguments.folder, n_rows, arguments.seeds)
    if arguments.cost:
        print_cost()
    if arguments.out_of_core is not None:
        n_rows = arguments.rows or 20_000_000
        print_out_of_core(arguments.out_of_core, n_rows)
    if arguments.spool:
        print_spool(arguments.rows or 2_000_000)
    if arguments.way is not None:
        learn_once(arguments.way, arguments.rows)


if __name__ == "__main__":
    main()
