"""Cross-fitting where rows are many: "auto" beside ``cross_fit_below=30``.

``python benchmarks/all_rows.py FOLDER [--tables a,b] [--rows N] [--splits N]``

The rule of "auto" was chosen on thousands of rows. Here are tables with all their rows,
split as in ``quality.py``, behind which stand HistGradientBoosting with its defaults and a
random forest of 20 trees; encoder and models of both rules have the same seeds.

``--shops 1115`` in place of a folder simulates so many shops of about 180 rows: log sales
of a shop, by the day of the week, a promotion, year, month, day and state, with slopes of
each shop on most of them. Writes ``all_rows.csv`` and ``all_rows.md``.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import pandas as pd
from _encoders import TARGET_TYPES, _fit_transformed, _folds, _joined, _together
from _records import Records
from _report import all_rows_table, markdown, report_all_rows
from _runs import CONDITIONS, parse_arguments, run
from _tables import Part
from quality import SCORERS, models
from sklearn.metrics import get_scorer

from sk_embed import EmbeddingEncoder

KEYS = [*CONDITIONS, "split", "rule"]
VALUES = ["model", "score", "seconds"]
# Strings, so that a file that is read again has the same keys.
RULES = ("auto", "below 30")
N_TREES = 20
ROWS_OF_A_SHOP = 180


def measure(
    rule: str, task: str, train: Part, test: Part, seed: int
) -> list[dict[str, Any]]:
    """Return the scores behind the encoder with one rule."""
    encoder = EmbeddingEncoder(
        categorical_features=list(train.categories),
        target_type=TARGET_TYPES[task],
        cross_fit_below="auto" if rule == "auto" else 30,
        random_state=seed,
        **_folds(train),
    )
    features = _joined(_fit_transformed(encoder, _together(train), train), train)
    features_test = _joined(encoder.transform(_together(test)), test)
    behind = models("Embedding", task, train, features)
    records = []
    for name in ("boosting", "forest"):
        model = behind[name]
        if name == "forest":
            model.set_params(n_estimators=N_TREES)
        start = time.process_time()
        model.fit(features, train.y)
        score = get_scorer(SCORERS[task])(model, features_test, test.y)
        seconds = round(time.process_time() - start, 1)
        records.append({"model": name, "score": score, "seconds": seconds})
    return records


def draw_shops(n_shops: int, noise: float = 0.12) -> tuple[pd.DataFrame, np.ndarray]:
    """Return columns and log sales of simulated shops."""
    rng = np.random.default_rng(0)
    n_rows = ROWS_OF_A_SHOP * n_shops
    sizes = {"weekday": 7, "promotion": 2, "year": 3, "month": 12, "day": 31}
    sizes = {"shop": n_shops, **sizes}
    X = pd.DataFrame({name: rng.integers(0, size, n_rows) for name, size in sizes.items()})
    X["state"] = rng.integers(0, 12, n_shops)[X["shop"]]
    of_shop = rng.normal(size=(n_shops, 4))[X["shop"]]
    weekday = rng.normal(size=(7, 2))[X["weekday"]]
    phase = 2 * np.pi * X["month"].to_numpy()[:, None] / 12
    season = np.column_stack([np.sin(phase), np.cos(phase)])
    y = 0.4 * of_shop[:, 0] + 0.1 * rng.normal(size=12)[X["month"]]
    y += 0.15 * rng.normal(size=7)[X["weekday"]] + 0.05 * rng.normal(size=12)[X["state"]]
    y += 0.25 * X["promotion"] * (1 + 0.5 * of_shop[:, 1])
    y += 0.1 * (of_shop[:, 1:3] * weekday).sum(axis=1)
    y += 0.08 * (of_shop[:, 2:] * season).sum(axis=1)
    y += 0.05 * X["year"] * of_shop[:, 3] + 0.06 * np.cos(2 * np.pi * X["day"] / 31)
    return X, y.to_numpy() + noise * rng.normal(size=n_rows)


def measure_shops(n_shops: int) -> pd.DataFrame:
    """Return the scores of simulated shops, a fifth of the rows being new."""
    X, y = draw_shops(n_shops)
    whole = Part(X, pd.DataFrame(index=X.index), y)
    rows = np.random.default_rng(1).permutation(len(y))
    test, train = (whole.take(part) for part in np.split(rows, [len(y) // 5]))
    condition = {"table": "shops", "rows": len(y), "split_by": "random", "draw": 0}
    lines = [
        {**condition, "split": 0, "rule": rule, **record}
        for rule in RULES
        for record in measure(rule, "regression", train, test, 0)
    ]
    return pd.DataFrame(lines)


def main() -> None:
    """Measure, and print the table."""
    if sys.argv[1] == "--shops":
        shops = measure_shops(int(sys.argv[2]))
        print(markdown(all_rows_table(shops)))
        return
    settings = parse_arguments(__doc__, "rules", RULES)
    records = Records(settings.out / "all_rows.csv", KEYS, VALUES)
    run(settings, records, measure, scaled=True)
    text = report_all_rows(records.read())
    (settings.out / "all_rows.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
