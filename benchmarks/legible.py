"""Are distances between vectors what they are meant to be? Rank correlations with truth.

``python benchmarks/legible.py``

Simulated tables (:func:`sk_embed.datasets.make_categorical`), 20,000 rows, eight seeds:
distances of the learned vectors against latent ones, for categories of 50 rows and more.
Flights: distances between destinations' vectors against distances over the globe. The
encoder has its defaults, or the width that is given. Prints the tables of
benchmarks/README.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.metrics.pairwise import haversine_distances

from sk_embed import EmbeddingEncoder
from sk_embed.datasets import make_categorical

N_ROWS, N_SEEDS, MIN_COUNT = 20_000, 8, 50
TABLES = {
    "two numbers": {"n_numeric": 2},
    "two numbers, three columns": {"n_numeric": 2, "n_categories": (50, 50, 50)},
    "two numbers, noise of three times the size": {"n_numeric": 2, "noise": 3.0},
    "one latent axis": {"n_latent": 1},
    "vectors of half the size": {"interaction": 0.5},
    "as it comes": {},
    "three columns": {"n_categories": (50, 50, 50)},
    "30 categories": {"n_categories": (30, 30)},
}


def simulated(parameters: dict, n_components: int | str) -> list[float]:
    """Return the rank correlation of each informative column, over the seeds."""
    found = []
    for seed in range(N_SEEDS):
        X, y, truth = make_categorical(
            N_ROWS, return_truth=True, random_state=seed, **parameters
        )
        encoder = EmbeddingEncoder(
            n_components, categorical_features="from_dtype", random_state=0
        ).fit(X, y)
        for feature, latent in truth.latent.items():
            table = encoder.to_frame(feature)
            table = table[table["count"] >= MIN_COUNT].drop(columns="count")
            known = latent.loc[table.index]
            found.append(float(spearmanr(pdist(table), pdist(known)).statistic))
    return found


def flights() -> None:
    """Print the rank correlations of destinations' vectors with geography."""
    sys.path.append(str(Path(__file__).parent.parent / "examples"))
    from quickstart import CATEGORICAL, NUMERIC, data_folder, load_flights

    airports = pd.read_csv(data_folder() / "airports.csv").set_index("faa")
    X, y = load_flights()
    choices = {
        "all of the quickstart": (CATEGORICAL, NUMERIC),
        "carrier, origin, dest, date, hour": (
            ["carrier", "origin", "dest", "date"],
            ["hour"],
        ),
    }
    print("| columns | destinations of | rank correlation |\n| --- | --- | --- |")
    for name, (categorical, numeric) in choices.items():
        encoder = EmbeddingEncoder(categorical_features=categorical, random_state=0)
        table = encoder.fit(X[categorical + numeric], y).to_frame("dest")
        table = table.join(airports[["lat", "lon"]], how="inner")
        for least in (50, 500):
            chosen = table[table["count"] >= least]
            on_globe = haversine_distances(np.radians(chosen[["lat", "lon"]]))
            on_globe = on_globe[np.triu_indices(len(chosen), 1)]
            r = spearmanr(pdist(chosen.filter(like="dest_")), on_globe).statistic
            print(f"| {name} | {least} flights or more ({len(chosen)}) | {r:.2f} |")


def main() -> None:
    """Print both tables."""
    print("| table | width | median | least | above .9 |\n| --- | --- | --- | --- | --- |")
    for name, parameters in TABLES.items():
        for width in ("auto", parameters.get("n_latent", 2)):
            r = np.array(simulated(parameters, width))
            line = f"{np.median(r):.3f} | {r.min():.3f} | {np.mean(r > 0.9):.0%}"
            print(f"| {name} | {width} | {line} |", flush=True)
    print()
    flights()


if __name__ == "__main__":
    main()
