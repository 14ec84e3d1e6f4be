from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sk_embed import EmbeddingEncoder
from sk_embed.inspection import nearest_categories

KINDS = {"shoes": 0.0, "sandals": 0.5, "phones": 5.0}


@pytest.fixture(scope="module")
def encoder():
    rng = np.random.default_rng(0)
    kind = rng.choice(np.array(list(KINDS), dtype=object), 600)
    kind[:40] = None
    y = pd.Series(kind).map(KINDS).fillna(2.5) + 0.1 * rng.normal(size=600)
    return EmbeddingEncoder(random_state=0).fit(pd.DataFrame({"kind": kind}), y)


def test_neighbours_come_nearest_first_and_without_the_category_itself(encoder):
    neighbours = nearest_categories(encoder, "kind", "shoes", n_neighbors=3)
    assert neighbours["category"].tolist()[:1] == ["sandals"]
    assert neighbours["distance"].is_monotonic_increasing
    assert "shoes" not in neighbours["category"].tolist()


def test_distances_are_those_of_the_encoded_categories(encoder):
    neighbours = nearest_categories(encoder, "kind", "shoes")
    pair = encoder.transform(pd.DataFrame({"kind": ["shoes", "phones"]}))
    distance = neighbours.set_index("category")["distance"]["phones"]
    assert distance == pytest.approx(np.linalg.norm(pair[0] - pair[1]), rel=1e-5)


def test_counts_are_the_rows_of_each_neighbour(encoder):
    neighbours = nearest_categories(encoder, "kind", None)
    counts = encoder.to_frame("kind")["count"]
    assert neighbours["count"].tolist() == [counts[c] for c in neighbours["category"]]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_missing_has_neighbours_like_any_category(encoder, missing):
    neighbours = nearest_categories(encoder, "kind", missing)
    assert set(neighbours["category"]) == set(KINDS)


def test_more_neighbours_than_there_are_give_all(encoder):
    assert len(nearest_categories(encoder, "kind", "shoes", n_neighbors=99)) == 3


def test_columns_may_be_named_by_number(encoder):
    by_number = nearest_categories(encoder, 0, "shoes")
    pd.testing.assert_frame_equal(by_number, nearest_categories(encoder, "kind", "shoes"))


@pytest.mark.parametrize(
    ("feature", "category", "n_neighbors", "words"),
    [
        ("kind", "boots", 5, "'boots' is not a category of column 'kind'"),
        ("brand", "shoes", 5, "'brand' is not a categorical column"),
        ("kind", "shoes", 0, "n_neighbors must be an integer of at least 1"),
        ("kind", "shoes", 1.5, "n_neighbors must be an integer of at least 1, but is 1.5"),
    ],
)
def test_what_is_not_known_is_one_clear_line(
    encoder, feature, category, n_neighbors, words
):
    with pytest.raises(ValueError, match=words) as raised:
        nearest_categories(encoder, feature, category, n_neighbors)
    assert "\n" not in str(raised.value)
