"""What changes nothing, to the tolerance that arithmetic allows.

Bit for bit: the order of rows at ``transform``; new names of categories and
labels that keep their order; y times a power of two; the place of context columns between
the categorical ones. To rounding (``ROUNDING``, float64): any new names of categories, y
in another unit or with another zero, categories without rows, and weights of 2 for rows
that come twice and the order of rows in ``fit`` where all rows make one batch.

What chance decides is another draw, not rounding: the network's first weights belong to
inputs and outputs by their place, so that vectors (and ``unit_``, by which all output is
divided) change with the order of categorical columns, with labels in another order and with
the sign of y; and batches hold other rows where there are other rows to draw from, so that
they change with doubled rows and with the order of rows in ``fit``. The main effects are
solved to convergence and change with none of these: they are compared here in the unit of
the raw prediction, times ``unit_``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sk_embed import EmbeddingEncoder

# Of numbers of about 1, after some thousand sums of float64 in another order.
ROUNDING = 1e-9
N_ROWS = 500


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "a": rng.integers(12, size=N_ROWS),
            "b": rng.choice(list("pqrstu"), N_ROWS),
            "n": rng.normal(size=N_ROWS),
        }
    )
    y = np.sin(X["a"]) * np.cos(X["b"].map(ord)) + 0.3 * X["n"] * (X["a"] % 3)
    return X, y.to_numpy() + 0.3 * rng.normal(size=N_ROWS)


def fit(X, y, sample_weight=None, **parameters):
    defaults = {"categorical_features": ["a", "b"], "dtype": np.float64, "max_iter": 3}
    encoder = EmbeddingEncoder(2, random_state=0, **{**defaults, **parameters})
    return encoder.fit(X, y, sample_weight)


def encode(X, y, sample_weight=None, **parameters):
    return fit(X, y, sample_weight, **parameters).transform(X)


def raw_effects(X, y, sample_weight=None):
    """Main effects of the first column in the unit of the raw prediction."""
    encoder = fit(X, y, sample_weight)
    n_effects = len(encoder._fitted.effect_names)
    return encoder.embeddings_[0][:, :n_effects] * encoder.unit_


def assert_rounded(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


@pytest.fixture(scope="module")
def encoded(data):
    return encode(*data)


# ----------------------------------------------------------------- bit for bit


def test_the_order_of_rows_at_transform_changes_no_bit(data, encoded):
    X, y = data
    order = np.random.default_rng(1).permutation(N_ROWS)
    np.testing.assert_array_equal(fit(X, y).transform(X.iloc[order]), encoded[order])


def test_names_of_categories_in_the_same_order_change_no_bit(data, encoded):
    X, y = data
    renamed = X.assign(a=X["a"] * 10 - 5.5, b=X["b"].str.upper())
    np.testing.assert_array_equal(encode(renamed, y), encoded)


def test_names_of_labels_in_the_same_order_change_no_bit(data):
    X, y = data
    codes = np.digitize(y, [-0.3, 0.3])
    expected = encode(X, np.array(["a", "b", "c"])[codes])
    np.testing.assert_array_equal(encode(X, np.array([-7, 0, 50])[codes]), expected)


def test_y_times_a_power_of_two_changes_no_bit(data, encoded):
    X, y = data
    np.testing.assert_array_equal(encode(X, y * 2.0**-40), encoded)


def test_the_place_of_context_among_the_columns_changes_no_bit(data, encoded):
    X, y = data
    np.testing.assert_array_equal(encode(X[["n", "a", "b"]], y), encoded)


# ----------------------------------------------------------------- to rounding


def test_names_of_categories_in_another_order_change_nothing_but_rounding(data, encoded):
    X, y = data
    order = np.random.default_rng(1).permutation(12)
    letters = dict(zip("pqrstu", "zyxwvu", strict=True))
    renamed = X.assign(a=order[X["a"]], b=X["b"].map(letters))
    assert_rounded(encode(renamed, y), encoded)


@pytest.mark.parametrize(("zero", "unit"), [(0, 0.1), (5, 3), (-1e3, 1), (0, 1e-200)])
def test_unit_and_zero_of_y_change_nothing_but_rounding(zero, unit, data, encoded):
    X, y = data
    assert_rounded(encode(X, zero + unit * y), encoded)


def test_a_zero_far_off_costs_the_digits_that_y_itself_loses(data, encoded):
    X, y = data
    found = encode(X, 1e9 + y)
    np.testing.assert_allclose(found, encoded, rtol=0, atol=1e-5)


def test_unit_and_zero_of_y_change_no_training_row_but_for_rounding(data):
    X, y = data
    first, second = (
        EmbeddingEncoder(2, categorical_features=["a", "b"], random_state=0, max_iter=2)
        .set_params(dtype=np.float64)
        .fit_transform(X, target)
        for target in (y, 7 + 3 * y)
    )
    assert_rounded(second, first)


def test_categories_without_rows_change_nothing_but_rounding(data, encoded):
    X, y = data
    categories = [[-1, *range(14)], list("apqrstuv")]
    encoder = fit(X, y, categories=categories)
    assert_rounded(encoder.transform(X), encoded)
    assert not encoder.embeddings_[0][[0, 13, 14]].any()


def test_unused_categories_of_a_category_column_change_no_bit(data, encoded):
    X, y = data
    column = pd.Categorical(X["b"], categories=list("zutsrqpa"))
    np.testing.assert_array_equal(encode(X.assign(b=column), y), encoded)


@pytest.mark.parametrize("is_label", [False, True])
def test_in_one_batch_weights_of_2_are_rows_that_come_twice(is_label, data):
    X, y = data[0][:90], data[1][:90]
    y = y > 0 if is_label else y
    twice = encode(pd.concat([X, X]), np.tile(y, 2), batch_size=180)
    assert_rounded(twice[:90], encode(X, y, np.full(90, 2.0), batch_size=180))


def test_in_one_batch_the_order_of_rows_in_fit_changes_nothing_but_rounding(data):
    X, y = data[0][:90], data[1][:90]
    turned = encode(X[::-1], y[::-1], batch_size=90)
    assert_rounded(turned[::-1], encode(X, y, batch_size=90))


# ----------------------------------------------------------------- of main effects alone


def test_main_effects_do_not_change_with_the_order_of_rows_in_fit(data):
    X, y = data
    order = np.random.default_rng(1).permutation(N_ROWS)
    assert_rounded(raw_effects(X.iloc[order], y[order]), raw_effects(X, y))


def test_main_effects_of_weights_of_2_are_those_of_rows_that_come_twice(data):
    X, y = data
    twice = raw_effects(pd.concat([X, X]), np.tile(y, 2))
    assert_rounded(twice, raw_effects(X, y, np.full(N_ROWS, 2.0)))


def test_main_effects_do_not_change_with_the_order_of_columns(data):
    X, y = data
    encoder = fit(X[["b", "n", "a"]], y)
    effects = encoder.embeddings_[1][:, :1] * encoder.unit_
    assert_rounded(effects, raw_effects(X, y))


def test_main_effects_follow_the_sign_of_y(data):
    X, y = data
    assert_rounded(raw_effects(X, -y), -raw_effects(X, y))


def test_the_effect_of_two_labels_that_change_places_changes_its_sign(data):
    X, y = data
    # Newton's steps stop at a millionth of the gradient, on either side of it.
    np.testing.assert_allclose(
        raw_effects(X, y > 0), -raw_effects(X, y <= 0), rtol=0, atol=1e-5
    )


def test_effects_of_labels_follow_them_to_other_places(data):
    X, y = data
    codes = np.digitize(y, [-0.3, 0.3])
    places = [2, 0, 1]
    moved = raw_effects(X, np.array(["c", "a", "b"])[codes])
    expected = raw_effects(X, np.array(["a", "b", "c"])[codes])
    np.testing.assert_allclose(moved[:, places], expected, rtol=0, atol=1e-5)
