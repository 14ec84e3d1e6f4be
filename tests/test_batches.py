from __future__ import annotations

import numpy as np
import pytest
from engine_data import (
    LOSS_CASES,
    draw_rows,
    draw_table,
    draw_targets,
    make_rows,
    trunk_over,
)
from numpy.testing import assert_allclose, assert_array_equal

from sk_embed._engine.batches import RowOrder
from sk_embed._engine.optimizers import RowAdagrad
from sk_embed._engine.training import leave_frozen, run_pass

each_loss = pytest.mark.parametrize(
    ("loss", "n_outputs"), LOSS_CASES.values(), ids=LOSS_CASES
)
# One row; a size that leaves a rest; a divisor; all rows; more than there are.
each_batch_size = pytest.mark.parametrize("batch_size", [1, 7, 8, 40, 100])
WIDTH = 3


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def learn(rows, weights, trunk, loss, prior, order):
    """Learn tables in one pass under a frozen trunk: one for each row of weights."""
    n_tables = len(weights)
    tables = RowAdagrad(np.tile(prior, (n_tables, 1)), 0.1)
    progressive_loss = run_pass(rows, weights, order, trunk, loss, tables, leave_frozen)
    return tables.table.reshape(n_tables, *prior.shape), progressive_loss


# ------------------------------------------------------------------ rows


def test_stacked_codes_of_columns_do_not_meet():
    rows = make_rows(np.array([[0, 0], [2, 1], [1, 1]]), np.zeros(3), n_codes=(4, 2))
    assert_array_equal(rows.offsets, [0, 4])
    assert_array_equal(rows.stacked_codes, [[0, 4], [2, 5], [1, 5]])
    assert len(rows) == 3


# ------------------------------------------------------------------ row orders


@each_batch_size
def test_order_is_cut_into_batches_that_hold_each_row_once(batch_size, rng):
    rows = draw_rows(rng)
    order = rng.permutation(40)
    batches = list(RowOrder(rows.stacked_codes, order, batch_size))
    assert_array_equal(np.concatenate([batch.rows for batch in batches]), order)
    assert all(len(batch.rows) == batch_size for batch in batches[:-1])
    assert 0 < len(batches[-1].rows) <= batch_size


@each_batch_size
def test_codes_are_those_of_the_batch_rows(batch_size, rng):
    rows = draw_rows(rng)
    for batch in RowOrder(rows.stacked_codes, rng.permutation(40), batch_size):
        assert_array_equal(batch.codes, rows.stacked_codes[batch.rows].ravel())


@each_batch_size
def test_touched_rows_are_the_different_codes_ascending(batch_size, rng):
    rows = draw_rows(rng)
    for batch in RowOrder(rows.stacked_codes, rng.permutation(40), batch_size):
        assert_array_equal(batch.touched, np.unique(batch.codes))


@each_batch_size
def test_places_are_grouped_by_the_row_that_they_read(batch_size, rng):
    rows = draw_rows(rng)
    for batch in RowOrder(rows.stacked_codes, rng.permutation(40), batch_size):
        assert_array_equal(np.sort(batch.places), np.arange(len(batch.codes)))
        assert_array_equal(
            batch.codes[batch.places], np.repeat(batch.touched, np.diff(batch.boundaries))
        )


def test_an_order_can_be_gone_over_again(rng):
    order = RowOrder(draw_rows(rng).stacked_codes, rng.permutation(40), 7)
    for first, second in zip(order, order, strict=True):
        assert_array_equal(first.rows, second.rows)
        assert_array_equal(first.boundaries, second.boundaries)


def test_a_column_of_one_category_is_touched_in_each_batch(rng):
    rows = draw_rows(rng, n_codes=(1, 5))
    batches = RowOrder(rows.stacked_codes, rng.permutation(40), 7)
    assert all(batch.touched[0] == 0 for batch in batches)


# ------------------------------------------------------------------ scatter


