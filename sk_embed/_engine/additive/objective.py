"""The joint additive model of given rows: its objective, gradient and Hessian.

For a row with codes c_j and numeric context x::

    raw = b + beta . x + sum_j w_j[c_j]

The objective, under a penalty alpha_j for each column, is ::

    sum_i weight_i * loss(y_i, raw_i) + 1/2 sum_j alpha_j ||w_j||^2 + 1/2 ||beta||^2

Coefficients have the shape (n_coefficients, n_outputs): the intercept, the slopes of the
context, which are dense (every row has them), then the effects of the stacked categories,
of which a row has one for each column. Whatever belongs to rows is made for a
few thousand of them at a time, which stay in the processor's cache: the design matrix is
never there as a whole.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from sk_embed._arrays import BoolArray, FloatArray, IntArray
from sk_embed._engine.additive.coarse import MANY_SLOPES, ContextRows, DenseRows
from sk_embed._engine.losses import Loss
from sk_embed._engine.one_hot import add_product, add_transposed_product
from sk_embed._engine.rows import Rows

# Numeric context is bounded to a few units, so its slopes need no more than a touch of
# penalty to keep collinear columns from exchanging huge coefficients.
CONTEXT_ALPHA = 1.0
ROWS_OF_A_CHUNK = 16_384
# Rows up to which solutions are exact to a millionth, which takes no time there.
_ROWS_OF_FINE_TOLERANCE = 4_096
# Numbers of a chunk that is kept where it holds all rows: 2 MiB of doubles.
_MAX_NUMBERS_KEPT = 2**18


class Evaluation(NamedTuple):
    """The objective at given coefficients, without the penalty: value, gradient and mean.

    Parameters
    ----------
    coefficients : ndarray of shape (n_coefficients, n_outputs)
        Coefficients at which the rows are evaluated.
    value : float
        Weighted sum of the rows' losses.
    gradient : ndarray of the coefficients' shape
        Gradient of ``value`` in the coefficients.
    mean : ndarray of shape (n_rows, n_outputs)
        Expected target, on which the Hessian depends; zeros where it does not and they are
        not asked for, empty where the rows are elsewhere.
    """

    coefficients: FloatArray
    value: float
    gradient: FloatArray
    mean: FloatArray

    def penalized_value(self, penalty: FloatArray) -> float:
        """Return the objective."""
        return self.value + float((penalty * self.coefficients**2).sum()) / 2

    def penalized_gradient(self, penalty: FloatArray) -> FloatArray:
        """Return the gradient of the objective."""
        return self.gradient + penalty * self.coefficients


class Curvature(NamedTuple):
    """Diagonal and dense block of the Hessian, without the penalty.

    Parameters
    ----------
    diagonal : ndarray of shape (n_coefficients, n_outputs)
        Diagonal of the Hessian, one entry for each coefficient.
    block : ndarray of shape (n_outputs, n_dense, n_dense), or DenseRows
        Its block of intercept and slopes, without what the loss ties between outputs. Of
        a table with fewer rows than slopes these rows stand for it, which are smaller.
    """

    diagonal: FloatArray
    block: FloatArray | DenseRows


class GaussianPrior(NamedTuple):
    """Normal distribution of independent coefficients, in place of the penalties.

    Parameters
    ----------
    center : ndarray of shape (n_coefficients, n_outputs)
        Mean of each coefficient before any row is seen.
    precision : ndarray of shape (n_coefficients, n_outputs)
        Reciprocal variance of each coefficient, 0 where nothing is known.
    """

    center: FloatArray
    precision: FloatArray


class Chunk(NamedTuple):
    """A few rows of the design matrix.

    Parameters
    ----------
    rows : slice
        Places of the chunk's rows among all rows.
    dense : ndarray of shape (n_rows, 1 + n_context)
        A column of ones, and the context.
    codes : ndarray of shape (n_rows, n_columns)
        Row of the stacked tables that each row reads, of each column.
    y_true : ndarray of shape (n_rows, n_outputs)
        Target of each row, as the loss wants it.
    weight : ndarray of shape (n_rows, 1)
        Weight of each row; 0 where it is not used.
    """

    rows: slice
    dense: FloatArray
    codes: IntArray
    y_true: FloatArray
    weight: FloatArray

    def product(self, coefficients: FloatArray) -> FloatArray:
        """Return the design times coefficients, shape (n_rows, n_outputs)."""
        n_dense = self.dense.shape[1]
        result = self.dense @ coefficients[:n_dense]
        add_product(self.codes, coefficients[n_dense:], result)
        return result

    def add_pulled_back(
        self, at_rows: FloatArray, result: FloatArray, dense: FloatArray | None = None
    ) -> None:
        """Add the transposed design times an array of rows to ``result``."""
        dense = self.dense if dense is None else dense
        n_dense = dense.shape[1]
        result[:n_dense] += dense.T @ at_rows
        add_transposed_product(self.codes, at_rows, result[n_dense:])


class AdditiveObjective(ABC):
    """The objective, wherever the rows are: a sum over rows, and a penalty.

    Parameters
    ----------
    loss : Loss
        Loss whose weighted sum over rows is minimised.
    n_codes : ndarray of shape (n_columns,)
        Number of codes of each column.
    n_context, n_outputs : int
        Numeric columns, and columns of the target.
    n_rows : int
        Number of rows, of all partitions together.

    Attributes
    ----------
    cell_parents : ndarray of int32 of shape (n_cells, 2) or None
        Two categories of each code of the last columns, if these are pairs of others: see
        :class:`~sk_embed._engine.rows.Rows`.
    """

    cell_parents: IntArray | None = None

    def __init__(
        self, loss: Loss, n_codes: IntArray, n_context: int, n_outputs: int, n_rows: int
    ) -> None:
        self.loss = loss
        self.n_codes = n_codes
        self.n_outputs = n_outputs
        self.n_dense = 1 + n_context
        self.n_coefficients = self.n_dense + int(n_codes.sum())
        # Whether rows are so few that double precision takes no time.
        self.is_small = n_rows <= ROWS_OF_A_CHUNK
        # The Hessian only gives directions, for which single precision is enough; the
        # gradient, in double precision, decides convergence.
        self.hessian_dtype = np.dtype(np.float64 if self.is_small else np.float32)
        # Norm of the gradient at convergence, relative to that of the null model.
        self.tolerance = 1e-6 if n_rows <= _ROWS_OF_FINE_TOLERANCE else 1e-4

    def penalty(self, alpha: FloatArray) -> FloatArray:
        """Return the penalty of each coefficient, shape (n_coefficients, 1)."""
        dense = np.full(self.n_dense, CONTEXT_ALPHA)
        dense[0] = 0.0
        return np.concatenate([dense, np.repeat(alpha, self.n_codes)])[:, None]

    def zeros(self) -> FloatArray:
        """Return an array of the coefficients' shape."""
        return np.zeros((self.n_coefficients, self.n_outputs))

    def null_coefficients(self) -> FloatArray:
        """Return the coefficients of the null model: the intercept alone."""
        coefficients = self.zeros()
        coefficients[0] = self.loss.link(self._target_sum() / self.total_weight)
        return coefficients

    @cached_property
    def null_model(self) -> Evaluation:
        """Evaluation of the null model, which has no effect but the intercept."""
        return self.evaluate(self.null_coefficients())

    @property
    @abstractmethod
    def total_weight(self) -> float:
        """Weight of all rows."""

    @abstractmethod
    def _target_sum(self) -> FloatArray:
        """Return the weighted sum of the targets, shape (n_outputs,)."""

    @abstractmethod
    def evaluate(self, coefficients: FloatArray) -> Evaluation:
        """Evaluate the objective at given coefficients, without the penalty."""

    @abstractmethod
    def hessian_product(
        self, direction: FloatArray, at: Evaluation, penalty: FloatArray
    ) -> FloatArray:
        """Return the Hessian times ``direction``; of many rows in single precision."""

    @abstractmethod
    def curvature(self, at: Evaluation) -> Curvature:
        """Return the Hessian's diagonal, and its block of intercept and slopes."""


