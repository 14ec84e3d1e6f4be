"""Pairs of columns in the additive model: how they are chosen, and what is learned."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from engine_data import BINOMIAL, LOSS_CASES, SQUARED, draw_rows, make_rows
from numpy.testing import assert_allclose, assert_array_equal
from test_blocks import cut

from sk_embed._engine import crossed_effects
from sk_embed._engine.additive.crosses import (
    HeldOutRows,
    candidate_of,
    choose_crosses,
    confirmed,
)
from sk_embed._engine.additive.main_effects import KnownColumns, fit_all_rows, stack_fits
from sk_embed._engine.cells import cell_codes, codes_of, keys_of, listed_cells
from sk_embed._engine.crossed_effects import (
    choose_pairs,
    cross,
    fit_effects,
    held_out_prediction,
)
from sk_embed._engine.partitions import summarize
from sk_embed._engine.sources import InMemory, Partitioned
from sk_embed._engine.tasks import map_in_turn

each_loss = pytest.mark.parametrize(
    ("loss", "n_outputs"), LOSS_CASES.values(), ids=LOSS_CASES
)
N_FOLDS = 5


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def in_memory(rows):
    source = InMemory(rows, np.arange(len(rows)) % N_FOLDS != np.arange(N_FOLDS)[:, None])
    source.draw(np.random.default_rng(0), 1)
    return source


def draw_cells(rng, n_rows=4_000, size=1.0, n_codes=(12, 9, 5)):
    """Draw rows whose target follows effects of columns, and cells of the first two.

    The last code of each column stands for what is not listed, and has no rows.
    """
    codes = np.column_stack([rng.integers(n, size=n_rows) for n in n_codes])
    cells = size * rng.normal(size=n_codes[:2])
    raw = np.cos(codes).sum(axis=1) + cells[codes[:, 0], codes[:, 1]]
    target = raw + 0.5 * rng.normal(size=n_rows)
    return make_rows(codes, target, n_codes=np.array(n_codes) + 1), cells


def effects_of(source, loss=SQUARED, alpha=None, known=None):
    return fit_effects(source, loss, alpha, known, N_FOLDS, map_in_turn)


# ------------------------------------------------------------------ cells


def test_keys_hold_both_codes(rng):
    first, second = rng.integers(2**31, size=(2, 50))
    keys = keys_of(first, second)
    assert_array_equal(codes_of(keys)[0], first)
    assert_array_equal(codes_of(keys)[1], second)
    small = keys_of(np.arange(200, dtype=np.uint8), np.full(200, 7, dtype=np.uint8))
    assert small.dtype == np.int64
    assert_array_equal(codes_of(small)[0], np.arange(200))


def test_only_cells_of_listed_categories_that_have_rows_are_numbered():
    codes = np.array([[0, 1], [0, 1], [1, 0], [2, 0], [1, 2]])
    keys = listed_cells(codes, np.array([3, 3]), (0, 1)).keys
    assert_array_equal(np.column_stack(codes_of(keys)), [[0, 1], [1, 0]])
    asked = keys_of(np.array([1, 0, 0]), np.array([0, 0, 1]))
    assert_array_equal(cell_codes(asked, keys), [1, 2, 0])
    assert_array_equal(cell_codes(asked, keys[:0]), [0, 0, 0])


# ------------------------------------------------------------------ what is learned


@each_loss
def test_a_cross_is_the_column_that_the_pair_would_make(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs, n_rows=300, n_codes=(4, 3))
    source = in_memory(replace(rows, n_codes=np.array([5, 4])))
    crossed = cross(source, [(0, 1)])
    joint = effects_of(crossed.source, loss, 2.0)
    (of_cells,) = crossed.effects(joint, loss)
    cells = 3 * rows.codes[:, 0] + rows.codes[:, 1]
    by_hand = rows.with_columns(cells[:, None], np.array([12]))
    expected = np.hstack([w.effects for w in fit_all_rows(InMemory(by_hand), loss, 2.0)])
    assert_allclose(joint.full.effects[:4], expected[:4], atol=1e-5)
    a, b = codes_of(of_cells.cells.keys)
    assert_allclose(of_cells.effects[:-1], expected[7:][3 * a + b], atol=1e-5)
    assert_array_equal(of_cells.effects[-1], 0)


def test_a_folds_cells_are_learned_without_its_rows(rng):
    rows, _ = draw_cells(rng, 500)
    crossed = cross(in_memory(rows), [(0, 1)])
    (before,) = crossed.effects(effects_of(crossed.source, alpha=1.0), SQUARED)
    is_held_out = (np.arange(500) % N_FOLDS == 2)[:, None]
    other = replace(rows, targets=np.where(is_held_out, -5.0, rows.targets))
    crossed = cross(in_memory(other), [(0, 1)])
    (after,) = crossed.effects(effects_of(crossed.source, alpha=1.0), SQUARED)
    assert_allclose(after.fold_effects[2], before.fold_effects[2], atol=1e-6)
    assert np.abs(after.fold_effects[1] - before.fold_effects[1]).max() > 0.1


def test_independent_cells_are_found_again(rng):
    rows, cells = draw_cells(rng, 8_000)
    crossed = cross(in_memory(rows), [(0, 1)])
    (found,) = crossed.effects(effects_of(crossed.source), SQUARED)
    a, b = codes_of(found.cells.keys)
    centred = cells - cells.mean(axis=0) - cells.mean(axis=1, keepdims=True)
    assert np.corrcoef(found.effects[:-1, 0], centred[a, b])[0, 1] > 0.95


def test_columns_keep_the_penalties_that_they_had_without_crosses(rng):
    rows, _ = draw_cells(rng, 4_000)
    source = in_memory(rows)
    without = effects_of(source)
    known = KnownColumns(without, without.alpha)
    joint = effects_of(cross(source, [(0, 1)]).source, known=known)
    assert_array_equal(joint.alpha[:, :3], without.alpha)
    # What may as well be of the cells that were met, the columns then hold no more.
    a, b = joint.full.effects[:26, 0], without.full.effects[:26, 0]
    assert np.corrcoef(a, b)[0, 1] > 0.98
    assert 0.5 < a.std() / b.std() < 1


def test_cells_are_more_than_the_dtype_of_codes_holds(rng):
    codes = rng.integers(40, size=(5_000, 2)).astype(np.uint8)
    rows = make_rows(codes, rng.normal(size=5_000), n_codes=(41, 41))
    crossed = cross(in_memory(replace(rows, codes=codes)), [(0, 1)])
    numbers = crossed.source.rows.codes[:, 2]
    expected = np.unique(40 * codes[:, 0].astype(int) + codes[:, 1], return_inverse=True)
    assert_array_equal(numbers, expected[1])


def test_rows_that_are_not_listed_change_no_cell(rng):
    rows, _ = draw_cells(rng, 600)
    codes = rows.codes.copy()
    codes[:50, 0] = rows.n_codes[0] - 1
    unlisted = replace(rows, codes=codes)
    crossed = cross(in_memory(unlisted), [(0, 1)])
    assert crossed.source.n_codes[-1] == len(crossed.cells[0].keys) + 1
    (found,) = crossed.effects(effects_of(crossed.source, alpha=1.0), SQUARED)
    assert_array_equal(found.effects[-1], 0)
    assert_array_equal(found.fold_effects[:, -1], 0)


@each_loss
def test_crosses_of_partitions_are_those_of_the_rows_together(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs, n_rows=400, n_codes=(5, 4))
    rows = replace(rows, n_codes=np.array([6, 5]))
    blocks = cut(rows, 4, n_folds=N_FOLDS)
    partitioned = Partitioned(blocks, summarize(blocks), 2)
    found, expected = (cross(s, [(0, 1)]) for s in (partitioned, in_memory(rows)))
    assert_array_equal(found.cells[0].keys, expected.cells[0].keys)
    (a,) = found.effects(effects_of(found.source, loss, 1.0), loss)
    (b,) = expected.effects(effects_of(expected.source, loss, 1.0), loss)
    assert_allclose(a.effects, b.effects, atol=1e-5)
    assert_allclose(a.effective_counts, b.effective_counts)
    assert a.explained_variance_ratio == pytest.approx(b.explained_variance_ratio)
    # Blocks spread their own rows over the folds, so that these hold other rows.
    assert a.fold_effects.shape == b.fold_effects.shape


# ------------------------------------------------------------------ what is chosen


def chosen(rows, fold_of_row, held_out, loss=SQUARED):
    shape = len(rows.n_codes), rows.targets.shape[1]
    held_out_rows = HeldOutRows(rows, fold_of_row, held_out, loss, np.ones(shape))
    return [candidate.pair for candidate in choose_crosses(held_out_rows)]


@each_loss
def test_held_out_predictions_are_those_of_the_folds_model(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs, n_rows=200)
    source = in_memory(rows)
    effects = effects_of(source, loss, 1.0)
    _, fold_of_row = source.held_out_sample(1_000)
    assert_array_equal(fold_of_row, np.arange(200) % N_FOLDS)
    found = held_out_prediction(rows, fold_of_row, effects)
    for i in (0, 57, 199):
        of_codes, dense, _ = effects.folds[i % N_FOLDS]
        expected = np.append(1, rows.context[i]) @ dense
        expected = expected + of_codes[rows.codes[i] + rows.offsets].sum(axis=0)
        assert_allclose(found[i], expected)


@pytest.mark.parametrize("loss", [SQUARED, BINOMIAL], ids=["squared", "binomial"])
def test_the_pair_that_acts_is_chosen_first(loss, rng):
    rows, _ = draw_cells(rng, 4_000)
    if loss is BINOMIAL:
        rows = replace(rows, targets=(rows.targets > 0).astype(float))
    source = in_memory(rows)
    (first, *_) = choose_pairs(source, loss, effects_of(source, loss)).pairs
    assert first == (0, 1)


def test_partitions_choose_the_same_pair(rng):
    rows, _ = draw_cells(rng, 4_000)
    blocks = cut(rows, 3, n_folds=N_FOLDS)
    source = Partitioned(blocks, summarize(blocks), 2)
    assert choose_pairs(source, SQUARED, effects_of(source)).pairs == [(0, 1)]


def test_additive_tables_and_noise_have_hardly_ever_a_cross():
    kept = 0
    for seed in range(40):
        rows, _ = draw_cells(np.random.default_rng(seed), 600, size=0.0)
        source = in_memory(rows)
        kept += bool(choose_pairs(source, SQUARED, effects_of(source)).pairs)
    # 2 on average; more than 6 come less than once in a hundred times.
    assert kept <= 6


def held_out(rows):
    shape = len(rows.n_codes), rows.targets.shape[1]
    folds, nothing = np.arange(len(rows)) % N_FOLDS, np.zeros(rows.targets.shape)
    return HeldOutRows(rows, folds, nothing, SQUARED, np.ones(shape))


def test_other_rows_confirm_pairs_that_act_and_hardly_any_that_do_not(rng):
    codes = rng.integers(6, size=(4_000, 13))
    cells = rng.normal(size=(6, 6))[codes[:, 0], codes[:, 1]]
    target = cells + rng.normal(size=4_000)
    first, second = (
        held_out(make_rows(codes[half], target[half], n_codes=[6] * 13))
        for half in (slice(2_000), slice(2_000, None))
    )
    candidates = [candidate_of(first, pair) for pair in combinations(range(13), 2)]
    kept = confirmed(candidates, second)
    assert kept[0].pair == (0, 1)
    # 4 of 77 on average; more than 11 come less than once in a thousand times.
    assert len(kept[1:]) <= 11


@pytest.mark.parametrize("n_rows", [3_500, 7_000])
def test_rows_beyond_those_that_are_screened_must_confirm_pairs(n_rows, rng, monkeypatch):
    rows, _ = draw_cells(rng, n_rows)
    blocks = cut(rows, 3, n_folds=N_FOLDS)
    pairs = [(0, 1), (0, 2), (1, 2)]
    monkeypatch.setattr(
        crossed_effects,
        "choose_crosses",
        lambda screened: [candidate_of(screened, pair) for pair in pairs],
    )
    for source in (in_memory(rows), Partitioned(blocks, summarize(blocks), 2)):
        effects = effects_of(source)
        monkeypatch.setattr(crossed_effects, "MAX_ROWS_SCREENED", n_rows)
        assert choose_pairs(source, SQUARED, effects).pairs == pairs
        monkeypatch.setattr(crossed_effects, "MAX_ROWS_SCREENED", 1_500)
        assert choose_pairs(source, SQUARED, effects).pairs == [(0, 1)]


def test_a_column_nested_in_another_makes_no_pair(rng):
    fine = rng.integers(30, size=3_000)
    target = rng.normal(size=30)[fine] + 0.1 * rng.normal(size=3_000)
    rows = make_rows(np.column_stack([fine, fine // 3]), target, n_codes=(31, 11))
    source = in_memory(rows)
    # The additive model without the fine column leaves all that this one tells.
    blind = stack_fits(fit_all_rows(source, SQUARED, 1e6), [])
    nothing = np.zeros((3_000, 1)) + blind.full.dense
    assert chosen(rows, np.arange(3_000) % 5, nothing) == []


def test_columns_that_a_fold_does_not_know_make_no_pair(rng):
    # Each category lies within one fold, as under folds of groups.
    codes = np.column_stack([np.arange(3_000) % 50, rng.integers(5, size=3_000)])
    cells = rng.normal(size=(50, 5))[codes[:, 0], codes[:, 1]]
    rows = make_rows(codes, cells, n_codes=(51, 6))
    held_out = np.zeros((3_000, 1))
    assert chosen(rows, codes[:, 0] % 5, held_out) == []
    assert chosen(rows, np.arange(3_000) // 600, held_out) == [(0, 1)]
