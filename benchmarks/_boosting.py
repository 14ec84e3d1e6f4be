"""Boosted trees of four libraries behind one signature, of which trees are chosen.

Each booster is a function ``(task, features, y, trees, seed, validation) -> Grown``. With a
validation part, a pair of features and y, the trees stop once the loss there has not fallen
for `PATIENCE` trees; without one, as many trees are grown as are asked for. All have the
same learning rate and one thread, and otherwise the defaults of their libraries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from _encoders import Encoded, native
from _tables import Part
from catboost import CatBoostClassifier, CatBoostRegressor
from lightgbm import LGBMClassifier, LGBMRegressor, early_stopping
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from xgboost import XGBClassifier, XGBRegressor

MAX_TREES = 2_000
LEARNING_RATE = 0.05
PATIENCE = 50

SMALL_DEPTH = 3

Validation = tuple[Any, np.ndarray] | None


class Trees(NamedTuple):
    """How many trees, and whether of at most eight leaves or of the library's default."""

    number: int = MAX_TREES
    small: bool = False


class Grown(NamedTuple):
    """A model, the number of trees of the least loss, and that on the validation part."""

    model: Any
    n_trees: int
    loss: float = float("nan")


Booster = Callable[[str, Any, np.ndarray, Trees, int, Validation], Grown]


def best_trees(
    boost: Booster, task: str, X: Any, y: np.ndarray, seed: int, validation: Validation
) -> Trees:
    """Return the size and the number of trees of the least loss on the validation part."""
    sizes = [Trees(small=small) for small in (False, True)]
    grown = [boost(task, X, y, trees, seed, validation) for trees in sizes]
    best = int(np.argmin([of_size.loss for of_size in grown]))
    return sizes[best]._replace(number=grown[best].n_trees)


def cat_boost(
    task: str, X: Any, y: np.ndarray, trees: Trees, seed: int, validation: Validation
) -> Grown:
    """CatBoost; columns of strings are its categories."""
    model_class = CatBoostRegressor if task == "regression" else CatBoostClassifier
    model = model_class(
        iterations=trees.number,
        learning_rate=LEARNING_RATE,
        depth=SMALL_DEPTH if trees.small else None,
        random_seed=seed,
        thread_count=1,
        allow_writing_files=False,
        verbose=False,
    )
    X = pd.DataFrame(X)
    categories = [name for name in X if not pd.api.types.is_numeric_dtype(X[name])]
    if validation is None:
        return Grown(model.fit(X, y, cat_features=categories), trees.number)
    model.fit(
        X,
        y,
        cat_features=categories,
        eval_set=validation,
        early_stopping_rounds=PATIENCE,
    )
    (loss,) = model.get_best_score()["validation"].values()
    return Grown(model, model.get_best_iteration() + 1, loss)


def light_gbm(
    task: str, X: Any, y: np.ndarray, trees: Trees, seed: int, validation: Validation
) -> Grown:
    """LightGBM; columns of pandas' categories are its categories."""
    model_class = LGBMRegressor if task == "regression" else LGBMClassifier
    model = model_class(
        n_estimators=trees.number,
        learning_rate=LEARNING_RATE,
        num_leaves=2**SMALL_DEPTH if trees.small else 31,
        random_state=seed,
        n_jobs=1,
        verbosity=-1,
    )
    if validation is None:
        return Grown(model.fit(X, y), trees.number)
    stop = early_stopping(PATIENCE, verbose=False)
    X_validation, y_validation = validation
    model.fit(X, y, eval_X=X_validation, eval_y=y_validation, callbacks=[stop])
    (loss,) = model.best_score_["valid_0"].values()
    return Grown(model, model.best_iteration_, loss)


def xg_boost(
    task: str, X: Any, y: np.ndarray, trees: Trees, seed: int, validation: Validation
) -> Grown:
    """XGBoost; columns of pandas' categories are its categories."""
    model_class = XGBRegressor if task == "regression" else XGBClassifier
    model = model_class(
        n_estimators=trees.number,
        learning_rate=LEARNING_RATE,
        max_depth=SMALL_DEPTH if trees.small else None,
        random_state=seed,
        n_jobs=1,
        enable_categorical=True,
        early_stopping_rounds=None if validation is None else PATIENCE,
    )
    if validation is None:
        return Grown(model.fit(X, y), trees.number)
    model.fit(X, y, eval_set=[validation], verbose=False)
    return Grown(model, model.best_iteration + 1, model.best_score)


def hist_gradient_boosting(
    task: str, X: Any, y: np.ndarray, trees: Trees, seed: int, validation: Validation
) -> Grown:
    """HistGradientBoosting; columns of pandas' categories are its categories."""
    regression = task == "regression"
    model_class = (
        HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    )
    model = model_class(
        max_iter=trees.number,
        learning_rate=LEARNING_RATE,
        max_leaf_nodes=2**SMALL_DEPTH if trees.small else 31,
        random_state=seed,
        early_stopping=validation is not None,
        n_iter_no_change=PATIENCE,
    )
    if validation is None:
        return Grown(model.fit(X, y), trees.number)
    X_validation, y_validation = validation
    model.fit(X, y, X_val=X_validation, y_val=y_validation)
    # The first score is that of no trees.
    n_trees = max(int(np.argmax(model.validation_score_)), 1)
    return Grown(model, n_trees, -model.validation_score_[n_trees])


def strings(task: str, train: Part, test: Part, seed: int) -> Encoded:
    """Categories as strings, missing as one of them, beside numbers."""
    return tuple(
        part.categories.fillna("missing").astype(str).astype(object).join(part.numbers)
        for part in (train, test)
    )


def pandas_categories(task: str, train: Part, test: Part, seed: int) -> Encoded:
    """Pandas' categories of the training rows, others as missing, beside numbers."""
    text, text_test = (
        part.categories.fillna("missing").astype(str) for part in (train, test)
    )
    types = {name: pd.CategoricalDtype(np.unique(text[name])) for name in text}
    known = {
        name: text_test[name].where(text_test[name].isin(types[name].categories))
        for name in text
    }
    encoded_test = pd.DataFrame(known)
    return text.astype(types).join(train.numbers), encoded_test.astype(types).join(
        test.numbers
    )


def frequent_categories(task: str, train: Part, test: Part, seed: int) -> Encoded:
    """As many of the most frequent categories as HistGradientBoosting takes."""
    n_numbers = train.numbers.shape[1]
    encoded = []
    for array in native(task, train, test, seed):
        frame = pd.DataFrame(array).add_prefix("x")
        codes = dict.fromkeys(frame.columns[n_numbers:], "category")
        encoded.append(frame.astype(codes))
    return tuple(encoded)