class AdditiveModel(AdditiveObjective):
    """The additive model of given rows.

    With a ``prior`` the coefficients are counted from its center and penalised by its
    precision; the penalties of the columns do not count, and the null model is the center.

    Parameters
    ----------
    rows : Rows
        Rows over which the objective is the sum.
    loss : Loss
        Loss whose weighted sum over rows is minimised.
    is_used : ndarray of bool of shape (n_rows,)
        Whether each row counts; the others weigh nothing.
    n_rows : int, optional
        Number of rows where these are a part of all; their own number, unless given.
    prior : GaussianPrior, optional
        Distribution of the coefficients before these rows.
    keeps_mean : bool, default=False
        Whether evaluations hold the expected target of each row even where the Hessian
        does not depend on it.
    """

    def __init__(
        self,
        rows: Rows,
        loss: Loss,
        is_used: BoolArray,
        n_rows: int | None = None,
        prior: GaussianPrior | None = None,
        keeps_mean: bool = False,
    ) -> None:
        n_context, n_outputs = rows.context.shape[1], rows.targets.shape[1]
        n_rows = len(rows) if n_rows is None else n_rows
        super().__init__(loss, rows.n_codes, n_context, n_outputs, n_rows)
        self.rows = rows
        self.is_used = is_used
        self.cell_parents = rows.cell_parents
        self._constant_curvature: Curvature | None = None
        self._prior = prior
        self._keeps_mean = keeps_mean or not loss.has_constant_curvature
        self._kept_chunks: dict[Any, list[Chunk]] = {}

    @cached_property
    def _offset(self) -> FloatArray | None:
        """Raw prediction of the prior's center, which all others are added to."""
        if self._prior is None:
            return None
        center = self._prior.center
        return np.concatenate([chunk.product(center) for chunk in self._chunks()])

    def penalty(self, alpha: FloatArray) -> FloatArray:
        """Return the penalty of each coefficient, shape (n_coefficients, 1).

        Under a prior its precision, shape (n_coefficients, n_outputs).
        """
        return super().penalty(alpha) if self._prior is None else self._prior.precision

    def null_coefficients(self) -> FloatArray:
        """Return the coefficients of the null model: the intercept alone."""
        return super().null_coefficients() if self._prior is None else self.zeros()

    @cached_property
    def total_weight(self) -> float:
        """Weight of all rows."""
        return float(sum(chunk.weight.sum() for chunk in self._chunks()))

    def _target_sum(self) -> FloatArray:
        sums = [(chunk.weight * chunk.y_true).sum(axis=0) for chunk in self._chunks()]
        return np.sum(sums, axis=0)

    def evaluate(self, coefficients: FloatArray) -> Evaluation:
        """Evaluate the objective at given coefficients, without the penalty."""
        value = 0.0
        gradient = np.zeros_like(coefficients)
        shape = len(self.rows), self.n_outputs
        mean = np.empty(shape, self.hessian_dtype) if self._keeps_mean else None
        for chunk in self._chunks():
            raw_prediction = chunk.product(coefficients)
            if self._offset is not None:
                raw_prediction += self._offset[chunk.rows]
            losses = self.loss.loss(chunk.y_true, raw_prediction)
            value += float(losses @ chunk.weight[:, 0])
            expected = self.loss.inverse_link(raw_prediction)
            if mean is not None:
                mean[chunk.rows] = expected
            chunk.add_pulled_back((expected - chunk.y_true) * chunk.weight, gradient)
        if mean is None:
            mean = np.broadcast_to(np.zeros((), self.hessian_dtype), shape)
        return Evaluation(coefficients, value, gradient, mean)

    def hessian_product(
        self, direction: FloatArray, at: Evaluation, penalty: FloatArray
    ) -> FloatArray:
        """Return the Hessian times ``direction``; of many rows in single precision."""
        narrow, mean = direction.astype(self.hessian_dtype), at.mean
        result = np.zeros_like(narrow)
        for chunk in self._chunks(self.hessian_dtype):
            hessian_direction = self.loss.hessian_product(
                mean[chunk.rows], chunk.product(narrow)
            )
            chunk.add_pulled_back(hessian_direction * chunk.weight, result)
        product = penalty * direction
        product += result
        return product

    def curvature(self, at: Evaluation) -> Curvature:
        """Return the Hessian's diagonal, and its block of intercept and slopes."""
        if self._constant_curvature is not None:
            return self._constant_curvature
        find = self._curvature_by_columns
        if self.n_dense > max(len(self.rows), MANY_SLOPES):
            find = self._curvature_by_rows
        curvature = find(at)
        if self.loss.has_constant_curvature:
            self._constant_curvature = curvature
        return curvature

    def _curvature_by_columns(self, at: Evaluation) -> Curvature:
        diagonal = self.zeros()
        block = np.zeros((self.n_outputs, self.n_dense, self.n_dense))
        for chunk in self._chunks():
            curvature = self.loss.curvature(at.mean[chunk.rows]) * chunk.weight
            chunk.add_pulled_back(curvature, diagonal, chunk.dense**2)
            for of_output, weights in zip(block, curvature.T, strict=True):
                of_output += (chunk.dense.T * weights) @ chunk.dense
        return Curvature(diagonal, block)

    def _curvature_by_rows(self, at: Evaluation) -> Curvature:
        diagonal = self.zeros()
        curvatures = []
        for chunk in self._chunks():
            curvatures.append(self.loss.curvature(at.mean[chunk.rows]) * chunk.weight)
            chunk.add_pulled_back(curvatures[-1], diagonal, chunk.dense**2)
        return Curvature(
            diagonal, DenseRows(self._context_rows, np.concatenate(curvatures))
        )

    @cached_property
    def _context_rows(self) -> ContextRows:
        return ContextRows(self.rows.context.astype(np.float64))

    def _chunks(self, dtype: Any = np.float64) -> Iterable[Chunk]:
        """Return the rows in chunks, which are kept if one small chunk holds them all."""
        n_numbers = len(self.rows) * (self.n_dense + len(self.n_codes))
        if len(self.rows) > ROWS_OF_A_CHUNK or n_numbers > _MAX_NUMBERS_KEPT:
            return self._made_chunks(dtype)
        dtype = np.dtype(dtype)
        if dtype not in self._kept_chunks:
            self._kept_chunks[dtype] = list(self._made_chunks(dtype))
        return self._kept_chunks[dtype]

    def _made_chunks(self, dtype: Any) -> Iterator[Chunk]:
        rows = self.rows
        for start in range(0, len(rows), ROWS_OF_A_CHUNK):
            chosen = slice(start, min(start + ROWS_OF_A_CHUNK, len(rows)))
            weight = rows.weight[chosen].astype(dtype) * self.is_used[chosen]
            dense = np.ones((chosen.stop - start, self.n_dense), dtype)
            dense[:, 1:] = rows.context[chosen]
            codes = rows.stacked_codes_of(chosen)
            y_true = rows.targets[chosen].astype(dtype)
            yield Chunk(chosen, dense, codes, y_true, weight[:, None])
