"""4. Reading an embedding: axes, neighbours, and a map
====================================================

What an encoder has learned of the flights' destinations, from their delays alone: it was
told nothing of geography.
"""

# %%
# Learning
# --------
#
# The flights of the quickstart (the data come by ``pip install "sk-embed[examples]"``),
# less flight numbers, planes and distances: they tell the destination too, and what they
# say, its vector need not.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from quickstart import data_folder, load_flights

from sk_embed import EmbeddingEncoder
from sk_embed.inspection import (
    EmbeddingDisplay,
    LossCurveDisplay,
    nearest_categories,
    similarity,
)

X, y = load_flights()
X = X[["carrier", "origin", "dest", "date", "hour"]]
encoder = EmbeddingEncoder(
    categorical_features=["carrier", "origin", "dest", "date"], random_state=0
)
encoder.fit(X, y)
display = LossCurveDisplay.from_estimator(encoder)

# %%
# The table
# ---------
#
# A main effect, then the axes of the vector, and the rows that they were learned from.
table = encoder.to_frame("dest")
print(table.sort_values("count", ascending=False).head(8).round(3).to_string())

# %%
# Two axes
# --------
#
# The axes are turned so that the first matters most. A point is as large as its rows; a
# rare destination lies near the cross, where an unknown one would be, for there is little
# evidence that it differs.
display = EmbeddingDisplay.from_estimator(encoder, "dest")
display.figure_.set_size_inches(8, 6)

# %%
# How far the axes can be trusted is told by two halves of the data: 1 means that both
# halves placed the destinations alike, 0 that they did not agree at all.
number = X.columns.get_loc("dest")
axes = pd.DataFrame(
    {
        "share of variance": encoder.explained_variance_ratio_[number],
        "reliability": encoder.reliability_[number],
    }
)
print(axes.round(2).to_string())

# %%
# Neighbours
# ----------
#
# Two axes leave out what the others say, so ask for distances.
for city in ("MIA", "SFO"):
    print(nearest_categories(encoder, "dest", city).round(3).to_string(index=False))

# %%
# All distances at once, of the 25 most frequent destinations in the order of the first
# axis: dark is alike.
frequent = table.sort_values("count").tail(25).sort_values("dest_0").index
frame = similarity(encoder, "dest").loc[frequent, frequent]
figure, ax = plt.subplots(figsize=(7, 6), layout="constrained")
image = ax.imshow(frame, cmap="cividis_r", vmax=1)
ax.set_xticks(range(25), frequent, rotation=90, fontsize="small")
ax.set_yticks(range(25), frequent, fontsize="small")
figure.colorbar(image, label="similarity, 1 / (1 + distance)")

# %%
# A map
# -----
#
# Airports where they are, coloured by the first axis of their vectors.
airports = pd.read_csv(data_folder() / "airports.csv").set_index("faa")
mapped = table[table["count"] >= 50].join(airports[["lat", "lon"]], how="inner")
figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
points = ax.scatter(
    mapped["lon"],
    mapped["lat"],
    c=mapped["dest_0"],
    s=np.sqrt(mapped["count"]),
    cmap="cividis",
    edgecolors="black",
    linewidths=0.5,
)
figure.colorbar(points, label="dest_0")
ax.set(xlim=(-126, -66), ylim=(24, 50), xlabel="longitude", ylabel="latitude")

# %%
# Does the embedding know geography? The rank correlation of its distances with those over
# the globe:
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.metrics.pairwise import haversine_distances

for least in (50, 500):
    chosen = mapped[mapped["count"] >= least]
    learned = pdist(chosen.filter(like="dest_"))
    on_globe = haversine_distances(np.radians(chosen[["lat", "lon"]]))
    on_globe = on_globe[np.triu_indices(len(chosen), 1)]
    r = spearmanr(learned, on_globe).statistic
    print(f"{len(chosen)} destinations of {least} flights or more: {r:.2f}")

# %%
# A little: weather that delays a day's flights comes in regions. But vectors place
# destinations by how their delays behave, not by where they are; what is alike is what the
# target makes alike.
