from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engine_data import BINOMIAL, LOSS_CASES, SQUARED, draw_rows, make_rows
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import pdist

from sk_embed._engine.additive.main_effects import fit_all_rows
from sk_embed._engine.axes import effect_slopes
from sk_embed._engine.cells import CrossRule
from sk_embed._engine.column_vectors import (
    SubsetTable,
    TablesOfColumn,
    in_canonical_axes,
    sample_categories,
)
from sk_embed._engine.model import ModelSettings, learn_model
from sk_embed._engine.network import table_groups
from sk_embed._engine.network.training import TrainingSettings
from sk_embed._engine.sources import InMemory

each_loss = pytest.mark.parametrize(
    ("loss", "n_outputs"), LOSS_CASES.values(), ids=LOSS_CASES
)
WIDTH = 3
N_CODES = (12, 8)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def settings(batch_size=32, **changes):
    training = TrainingSettings(
        width=WIDTH,
        table_learning_rate=0.1,
        learning_rate=1e-2,
        weight_decay=0.1,
        max_epochs=4,
        tolerance=0.0,
        patience=10**6,
        n_sweeps=3,
        batch_size=batch_size,
    )
    defaults = {
        "training": training,
        "hidden_layer_sizes": (8, 4),
        "alpha": None,
        "n_fold_tables": 0,
        "crosses": CrossRule(()),
        "init_scale": 0.0,
        "main_effects": True,
        "dtype": np.dtype(np.float64),
    }
    return ModelSettings(**defaults | changes)


def draw_interaction(rng, loss=SQUARED, n_outputs=1, n_rows=400):
    """Draw rows whose target follows effects, and the product of two columns' signs."""
    rows = draw_rows(rng, loss, n_outputs, n_rows=n_rows, n_codes=N_CODES)
    first, second = rows.codes.T
    raw_prediction = np.cos(first) + (-1.0) ** (first + second) + rows.context[:, 0]
    targets = raw_prediction[:, None] * np.arange(1, n_outputs + 1) + 0.5 * rows.targets
    if loss is BINOMIAL:
        targets = (targets > 0.5).astype(float)
    elif loss is not SQUARED:
        targets = np.eye(n_outputs)[(targets.argmax(axis=1) + (first % 2)) % n_outputs]
    return make_rows(rows.codes, targets, rows.context, rows.weight, N_CODES)


def learn(rows, loss=SQUARED, seed=0, n_folds=4, **changes):
    is_training = np.arange(len(rows)) % n_folds != np.arange(n_folds)[:, None]
    rng = np.random.default_rng(seed)
    chosen = settings(n_fold_tables=n_folds, **changes)
    return learn_model(InMemory(rows, is_training), loss, chosen, rng)


def counts_of(rows, number):
    return np.bincount(rows.codes[:, number], rows.weight, minlength=N_CODES[number])


# ------------------------------------------------------------------ vectors less effects


@each_loss
def test_what_the_effects_say_is_taken_out_of_the_vectors(loss, n_outputs, rng):
    rows = draw_interaction(rng, loss, n_outputs)
    # An estimated penalty leaves a column that has no effects next to none.
    less, whole = (
        learn(rows, loss, main_effects=said, alpha=1.0) for said in (True, False)
    )
    for number, (a, b) in enumerate(zip(less.columns, whole.columns, strict=True)):
        assert_array_equal(a.effects, b.effects)
        slopes = effect_slopes(b.vectors, b.effects, counts_of(rows, number))
        assert np.abs(slopes).max() > 1e-3
        # The axes are others, the distances are not.
        left = b.vectors - b.effects @ slopes
        assert_allclose(pdist(a.vectors), pdist(left), rtol=1e-6, atol=1e-9)
        assert_allclose(
            np.linalg.norm(a.vectors, axis=1), np.linalg.norm(left, axis=1), atol=1e-9
        )


@each_loss
def test_of_a_folds_vectors_that_folds_effects_are_taken_out(loss, n_outputs, rng):
    # By the slopes of all rows: so all vectors of a category lie in one space.
    rows = draw_interaction(rng, loss, n_outputs)
    less, whole = (learn(rows, loss, main_effects=said) for said in (True, False))
    for number, (a, b) in enumerate(zip(less.columns, whole.columns, strict=True)):
        slopes = effect_slopes(b.vectors, b.effects, counts_of(rows, number))
        left = b.vectors - b.effects @ slopes
        folds = b.fold_vectors - b.fold_effects @ slopes
        for fold, expected in zip(a.fold_vectors, folds, strict=True):
            together = pdist(np.vstack([a.vectors, fold]))
            assert_allclose(
                together, pdist(np.vstack([left, expected])), rtol=1e-6, atol=1e-9
            )


