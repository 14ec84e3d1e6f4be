"""The test of whether cells have effects of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engine_data import SQUARED, make_rows
from numpy.testing import assert_allclose

from sk_embed._engine.additive.cell_evidence import cumulants, products, upper_tail
from sk_embed._engine.additive.crosses import (
    HeldOutRows,
    candidate_of,
    choose_crosses,
    sums_of,
)

N_CODES = 20, 15, 3


def draw_rows(n_rows, effect=0.0, n_outputs=1, seed=0):
    """Draw targets of noise, and of cells of the first two columns."""
    rng = np.random.default_rng(seed)
    codes = np.column_stack([rng.integers(n, size=n_rows) for n in N_CODES])
    cells = effect * rng.normal(size=(*N_CODES[:2], n_outputs))
    noise = rng.normal(size=(n_rows, n_outputs))
    return make_rows(codes, noise + cells[codes[:, 0], codes[:, 1]], n_codes=N_CODES)


def held_out(rows, fold=None):
    """Return rows whose held-out predictions are zero."""
    fold = np.random.default_rng(1).integers(5, size=len(rows)) if fold is None else fold
    alpha = np.full((len(rows.n_codes), rows.targets.shape[1]), 5.0)
    return HeldOutRows(rows, fold, np.zeros(rows.targets.shape), SQUARED, alpha)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_the_pair_that_has_effects_is_the_only_one_taken(n_outputs):
    taken = choose_crosses(held_out(draw_rows(4_000, 0.7, n_outputs)))
    assert [candidate.pair for candidate in taken] == [(0, 1)]


@pytest.mark.parametrize("effect", [0.3, 0.5, 1.0])
def test_the_penalty_is_the_noise_over_the_variance_of_effects(effect):
    found = candidate_of(held_out(draw_rows(60_000, effect)), (0, 1))
    # The dispersion holds the effects, too.
    assert found.prior[0] == pytest.approx((1 + effect**2) / effect**2, rel=0.25)


def test_what_is_explained_is_what_held_out_rows_gain():
    held = held_out(draw_rows(8_000, 0.5))
    found = candidate_of(held, (0, 1))
    before = (held.residual**2).sum()
    held.take(found)
    gained = 1 - (held.residual**2).sum() / before
    assert found.explained == pytest.approx(gained, rel=0.3)


def test_p_values_of_noise_are_about_uniform():
    p_values = np.array(
        [
            candidate_of(held_out(draw_rows(1_500, seed=s)), (0, 1)).p_value
            for s in range(300)
        ]
    )
    # 0.05 and 0.2 on average, with standard errors of 0.013 and 0.023.
    assert np.mean(p_values < 0.05) < 0.09
    assert 0.1 < np.mean(p_values < 0.2) < 0.27


def test_cumulants_are_those_of_random_signs():
    rng = np.random.default_rng(0)
    residual, weight = rng.normal(size=(4, 6, 2)), rng.uniform(0.5, 1, size=(6, 2))
    signs = rng.choice([-1, 1], size=(100_000, 4, 6, 1))
    drawn = signs * residual
    statistic = weight * (drawn.sum(axis=1) ** 2 - (drawn**2).sum(axis=1))
    statistic = statistic.sum(axis=(1, 2))
    variance, third = cumulants(residual, weight)
    assert statistic.var() == pytest.approx(variance, rel=0.03)
    centred = statistic - statistic.mean()
    assert np.mean(centred**3) == pytest.approx(third, rel=0.15)


def test_products_are_those_of_all_pairs_of_folds():
    values = np.random.default_rng(0).normal(size=(4, 3, 2))
    expected = sum(values[k] * values[m] for k in range(4) for m in range(4) if k != m)
    assert_allclose(products(values), expected)


def test_a_tail_without_skewness_is_the_normal_ones():
    assert upper_tail(1.96, 0.0) == pytest.approx(0.025, abs=1e-4)
    assert upper_tail(1.96, 1e-3) == pytest.approx(0.025, abs=1e-3)
    assert upper_tail(1.96, 1.0) > 0.03


def test_sums_are_those_of_the_rows_of_each_cell_in_each_fold():
    held = held_out(draw_rows(200))
    cells = held.cells((0, 1))
    sums = sums_of(cells.of_row, len(cells.keys), held)
    for cell in range(5):
        for fold in range(5):
            chosen = (cells.of_row == cell) & (held.fold == fold)
            assert_allclose(sums.residual[fold, cell], held.residual[chosen].sum(axis=0))
            assert_allclose(sums.curvature[fold, cell], held.curvature[chosen].sum(axis=0))


def test_codes_of_one_byte_give_the_same():
    rows = draw_rows(2_000, 0.3)
    small = replace(rows, codes=rows.codes.astype(np.uint8))
    first, second = (candidate_of(held_out(r), (0, 1)) for r in (rows, small))
    assert first.z == second.z


def test_the_order_of_the_rows_does_not_matter():
    rows, rng = draw_rows(2_000, 0.4), np.random.default_rng(3)
    fold, order = rng.integers(5, size=2_000), rng.permutation(2_000)
    first = candidate_of(held_out(rows, fold), (0, 1))
    second = candidate_of(held_out(rows.part(order), fold[order]), (0, 1))
    assert second.z == pytest.approx(first.z)


def test_cells_that_lie_in_one_fold_each_say_nothing():
    rows = draw_rows(4_000, 2.0)
    fold = (15 * rows.codes[:, 0] + rows.codes[:, 1]) % 5
    assert candidate_of(held_out(rows, fold), (0, 1)).p_value > 0.05


def test_a_nested_pair_is_no_candidate():
    fine = np.random.default_rng(0).integers(30, size=2_000)
    rows = make_rows(np.column_stack([fine, fine // 3]), np.cos(fine), n_codes=(30, 10))
    assert candidate_of(held_out(rows), (0, 1)) is None
