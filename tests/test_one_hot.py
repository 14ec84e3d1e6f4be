from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_embed._engine.one_hot import add_product, add_transposed_product

each_dtype = pytest.mark.parametrize(
    ("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-12)], ids=["single", "double"]
)
each_product = pytest.mark.parametrize("product", [add_product, add_transposed_product])
# One row; one column; many of both; more columns than rows.
each_shape = pytest.mark.parametrize(
    "shape", [(1, 1), (50, 1), (50, 4), (2, 30), (0, 2)], ids=str
)
# Columns of the one-hot matrix; the last is named by no row.
N_CODES = 8


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def draw_codes(rng, shape):
    return rng.integers(N_CODES - 1, size=shape).astype(np.int32)


def one_hot(codes):
    """Return the matrix itself: a code that a row names twice counts twice."""
    return np.eye(N_CODES)[codes].sum(axis=1)


def draw(rng, product, codes, width, dtype):
    """Draw codes' values and what they are added to; return the dense matrix too."""
    n_rows = len(codes)
    matrix = one_hot(codes)
    lengths = (N_CODES, n_rows)
    if product is add_transposed_product:
        matrix, lengths = matrix.T, (n_rows, N_CODES)
    values, result = (rng.normal(size=(n, width)).astype(dtype) for n in lengths)
    return matrix, values, result


@each_product
@each_dtype
@each_shape
@pytest.mark.parametrize("width", [1, 3])
def test_product_is_that_of_the_dense_matrix_added(width, shape, dtype, rtol, product, rng):
    codes = draw_codes(rng, shape)
    matrix, values, result = draw(rng, product, codes, width, dtype)
    expected = result + matrix @ values.astype(float)
    product(codes, values, result)
    assert result.dtype == dtype
    assert_allclose(result, expected, rtol=rtol, atol=10 * rtol)


@each_product
def test_codes_and_values_stay_as_they_are(product, rng):
    codes = draw_codes(rng, (50, 4))
    _, values, result = draw(rng, product, codes, 3, np.float64)
    given = codes.copy(), values.copy()
    product(codes, values, result)
    assert_array_equal(codes, given[0])
    assert_array_equal(values, given[1])


@each_product
@pytest.mark.parametrize("order", ["C", "F"])
def test_codes_may_be_some_columns_of_an_array_of_any_order(order, product, rng):
    codes = np.asarray(draw_codes(rng, (50, 4)), order=order)[:, 1:3]
    matrix, values, result = draw(rng, product, codes, 3, np.float64)
    expected = result + matrix @ values
    product(codes, values, result)
    assert_allclose(result, expected, rtol=1e-12, atol=1e-12)


@each_product
def test_result_may_be_some_rows_of_a_longer_array(product, rng):
    codes = draw_codes(rng, (50, 4))
    matrix, values, result = draw(rng, product, codes, 3, np.float64)
    longer = np.vstack([np.zeros((2, 3)), result, np.zeros((2, 3))])
    product(codes, values, longer[2:-2])
    assert_allclose(longer[2:-2], result + matrix @ values, rtol=1e-12, atol=1e-12)
    assert_array_equal(longer[[0, 1, -2, -1]], 0)


def test_rows_that_no_code_names_keep_every_bit(rng):
    codes = draw_codes(rng, (50, 4))
    _, values, result = draw(rng, add_transposed_product, codes, 3, np.float64)
    before = result.copy()
    add_transposed_product(codes, values, result)
    assert_array_equal(result[-1], before[-1])
    assert np.all(result[:-1] != before[:-1])


def test_the_products_are_transposes_of_each_other(rng):
    codes = draw_codes(rng, (50, 4))
    for_codes, for_rows = rng.normal(size=(N_CODES, 1)), rng.normal(size=(50, 1))
    at_rows, at_codes = np.zeros((50, 1)), np.zeros((N_CODES, 1))
    add_product(codes, for_codes, at_rows)
    add_transposed_product(codes, for_rows, at_codes)
    assert float(at_rows[:, 0] @ for_rows[:, 0]) == pytest.approx(
        float(for_codes[:, 0] @ at_codes[:, 0]), rel=1e-12
    )
