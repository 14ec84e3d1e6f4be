"""8. Pairs of categories: days and airports
=========================================

What a linear model cannot say is that a day was bad at *this* airport. A day has an effect,
and an airport has one; that snow fell on Newark on the eighth of February is neither. The
encoder finds such pairs of columns by itself, and learns them as columns of their own.
"""

# %%
# Flights from New York
# ---------------------
#
# The delay of 60,000 flights at their destination, by carrier, airports, date and hour, all
# of them categories.
import matplotlib.pyplot as plt
import pandas as pd
from quickstart import load_flights
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split

from sk_embed import EmbeddingEncoder

X, y = load_flights()
X = X[["carrier", "origin", "dest", "date", "hour"]].iloc[:60_000]
X_train, X_test, y_train, y_test = train_test_split(X, y[:60_000], random_state=0)

# %%
# Which pairs
# -----------
#
# ``crosses="auto"``, the default, takes the pairs whose cells tell something of rows that
# the model has not learned from, beyond what chance allows.
scores = {}
for crosses in (None, "auto"):
    encoder = EmbeddingEncoder(crosses=crosses, target_type="continuous", random_state=0)
    model = Ridge().fit(encoder.fit_transform(X_train, y_train), y_train)
    scores[f"crosses={crosses!r}"] = model.score(encoder.transform(X_test), y_test)
print(pd.Series(scores, name="R² of a linear model").round(3).to_string())

# %%
# ``crosses_`` names them, in the order in which they were taken, with the share of the
# variance of all effects that is theirs.
print(pd.DataFrame(encoder.crosses_).round(3).to_string(index=False))

# %%
# One of them
# -----------
#
# ``to_frame`` shows the table of a cross: of each pair of categories the own effect, what
# it does beyond both categories, and the total of all three. Below, a week of February: on
# the left what date and hour say each by itself, on the right the totals.
table = encoder.to_frame(("date", "hour")).reset_index()
days = [f"2/{day}" for day in range(5, 12)]
week = table[table["date"].isin(days) & table["hour"].between(6, 22)]
own, total = week["date*hour_effect"], week["date*hour_total"]
panels = {"date + hour": total - own, "date*hour": total}
figure, axes = plt.subplots(
    1, 2, figsize=(8, 3.4), sharey=True, layout="constrained", width_ratios=[1, 1]
)
largest = total.abs().max()
for ax, (title, values) in zip(axes, panels.items(), strict=True):
    grid = week.assign(value=values).pivot_table("value", "hour", "date")[days]
    image = ax.imshow(
        grid, cmap="RdBu_r", vmin=-largest, vmax=largest, aspect="auto", origin="lower"
    )
    ax.set(title=title, xlabel="date", xticks=range(len(grid.columns)))
    ax.set_xticklabels(grid.columns, rotation=45)
    ax.set(yticks=range(0, len(grid), 4), yticklabels=grid.index[::4])
axes[0].set_ylabel("hour of departure")
figure.colorbar(image, ax=axes, label="effect on the delay (standard deviations)")

# %%
# On the right the evening of February 11 is late, and its morning is not. On the left the
# day has one effect, which all its hours share. White cells have no flights.
#
# Where the test rows are days to come, such cells say nothing of them: a pair of a new day
# has no effect of its own, and its total is that of its hour. What crosses are worth there
# a split by time tells; pass its folds as ``cv``, or ``crosses=None``.