@pytest.mark.parametrize("main_effects", [True, False])
def test_axes_of_the_vectors_are_orthogonal_and_fall(main_effects, rng):
    rows = draw_interaction(rng)
    for number, column in enumerate(learn(rows, main_effects=main_effects).columns):
        counts = counts_of(rows, number)
        moment = (column.vectors.T * counts) @ column.vectors / counts.sum()
        diagonal = np.diag(moment)
        assert_allclose(moment, np.diag(diagonal), atol=1e-9)
        assert np.all(np.diff(diagonal) <= 0)
        assert_allclose(column.explained_variance_ratio, diagonal / diagonal.sum())


def test_categories_of_one_row_are_counted(rng):
    rows = draw_interaction(rng)
    codes = np.where(rows.codes < 4, 4, rows.codes)
    codes[:4] = np.arange(4)[:, None]
    weight = np.ones(len(rows))
    rows = make_rows(codes, rows.targets, rows.context, weight, N_CODES)
    for number, column in enumerate(learn(rows).columns):
        assert column.n_categories == len(np.unique(codes[:, number]))


def test_share_is_that_of_the_second_moment_of_effects_and_vectors(rng):
    rows = draw_interaction(rng)
    for number, column in enumerate(learn(rows).columns):
        counts = counts_of(rows, number)
        both = np.hstack([column.effects, column.vectors])
        moments = np.average(both**2, axis=0, weights=counts)
        assert_allclose(column.share, moments[1:] / moments.sum(), rtol=1e-6)


def test_effects_that_are_not_given_out_have_no_share(rng):
    for column in learn(draw_interaction(rng), main_effects=False).columns:
        assert_allclose(column.share, column.explained_variance_ratio, rtol=1e-9)


@each_loss
def test_categories_without_rows_are_at_the_origin(loss, n_outputs, rng):
    rows = draw_interaction(rng, loss, n_outputs)
    n_codes = np.array(N_CODES) + 1
    wider = make_rows(rows.codes, rows.targets, rows.context, rows.weight, n_codes)
    for column in learn(wider, loss).columns:
        assert_array_equal(column.effects[-1], 0)
        assert_array_equal(column.vectors[-1], 0)
        assert_array_equal(column.fold_vectors[:, -1], 0)


def test_a_target_that_never_changes_has_vectors_and_shares_of_zero(rng):
    rows = draw_rows(rng, n_rows=100, n_codes=N_CODES)
    rows = replace(rows, targets=np.zeros((100, 1)), context=0 * rows.context)
    for column in learn(rows).columns:
        assert np.isfinite(column.vectors).all()
        assert np.isfinite(column.share).all()
        assert column.share.sum() <= 1 + 1e-9


# ------------------------------------------------------------------ noise and context


@each_loss
def test_noise_ratio_of_a_column_is_the_largest_of_its_outputs(loss, n_outputs, rng):
    rows = draw_interaction(rng, loss, n_outputs)
    wholes = fit_all_rows(InMemory(rows), loss, None)
    expected = np.max([whole.noise_ratio for whole in wholes], axis=0)
    found = [column.noise_ratio for column in learn(rows, loss).columns]
    assert_allclose(found, expected, rtol=1e-9)
    assert all(type(ratio) is float for ratio in found)


def test_context_that_counts_is_more_sensitive_than_context_that_does_not(rng):
    rows = draw_interaction(rng, n_rows=2000)
    counts, does_not = learn(rows).context_sensitivity
    # Its slope is 1, in the unit of the target, and its deviation about 1.
    assert 0.7 < counts < 1.3
    assert does_not < 0.3


def test_too_few_rows_to_tell_have_no_context_sensitivity_and_no_reliability(rng):
    rows = draw_interaction(rng)
    learned = learn(rows, batch_size=len(rows))
    assert learned.context_sensitivity.shape == (0,)
    for column in learned.columns:
        assert np.isnan(column.reliability).all()
    learned = learn(rows, batch_size=len(rows) - 1)
    assert learned.context_sensitivity.shape == (2,)
    for column in learned.columns:
        assert np.isfinite(column.reliability).all()


# ------------------------------------------------------------------ orders


@pytest.fixture
def orders(monkeypatch):
    """The orders of rows that are drawn from now on: of final tables, then of epochs."""
    drawn = []
    permutation = InMemory._permutation

    def recorded(source, rng):
        drawn.append(permutation(source, rng))
        return drawn[-1]

    monkeypatch.setattr(InMemory, "_permutation", recorded)
    return drawn


def test_each_epoch_has_an_order_of_its_own_and_so_has_each_final_table(rng, orders):
    rows = draw_interaction(rng)
    learn(rows)
    assert len({tuple(order) for order in orders}) == len(orders) == 4 + 3
    for order in orders:
        assert_array_equal(np.sort(order), np.arange(len(rows)))


