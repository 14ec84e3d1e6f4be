from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from engine_data import (
    LOSS_CASES,
    SQUARED,
    draw_rows,
    draw_table,
    draw_targets,
    every_row,
    make_rows,
    trunk_over,
)
from numpy.testing import assert_allclose, assert_array_equal

from sk_embed._engine.network.batches import (
    RowOrder,
    copies_for_tables,
    random_order,
    scatter,
)
from sk_embed._engine.network.optimizers import RowAdagrad
from sk_embed._engine.network.passes import TrunkLearner, leave_frozen, run_pass

each_loss = pytest.mark.parametrize(
    ("loss", "n_outputs"), LOSS_CASES.values(), ids=LOSS_CASES
)
# One row; a size that leaves a rest; a divisor; all rows; more than there are.
each_batch_size = pytest.mark.parametrize("batch_size", [1, 7, 8, 40, 100])
each_n_tables = pytest.mark.parametrize("n_tables", [1, 2, 5])
WIDTH = 3


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def learn(rows, is_used, trunk, loss, prior, order):
    """Learn tables in one pass under a frozen trunk: one for each row of is_used.

    Returns the tables, and the progressive loss.
    """
    n_tables = len(is_used)
    tables = RowAdagrad(np.tile(prior, (1, n_tables)), 0.1)
    before = trunk.parameters.copy()
    # A learning rate of zero notes the losses and leaves the trunk as it is.
    learner = TrunkLearner(trunk, loss, learning_rate=0.0)
    run_pass(rows, is_used, order, trunk, loss, tables, learner)
    assert_array_equal(trunk.parameters, before)
    apart = tables.table.reshape(len(prior), n_tables, -1).swapaxes(0, 1)
    return apart, learner.pop_loss()


# ------------------------------------------------------------------ rows


@pytest.fixture
def three_rows():
    return make_rows(np.array([[0, 0], [2, 1], [1, 1]]), np.zeros(3), n_codes=(4, 2))


def test_stacked_codes_of_columns_do_not_meet(three_rows):
    assert_array_equal(three_rows.offsets, [0, 4])
    assert_array_equal(three_rows.stacked_codes(np.arange(3)), [[0, 4], [2, 5], [1, 5]])
    assert three_rows.n_table_rows == 6
    assert len(three_rows) == 3


def test_stacked_codes_are_those_of_the_rows_asked_for(three_rows):
    assert_array_equal(three_rows.stacked_codes(np.array([2, 0, 2]))[:, 0], [1, 0, 1])
    assert_array_equal(three_rows.stacked_codes_of(slice(1, 3)), [[2, 5], [1, 5]])


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64])
def test_stacked_codes_are_of_the_type_that_products_with_one_hot_matrices_take(dtype, rng):
    rows = draw_rows(rng)
    rows = replace(rows, codes=rows.codes.astype(dtype))
    assert rows.stacked_codes(np.arange(40)).dtype == np.int32
    assert rows.stacked_codes_of(slice(40)).dtype == np.int32


def test_part_of_the_rows_has_their_values_and_the_same_tables(rng):
    rows = draw_rows(rng)
    chosen = np.array([7, 3, 30])
    part = rows.part(chosen)
    assert len(part) == 3
    for name in ("codes", "context", "targets", "weight"):
        assert_array_equal(getattr(part, name), getattr(rows, name)[chosen])
    assert part.n_table_rows == rows.n_table_rows
    assert_array_equal(part.stacked_codes(np.arange(3)), rows.stacked_codes(chosen))


# ------------------------------------------------------------------ row orders


@each_batch_size
def test_order_is_cut_into_batches_that_hold_each_row_once(batch_size, rng):
    rows = draw_rows(rng)
    order = rng.permutation(40)
    batches = list(RowOrder(rows, order, batch_size))
    assert_array_equal(np.concatenate([batch.rows for batch in batches]), order)
    assert all(len(batch.rows) == batch_size for batch in batches[:-1])
    assert 0 < len(batches[-1].rows) <= batch_size


def test_order_of_a_part_of_the_rows_visits_no_others(rng):
    rows = draw_rows(rng)
    some = rng.permutation(40)[:17]
    batches = RowOrder(rows, some, batch_size=7)
    assert_array_equal(np.concatenate([batch.rows for batch in batches]), some)


