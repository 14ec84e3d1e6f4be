"""13. What a name says: job titles that nobody held
=================================================

A new job title is a new category, of which no row tells anything. Its name does: whoever
has met senior plumbers and junior electricians can guess what a junior plumber earns. The
encoder learns from the categories that it knows what the letters of a name say, and
encodes the others by it.
"""

# %%
# Titles and wages
# ----------------
#
# Simulated employees of 480 titles: a rank, a trade and a grade, each of which has a part
# in the wage and in the hours of a week. A fifth of the titles is not held by anybody yet.
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sk_embed import EmbeddingEncoder
from sk_embed.inspection import nearest_categories

rng = np.random.default_rng(0)
ranks = ["Junior", "Senior", "Chief", "Assistant", "Lead", "Deputy"]
trades = ["Accountant", "Architect", "Attorney", "Baker", "Carpenter", "Cashier", "Chemist"]
trades += ["Driver", "Electrician", "Firefighter", "Gardener", "Librarian", "Mechanic"]
trades += ["Nurse", "Physician", "Plumber", "Programmer", "Surveyor", "Teacher", "Welder"]
grades = ["I", "II", "III", "IV"]
titles = np.array([" ".join(words) for words in product(ranks, trades, grades)])
parts = product(
    rng.normal(size=(6, 2)) * [0.7, 0.4],
    rng.normal(size=(20, 2)),
    np.outer(np.arange(4), [0.3, -0.1]),
)
effects = np.array([sum(of_title) for of_title in parts])  # on wage and hours
is_new = rng.random(len(titles)) < 0.2
held = rng.choice(np.flatnonzero(~is_new), 1500)
X = pd.DataFrame({"title": titles[held]})
y = pd.DataFrame(effects[held] + rng.normal(size=(1500, 2)), columns=["wage", "hours"])

# %%
# New titles
# ----------
#
# Without names all new titles are at the origin. With them the encoder finds by itself
# that names of this column say something, and how much.
new = pd.DataFrame({"title": titles[is_new]})
truth = (effects[is_new] - effects[held].mean(axis=0)) / y.std().to_numpy()
for names in (False, "auto"):
    encoder = EmbeddingEncoder(names=names, n_components=0, random_state=0).fit(X, y)
    found = encoder.transform(new)
    error = np.mean((found - truth) ** 2) / np.mean(truth**2)
    print(f"names={names!r}: new titles' squared error {error:.2f} of their size")

# %%
# The titles that are nearest to one that nobody holds:
title = titles[is_new][12]
print(title)
print(nearest_categories(encoder, "title", title, 4).round(2).to_string(index=False))

# %%
# A map of both
# -------------
#
# Wage against hours: the titles that are held, grey, and those that are not. A line leads
# from each to where it would be if its effects were known.
known = encoder.to_frame("title")
figure, axis = plt.subplots(figsize=(7, 5), layout="constrained")
axis.scatter(known["title_effect_wage"], known["title_effect_hours"], s=9, c="0.75")
for start, end in zip(found, truth, strict=True):
    axis.plot(*np.transpose([start, end]), c="tab:blue", lw=0.5, alpha=0.5)
axis.scatter(*found.T, s=16, c="tab:blue")
for place in rng.choice(len(found), 9, replace=False):
    axis.annotate(new["title"][place], found[place], fontsize=8)
axis.axvline(0, c="0.9", lw=1, zorder=0)
axis.axhline(0, c="0.9", lw=1, zorder=0)
axis.set(xlabel="wage (main effect)", ylabel="hours (main effect)")
axis.set_title("Job titles: held by somebody (grey), and by nobody yet (blue)")
plt.show()
