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

from sk_embed._engine.batches import RowOrder
from sk_embed._engine.training import look_up

each_size = pytest.mark.parametrize(
    "hidden_layer_sizes", [(), (5,), (6, 4), (5, 4, 3)], ids=str
)
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
    batch = next(iter(RowOrder(rows.stacked_codes, rng.permutation(40), batch_size=25)))
    y = rows.targets[batch.rows]

    _, at_inputs = gradients(trunk, loss, look_up(rows, batch, table), y)
    n_vector_inputs = rows.codes.shape[1] * width
    at_table = np.zeros_like(table)
    at_table[batch.touched] = batch.scatter(
        at_inputs[:, :n_vector_inputs].reshape(-1, width)
    )

    expected = finite_differences(
        lambda table: total_loss(trunk, loss, look_up(rows, batch, table), y), table
    )
    assert_allclose(at_table, expected, rtol=1e-6, atol=1e-7)


def test_look_up_puts_vectors_side_by_side_before_context(rng):
    rows = draw_rows(rng)
    table = draw_table(rng, rows, 3)
    (batch,) = RowOrder(rows.stacked_codes, rng.permutation(40), batch_size=40)
    first, second = rows.codes[batch.rows].T
    # The second column's table begins after the first column's six categories.
    expected = np.hstack([table[first], table[6 + second], rows.context[batch.rows]])
    assert_array_equal(look_up(rows, batch, table), expected)


@each_size
def test_input_gradient_of_the_first_entries_is_part_of_the_whole(hidden_layer_sizes, rng):
    trunk = draw_trunk(rng, 7, hidden_layer_sizes, 2)
    _, activations = trunk.forward(rng.normal(size=(5, 7)))
    deltas = trunk.backward(activations, rng.normal(size=(5, 2)))
    whole = trunk.input_gradient(deltas, 7)
    assert_allclose(trunk.input_gradient(deltas, 4), whole[:, :4], rtol=1e-12)


@each_size
def test_forward_and_backward_leave_their_arguments_alone(hidden_layer_sizes, rng):
    trunk = draw_trunk(rng, 4, hidden_layer_sizes, 2)
    parameters = trunk.parameters.copy()
    inputs, delta = rng.normal(size=(6, 4)), rng.normal(size=(6, 2))
    given = inputs.copy(), delta.copy()
    _, activations = trunk.forward(inputs)
    deltas = trunk.backward(activations, delta)
    trunk.parameter_gradient(activations, deltas, delta)
    trunk.input_gradient(deltas, 4)
    assert_array_equal(inputs, given[0])
    assert_array_equal(delta, given[1])
    assert_array_equal(trunk.parameters, parameters)


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
