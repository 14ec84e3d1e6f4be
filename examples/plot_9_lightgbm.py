"""9. Behind LightGBM: which columns matter
==========================================

A model behind the encoder sees output columns: an effect, a few axes, a cross. Its
importances are about these. How to read them for the columns of the table.

This example needs LightGBM, ``pip install lightgbm``, beside the data of
``pip install "sk-embed[examples]"``.
"""

# %%
# A pipeline
# ----------
#
# 20,000 of the quickstart's flights. The encoder learns from the whole table and passes the
# numbers on; LightGBM takes the array as it is.
import pandas as pd
from lightgbm import LGBMRegressor
from quickstart import load_flights
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from sk_embed import EmbeddingEncoder

X, y = load_flights()
X, y = X.drop(columns=["flight", "tailnum", "model"])[:20_000], y[:20_000]
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
encoder = EmbeddingEncoder(
    categorical_features=["carrier", "origin", "dest", "date"],
    remainder="passthrough",
    random_state=0,
)
booster = LGBMRegressor(verbose=-1, random_state=0)
pipeline = make_pipeline(encoder, booster)
pipeline.fit(X_train, y_train)
print(f"R² on new rows: {pipeline.score(X_test, y_test):.3f}")

# %%
# From output columns to columns of the table
# --------------------------------------------
#
# ``output_features_by_column`` says which output columns belong to which column. A cross is
# an entry of its own: what a date and a destination do together belongs to neither alone.
by_column = encoder.output_features_by_column()
for column, names in by_column.items():
    print(column, "->", names)

# %%
# What adds up over output columns can be summed. LightGBM's gain is the loss that splits on
# a column have saved, on training rows. SHAP values, which LightGBM computes itself, share
# each prediction out among its output columns; their sum over the output columns of a
# column is that column's share, and its mean size is the column's importance.
outputs = encoder.get_feature_names_out()
encoded = encoder.transform(X_test)
gain = pd.Series(booster.booster_.feature_importance("gain"), index=outputs)
shap = pd.DataFrame(booster.predict(encoded, pred_contrib=True)[:, :-1], columns=outputs)
importances = pd.DataFrame(
    {
        "gain": {str(c): gain[names].sum() for c, names in by_column.items()},
        "SHAP": {
            str(c): shap[names].sum(axis=1).abs().mean() for c, names in by_column.items()
        },
    }
)
shares = importances / importances.sum()
ax = shares.sort_values("SHAP").plot.barh(
    color=["#E69F00", "#0072B2"], figsize=(8, 4), xlabel="share of the importance"
)
ax.figure.tight_layout()

# %%
# Permute a column of the table
# -----------------------------
#
# Permutation importance needs no grouping where it permutes columns before the encoder, for
# the whole pipeline is asked anew: how much worse is it if a column's values are shuffled?
# Here a cross counts for both of its columns, since shuffling one of them breaks the pair.
from sklearn.inspection import permutation_importance

permuted = permutation_importance(
    pipeline, X_test[:2_000], y_test[:2_000], n_repeats=2, random_state=0
)
loss_of_r2 = pd.Series(permuted.importances_mean, index=X.columns)
print(loss_of_r2.sort_values(ascending=False).round(3).to_string())

# %%
# Leave a column out
# ------------------
#
# How good would a model be that never had the column? Other columns may say the same.
# Leaving the column's output out, crosses included, is quick and nearly answers this: only
# what the column taught the vectors of the other columns stays.
training = pd.DataFrame(encoder.fit_transform(X_train, y_train), columns=outputs)
testing = pd.DataFrame(encoder.transform(X_test), columns=outputs)


def score_without(column):
    """Return the R² on new rows of a model that does not see a column's output."""
    out = [
        name
        for owner, names in by_column.items()
        if owner == column or (isinstance(owner, tuple) and column in owner)
        for name in names
    ]
    model = LGBMRegressor(verbose=-1, random_state=0)
    model.fit(training.drop(columns=out), y_train)
    return model.score(testing.drop(columns=out), y_test)


for column in ("date", "hour"):
    print(f"without {column}: {score_without(column):.3f}")
