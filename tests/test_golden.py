"""The same results as when they were last written: by ``python tests/test_golden.py``.

What changes them changes models: say so in the changelog. Three data sets that come with
scikit-learn, their numbers cut into categories, in float64: sums in another order, as of
another BLAS or numpy, stay below ``TOLERANCE`` although each step passes rounding on.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

from sk_embed import EmbeddingEncoder

GOLDEN = Path(__file__).parent / "golden" / "results.json"
WITH_CROSSES = GOLDEN.with_name("crosses.json")
# Of numbers of about 1. Measured between numpy 1.25 and 2.4: see the test.
TOLERANCE = 1e-6


def draw_diabetes():
    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    columns = ["age", "sex", "bmi", "bp"]
    return X[columns].assign(age=X["age"] // 10, bp=X["bp"] // 10), y, ["age", "sex", "bp"]


def draw_breast_cancer():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    columns = {f"c{j}": (X.iloc[:, j] // (X.iloc[:, j].std() / 3)) for j in range(3)}
    return pd.DataFrame(columns).astype(str).assign(n=X.iloc[:, 9]), y, list(columns)


def draw_digits():
    X, y = load_digits(return_X_y=True, as_frame=True)
    X = X.iloc[:700, [20, 28, 36, 43]].astype(int)
    return X.where(X > 0), np.array([f"digit {digit}" for digit in y[:700]]), list(X)


DATA = {
    "diabetes": draw_diabetes,
    "breast cancer": draw_breast_cancer,
    "digits": draw_digits,
}


def results_of(name, crosses=None):
    """Loss curve, unit, all tables in a row, and the training rows of fit_transform."""
    X, y, categorical = DATA[name]()
    encoder = EmbeddingEncoder(
        2,
        categorical_features=categorical,
        dtype=np.float64,
        max_iter=3,
        min_frequency=3,
        crosses=crosses,
        random_state=0,
    )
    encoded = encoder.fit_transform(X, y)
    return {
        "loss_curve": encoder.loss_curve_,
        "unit": [encoder.unit_],
        "reliability": np.concatenate(encoder.reliability_).tolist(),
        "tables": np.concatenate([t.ravel() for t in encoder.embeddings_]).tolist(),
        "training rows": encoded[:10].ravel().tolist(),
        "training row sums": encoded.sum(axis=1)[::5].tolist(),
    }


# scikit-learn 1.8 loads the digits in a way that numpy 2.5 warns of.
@pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")
@pytest.mark.parametrize("name", DATA)
def test_results_are_those_that_were_written(name):
    expected = json.loads(GOLDEN.read_text())[name]
    results = results_of(name)
    for key, values in expected.items():
        np.testing.assert_allclose(results[key], values, rtol=0, atol=TOLERANCE)


@pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")
@pytest.mark.parametrize("name", DATA)
def test_results_with_chosen_crosses_are_those_that_were_written(name):
    expected = json.loads(WITH_CROSSES.read_text())[name]
    results = results_of(name, "auto")
    for key, values in expected.items():
        np.testing.assert_allclose(results[key], values, rtol=0, atol=TOLERANCE)


@pytest.mark.slow
def test_other_processes_and_numbers_of_threads_give_the_same_bits():
    def run(n_threads, hash_seed):
        threads = {f"{name}_NUM_THREADS": n_threads for name in ("OMP", "OPENBLAS", "MKL")}
        environment = {**os.environ, **threads, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, __file__, "--digest"]
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout

    assert run("1", "1") == run("4", "2") == digest()


def digest():
    """A digest of the bits of one result."""
    text = json.dumps(results_of("diabetes", "auto"))
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    if "--digest" in sys.argv:
        sys.stdout.write(digest())
    else:
        for path, crosses in ((GOLDEN, None), (WITH_CROSSES, "auto")):
            results = {name: results_of(name, crosses) for name in DATA}
            rounded = {
                name: {key: np.round(v, 9).tolist() for key, v in of_name.items()}
                for name, of_name in results.items()
            }
            path.write_text(json.dumps(rounded, indent=0) + "\n")
