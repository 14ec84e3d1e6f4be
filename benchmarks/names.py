"""What names of categories are worth: simulated tables, real ones, and the time it takes.

``python benchmarks/names.py`` prints two tables of simulated names:

- 2,000 categories whose effects are sums over three of sixty word stems, 5 rows each, a
  third of the categories in no row: R² of the main effects against the true ones, and the
  same with the names exchanged at random;
- in how many of 100 such tables, of 400 categories, exchanged names say anything.

``python benchmarks/names.py --data FOLDER [--tables NAME ...] [--splits N]`` compares the
tables of a folder with ``catalog.json`` without and with names, split as the catalog says
and at random, and with skrub's StringEncoder beside TargetEncoder.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_embed import EmbeddingEncoder

SCORES = {"regression": "r2", "binary": "roc_auc", "multiclass": "accuracy"}
TARGET_TYPES = {
    "regression": "continuous",
    "binary": "binary",
    "multiclass": "multiclass",
}
N_ROWS = 12_000
N_ROWS_OF_CATEGORY = 5


def draw_names(
    seed: int, n_categories: int, n_stems: int = 60
) -> tuple[np.ndarray, np.ndarray]:
    """Return names of three stems in any order, and the sums of the stems' effects."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    stems = ["".join(rng.choice(letters, rng.integers(4, 9))) for _ in range(n_stems)]
    of_stem = rng.normal(size=n_stems)
    picked = np.array([rng.permutation(n_stems)[:3] for _ in range(2 * n_categories)])
    _, first = np.unique(np.sort(picked, axis=1), axis=0, return_index=True)
    picked = picked[np.sort(first)[:n_categories]]
    names = [" ".join(stems[stem] for stem in of_name) for of_name in picked]
    return np.array(names, dtype=object), of_stem[picked].sum(axis=1)


def draw_rows(effects: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return codes and targets of the categories but for the first third."""
    rng = np.random.default_rng(seed)
    known = np.arange(len(effects) // 3, len(effects))
    codes = np.repeat(known, N_ROWS_OF_CATEGORY)
    return codes, effects[codes] + np.sqrt(3) * rng.normal(size=len(codes))


def print_simulated() -> None:
    """Print R² of the main effects of unknown and of known categories."""
    print(
        "| names | encoder | unknown categories | known ones |\n| --- | --- | --- | --- |"
    )
    given, effects = draw_names(0, 2_000)
    codes, y = draw_rows(effects, 0)
    exchanged = np.random.default_rng(0).permutation(given)
    n_unknown = len(effects) // 3
    for kind, texts in {"given": given, "exchanged": exchanged}.items():
        X, every = pd.DataFrame({"name": texts[codes]}), pd.DataFrame({"name": texts})
        for names in (False, "auto"):
            encoder = EmbeddingEncoder(names=names, n_components=0, random_state=0)
            found = encoder.fit(X, y).transform(every)[:, 0] * y.std() + y.mean()
            unknown = r2_score(effects[:n_unknown], found[:n_unknown])
            known = r2_score(effects[n_unknown:], found[n_unknown:])
            print(f"| {kind} | names={names!r} | {unknown:.3f} | {known:.3f} |")


def print_exchanged(n_tables: int) -> None:
    """Print in how many tables exchanged names say anything."""
    n_changed = 0
    for seed in range(n_tables):
        texts, effects = draw_names(seed, 400)
        codes, y = draw_rows(effects, seed)
        texts = np.random.default_rng(seed).permutation(texts)
        encoder = EmbeddingEncoder(n_components=0, max_iter=1, random_state=0)
        encoder.fit(pd.DataFrame({"name": texts[codes]}), y)
        new = pd.DataFrame({"name": texts[: len(texts) // 3]})
        n_changed += bool(encoder.transform(new).any())
    print(f"\nExchanged names change {n_changed} of {n_tables} tables.")


def scores_of(
    table: Any, train: Any, test: Any, seed: int
) -> Iterator[tuple[str, str, float]]:
    """Yield encoder, model and score of one split of a table."""
    from _encoders import _fit_transformed, _folds, _joined, _together, string_beside_target

    encoded = {}
    for names in (False, "auto"):
        encoder = EmbeddingEncoder(
            categorical_features=list(train.categories),
            target_type=TARGET_TYPES[table.task],
            random_state=seed,
            names=names,
            **_folds(train),
        )
        start = time.process_time()
        of_train = _fit_transformed(encoder, _together(train), train)
        yield f"names={names!r}", "seconds", time.process_time() - start
        of_test = encoder.transform(_together(test))
        encoded[f"names={names!r}"] = _joined(of_train, train), _joined(of_test, test)
    (_, without), (_, with_names) = encoded.values()
    if np.array_equal(without, with_names):
        del encoded["names='auto'"]
        yield "names='auto'", "used", 0.0
    beside = string_beside_target(table.task, train, test, seed)
    if beside is not None:
        encoded["String + Target"] = beside
    is_regression = table.task == "regression"
    boosting = (
        HistGradientBoostingRegressor if is_regression else HistGradientBoostingClassifier
    )
    linear = Ridge() if is_regression else LogisticRegression(max_iter=300)
    models = {
        "boosting": boosting(random_state=0),
        "linear": make_pipeline(StandardScaler(), linear),
    }
    scorer = get_scorer(SCORES[table.task])
    for encoder_name, (of_train, of_test) in encoded.items():
        for model_name, model in models.items():
            score = scorer(model.fit(of_train, train.y), of_test, test.y)
            yield encoder_name, model_name, score


def print_tables(folder: Path, tables: list[str] | None, n_splits: int) -> None:
    """Print scores of tables, as they come."""
    from _tables import load_tables, splits

    print("| table | split by | split | encoder | model | value |")
    print("| --- | --- | --- | --- | --- | --- |")
    for kind in ("catalog", "random"):
        for table in load_tables(folder, tables, N_ROWS, kind):
            if kind == "catalog" and table.split_by == "random":
                continue
            for number, (train, test) in enumerate(splits(table, n_splits)):
                for encoder, model, value in scores_of(table, train, test, number):
                    row = table.name, table.split_by, number, encoder, model, f"{value:.4f}"
                    print("|", " | ".join(map(str, row)), "|", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--tables", nargs="*")
    parser.add_argument("--splits", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.data is None:
        print_simulated()
        print_exchanged(100)
    else:
        print_tables(arguments.data, arguments.tables, arguments.splits)
