"""Scores of models behind encoders, on a folder of tables.

``python benchmarks/quality.py FOLDER [--tables a,b] [--rows N] [--splits N] [--out DIR]``

The folder holds a ``catalog.json`` that names for each table its Parquet file, task,
target and columns. All encoders see the same splits and stand before the same models,
which have their defaults. Numeric columns are imputed and standardised for all, and are
context for `EmbeddingEncoder`. Tables whose catalog entry names a ``group_column`` or a
``time_column`` are split by it (``--split random``: all at random).

Writes ``scores.csv``, one line for each table, split, encoder and model, and
``report.md``. A run that was broken off is taken up where it stopped; remove an encoder's
lines from ``scores.csv`` to measure it again, or give ``--again Embedding``.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
from _encoders import ENCODERS, Encoded
from _report import report
from _tables import Part, Table, load_tables, splits
from scipy.sparse import issparse
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

SCORERS = {"regression": "r2", "binary": "roc_auc", "multiclass": "accuracy"}
KEYS = ["table", "rows", "split_by", "split", "encoder"]


def models(encoder: str, task: str, train: Part, features: Any) -> dict[str, Any]:
    """Return the models that stand behind an encoder."""
    regression = task == "regression"
    linear = Ridge() if regression else LogisticRegression(max_iter=1000)
    if issparse(features):
        return {"linear": linear}
    boosting = (
        HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    )
    if encoder == "native":
        # Features are the numbers, then the codes.
        first = train.numbers.shape[1]
        codes = list(range(first, features.shape[1]))
        return {"boosting": boosting(random_state=0, categorical_features=codes)}
    forest = RandomForestRegressor if regression else RandomForestClassifier
    neighbors = KNeighborsRegressor if regression else KNeighborsClassifier
    return {
        "linear": make_pipeline(StandardScaler(), linear),
        "boosting": boosting(random_state=0),
        "forest": forest(random_state=0),
        "neighbors": neighbors(20),
        "neighbors, scaled": make_pipeline(StandardScaler(), neighbors(20)),
    }


def measure(encoder: str, task: str, train: Part, test: Part, seed: int):
    """Return one record for each model behind an encoder, or none if it cannot take it."""
    start = time.perf_counter()
    encoded: Encoded | None = ENCODERS[encoder](task, train, test, seed)
    seconds = time.perf_counter() - start
    if encoded is None:
        return [{"model": "none"}]
    features, features_test = encoded
    records = []
    for name, model in models(encoder, task, train, features).items():
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(features, train.y)
        score = get_scorer(SCORERS[task])(model, features_test, test.y)
        records.append(
            {
                "model": name,
                "score": score,
                "columns": features.shape[1],
                "seconds": round(seconds, 3),
                "model_seconds": round(time.perf_counter() - start, 3),
            }
        )
    return records


def run(tables: list[Table], n_splits: int, encoders: list[str], out: Path) -> pd.DataFrame:
    """Measure what ``scores.csv`` does not hold yet, and return all of it."""
    path = out / "scores.csv"
    scores = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=KEYS)
    done = set(scores[KEYS].itertuples(index=False, name=None))
    bar = tqdm(total=len(tables) * n_splits * len(encoders))
    for table in tables:
        for split, (train, test) in enumerate(splits(table, n_splits)):
            for encoder in encoders:
                key = (table.name, len(table.y), table.split_by, split, encoder)
                bar.set_description(f"{table.name} {split} {encoder}")
                if key not in done:
                    records = measure(encoder, table.task, train, test, split)
                    new = [dict(zip(KEYS, key, strict=True)) | r for r in records]
                    scores = pd.concat([scores, pd.DataFrame(new)], ignore_index=True)
                    scores.to_csv(path, index=False)
                bar.update()
    return scores


def main() -> None:
    """Measure, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tables", default=None)
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--split", choices=("catalog", "random"), default="catalog")
    parser.add_argument("--encoders", default=",".join(ENCODERS))
    parser.add_argument("--again", default=None, help="encoders to measure anew")
    parser.add_argument("--out", type=Path, default=Path("quality"))
    arguments = parser.parse_args()
    arguments.out.mkdir(exist_ok=True, parents=True)
    path = arguments.out / "scores.csv"
    if arguments.again and path.exists():
        scores = pd.read_csv(path)
        again = scores["encoder"].isin(arguments.again.split(","))
        scores[~again].to_csv(path, index=False)
    names = arguments.tables.split(",") if arguments.tables else None
    tables = load_tables(arguments.folder, names, arguments.rows, arguments.split)
    scores = run(tables, arguments.splits, arguments.encoders.split(","), arguments.out)
    text = report(scores)
    (arguments.out / "report.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
