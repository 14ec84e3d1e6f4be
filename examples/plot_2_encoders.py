"""2. One-hot, target and embedding encoders, and when each is enough
==================================================================

Four simulated tables, three encoders, two models. None of the encoders is best everywhere,
and the simplest that is good enough is the one to take.
"""

# %%
# The tables
# ----------
#
# :func:`~sk_embed.datasets.make_categorical` makes tables of which the truth is known:
#
# - *few*: three columns of eight categories whose effects add up;
# - *many*: two columns of 2,000 categories, most of them rare, whose effects add up;
# - *pairs*: effects of one column's categories depend on the other column's;
# - *slopes*: categories bend the effect of two numeric columns.
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, train_test_split
from sklearn.preprocessing import OneHotEncoder, TargetEncoder

from sk_embed import EmbeddingEncoder
from sk_embed.datasets import make_categorical

tables = {
    "few": {"n_samples": 5_000, "n_categories": (8, 8, 8), "interaction": 0},
    "many": {"n_samples": 10_000, "n_categories": (2_000, 2_000), "interaction": 0},
    "pairs": {"n_samples": 10_000, "n_categories": (40, 40), "n_numeric": 0},
    "slopes": {"n_samples": 10_000, "n_categories": (200, 20), "n_numeric": 2},
}

# %%
# The encoders
# ------------
#
# One-hot and target encoding see the categorical columns; the numeric ones go past them.
# `EmbeddingEncoder` gets the whole table, for the numbers help it to learn.


def make_encoders(categorical):
    """Return the three encoders for a table with these categorical columns."""
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=True)
    target = TargetEncoder(cv=KFold(5, shuffle=True, random_state=0))

    def beside_numbers(encoder):
        return ColumnTransformer([("x", encoder, categorical)], remainder="passthrough")

    return {
        "one-hot": beside_numbers(one_hot),
        "target": beside_numbers(target),
        "embedding": EmbeddingEncoder(
            categorical_features=categorical, remainder="passthrough", random_state=0
        ),
    }


def scores_on(X, y):
    """Return the test R² of each encoder before each model, and the columns made."""
    categorical = list(X.select_dtypes(exclude="number").columns)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    rows = {}
    for name, encoder in make_encoders(categorical).items():
        train, test = encoder.fit_transform(X_train, y_train), encoder.transform(X_test)
        row = {"columns": train.shape[1]}
        linear = RidgeCV(np.logspace(-2, 3, 6), cv=3).fit(train, y_train)
        row["ridge"] = linear.score(test, y_test)
        if train.shape[1] <= 100:  # trees take no sparse matrix
            dense = [
                part.toarray() if name == "one-hot" else part for part in (train, test)
            ]
            trees = HistGradientBoostingRegressor(random_state=0).fit(dense[0], y_train)
            row["trees"] = trees.score(dense[1], y_test)
        rows[name] = row
    return pd.DataFrame(rows).T


results = {}
for name, parameters in tables.items():
    X, y, truth = make_categorical(return_truth=True, random_state=0, **parameters)
    results[name] = scores_on(X, y)
    # No model can explain the noise.
    results[name].loc["(best possible)", ["ridge", "trees"]] = 1 - 1 / np.var(y)
table = pd.concat(results, names=["table", "encoder"])
print(table.round(3).to_string(na_rep="-"))

# %%
# The same as a picture, with a line at the best possible score; a bar is missing where
# one-hot makes too many columns for trees:
import matplotlib.pyplot as plt

colors = {"one-hot": "#999999", "target": "#E69F00", "embedding": "#0072B2"}
figure, axes = plt.subplots(1, 4, figsize=(10, 3.4), sharey=True, layout="constrained")
for ax, (name, scores) in zip(axes, results.items(), strict=True):
    drawn = scores.loc[list(colors), ["ridge", "trees"]].T
    drawn.plot.bar(ax=ax, color=list(colors.values()), rot=0, legend=False)
    ax.axhline(scores.loc["(best possible)", "ridge"], color="black", ls=":")
    ax.set(title=name, ylim=(0, 1))
axes[0].set_ylabel("R² on new rows")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)

# %%
# When each is enough
# -------------------
#
# - **Few categories whose effects add up: one-hot is enough.** It loses nothing, is learned
#   in no time, and each coefficient has a name. Before trees it is as good as any.
# - **Many categories, one column that matters, effects that add up: target encoding is
#   nearly enough.** It costs nothing to learn. Where several columns matter, as in *many*,
#   it credits each with what the others do; the main effects of an embedding, and the
#   coefficients of a one-hot ridge, are learned jointly.
# - **Effects that depend on other columns: this is what vectors are for.** One-hot columns
#   and mean targets say nothing of them: a linear model cannot make up for it, and trees
#   only by many splits. If the columns have few categories, trees on ordinal codes can.
#
# On real tables the differences are smaller than on these, and a cross-fitted
# `TargetEncoder` is hard to beat by much where nothing interacts: compare on your data.
