from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sk_embed import EmbeddingEncoder
from sk_embed.datasets import make_categorical
from sk_embed.inspection import nearest_categories, similarity


@pytest.fixture(scope="module")
def encoder():
    X, y = make_categorical(
        4_000, n_categories=(20, 20), n_latent=1, missing=0.05, random_state=0
    )
    return EmbeddingEncoder(random_state=0).fit(X, y)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_the_frame_is_square_symmetric_and_labelled_on_both_sides(encoder, metric):
    frame = similarity(encoder, "cat_0", metric=metric)
    categories = encoder.to_frame("cat_0").index
    assert frame.index.equals(categories)
    assert frame.columns.equals(categories)
    values = frame.to_numpy()
    np.testing.assert_allclose(values, values.T)
    np.testing.assert_allclose(np.diag(values), 1)
    assert values.max() <= 1


def test_the_most_alike_are_the_nearest_categories(encoder):
    row = similarity(encoder, "cat_0").loc["c00"].drop("c00")
    nearest = nearest_categories(encoder, "cat_0", "c00", n_neighbors=20)
    assert row.sort_values(ascending=False).index.equals(pd.Index(nearest["category"]))
    np.testing.assert_allclose(
        row.sort_values(ascending=False), 1 / (1 + nearest["distance"]), rtol=1e-6
    )


def test_cosines_are_those_of_the_vectors(encoder):
    frame = similarity(encoder, "cat_0", metric="cosine")
    table = encoder.to_frame("cat_0").drop(columns="count")
    a, b = table.loc["c00"], table.loc["c03"]
    expected = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
    assert frame.loc["c00", "c03"] == pytest.approx(expected, rel=1e-5)


def test_a_vector_at_the_origin_has_no_direction():
    X = pd.DataFrame({"item": list("ab") * 50})
    encoder = EmbeddingEncoder(categories=[["a", "b", "z"]], random_state=0)
    frame = similarity(encoder.fit(X, np.arange(100.0) % 2), "item", metric="cosine")
    assert frame["z"].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"feature": "brand"}, "'brand' is not a categorical column"),
        ({"feature": "cat_0", "metric": "angle"}, "metric must be 'euclidean' or"),
        (
            {"feature": "cat_0", "max_categories": 20},
            "Column 'cat_0' has 21 categories.*max_categories is 20. Raise it, or ask",
        ),
    ],
)
def test_what_cannot_be_shown_is_one_clear_line(encoder, arguments, words):
    with pytest.raises(ValueError, match=words) as raised:
        similarity(encoder, **arguments)
    assert "\n" not in str(raised.value)
