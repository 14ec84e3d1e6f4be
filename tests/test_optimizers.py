from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_embed._engine.network.optimizers import Adam, RowAdagrad


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def step(optimizer, rows, gradient):
    """Take a step of RowAdagrad on rows; the gradient is used as scratch space."""
    optimizer.update(rows, optimizer.take(rows), gradient)


def draw_gradients(rng, n_steps, shape):
    """Gradients over many orders of size, some of them zero."""
    size = 10 ** rng.uniform(-4, 3, size=shape)
    gradients = size * rng.normal(size=(n_steps, *shape))
    return gradients * (rng.random(gradients.shape) < 0.9)


@pytest.mark.parametrize(
    ("learning_rate", "betas", "epsilon"),
    [(1e-3, (0.9, 0.999), 1e-8), (0.3, (0.5, 0.8), 1e-3)],
)
def test_adam_agrees_with_torch(learning_rate, betas, epsilon, rng):
    torch = pytest.importorskip("torch")
    parameters = rng.normal(size=20)
    theirs = torch.tensor(parameters)
    optimizer = torch.optim.Adam([theirs], lr=learning_rate, betas=betas, eps=epsilon)
    ours = Adam(parameters, learning_rate, *betas, epsilon)
    for gradient in draw_gradients(rng, 50, (20,)):
        theirs.grad = torch.tensor(gradient)
        optimizer.step()
        ours.update(gradient)
        assert_allclose(parameters, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("learning_rate", "weight_decay"), [(1e-3, 0.1), (0.3, 1.0), (1e-2, 0.0)]
)
def test_weight_decay_agrees_with_torchs_adamw(learning_rate, weight_decay, rng):
    torch = pytest.importorskip("torch")
    parameters = rng.normal(size=20)
    theirs = torch.tensor(parameters)
    optimizer = torch.optim.AdamW(
        [theirs], lr=learning_rate, weight_decay=weight_decay, eps=1e-8
    )
    ours = Adam(parameters, learning_rate, weight_decay=weight_decay)
    for gradient in draw_gradients(rng, 50, (20,)):
        theirs.grad = torch.tensor(gradient)
        optimizer.step()
        ours.update(gradient)
        assert_allclose(parameters, theirs, rtol=1e-12, atol=1e-14)


