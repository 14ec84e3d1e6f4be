"""The diagonal of the Hessian, and cells of crosses eliminated from it.

A category's effect can be exchanged for the sum of its cells' at next to no curvature,
which the diagonal of the Hessian does not see. Each cell c has one category p of either
column, and every row of the cell is a row of both, so that the Hessian's entry between them
is the cell's own curvature ``h_c``. With a penalty ``alpha`` the matrix ::

    P = [ S + E D^-1 E^T    E ]       E_pc = h_c,  if p is a category of c
        [      E^T          D ]       D_c  = m_c h_c + alpha_c

is solved by eliminating the cells, which leaves the diagonal ::

    S_p = alpha_p + h_p - sum_c h_c^2 / D_c

of the categories. Here ``m_c`` is the number of crosses that the category of c with most of
them takes part in. With one cross S is what two columns leave to a category,
``alpha_p + sum_c h_c alpha_c / (h_c + alpha_c)``; with several, whose cells share rows,
``m_c`` keeps S from becoming negative, as in a damped Jacobi method.
"""

from __future__ import annotations

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.one_hot import add_product, add_transposed_product


class Diagonal:
    """The inverse of the Hessian's diagonal.

    Parameters
    ----------
    diagonal : ndarray of shape (n_coefficients, n_outputs)
        Diagonal of the Hessian, without the penalty.
    penalty : ndarray of shape (n_coefficients, n_outputs or 1)
        Penalty on the square of each coefficient.
    """

    def __init__(self, diagonal: FloatArray, penalty: FloatArray) -> None:
        self._inverse = _reciprocal(diagonal + penalty)

    def __call__(self, residual: FloatArray) -> FloatArray:
        """Apply it to an array of shape (n_coefficients, n_outputs)."""
        result: FloatArray = self._inverse * residual
        return result


class DiagonalWithCells:
    """The inverse of the matrix P above.

    Parameters
    ----------
    diagonal : ndarray of shape (n_coefficients, n_outputs)
        Diagonal of the Hessian, without the penalty.
    penalty : ndarray of shape (n_coefficients, n_outputs or 1)
        Penalty on the square of each coefficient.
    parents : ndarray of int32 of shape (n_cells, 2)
        The two categories of each cell, as numbers of coefficients; the cells' own are the
        last ones.
    """

    def __init__(
        self, diagonal: FloatArray, penalty: FloatArray, parents: IntArray
    ) -> None:
        self._parents, self._n_others = parents, len(diagonal) - len(parents)
        others, cells = self._divided(diagonal)
        of_others, of_cells = self._divided(np.broadcast_to(penalty, diagonal.shape))
        multiplicity = self._multiplicity(others, cells)
        inverse = _reciprocal(multiplicity * cells + of_cells)
        # The curvature that is left of a category's, without a difference that cancels
        taken = cells / multiplicity
        left = others - self._at_parents(taken)
        left = np.maximum(left, 0) + self._at_parents(taken * of_cells * inverse)
        self._inverse_of_cells, self._share = inverse, cells * inverse
        self._inverse_of_others = _reciprocal(left + of_others)

    def __call__(self, residual: FloatArray) -> FloatArray:
        """Apply it to an array of shape (n_coefficients, n_outputs)."""
        others, cells = self._divided(residual)
        result = np.empty_like(residual)
        of_others, of_cells = self._divided(result)
        np.subtract(others, self._at_parents(self._share * cells), out=of_others)
        of_others *= self._inverse_of_others
        from_parents = np.zeros_like(cells)
        add_product(self._parents, of_others, from_parents)
        np.multiply(self._inverse_of_cells, cells, out=of_cells)
        of_cells -= self._share * from_parents
        return result

    def _divided(self, array: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the part of the other coefficients, and that of the cells."""
        return array[: self._n_others], array[self._n_others :]

    def _at_parents(self, of_cells: FloatArray) -> FloatArray:
        """Sum an array of the cells over those of each category."""
        result = np.zeros((self._n_others, of_cells.shape[1]))
        add_transposed_product(self._parents, of_cells, result)
        return result

    def _multiplicity(self, others: FloatArray, cells: FloatArray) -> FloatArray:
        """Return ``m_c`` of each cell: a category's rows are in a cell of each cross."""
        n_crosses = np.ones_like(others)
        np.divide(self._at_parents(cells), others, out=n_crosses, where=others > 0)
        largest = np.round(n_crosses)[self._parents].max(axis=1)
        return np.maximum(largest, 1)


def _reciprocal(curvature: FloatArray) -> FloatArray:
    # An empty category under alpha = 0 has neither data nor prior: it stays.
    is_held = curvature > np.finfo(np.float64).tiny
    reciprocal: FloatArray = 1 / np.where(is_held, curvature, 1)
    return reciprocal
