"""3. Why fit_transform differs from fit().transform()
====================================================

A vector that is learned from a category's rows knows these rows' targets. Encode the same
rows with it, and the next model sees a copy of what it has to predict. Here is the leak,
drawn, on a column that says nothing at all.
"""

# %%
# A column without meaning
# ------------------------
#
# 4,000 rows of 2,000 customers, two rows each on average, and a target that is noise: the
# best that a model can do is to learn nothing.
import numpy as np
import pandas as pd

from sk_embed import EmbeddingEncoder

rng = np.random.default_rng(0)
X = pd.DataFrame({"customer": rng.integers(2_000, size=8_000)})
y = rng.normal(size=8_000)
X_train, X_test, y_train, y_test = X[:4_000], X[4_000:], y[:4_000], y[4_000:]

# %%
# So as to see the leak and not its cure, the penalty ``alpha`` of main effects is fixed
# at 1, which is far too small for a column of noise: left at ``"auto"``, it is estimated
# from the data and shrinks this column to nearly zero by itself.
encoder = EmbeddingEncoder(n_components=0, alpha=1.0, random_state=0)
honest = encoder.fit_transform(X_train, y_train)
leaking = encoder.transform(X_train)  # the same encoder, the same rows

# %%
# On the left is a good feature, as it seems; but what it holds is the target itself. On the
# right the line at zero are customers whose rows are all in one fold: without it, they are
# unknown.
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
drawn = {"fit(X, y).transform(X)": leaking, "fit_transform(X, y)": honest}
for ax, (name, encoded) in zip(axes, drawn.items(), strict=True):
    r = np.corrcoef(encoded[:, 0], y_train)[0, 1]
    ax.scatter(encoded[:, 0], y_train, s=5, alpha=0.4, color="#0072B2")
    ax.set(title=f"{name}\ncorrelation {r:.2f}", xlabel="encoded training row")
axes[0].set_ylabel("target of the row")

# %%
# What the next model makes of it
# -------------------------------
#
# Behind leaking vectors it believes to have learned a lot, and does worse than nothing on
# new rows. A :class:`~sklearn.pipeline.Pipeline` calls ``fit_transform`` on the training
# rows, so that it is right by itself.
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge

rows = []
for model in (Ridge(), RandomForestRegressor(50, min_samples_leaf=20, random_state=0)):
    for name, encoded in drawn.items():
        fitted = model.fit(encoded, y_train)
        rows.append(
            {
                "model": type(model).__name__,
                "training rows by": name,
                "R² train": fitted.score(encoded, y_train),
                "R² test": fitted.score(encoder.transform(X_test), y_test),
            }
        )
print(pd.DataFrame(rows).round(3).to_string(index=False))

# %%
# Frequent categories need no fold
# --------------------------------
#
# The vector of a category with hundreds of rows hardly knows any one of them. Its rows get
# the full vector, so that the category has one place and not five
# (``cross_fit_below`` says from how many rows on; ``"auto"`` estimates it from the noise).
frequent = pd.DataFrame({"shop": rng.integers(5, size=4_000)})
target = frequent["shop"] + rng.normal(size=4_000)
encoder = EmbeddingEncoder(cross_fit_below=30, n_components=0, random_state=0)
encoded = encoder.fit_transform(frequent, target)
print("places of five shops:", len(np.unique(encoded)))
print("the same as transform:", np.array_equal(encoded, encoder.transform(frequent)))
