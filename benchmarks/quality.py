"""Scores of linear models and boosted trees behind three encoders, on a folder of tables.

``python benchmarks/quality.py FOLDER [--tables a,b] [--rows N] [--splits N]``

The folder holds a ``catalog.json`` that names for each table its Parquet file, task,
target and columns. All encoders see the same splits (75 % for training) and stand before
the same models, with their defaults; numeric columns are imputed and standardised for
all, and are context for `EmbeddingEncoder`. Linear models get standardised features.
Scores are R², ROC AUC (binary) or accuracy (multiclass) on the test rows, mean over the
splits. Needs pyarrow.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import hstack, issparse
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder

from sk_embed import EmbeddingEncoder

TARGET_TYPES = {
    "regression": "continuous",
    "binary": "binary",
    "multiclass": "multiclass",
}
SCORERS = {"regression": "r2", "binary": "roc_auc", "multiclass": "accuracy"}


def load(folder: Path, entry: dict[str, Any], n_rows: int | None):
    """Return categorical columns, numeric columns and target."""
    table = pd.read_parquet(folder / entry["file"])
    if n_rows is not None and n_rows < len(table):
        table = table.sample(n_rows, random_state=0).reset_index(drop=True)
    y = table[entry["target"]]
    if entry.get("target_transform") == "log":
        y = np.log(y)
    categories = table[list(entry["categorical"])].astype(object)
    categories = categories.where(categories.notna(), None)
    return categories, table[entry["numeric"]], y.to_numpy()


def encode(name: str, task: str, train, test):
    """Return training and test features: the encoded columns beside the numbers."""
    (categories, numbers, y), (categories_test, numbers_test) = train, test
    if name == "EmbeddingEncoder":
        columns = list(categories)
        encoder = EmbeddingEncoder(
            categorical_features=columns,
            target_type=TARGET_TYPES[task],
            random_state=0,
        )
        encoded = encoder.fit_transform(categories.join(numbers), y)
        encoded_test = encoder.transform(categories_test.join(numbers_test))
    else:
        encoder = {
            "OneHotEncoder": OneHotEncoder(handle_unknown="ignore"),
            "TargetEncoder": TargetEncoder(target_type=TARGET_TYPES[task]),
        }[name]
        encoded = encoder.fit_transform(categories, y)
        encoded_test = encoder.transform(categories_test)
    if numbers.shape[1] == 0:
        return encoded, encoded_test
    scale = make_pipeline(SimpleImputer(), StandardScaler()).fit(numbers)
    return beside(scale.transform(numbers), encoded), beside(
        scale.transform(numbers_test), encoded_test
    )


def beside(numbers, encoded):
    """Return both as one matrix."""
    if issparse(encoded):
        return hstack([numbers, encoded]).tocsr()
    return np.hstack([numbers, encoded])


def models(task: str, features) -> dict[str, Any]:
    """Return the models that take these features."""
    linear = Ridge() if task == "regression" else LogisticRegression(max_iter=500)
    if issparse(features):
        return {"linear": linear}
    boosting = (
        HistGradientBoostingRegressor
        if task == "regression"
        else HistGradientBoostingClassifier
    )
    return {
        "linear": make_pipeline(StandardScaler(), linear),
        "boosting": boosting(random_state=0),
    }


def measure(folder: Path, entry: dict[str, Any], n_rows: int | None, n_splits: int):
    """Return one record for each encoder, model and split."""
    categories, numbers, y = load(folder, entry, n_rows)
    task = entry["task"]
    records = []
    for split in range(n_splits):
        # TargetEncoder draws its folds from the global state.
        np.random.seed(split)  # noqa: NPY002
        rows, rows_test = train_test_split(
            np.arange(len(y)), test_size=0.25, random_state=split
        )
        train = categories.iloc[rows], numbers.iloc[rows], y[rows]
        test = categories.iloc[rows_test], numbers.iloc[rows_test]
        for encoder in ("OneHotEncoder", "TargetEncoder", "EmbeddingEncoder"):
            start = time.perf_counter()
            features, features_test = encode(encoder, task, train, test)
            seconds = time.perf_counter() - start
            for name, model in models(task, features).items():
                model.fit(features, y[rows])
                score = get_scorer(SCORERS[task])(model, features_test, y[rows_test])
                records.append(
                    {
                        "table": entry["name"],
                        "model": name,
                        "encoder": encoder,
                        "score": score,
                        "seconds": seconds,
                        "columns": features.shape[1],
                    }
                )
    return records


def main() -> None:
    """Print the table of scores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tables", default=None)
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--splits", type=int, default=3)
    arguments = parser.parse_args()
    catalog = json.loads((arguments.folder / "catalog.json").read_text())["datasets"]
    wanted = arguments.tables.split(",") if arguments.tables else None
    records = []
    for entry in catalog:
        if wanted is None or entry["name"] in wanted:
            records += measure(arguments.folder, entry, arguments.rows, arguments.splits)
    scores = pd.DataFrame(records)
    for value, digits in (("score", 4), ("seconds", 1), ("columns", 0)):
        table = scores.pivot_table(value, ["table", "model"], "encoder").round(digits)
        print(f"\n{value}\n{table.to_string()}")


if __name__ == "__main__":
    main()
