from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sk_embed._selection import (
    DEFAULT_WIDTH,
    MIN_RELIABILITY,
    MIN_SHARE,
    auto_batch_size,
    auto_chunk_passes,
    auto_max_iter,
    auto_patience,
    kept_axes,
    largest_max_iter,
    output_unit,
    sweeps_for_tables,
    table_width,
)

RATIO = np.array([0.5, 0.25, 0.125, 0.125])
RELIABLE = np.ones(4)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(("n_components", "kept"), [(1, 1), (3, 3), (4, 4), (9, 4)])
def test_an_int_keeps_so_many_first_axes(n_components, kept):
    unreliable = -np.ones(4)
    assert_array_equal(kept_axes(n_components, RATIO, unreliable, 8), np.arange(4) < kept)


def test_a_numpy_int_is_an_int():
    assert kept_axes(np.int64(2), RATIO, RELIABLE, 8).sum() == 2


@pytest.mark.parametrize(
    ("share", "kept"), [(0.1, 1), (0.5, 1), (0.51, 2), (0.75, 2), (0.8, 3), (0.99, 4)]
)
def test_a_share_keeps_the_first_axes_that_explain_it(share, kept):
    assert_array_equal(kept_axes(share, RATIO, RELIABLE, 8), np.arange(4) < kept)


def test_a_share_of_one_leaves_out_axes_that_explain_nothing():
    ratio = np.array([0.75, 0.25, 0.0, 0.0])
    assert_array_equal(kept_axes(1.0, ratio, RELIABLE, 8), [True, True, False, False])


def test_auto_keeps_the_reliable_axes_wherever_they_are():
    reliability = np.array([0.9, MIN_RELIABILITY / 2, MIN_RELIABILITY * 1.1, -0.5])
    assert_array_equal(kept_axes("auto", RATIO, reliability, 8), [True, False, True, False])


def test_auto_may_keep_no_axis():
    assert not kept_axes("auto", RATIO, np.zeros(4), 8).any()


def test_auto_keeps_no_axes_that_there_were_too_few_rows_to_judge():
    assert not kept_axes("auto", RATIO, np.full(4, np.nan), 8).any()


@pytest.mark.parametrize("n_components", [2, 0.5, "auto"])
def test_a_column_without_axes_keeps_none(n_components):
    assert kept_axes(n_components, np.empty(0), np.empty(0), 8).shape == (0,)


@pytest.mark.parametrize("n_components", ["auto", 0.9, 1, DEFAULT_WIDTH])
def test_a_smaller_width_is_cut_from_tables_of_the_same_width(n_components):
    assert table_width(n_components) == DEFAULT_WIDTH


def test_a_larger_width_is_learned():
    assert table_width(DEFAULT_WIDTH + 3) == DEFAULT_WIDTH + 3


@pytest.mark.parametrize("n_rows", [1, 2, 100, 5_000, 20_000, 10**5, 10**6, 10**9])
def test_batch_size_is_a_power_of_two_within_bounds(n_rows):
    batch_size = auto_batch_size(n_rows)
    assert batch_size.bit_count() == 1
    assert 64 <= batch_size <= 1024


@pytest.mark.parametrize("n_rows", [12_000, 20_000, 50_000, 100_000, 180_000])
def test_batch_size_cuts_the_rows_into_about_128_batches(n_rows):
    assert 128 / 1.5 <= n_rows / auto_batch_size(n_rows) <= 128 * 1.5


def test_batch_size_never_falls_with_the_rows():
    sizes = [auto_batch_size(n_rows) for n_rows in range(1, 300_000, 997)]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) > 2


def test_auto_keeps_no_axis_of_almost_no_variance():
    share = np.array([0.9, 1.1 * MIN_SHARE, 0.9 * MIN_SHARE])
    assert kept_axes("auto", share, np.ones(3), 8).tolist() == [True, True, False]


@pytest.mark.parametrize(("n_components", "kept"), [("auto", 1), (0.9, 2), (3, 3)])
def test_beside_large_effects_auto_alone_keeps_fewer_axes(n_components, kept):
    # Of what the column says the effects are 97 %, the axes what is left: a float asks
    # for a share of the vectors' variance.
    share = 0.03 * np.array([0.7, 0.25, 0.05])
    assert kept_axes(n_components, share, np.ones(3), 8).sum() == kept