@each_batch_size
def test_slots_lead_to_the_codes_of_the_batch_rows(batch_size, rng):
    rows = draw_rows(rng)
    for batch in RowOrder(rows, rng.permutation(40), batch_size):
        assert_array_equal(batch.table_rows[batch.slots], rows.stacked_codes(batch.rows))


@each_batch_size
def test_touched_rows_are_the_different_codes_each_once(batch_size, rng):
    rows = draw_rows(rng)
    for batch in RowOrder(rows, rng.permutation(40), batch_size):
        codes = rows.stacked_codes(batch.rows)
        assert_array_equal(np.sort(batch.table_rows), np.unique(codes))


def test_slots_are_found_where_codes_are_many_and_where_they_are_few(rng):
    # Next to no code, each code at most places, and each code at many.
    for n_codes in (5000, 50, 1):
        rows = draw_rows(rng, n_rows=1000, n_codes=(n_codes, n_codes, 3))
        for batch in RowOrder(rows, rng.permutation(1000), 64):
            codes = rows.stacked_codes(batch.rows)
            assert_array_equal(batch.table_rows[batch.slots], codes)
            assert_array_equal(np.sort(batch.table_rows), np.unique(codes))


def test_an_order_can_be_gone_over_again(rng):
    order = RowOrder(draw_rows(rng), rng.permutation(40), 7)
    for first, second in zip(order, order, strict=True):
        for once, again in zip(first, second, strict=True):
            assert_array_equal(once, again)


def test_batches_stay_as_they_were_when_the_next_is_made(rng):
    rows = draw_rows(rng)
    batches = list(RowOrder(rows, rng.permutation(40), 7))
    for batch in batches:
        assert_array_equal(batch.table_rows[batch.slots], rows.stacked_codes(batch.rows))


def test_a_column_of_one_category_is_touched_in_each_batch(rng):
    rows = draw_rows(rng, n_codes=(1, 5))
    batches = list(RowOrder(rows, rng.permutation(40), 7))
    assert len(batches) == 6
    assert all(np.sum(batch.table_rows == 0) == 1 for batch in batches)


# ------------------------------------------------------------------ scatter


@each_batch_size
def test_scatter_sums_the_gradient_of_each_touched_row(batch_size, rng):
    rows = draw_rows(rng, n_codes=(6, 3, 1, 20))
    for batch in RowOrder(rows, rng.permutation(40), batch_size):
        gradient = rng.normal(size=(batch.slots.size, WIDTH))
        expected = np.zeros((30, WIDTH))
        np.add.at(expected, rows.stacked_codes(batch.rows).ravel(), gradient)
        assert_allclose(
            scatter(gradient, batch.slots.ravel(), len(batch.table_rows)),
            expected[batch.table_rows],
            rtol=1e-12,
            atol=1e-14,
        )


@pytest.mark.parametrize("n_places", [0, 1, 200])
def test_scatter_takes_slots_in_any_order_and_leaves_zeros_where_there_are_none(
    n_places, rng
):
    # Even slots alone, of twenty.
    slots = 2 * rng.integers(10, size=n_places).astype(np.int32)
    gradient = rng.normal(size=(n_places, WIDTH))
    expected = np.zeros((20, WIDTH))
    np.add.at(expected, slots, gradient)
    found = scatter(gradient, slots, 20)
    assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    assert_array_equal(found[1::2], 0)


