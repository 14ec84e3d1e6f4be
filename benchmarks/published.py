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
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _boosting import Trees, hist_gradient_boosting
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


class FoldOfTable:
    """Training and test part of a fold, encoded once for all models.

    Parameters
    ----------
    encoder : str
        Name of the encoder.
    train, test : Part
        Rows of the other folds, and of this one.
    seed : int
        Seed of encoders and models.
    """

    def __init__(self, encoder: str, train: Part, test: Part, seed: int) -> None:
        self._encode = ENCODERS[encoder]
        self._train, self._test, self._seed = train, test, seed

    @cached_property
    def _encoded(self) -> tuple[Any, float]:
        """Both parts as the models get them, and the processor time that it took."""
        start = time.process_time()
        parts = self._encode("regression", self._train, self._test, self._seed)
        return parts, time.process_time() - start

    def measure(self, model: str) -> dict[str, Any]:
        """Return the mean squared error of a model, and processor time with encoding."""
        (X, X_test), seconds = self._encoded
        start = time.process_time()
        fitted = (
            self._with_chosen_trees(X) if model == TREES_CHOSEN else self._fit(model, X)
        )
        error = mean_squared_error(self._test.y, fitted.predict(X_test))
        seconds += time.process_time() - start
        return {"mse": error, "seconds": round(seconds, 2)}

    def _fit(self, model: str, X: Any) -> Any:
        return MODELS[model](self._seed).fit(X, self._train.y)

    def _with_chosen_trees(self, X: Any) -> Any:
        task, seed = "regression", self._seed
        inner, validation = inner_split(self._train, seed)
        X_inner, X_validation = self._encode(task, inner, validation, seed)
        evaluation = (X_validation, validation.y)
        grown = hist_gradient_boosting(task, X_inner, inner.y, Trees(), seed, evaluation)
        trees = Trees(grown.n_trees)
        return hist_gradient_boosting(task, X, self._train.y, trees, seed, None).model


def run(folder: Path, settings: argparse.Namespace, records: Records) -> None:
    """Measure what the records do not hold yet."""
    catalog = json.loads((folder / "catalog.json").read_text())
    names = settings.tables.split(",") if settings.tables else list(catalog)
    records.drop(["table"], [(name,) for name in names], settings.again.split(","))
    for name in names:
        for fold, train, test in folds(folder, catalog[name]):
            for encoder in settings.encoders.split(","):
                encoded = FoldOfTable(encoder, train, test, fold)
                for model in [*MODELS, TREES_CHOSEN]:
                    key = (name, fold, model, encoder)
                    if key not in records:
                        record = encoded.measure(model)
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