def test_auto_keeps_no_more_axes_than_there_are_contrasts():
    share = np.array([0.4, 0.3, 0.2, 0.1])
    reliability = np.array([0.9, 0.0, 0.9, 0.9])
    for n_contrasts, kept in [
        (0, []),
        (1, [0]),
        (2, [0, 2]),
        (3, [0, 2, 3]),
        (8, [0, 2, 3]),
    ]:
        found = kept_axes("auto", share, reliability, n_contrasts)
        assert np.flatnonzero(found).tolist() == kept
        assert kept_axes(4, share, reliability, n_contrasts).all()
    assert not kept_axes("auto", share, reliability, -1).any()


def test_auto_asks_of_the_halves_what_makes_a_third_of_the_whole_signal(rng):
    # Spearman-Brown, simulated: where the halves agree to MIN_RELIABILITY, the squared
    # correlation of their mean with the truth is a third.
    truth = rng.normal(size=200_000)
    noise_of_half = np.sqrt(1 / MIN_RELIABILITY - 1)
    halves = truth + noise_of_half * rng.normal(size=(2, len(truth)))
    assert np.corrcoef(halves)[0, 1] == pytest.approx(MIN_RELIABILITY, abs=0.01)
    of_whole = np.corrcoef(halves.mean(axis=0), truth)[0, 1] ** 2
    assert of_whole == pytest.approx(1 / 3, abs=0.01)


# ------------------------------------------------------------------ unit of the output


def test_unit_is_the_root_mean_square_of_the_contexts_sensitivities():
    assert output_unit(np.array([0.3, 0.4])) == pytest.approx(np.sqrt(0.125))


def test_unit_of_one_column_is_its_sensitivity():
    assert output_unit(np.array([0.7])) == pytest.approx(0.7)


@pytest.mark.parametrize(("scale", "unit"), [(0.0, 0.1), (1e-9, 0.1), (1e9, 10.0)])
def test_unit_has_bounds(scale, unit):
    # Context that hardly counts must not blow the vectors up, nor one wild column bury
    # them.
    assert output_unit(scale * np.array([1.0, 2.0])) == unit


def test_without_context_the_unit_is_that_of_the_raw_prediction():
    assert output_unit(np.empty(0)) == 1.0


def test_unit_in_single_precision_is_a_plain_number():
    unit = output_unit(np.array([0.3, 0.4], np.float32))
    assert type(unit) is float


def test_auto_wants_more_than_the_least_share_and_the_least_reliability():
    share, reliability = np.array([MIN_SHARE, 0.5]), np.array([0.9, MIN_RELIABILITY])
    assert not kept_axes("auto", share, reliability, 9).any()


# ------------------------------------------------------------------ passes


@pytest.mark.parametrize(
    ("n_rows", "n_batches", "max_iter", "patience"),
    [
        (64, 1, 60, 4),
        (3_200, 50, 60, 4),
        (4_800, 75, 40, 4),
        (9_600, 150, 20, 3),
        (12_000, 94, 20, 3),
        (100_000, 98, 20, 3),
        (400_000, 400, 15, 3),
        (10**6, 1_000, 6, 2),
        (10**7, 10_000, 2, 1),
        (1_000, 1_000, 6, 2),
    ],
)
def test_passes_visit_as_many_rows_within_their_bounds(
    n_rows, n_batches, max_iter, patience
):
    assert auto_max_iter(n_rows, n_batches) == max_iter
    assert auto_patience(n_rows, n_batches) == patience


@pytest.mark.parametrize(
    ("n_batches", "n_steps", "n_passes"),
    [
        (1, 0, 4),
        (1_500, 0, 4),
        (2_000, 0, 3),
        (1_500, 3_000, 2),
        (1_500, 3_001, 1),
        (1, 5_998, 2),
        (1, 6_000, 1),
        (10_000, 0, 1),
        (1, 10**9, 1),
    ],
)
def test_passes_over_a_chunk_are_what_is_left_of_the_steps(n_batches, n_steps, n_passes):
    assert auto_chunk_passes(n_batches, n_steps) == n_passes


def test_no_number_of_batches_takes_more_passes_than_are_announced():
    announced = largest_max_iter("auto")
    assert max(auto_max_iter(64 * n, n) for n in range(1, 2_000)) == announced
    assert largest_max_iter(7) == 7


@pytest.mark.parametrize(
    ("n_rows", "n_sweeps"),
    [(1, 3), (200_000, 3), (200_001, 2), (300_000, 2), (300_001, 1), (10**9, 1)],
)
def test_final_tables_take_fewer_sweeps_the_more_rows_there_are(n_rows, n_sweeps):
    assert sweeps_for_tables(n_rows) == n_sweeps
