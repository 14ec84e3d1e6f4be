"""Categories whose effects interact with numbers: error behind two encoders.

``python benchmarks/interactions.py``

After the simulations of Simchoni & Rosset (MMbeddings, 2025), written from their
description: a category has ten random parameters b, each a standard normal draw, and a
row of the category ten uniform numbers x between -1 and 1. With s the sum of b * x, the
target is s (``slopes``) or s * cos(s) (``waves``), and noise of variance 1. Of the rows,
80 % are for training.

Behind the encoders stands a perceptron, which can multiply a vector by the numbers. The
goal is an error half of the way from mean encoding's to the noise. ``oracle``, for
``slopes``, is the error of the posterior mean under the true model: a ridge regression of
each category with the true variances, which nothing can beat on average.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler, TargetEncoder

from sk_embed import EmbeddingEncoder

N_NUMBERS = 10
SIZES = [(10_000, 1_000), (100_000, 10_000)]
SHAPES = {"slopes": lambda s: s, "waves": lambda s: s * np.cos(s)}


def simulate(n_rows: int, n_categories: int, shape: str, seed: int):
    """Return a table and its target."""
    rng = np.random.default_rng(seed)
    category = rng.integers(n_categories, size=n_rows)
    numbers = rng.uniform(-1, 1, (n_rows, N_NUMBERS))
    parameters = rng.normal(size=(n_categories, N_NUMBERS))
    s = (parameters[category] * numbers).sum(axis=1)
    X = pd.DataFrame(numbers).add_prefix("number_").assign(category=category.astype(str))
    return X, SHAPES[shape](s) + rng.normal(size=n_rows)


def oracle(X: pd.DataFrame, y: np.ndarray, n_train: int) -> float:
    """Return the test error of each category's own ridge regression."""
    numbers = X.filter(like="number_").to_numpy()
    predicted = np.zeros(len(y) - n_train)
    rows_of = X["category"].groupby(X["category"]).indices
    for rows in rows_of.values():
        train, test = rows[rows < n_train], rows[rows >= n_train]
        gram = numbers[train].T @ numbers[train] + np.eye(N_NUMBERS)
        slopes = np.linalg.solve(gram, numbers[train].T @ y[train])
        predicted[test - n_train] = numbers[test] @ slopes
    return float(np.mean((predicted - y[n_train:]) ** 2))


def error(encode, X: pd.DataFrame, y: np.ndarray, n_train: int) -> float:
    """Return the test error of a perceptron behind an encoder."""
    encoded = encode(X[:n_train], y[:n_train], X[n_train:])
    scale = StandardScaler().fit(encoded[0])
    # Several starts, for one is noisy; the same for all encoders.
    predictions = []
    for seed in range(3):
        model = MLPRegressor(
            hidden_layer_sizes=(64, 32), alpha=1.0, early_stopping=True, random_state=seed
        )
        model.fit(scale.transform(encoded[0]), y[:n_train])
        predictions.append(model.predict(scale.transform(encoded[1])))
    return float(np.mean((np.mean(predictions, axis=0) - y[n_train:]) ** 2))


def by_target_encoder(X, y, X_new):
    """Mean encoding, cross-fitted."""
    encoder = TargetEncoder(cv=KFold(5, shuffle=True, random_state=0))
    encoded = encoder.fit_transform(X[["category"]], y)
    numbers = [part.drop(columns="category").to_numpy() for part in (X, X_new)]
    encoded_new = encoder.transform(X_new[["category"]])
    return np.hstack([encoded, numbers[0]]), np.hstack([encoded_new, numbers[1]])


def by_embedding_encoder(X, y, X_new):
    """Ours, with its defaults; the numbers are passed through."""
    encoder = EmbeddingEncoder(
        categorical_features=["category"], remainder="passthrough", random_state=0
    )
    return encoder.fit_transform(X, y), encoder.transform(X_new)


def main() -> None:
    """Print a table of errors."""
    print("| shape | rows | categories | mean encoding | embedding | goal | oracle | s |")
    print("|" + " --- |" * 8)
    for n_rows, n_categories in SIZES:
        for shape in SHAPES:
            X, y = simulate(n_rows, n_categories, shape, seed=0)
            n_train = int(0.8 * n_rows)
            mean = error(by_target_encoder, X, y, n_train)
            start = time.perf_counter()
            ours = error(by_embedding_encoder, X, y, n_train)
            seconds = time.perf_counter() - start
            best = f"{oracle(X, y, n_train):.2f}" if shape == "slopes" else ""
            print(
                f"| {shape} | {n_rows} | {n_categories} | {mean:.2f} | {ours:.2f} "
                f"| {(mean + 1) / 2:.2f} | {best} | {seconds:.0f} |"
            )


if __name__ == "__main__":
    main()
