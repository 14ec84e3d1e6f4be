"""Rows in blocks: what the engine learns from them by sums and by rounds."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from engine_data import LOSS_CASES, SQUARED, draw_rows, draw_trunk, make_rows
from numpy.testing import assert_allclose, assert_array_equal

from sk_embed._engine.additive import main_effects, objective
from sk_embed._engine.additive.main_effects import (
    fit_all_rows,
    fit_fold,
    output_groups,
    solve_all_rows,
)
from sk_embed._engine.additive.objective import AdditiveModel
from sk_embed._engine.additive.partitioned import BlocksModel
from sk_embed._engine.cells import CrossRule
from sk_embed._engine.model import ModelSettings, learn_model
from sk_embed._engine.network.local_sgd import (
    Rounds,
    RoundSlice,
    Tables,
    TrunkState,
    learn_tables_in_rounds,
)
from sk_embed._engine.network.optimizers import RowAdagrad
from sk_embed._engine.network.training import TrainingSettings, constant_loss, learn_tables
from sk_embed._engine.partitions import (
    BlockList,
    RowSums,
    add_up,
    in_groups,
    make_block,
    sample_of,
    summarize,
)
from sk_embed._engine.sources import InMemory, Partitioned

each_loss = pytest.mark.parametrize(
    ("loss", "n_outputs"), LOSS_CASES.values(), ids=LOSS_CASES
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def cut(rows, n_blocks, n_folds=0, seed=3):
    """Cut rows into blocks of several sizes; every n_folds-th row is of one fold."""
    ends = np.cumsum(np.arange(1, n_blocks + 1)) * len(rows) // sum(range(n_blocks + 1))
    parts = np.split(np.arange(len(rows)), ends[:-1])
    folds = [part % n_folds if n_folds else None for part in parts]
    blocks = [
        make_block(number, rows.part(part), fold, n_folds, seed)
        for number, (part, fold) in enumerate(zip(parts, folds, strict=True))
    ]
    return BlockList(blocks, rows.n_codes)


def settings(width=2, batch_size=32, dtype=np.float32, n_folds=0, crosses=(), **changes):
    chosen = {
        "width": width,
        "table_learning_rate": 0.1,
        "learning_rate": 5e-3,
        "weight_decay": 1e-3,
        "max_epochs": 6,
        "tolerance": 1e-3,
        "patience": 3,
        "n_sweeps": 2,
        "batch_size": batch_size,
    }
    training = TrainingSettings(**(chosen | changes))
    dtype = np.dtype(dtype)
    return ModelSettings(
        training, (16, 8), 1.0, n_folds, CrossRule(crosses), 0.0, True, dtype
    )


# ------------------------------------------------------------------ sums


def test_sums_of_rows_are_those_of_long_tables(rng):
    tables = np.zeros((3, 40, 2))
    sums = []
    for table in tables:
        rows = np.sort(rng.choice(40, 15, replace=False))
        table[rows] = rng.normal(size=(15, 2))
        sums.append(RowSums(rows, table[rows]))
    total = sums[0] + sums[1] + sums[2]
    assert_allclose(total.as_table(40), tables.sum(axis=0))
    assert_array_equal(total.rows, np.flatnonzero(tables.any(axis=(0, 2))))


def test_answers_are_added_entry_by_entry_and_lists_are_joined():
    assert add_up([(1, [2], "a"), (3, [4], "b"), (5, [], "c")]) == (9, [2, 4], "abc")
    groups = in_groups(list(range(20)))
    assert [part for group in groups for part in group] == list(range(20))
    assert max(map(len, groups)) == 8


@pytest.mark.parametrize("n_blocks", [1, 3, 20])
def test_summaries_are_those_of_the_rows_together(n_blocks, rng):
    rows = draw_rows(rng, n_rows=400)
    summary = summarize(cut(rows, n_blocks, n_folds=5))
    assert (summary.n_rows, summary.n_context) == (400, 2)
    assert_allclose(summary.mean_target, rows.mean(rows.targets))
    is_used = np.arange(400) % 5 != np.arange(5)[:, None]
    assert_allclose(summary.weight[3:], is_used @ rows.weight)
    assert_allclose(summary.weight[1] + summary.weight[2], summary.weight[0])
    for subset, weight in ((0, rows.weight), (4, rows.weight * is_used[1])):
        found = summary.weight_of_codes(rows.n_codes, subset)
        for codes, n, of_codes in zip(rows.codes.T, rows.n_codes, found, strict=True):
            assert_allclose(of_codes, np.bincount(codes, weight, n))
    (effective, _) = summary.effective_counts(rows.n_codes)
    total, squares = (np.bincount(rows.codes[:, 0], rows.weight**p, 6) for p in (1, 2))
    assert_allclose(effective, total**2 / squares)


def test_a_code_that_no_block_holds_has_no_rows():
    codes = np.array([[0, 1], [2, 1], [2, 1]])
    rows = make_rows(codes, np.zeros(3), n_codes=(4, 3))
    summary = summarize(cut(rows, 2))
    first, second = summary.effective_counts(rows.n_codes)
    assert_array_equal(first, [1, 0, 2, 0])
    assert_array_equal(second, [0, 3, 0])


def test_samples_are_rows_of_all_blocks(rng):
    rows = draw_rows(rng, n_rows=300)
    blocks = cut(rows, 3)
    summary = summarize(blocks)
    every, _ = sample_of(blocks, 1_000, summary)
    for name in ("codes", "context", "targets", "weight"):
        assert_array_equal(getattr(every, name), getattr(rows, name))
    some, _ = sample_of(blocks, 60, summary)
    assert 60 <= len(some) <= 63
    assert set(map(tuple, some.context)) <= set(map(tuple, rows.context))


# ------------------------------------------------------------------ main effects


@each_loss
def test_model_of_blocks_is_that_of_the_rows(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs, n_rows=300)
    blocks = cut(rows, 9, n_folds=5)
    summary, is_used = summarize(blocks), np.arange(300) % 5 != 2
    for outputs in output_groups(InMemory(rows), loss):
        group = rows.with_outputs(outputs)
        found = BlocksModel(blocks, summary, loss, outputs, 3 + 2)
        expected = AdditiveModel(group, loss, is_used)
        assert_allclose(found.null_coefficients(), expected.null_coefficients(), atol=1e-12)
        assert found.total_weight == pytest.approx(expected.total_weight)
        point, direction = rng.normal(size=(2, *found.zeros().shape))
        at, at_rows = found.evaluate(point), expected.evaluate(point)
        assert at.value == pytest.approx(at_rows.value)
        assert_allclose(at.gradient, at_rows.gradient, atol=1e-10)
        penalty = found.penalty(np.array([0.5, 4.0]))
        assert_allclose(
            found.hessian_product(direction, at, penalty),
            expected.hessian_product(direction, at_rows, penalty),
            atol=1e-10,
        )
        pairs = zip(found.curvature(at), expected.curvature(at_rows), strict=True)
        for of_blocks, of_rows in pairs:
            assert_allclose(of_blocks, of_rows, atol=1e-10)


@each_loss
def test_main_effects_of_blocks_are_those_of_the_rows(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs, n_rows=300)
    blocks = cut(rows, 4, n_folds=5)
    summary, outputs = summarize(blocks), loss.joint_outputs(n_outputs)[0]
    group = rows.with_outputs(outputs)
    found = solve_all_rows(BlocksModel(blocks, summary, loss, outputs), None, None)
    expected = fit_all_rows(InMemory(rows), loss, None)[0]
    assert_allclose(found.effects, expected.effects, atol=1e-7)
    assert_allclose(found.alpha, expected.alpha, rtol=1e-5)
    assert_allclose(found.noise_ratio, expected.noise_ratio, rtol=1e-5)
    of_fold, *_ = fit_fold(found, BlocksModel(blocks, summary, loss, outputs, 3))
    used = np.arange(300) % 5 != 0
    expected_of_fold, *_ = fit_fold(expected, AdditiveModel(group, loss, used))
    assert_allclose(of_fold, expected_of_fold, atol=1e-6)


@each_loss
def test_many_rows_have_the_same_effects_in_single_precision(
    loss, n_outputs, rng, monkeypatch
):
    rows = draw_rows(rng, loss, n_outputs, n_rows=600)
    expected = fit_all_rows(InMemory(rows), loss, None)
    monkeypatch.setattr(objective, "ROWS_OF_A_CHUNK", 100)
    monkeypatch.setattr(main_effects, "ROWS_OF_FIRST_ESTIMATE", 60)
    blocks = cut(rows, 4)
    summary, penalties = summarize(blocks), replace(settings(), alpha=None)
    source = Partitioned(blocks, summary, 2)
    found = learn_model(source, loss, penalties, np.random.default_rng(0))
    effects = np.concatenate([column.effects for column in found.columns])
    of_all = np.hstack([whole.effects for whole in expected])
    # Penalties are estimated to a tenth, and effects of noise are small.
    assert_allclose(effects, of_all, atol=0.02)
    outputs = loss.joint_outputs(n_outputs)[0]
    model = BlocksModel(blocks, summary, loss, outputs)
    assert model.hessian_dtype == np.float32
    fixed = solve_all_rows(model, None, 2.0)
    assert_allclose(
        fixed.effects, fit_all_rows(InMemory(rows), loss, 2.0)[0].effects, atol=1e-4
    )


# ------------------------------------------------------------------ rounds


def test_one_block_in_one_round_learns_tables_as_rows_in_memory_do(rng):
    rows = draw_rows(rng, n_rows=200)
    blocks = cut(rows, 1)
    trunk = draw_trunk(rng, 2 * 2 + 2, (5,), 1)
    prior, chosen = rng.normal(size=(9, 2)), settings(n_sweeps=3, batch_size=16).training
    found = learn_tables_in_rounds(
        blocks, np.array([0, 2]), trunk, SQUARED, prior, chosen, Rounds(1, seed=5)
    )
    (block,) = blocks.blocks
    from sk_embed._engine.network.batches import RowOrder

    size = chosen.sweep_batch_size
    pieces = [RoundSlice((5, sweep), 0, 1, size) for sweep in range(3)]
    orders = [RowOrder(rows, piece.of(block), size) for piece in pieces]
    is_used = block.is_used[[0, 2]]
    in_memory = learn_tables(rows, is_used, orders, trunk, SQUARED, prior, chosen)
    # A round gives back what it moved by, and so rounds once more.
    assert_allclose(found, in_memory, rtol=1e-10, atol=1e-12)


def test_pieces_of_a_pass_hold_each_row_once(rng):
    (block,) = cut(draw_rows(rng, n_rows=50), 1).blocks
    pieces = [RoundSlice((1, 2), number, 8, 4).of(block) for number in range(8)]
    assert_array_equal(np.sort(np.concatenate(pieces)), np.arange(50))
    other = RoundSlice((1, 3), 0, 8, 4).of(block)
    assert not np.array_equal(other, pieces[0])


def after_round(squares, moves):
    """Return where one weight at 0 goes, given evidence and moves of some blocks."""
    tables = Tables.begin(np.arange(1), 0.1, np.zeros((1, 1)))
    answers = [
        RowSums(np.arange(1), np.array([[np.sqrt(1 + g) * d, g]]))
        for g, d in zip(squares, moves, strict=True)
    ]
    return tables.after_round(sum(answers[1:], answers[0]))


def test_blocks_that_know_little_add_up():
    little = after_round([1e-9, 1e-9, 1e-9], [0.1, 0.2, -0.05])
    assert little.vectors[0, 0] == pytest.approx(0.25)


def test_steps_of_blocks_are_the_step_for_their_gradients_together():
    gradients = np.array([0.3, -0.1, 2.0, 5.0])
    steps = -0.1 * gradients / np.sqrt(1 + gradients**2)
    together = after_round(gradients**2, steps)
    evidence = 1 + (gradients**2).sum()
    assert together.vectors[0, 0] == pytest.approx(-0.1 * gradients.sum() / evidence**0.5)
    assert together.accumulator[0, 0] == pytest.approx(evidence)


def test_a_block_alone_moves_as_far_as_it_went(rng):
    alone = after_round([3.0], [0.7])
    assert alone.vectors[0, 0] == pytest.approx(0.7)
    assert alone.accumulator[0, 0] == 1 + 3.0


def test_tables_begin_where_their_optimiser_does(rng):
    prior = rng.normal(size=(4, 3))
    begun, adagrad = Tables.begin(np.arange(1), 0.1, prior), RowAdagrad(prior, 0.1)
    assert_array_equal(begun.vectors, prior)
    assert_array_equal(begun.accumulator, adagrad.accumulator)


def test_trunks_are_averaged_by_the_rows_of_their_pieces(rng):
    trunk = draw_trunk(rng, 3, (2,), 1)
    n = len(trunk.parameters)
    a, b, first = rng.normal(size=(3, n))
    state = TrunkState(trunk, (np.zeros(n), np.zeros(n), 0))
    mean = state.combined(4.0, 1 * a + 3 * b, 4 * first, 8 * first**2, 4 * 7.5)
    assert_allclose(mean.trunk.parameters, (a + 3 * b) / 4)
    assert_allclose(mean.adam[0], first)
    assert_allclose(mean.adam[1], 2 * first**2)
    assert mean.adam[2] == 8
    assert not np.array_equal(trunk.parameters, mean.trunk.parameters)


# ------------------------------------------------------------------ the whole model


def draw_interaction(rng, n_rows=3_000, noise=0.1):
    """Two columns whose product is the target: no main effects."""
    codes = np.column_stack([rng.integers(12, size=n_rows), rng.integers(6, size=n_rows)])
    a, b = rng.normal(size=12), rng.normal(size=6)
    target = a[codes[:, 0]] * b[codes[:, 1]] + noise * rng.normal(size=n_rows)
    return make_rows(codes.astype(np.int32), target / target.std()), a


def learn(blocks, loss=SQUARED, seed=0, **changes):
    summary, rng = summarize(blocks), np.random.default_rng(seed)
    chosen = settings(n_folds=summary.n_folds, **changes)
    return learn_model(Partitioned(blocks, summary, 16), loss, chosen, rng)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
)
def test_vectors_of_blocks_hold_the_interaction(seed):
    rows, a = draw_interaction(np.random.default_rng(seed), 6_000)
    chosen = {"max_epochs": 40, "learning_rate": 1e-2, "patience": 40, "n_sweeps": 3}
    model = learn(cut(rows, 4, n_folds=3), **chosen)
    column = model.columns[0]
    # What the other column's mean is not zero for is in the main effects.
    told = np.column_stack([np.ones(12), column.effects, column.vectors[:, 0]])
    weights = np.linalg.lstsq(told, a, rcond=None)[0]
    assert np.var(a - told @ weights) < 0.05 * a.var()
    assert column.reliability[0] > 0.8
    # The tables of the folds are in the axes of all rows.
    folds = zip(column.fold_effects, column.fold_vectors, strict=True)
    for effects, vectors in folds:
        told = np.column_stack([np.ones(12), effects, vectors[:, 0]])
        assert np.var(a - told @ weights) < 0.1 * a.var()
    assert model.loss_curve[-1] < 0.2 * constant_loss(rows, SQUARED)


def test_losses_of_noise_are_those_of_rows_that_are_not_learned_by_heart(rng):
    rows = draw_rows(rng, n_rows=2_000, n_codes=(200, 50))
    rows = replace(rows, targets=rng.normal(size=(2_000, 1)))
    model = learn(cut(rows, 5), max_epochs=6, learning_rate=1e-3)
    assert min(model.loss_curve) > 0.97 * constant_loss(rows, SQUARED)


@each_loss
def test_the_same_blocks_give_the_same_bits(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs, n_rows=120)
    blocks = cut(rows, 3, n_folds=2)
    again = pickle.loads(pickle.dumps(blocks))
    first, second = (learn(b, loss, max_epochs=2) for b in (blocks, again))
    for a, b in zip(first.columns, second.columns, strict=True):
        assert_array_equal(a.vectors, b.vectors)
        assert_array_equal(a.fold_vectors, b.fold_vectors)
        assert_array_equal(a.effects, b.effects)
    assert first.loss_curve == second.loss_curve


def test_folds_change_nothing_else(rng):
    rows, _ = draw_interaction(rng, 500)
    without, with_folds = (learn(cut(rows, 3, n), max_epochs=2) for n in (0, 4))
    for a, b in zip(without.columns, with_folds.columns, strict=True):
        assert_allclose(a.effects, b.effects, rtol=1e-9, atol=1e-12)
        assert_allclose(a.vectors, b.vectors, rtol=1e-5, atol=1e-6)


def test_a_large_step_that_diverges_is_named(rng):
    rows, _ = draw_interaction(rng, 300)
    with (
        np.errstate(all="ignore"),
        pytest.raises(ValueError, match=r"diverged in epoch \d+; lower learning_rate_init"),
    ):
        learn(cut(rows, 3), learning_rate=1e30)


def test_a_block_of_fewer_rows_than_rounds_learns(rng):
    rows = draw_rows(rng, n_rows=9)
    model = learn(cut(rows, 3, n_folds=2), max_epochs=2)
    assert all(np.isfinite(column.vectors).all() for column in model.columns)