def test_scatter_leaves_its_arguments_alone(rng):
    slots = rng.integers(4, size=30).astype(np.int32)
    gradient = rng.normal(size=(30, WIDTH))
    given = slots.copy(), gradient.copy()
    scatter(gradient, slots, 4)
    assert_array_equal(slots, given[0])
    assert_array_equal(gradient, given[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scatter_keeps_the_dtype(dtype, rng):
    batch = next(iter(RowOrder(draw_rows(rng), np.arange(40), 8)))
    gradient = np.ones((16, WIDTH), dtype)
    assert scatter(gradient, batch.slots.ravel(), len(batch.table_rows)).dtype == dtype


# ------------------------------------------------------------------ several tables


def draw_is_used(rng, n_tables):
    return rng.random((n_tables, 40)) < 0.6


def test_copies_for_one_table_of_every_row_are_the_batch_itself(rng):
    rows = draw_rows(rng)
    batch = next(iter(RowOrder(rows, np.arange(40), 8)))
    copies = copies_for_tables(batch, every_row(rows))
    assert_array_equal(copies.table, np.zeros(8))
    assert_array_equal(copies.row, np.arange(8))
    assert_array_equal(copies.slots, batch.slots)


@each_batch_size
@each_n_tables
def test_each_table_has_one_copy_of_each_row_that_it_uses(batch_size, n_tables, rng):
    rows, is_used = draw_rows(rng), draw_is_used(rng, n_tables)
    pairs = []
    for batch in RowOrder(rows, rng.permutation(40), batch_size):
        copies = copies_for_tables(batch, is_used)
        assert len(copies.slots) == len(copies.row) == len(copies.table)
        pairs += zip(copies.table, batch.rows[copies.row], strict=True)
    assert sorted(pairs) == list(zip(*np.nonzero(is_used), strict=True))


@each_batch_size
@each_n_tables
def test_copies_read_each_table_as_the_batch_reads_one(batch_size, n_tables, rng):
    rows, is_used = draw_rows(rng), draw_is_used(rng, n_tables)
    tables = rng.normal(size=(n_tables, 9, WIDTH))
    side_by_side = np.concatenate(list(tables), axis=1)
    for batch in RowOrder(rows, rng.permutation(40), batch_size):
        copies = copies_for_tables(batch, is_used)
        vectors = side_by_side[batch.table_rows].reshape(-1, WIDTH)
        codes = rows.stacked_codes(batch.rows[copies.row])
        assert_array_equal(vectors[copies.slots], tables[copies.table[:, None], codes])


@each_batch_size
@each_n_tables
def test_copies_scatter_as_the_rows_of_each_table_do(batch_size, n_tables, rng):
    rows, is_used = draw_rows(rng), draw_is_used(rng, n_tables)
    for batch in RowOrder(rows, rng.permutation(40), batch_size):
        copies = copies_for_tables(batch, is_used)
        gradient = rng.normal(size=(*copies.slots.shape, WIDTH))
        n_read = len(batch.table_rows)
        together = scatter(
            gradient.reshape(-1, WIDTH), copies.slots.ravel(), n_read * n_tables
        ).reshape(n_read, n_tables, WIDTH)
        for table in range(n_tables):
            own = copies.table == table
            slots = batch.slots[copies.row[own]].ravel()
            apart = scatter(gradient[own].reshape(-1, WIDTH), slots, n_read)
            assert_array_equal(together[:, table], apart)


def test_copies_leave_the_batch_alone(rng):
    rows = draw_rows(rng)
    (batch,) = RowOrder(rows, rng.permutation(40), 40)
    before = batch.slots.copy()
    for is_used in (every_row(rows), draw_is_used(rng, 3)):
        copies_for_tables(batch, is_used)
        assert_array_equal(batch.slots, before)


@each_loss
def test_tables_learned_side_by_side_are_those_learned_one_by_one(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    order = RowOrder(rows, rng.permutation(40), batch_size=7)
    # As in cross-fitting: each table leaves out other rows.
    is_used = np.arange(40) % 4 != np.arange(4)[:, None]

    together, _ = learn(rows, is_used, trunk, loss, prior, order)
    apart = [learn(rows, used[None], trunk, loss, prior, order)[0][0] for used in is_used]

    assert_allclose(together, apart, rtol=1e-10, atol=1e-12)
    assert np.abs(together[0] - together[1]).max() > 1e-3


def test_loss_of_tables_side_by_side_is_their_weighted_mean(rng):
    loss, n_outputs = LOSS_CASES["multinomial"]
    rows = draw_rows(rng, loss, n_outputs)
    trunk = trunk_over(rng, rows, WIDTH, (6,))
    prior = draw_table(rng, rows, WIDTH)
    order = RowOrder(rows, rng.permutation(40), batch_size=7)
    # Tables of different weight, each with rows in each batch: a learner needs some.
    is_used = np.stack([np.full(40, True), *draw_is_used(rng, 2)])
    assert all(is_used[:, batch.rows].any(axis=1).all() for batch in order)
    _, together = learn(rows, is_used, trunk, loss, prior, order)
    apart = [learn(rows, used[None], trunk, loss, prior, order)[1] for used in is_used]
    assert together == pytest.approx(np.average(apart, weights=is_used @ rows.weight))
    assert np.ptp(apart) > 0.01


def test_batches_in_which_a_table_uses_no_rows_leave_it_alone(rng):
    loss = LOSS_CASES["squared"][0]
    rows = draw_rows(rng)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    order = rng.permutation(40)
    is_used = every_row(rows).repeat(3, axis=0)
    # Of batches of eight the first is of no use to table 1, and none to table 2.
    is_used[1, order[:8]] = False
    is_used[2] = False

    together, _ = learn(rows, is_used, trunk, loss, prior, RowOrder(rows, order, 8))
    whole, _ = learn(rows, is_used[:1], trunk, loss, prior, RowOrder(rows, order, 8))
    rest = RowOrder(rows, order[8:], 8)
    without_first, _ = learn(rows, every_row(rows), trunk, loss, prior, rest)
    assert_allclose(together[0], whole[0], rtol=1e-10, atol=1e-12)
    assert_allclose(together[1], without_first[0], rtol=1e-10, atol=1e-12)
    assert_array_equal(together[2], prior)


@each_loss
@each_n_tables
def test_batches_that_no_table_uses_change_no_bit(n_tables, loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    order = rng.permutation(40)
    is_used = every_row(rows).repeat(n_tables, axis=0)
    is_used[:, order[16:24]] = False
    kept = np.delete(order, np.arange(16, 24))

    tables = []
    for visited in (order, kept):
        optimizer = RowAdagrad(np.tile(prior, (1, n_tables)), 0.1)
        row_order = RowOrder(rows, visited, 8)
        run_pass(rows, is_used, row_order, trunk, loss, optimizer, leave_frozen)
        tables.append(optimizer.table)
    assert_array_equal(tables[0], tables[1])


# ------------------------------------------------------------------ rows that are not used


@each_loss
def test_targets_of_rows_that_are_not_used_change_no_bit(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    order = RowOrder(rows, rng.permutation(40), batch_size=7)
    ignored = np.arange(40) % 3 == 0
    others = draw_rows(rng, loss, n_outputs)
    changed = replace(
        rows,
        targets=np.where(ignored[:, None], others.targets, rows.targets),
        weight=np.where(ignored, others.weight, rows.weight),
    )
    assert np.any(changed.targets != rows.targets)

    before, loss_before = learn(rows, ~ignored[None], trunk, loss, prior, order)
    after, loss_after = learn(changed, ~ignored[None], trunk, loss, prior, order)
    assert_array_equal(before, after)
    assert loss_before == loss_after


@each_loss
def test_targets_that_one_table_does_not_use_change_no_bit_of_it_beside_others(
    loss, n_outputs, rng
):
    rows = draw_rows(rng, loss, n_outputs)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    order = RowOrder(rows, rng.permutation(40), batch_size=7)
    is_used = np.arange(40) % 3 != np.arange(3)[:, None]
    others = draw_rows(rng, loss, n_outputs)
    targets = np.where(is_used[1][:, None], rows.targets, others.targets)
    changed = replace(rows, targets=targets)
    before, _ = learn(rows, is_used, trunk, loss, prior, order)
    after, _ = learn(changed, is_used, trunk, loss, prior, order)
    assert_array_equal(before[1], after[1])
    assert np.all(np.abs(before - after)[[0, 2]].max(axis=(1, 2)) > 1e-3)


def test_categories_of_no_used_row_stay_at_the_prior(rng):
    rows = draw_rows(rng)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    order = RowOrder(rows, rng.permutation(40), batch_size=7)
    is_used = (rows.codes[:, 0] != 2)[None]
    (table,), _ = learn(rows, is_used, trunk, LOSS_CASES["squared"][0], prior, order)
    unmoved = np.all(table == prior, axis=1)
    assert_array_equal(np.flatnonzero(unmoved), [2])


@each_loss
def test_rows_that_are_not_used_are_as_if_left_out_where_batches_keep_their_other_rows(
    loss, n_outputs, rng
):
    rows = draw_rows(rng, loss, n_outputs)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    # Used and ignored rows take turns: eight rows are four that count.
    order = rng.permutation(40)
    used = np.sort(order[::2])
    is_used = np.isin(np.arange(40), used)[None]
    kept = rows.part(used)

    with_ignored, loss_with = learn(
        rows, is_used, trunk, loss, prior, RowOrder(rows, order, 8)
    )
    kept_order = RowOrder(kept, np.searchsorted(used, order[::2]), 4)
    without, loss_without = learn(kept, every_row(kept), trunk, loss, prior, kept_order)

    # Bit for bit, for a row that is not used takes part in no sum.
    assert_array_equal(with_ignored, without)
    assert loss_with == loss_without


@each_loss
def test_row_of_weight_two_is_two_rows_in_its_batch(loss, n_outputs, rng):
    rows = replace(draw_rows(rng, loss, n_outputs), weight=np.full(40, 2.0))
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    order = rng.permutation(40)
    twice = replace(rows.part(np.repeat(np.arange(40), 2)), weight=np.ones(80))
    both = (2 * order[:, None] + [0, 1]).ravel()

    heavy, heavy_loss = learn(
        rows, every_row(rows), trunk, loss, prior, RowOrder(rows, order, 7)
    )
    doubled, doubled_loss = learn(
        twice, every_row(twice), trunk, loss, prior, RowOrder(twice, both, 14)
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
        learn(rows, every_row(rows), trunk, loss, prior, RowOrder(rows, o, 8))
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
    order = RowOrder(rows, rng.permutation(40), batch_size=7)
    others = replace(rows, targets=draw_targets(rng, loss, 40, n_outputs))
    first, _ = learn(rows, every_row(rows), trunk, loss, prior, order)
    second, _ = learn(others, every_row(rows), trunk, loss, prior, order)
    assert np.abs(first - second).max() > 1e-3


# ------------------------------------------------------------------ orders


@pytest.mark.parametrize("n_in_reach", [1_000, 1_001, 10**9])
def test_rows_within_reach_are_permuted_by_one_call(n_in_reach):
    order = random_order(np.random.default_rng(0), 1_000, n_in_reach)
    rows = np.arange(1_000, dtype=np.int32)
    assert_array_equal(order, np.random.default_rng(0).permutation(rows))
    assert order.dtype == np.int32


@pytest.mark.parametrize("n_in_reach", [1, 15, 16, 160, 999])
def test_every_order_holds_each_row_once(n_in_reach, rng):
    order = random_order(rng, 1_000, n_in_reach)
    assert_array_equal(np.sort(order), np.arange(1_000))
    assert np.abs(np.diff(order)).mean() > 300


def test_rows_beyond_reach_are_read_in_stretches(rng):
    order = random_order(rng, 100_000, 10_000)
    for reach in np.split(order, 10):
        # Some twenty stretches of 625 rows, all of whose rows are close together.
        gaps = np.diff(np.sort(reach)) > 1
        assert gaps.sum() <= 17
        # Within reach each stretch is spread over all places.
        first = reach // 625 == reach[0] // 625
        assert np.flatnonzero(first).std() > 2_000
    assert not np.array_equal(order, random_order(rng, 100_000, 10_000))


# ------------------------------------------------------------------ sums over long arrays


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_context", [0, 1, 2, 5])
@pytest.mark.parametrize("n_rows", [1, 65_536, 65_537, 200_000])
def test_variance_by_blocks_has_the_bits_of_that_of_all_rows(n_context, n_rows, dtype, rng):
    context = rng.normal(3, size=(n_rows, n_context)).astype(dtype)
    weight = rng.random(n_rows).astype(dtype)
    rows = make_rows(np.zeros(n_rows, int), weight, context, weight)
    expected = rows.mean((context - rows.mean(context)) ** 2)
    assert_array_equal(rows.context_variance(), expected)


def test_a_pass_over_some_rows_copies_nothing_of_all(rng):
    n_rows = 500_000
    rows = make_rows(rng.integers(5, size=(n_rows, 2)), np.zeros(n_rows))
    # As the weights of a table are that all weigh the same.
    rows = replace(rows, weight=np.broadcast_to(np.ones(1), n_rows))
    trunk, table = trunk_over(rng, rows, WIDTH, (4,)), draw_table(rng, rows, WIDTH)
    order, is_used = (
        RowOrder(rows, rng.permutation(n_rows)[:64].astype(np.int32), 32),
        every_row(rows),
    )
    tables = RowAdagrad(table, 0.1)
    tracemalloc.start()
    run_pass(rows, is_used, order, trunk, SQUARED, tables, leave_frozen)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < n_rows
