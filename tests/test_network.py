from __future__ import annotations

import numpy as np
import pytest
from engine_data import (
    LOSS_CASES,
    draw_rows,
    draw_table,
    draw_targets,
    draw_trunk,
    finite_differences,
    torch_forward,
    trunk_over,
)
from numpy.testing import assert_allclose, assert_array_equal

from sk_embed._engine.network.batches import RowOrder, copies_for_tables, scatter
from sk_embed._engine.network.passes import look_up
from sk_embed._engine.network.scratch import Scratch

each_size = pytest.mark.parametrize(
    "hidden_layer_sizes", [(), (5,), (6, 4), (5, 4, 3)], ids=str
)
# The scratch space grows, and is larger than needed; one batch has no rows.
SIZES_OF_BATCHES = [6, 9, 1, 0, 9, 3, 30, 6]
each_loss = pytest.mark.parametrize(
    ("loss", "n_outputs"), LOSS_CASES.values(), ids=LOSS_CASES
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def total_loss(trunk, loss, inputs, y):
    raw_prediction, _ = trunk.forward(inputs)
    return loss.loss(y, raw_prediction).sum()


def gradients(trunk, loss, inputs, y):
    """Gradient of the total loss at the parameters and at the inputs."""
    raw_prediction, activations = trunk.forward(inputs)
    delta = loss.inverse_link(raw_prediction) - y
    deltas = trunk.backward(activations, delta)
    at_parameters = trunk.parameter_gradient(activations, deltas, delta).copy()
    return at_parameters, trunk.input_gradient(deltas, trunk.n_inputs)


@each_loss
@each_size
def test_parameter_gradient_is_slope_of_loss(hidden_layer_sizes, loss, n_outputs, rng):
    trunk = draw_trunk(rng, 4, hidden_layer_sizes, n_outputs)
    inputs, y = rng.normal(size=(8, 4)), draw_targets(rng, loss, 8, n_outputs)
    at_parameters, _ = gradients(trunk, loss, inputs, y)

    def loss_at(parameters):
        trunk.parameters[:] = parameters
        return total_loss(trunk, loss, inputs, y)

    expected = finite_differences(loss_at, trunk.parameters.copy())
    assert_allclose(at_parameters, expected, rtol=1e-6, atol=1e-7)


@each_loss
@each_size
def test_input_gradient_is_slope_of_loss(hidden_layer_sizes, loss, n_outputs, rng):
    trunk = draw_trunk(rng, 4, hidden_layer_sizes, n_outputs)
    inputs, y = rng.normal(size=(8, 4)), draw_targets(rng, loss, 8, n_outputs)
    _, at_inputs = gradients(trunk, loss, inputs, y)
    expected = finite_differences(lambda v: total_loss(trunk, loss, v, y), inputs)
    assert_allclose(at_inputs, expected, rtol=1e-6, atol=1e-7)


@each_size
def test_agrees_with_torch(hidden_layer_sizes, rng):
    torch = pytest.importorskip("torch")
    trunk = draw_trunk(rng, 7, hidden_layer_sizes, 3)
    inputs, upstream = rng.normal(size=(50, 7)), rng.normal(size=(50, 3))
    raw_prediction, activations = trunk.forward(inputs)
    deltas = trunk.backward(activations, upstream)

    flat = torch.tensor(trunk.parameters, requires_grad=True)
    leaf = torch.tensor(inputs, requires_grad=True)
    output = torch_forward(flat, leaf, hidden_layer_sizes, 3)
    output.backward(torch.tensor(upstream))

    assert_allclose(raw_prediction, output.detach(), rtol=1e-12, atol=1e-13)
    assert_allclose(
        trunk.parameter_gradient(activations, deltas, upstream),
        flat.grad,
        rtol=1e-10,
        atol=1e-12,
    )
    assert_allclose(trunk.input_gradient(deltas, 7), leaf.grad, rtol=1e-10, atol=1e-12)


@each_loss
@each_size
def test_scattered_input_gradient_is_slope_by_table_rows(
    hidden_layer_sizes, loss, n_outputs, rng
):
    width = 3
    # Forty rows on nine table rows: each is read at many places.
    rows = draw_rows(rng, loss, n_outputs)
    table = draw_table(rng, rows, width)
    trunk = trunk_over(rng, rows, width, hidden_layer_sizes)
    batch = next(iter(RowOrder(rows, rng.permutation(40), batch_size=25)))
    y = rows.targets[batch.rows]

    def inputs_from(table):
        return look_up(rows, batch.rows, batch.slots, table[batch.table_rows])

    _, at_inputs = gradients(trunk, loss, inputs_from(table), y)
    n_vector_inputs = rows.codes.shape[1] * width
    at_table = np.zeros_like(table)
    at_table[batch.table_rows] = scatter(
        at_inputs[:, :n_vector_inputs].reshape(-1, width),
        batch.slots.ravel(),
        len(batch.table_rows),
    )

    expected = finite_differences(
        lambda table: total_loss(trunk, loss, inputs_from(table), y), table
    )
    assert_allclose(at_table, expected, rtol=1e-6, atol=1e-7)


def test_look_up_puts_vectors_side_by_side_before_context(rng):
    rows = draw_rows(rng)
    table = draw_table(rng, rows, 3)
    (batch,) = RowOrder(rows, rng.permutation(40), batch_size=40)
    first, second = rows.codes[batch.rows].T
    # The second column's table begins after the first column's six categories.
    expected = np.hstack([table[first], table[6 + second], rows.context[batch.rows]])
    touched = look_up(rows, batch.rows, batch.slots, table[batch.table_rows])
    assert_array_equal(touched, expected)
    whole = look_up(rows, batch.rows, rows.stacked_codes(batch.rows), table)
    assert_array_equal(whole, expected)


@pytest.mark.parametrize(("n_context", "scale"), [(1, 1.0), (3, 1.0), (12, 0.5)])
def test_more_than_three_numbers_are_read_at_the_size_of_three(n_context, scale, rng):
    rows = draw_rows(rng, n_context=n_context)
    every, table = np.arange(40, dtype=np.int32), draw_table(rng, rows, 3)
    inputs = look_up(rows, every, rows.stacked_codes(every), table)
    assert_array_equal(inputs[:, 6:], scale * rows.context)


def test_look_up_reads_each_copy_from_its_own_table(rng):
    rows = draw_rows(rng)
    tables = rng.normal(size=(3, 9, 3))
    is_used = rng.random((3, 40)) < 0.6
    for batch in RowOrder(rows, rng.permutation(40), batch_size=7):
        copies = copies_for_tables(batch, is_used)
        chosen = batch.rows[copies.row]
        vectors = np.concatenate(list(tables), axis=1)[batch.table_rows].reshape(-1, 3)
        found = look_up(rows, chosen, copies.slots, vectors)
        for number, table in enumerate(tables):
            own = copies.table == number
            codes = rows.stacked_codes(chosen[own])
            assert_array_equal(found[own], look_up(rows, chosen[own], codes, table))


def test_look_up_with_scratch_gives_the_bits_that_it_gives_without(rng):
    rows, scratch = draw_rows(rng), Scratch(np.dtype(np.float64))
    table = draw_table(rng, rows, 3)
    for n_rows in SIZES_OF_BATCHES:
        chosen = rng.permutation(40)[:n_rows]
        codes = rows.stacked_codes(chosen)
        found = look_up(rows, chosen, codes, table, scratch)
        assert_array_equal(found, look_up(rows, chosen, codes, table))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_look_up_is_of_the_dtype_of_the_vectors(dtype, rng):
    rows = draw_rows(rng)
    table = draw_table(rng, rows, 3).astype(dtype)
    every = np.arange(40)
    assert look_up(rows, every, rows.stacked_codes(every), table).dtype == dtype


@each_size
def test_input_gradient_of_the_first_entries_is_part_of_the_whole(hidden_layer_sizes, rng):
    trunk = draw_trunk(rng, 7, hidden_layer_sizes, 2)
    _, activations = trunk.forward(rng.normal(size=(5, 7)))
    deltas = trunk.backward(activations, rng.normal(size=(5, 2)))
    whole = trunk.input_gradient(deltas, 7)
    assert_allclose(trunk.input_gradient(deltas, 4), whole[:, :4], rtol=1e-12)


@pytest.mark.parametrize("has_scratch", [False, True], ids=["alone", "scratch"])
@each_size
def test_forward_and_backward_leave_their_arguments_alone(
    hidden_layer_sizes, has_scratch, rng
):
    trunk = draw_trunk(rng, 4, hidden_layer_sizes, 2)
    scratch = Scratch(np.dtype(np.float64)) if has_scratch else None
    parameters = trunk.parameters.copy()
    inputs, delta = rng.normal(size=(6, 4)), rng.normal(size=(6, 2))
    given = inputs.copy(), delta.copy()
    raw_prediction, activations = trunk.forward(inputs, scratch)
    forward = [array.copy() for array in (raw_prediction, *activations.hidden)]
    deltas = trunk.backward(activations, delta, scratch)
    backward = [array.copy() for array in deltas]
    trunk.parameter_gradient(activations, deltas, delta)
    trunk.input_gradient(deltas, 4, scratch)
    assert_array_equal(inputs, given[0])
    assert_array_equal(delta, given[1])
    assert_array_equal(trunk.parameters, parameters)
    after = (raw_prediction, *activations.hidden, *deltas)
    for before, now in zip(forward + backward, after, strict=True):
        assert_array_equal(now, before)


def everything_about(trunk, inputs, upstream, scratch=None):
    """All that comes of a batch, computed and then read."""
    raw_prediction, activations = trunk.forward(inputs, scratch)
    deltas = trunk.backward(activations, upstream, scratch)
    at_inputs = trunk.input_gradient(deltas, 3, scratch)
    at_parameters = trunk.parameter_gradient(activations, deltas, upstream).copy()
    return raw_prediction, *activations.hidden, *deltas, at_inputs, at_parameters


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_size
def test_scratch_used_again_gives_the_bits_of_fresh_arrays(hidden_layer_sizes, dtype, rng):
    trunk = draw_trunk(rng, 4, hidden_layer_sizes, 2, dtype)
    scratch = Scratch(np.dtype(dtype))
    for n_rows in SIZES_OF_BATCHES:
        inputs = rng.normal(size=(n_rows, 4)).astype(dtype)
        upstream = rng.normal(size=(n_rows, 2)).astype(dtype)
        used_again = everything_about(trunk, inputs, upstream, scratch)
        fresh = everything_about(trunk, inputs, upstream)
        for found, expected in zip(used_again, fresh, strict=True):
            assert found.shape == expected.shape
            assert found.dtype == expected.dtype == dtype
            assert_array_equal(found, expected)


@each_size
def test_without_scratch_what_is_returned_outlives_the_next_batch(hidden_layer_sizes, rng):
    trunk = draw_trunk(rng, 4, hidden_layer_sizes, 2)
    first = everything_about(trunk, rng.normal(size=(6, 4)), rng.normal(size=(6, 2)))
    before = [array.copy() for array in first]
    everything_about(trunk, rng.normal(size=(6, 4)), rng.normal(size=(6, 2)))
    for now, then in zip(first, before, strict=True):
        assert_array_equal(now, then)


@each_size
def test_arithmetic_stays_in_float32(hidden_layer_sizes, rng):
    trunk = draw_trunk(rng, 4, hidden_layer_sizes, 2, np.float32)
    inputs = rng.normal(size=(6, 4)).astype(np.float32)
    raw_prediction, activations = trunk.forward(inputs)
    deltas = trunk.backward(activations, raw_prediction)
    results = [
        raw_prediction,
        *deltas,
        trunk.parameter_gradient(activations, deltas, raw_prediction),
        trunk.input_gradient(deltas, 4),
    ]
    assert {result.dtype for result in results} == {np.dtype(np.float32)}


@each_size
def test_weights_are_what_the_intercept_and_the_units_biases_are_not(
    hidden_layer_sizes, rng
):
    trunk = draw_trunk(rng, 4, hidden_layer_sizes, 2)
    assert trunk.is_weight.shape == trunk.parameters.shape
    assert trunk.is_weight.sum() == sum(m * n for m, n in trunk.shapes)
    # Each layer's units have a bias, and so have the outputs, once.
    assert np.sum(~trunk.is_weight) == sum(hidden_layer_sizes) + 2
    # Without weights the raw prediction is the skip's bias, whatever the input.
    trunk.parameters[trunk.is_weight] = 0
    trunk.parameters[~trunk.is_weight] = 3
    raw_prediction, _ = trunk.forward(rng.normal(size=(5, 4)))
    assert_array_equal(raw_prediction, np.full((5, 2), 3.0))


@each_size
def test_without_biases_an_input_of_zero_is_predicted_zero(hidden_layer_sizes, rng):
    trunk = draw_trunk(rng, 4, hidden_layer_sizes, 2)
    trunk.parameters[~trunk.is_weight] = 0
    raw_prediction, activations = trunk.forward(np.zeros((1, 4)))
    assert_array_equal(raw_prediction, np.zeros((1, 2)))
    assert not any(layer.any() for layer in activations.hidden)


def test_linear_trunk_starts_at_the_intercept(rng):
    trunk = draw_trunk(rng, 4, (), 2)
    trunk.initialize(rng, intercept=np.array([0.25, -3.0]))
    raw_prediction, _ = trunk.forward(np.zeros((1, 4)))
    assert_array_equal(raw_prediction, [[0.25, -3.0]])


def test_intercept_shifts_the_raw_prediction(rng):
    trunk = draw_trunk(rng, 4, (6, 5), 2)
    inputs = rng.normal(size=(3, 4))
    trunk.initialize(np.random.default_rng(1), intercept=np.zeros(2))
    at_zero, _ = trunk.forward(inputs)
    trunk.initialize(np.random.default_rng(1), intercept=np.array([0.25, -3.0]))
    shifted, _ = trunk.forward(inputs)
    assert_allclose(shifted - at_zero, [[0.25, -3.0]] * 3, rtol=1e-12)


def test_tables_of_zeros_leave_no_first_unit_asleep_and_none_alike(rng):
    trunk = draw_trunk(rng, 4, (64, 32), 1)
    _, activations = trunk.forward(np.zeros((1, 4)))
    assert np.all(activations.hidden[0] > 0)
    assert len(np.unique(activations.hidden[0])) == 64


def test_initial_weights_repeat_with_the_generator(rng):
    first = draw_trunk(np.random.default_rng(3), 4, (6, 5), 2)
    second = draw_trunk(np.random.default_rng(3), 4, (6, 5), 2)
    assert_array_equal(first.parameters, second.parameters)
    assert np.any(first.parameters != draw_trunk(rng, 4, (6, 5), 2).parameters)
