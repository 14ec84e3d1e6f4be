"""7. 100,000 product IDs: memory and time against one-hot
=======================================================

One-hot encoding of a column with 100,000 categories makes 100,000 columns. A sparse matrix
holds them, but few models take one; an embedding holds a category in a few numbers.
"""

# %%
# 160,000 sales
# -------------
#
# of 100,000 products, most of which are sold once or twice. Each product has a level, and
# a slope by which it answers to a discount.
import time

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder

from sk_embed import EmbeddingEncoder
from sk_embed.datasets import make_categorical

X, y = make_categorical(
    160_000,
    n_categories=[100_000],
    n_latent=1,
    n_noise=0,
    n_numeric=1,
    imbalance=0.2,
    random_state=0,
)
X = X.rename(columns={"cat_0": "product", "num_0": "discount"})
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.1, random_state=0)
counts = X_train["product"].value_counts()
print(f"{len(counts):,} products in training, {np.mean(counts <= 2):.0%} in 1 or 2 rows")

# %%
# One-hot, sparse
# ---------------
start = time.perf_counter()
one_hot = OneHotEncoder(handle_unknown="ignore").fit(X_train[["product"]])
train = one_hot.transform(X_train[["product"]])
seconds = {"OneHotEncoder": time.perf_counter() - start}
linear = make_pipeline(MaxAbsScaler(), Ridge(alpha=2.0, solver="sparse_cg"))
linear.fit(train, y_train)
scores = {
    "OneHotEncoder + Ridge": linear.score(one_hot.transform(X_test[["product"]]), y_test)
}
megabytes = {
    "one-hot, sparse": (train.data.nbytes + train.indices.nbytes + train.indptr.nbytes)
    / 1e6,
    "one-hot, dense (not made)": train.shape[0] * train.shape[1] * 8 / 1e6,
}

# %%
# Embedded
# --------
encoder = EmbeddingEncoder(
    categorical_features=["product"], remainder="passthrough", random_state=0
)
start = time.perf_counter()
train = encoder.fit_transform(X_train, y_train)
seconds["EmbeddingEncoder"] = time.perf_counter() - start
test = encoder.transform(X_test)
megabytes["embedding, the rows"] = train.nbytes / 1e6
megabytes["embedding, the table"] = encoder.embeddings_[0].nbytes / 1e6
for model in (Ridge(), HistGradientBoostingRegressor(random_state=0)):
    name = f"EmbeddingEncoder + {type(model).__name__}"
    scores[name] = model.fit(train, y_train).score(test, y_test)

# %%
# Side by side
# ------------
print(pd.Series(megabytes, name="megabytes").round(1).to_string())
print()
print(pd.Series(seconds, name="seconds of fit and transform").round(1).to_string())
print()
print(pd.Series(scores, name="R² on new rows").round(3).to_string())

# %%
# One-hot is encoded at once, learned by a linear model in little time, and, being sparse,
# takes little memory: for a linear model without interactions it is enough. Behind it no
# model that wants dense columns can stand. The embedding costs seconds, and brings what a
# product does to the effect of a discount, so far as a handful of rows can tell.
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.barh(list(megabytes), list(megabytes.values()), color="#0072B2")
ax.set(xscale="log", xlabel="megabytes (logarithmic)")
ax.invert_yaxis()
for place, size in enumerate(megabytes.values()):
    ax.annotate(f" {size:,.1f}", (size, place), va="center", fontsize="small")
ax.set_xlim(right=20 * max(megabytes.values()))
