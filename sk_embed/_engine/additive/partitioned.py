"""The additive model of rows in blocks: exactly that of the rows together.

Value, gradient, curvature and products with the Hessian are sums over rows. So they are
sums over blocks, each of which finds its own by :class:`AdditiveModel`, and the method of
:mod:`sk_embed._engine.additive.newton` solves it as if all rows were here.
"""

from __future__ import annotations

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.additive.objective import (
    AdditiveModel,
    AdditiveObjective,
    Curvature,
    Evaluation,
)
from sk_embed._engine.losses import Loss
from sk_embed._engine.partitions import Block, Blocks, PartialSums, RowSummary, RowSums
from sk_embed._engine.rows import Rows


class BlocksModel(AdditiveObjective):
    """The additive model of rows in blocks.

    Parameters
    ----------
    blocks : Blocks
        Rows, in blocks that never meet.
    summary : RowSummary
        Numbers of rows, weights and sums over all blocks.
    loss : Loss
        Loss whose weighted sum over rows is minimised.
    outputs : slice
        Outputs that are solved, tied to each other by the loss.
    subset : int
        Number of the subset of rows that is used: see :class:`Block`.
    cell_parents : ndarray of int32 of shape (n_cells, 2), optional
        Two categories of each code of the last columns, if these are pairs of others.
    """

    def __init__(
        self,
        blocks: Blocks,
        summary: RowSummary,
        loss: Loss,
        outputs: slice,
        subset: int = 0,
        cell_parents: IntArray | None = None,
    ) -> None:
        self._target = summary.target_sum[subset, outputs]
        n_rows = summary.n_rows
        n_outputs = len(self._target)
        super().__init__(loss, blocks.n_codes, summary.n_context, n_outputs, n_rows)
        self.cell_parents = cell_parents
        self._blocks = blocks
        self._weight = float(summary.weight[subset])
        self._which = loss, outputs, subset, n_rows
        self._constant_curvature: Curvature | None = None

    @property
    def total_weight(self) -> float:
        """Weight of all rows."""
        return self._weight

    def _target_sum(self) -> FloatArray:
        return self._target

    def evaluate(self, coefficients: FloatArray) -> Evaluation:
        """Evaluate the objective at given coefficients, without the penalty."""
        value, *gradient = self._blocks.sum_over(_evaluate, self._which, coefficients)
        nowhere = np.empty((0, self.n_outputs))
        return Evaluation(coefficients, value, self._stacked(*gradient), nowhere)

    def hessian_product(
        self, direction: FloatArray, at: Evaluation, penalty: FloatArray
    ) -> FloatArray:
        """Return the Hessian times ``direction``; of many rows in single precision."""
        narrow = direction.astype(self.hessian_dtype)
        product = self._blocks.sum_over(
            _hessian_product, self._which, narrow, self._where(at)
        )
        return self._stacked(*product) + penalty * direction

    def curvature(self, at: Evaluation) -> Curvature:
        """Return the Hessian's diagonal, and its block of intercept and slopes."""
        if self._constant_curvature is not None:
            return self._constant_curvature
        *diagonal, block = self._blocks.sum_over(_curvature, self._which, self._where(at))
        curvature = Curvature(self._stacked(*diagonal), block)
        if self.loss.has_constant_curvature:
            self._constant_curvature = curvature
        return curvature

    def _where(self, at: Evaluation) -> FloatArray | None:
        """Return the coefficients that the Hessian depends on."""
        return None if self.loss.has_constant_curvature else at.coefficients

    def _stacked(self, dense: FloatArray, of_codes: RowSums) -> FloatArray:
        n_codes = self.n_coefficients - self.n_dense
        return np.concatenate([dense, of_codes.as_table(n_codes)])


def _evaluate(
    block: Block, which: tuple[Loss, slice, int, bool], coefficients: FloatArray
) -> PartialSums:
    model = _model(block, *which)
    at = model.evaluate(_local(block, model, coefficients))
    return at.value, *_cut(block, model, at.gradient)


def _hessian_product(
    block: Block,
    which: tuple[Loss, slice, int, bool],
    direction: FloatArray,
    where: FloatArray | None,
) -> PartialSums:
    model = _model(block, *which)
    local = _local(block, model, direction)
    product = model.hessian_product(local, _at(block, model, where), np.zeros(1))
    return _cut(block, model, product.astype(direction.dtype))


def _curvature(
    block: Block, which: tuple[Loss, slice, int, bool], where: FloatArray | None
) -> PartialSums:
    model = _model(block, *which)
    diagonal, of_dense = model.curvature(_at(block, model, where))
    return *_cut(block, model, diagonal), of_dense


def _model(
    block: Block, loss: Loss, outputs: slice, subset: int, n_rows: int
) -> AdditiveModel:
    rows = block.rows
    targets = np.ascontiguousarray(rows.targets[:, outputs])
    rows = Rows(rows.codes, rows.n_codes, rows.context, targets, rows.weight)
    return AdditiveModel(rows, loss, block.is_used[subset], n_rows)


def _at(block: Block, model: AdditiveModel, where: FloatArray | None) -> Evaluation:
    """Return what the Hessian depends on: nothing, if it is the same everywhere."""
    if where is not None:
        return model.evaluate(_local(block, model, where))
    none = model.zeros()
    return Evaluation(none, 0.0, none, np.broadcast_to(0.0, model.rows.targets.shape))


def _local(block: Block, model: AdditiveModel, coefficients: FloatArray) -> FloatArray:
    """Return the coefficients of intercept, context and the block's categories."""
    n_dense = model.n_dense
    of_codes = coefficients[n_dense:].take(block.table_rows, axis=0)
    return np.concatenate([coefficients[:n_dense], of_codes])


def _cut(
    block: Block, model: AdditiveModel, of_coefficients: FloatArray
) -> tuple[FloatArray, RowSums]:
    """Return what belongs to intercept and context, and to the block's categories."""
    n_dense = model.n_dense
    of_codes = RowSums(block.table_rows, of_coefficients[n_dense:])
    return of_coefficients[:n_dense], of_codes