def test_a_decay_for_each_parameter_agrees_with_torchs_parameter_groups(rng):
    torch = pytest.importorskip("torch")
    parameters = rng.normal(size=20)
    first, second = torch.tensor(parameters[:12]), torch.tensor(parameters[12:])
    groups = [
        {"params": [first], "weight_decay": 0.5},
        {"params": [second], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-2)
    ours = Adam(parameters, 1e-2, weight_decay=np.repeat([0.5, 0.0], [12, 8]))
    for gradient in draw_gradients(rng, 50, (20,)):
        first.grad = torch.tensor(gradient[:12])
        second.grad = torch.tensor(gradient[12:])
        optimizer.step()
        ours.update(gradient)
        assert_allclose(parameters, torch.cat([first, second]), rtol=1e-12, atol=1e-14)


def test_decay_is_decoupled_from_the_size_of_the_gradient(rng):
    # Without a gradient a parameter shrinks by the learning rate times the decay; an L2
    # penalty, which Adam divides by its own size, would take a step of the learning rate.
    parameters = np.array([1.0, 1e-6, -1e6])
    adam = Adam(parameters, 0.1, weight_decay=np.array([0.5, 0.5, 0.0]))
    for _ in range(10):
        adam.update(np.zeros(3))
    assert_allclose(parameters, [0.95**10, 1e-6 * 0.95**10, -1e6], rtol=1e-12)


def test_first_step_of_adam_is_the_learning_rate_against_the_gradient():
    parameters = np.zeros(3)
    Adam(parameters, 0.01, epsilon=0).update(np.array([1e-5, -3.0, 1e5]))
    assert_allclose(parameters, [-0.01, 0.01, -0.01], rtol=1e-12)


def test_row_adagrad_agrees_with_torch(rng):
    torch = pytest.importorskip("torch")
    table = rng.normal(size=(12, 3))
    theirs = torch.tensor(table)
    optimizer = torch.optim.Adagrad([theirs], lr=0.1, initial_accumulator_value=1, eps=0)
    ours = RowAdagrad(table, 0.1)
    # torch takes a gradient of zero on the rows that ours does not touch.
    for gradient in draw_gradients(rng, 50, (12, 3)):
        # As many rows as come, in any order.
        touched = rng.choice(12, size=rng.integers(13), replace=False)
        dense = np.zeros_like(gradient)
        dense[touched] = gradient[touched]
        theirs.grad = torch.tensor(dense)
        optimizer.step()
        step(ours, touched, gradient[touched])
        assert_allclose(table, theirs, rtol=1e-12, atol=1e-14)


def test_initial_accumulator_agrees_with_torch(rng):
    torch = pytest.importorskip("torch")
    table = rng.normal(size=(4, 3))
    theirs = torch.tensor(table)
    optimizer = torch.optim.Adagrad([theirs], lr=0.1, initial_accumulator_value=5, eps=0)
    theirs.grad = torch.tensor(np.ones((4, 3)))
    optimizer.step()
    ours = RowAdagrad(table, 0.1, initial_accumulator=5)
    step(ours, np.arange(4), np.ones((4, 3)))
    assert_allclose(table, theirs, rtol=1e-12)


def test_untouched_rows_keep_their_value(rng):
    table = rng.normal(size=(6, 3))
    before = table.copy()
    step(RowAdagrad(table, 0.1), np.array([1, 4]), rng.normal(size=(2, 3)))
    untouched = [0, 2, 3, 5]
    assert_array_equal(table[untouched], before[untouched])
    assert np.all(table[[1, 4]] != before[[1, 4]])


def test_untouched_rows_keep_their_state(rng):
    start, gradient = rng.normal(size=(2, 6, 3))
    lived, fresh = start.copy(), start.copy()
    optimizer = RowAdagrad(lived, 0.1)
    for _ in range(10):
        step(optimizer, np.array([1, 4]), 100 * rng.normal(size=(2, 3)))
    # A row's step tells its state: the rest still step as on the first day.
    rest = np.array([0, 2, 3, 5])
    step(optimizer, rest, gradient[rest])
    step(RowAdagrad(fresh, 0.1), rest, gradient[rest])
    assert_array_equal(lived[rest], fresh[rest])


def test_gradient_of_zero_changes_neither_value_nor_state(rng):
    start, gradient = rng.normal(size=(2, 4, 3))
    idle, fresh = start.copy(), start.copy()
    every = np.arange(4)
    optimizer = RowAdagrad(idle, 0.1)
    step(optimizer, every, np.zeros((4, 3)))
    assert_array_equal(idle, start)
    step(optimizer, every, gradient.copy())
    step(RowAdagrad(fresh, 0.1), every, gradient.copy())
    assert_array_equal(idle, fresh)


def test_steps_of_a_row_shrink_with_its_own_evidence():
    table = np.zeros((1, 1))
    optimizer = RowAdagrad(table, 0.1)
    values = []
    for _ in range(5):
        step(optimizer, np.array([0]), np.ones((1, 1)))
        values.append(table[0, 0])
    expected = -0.1 * np.cumsum(1 / np.sqrt(np.arange(2, 7)))
    assert_allclose(values, expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_rows", [0, 1, 5, 12])
def test_rows_are_taken_as_a_copy(n_rows, dtype, rng):
    table = rng.normal(size=(12, 3)).astype(dtype)
    before = table.copy()
    rows = rng.permutation(12)[:n_rows]
    values = RowAdagrad(table, 0.1).take(rows)
    assert_array_equal(values, before[rows])
    assert values.dtype == dtype
    values += 1
    assert_array_equal(table, before)


def test_taken_rows_are_as_the_last_step_left_them(rng):
    optimizer = RowAdagrad(rng.normal(size=(12, 3)), 0.1)
    for n_rows in (5, 12, 1, 7):
        rows = rng.permutation(12)[:n_rows]
        step(optimizer, rows, rng.normal(size=(n_rows, 3)))
        assert_array_equal(optimizer.take(np.arange(12)), optimizer.table)


def test_tables_side_by_side_are_updated_as_each_alone(rng):
    tables = rng.normal(size=(4, 12, 3))
    side_by_side = np.concatenate(list(tables), axis=1)
    together = RowAdagrad(side_by_side, 0.1)
    apart = [RowAdagrad(table, 0.1) for table in tables]
    for gradient in draw_gradients(rng, 20, (12, 4, 3)):
        rows = rng.choice(12, size=rng.integers(13), replace=False)
        # One of the tables does not learn from these rows.
        gradient[:, rng.integers(4)] = 0
        for number, optimizer in enumerate(apart):
            step(optimizer, rows, gradient[rows, number])
        step(together, rows, gradient[rows].reshape(-1, 12))
    assert_array_equal(side_by_side, np.concatenate(list(tables), axis=1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_updates_are_in_place(dtype):
    parameters, table = np.ones(3, dtype), np.ones((3, 2), dtype)
    adam, adagrad = Adam(parameters, 0.1), RowAdagrad(table, 0.1)
    adam.update(np.ones(3, dtype))
    step(adagrad, np.arange(3), np.ones((3, 2), dtype))
    assert adam.parameters is parameters
    assert adagrad.table is table
    assert np.all(parameters < 1)
    assert np.all(table < 1)
    assert parameters.dtype == table.dtype == dtype


def test_adam_shrinks_nothing_unless_it_is_told_to():
    parameters = np.array([1.0, -2.0])
    Adam(parameters, 0.1).update(np.zeros(2))
    assert_array_equal(parameters, [1.0, -2.0])


@pytest.mark.parametrize("weight_decay", [3.0, np.array([0.5, 3.0, 1e6])])
def test_a_decay_beyond_one_forgets_and_does_not_turn_round(weight_decay):
    parameters = np.ones(3)
    Adam(parameters, 1.0, weight_decay=weight_decay).update(np.zeros(3))
    assert_array_equal(parameters, np.maximum(1 - np.ones(3) * weight_decay, 0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_decay_is_in_place_in_the_parameters_dtype(dtype):
    parameters = np.ones(3, dtype)
    adam = Adam(parameters, 0.1, weight_decay=np.array([0.5, 0.5, 0.0], dtype))
    adam.update(np.zeros(3, dtype))
    assert adam.parameters is parameters
    assert parameters.dtype == dtype
    assert_allclose(parameters, [0.95, 0.95, 1.0], rtol=1e-6)