@each_batch_size
def test_scatter_sums_the_gradient_of_each_touched_row(batch_size, rng):
    rows = draw_rows(rng, n_codes=(6, 3, 1, 20))
    for batch in RowOrder(rows.stacked_codes, rng.permutation(40), batch_size):
        gradient = rng.normal(size=(len(batch.codes), WIDTH))
        expected = np.zeros((30, WIDTH))
        np.add.at(expected, batch.codes, gradient)
        assert_allclose(
            batch.scatter(gradient), expected[batch.touched], rtol=1e-12, atol=1e-14
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scatter_keeps_the_dtype(dtype, rng):
    batch = next(iter(RowOrder(draw_rows(rng).stacked_codes, np.arange(40), 8)))
    assert batch.scatter(np.ones((16, WIDTH), dtype)).dtype == dtype


# ------------------------------------------------------------------ several tables


def test_batch_of_one_table_is_the_batch_itself(rng):
    batch = next(iter(RowOrder(draw_rows(rng).stacked_codes, np.arange(40), 8)))
    assert batch.repeat(1, table_size=9) is batch


@each_batch_size
@pytest.mark.parametrize("n_tables", [2, 5])
def test_repeated_batch_reads_each_table_as_the_batch_reads_one(batch_size, n_tables, rng):
    rows = draw_rows(rng)
    tables = rng.normal(size=(n_tables, 9, WIDTH))
    stacked = tables.reshape(-1, WIDTH)
    for batch in RowOrder(rows.stacked_codes, rng.permutation(40), batch_size):
        repeated = batch.repeat(n_tables, table_size=9)
        assert_array_equal(repeated.rows, np.tile(batch.rows, n_tables))
        assert_array_equal(
            stacked[repeated.codes].reshape(n_tables, -1, WIDTH), tables[:, batch.codes]
        )
        assert_array_equal(repeated.touched, np.unique(repeated.codes))


@each_batch_size
@pytest.mark.parametrize("n_tables", [2, 5])
def test_repeated_batch_scatters_as_the_batch_does_for_each_table(
    batch_size, n_tables, rng
):
    rows = draw_rows(rng)
    for batch in RowOrder(rows.stacked_codes, rng.permutation(40), batch_size):
        gradients = rng.normal(size=(n_tables, len(batch.codes), WIDTH))
        repeated = batch.repeat(n_tables, table_size=9)
        together = repeated.scatter(gradients.reshape(-1, WIDTH))
        apart = np.concatenate([batch.scatter(gradient) for gradient in gradients])
        assert_array_equal(together, apart)


@each_loss
def test_tables_learned_side_by_side_are_those_learned_one_by_one(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    order = RowOrder(rows.stacked_codes, rng.permutation(40), batch_size=7)
    # As in cross-fitting: the tables differ in the rows of weight zero.
    weights = rows.weight * (np.arange(40) % 4 != np.arange(4)[:, None])

    together, _ = learn(rows, weights, trunk, loss, prior, order)
    apart = [learn(rows, w[None], trunk, loss, prior, order)[0][0] for w in weights]

    assert_allclose(together, apart, rtol=1e-10, atol=1e-12)
    assert np.abs(together[0] - together[1]).max() > 1e-3


def test_loss_of_tables_side_by_side_is_their_weighted_mean(rng):
    loss, n_outputs = LOSS_CASES["multinomial"]
    rows = draw_rows(rng, loss, n_outputs)
    trunk = trunk_over(rng, rows, WIDTH, (6,))
    prior = draw_table(rng, rows, WIDTH)
    order = RowOrder(rows.stacked_codes, rng.permutation(40), batch_size=7)
    weights = rng.uniform(size=(3, 40))
    _, together = learn(rows, weights, trunk, loss, prior, order)
    apart = [learn(rows, w[None], trunk, loss, prior, order)[1] for w in weights]
    assert together == pytest.approx(np.average(apart, weights=weights.sum(axis=1)))


# ------------------------------------------------------------------ rows of weight zero


@each_loss
def test_targets_of_rows_of_weight_zero_change_no_bit(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    order = RowOrder(rows.stacked_codes, rng.permutation(40), batch_size=7)
    ignored = np.arange(40) % 3 == 0
    weights = (rows.weight * ~ignored)[None]
    others = draw_rows(rng, loss, n_outputs)
    changed = make_rows(
        rows.codes,
        np.where(ignored[:, None], others.targets, rows.targets),
        rows.context,
        rows.weight,
    )
    assert np.any(changed.targets != rows.targets)

    before, loss_before = learn(rows, weights, trunk, loss, prior, order)
    after, loss_after = learn(changed, weights, trunk, loss, prior, order)
    assert_array_equal(before, after)
    assert loss_before == loss_after


def test_categories_of_weight_zero_stay_at_the_prior(rng):
    rows = draw_rows(rng)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    order = RowOrder(rows.stacked_codes, rng.permutation(40), batch_size=7)
    weights = (rows.weight * (rows.codes[:, 0] != 2))[None]
    (table,), _ = learn(rows, weights, trunk, LOSS_CASES["squared"][0], prior, order)
    unmoved = np.all(table == prior, axis=1)
    assert_array_equal(np.flatnonzero(unmoved), [2])


@each_loss
def test_rows_of_weight_zero_are_as_if_left_out_where_batches_keep_their_other_rows(
    loss, n_outputs, rng
):
    rows = draw_rows(rng, loss, n_outputs)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    # Used and ignored rows take turns: eight rows are four that count.
    order = rng.permutation(40)
    used = np.sort(order[::2])
    weights = np.zeros((1, 40))
    weights[0, used] = rows.weight[used]
    kept = make_rows(
        rows.codes[used],
        rows.targets[used],
        rows.context[used],
        rows.weight[used],
        n_codes=rows.n_codes,
    )

    with_ignored, loss_with = learn(
        rows, weights, trunk, loss, prior, RowOrder(rows.stacked_codes, order, 8)
    )
    kept_order = RowOrder(kept.stacked_codes, np.searchsorted(used, order[::2]), 4)
    without, loss_without = learn(kept, kept.weight[None], trunk, loss, prior, kept_order)

    assert_allclose(with_ignored, without, rtol=1e-10, atol=1e-12)
    assert loss_with == pytest.approx(loss_without, rel=1e-10)


@each_loss
def test_row_of_weight_two_is_two_rows_in_its_batch(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    order = rng.permutation(40)
    twice = make_rows(
        np.repeat(rows.codes, 2, axis=0),
        np.repeat(rows.targets, 2, axis=0),
        np.repeat(rows.context, 2, axis=0),
        n_codes=rows.n_codes,
    )
    both = (2 * order[:, None] + [0, 1]).ravel()

    heavy, heavy_loss = learn(
        rows,
        np.full((1, 40), 2.0),
        trunk,
        loss,
        prior,
        RowOrder(rows.stacked_codes, order, 7),
    )
    doubled, doubled_loss = learn(
        twice,
        twice.weight[None],
        trunk,
        loss,
        prior,
        RowOrder(twice.stacked_codes, both, 14),
    )
    assert_allclose(heavy, doubled, rtol=1e-10, atol=1e-12)
    assert heavy_loss == pytest.approx(doubled_loss, rel=1e-10)


@each_loss
def test_order_of_rows_within_a_batch_does_not_matter(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    order = rng.permutation(40)
    shuffled = rng.permuted(order.reshape(5, 8), axis=1).ravel()
    learned = [
        learn(
            rows, rows.weight[None], trunk, loss, prior, RowOrder(rows.stacked_codes, o, 8)
        )
        for o in (order, shuffled)
    ]
    assert_allclose(learned[0][0], learned[1][0], rtol=1e-10, atol=1e-12)
    assert learned[0][1] == pytest.approx(learned[1][1], rel=1e-10)


def test_targets_drawn_again_would_be_noticed(rng):
    # Guards the tests above: another target does move the tables.
    loss, n_outputs = LOSS_CASES["squared"]
    rows = draw_rows(rng)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    order = RowOrder(rows.stacked_codes, rng.permutation(40), batch_size=7)
    others = make_rows(rows.codes, draw_targets(rng, loss, 40, n_outputs), rows.context)
    first, _ = learn(rows, rows.weight[None], trunk, loss, prior, order)
    second, _ = learn(others, rows.weight[None], trunk, loss, prior, order)
    assert np.abs(first - second).max() > 1e-3
