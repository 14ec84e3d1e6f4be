"""The leak test of scikit-learn's gallery (internal cross fitting of TargetEncoder).

An informative column, an uninformative one and one that is almost unique for each row.
An encoder that leaks lets the next model trust the last: its score on the training rows
rises, its score on new rows falls. Prints the table of benchmarks/README.md.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
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
