"""Boosted trees with their own categories against boosted trees behind an encoder.

``python benchmarks/against_models.py FOLDER [--tables a,b] [--rivals a,b] [--out DIR]``

The folder is one of `quality.py`'s. Every rival gets the table as it is, with missing
numbers, and is tuned alike: trees of the library's default size or of eight leaves at most,
2,000 at most of a rate of 0.05, whichever size and number have the least loss on an inner
fifth of the training rows (of the groups; by time the last fifth), after which the rival is
fitted on all training rows with so many such trees. An encoder is part of its rival: it is
fitted on the inner training rows while trees are counted, then on all training rows.

Seconds are processor time of one thread for all of this and the prediction, so that other
work on the machine counts little. Writes ``models.csv``, one line for each table, split
and rival, and ``models.md``. A run that was broken off is taken up where it stopped, and
results are kept: ``--again "Embedding + LightGBM"`` measures a rival anew.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from _boosting import (
    Booster,
    best_trees,
    cat_boost,
    frequent_categories,
    hist_gradient_boosting,
    light_gbm,
    pandas_categories,
    strings,
    xg_boost,
)
from _encoders import Adapter, embedding, target
from _records import Records
from _report import report_models
from _runs import CONDITIONS, parse_arguments, run
from _tables import Part, inner_split
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score


class Rival(NamedTuple):
    """How a rival encodes a table, and the trees behind."""

    encode: Adapter
    boost: Booster


RIVALS = {
    "LightGBM": Rival(pandas_categories, light_gbm),
    "XGBoost": Rival(pandas_categories, xg_boost),
    "HistGradientBoosting": Rival(frequent_categories, hist_gradient_boosting),
    "CatBoost": Rival(strings, cat_boost),
    "Target + HistGradientBoosting": Rival(target, hist_gradient_boosting),
    "Embedding + HistGradientBoosting": Rival(embedding, hist_gradient_boosting),
    "Embedding + LightGBM": Rival(embedding, light_gbm),
    "Embedding + CatBoost": Rival(embedding, cat_boost),
}
KEYS = [*CONDITIONS, "split", "rival"]
VALUES = ["score", "seconds", "trees", "small"]


def measure(
    rival: str, task: str, train: Part, test: Part, seed: int
) -> list[dict[str, Any]]:
    """Return the score, seconds of processor time, and number of trees of a rival."""
    encode, boost = RIVALS[rival]
    if task != "regression":
        train, test = _with_numbered_classes(train, test)
    start = time.process_time()
    inner, validation = inner_split(train, seed)
    X, X_validation = encode(task, inner, validation, seed)
    evaluation = (X_validation, validation.y)
    trees = best_trees(boost, task, X, inner.y, seed, evaluation)
    X, X_test = encode(task, train, test, seed)
    model = boost(task, X, train.y, trees, seed, None).model
    score = score_of(task, model, X_test, test.y)
    seconds = round(time.process_time() - start, 2)
    of_trees = {"trees": trees.number, "small": int(trees.small)}
    return [{"score": score, "seconds": seconds, **of_trees}]


def score_of(task: str, model: Any, X: Any, y: np.ndarray) -> float:
    """Return R², the area under the ROC curve, or the accuracy of a fitted model."""
    if task == "regression":
        return r2_score(y, model.predict(X))
    probabilities = model.predict_proba(X)
    if task == "binary":
        return roc_auc_score(y, probabilities[:, 1])
    return accuracy_score(y, probabilities.argmax(axis=1))


def _with_numbered_classes(*parts: Part) -> tuple[Part, ...]:
    classes = np.unique(np.concatenate([part.y for part in parts]))
    return tuple(replace(part, y=np.searchsorted(classes, part.y)) for part in parts)


def main() -> None:
    """Measure, and write the report."""
    settings = parse_arguments(__doc__, "rivals", RIVALS)
    records = Records(settings.out / "models.csv", KEYS, VALUES)
    run(settings, records, measure, scaled=False)
    text = report_models(records.read())
    (settings.out / "models.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
