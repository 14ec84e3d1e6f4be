"""The textbook's promise: similar products end up near each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sk_embed import EmbeddingEncoder
from sk_embed.inspection import nearest_categories

N_PRODUCTS = 300
N_ROWS = 15_000


def draw_sales(seed):
    """Products of a hidden kind, which decides how price and season act on sales."""
    rng = np.random.default_rng(seed)
    kind_of_product = rng.permutation(np.arange(N_PRODUCTS) % 3)
    product = rng.integers(N_PRODUCTS, size=N_ROWS)
    season = rng.choice(["spring", "summer", "autumn", "winter"], N_ROWS)
    price = rng.normal(size=N_ROWS)
    kind = kind_of_product[product]
    is_warm = np.isin(season, ["spring", "summer"])
    sales = np.select(
        [kind == 0, kind == 1], [0.5 - price, np.where(is_warm, 2.0, -1.0)], 1.0 + price
    )
    X = pd.DataFrame({"product": product, "season": season, "price": price})
    return X, sales + 0.3 * rng.normal(size=N_ROWS), kind_of_product


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_neighbours_share_the_hidden_kind_from_a_random_start(seed):
    X, y, kind = draw_sales(seed)
    encoder = EmbeddingEncoder(
        categorical_features=["product", "season"], init_scale=0.1, random_state=seed
    ).fit(X, y)
    same = [
        np.mean(kind[nearest_categories(encoder, "product", product)["category"]] == own)
        for product, own in enumerate(kind)
    ]
    assert np.mean(same) >= 0.95


@pytest.mark.slow
def test_before_training_neighbours_do_not_know_the_kind():
    # One epoch on a target without any signal: what the test above would find by chance.
    X, y, kind = draw_sales(0)
    shuffled = np.random.default_rng(1).permutation(y)
    encoder = EmbeddingEncoder(
        8, categorical_features=["product", "season"], init_scale=0.1, random_state=0
    ).fit(X, shuffled)
    same = [
        np.mean(kind[nearest_categories(encoder, "product", product)["category"]] == own)
        for product, own in enumerate(kind)
    ]
    assert np.mean(same) < 0.45
