from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from engine_data import (
    LOSS_CASES,
    SQUARED,
    draw_rows,
    draw_table,
    draw_targets,
    draw_trunk,
    every_row,
    make_rows,
    torch_forward,
    trunk_over,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize

from sk_embed import EmbeddingEncoder
from sk_embed._engine.network.batches import RowOrder
from sk_embed._engine.network.optimism import SecondTrunk
from sk_embed._engine.network.optimizers import RowAdagrad
from sk_embed._engine.network.passes import (
    BatchGradients,
    TrunkLearner,
    leave_frozen,
    look_up,
    run_pass,
)
from sk_embed._engine.network.training import (
    TrainingSettings,
    constant_loss,
    learn_tables,
    learn_trunk,
)
from sk_embed._engine.network.trunk import Trunk

each_loss = pytest.mark.parametrize(
    ("loss", "n_outputs"), LOSS_CASES.values(), ids=LOSS_CASES
)
WIDTH = 3


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def settings(**changes):
    defaults = {
        "width": WIDTH,
        "table_learning_rate": 0.1,
        "learning_rate": 1e-3,
        "weight_decay": 0.0,
        "max_epochs": 3,
        "tolerance": 0.0,
        "patience": 10**6,
        "n_sweeps": 2,
        "batch_size": 8,
    }
    return TrainingSettings(**defaults | changes)


def draw_order(rng, rows, batch_size=8):
    return RowOrder(rows, rng.permutation(len(rows)), batch_size)


def fresh_orders(rng, rows, batch_size=8):
    """Return what draws an order anew at each call."""
    return lambda: draw_order(rng, rows, batch_size)


def zero_prior(rows):
    return np.zeros((rows.n_table_rows, WIDTH))


def random_prior(rng, rows, scale=0.1):
    """Return what draws a random start anew at each call."""
    return lambda: scale * draw_table(rng, rows, WIDTH)


def curve_of(
    rows, next_order, trunk, loss=SQUARED, draw_prior=None, report=None, **changes
):
    """Learn the trunk, from tables of zeros unless said; return the loss curve."""
    draw_prior = draw_prior or (lambda: zero_prior(rows))
    return learn_trunk(
        rows,
        lambda: (next_order(), draw_prior()),
        trunk,
        loss,
        settings(**changes),
        report or (lambda epoch, loss: False),
    ).loss_curve


def pure_noise(rng, n_rows, rows_per_category):
    codes = rng.permutation(np.arange(n_rows) // rows_per_category)
    return make_rows(codes, rng.normal(size=n_rows))


def learn_beside_second(rows, held_out, n_epochs=6):
    """Learn a trunk while a second one tells its optimism; return all three."""
    rng = np.random.default_rng(0)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    second = SecondTrunk(rows, held_out, trunk, SQUARED, settings())
    learned = learn_trunk(
        rows,
        lambda: (draw_order(rng, rows), zero_prior(rows)),
        trunk,
        SQUARED,
        settings(max_epochs=n_epochs, patience=n_epochs),
        lambda epoch, loss: False,
        second,
    )
    return learned, second


def test_a_second_trunk_changes_nothing_but_what_is_told(rng):
    rows = draw_rows(rng, SQUARED, 1)
    learned, _ = learn_beside_second(rows, np.arange(10))
    again = np.random.default_rng(0)
    alone = trunk_over(again, rows, WIDTH, (6, 4))
    curve = curve_of(rows, fresh_orders(again, rows), alone, max_epochs=6, patience=6)
    assert_array_equal(learned.trunk.parameters, alone.parameters)
    assert learned.loss_curve[0] == pytest.approx(curve[0], abs=0.05)
    assert learned.loss_curve != curve


def test_targets_of_held_out_rows_do_not_teach_the_second_trunk(rng):
    # Rows that share no category with others teach nothing but the trunk.
    codes = np.column_stack([np.arange(40), np.arange(40)])
    rows = make_rows(codes, rng.normal(size=40))
    other = replace(rows, targets=np.where(np.arange(40)[:, None] < 10, 9, rows.targets))
    (first, second), (of_other, second_of_other) = (
        learn_beside_second(each, np.arange(10)) for each in (rows, other)
    )
    assert not np.array_equal(first.trunk.parameters, of_other.trunk.parameters)
    assert_array_equal(second.trunk.parameters, second_of_other.trunk.parameters)


# ------------------------------------------------------------------ one pass


@each_loss
def test_progressive_loss_is_that_before_the_update(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    first, second = rows.codes.T
    inputs = np.hstack([prior[first], prior[6 + second], rows.context])
    raw_prediction, _ = trunk.forward(inputs)
    expected = np.average(loss.loss(rows.targets, raw_prediction), weights=rows.weight)

    learner = TrunkLearner(trunk, loss, 1e-3)
    order, tables = draw_order(rng, rows, batch_size=40), RowAdagrad(prior.copy(), 0.1)
    run_pass(rows, every_row(rows), order, trunk, loss, tables, learner)
    assert learner.pop_loss() == pytest.approx(expected, rel=1e-12)


@each_loss
def test_progressive_loss_begins_anew_when_it_is_popped(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    orders = [RowOrder(rows, some, 7) for some in np.split(rng.permutation(40), [25])]
    prior = draw_table(rng, rows, WIDTH)

    def told_of(orders, learner):
        for order in orders:
            tables = RowAdagrad(prior.copy(), 0.1)
            run_pass(rows, every_row(rows), order, trunk, loss, tables, learner)
            yield learner.pop_loss

    # At a rate of zero the trunk stays as it is.
    learner = TrunkLearner(trunk, loss, 0.0)
    found = [pop_loss() for pop_loss in told_of(orders, learner)]
    alone = [
        pop_loss()
        for order in orders
        for pop_loss in told_of([order], TrunkLearner(trunk, loss, 0.0))
    ]
    assert found == alone
    # What is not popped is noted together, each row by its weight.
    *_, pop_loss = told_of(orders, learner)
    weights = [sum(rows.weight[batch.rows].sum() for batch in order) for order in orders]
    assert pop_loss() == pytest.approx(np.average(alone, weights=weights), rel=1e-12)
    assert alone[0] != alone[1]


@pytest.mark.parametrize("hidden_layer_sizes", [(), (6, 4)], ids=str)
@each_loss
def test_a_step_tells_of_the_batch_before_the_tables_learn_from_it(
    hidden_layer_sizes, loss, n_outputs, rng
):
    rows = draw_rows(rng, loss, n_outputs)
    trunk = trunk_over(rng, rows, WIDTH, hidden_layer_sizes)
    prior = draw_table(rng, rows, WIDTH)
    order = draw_order(rng, rows, batch_size=7)
    tables, batches = RowAdagrad(prior.copy(), 0.1), iter(order)

    def learn(step):
        chosen = next(batches).rows
        codes = rows.stacked_codes(chosen)
        inputs = look_up(rows, chosen, codes, tables.table)
        raw_prediction, activations = trunk.forward(inputs)
        y, weight = rows.targets[chosen], rows.weight[chosen]
        delta = (loss.inverse_link(raw_prediction) - y) * weight[:, None]
        deltas = trunk.backward(activations, delta)
        expected = BatchGradients(
            chosen, y, raw_prediction, weight, activations, delta, deltas
        )
        for now, then in zip(leaves(step), leaves(expected), strict=True):
            assert_array_equal(now, then)

    run_pass(rows, every_row(rows), order, trunk, loss, tables, learn)
    assert next(batches, None) is None
    assert np.abs(tables.table - prior).max() > 1e-3


def leaves(step):
    activations = step.activations
    yield from (step.rows, step.y_true, step.raw_prediction, step.weight, step.delta)
    yield from (activations.inputs, *activations.hidden, *step.deltas)


@pytest.mark.parametrize("hidden_layer_sizes", [(), (6, 4)], ids=str)
@each_loss
def test_pass_agrees_with_torch(hidden_layer_sizes, loss, n_outputs, rng):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    rows = draw_rows(rng, loss, n_outputs)
    trunk = trunk_over(rng, rows, WIDTH, hidden_layer_sizes)
    table = draw_table(rng, rows, WIDTH)
    order = draw_order(rng, rows, batch_size=7)

    def losses(raw_prediction, y):
        if loss is SQUARED:
            return ((raw_prediction - y) ** 2).sum(1) / 2
        if n_outputs == 3:
            return functional.cross_entropy(raw_prediction, y, reduction="none")
        return functional.binary_cross_entropy_with_logits(
            raw_prediction, y, reduction="none"
        ).sum(1)

    flat = torch.tensor(trunk.parameters, requires_grad=True)
    vectors = torch.tensor(table, requires_grad=True)
    adam = torch.optim.Adam([flat], lr=1e-2)
    adagrad = torch.optim.Adagrad([vectors], lr=0.1, initial_accumulator_value=1, eps=0)
    for batch in order:
        n = len(batch.rows)
        read = vectors[torch.tensor(rows.stacked_codes(batch.rows), dtype=torch.long)]
        context = torch.tensor(rows.context[batch.rows])
        inputs = torch.hstack([read.reshape(n, -1), context])
        raw_prediction = torch_forward(flat, inputs, hidden_layer_sizes, n_outputs)
        weight = torch.tensor(rows.weight[batch.rows])
        adam.zero_grad()
        adagrad.zero_grad()
        (losses(raw_prediction, torch.tensor(rows.targets[batch.rows])) @ weight).backward()
        # The tables take the batch's sum, the trunk its mean.
        flat.grad /= weight.sum()
        adam.step()
        adagrad.step()

    tables = RowAdagrad(table, 0.1)
    learner = TrunkLearner(trunk, loss, 1e-2)
    run_pass(rows, every_row(rows), order, trunk, loss, tables, learner)
    assert_allclose(table, vectors.detach(), rtol=1e-9, atol=1e-11)
    assert_allclose(trunk.parameters, flat.detach(), rtol=1e-7, atol=1e-9)


def test_weights_of_all_rows_together_do_not_change_the_step_of_the_trunk(rng):
    rows = draw_rows(rng)
    parameters = []
    for scale in (1.0, 8.0):
        trunk = trunk_over(np.random.default_rng(1), rows, WIDTH, (6, 4))
        # Tables that hardly move, for their gradient is a sum.
        tables = RowAdagrad(zero_prior(rows), 1e-300)
        order = draw_order(np.random.default_rng(2), rows)
        heavy = replace(rows, weight=scale * rows.weight)
        learner = TrunkLearner(trunk, SQUARED, 1e-2)
        run_pass(heavy, every_row(rows), order, trunk, SQUARED, tables, learner)
        parameters.append(trunk.parameters)
    assert_allclose(parameters[0], parameters[1], rtol=1e-10)


@pytest.mark.parametrize("hidden_layer_sizes", [(), (6, 4)], ids=str)
def test_the_trunks_weights_decay_and_its_biases_do_not(hidden_layer_sizes, rng):
    rows = draw_rows(rng)
    plain, decayed = (
        trunk_over(np.random.default_rng(1), rows, WIDTH, hidden_layer_sizes)
        for _ in range(2)
    )
    start = plain.parameters.copy()
    (batch,) = draw_order(rng, rows, batch_size=40)
    for trunk, learner in (
        (plain, TrunkLearner(plain, SQUARED, 1e-2)),
        (decayed, TrunkLearner(decayed, SQUARED, 1e-2, 0.5)),
    ):
        codes = rows.stacked_codes(batch.rows)
        inputs = look_up(rows, batch.rows, codes, zero_prior(rows))
        raw_prediction, activations = trunk.forward(inputs)
        y = rows.targets[batch.rows]
        delta = raw_prediction - y
        deltas = trunk.backward(activations, delta)
        step = np.arange(40), y, raw_prediction, np.ones(40), activations, delta, deltas
        learner(BatchGradients(*step))
    shrunk = plain.parameters - 0.01 * 0.5 * start
    expected = np.where(plain.is_weight, shrunk, plain.parameters)
    assert_allclose(decayed.parameters, expected, rtol=1e-12, atol=1e-15)


def test_single_precision_stays_under_decay(rng):
    rows = draw_rows(rng)
    trunk = draw_trunk(rng, rows.codes.shape[1] * WIDTH + 2, (6,), 1, np.float32)
    parameters = trunk.parameters
    single = make_rows(
        *(rows.codes, rows.targets.astype(np.float32), rows.context.astype(np.float32)),
        rows.weight.astype(np.float32),
    )
    prior = zero_prior(rows).astype(np.float32)
    curve_of(single, fresh_orders(rng, rows), trunk, SQUARED, prior.copy, weight_decay=0.1)
    assert trunk.parameters is parameters
    assert parameters.dtype == np.float32


# ------------------------------------------------------------------ honest tables


@each_loss
def test_each_epoch_is_a_pass_from_the_prior_with_the_trunk_as_it_is(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    orders = [draw_order(rng, rows) for _ in range(5)]
    trunk, expected_trunk = (
        trunk_over(np.random.default_rng(1), rows, WIDTH, (6, 4)) for _ in range(2)
    )
    draw_prior = random_prior(np.random.default_rng(2), rows)
    curve = curve_of(
        rows, iter(orders).__next__, trunk, loss, draw_prior, max_epochs=5, weight_decay=0.3
    )

    learner = TrunkLearner(expected_trunk, loss, 1e-3, 0.3)
    draw_same_prior = random_prior(np.random.default_rng(2), rows)
    expected = []
    for order in orders:
        tables = RowAdagrad(draw_same_prior(), 0.1)
        run_pass(rows, every_row(rows), order, expected_trunk, loss, tables, learner)
        expected.append(learner.pop_loss())
    assert curve == expected
    assert_array_equal(trunk.parameters, expected_trunk.parameters)


def test_categories_of_one_row_teach_the_trunk_nothing(rng):
    # What is learned about such a category meets no other row within an epoch, and does
    # not live into the next: its learning rate cannot matter to a single bit.
    rows = pure_noise(rng, 128, rows_per_category=1)
    curves, parameters = [], []
    for rate in (1e-3, 10.0):
        trunk = trunk_over(np.random.default_rng(1), rows, WIDTH, (8,))
        orders = fresh_orders(np.random.default_rng(2), rows)
        curves.append(curve_of(rows, orders, trunk, max_epochs=6, table_learning_rate=rate))
        parameters.append(trunk.parameters)
    assert curves[0] == curves[1]
    assert_array_equal(parameters[0], parameters[1])


@pytest.mark.parametrize("rows_per_category", [1, 2])
def test_progressive_loss_on_noise_stays_at_that_of_a_constant(rows_per_category, rng):
    rows = pure_noise(rng, 512, rows_per_category)
    orders = fresh_orders(rng, rows, batch_size=32)
    constant = rows.targets.var() / 2
    changes = {"table_learning_rate": 0.3, "learning_rate": 1e-2}

    trunk = trunk_over(np.random.default_rng(1), rows, WIDTH, (16,))
    honest = curve_of(rows, orders, trunk, max_epochs=15, **changes)

    # The same passes with tables that live on learn the noise by heart: nearly all of it
    # if each row has a category of its own, up to half of it if two rows share one.
    trunk = trunk_over(np.random.default_rng(1), rows, WIDTH, (16,))
    tables, learner = RowAdagrad(zero_prior(rows), 0.3), TrunkLearner(trunk, SQUARED, 1e-2)
    kept = []
    for _ in range(15):
        run_pass(rows, every_row(rows), orders(), trunk, SQUARED, tables, learner)
        kept.append(learner.pop_loss())
    assert min(honest) > 0.97 * constant
    assert min(kept) < 0.7 * constant


def test_random_start_that_is_drawn_anew_is_not_learned_by_heart(rng):
    rows = pure_noise(rng, 128, rows_per_category=1)
    orders = fresh_orders(rng, rows)
    constant = rows.targets.var() / 2
    changes = {"max_epochs": 100, "learning_rate": 1e-2}

    trunk = trunk_over(np.random.default_rng(1), rows, WIDTH, (64, 32))
    anew = curve_of(rows, orders, trunk, draw_prior=random_prior(rng, rows, 1.0), **changes)

    # A start that stays is a fingerprint of each category.
    prior = draw_table(rng, rows, WIDTH)
    trunk = trunk_over(np.random.default_rng(1), rows, WIDTH, (64, 32))
    kept = curve_of(rows, orders, trunk, draw_prior=prior.copy, **changes)
    assert np.mean(anew[-20:]) > constant
    assert kept[-1] < 0.6 * constant


def test_trunk_learns_an_interaction_that_no_additive_model_has(rng):
    codes = rng.integers(10, size=(4000, 2))
    signs = np.where(np.arange(10) % 2, 1.0, -1.0)
    rows = make_rows(codes, signs[codes].prod(axis=1))
    trunk = trunk_over(rng, rows, WIDTH, (16,))
    orders = fresh_orders(rng, rows, batch_size=32)
    draw_prior = random_prior(rng, rows)
    curve = curve_of(
        rows, orders, trunk, draw_prior=draw_prior, max_epochs=15, learning_rate=1e-2
    )
    # The best additive prediction is zero, its loss a half.
    assert curve[0] > 0.2
    assert curve[-1] < 0.05


def test_weights_of_many_numbers_decay_faster(rng):
    trunk = Trunk(3 + 40, (2,), 1, np.dtype(float))
    trunk.parameters[:] = rng.normal(size=len(trunk.parameters))
    before = trunk.parameters.copy()
    # Without a gradient all that is left of a step is the decay.
    TrunkLearner(trunk, SQUARED, 0.1, 0.5, 40).adam.update(np.zeros_like(before))
    first = (3 + 40) * (2 + 1)
    left = trunk.parameters / before
    assert_allclose(left[:9], 0.95)
    assert_allclose(left[9:first], 0.9)
    assert_allclose(left[first : first + 3], 1.0)  # biases
    assert_allclose(left[first + 3 :], 0.95)


def test_rows_are_not_learned_by_heart_by_many_numbers(rng):
    numbers = pd.DataFrame(rng.normal(size=(1000, 100))).add_prefix("number_")
    X, y = numbers.assign(c=rng.integers(9, size=1000).astype(str)), rng.normal(size=1000)
    encoder = EmbeddingEncoder(categorical_features=["c"], random_state=0).fit(X, y)
    # An honest loss of pure noise is half its variance, 0.5; learned by heart, it is 0.03.
    assert min(encoder.loss_curve_) > 0.35


def test_trunk_learns_from_context(rng):
    context = rng.normal(size=(2000, 1))
    rows = make_rows(np.zeros(2000, int), np.abs(context) - 0.8, context)
    trunk = trunk_over(rng, rows, WIDTH, (16,))
    orders = fresh_orders(rng, rows, batch_size=32)
    curve = curve_of(rows, orders, trunk, max_epochs=10, learning_rate=1e-2)
    assert curve[-1] < 0.01 * rows.targets.var() / 2


# ------------------------------------------------------------------ early stopping


def draw_rows_with_signal(rng, loss, n_outputs, n_rows=300):
    """Draw rows whose targets follow from their categories, and are off zero."""
    rows = draw_rows(rng, loss, n_outputs, n_rows=n_rows)
    effects = 2 * rng.normal(size=(6, n_outputs))
    raw_prediction = 0.5 + effects[rows.codes[:, 0]]
    if loss is SQUARED:
        targets = raw_prediction + rng.normal(size=raw_prediction.shape)
    elif n_outputs < 3:
        targets = rng.random(raw_prediction.shape) < loss.inverse_link(raw_prediction)
    else:
        # The largest of Gumbel-distributed utilities is a draw from the softmax.
        utility = raw_prediction + rng.gumbel(size=raw_prediction.shape)
        targets = np.eye(n_outputs)[utility.argmax(axis=1)]
    return make_rows(rows.codes, targets.astype(float), rows.context, rows.weight)


def n_epochs_by_rule(curve, constant, tolerance, patience):
    """Count the epochs until ``patience`` in a row, once below a constant, do not help."""
    needed = tolerance * constant
    n_stale = 0
    for epoch in range(1, len(curve)):
        falls = curve[epoch] < min(curve[:epoch]) - needed
        has_learned = min(curve[: epoch + 1]) < constant - needed
        n_stale = n_stale + 1 if has_learned and not falls else 0
        if n_stale == patience:
            return epoch + 1
    return len(curve)


@pytest.mark.parametrize("patience", [1, 2, 4])
@pytest.mark.parametrize("tolerance", [0.0, 0.001, 0.01, 0.1])
@each_loss
def test_learning_stops_by_tolerance_and_patience(
    loss, n_outputs, tolerance, patience, rng
):
    rows = draw_rows_with_signal(rng, loss, n_outputs)

    def curve(**changes):
        trunk = trunk_over(np.random.default_rng(1), rows, WIDTH, (8,))
        orders = fresh_orders(np.random.default_rng(2), rows, 32)
        return curve_of(
            rows, orders, trunk, loss, max_epochs=25, learning_rate=1e-2, **changes
        )

    whole = curve()
    n_epochs = n_epochs_by_rule(whole, constant_loss(rows, loss), tolerance, patience)
    assert curve(tolerance=tolerance, patience=patience) == whole[:n_epochs]
    # So that the rule is seen at work: no fall is a tenth of the loss for long.
    assert tolerance < 0.1 or n_epochs < 25


def test_learning_goes_on_while_nothing_is_learned(rng):
    rows = pure_noise(rng, 128, rows_per_category=1)
    trunk = trunk_over(rng, rows, WIDTH, (8,))
    curve = curve_of(
        rows, fresh_orders(rng, rows), trunk, max_epochs=20, tolerance=0.01, patience=1
    )
    assert len(curve) == 20


@each_loss
def test_constant_loss_is_that_of_the_best_constant(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)

    def loss_at(raw_prediction):
        losses = loss.loss(rows.targets, np.tile(raw_prediction, (40, 1)))
        return np.average(losses, weights=rows.weight)

    best = minimize(loss_at, np.zeros(n_outputs))
    assert constant_loss(rows, loss) == pytest.approx(best.fun, rel=1e-6)


def test_a_network_that_diverges_is_one_clear_line(rng):
    # Beyond the step sizes that the estimator allows.
    rows = draw_rows(rng)
    trunk = trunk_over(rng, rows, WIDTH, (8,))
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="learning_rate_init"):
        curve_of(rows, fresh_orders(rng, rows), trunk, learning_rate=1e200)


def test_learning_ends_after_max_epochs(rng):
    rows = draw_rows(rng)
    trunk = trunk_over(rng, rows, WIDTH, (8,))
    assert len(curve_of(rows, fresh_orders(rng, rows), trunk, max_epochs=7)) == 7


def test_each_epoch_is_reported_with_its_number_and_loss(rng):
    rows = draw_rows(rng)
    trunk = trunk_over(rng, rows, WIDTH, (8,))
    reported = []
    curve = curve_of(
        rows, fresh_orders(rng, rows), trunk, report=lambda *epoch: reported.append(epoch)
    )
    assert reported == list(enumerate(curve, start=1))


# ------------------------------------------------------------------ final tables


def learn_table(rows, orders, trunk, prior):
    """Learn one table, from every row."""
    tables = learn_tables(rows, every_row(rows), orders, trunk, SQUARED, prior, settings())
    assert tables.shape == (len(prior), 1, WIDTH)
    return tables[:, 0]


def test_learning_tables_leaves_trunk_and_prior_bit_for_bit(rng):
    rows = draw_rows(rng)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    before = trunk.parameters.copy(), prior.copy()
    table = learn_table(rows, [draw_order(rng, rows)], trunk, prior)
    assert np.all(table != prior)
    assert_array_equal(trunk.parameters, before[0])
    assert_array_equal(prior, before[1])


@pytest.mark.parametrize("n_sweeps", [1, 2, 3, 4])
def test_a_table_is_the_mean_at_the_ends_of_all_sweeps_but_the_first(n_sweeps, rng):
    rows = draw_rows(rng)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    orders = [draw_order(rng, rows) for _ in range(n_sweeps)]
    learned = learn_table(rows, orders, trunk, prior)
    tables, ends = RowAdagrad(prior.copy(), 0.1), []
    for order in orders:
        run_pass(rows, every_row(rows), order, trunk, SQUARED, tables, leave_frozen)
        ends.append(tables.table.copy())
    assert_allclose(learned, np.mean(ends[1:] or ends, axis=0), rtol=1e-12)


@pytest.mark.parametrize(
    ("of_epoch", "of_sweep"), [(1, 2), (64, 128), (512, 1024), (600, 1024), (4096, 4096)]
)
def test_batches_of_sweeps_are_larger_than_those_of_epochs(of_epoch, of_sweep):
    assert settings(batch_size=of_epoch).sweep_batch_size == of_sweep


@each_loss
def test_each_table_is_that_of_its_rows(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    orders = [draw_order(rng, rows, batch_size=7) for _ in range(3)]
    # The last table learns from nothing.
    is_used = np.stack([*(rng.random((3, 40)) < 0.6), np.zeros(40, dtype=bool)])
    tables = learn_tables(rows, is_used, orders, trunk, loss, prior, settings())
    assert tables.shape == (9, 4, WIDTH)
    for number, used in enumerate(is_used):
        alone = learn_tables(rows, used[None], orders, trunk, loss, prior, settings())
        assert_allclose(tables[:, number], alone[:, 0], rtol=1e-10, atol=1e-12)
    assert_array_equal(tables[:, 3], prior)


@each_loss
def test_tables_without_a_fold_do_not_depend_on_its_targets(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    orders = [draw_order(rng, rows, batch_size=7) for _ in range(3)]
    fold_of_row = rng.integers(4, size=40)
    is_used = fold_of_row != np.arange(4)[:, None]
    targets = np.where(
        fold_of_row[:, None] == 2, draw_targets(rng, loss, 40, n_outputs), rows.targets
    )
    changed = make_rows(rows.codes, targets, rows.context, rows.weight)

    before, after = (
        learn_tables(r, is_used, orders, trunk, loss, prior, settings())
        for r in (rows, changed)
    )
    assert_array_equal(before[:, 2], after[:, 2])
    others = [0, 1, 3]
    assert np.all(np.abs(before - after)[:, others].max(axis=(0, 2)) > 1e-6)


def test_category_without_rows_stays_at_the_prior(rng):
    rows = draw_rows(rng, n_codes=(6, 3))
    wider = make_rows(rows.codes, rows.targets, rows.context, rows.weight, n_codes=(7, 3))
    trunk = trunk_over(rng, wider, WIDTH, (6, 4))
    prior = draw_table(rng, wider, WIDTH)
    table = learn_table(wider, [draw_order(rng, wider)], trunk, prior)
    unmoved = np.all(table == prior, axis=1)
    assert_array_equal(np.flatnonzero(unmoved), [6])


def test_vectors_of_rare_categories_stay_nearer_to_the_prior(rng):
    # A category of one row and one of a hundred, both far from the mean.
    codes = np.repeat([0, 1, 2], [1, 100, 300])
    rows = make_rows(codes, np.where(codes < 2, 2.0, 0.0))
    trunk = trunk_over(rng, rows, WIDTH, (6,))
    trunk.initialize(rng, intercept=np.zeros(1))
    order = draw_order(rng, rows, batch_size=32)
    table = learn_table(rows, [order], trunk, zero_prior(rows))
    rare, frequent, _ = np.linalg.norm(table, axis=1)
    assert 0 < rare < frequent / 2


def test_pass_keeps_float32(rng):
    rows = draw_rows(rng)
    single = make_rows(
        rows.codes,
        rows.targets.astype(np.float32),
        rows.context.astype(np.float32),
        rows.weight.astype(np.float32),
    )
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    prior = draw_table(rng, rows, WIDTH)
    order = draw_order(rng, rows)
    double = learn_table(rows, [order], trunk, prior)

    single_trunk = type(trunk)(trunk.n_inputs, (6, 4), 1, np.dtype(np.float32))
    single_trunk.parameters[:] = trunk.parameters
    table = learn_table(single, [order], single_trunk, prior.astype(np.float32))
    assert table.dtype == np.float32
    assert_allclose(table, double, rtol=1e-3, atol=1e-5)