def test_more_epochs_change_no_order_of_the_final_tables(rng, orders):
    # Orders of epochs and of tables come from streams of their own.
    rows = draw_interaction(rng)
    for max_epochs in (1, 5):
        learn(rows, training=replace(settings().training, max_epochs=max_epochs))
    assert len(orders) == 3 + 1 + 3 + 5
    assert_array_equal(orders[:3], orders[4:7])


def assert_same_arrays(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        if isinstance(value, tuple):
            assert_same_arrays(value._asdict(), second[name]._asdict())
        else:
            assert_array_equal(value, second[name])


@each_loss
def test_learning_gives_the_same_bits_again(loss, n_outputs, rng):
    rows = draw_interaction(rng, loss, n_outputs)
    first, second = learn(rows, loss), learn(rows, loss)
    assert first.loss_curve == second.loss_curve
    assert_array_equal(first.context_sensitivity, second.context_sensitivity)
    for a, b in zip(first.columns, second.columns, strict=True):
        assert_same_arrays(vars(a), vars(b))


def test_halves_are_of_different_rows(rng):
    # Of the same rows they would agree wholly.
    for column in learn(draw_interaction(rng)).columns:
        assert np.abs(column.reliability).max() < 0.99


def test_a_category_without_rows_is_at_the_origin_wherever_it_started(rng):
    rows = draw_interaction(rng)
    codes = np.where(rows.codes == 0, 1, rows.codes)
    rows = make_rows(codes, rows.targets, rows.context, rows.weight, N_CODES)
    for column in learn(rows, init_scale=0.5).columns:
        assert_allclose(column.vectors[0], 0, atol=1e-9)
        assert np.abs(column.vectors[1:]).max() > 0.1


def test_without_folds_there_are_no_tables_of_folds(rng):
    rows = draw_interaction(rng)
    model = learn_model(InMemory(rows), SQUARED, settings(), np.random.default_rng(0))
    for column in model.columns:
        assert len(column.fold_vectors) == len(column.fold_effects) == 0


def test_folds_change_nothing_but_their_own_tables(rng):
    rows = draw_interaction(rng)
    first, second = learn(rows, n_folds=2), learn(rows, n_folds=5)
    assert first.loss_curve == second.loss_curve
    for a, b in zip(first.columns, second.columns, strict=True):
        of_folds = dict.fromkeys(["fold_effects", "fold_vectors", "fold_weight"])
        assert_same_arrays(vars(a) | of_folds, vars(b) | of_folds)


# ------------------------------------------------------------------ memory


def test_tables_that_are_learned_apart_are_those_learned_side_by_side(rng, monkeypatch):
    rows = draw_interaction(rng)
    together = learn(rows)
    monkeypatch.setattr(table_groups, "_MAX_BYTES_SIDE_BY_SIDE", 1)
    apart = learn(rows)
    for a, b in zip(together.columns, apart.columns, strict=True):
        assert_allclose(a.vectors, b.vectors, rtol=1e-6, atol=1e-9)
        assert_allclose(a.fold_vectors, b.fold_vectors, rtol=1e-6, atol=1e-9)
        assert_allclose(a.reliability, b.reliability, rtol=1e-6)
        assert_array_equal(a.fold_effects, b.fold_effects)


@pytest.mark.parametrize(
    ("n_bytes", "sizes"), [(2**24, [4, 1]), (2**27, [1] * 5), (0, [5])]
)
def test_as_many_tables_are_side_by_side_as_memory_allows(n_bytes, sizes):
    subsets, kept = np.arange(3, 8), list(range(5))
    parts = table_groups.side_by_side(subsets, kept, n_bytes)
    assert [len(part.kept) for part in parts] == sizes
    assert_array_equal(np.concatenate([part.subsets for part in parts]), subsets)
    assert [k for part in parts for k in part.kept] == kept


# ------------------------------------------------------------------ turned tables


def reliability_of(halves):
    counts = np.ones(halves.shape[1])
    learned = TablesOfColumn(
        full=SubsetTable(halves.mean(axis=0), np.zeros((len(counts), 1)), counts),
        folds=[],
        halves=halves,
        prior=np.zeros(halves.shape[1:]),
        sample=sample_categories(counts),
        noise_ratio=1.0,
    )
    return in_canonical_axes(learned, np.eye(4), main_effects=True).reliability


def test_halves_that_turned_the_vectors_agree(rng):
    # Two halves that found the same vectors, the second in coordinates of its own.
    table, turn = rng.normal(size=(200, 4)), np.linalg.qr(rng.normal(size=(4, 4)))[0]
    # The whole holds more of the first half.
    halves = np.stack([table, 0.5 * table @ turn])
    straight = reliability_of(np.stack([table, 0.5 * table]))
    assert reliability_of(halves).min() > 0.9 * straight.min()


def test_halves_of_noise_are_not_turned_to_agree(rng):
    found = [reliability_of(rng.normal(size=(2, 200, 4))) for _ in range(60)]
    assert abs(np.mean(found)) < 0.03
