"""Crosses on simulated tables, of which the truth is known.

``python benchmarks/crosses.py [--tables N]`` prints four tables:

- two columns of 40 categories whose cells have independent effects, 20,000 rows: the share
  of the explainable variance of new rows that a linear model finds behind the encoder;
- tables without any pair's effect, of four kinds (effects that add up, pure noise of few
  and of many rows, effects of numbers by category), 3 to 6 columns: how many have a cross
  all the same;
- pairs of thousands of categories that are crossed by order, pure noise: what the training
  rows score more than new ones.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from sk_embed import EmbeddingEncoder

# Kinds of tables, and their least and largest numbers of rows.
KINDS = {
    "additive": (1_000, 6_000),
    "noise": (1_000, 6_000),
    "numbers by category": (1_000, 6_000),
    # Above 60,000 rows, others than those which choose a cross must confirm it.
    "noise, 65,000 rows": (65_000, 65_001),
    "noise, 130,000 rows": (130_000, 130_001),
}


def encoder(**parameters: Any) -> EmbeddingEncoder:
    """Return an encoder of numbers."""
    return EmbeddingEncoder(target_type="continuous", random_state=0, **parameters)


def print_cells() -> None:
    """Print what a linear model explains of cells."""
    print("| noise | without crosses | with |\n| --- | --- | --- |")
    for noise in (1.0, 2.0):
        rng = np.random.default_rng(0)
        X = pd.DataFrame(rng.integers(40, size=(26_000, 2)), columns=["a", "b"])
        signal = rng.normal(size=(40, 40))[X["a"], X["b"]]
        y = signal + noise * rng.normal(size=len(X))
        scores = []
        for crosses in (None, "auto"):
            fitted = encoder(crosses=crosses)
            model = Ridge().fit(fitted.fit_transform(X[:20_000], y[:20_000]), y[:20_000])
            scores.append(model.score(fitted.transform(X[20_000:]), signal[20_000:]))
        print(f"| {noise} | {scores[0]:.3f} | {scores[1]:.3f} |")


def draw_without_pairs(kind: str, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a table in which no pair of columns has an effect of its own."""
    rng = np.random.default_rng(seed)
    n_rows, n_columns = int(rng.integers(*KINDS[kind])), int(rng.integers(3, 7))
    X = pd.DataFrame(index=range(n_rows))
    y = rng.normal(size=n_rows)
    number = rng.normal(size=n_rows)
    for j in range(n_columns):
        n_categories = int(rng.choice([3, 10, 40, 200]))
        share = rng.dirichlet(np.full(n_categories, rng.choice([0.5, 5.0])))
        codes = rng.choice(n_categories, n_rows, p=share)
        X[f"c{j}"] = [f"k{code}" for code in codes]
        effects = rng.normal(size=n_categories)[codes]
        if not kind.startswith("noise"):
            y += effects * (number if kind == "numbers by category" else 1)
    return X.assign(number=number), y


def print_false_crosses(n_tables: int) -> None:
    """Print how many of ``n_tables`` of each kind without pairs' effects have a cross."""
    print("\n| kind | tables | with a cross |\n| --- | --- | --- |")
    for number, kind in enumerate(KINDS):
        n_with = 0
        for seed in range(n_tables):
            X, y = draw_without_pairs(kind, 1_000 * number + seed)
            categories = [name for name in X if name != "number"]
            fitted = encoder(n_components=0, max_iter=1, categorical_features=categories)
            n_with += bool(fitted.fit(X, y).crosses_)
        print(f"| {kind} | {n_tables} | {n_with} |")


def print_leak(n_draws: int = 5) -> None:
    """Print the score of training rows less that of new ones, with and without a cross.

    The target is noise. What is left where the encoded rows are shuffled, so that they know
    nothing of the target, is what the model itself learns by heart.
    """
    print("\n| crosses | linear | boosting | boosting, rows shuffled |")
    print("| --- | --- | --- | --- |")
    sizes = {"a": 3_000, "b": 300}
    for crosses in (None, [("a", "b")]):
        gaps = np.empty((n_draws, 3))
        for seed in range(n_draws):
            rng = np.random.default_rng(seed)
            codes = {name: rng.integers(n, size=32_000) for name, n in sizes.items()}
            X, y = pd.DataFrame(codes), rng.normal(size=32_000)
            fitted = encoder(crosses=crosses)
            train = fitted.fit_transform(X[:24_000], y[:24_000])
            parts = y[:24_000], fitted.transform(X[24_000:]), y[24_000:]
            boosting = HistGradientBoostingRegressor(random_state=0)
            gaps[seed] = (
                gap_of(Ridge(), train, *parts),
                gap_of(boosting, train, *parts),
                gap_of(boosting, rng.permutation(train), *parts),
            )
        means, errors = gaps.mean(axis=0), gaps.std(axis=0, ddof=1) / n_draws**0.5
        cells = (f"{m:.4f} ± {e:.4f}" for m, e in zip(means, errors, strict=True))
        print(f"| {crosses} | {' | '.join(cells)} |")


def gap_of(model, train, y, new, y_new) -> float:
    """Return the score of a model on training rows less that on new ones."""
    model.fit(train, y)
    return model.score(train, y) - model.score(new, y_new)


def print_rank_two(n_draws: int = 5) -> None:
    """Print what boosted trees explain of effects that vectors of width 2 hold."""
    print("\n| categories | rows | with a cross | without crosses | with, less without |")
    print("| --- | --- | --- | --- | --- |")
    for n_categories, n_rows in ((40, 5_000), (40, 20_000), (200, 20_000), (200, 60_000)):
        scores = np.empty((n_draws, 2))
        n_crossed = 0
        for seed in range(n_draws):
            rng = np.random.default_rng(seed)
            codes = rng.integers(n_categories, size=(n_rows + 10_000, 2))
            X = pd.DataFrame(codes, columns=["a", "b"])
            a, b = rng.normal(size=(2, n_categories, 2))
            signal = np.einsum("ir,ir->i", a[X["a"]], b[X["b"]]) / np.sqrt(2)
            y = signal + rng.normal(size=len(X))
            for j, crosses in enumerate((None, "auto")):
                fitted = encoder(crosses=crosses)
                train = fitted.fit_transform(X[:n_rows], y[:n_rows])
                model = HistGradientBoostingRegressor(random_state=0).fit(train, y[:n_rows])
                new = fitted.transform(X[n_rows:])
                scores[seed, j] = model.score(new, signal[n_rows:])
            n_crossed += bool(fitted.crosses_)
        gain = scores[:, 1] - scores[:, 0]
        error = gain.std(ddof=1) / n_draws**0.5
        print(
            f"| {n_categories} x 2 | {n_rows:,} | {n_crossed} of {n_draws} "
            f"| {scores[:, 0].mean():.3f} | {gain.mean():+.4f} ± {error:.4f} |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=67)
    arguments = parser.parse_args()
    print_cells()
    print_false_crosses(arguments.tables)
    print_leak()
    print_rank_two()
