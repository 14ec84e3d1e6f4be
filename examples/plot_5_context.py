"""5. Numeric context: categories that bend the effect of numbers
==============================================================

In each shop the price has another effect. No number for a shop alone can say so; a vector
can, if it is learned together with the price.
"""

# %%
# A table whose slopes are known
# ------------------------------
#
# One column of 300 categories, and one number whose slope depends on the category.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import TargetEncoder

from sk_embed import EmbeddingEncoder
from sk_embed.datasets import make_categorical

X, y, truth = make_categorical(
    12_000,
    n_categories=[300],
    n_latent=1,
    n_noise=0,
    n_numeric=1,
    return_truth=True,
    random_state=0,
)
X = X.rename(columns={"cat_0": "shop", "num_0": "price"})
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

# %%
# Hand the whole table over
# -------------------------
#
# ``categorical_features`` names the categories; the price takes part in learning, and
# ``remainder="passthrough"`` hands it on to the next model. In a `ColumnTransformer` that
# gives the encoder the shop alone, the vector learns nothing of prices.
whole = EmbeddingEncoder(
    categorical_features=["shop"], remainder="passthrough", random_state=0
)
alone = ColumnTransformer(
    [("shop", EmbeddingEncoder(random_state=0), ["shop"])], remainder="passthrough"
)
target = ColumnTransformer([("shop", TargetEncoder(), ["shop"])], remainder="passthrough")
scores = {}
for name, encoder in {
    "TargetEncoder": target,
    "EmbeddingEncoder, shop alone": alone,
    "EmbeddingEncoder, whole table": whole,
}.items():
    model = make_pipeline(encoder, HistGradientBoostingRegressor(random_state=0))
    scores[name] = model.fit(X_train, y_train).score(X_test, y_test)
scores["(best possible)"] = 1 - 1 / np.var(y_test)
print(pd.Series(scores, name="R² on new rows").round(3).to_string())

# %%
# What was learned
# ----------------
#
# The table of the encoder has a main effect and one axis. Against the truth, each point a
# shop: the effect is the shop's level, the axis its slope - up to its sign and unit, which
# mean nothing, and drawn towards zero where a shop has few rows.
table = whole.to_frame("shop")
known = truth.latent["cat_0"].loc[table.index]
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, learned, name in [(axes[0], "shop_effect", "effect"), (axes[1], "shop_0", "0")]:
    r = np.corrcoef(known[name], table[learned])[0, 1]
    ax.scatter(
        known[name], table[learned], s=table["count"] / 3, alpha=0.5, color="#0072B2"
    )
    ax.set(xlabel=f"true {'level' if name == 'effect' else 'slope'}", ylabel=learned)
    ax.set_title(f"correlation {r:.2f}")

# %%
# The unit
# --------
#
# Vectors are in units of what one standard deviation of the numbers changes
# (``unit_``), so that nearest neighbours behind the encoder weigh both alike.
print(f"unit_: {whole.unit_:.2f} standard deviations of the target")
