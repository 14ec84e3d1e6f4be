"""The preconditioner of additive models with crosses, against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest

from sk_embed._engine.additive.elimination import Diagonal, DiagonalWithCells
from sk_embed._engine.additive.newton import Preconditioner, conjugate_gradients
from sk_embed._engine.additive.objective import AdditiveModel
from sk_embed._engine.losses import HalfSquaredError
from sk_embed._engine.rows import Rows
from sk_embed._engine.sources import InMemory

N_ROWS, N_CODES = 3_000, np.array([8, 200, 5])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def rows(rng):
    codes = np.column_stack([rng.integers(n - 1, size=N_ROWS) for n in N_CODES])
    return Rows(
        codes.astype(np.int32),
        N_CODES,
        np.empty((N_ROWS, 0)),
        rng.normal(size=(N_ROWS, 2)),
        rng.uniform(0.5, 2, N_ROWS),
    )


def crossed_model(rows, pairs):
    crossed, _ = InMemory(rows).crossed(pairs)
    return AdditiveModel(crossed.rows, HalfSquaredError(), np.ones(N_ROWS, dtype=bool))


def dense_matrix(model, penalty):
    """The matrix P of one output, from the diagonal of the Hessian."""
    h = model.curvature(model.null_model).diagonal[:, 0]
    parents = model.n_dense + model.cell_parents
    n_others = len(h) - len(parents)
    cells, alpha = h[n_others:], penalty[n_others:, 0]
    coupling = np.zeros((n_others, len(parents)))
    coupling[parents.T, np.arange(len(parents))] = cells
    others = h[:n_others]
    of_parents = np.divide(
        coupling.sum(axis=1), others, out=np.ones_like(others), where=others > 0
    )
    multiplicity = np.maximum(np.round(of_parents)[parents].max(axis=1), 1)
    cells = multiplicity * cells + alpha
    cells[cells == 0] = 1
    left = others + penalty[:n_others, 0] - (coupling**2 / cells).sum(axis=1)
    # A code without rows or penalty stays
    left[others + penalty[:n_others, 0] == 0] = 1
    block = np.diag(left) + (coupling / cells) @ coupling.T
    return np.block([[block, coupling], [coupling.T, np.diag(cells)]])


@pytest.mark.parametrize("pairs", [[(0, 1)], [(0, 1), (0, 2)], [(0, 1), (0, 2), (1, 2)]])
def test_cells_are_eliminated_as_by_a_dense_matrix(rows, pairs, rng):
    model = crossed_model(rows, pairs)
    penalty = model.penalty(rng.uniform(0.1, 5, len(model.n_codes)))
    diagonal = model.curvature(model.null_model).diagonal
    inverse = DiagonalWithCells(diagonal, penalty, model.n_dense + model.cell_parents)
    matrix = dense_matrix(model, penalty)
    assert np.linalg.eigvalsh(matrix).min() > 0
    residual = rng.normal(size=diagonal.shape)
    np.testing.assert_allclose(matrix @ inverse(residual), residual, atol=1e-8)


def test_of_one_cross_the_matrix_is_the_hessian_but_for_pairs_of_categories(rows, rng):
    model = crossed_model(rows, [(0, 1)])
    penalty = model.penalty(np.full(4, 0.7))
    coefficients = model.zeros()
    # All effects but one are those of cells, which meet one category of the column each
    coefficients[-len(model.cell_parents) :, 0] = rng.normal(size=len(model.cell_parents))
    product = model.hessian_product(coefficients, model.null_model, penalty)
    of_matrix = dense_matrix(model, penalty) @ coefficients[:, 0]
    seen = np.r_[model.n_dense : model.n_dense + N_CODES[:2].sum()]
    np.testing.assert_allclose(of_matrix[seen], product[seen, 0], atol=1e-8)
    cells = slice(-len(model.cell_parents), None)
    np.testing.assert_allclose(of_matrix[cells], product[cells, 0], atol=1e-8)


def test_without_penalty_codes_without_rows_stay(rows):
    model = crossed_model(rows, [(0, 1)])
    diagonal, penalty = model.curvature(model.null_model).diagonal, np.zeros((1, 1))
    parents = model.n_dense + model.cell_parents
    residual = np.where(diagonal > 0, 0.0, 2.0)
    with_cells = DiagonalWithCells(diagonal, penalty, parents)
    for inverse in (Diagonal(diagonal, penalty), with_cells):
        np.testing.assert_array_equal(inverse(residual), residual)


def test_few_products_solve_a_model_with_a_cross(rows):
    model = crossed_model(rows, [(0, 1)])
    penalty = model.penalty(np.full(4, 1.0))
    curvature, n_products, solutions = model.curvature(model.null_model), [], []
    for parents in (None, model.cell_parents):
        products = []

        def product(direction, products=products):
            products.append(1)
            return model.hessian_product(direction, model.null_model, penalty)

        inverse = Preconditioner(curvature, penalty, model.n_codes, parents)
        solution, _ = conjugate_gradients(product, model.null_model.gradient, inverse, 1e-8)
        n_products.append(len(products))
        solutions.append(solution)
    assert n_products[1] < 0.7 * n_products[0]
    np.testing.assert_allclose(solutions[1], solutions[0], atol=1e-5)
