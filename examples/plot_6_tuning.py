"""6. Tuning in a GridSearchCV
===========================

The defaults are meant to be enough. If you tune, tune the encoder together with the model
behind it, in one pipeline; and look at how little there is to gain before you believe it.
"""

# %%
# One pipeline
# ------------
#
# In each split the encoder learns from the training part alone, and `fit_transform`
# cross-fits its rows once more.
import matplotlib.pyplot as plt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline

from sk_embed import EmbeddingEncoder
from sk_embed.datasets import make_categorical

X, y = make_categorical(
    4_000, n_categories=(300, 30), n_numeric=2, imbalance=0.8, random_state=0
)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
pipeline = Pipeline(
    [
        (
            "encoder",
            EmbeddingEncoder(
                categorical_features="from_dtype", remainder="passthrough", random_state=0
            ),
        ),
        ("model", HistGradientBoostingRegressor(max_iter=50, random_state=0)),
    ]
)

# %%
# What is worth trying
# --------------------
#
# - ``n_components``, the width: ``"auto"`` keeps the axes that two halves of the rows agree
#   on; 0 leaves the main effects, and shows what the vectors are worth at all;
# - ``cross_fit_below``: higher for noisy targets;
# - ``min_frequency``, if a great many categories have one or two rows.
#
# A parameter of the encoder is reached by the name of its step.
grid = {
    "encoder__n_components": [0, 2, "auto"],
    "encoder__cross_fit_below": [10, "auto"],
}
search = GridSearchCV(pipeline, grid, cv=3).fit(X_train, y_train)
results = pd.DataFrame(search.cv_results_)
names = {
    "param_encoder__n_components": "n_components",
    "param_encoder__cross_fit_below": "cross_fit_below",
    "mean_test_score": "R²",
    "std_test_score": "± over splits",
    "mean_fit_time": "seconds",
}
table = results[list(names)].rename(columns=names).sort_values("R²", ascending=False)
print(table.round(3).to_string(index=False))

# %%
# Main effects alone lose much; the rest differ by no more than the spread over the splits
# (bars: one standard deviation).
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for below, color, marker in [(10, "#E69F00", "s"), ("auto", "#0072B2", "o")]:
    chosen = table[table["cross_fit_below"].astype(str) == str(below)].set_index(
        "n_components"
    )
    chosen = chosen.loc[grid["encoder__n_components"]]
    ax.errorbar(
        [str(width) for width in chosen.index],
        chosen["R²"],
        chosen["± over splits"],
        color=color,
        marker=marker,
        capsize=3,
        label=f"cross_fit_below={below!r}",
    )
ax.set(xlabel="n_components", ylabel="R², cross-validated")
ax.legend()

# %%
# The best of six, and the defaults, on rows that none of them has seen. The winner of a
# grid was lucky as well as good, and may do worse than the defaults.
default = pipeline.fit(X_train, y_train).score(X_test, y_test)
print(f"tuned {search.score(X_test, y_test):.3f}, defaults {default:.3f}")
