"""11. Rows that belong together: groups and time
================================================

Cross-fitting keeps a row's target out of its own vector. Where rows belong together, as the
visits of one patient or the days of one month, it must keep their targets out as well.
"""

# %%
# Groups
# ------
#
# 8,000 visits of 800 patients to 400 doctors. A patient has a level that no column tells,
# and goes to few doctors; doctors differ as well, but less. The model is for new patients.
import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, KFold
from sklearn.pipeline import make_pipeline

from sk_embed import EmbeddingEncoder

rng = np.random.default_rng(0)
patient = rng.integers(800, size=8_000)
own_doctors = rng.integers(400, size=(800, 3))
doctor = own_doctors[patient, rng.integers(3, size=8_000)]
level_of_patient = rng.normal(size=800)
level_of_doctor = 0.5 * rng.normal(size=400)
X = pd.DataFrame({"doctor": doctor, "age": rng.uniform(20, 80, size=8_000)})
noise = rng.normal(size=8_000)
y = level_of_doctor[doctor] + level_of_patient[patient] + 0.02 * X["age"] + noise

# %%
# Folds of single rows put visits of one patient into several folds. The vector of a doctor
# then holds the patient's level, learned from the patient's other visits, and the next
# model trusts it too much. ``cv=GroupKFold(5)`` keeps patients apart; ``groups`` reach it
# through the pipeline, as the parameter of a step.
train, test = next(GroupShuffleSplit(1, test_size=0.3, random_state=0).split(X, y, patient))
scores = {}
for name, cv, routed in [
    ("rows drawn at random", 5, {}),
    ("patients kept apart", GroupKFold(5), {"embeddingencoder__groups": patient[train]}),
]:
    encoder = EmbeddingEncoder(
        categorical_features=["doctor"], remainder="passthrough", cv=cv, random_state=0
    )
    model = make_pipeline(encoder, Ridge()).fit(X.iloc[train], y[train], **routed)
    weight = dict(zip(encoder.get_feature_names_out(), model[-1].coef_, strict=True))
    scores[name] = {
        "R² on new patients": r2_score(y[test], model.predict(X.iloc[test])),
        "coefficient of doctor_effect": weight["doctor_effect"],
    }
print(pd.DataFrame.from_dict(scores, orient="index").round(3).to_string())

# %%
# Doctors with hundreds of visits get their full vector in any case (``cross_fit_below``),
# for a single row weighs little in it. If such a doctor has few patients, each of them
# weighs much: then set ``cross_fit_below`` to more than the largest number of visits.
#
# Time
# ----
#
# 600 shops, each with a level that changes over the months: after a few months little of it
# is left. The model is for the months to come. Random folds compare a row with others of
# the same month, and find that shops tell much. Folds that are stretches of time, here
# ``KFold(5)`` of rows in the order of time, compare it with other months.
month = np.repeat(np.arange(20), 600)
shop = rng.integers(600, size=len(month))
level = rng.normal(size=(20, 600))
for this in range(1, 20):
    level[this] = 0.9 * level[this - 1] + 0.45 * level[this]
X = pd.DataFrame({"shop": shop, "price": rng.normal(size=len(month))})
y = level[month, shop] + rng.normal(size=len(month))
past, future = month < 16, month >= 16
scores = {}
for name, cv in [("rows drawn at random", 5), ("stretches of time", KFold(5))]:
    encoder = EmbeddingEncoder(
        categorical_features=["shop"], remainder="passthrough", cv=cv, random_state=0
    )
    model = make_pipeline(encoder, Ridge()).fit(X[past], y[past])
    weight = dict(zip(encoder.get_feature_names_out(), model[-1].coef_, strict=True))
    scores[name] = {
        "R² on later months": model.score(X[future], y[future]),
        "coefficient of shop_effect": weight["shop_effect"],
    }
print(pd.DataFrame.from_dict(scores, orient="index").round(3).to_string())

# %%
# Little of the shops can be predicted, and the second model has learned how little. Where
# levels last, both kinds of folds give about the same. A column that is itself a time, as a
# date, is best left out if all new rows have new dates: they are unknown, and get the
# origin.
#
# Validate the whole pipeline in the same way, by the same kind of splits:
from sklearn.model_selection import TimeSeriesSplit, cross_val_score

r2 = cross_val_score(model, X, y, cv=TimeSeriesSplit(4))
print(f"R² on rows that are later than the training rows: {r2.mean():.3f}")
