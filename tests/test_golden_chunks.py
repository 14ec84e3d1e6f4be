"""Chunks and partitions give the results that were written: by running this file.

``python tests/test_golden_chunks.py`` writes one file for each way of learning, beside that
of ``fit``; see :mod:`test_golden`.
"""

from __future__ import annotations

import json
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from test_golden import GOLDEN, TOLERANCE, draw_breast_cancer, draw_diabetes

from sk_embed import EmbeddingEncoder

N_CHUNKS = 4
# Rounds of a pass over partitions: each takes its time, and two show what all do.
N_ROUNDS = 2


def draw_numbers():
    """A continuous target, numbers as context, and missing values in both."""
    X, y, categorical = draw_diabetes()
    missing = X["bp"].where(X.index % 7 > 0), X["bmi"].where(X.index % 11 > 0)
    return X.assign(bp=missing[0], bmi=missing[1]), y, None, categorical


def draw_labels():
    """Two labels, and categories that are strings."""
    X, y, categorical = draw_breast_cancer()
    return X, y, None, categorical


def draw_outputs():
    """Two outputs, and weights, some of them zero."""
    X, y, categorical = draw_diabetes()
    outputs = pd.DataFrame({"progression": y, "bmi": X["bmi"]})
    weight = pd.Series(np.arange(len(X)) % 4 / 2, index=X.index)
    return X.drop(columns="bmi"), outputs, weight, categorical


SETS = {"numbers": draw_numbers, "labels": draw_labels, "outputs": draw_outputs}
CHANGES = {
    "numbers": {"n_components": "auto", "target_type": "continuous"},
    "labels": {"init_scale": 0.1},
    "outputs": {"target_type": "continuous"},
}


def encoder_of(name, cls=EmbeddingEncoder, **changes):
    *_, categorical = SETS[name]()
    chosen = {
        "n_components": 2,
        "categorical_features": categorical,
        "crosses": None,
        "dtype": np.float64,
        "max_iter": 2,
        "random_state": 0,
    }
    return cls(**(chosen | CHANGES[name] | changes))


def chunks_of(name):
    """The rows as tuples of X, y and weights."""
    *given, _ = SETS[name]()
    given = [values for values in given if values is not None]
    rows = np.array_split(np.arange(len(given[0])), N_CHUNKS)
    return [tuple(values.iloc[r] for values in given) for r in rows]


def state_of(encoder, encoded):
    """Loss curve, unit, reliability, all tables in a row, and sums of encoded rows."""
    return {
        "loss_curve": encoder.loss_curve_,
        "unit": [encoder.unit_],
        "reliability": np.concatenate(encoder.reliability_),
        "tables": np.concatenate([table.ravel() for table in encoder.embeddings_]),
        "row sums": np.asarray(encoded).sum(axis=1)[::5],
    }


def partial_fit_of_each(encoder, chunks):
    for X, y, *weight in chunks:
        encoder.partial_fit(X, y, None, *weight)
    return state_of(encoder, encoder.transform(chunks[0][0]))


def learn_by_partial_fit(name):
    return partial_fit_of_each(encoder_of(name), chunks_of(name))


def learn_by_partial_fit_after_fit(name):
    first, *others = chunks_of(name)
    return partial_fit_of_each(encoder_of(name).fit(*first), others)


def learn_by_partial_fit_after_fit_of_vectors_alone(name):
    first, *others = chunks_of(name)
    return partial_fit_of_each(encoder_of(name, main_effects=False).fit(*first), others)


def learn_by_fit_chunks(name):
    chunks = chunks_of(name)
    encoder = encoder_of(name).fit_chunks(chunks)
    return state_of(encoder, encoder.transform(chunks[0][0]))


def learn_by_warm_start_after_fit_chunks(name):
    chunks = chunks_of(name)
    encoder = encoder_of(name, warm_start=True).fit_chunks(chunks[:2])
    return state_of(encoder, encoder.fit_transform(*chunks[2]))


def learn_by_partitions(name):
    dd = pytest.importorskip("dask.dataframe")
    import dask

    import sk_embed.dask

    *given, _ = SETS[name]()
    given = [
        dd.from_pandas(values, npartitions=2) for values in given if values is not None
    ]
    encoder = encoder_of(name, sk_embed.dask.EmbeddingEncoder, warm_start=True)
    with (
        patch.object(sk_embed.dask, "N_ROUNDS", N_ROUNDS),
        dask.config.set(scheduler="synchronous"),
    ):
        encoder.fit(*given)
        return state_of(encoder, encoder.fit_transform(*given).compute())


# For each file the ways of learning whose results it holds.
FILES = {
    "partial_fit": {
        "anew": learn_by_partial_fit,
        "after fit": learn_by_partial_fit_after_fit,
        "after fit, vectors alone": learn_by_partial_fit_after_fit_of_vectors_alone,
    },
    "fit_chunks": {
        "anew": learn_by_fit_chunks,
        "then fit with warm_start": learn_by_warm_start_after_fit_chunks,
    },
    "dask": {"fit, then fit_transform with warm_start": learn_by_partitions},
}
# To estimate penalties asks the partitions hundreds of times.
SLOW = {"dask": pytest.mark.slow}
CASES = [
    pytest.param(file, way, name, marks=SLOW.get(file, ()))
    for file, ways in FILES.items()
    for way in ways
    for name in SETS
]


def path_of(file):
    return GOLDEN.with_name(f"{file}.json")


@pytest.mark.parametrize(("file", "way", "name"), CASES)
def test_results_are_those_that_were_written(file, way, name):
    expected = json.loads(path_of(file).read_text())[way][name]
    results = FILES[file][way](name)
    assert results.keys() == expected.keys()
    for key, values in expected.items():
        np.testing.assert_allclose(results[key], values, rtol=0, atol=TOLERANCE)


def rounded(results):
    return {key: np.round(values, 9).tolist() for key, values in results.items()}


if __name__ == "__main__":
    for file, ways in FILES.items():
        written = {
            way: {name: rounded(learn(name)) for name in SETS}
            for way, learn in ways.items()
        }
        path_of(file).write_text(json.dumps(written, indent=0) + "\n")
