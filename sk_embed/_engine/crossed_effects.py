"""Crosses: pairs of columns as columns of their own in the joint additive model.

For a row with codes c_j and the chosen pairs (a, b)::

    raw = b + beta . x + sum_j w_j[c_j] + sum_(a, b) w_ab[c_a, c_b]

Which pairs, unless they are given, is decided by what the model without them leaves of the
target of rows that it has not learned from: see :mod:`sk_embed._engine.additive.crosses`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.additive.crosses import (
    MAX_ROWS_SCREENED,
    HeldOutRows,
    choose_crosses,
    confirmed,
)
from sk_embed._engine.additive.foretold import (
    UNSHRUNK,
    Foretold,
    Shrinkage,
    shrinkages,
)
from sk_embed._engine.additive.main_effects import (
    AdditiveFit,
    KnownColumns,
    MainEffects,
    Solved,
    beginning,
    by_output,
    fit_all_rows,
    fit_fold,
    output_groups,
    stack_fits,
)
from sk_embed._engine.additive.residuals import Residuals
from sk_embed._engine.cells import Interaction, ListedCells, Pair, cell_codes, keys_of
from sk_embed._engine.losses import Loss
from sk_embed._engine.rows import ALL_ROWS, Rows, without_fold
from sk_embed._engine.sources import RowSource
from sk_embed._engine.tasks import TaskMap, batched, call, map_in_turn

# Coefficients of an output up to which folds are solved side by side: a solution takes
# about twenty arrays of them, 160 MiB. More are bound by memory's speed in any case.
_MAX_COEFFICIENTS_SIDE_BY_SIDE = 2**20


class CrossEffects(NamedTuple):
    """Effects of the cells of one pair of columns, beyond those of their categories.

    Parameters
    ----------
    pair : tuple of int
        Numbers of the two columns.
    cells : ListedCells
        The cells that have rows.
    effects : ndarray of shape (n_cells + 1, n_outputs)
        Effects of the cells; zero, the last, is that of any other cell without
        ``interaction``.
    fold_effects : ndarray of shape (n_folds, n_cells + 1, n_outputs)
        Effects of the cells, learned without each fold.
    weight : ndarray of shape (1 + n_folds, n_cells + 1)
        Weight of each cell's rows, of all and without each fold.
    effective_counts : ndarray of shape (n_cells + 1,)
        Effective number of each cell's rows.
    explained_variance_ratio : float
        Share of these effects in the variance of all effects, of columns and of crosses.
    noise_ratio : float
        Rows of a cell that weigh as much as the prior of its effect; of several outputs
        the largest.
    penalty_ratio : ndarray of shape (n_outputs,)
        Rows of a cell that weigh as much as the penalty of its effects.
    interaction : Interaction or None
        Effects of cells that are not listed, as the network foretells them; None if zero.
    """

    pair: Pair
    cells: ListedCells
    effects: FloatArray
    fold_effects: FloatArray
    weight: FloatArray
    effective_counts: FloatArray
    explained_variance_ratio: float
    noise_ratio: float
    penalty_ratio: FloatArray
    interaction: Interaction | None = None

    def first_folds(self, n_folds: int) -> CrossEffects:
        """Return the effects of all rows and without each of the first folds.

        They are copied where some are left out, so that these can be freed.
        """
        if n_folds == len(self.fold_effects):
            return self
        return self._replace(
            effects=self.effects.copy(),
            fold_effects=self.fold_effects[:n_folds].copy(),
            weight=self.weight[: 1 + n_folds].copy(),
        )

    def foretold(self, subset: int, means: FloatArray) -> Foretold:
        """Return the effects of a subset beside what is foretold of the listed cells.

        Subset 0 is that of all rows, ``1 + k`` that without fold k; ``means`` has the shape
        (n_cells, n_outputs).
        """
        effects = self.fold_effects[subset - 1] if subset else self.effects
        means = np.pad(means, ((0, 1), (0, 0)))
        return Foretold(effects, means, self.weight[subset], self.penalty_ratio)


class Crossed(NamedTuple):
    """Rows with pairs of their columns as further columns.

    Parameters
    ----------
    columns, source : RowSource
        Rows without these pairs, and with them.
    pairs : sequence of tuple of int
        Numbers of two columns each.
    cells : list of ListedCells
        Cells of each pair that have rows.
    """

    columns: RowSource
    source: RowSource
    pairs: Sequence[Pair]
    cells: list[ListedCells]

    def effects(self, joint: MainEffects, loss: Loss) -> Iterator[CrossEffects]:
        """Return the effects of the crosses, of all that were solved jointly."""
        n_outputs = joint.full.effects.shape[1]
        penalty_ratio = by_output(joint.alpha / joint.curvature, loss, n_outputs)
        effective_counts = self.source.effective_counts()
        ends = np.cumsum(self.source.n_codes)[:-1]
        full = np.split(joint.full.effects, ends)
        subsets = [ALL_ROWS, *(without_fold(fold) for fold in range(len(joint.folds)))]
        weights = [self.source.weight_of_codes(subset) for subset in subsets]
        moments = [
            float(weight @ (effects**2).sum(axis=1))
            for effects, weight in zip(full, weights[0], strict=True)
        ]
        folds = [np.split(fold.effects, ends) for fold in joint.folds]
        first = len(self.columns.n_codes)
        for j, (pair, cells) in enumerate(zip(self.pairs, self.cells, strict=True), first):
            effects = np.stack([full[j], *(fold[j] for fold in folds)])
            # The last stands for cells that are not listed, whatever it has learned.
            effects[:, -1] = 0
            yield CrossEffects(
                pair,
                cells,
                effects[0],
                effects[1:],
                np.stack([of_subset[j] for of_subset in weights]),
                effective_counts[j],
                moments[j] / (sum(moments) or 1.0),
                float(joint.noise_ratio[:, j].max()),
                penalty_ratio[j],
            )


def cross(source: RowSource, pairs: Sequence[Pair]) -> Crossed:
    """Return rows with pairs of their columns as further columns."""
    crossed, cells = source.crossed(pairs) if pairs else (source, [])
    return Crossed(source, crossed, pairs, cells)


class Choice(NamedTuple):
    """Pairs of columns that are crossed, and the penalty of each.

    Parameters
    ----------
    pairs : sequence of tuple of int
        Numbers of two columns each.
    alpha : ndarray of shape (n_groups, n_known)
        Penalty of the effects of the first pairs' cells, for each group of outputs; those
        of the others are estimated by empirical Bayes.
    """

    pairs: Sequence[Pair]
    alpha: FloatArray


def choose_pairs(source: RowSource, loss: Loss, effects: MainEffects) -> Choice:
    """Choose the pairs whose cells tell what their categories do not.

    Their penalties follow from products of folds that share no rows. The fixed point of
    empirical Bayes would set some to infinity, and effects of next to nothing are no less
    than others for trees to split on. Where there are more rows than are screened, others
    must confirm what these say: there the cells of a pair that says nothing cost most.

    Parameters
    ----------
    source : RowSource
        Training rows and their folds.
    loss : Loss
        Loss whose weighted sum over rows is minimised.
    effects : MainEffects
        Main effects of the columns alone, of all rows and without each fold.
    """
    rows, fold_of_row = source.held_out_sample(2 * MAX_ROWS_SCREENED)
    n_outputs = effects.full.effects.shape[1]
    alpha = by_output(effects.alpha, loss, n_outputs)

    def held_out(chosen: IntArray) -> HeldOutRows:
        part, folds = rows.part(chosen), fold_of_row[chosen]
        prediction = held_out_prediction(part, folds, effects)
        return HeldOutRows(part, folds, prediction, loss, alpha)

    if source.n_rows <= 2 * MAX_ROWS_SCREENED:
        taken = choose_crosses(held_out(np.arange(len(rows))))
    else:
        # The seed is fixed for the rows to be any: it is no source of what is learned.
        order = np.random.default_rng(0).permutation(len(rows))
        half = min(MAX_ROWS_SCREENED, len(rows) // 2)
        taken = choose_crosses(held_out(order[:half]))
        taken = confirmed(taken, held_out(order[half : 2 * half])) if taken else []
    groups = output_groups(source, loss)
    prior = np.array([candidate.prior for candidate in taken])
    prior = prior.reshape(len(taken), n_outputs)
    penalties = np.stack([prior[:, outputs].mean(axis=1) for outputs in groups])
    return Choice([candidate.pair for candidate in taken], penalties)


def fit_effects(
    source: RowSource,
    loss: Loss,
    alpha: float | None,
    known: KnownColumns | None,
    n_folds: int,
    map_tasks: TaskMap,
) -> MainEffects:
    """Solve the additive model for all rows, and without each of ``n_folds`` folds.

    ``known`` is the model of the first columns, where it is solved already.
    """
    fits = fit_all_rows(source, loss, alpha, known)
    if int(source.n_codes.sum()) > _MAX_COEFFICIENTS_SIDE_BY_SIDE:
        map_tasks = map_in_turn
    folds = map_tasks(call, fold_tasks(source, loss, fits, n_folds, known))
    return stack_fits(fits, batched(folds, len(fits)))


def fold_tasks(
    source: RowSource,
    loss: Loss,
    fits: list[AdditiveFit],
    n_folds: int,
    known: KnownColumns | None = None,
) -> list[partial[Solved]]:
    """Return the tasks that solve the additive model without each fold."""
    groups = zip(output_groups(source, loss), fits, strict=True)
    return [
        partial(_fit_fold, source, loss, outputs, fold, fit, known)
        for fold, (outputs, fit) in product(range(n_folds), groups)
    ]


def _fit_fold(
    source: RowSource,
    loss: Loss,
    outputs: slice,
    fold: int,
    fit: AdditiveFit,
    known: KnownColumns | None,
) -> Solved:
    # The model, which holds a number for each row, lasts no longer than the task.
    model = source.objective(loss, outputs, without_fold(fold))
    start = None
    if known is not None:
        start = beginning(model, known.effects.folds[fold], outputs)
    return fit_fold(fit, model, start)


def held_out_prediction(
    rows: Rows, fold_of_row: IntArray, effects: MainEffects
) -> FloatArray:
    """Return each row's raw prediction by the model that was learned without its fold.

    Shape (n_rows, n_outputs).
    """
    raw_prediction = np.empty((len(rows), effects.full.effects.shape[1]))
    for fold, solved in enumerate(effects.folds):
        held_out = np.flatnonzero(fold_of_row == fold)
        intercept, *slopes = solved.dense
        of_codes = solved.effects.take(rows.stacked_codes(held_out), axis=0)
        raw_prediction[held_out] = intercept + of_codes.sum(axis=1)
        if slopes:
            raw_prediction[held_out] += rows.context[held_out] @ np.stack(slopes)
    return raw_prediction


def shrink_to_vectors(
    source: RowSource,
    loss: Loss,
    effects: MainEffects,
    crosses: Sequence[CrossEffects],
    means: Sequence[Sequence[FloatArray]],
) -> list[Shrinkage]:
    """Shrink the effects of cells to what vectors foretell, as far as held-out rows gain.

    Effects are overwritten in place, for there may be as many cells as rows.

    Parameters
    ----------
    source : RowSource
        Training rows and their folds.
    loss : Loss
        Loss whose weighted sum over rows is minimised.
    effects : MainEffects
        Main effects of the columns alone, of all rows and without each fold.
    crosses : sequence of CrossEffects
        Effects of the cells, of all rows and without each fold.
    means : sequence of sequences of ndarray of shape (n_cells, n_outputs)
        Prior means of each cross's listed cells, as foretold by the vectors of all rows and
        by those without each fold.

    Returns
    -------
    list of Shrinkage
        How far the effects of each cross were shrunk, and to what.
    """
    rows, fold_of_row = source.held_out_sample(MAX_ROWS_SCREENED)
    prediction = held_out_prediction(rows, fold_of_row, effects)
    residuals = Residuals.of(rows, prediction, loss)
    held_out = [
        _foretold_of_rows(cross, of_cross, 1 + fold_of_row, _cells_of_rows(rows, cross))
        for cross, of_cross in zip(crosses, means, strict=True)
    ]
    found = shrinkages(held_out, residuals)
    for cross, of_cross, shrinkage in zip(crosses, means, found, strict=True):
        _shrink(cross, of_cross, shrinkage)
    return found


def _foretold_of_rows(
    cross: CrossEffects,
    means: Sequence[FloatArray],
    subset_of_row: IntArray,
    cells: IntArray,
) -> Foretold:
    """Return what is foretold of each row's cell, by the subset of each row."""
    n_outputs = cross.effects.shape[1]
    effects, told = np.zeros((2, len(cells), n_outputs))
    weight = np.zeros(len(cells))
    # Cells may be as many as rows: the arrays of one subset are there at a time.
    for subset, of_subset in enumerate(means):
        chosen = np.flatnonzero(subset_of_row == subset)
        of_cells = cross.foretold(subset, of_subset).of_cells(cells[chosen])
        effects[chosen], told[chosen] = of_cells.effects, of_cells.means
        weight[chosen] = of_cells.weight
    return Foretold(effects, told, weight, cross.penalty_ratio)


def _shrink(cross: CrossEffects, means: Sequence[FloatArray], shrinkage: Shrinkage) -> None:
    """Shrink the effects of a cross, of all rows and without each fold."""
    if shrinkage == UNSHRUNK:
        return
    effects = [cross.effects, *cross.fold_effects]
    for subset, (of_subset, known) in enumerate(zip(effects, means, strict=True)):
        of_subset[:] = cross.foretold(subset, known).shrunk(shrinkage)


def _cells_of_rows(rows: Rows, cross: CrossEffects) -> IntArray:
    a, b = (rows.codes[:, column] for column in cross.pair)
    return cell_codes(keys_of(a, b), cross.cells.keys)
