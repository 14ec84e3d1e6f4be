"""Errors on folds that others published, beside the errors that they published.

``python benchmarks/published.py FOLDER [--tables a,b] [--out DIR]``

The folder holds four tables of Sigrist (2023), "A comparison of machine learning methods
for data with high-cardinality categorical variables", arXiv:2307.02071, with the five test
folds of its author, and a ``catalog.json`` that names targets and columns; where it names
no numbers, all other columns are numbers, as there. Missing numbers are the medians of the
training folds. Encoders and models have their defaults, but for "trees chosen": up to
2,000 trees of a rate of 0.05, as many as have the least loss on a random fifth of the
training folds. The tree models of the publication are tuned by a grid, on such a fifth.

Writes ``published.csv``, one line for each table, fold, encoder and model, with seconds of
processor time of one thread, and ``published.md``. A run that was broken off is taken up
where it stopped; ``--again Embedding`` measures an encoder anew.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _boosting import MAX_TREES, hist_gradient_boosting
from _encoders import ENCODERS
from _records import Records
from _report import report_published
from _tables import Part, inner_split
from lightgbm import LGBMRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

MODELS: dict[str, Callable[[int], Any]] = {
    "HistGradientBoosting": lambda seed: HistGradientBoostingRegressor(random_state=seed),
    "LightGBM": lambda seed: LGBMRegressor(random_state=seed, n_jobs=1, verbosity=-1),
    "Ridge": lambda seed: make_pipeline(StandardScaler(), Ridge()),
}
TREES_CHOSEN = "HistGradientBoosting, trees chosen"
KEYS = ["table", "fold", "model", "encoder"]
# Mean squared errors over the five folds, as published.
PUBLISHED = Path(__file__).parent / "results" / "sigrist2023.csv"


def folds(folder: Path, entry: dict[str, Any]) -> Iterator[tuple[int, Part, Part]]:
    """Yield number, training part and test part of each fold of a table."""
    frame = pd.read_parquet(folder / entry["file"])
    fold = frame["fold"] if "fold" in frame else _read_folds(folder / entry["folds"])
    names = entry["categorical"]
    categories = frame[names].astype(object)
    categories = categories.where(categories.notna(), None)
    others = frame.columns.difference([*names, entry["target"], "fold"], sort=False)
    numbers = frame[entry.get("numeric", others)].to_numpy(dtype=np.float64)
    y = frame[entry["target"]].to_numpy(dtype=np.float64)
    for number in np.unique(fold):
        is_test = (fold == number).to_numpy()
        imputed = numbers
        if numbers.shape[1]:
            imputer = SimpleImputer(strategy="median").fit(numbers[~is_test])
            imputed = imputer.transform(numbers)
        whole = Part(categories, pd.DataFrame(imputed).add_prefix("number_"), y)
        train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
        yield int(number), whole.take(train), whole.take(test)


def _read_folds(path: Path) -> pd.Series:
    return pd.read_parquet(path)["fold"]


def measure(encoder: str, model: str, train: Part, test: Part, seed: int) -> dict[str, Any]:
    """Return the mean squared error on a fold, and the processor time."""
    start = time.process_time()
    if model == TREES_CHOSEN:
        predicted = _predict_by_chosen_trees(encoder, train, test, seed)
    else:
        X, X_test = ENCODERS[encoder]("regression", train, test, seed)
        predicted = MODELS[model](seed).fit(X, train.y).predict(X_test)
    error = mean_squared_error(test.y, predicted)
    return {"mse": error, "seconds": round(time.process_time() - start, 2)}


def _predict_by_chosen_trees(encoder: str, train: Part, test: Part, seed: int) -> Any:
    task, encode = "regression", ENCODERS[encoder]
    inner, validation = inner_split(train, seed)
    X, X_validation = encode(task, inner, validation, seed)
    evaluation = (X_validation, validation.y)
    _, n_trees = hist_gradient_boosting(task, X, inner.y, MAX_TREES, seed, evaluation)
    X, X_test = encode(task, train, test, seed)
    model, _ = hist_gradient_boosting(task, X, train.y, n_trees, seed, None)
    return model.predict(X_test)


def run(folder: Path, settings: argparse.Namespace, records: Records) -> None:
    """Measure what the records do not hold yet."""
    catalog = json.loads((folder / "catalog.json").read_text())
    names = settings.tables.split(",") if settings.tables else list(catalog)
    records.drop(["table"], [(name,) for name in names], settings.again.split(","))
    for name in names:
        for fold, train, test in folds(folder, catalog[name]):
            for encoder in settings.encoders.split(","):
                for model in [*MODELS, TREES_CHOSEN]:
                    key = (name, fold, model, encoder)
                    if key not in records:
                        record = measure(encoder, model, train, test, fold)
                        records.add(key, [record])
                        print(*key, record, flush=True)


def main() -> None:
    """Measure, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tables", default=None)
    parser.add_argument("--encoders", default="Target,Embedding")
    parser.add_argument("--again", default="", help="encoders to measure anew")
    parser.add_argument("--out", type=Path, default=Path("quality"))
    settings = parser.parse_args()
    records = Records(settings.out / "published.csv", KEYS, ["mse", "seconds"])
    with threadpool_limits(1):
        run(settings.folder, settings, records)
    text = report_published(records.read(), pd.read_csv(PUBLISHED))
    (settings.out / "published.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
