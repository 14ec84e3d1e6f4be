"""The leak test of scikit-learn's gallery (internal cross fitting of TargetEncoder).

An informative column, an uninformative one and one that is almost unique for each row.
An encoder that leaks lets the next model trust the last: its score on the training rows
rises, its score on new rows falls. Prints the table of benchmarks/README.md.

``python benchmarks/leak.py --by-rows`` draws columns of 30, 100, 300 and 1,000 training
rows a category, one with effects and one without, beside a column of twelve frequent
categories, and prints what boosted trees find of the effects on new rows, and how far
their score on the training rows is above that on new ones, by two rules and by none.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import KBinsDiscretizer, TargetEncoder

from sk_embed import EmbeddingEncoder


def make_table(n_rows: int = 50_000) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the three columns and the target, drawn as the gallery draws them."""
    rng = np.random.RandomState(42)
    y = rng.randn(n_rows)
    noise = 0.5 * rng.randn(n_rows)
    bins = KBinsDiscretizer(
        n_bins=100, encode="ordinal", strategy="uniform", random_state=rng, subsample=None
    )
    binned = bins.fit_transform((y + noise).reshape(-1, 1)).astype(np.int64)
    informative = rng.permutation(100)[binned]
    return pd.DataFrame(
        {
            "informative": informative.ravel(),
            "shuffled": rng.permutation(informative).ravel(),
            "near_unique": rng.choice(int(0.9 * n_rows), size=n_rows),
        }
    ), y


ROWS_OF_A_CATEGORY = (30, 100, 300, 1_000)
# Standard deviation of the noise; that of the effects is about 1.
NOISE = 3.0
CROSS_FIT_BELOW = {"auto": "auto", "below 30": 30, "never": 0}


def make_columns(
    rng: np.random.Generator, n_rows: int, rows_of_a_category: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return columns with effects, without, and of twelve categories, and all effects."""
    n_categories = n_rows // rows_of_a_category
    codes = np.arange(n_rows) % n_categories
    X = pd.DataFrame({name: rng.permutation(codes) for name in ("effects", "none")})
    X["twelve"] = rng.integers(0, 12, n_rows)
    effects = rng.normal(size=n_categories)[X["effects"]]
    return X, effects + 0.5 * rng.normal(size=12)[X["twelve"]]


def by_rows(n_rows: int = 12_000, n_seeds: int = 3) -> pd.DataFrame:
    """Return a line for each number of rows, seed and rule: R² of effects, and the gap."""
    lines = []
    for rows_of_a_category in ROWS_OF_A_CATEGORY:
        for seed in range(n_seeds):
            rng = np.random.default_rng(seed)
            X, effects = make_columns(rng, 2 * n_rows, 2 * rows_of_a_category)
            y = effects + NOISE * rng.normal(size=len(X))
            for rule, below in CROSS_FIT_BELOW.items():
                encoder = EmbeddingEncoder(cross_fit_below=below, random_state=seed)
                Z = encoder.fit_transform(X[:n_rows], y[:n_rows])
                Z_new = encoder.transform(X[n_rows:])
                model = HistGradientBoostingRegressor(random_state=0).fit(Z, y[:n_rows])
                found = r2_score(effects[n_rows:], model.predict(Z_new))
                gap = model.score(Z, y[:n_rows]) - model.score(Z_new, y[n_rows:])
                lines.append((rows_of_a_category, rule, found, gap))
    return pd.DataFrame(lines, columns=["rows", "rule", "R² of effects", "gap"])


def print_by_rows() -> None:
    """Print means over seeds."""
    means = by_rows().pivot_table(["R² of effects", "gap"], "rows", "rule")
    head = ["rows a category", *(f"{value}, {rule}" for value, rule in means)]
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    for rows, *scores in means.itertuples():
        print(f"| {rows} | " + " | ".join(f"{score:.3f}" for score in scores) + " |")


def encoded(name: str, X_train, y_train, X_test) -> tuple[np.ndarray, np.ndarray]:
    """Return training and test rows, encoded."""
    if name == "TargetEncoder":
        encoder = TargetEncoder(target_type="continuous")
    else:
        encoder = EmbeddingEncoder(random_state=0)
    if name.endswith("in-sample"):
        return encoder.fit(X_train, y_train).transform(X_train), encoder.transform(X_test)
    return encoder.fit_transform(X_train, y_train), encoder.transform(X_test)


def main() -> None:
    """Print R² on training and test rows for each encoder and model."""
    if "--by-rows" in sys.argv:
        print_by_rows()
        return
    np.random.seed(0)  # noqa: NPY002 - TargetEncoder draws its folds from it
    X, y = make_table()
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    models = {
        "Ridge": Ridge(alpha=1e-6, solver="lsqr"),
        "HistGradientBoosting": HistGradientBoostingRegressor(random_state=0),
    }
    print("| encoder | model | R² train | R² test | gap |\n| --- | --- | --- | --- | --- |")
    for name in ("TargetEncoder", "EmbeddingEncoder", "EmbeddingEncoder in-sample"):
        Z_train, Z_test = encoded(name, X_train, y_train, X_test)
        for model_name, model in models.items():
            fitted = clone(model).fit(Z_train, y_train)
            train, test = fitted.score(Z_train, y_train), fitted.score(Z_test, y_test)
            scores = f"{train:.3f} | {test:.3f} | {train - test:+.3f}"
            print(f"| {name} | {model_name} | {scores} |")


if __name__ == "__main__":
    main()
