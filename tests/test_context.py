from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_embed._columns.context import learn_context, read_numbers

BOUND = 3.0


def as_table(*columns):
    return np.column_stack([np.asarray(column, dtype=float) for column in columns])


def learn(*columns, weight=None):
    values = as_table(*columns)
    weight = np.ones(len(values)) if weight is None else weight
    return learn_context(values, weight, [f"x{j}" for j in range(values.shape[1])])


def scaled(column, at=None):
    """Scale ``at`` as learned from ``column``."""
    at = column if at is None else at
    return learn(column).transform(as_table(at))[:, 0]


@pytest.fixture
def normal():
    return np.random.default_rng(0).normal(size=1001)


# ---------------------------------------------------------------- scaling


def test_median_is_zero_and_the_spread_of_a_normal_sample_is_about_one(normal):
    result = scaled(5 + 7 * normal)
    assert np.median(result) == 0
    # Bounded values spread a little less than the standard deviation of 1.
    assert 0.85 < result.std() < 1


def test_scaling_does_not_depend_on_units(normal):
    for unit in (1e-12, 1e12):
        assert_allclose(scaled(3 + unit * normal * 1e4, None), scaled(normal), atol=1e-3)
        assert_allclose(scaled(unit * normal), scaled(normal), rtol=1e-12, atol=1e-12)


def test_near_the_median_scaling_is_linear(normal):
    scale = np.subtract(*np.quantile(normal, [0.75, 0.25], method="inverted_cdf")) / 1.349
    near = np.median(normal) + np.array([-1e-3, 0, 1e-3])
    assert_allclose(scaled(normal, near), [-1e-3 / scale, 0, 1e-3 / scale], rtol=1e-5)


def test_scaling_is_monotone(normal):
    at = np.linspace(-50, 50, 1001)
    assert np.all(np.diff(scaled(normal, at)) > 0)


@pytest.mark.parametrize("far", [1e3, 1e30, 1e200, 1.7e308], ids=str)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_value_far_out_is_at_the_bound(normal, sign, far):
    assert_allclose(scaled(normal, [sign * far]), [sign * BOUND], rtol=1e-2)


@pytest.mark.parametrize("far", [1e3, 1e30, 1e200, 1.7e308], ids=str)
def test_a_value_far_out_in_fit_moves_no_other_value(normal, far):
    # Larger than all others already, so that no quantile changes.
    before, after = np.append(normal, 10), np.append(normal, far)
    assert_array_equal(scaled(after, normal), scaled(before, normal))
    assert_allclose(scaled(after)[-1], BOUND, rtol=1e-2)


def test_a_tenth_of_the_rows_far_out_leaves_the_others_spread(normal):
    dirty = normal.copy()
    dirty[::10] = 1e6
    clean_rows = np.arange(1001) % 10 > 0
    assert scaled(dirty)[clean_rows].std() > 0.7


def test_a_column_of_both_ends_of_float64_is_finite():
    with np.errstate(over="raise"):
        result = scaled(np.array([-1.7e308, 0, 0, 0, 0, 0, 0, 1.7e308]))
    assert np.isfinite(result).all()
    assert_array_equal(np.sign(result), [-1, 0, 0, 0, 0, 0, 0, 1])


@pytest.mark.parametrize("value", [0.0, 7.0, -1e30])
def test_a_constant_column_is_zero(value):
    assert_array_equal(scaled(np.full(20, value)), 0)


def test_a_constant_column_bounds_another_value_at_transform():
    assert_allclose(scaled(np.full(20, 7.0), [8, 1e30]), [1, BOUND], rtol=0.1)


@pytest.mark.parametrize("n_ones", [1, 20, 200])
def test_a_rare_binary_column_stays_an_indicator(n_ones):
    # The interquartile range is zero: dividing by it, or by the standard deviation of
    # a rare indicator, would throw the ones far out.
    column = np.zeros(1000)
    column[:n_ones] = 1
    result = scaled(column)
    assert_array_equal(result[n_ones:], 0)
    assert 1 < result[0] < 2
    assert_array_equal(result[:n_ones], result[0])


def test_no_columns_give_no_context():
    scaler = learn_context(np.empty((5, 0)), np.ones(5), [])
    assert scaler.transform(np.empty((3, 0))).shape == (3, 0)


# ---------------------------------------------------------------- missing


def test_missing_is_at_the_median_and_has_an_indicator_behind_all_columns(normal):
    gaps = normal.copy()
    gaps[:100] = np.nan
    scaler = learn(gaps, normal)
    result = scaler.transform(as_table(gaps, normal))
    assert result.shape == (1001, 3)
    assert_array_equal(result[:100, 0], 0)
    assert_array_equal(result[:, 2], np.isnan(gaps))


