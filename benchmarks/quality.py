"""Scores of models behind encoders, on a folder of tables.

``python benchmarks/quality.py FOLDER [--tables a,b] [--rows N] [--splits N] [--out DIR]``

The folder holds a ``catalog.json`` that names for each table its Parquet file, task,
target and columns. All encoders see the same splits and stand before the same models,
which have their defaults. Numeric columns are imputed and standardised for all, and are
context for `EmbeddingEncoder`.

Tables whose catalog entry names a ``group_column`` or a ``time_column`` are split by it,
and every encoder that splits the training rows by folds is told the groups, as a user
would. ``--split random`` splits all tables at random, ``--split untold`` those with groups
by group without telling any encoder; ``--split catalog,random,untold`` does all in turn.
``--draw 1`` takes other rows of each table.

Writes ``encoders.csv``, one line for each table, split, encoder and model, with seconds
of processor time of one thread, and ``encoders.md``. A run that was broken off is taken up
where it stopped; ``--again Embedding`` measures an encoder anew.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

from _encoders import ENCODERS, Encoded
from _records import Records
from _report import report_encoders
from _runs import CONDITIONS, parse_arguments, run
from _tables import Part
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

SCORERS = {"regression": "r2", "binary": "roc_auc", "multiclass": "accuracy"}
KEYS = [*CONDITIONS, "split", "encoder"]
VALUES = ["model", "score", "columns", "seconds", "model_seconds"]


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


def measure(
    encoder: str, task: str, train: Part, test: Part, seed: int
) -> list[dict[str, Any]]:
    """Return one record for each model behind an encoder, or none if it cannot take it."""
    start = time.process_time()
    encoded: Encoded | None = ENCODERS[encoder](task, train, test, seed)
    seconds = time.process_time() - start
    if encoded is None:
        return [{"model": "none"}]
    features, features_test = encoded
    records = []
    for name, model in models(encoder, task, train, features).items():
        start = time.process_time()
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
                "model_seconds": round(time.process_time() - start, 3),
            }
        )
    return records


def main() -> None:
    """Measure, and write the report."""
    settings = parse_arguments(__doc__, "encoders", ENCODERS)
    records = Records(settings.out / "encoders.csv", KEYS, VALUES)
    run(settings, records, measure, scaled=True)
    text = report_encoders(records.read())
    (settings.out / "encoders.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
