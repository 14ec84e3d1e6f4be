"""10. With skrub: hand all columns over together
================================================

skrub prepares tables of mixed columns, and gives each column a transformer. An encoder that
learns all columns together must get them together.

This example needs skrub, ``pip install "skrub>=0.11"``, beside the data of
``pip install "sk-embed[examples]"``.
"""

# %%
# One column at a time
# --------------------
#
# ``TableVectorizer`` takes an encoder for columns of few categories, and one for columns of
# many. It makes a copy for each column, and each copy learns from its own column alone: a
# main effect that does not know of the others, no crosses, and no vectors, for these say
# what columns do together.
import pandas as pd
import skrub.selectors as s
from quickstart import load_flights
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from skrub import ApplyToCols, TableVectorizer

from sk_embed import EmbeddingEncoder

X, y = load_flights()
X, y = X[["carrier", "origin", "dest", "date", "hour", "distance"]][:20_000], y[:20_000]
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
alone = TableVectorizer(
    low_cardinality=EmbeddingEncoder(random_state=0),
    high_cardinality=EmbeddingEncoder(random_state=0),
)

# %%
# All categorical columns together
# --------------------------------
#
# ``ApplyToCols`` hands the columns that a selector chooses to one transformer, and passes
# the others by. The encoder learns the categorical columns together, and knows nothing of
# hours and distances.
categorical = s.string() | s.categorical()
together = ApplyToCols(EmbeddingEncoder(random_state=0), cols=categorical)

# %%
# The whole table
# ---------------
#
# Best is the whole table: let skrub do what it does with dates, numbers and types, and
# leave the categories as they are; then give all to the encoder. It takes skrub's selectors
# itself.
whole = make_pipeline(
    TableVectorizer(low_cardinality="passthrough", high_cardinality="passthrough"),
    EmbeddingEncoder(
        categorical_features=categorical, remainder="passthrough", random_state=0
    ),
)

# %%
# What it makes of the flights
# ----------------------------
rows = {}
for name, encoder in {
    "one column at a time": alone,
    "categorical columns together": together,
    "whole table": whole,
}.items():
    model = make_pipeline(encoder, HistGradientBoostingRegressor(random_state=0))
    score = model.fit(X_train, y_train).score(X_test, y_test)
    rows[name] = {
        "R² on new rows": f"{score:.3f}",
        "columns": model[:-1].transform(X_test[:1]).shape[1],
    }
print(pd.DataFrame.from_dict(rows, orient="index").to_string())

# %%
# Here the numbers make the difference: the vector of a date says how delays grow over its
# hours, and this is learned where dates meet hours. On tables whose columns do little
# together, the three are alike.
#
# The names of the output columns say what was learned.
print(whole[-1].get_feature_names_out())
