"""12. Serving without Python, by ONNX
===================================

Models are often served where there is no Python: in a Java service, a browser or a
database. The look-up of the encoder and the model behind it become one ONNX graph, which
onnxruntime runs. ``pip install "sk-embed[onnx]"`` brings what it takes beside the data.
"""

# %%
# A pipeline
# ----------
#
# The delay of flights, from seven columns of categories and two of numbers, which are
# passed through to the model.
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import skl2onnx
from quickstart import CATEGORICAL, load_flights
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_embed import EmbeddingEncoder
from sk_embed.onnx import initial_types

X, y = load_flights()
X, y = X[:30_000], y[:30_000]
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
encoder = EmbeddingEncoder(
    categorical_features=CATEGORICAL,
    remainder="passthrough",
    target_type="continuous",
    random_state=0,
)
pipeline = make_pipeline(encoder, StandardScaler(), Ridge()).fit(X_train, y_train)
print(f"R² on test rows: {pipeline.score(X_test, y_test):.3f}")

# %%
# Its graph
# ---------
#
# The import of ``sk_embed.onnx`` has told skl2onnx of the encoder. ``initial_types`` says
# what the inputs are: strings, integers or floats, one for each column.
graph = skl2onnx.to_onnx(pipeline, initial_types=initial_types(encoder))
folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "pipeline.onnx"
path.write_bytes(graph.SerializeToString())
print(f"{path.stat().st_size / 1e6:.1f} MB on disk, with the tables of")
print(pd.Series(map(len, encoder.categories_), CATEGORICAL, name="categories").to_string())

# %%
# A request
# ---------
#
# From here on there is neither scikit-learn nor sk-embed. A request comes as JSON; of a
# missing plane model the string is empty, and what was not in ``fit`` is unknown, as in the
# encoder: an airport that is yet to be built has no effect.
session = onnxruntime.InferenceSession(path)
request = """[
  {"carrier": "UA", "flight": 1545, "tailnum": "N14228", "model": "737-824",
   "origin": "EWR", "dest": "IAH", "date": "2/8", "hour": 17, "distance": 1400},
  {"carrier": "UA", "flight": 1545, "tailnum": "N14228", "model": "",
   "origin": "EWR", "dest": "MOON", "date": "7/4", "hour": 6, "distance": 1400}
]"""


def feeds(rows):
    """Return the inputs of a graph: a column of shape (n_rows, 1) for each name."""
    dtypes = {"tensor(string)": object, "tensor(int64)": np.int64}
    return {
        given.name: np.array(
            [[row[given.name]] for row in rows], dtype=dtypes.get(given.type, np.float64)
        )
        for given in session.get_inputs()
    }


(delays,) = session.run(None, feeds(json.loads(request)))
print("Minutes late:", delays[:, 0].round(1))

# %%
# The same numbers
# ----------------
#
# The graph gives the bits of ``transform`` in float32, in which skl2onnx also computes the
# models. On rows that neither has seen, the predictions are those of the pipeline to the
# precision of float32, at a fraction of the time of a single row.
text = X_test.select_dtypes(exclude="number").columns
rows = X_test.assign(**X_test[text].astype(object).fillna("")).to_dict("records")
(predicted,) = session.run(None, feeds(rows))
largest = np.abs(predicted[:, 0] - pipeline.predict(X_test)).max()
print(f"Largest difference in {len(rows):,} rows: {largest:.5f} minutes")


def seconds(function, *arguments, n_times=20):
    """Return the shortest of some measured times."""
    times = []
    for _ in range(n_times):
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    return min(times)


table = {}
for n_rows in (1, 1000):
    few, few_rows = feeds(rows[:n_rows]), X_test[:n_rows]
    table[f"{n_rows:,} rows"] = {
        "pipeline.predict": 1e6 * seconds(pipeline.predict, few_rows) / n_rows,
        "onnxruntime": 1e6 * seconds(session.run, None, few) / n_rows,
    }
print("Microseconds a row:")
print(pd.DataFrame(table).round(1).to_string())
folder.cleanup()
