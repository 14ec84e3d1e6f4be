"""The part of the Hessian that a preconditioner solves exactly, and how.

The coarse matrix has a row for the intercept, for each slope of the context, and for the
sum of each categorical column. At the rows of the table intercept and sums are the same,
a one, so that with ``C`` the context, ``b`` the curvature of the loss in each row and ``P``
the penalty of the slopes the matrix is ::

    [ sum(b) + penalty   u^T ]        u = C^T b
    [        u            K  ]        K = C^T diag(b) C + P

Few slopes are solved together with the rest by a pseudo-inverse. Many are solved first, as
in a ridge regression, by a Cholesky factor: of K, or where the rows are fewer than the
slopes of ``G = 1 + diag(b)^1/2 C P^-1 C^T diag(b)^1/2``, which has a row for each of these
(Woodbury)::

    K^-1 = P^-1 - P^-1 C^T diag(b)^1/2 G^-1 diag(b)^1/2 C P^-1

What is left for the intercept and the sums is small.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from sk_embed._arrays import FloatArray

# Share of the largest eigenvalue below which one counts as zero in a pseudo-inverse:
# constants that are moved from one column to another without a penalty have none.
_SINGULAR = 1e-12
# Number of slopes from which on they are solved by a Cholesky factor. A pseudo-inverse of
# so many takes about as long as a pass over a few thousand rows.
MANY_SLOPES = 256


class ContextRows:
    """The context of a table that has fewer rows than slopes.

    Parameters
    ----------
    context : ndarray of shape (n_rows, n_context)
        Context columns in double precision.
    """

    def __init__(self, context: FloatArray) -> None:
        self.context = context
        self._gram: tuple[FloatArray, FloatArray] | None = None

    def gram(self, penalty: FloatArray) -> FloatArray:
        """Return the products of the rows with each other, in the metric of a penalty.

        Parameters
        ----------
        penalty : ndarray of shape (n_context,)
            Penalty of each slope, which is mostly that of the call before.
        """
        if self._gram is None or not np.array_equal(self._gram[0], penalty):
            self._gram = penalty.copy(), (self.context / penalty) @ self.context.T
        return self._gram[1]


class DenseRows(NamedTuple):
    """The Hessian's block of intercept and slopes, by the rows whose sum it is.

    Parameters
    ----------
    rows : ContextRows
        Context of each row that is used.
    curvature : ndarray of shape (n_rows, n_outputs)
        Weighted curvature of the loss in each row.
    """

    rows: ContextRows
    curvature: FloatArray


class Slopes(ABC):
    """The inverse of the slopes' matrix K for one output, and what K leaves of the rest.

    Attributes
    ----------
    coupling : ndarray of shape (n_context,)
        The vector u, between the slopes and what is one in each row.
    rest : float
        ``sum(b) - u^T K^-1 u``, the curvature of a constant beside free slopes.
    """

    coupling: FloatArray
    rest: float

    @abstractmethod
    def solve(self, residual: FloatArray) -> FloatArray:
        """Return the inverse of K times an array of shape (n_context,)."""


class SlopesByColumns(Slopes):
    """Solved by a factor of K, which has a row for each slope.

    Parameters
    ----------
    block : ndarray of shape (n_dense, n_dense)
        The Hessian's block of intercept and slopes.
    penalty : ndarray of shape (n_context,)
        Penalty on the square of each slope.
    """

    def __init__(self, block: FloatArray, penalty: FloatArray) -> None:
        self._factor = _cholesky(block[1:, 1:] + np.diag(penalty))
        self.coupling = block[1:, 0]
        rest = block[0, 0] - self.coupling @ self.solve(self.coupling)
        # Rounding must not make a curvature negative.
        self.rest = max(float(rest), 0.0)

    def solve(self, residual: FloatArray) -> FloatArray:
        solved: FloatArray = cho_solve(self._factor, residual)
        return solved


class SlopesByRows(Slopes):
    """Solved by a factor of G, which has a row for each row of the table.

    Parameters
    ----------
    rows : ContextRows
        Context of each row that is used.
    curvature : ndarray of shape (n_rows,)
        Weighted curvature of the loss in each row.
    penalty : ndarray of shape (n_context,)
        Penalty on the square of each slope.
    """

    def __init__(
        self, rows: ContextRows, curvature: FloatArray, penalty: FloatArray
    ) -> None:
        self._context, self._penalty, self._root = rows.context, penalty, np.sqrt(curvature)
        matrix = rows.gram(penalty) * np.outer(self._root, self._root)
        matrix[np.diag_indices_from(matrix)] += 1
        self._factor = _cholesky(matrix)
        self.coupling = curvature @ rows.context
        # The same as in the other class, by Woodbury, without a difference that cancels.
        self.rest = float(self._root @ cho_solve(self._factor, self._root))

    def solve(self, residual: FloatArray) -> FloatArray:
        of_penalty = residual / self._penalty
        at_rows = self._root * (self._context @ of_penalty)
        at_rows = self._root * cho_solve(self._factor, at_rows)
        solved: FloatArray = of_penalty - (at_rows @ self._context) / self._penalty
        return solved


def _cholesky(matrix: FloatArray) -> tuple[FloatArray, bool]:
    """Return the factor of a positive definite matrix, which is overwritten.

    Rounding can make it indefinite where weights are huge: so much is added first.
    """
    diagonal = np.diag_indices_from(matrix)
    matrix[diagonal] += np.finfo(np.float64).eps * matrix[diagonal].sum()
    factor: tuple[FloatArray, bool] = cho_factor(matrix, lower=True, overwrite_a=True)
    return factor


class CoarseInverse(ABC):
    """The inverse of the coarse matrix, for each output."""

    @abstractmethod
    def __call__(self, residual: FloatArray) -> FloatArray:
        """Apply it to an array of shape (n_dense + n_columns, n_outputs)."""


class PseudoInverse(CoarseInverse):
    """The coarse inverse of few slopes, all at once.

    Parameters
    ----------
    block : ndarray of shape (n_outputs, n_dense, n_dense)
        The Hessian's block of intercept and slopes.
    penalty : ndarray of shape (n_dense + n_columns, n_outputs or 1)
        Penalties, those of a column's categories added up.
    """

    def __init__(self, block: FloatArray, penalty: FloatArray) -> None:
        n_dense = block.shape[-1]
        # At the rows the sum of a column's categories is what the intercept is: one.
        n_columns = len(penalty) - n_dense
        same = np.concatenate([np.arange(n_dense), np.zeros(n_columns, dtype=np.intp)])
        coarse = block[:, same[:, None], same]
        every = np.arange(len(same))
        coarse[:, every, every] += penalty[:, 0]
        self._inverse = np.linalg.pinv(coarse, rcond=_SINGULAR, hermitian=True)

    def __call__(self, residual: FloatArray) -> FloatArray:
        applied: FloatArray = np.einsum("kab,bk->ak", self._inverse, residual)
        return applied


class SlopesFirst(CoarseInverse):
    """The coarse inverse of many slopes, which are solved before the rest.

    Parameters
    ----------
    slopes : list of Slopes
        Factors that solve for the slopes, one for each output.
    penalty : ndarray of shape (n_dense + n_columns, n_outputs or 1)
        Penalties, those of a column's categories added up.
    """

    def __init__(self, slopes: list[Slopes], penalty: FloatArray) -> None:
        self._slopes = slopes
        self._is_rest = np.ones(len(penalty), dtype=bool)
        self._is_rest[1 : 1 + len(slopes[0].coupling)] = False
        of_rest = penalty[self._is_rest] + np.zeros(len(slopes))
        rest = np.array([of_output.rest for of_output in slopes])
        small = rest[:, None, None] + of_rest.T[:, :, None] * np.eye(len(of_rest))
        self._inverse = np.linalg.pinv(small, rcond=_SINGULAR, hermitian=True)

    def __call__(self, residual: FloatArray) -> FloatArray:
        result = np.empty_like(residual)
        columns = zip(self._slopes, self._inverse, residual.T, result.T, strict=True)
        for slopes, inverse, given, applied in columns:
            of_slopes = given[~self._is_rest]
            from_slopes = slopes.coupling @ slopes.solve(of_slopes)
            rest = inverse @ (given[self._is_rest] - from_slopes)
            applied[self._is_rest] = rest
            applied[~self._is_rest] = slopes.solve(of_slopes - slopes.coupling * rest.sum())
        return result


def coarse_inverse(block: FloatArray | DenseRows, penalty: FloatArray) -> CoarseInverse:
    """Return the inverse of the coarse matrix in the form that costs least.

    Parameters
    ----------
    block : ndarray of shape (n_outputs, n_dense, n_dense), or DenseRows
        The Hessian's block of intercept and slopes.
    penalty : ndarray of shape (n_dense + n_columns, n_outputs or 1)
        Penalties, those of a column's categories added up.
    """
    if isinstance(block, DenseRows):
        n_context, n_outputs = block.rows.context.shape[1], block.curvature.shape[1]
        of_slopes = (penalty[1 : 1 + n_context] + np.zeros(n_outputs)).T
        pairs = zip(block.curvature.T, of_slopes, strict=True)
        return SlopesFirst([SlopesByRows(block.rows, *pair) for pair in pairs], penalty)
    n_outputs, n_dense, _ = block.shape
    if n_dense <= MANY_SLOPES:
        return PseudoInverse(block, penalty)
    of_slopes = (penalty[1:n_dense] + np.zeros(n_outputs)).T
    pairs = zip(block, of_slopes, strict=True)
    return SlopesFirst([SlopesByColumns(*pair) for pair in pairs], penalty)
