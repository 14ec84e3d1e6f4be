"""What was learned about each column: effects, and vectors in canonical axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.additive.main_effects import MainEffects
from sk_embed._engine.axes import (
    Axes,
    alignment_rotations,
    alignment_signs,
    canonical_axes,
    effect_slopes,
    split_half_reliability,
)
from sk_embed._engine.tasks import TaskMap, call, map_in_turn

# Number of categories over which means tell axes well enough.
_MAX_CATEGORIES_FOR_AXES = 50_000
# Share of the largest eigenvalue below which a direction of the regressors holds nothing.
_RANK_TOLERANCE = 1e-10
# Tables may take most of the memory, and so are turned part by part.
_CATEGORIES_AT_A_TIME = 2**16


class Sample(NamedTuple):
    """Categories that stand for all of a column.

    Parameters
    ----------
    codes : ndarray of shape (n_sampled,)
        Codes of the categories in the sample, rising.
    counts : ndarray of shape (n_sampled,)
        Weight of the rows that each category stands for, in any unit.
    """

    codes: IntArray
    counts: FloatArray


def sample_categories(counts: FloatArray) -> Sample:
    """Choose the categories that axes are found by: all, or so many that tell as much.

    Moments weigh each category by its rows. So do the categories of evenly spaced rows, in
    the order of their codes, counted as often as they are met.
    """
    if len(counts) <= _MAX_CATEGORIES_FOR_AXES:
        return Sample(np.arange(len(counts)), counts)
    cumulated = np.cumsum(counts, dtype=np.float64)
    places = (np.arange(_MAX_CATEGORIES_FOR_AXES) + 0.5) / _MAX_CATEGORIES_FOR_AXES
    met = np.searchsorted(cumulated, places * cumulated[-1])
    codes, n_times = np.unique(met, return_counts=True)
    return Sample(codes, n_times.astype(counts.dtype))


class BackToTrunk(NamedTuple):
    """Moments of a regression of the trunk's table on effects and canonical vectors.

    The ``n`` regressors ``r`` of a category are its main effects, where these are taken out
    of the vectors, and its vector; ``t`` is its row of the first table.

    Parameters
    ----------
    gram : ndarray of shape (n, n)
        Mean of ``r r^T`` over the rows of the training data.
    moments : ndarray of shape (n, width)
        Mean of ``r t^T`` over the same rows.
    """

    gram: FloatArray
    moments: FloatArray

    def matrix(self, chosen: IntArray) -> FloatArray:
        """Return the matrix that takes some of the regressors to the trunk's coordinates.

        Of all linear maps it has the least squared error, so that axes which are not
        chosen count as zero.
        """
        gram = self.gram[np.ix_(chosen, chosen)]
        return np.linalg.pinv(gram, _RANK_TOLERANCE, hermitian=True) @ self.moments[chosen]


@dataclass(frozen=True)
class ColumnVectors:
    """What was learned about one column; interaction vectors in canonical axes.

    Parameters
    ----------
    effects : ndarray of shape (n_codes, n_outputs)
        Main effects that all rows give to each code.
    vectors : ndarray of shape (n_codes, n_axes)
        Interaction vectors that all rows give to each code.
    fold_effects : ndarray of shape (n_folds, n_codes, n_outputs)
        Main effects without each fold.
    fold_vectors : ndarray of shape (n_folds, n_codes, n_axes)
        Interaction vectors without each fold, in the axes of ``vectors``.
    explained_variance_ratio : ndarray of shape (n_axes,)
        Share of the vectors' second moment on each axis.
    share : ndarray of shape (n_axes,)
        The same of effects and vectors together.
    n_categories : int
        Number of codes that have rows.
    noise_ratio : float
        Rows of a category that weigh as much as the prior of its main effect; of several
        outputs the largest.
    reliability : ndarray of shape (n_axes,)
        Agreement of two halves of the rows on each axis; NaN where all rows fit into
        one batch, too few for halves.
    weight : ndarray of shape (n_codes,)
        Weight of each code's rows.
    fold_weight : ndarray of shape (n_folds, n_codes)
        Weight of those rows that are not in each fold.
    back : BackToTrunk
        The way from effects and vectors back to the trunk's coordinates.
    """

    effects: FloatArray
    vectors: FloatArray
    fold_effects: FloatArray
    fold_vectors: FloatArray
    explained_variance_ratio: FloatArray
    share: FloatArray
    n_categories: int
    noise_ratio: float
    reliability: FloatArray
    weight: FloatArray
    fold_weight: FloatArray
    back: BackToTrunk


class LearnedTables(NamedTuple):
    """All tables that were learned under one trunk.

    Parameters
    ----------
    prior : ndarray of shape (sum(n_codes), width)
        Stacked table that all others began with.
    full : ndarray of shape (sum(n_codes), width)
        Table that was learned from all rows.
    halves : list of ndarray of shape (n_sampled, width)
        Tables of two halves of the rows, of the categories in the samples alone.
    folds : list of ndarray of shape (sum(n_codes), width)
        Table that was learned without each fold.
    weight : list of ndarray of shape (n_codes,)
        Weight of each category's rows, for each column.
    fold_weights : list of list of ndarray of shape (n_codes,)
        Weight of these rows without each fold, for each column.
    samples : list of Sample
        Categories by which the axes of each column are found.
    """

    prior: FloatArray
    full: FloatArray
    halves: list[FloatArray]
    folds: list[FloatArray]
    weight: list[FloatArray]
    fold_weights: list[list[FloatArray]]
    samples: list[Sample]


class SubsetTable(NamedTuple):
    """One column's vectors, in the trunk's coordinates, that some of the rows taught.

    Parameters
    ----------
    vectors : ndarray of shape (n_codes, width)
        Table that was learned from these rows.
    effects : ndarray of shape (n_codes, n_outputs)
        Main effects that were learned from them.
    weight : ndarray of shape (n_codes,)
        Weight of each category's rows among them.
    """

    vectors: FloatArray
    effects: FloatArray
    weight: FloatArray


class TablesOfColumn(NamedTuple):
    """Everything that was learned about one column, in the trunk's coordinates.

    Parameters
    ----------
    full : SubsetTable
        Table that was learned from all rows.
    folds : list of SubsetTable
        Table that was learned without each fold.
    halves : ndarray of shape (n_halves, n_sampled, width)
        Tables of two halves of the rows, of the categories in the sample; ``n_halves`` is
        2, or 0 where no halves were learned.
    prior : ndarray of shape (n_codes, width)
        Table that all of these began with.
    sample : Sample
        Categories by which the axes are found.
    noise_ratio : float
        Rows of a category that weigh as much as the prior of its main effect.
    """

    full: SubsetTable
    folds: list[SubsetTable]
    halves: FloatArray
    prior: FloatArray
    sample: Sample
    noise_ratio: float


def column_vectors(
    n_codes: IntArray,
    learned: LearnedTables,
    effects: MainEffects,
    metrics: FloatArray,
    main_effects: bool,
    map_tasks: TaskMap = map_in_turn,
) -> list[ColumnVectors]:
    """Cut the stacked tables into columns, and bring each to its canonical axes.

    Parameters
    ----------
    n_codes : ndarray of shape (n_columns,)
        Number of codes of each column.
    learned : LearnedTables
        Stacked tables of all columns.
    effects : MainEffects
        Main effects of all columns.
    metrics : ndarray of shape (n_columns, width, width)
        Metric of each column's vectors.
    main_effects : bool
        Whether main effects stand apart, and are taken out of the vectors.
    map_tasks : callable, optional
        Like ``map``, but may run the tasks side by side.

    Returns
    -------
    list of ColumnVectors
    """
    cut = _tables_of_columns(n_codes, learned, effects)
    tasks = [
        partial(in_canonical_axes, of_column, metric, main_effects)
        for of_column, metric in zip(cut, metrics, strict=True)
    ]
    return map_tasks(call, tasks)


def _tables_of_columns(
    n_codes: IntArray, learned: LearnedTables, effects: MainEffects
) -> Iterator[TablesOfColumn]:
    folds = list(zip(learned.folds, effects.folds, learned.fold_weights, strict=True))
    sample_ends = np.cumsum([len(sample.codes) for sample in learned.samples])
    for j, end in enumerate(np.cumsum(n_codes)):
        part, sample = slice(end - n_codes[j], end), learned.samples[j]
        sampled = slice(sample_ends[j] - len(sample.codes), sample_ends[j])
        yield TablesOfColumn(
            SubsetTable(learned.full[part], effects.full.effects[part], learned.weight[j]),
            [SubsetTable(t[part], solved.effects[part], w[j]) for t, solved, w in folds],
            np.stack([table[sampled] for table in learned.halves]),
            learned.prior[part],
            sample,
            float(effects.noise_ratio[:, j].max()),
        )


def in_canonical_axes(
    column: TablesOfColumn, metric: FloatArray, main_effects: bool
) -> ColumnVectors:
    """Bring one column's tables to common axes.

    Axes, signs and reliability are those of what was learned, the tables less their
    random start, about the categories of a sample. Of the vectors only that share of the
    start is taken out which their rows have not overwritten: all of it where a category
    has no rows.

    The effects are taken out of the vectors: those without a fold out of that fold's, by
    the slopes of the full table. A half has slopes of its own, for its vectors are shorter.
    It may have found the vectors turned, but not what they repeat of the effects, so that
    it is turned back when these are taken out.

    Parameters
    ----------
    column : TablesOfColumn
        Tables in the trunk's coordinates, and main effects.
    metric : ndarray of shape (width, width)
        Metric of the column's vectors.
    main_effects : bool
        Whether main effects stand apart, and are taken out of the vectors.
    """
    full, folds, halves, prior, (codes, shares), noise_ratio = column
    dtype, subsets = prior.dtype, [full, *folds]
    effects = full.effects if main_effects else full.effects[:, :0]
    sampled = np.stack([table.vectors[codes] for table in subsets]) - prior[codes]
    in_trunk = sampled[0]
    first = canonical_axes(in_trunk, shares, metric).rotation.astype(dtype)
    sampled, halves = sampled @ first, (halves - prior[codes]) @ first
    signs = alignment_signs(sampled, sampled[0], shares)

    # The whole and two halves, each with slopes of its own.
    found = np.stack([sampled[0], *halves])
    slopes = effect_slopes(found, effects[codes], shares)
    found = found - effects[codes] @ slopes
    axes = canonical_axes(found[0], shares, np.eye(found.shape[2]))
    found = found @ axes.rotation
    found[1:] = _turned_to(found[0], found[1:], shares)
    turns = (first * signs) @ axes.rotation.astype(dtype)
    vectors = np.empty((len(subsets), len(prior), turns.shape[-1]), dtype)
    for subset, turn, out in zip(subsets, turns, vectors, strict=True):
        _turn(subset, prior, turn, slopes[0] @ axes.rotation, out)
    return ColumnVectors(
        effects=full.effects,
        vectors=vectors[0],
        fold_effects=_stacked([fold.effects for fold in folds], full.effects),
        fold_vectors=vectors[1:],
        explained_variance_ratio=axes.explained_variance_ratio,
        share=_share_of_all(axes, effects, full.weight),
        n_categories=int(np.sum(full.weight > 0)),
        noise_ratio=noise_ratio,
        reliability=_reliability(found, shares),
        weight=full.weight,
        fold_weight=_stacked([fold.weight for fold in folds], full.weight),
        back=_back_to_trunk(effects[codes], found[0], in_trunk, shares),
    )


def _stacked(of_folds: list[FloatArray], like: FloatArray) -> FloatArray:
    """Return arrays of the shape of ``like`` in one; there may be none."""
    return np.array(of_folds, like.dtype).reshape(len(of_folds), *like.shape)


def _turned_to(whole: FloatArray, halves: FloatArray, counts: FloatArray) -> FloatArray:
    """Return the halves turned to the whole, each category by what the others say.

    What the categories of two columns do to each other the network does as well with the
    vectors of both turned, and chance decides how far they are turned in one half of the
    rows. Halves that are turned to agree tell nothing of agreement: so every other
    category tells the rotation of those between them.
    """
    halves = halves * alignment_signs(halves, whole, counts)
    turned = np.empty_like(halves)
    for first in (0, 1):
        own, others = slice(first, None, 2), slice(1 - first, None, 2)
        rotations = alignment_rotations(halves[:, others], whole[others], counts[others])
        turned[:, own] = halves[:, own] @ rotations
    return turned


def _turn(
    subset: SubsetTable,
    prior: FloatArray,
    turn: FloatArray,
    slopes: FloatArray,
    out: FloatArray,
) -> None:
    """Write a subset's vectors in canonical axes, shape (n_codes, n_axes), to ``out``.

    ``turn``, shape (width, n_axes), takes them there; what the effects say there, by
    ``slopes``, is taken out, where there are any.
    """
    effects = subset.effects[:, : len(slopes)]
    for start in range(0, len(prior), _CATEGORIES_AT_A_TIME):
        part = slice(start, start + _CATEGORIES_AT_A_TIME)
        out[part] = -(effects[part] @ slopes)
        left = prior[part] / (1 + subset.weight[part, None])
        out[part] += (subset.vectors[part] - left) @ turn


def _share_of_all(axes: Axes, effects: FloatArray, counts: FloatArray) -> FloatArray:
    """Return the share of each axis in the second moment of effects and vectors."""
    in_effects = float((counts / (counts.sum() or 1.0)) @ (effects**2).sum(axis=1))
    both = in_effects + axes.second_moment
    return axes.explained_variance_ratio * (axes.second_moment / both if both > 0 else 0.0)


def _reliability(found: FloatArray, counts: FloatArray) -> FloatArray:
    """Return the agreement of two halves behind the whole; NaN if there are none."""
    if len(found) == 1:
        return np.full(found.shape[2], np.nan)
    return split_half_reliability(found[1], found[2], counts)


def _back_to_trunk(
    effects: FloatArray, vectors: FloatArray, in_trunk: FloatArray, counts: FloatArray
) -> BackToTrunk:
    """Return the moments over categories, each counted as often as it occurs."""
    regressors = np.hstack([effects, vectors]).astype(np.float64)
    weighted = regressors.T * (counts / (float(counts.sum()) or 1.0))
    return BackToTrunk(weighted @ regressors, weighted @ in_trunk)