def test_missing_values_do_not_move_center_and_scale(normal):
    gaps = np.concatenate([normal, np.full(500, np.nan)])
    assert_array_equal(scaled(gaps, normal), scaled(normal))


def test_a_column_without_missing_in_fit_has_no_indicator(normal):
    result = learn(normal).transform(as_table([np.nan, 1.0]))
    assert result.shape == (2, 1)
    assert result[0, 0] == 0


def test_a_column_that_is_all_missing_is_its_indicator():
    result = learn(np.full(5, np.nan)).transform(as_table([np.nan, 1e30]))
    assert_array_equal(result[:, 1], [1, 0])
    assert np.isfinite(result).all()
    assert np.abs(result).max() <= BOUND


# ---------------------------------------------------------------- weights


def test_whole_weights_are_rows_repeated(normal):
    rng = np.random.default_rng(1)
    weight = rng.integers(1, 4, size=len(normal))
    column = np.where(rng.random(len(normal)) < 0.1, np.nan, normal)
    weighted = learn(column, weight=weight.astype(float))
    repeated = learn(np.repeat(column, weight))
    assert_array_equal(weighted.center, repeated.center)
    assert_array_equal(weighted.scale, repeated.scale)


def test_the_size_of_equal_weights_does_not_matter(normal):
    weighted = learn(normal, weight=np.full(len(normal), 4.0))
    assert_array_equal(weighted.scale, learn(normal).scale)


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, 0, 1], dtype="int8"),
        pd.Series([True, False, True]),
        pd.Series([1, 0, 1], dtype="Int64"),
        pd.Series([1, 0, 1], dtype=object),
        pd.Series([1, 0, 1], dtype="float32"),
    ],
    ids=lambda column: str(column.dtype),
)
def test_numbers_of_each_dtype_are_read_as_float64(column):
    values = read_numbers([column], ["x"], 3)
    assert values.dtype == np.float64
    assert values.tolist() == [[1.0], [0.0], [1.0]]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, None], dtype="Int64"),
        pd.Series([1, None], dtype="Float64"),
        pd.Series([1, None], dtype="boolean"),
        pd.Series([1, None], dtype=object),
        pd.Series([1, pd.NA], dtype=object),
        pd.Series([1, np.nan]),
    ],
    ids=lambda column: str(column.dtype),
)
def test_each_kind_of_missing_is_read_as_nan(column):
    assert_array_equal(read_numbers([column], ["x"], 2), [[1.0], [np.nan]])


def test_no_columns_are_read_with_their_number_of_rows():
    assert read_numbers([], [], 4).shape == (4, 0)


@pytest.mark.parametrize("infinite", [np.inf, -np.inf])
def test_an_infinite_value_is_an_error_that_names_the_column(infinite):
    columns = [pd.Series([1.0, 2.0]), pd.Series([1.0, infinite])]
    with pytest.raises(ValueError, match="'price' holds an infinite value") as raised:
        read_numbers(columns, ["size", "price"], 2)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("dtype", [object, "str", "category"])
def test_strings_are_an_error_that_names_the_column_and_the_way_out(dtype):
    columns = [pd.Series([1.0, 2.0]), pd.Series(["1", "many"], dtype=dtype)]
    with pytest.raises(ValueError, match=r"'price' is not numeric.*categorical_features"):
        read_numbers(columns, ["size", "price"], 2)


def test_a_whole_number_beyond_floats_is_an_error_that_names_the_column():
    column = pd.Series([10**400, 1], dtype=object)
    with pytest.raises(ValueError, match="'price' holds a whole number beyond floats"):
        read_numbers([column], ["price"], 2)


def test_complex_numbers_are_an_error_that_names_the_column():
    with pytest.raises(ValueError, match="'price' is not numeric"):
        read_numbers([pd.Series([1 + 1j])], ["price"], 1)


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_dates_are_an_error_that_names_the_column(zone):
    dates = pd.Series(pd.to_datetime(["2020-01-01", None])).dt.tz_localize(zone)
    with pytest.raises(ValueError, match="'since' is not numeric but holds dates"):
        read_numbers([dates], ["since"], 2)


def test_a_range_whose_half_is_no_float_is_no_range():
    values = np.array([[0.0], [0.0], [0.0], [5e-324]])
    scaler = learn_context(values, np.ones(4), ["a"])
    assert_array_equal(scaler.transform(values)[:3], np.zeros((3, 1)))
    assert np.isfinite(scaler.transform(values)).all()
