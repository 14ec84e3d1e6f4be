"""What was learned about each column: effects, and vectors in canonical axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.additive.main_effects import MainEffects
from sk_embed._engine.axes import (
    Axes,
    Sample,
    alignment_rotations,
    alignment_signs,
    canonical_axes,
    effect_slopes,
    split_half_reliability,
)

# Share of the largest eigenvalue below which a direction of the regressors holds nothing.
_RANK_TOLERANCE = 1e-10
# Tables may take most of the memory, and so are turned part by part.
_CATEGORIES_AT_A_TIME = 2**16


class BackToTrunk(NamedTuple):
    """Moments of a regression of the trunk's table on effects and canonical vectors.

    The ``n`` regressors ``r`` of a category are its main effects, where these are taken out
    of the vectors, and its vector; ``t`` is its row of the first table.

    Parameters
    ----------
    gram : ndarray of shape (n, n)
        Mean of ``r r^T`` over the rows of the training data.
    moments : ndarray of shape (n, width)
        Mean of ``r t^T``.
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
        Main effects.
    vectors : ndarray of shape (n_codes, n_axes)
        Interaction vectors.
    fold_effects : ndarray of shape (n_folds, n_codes, n_outputs)
        Main effects without each fold.
    fold_vectors : ndarray of shape (n_folds, n_codes, n_axes)
        Interaction vectors without each fold, in the axes of ``vectors``.
    explained_variance_ratio : ndarray of shape (n_axes,)
        Share of the vectors' second moment on each axis.
    share : ndarray of shape (n_axes,)
        The same of effects and vectors together.
    n_categories : int
        Codes that have rows.
    noise_ratio : float
        Rows of a category that weigh as much as the prior of its main effect; of several
        outputs the largest.
    reliability : ndarray of shape (n_axes,)
        Agreement of two halves of the rows on each axis; NaN where all rows fit into
        one batch, too few for halves.
    weight : ndarray of shape (n_codes,)
        Weight of each code's rows.
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
    back: BackToTrunk


class LearnedTables(NamedTuple):
    """All tables that were learned under one trunk.

    Parameters
    ----------
    prior : ndarray of shape (sum(n_codes), width)
        Where they began.
    by_order : list of list of ndarray of shape (sum(n_codes), width)
        For each row order the table of all rows, two of halves, of the categories in the
        samples alone, and those of the folds.
    counts : list of ndarray of shape (3 + n_folds, n_codes)
        Of each column, the weight of each category's rows: of all, halves and folds.
    samples : list of Sample
        Of each column.
    """

    prior: FloatArray
    by_order: list[list[FloatArray]]
    counts: list[FloatArray]
    samples: list[Sample]


def column_vectors(
    n_codes: IntArray,
    learned: LearnedTables,
    effects: MainEffects,
    metrics: FloatArray,
    less_effects: bool,
) -> list[ColumnVectors]:
    """Cut the stacked tables into columns, and bring each to its canonical axes.

    Parameters
    ----------
    n_codes : ndarray of shape (n_columns,)
        Codes of each column.
    learned : LearnedTables
        The tables.
    effects : MainEffects
        Of all columns.
    metrics : ndarray of shape (n_columns, width, width)
        Of each column.
    less_effects : bool
        Whether what the main effects say is taken out of the vectors.

    Returns
    -------
    list of ColumnVectors
    """
    n_outputs = effects.effects.shape[2] if less_effects else 0
    sample_ends = np.cumsum([len(sample.codes) for sample in learned.samples])
    columns = []
    for number, end in enumerate(np.cumsum(n_codes)):
        part = slice(end - n_codes[number], end)
        sample, n_rows = learned.samples[number], learned.counts[number][0]
        sampled = slice(sample_ends[number] - len(sample.codes), sample_ends[number])
        said = effects.effects[:, part, :n_outputs]
        axes, vectors, reliability, back = _in_canonical_axes(
            [[of[0][part], *(t[part] for t in of[3:])] for of in learned.by_order],
            np.stack([[of[1][sampled], of[2][sampled]] for of in learned.by_order]),
            learned.prior[part],
            said,
            np.delete(learned.counts[number], (1, 2), axis=0),
            sample,
            metrics[number],
        )
        in_effects = float((n_rows / n_rows.sum()) @ (said[0] ** 2).sum(axis=1))
        both = in_effects + axes.second_moment
        ratio = axes.explained_variance_ratio
        columns.append(
            ColumnVectors(
                effects=effects.effects[0, part],
                vectors=vectors[0],
                fold_effects=effects.effects[1:, part],
                fold_vectors=vectors[1:],
                explained_variance_ratio=ratio,
                share=ratio * (axes.second_moment / both if both > 0 else 0.0),
                n_categories=int(np.sum(n_rows > 0)),
                noise_ratio=float(effects.noise_ratio[:, number].max()),
                reliability=reliability,
                weight=n_rows,
                back=back,
            )
        )
    return columns


def _in_canonical_axes(
    tables: list[list[FloatArray]],
    halves: FloatArray,
    prior: FloatArray,
    effects: FloatArray,
    counts: FloatArray,
    sample: Sample,
    metric: FloatArray,
) -> tuple[Axes, FloatArray, FloatArray, BackToTrunk]:
    """Bring one column's tables to common axes, and take the mean over row orders.

    Axes, signs and reliability are those of what was learned, the tables less their
    random start, about the categories of a sample. Of the vectors only that share of the
    start is taken out which their rows have not overwritten: all of it where a category
    has no rows.

    The effects are taken out of the vectors: those without a fold out of that fold's, by
    the slopes of the full table. A half has slopes of its own, for its vectors are shorter.

    Parameters
    ----------
    tables : list of list of ndarray of shape (n_codes, width)
        For each row order, that of all rows and those without each fold.
    halves : ndarray of shape (n_orders, 2, n_sampled, width)
        Those of two halves of the rows, of the categories in the sample.
    prior : ndarray of shape (n_codes, width)
        Where all began.
    effects : ndarray of shape (1 + n_folds, n_codes, n_outputs)
        Of all rows, and without each fold.
    counts : ndarray of shape (1 + n_folds, n_codes)
        Rows of each category, of all and without each fold.
    sample : Sample
        Categories to find the axes by.
    metric : ndarray of shape (width, width)
        Of the column.

    Returns
    -------
    axes : Axes
        Those of the mean full table.
    vectors : ndarray of shape (1 + n_folds, n_codes, n_axes)
        Means over the orders, in these axes.
    reliability : ndarray of shape (n_axes,)
        Agreement of the halves.
    back : BackToTrunk
        The way back to the first full table, about the sample.
    """
    dtype, (codes, shares) = prior.dtype, sample
    sampled = np.stack([[table[codes] for table in of_order] for of_order in tables])
    sampled, halves = sampled - prior[codes], halves - prior[codes]
    in_trunk = sampled[0, 0]
    first = canonical_axes(sampled[0, 0], shares, metric).rotation.astype(dtype)
    sampled, halves = sampled @ first, halves @ first
    # An order's tables are turned as its full table is turned to that of the first order;
    # but not the halves: what is turned to agree tells nothing of agreement.
    reference = sampled[0, 0]
    turns = alignment_rotations(sampled[:, :1], reference, shares)
    turns = turns * alignment_signs(sampled @ turns, reference, shares)
    whole = (sampled[:, 0] @ turns[:, 0]).mean(axis=0)
    halves = (alignment_signs(halves, reference, shares) * halves).mean(axis=0)

    # The whole and two halves, each with slopes of its own.
    asked = np.stack([whole, *halves])
    slopes = effect_slopes(asked, effects[0, codes], shares)
    asked = asked - effects[0, codes] @ slopes
    axes = canonical_axes(asked[0], shares, np.eye(asked.shape[2]))
    asked = asked @ axes.rotation
    reliability = split_half_reliability(asked[1], asked[2], shares)
    back = _back_to_trunk(effects[0, codes], asked[0], in_trunk, shares)

    turns = first @ turns @ axes.rotation.astype(dtype) / dtype.type(len(tables))
    vectors = np.empty((*counts.shape, axes.rotation.shape[1]), dtype)
    for start in range(0, len(prior), _CATEGORIES_AT_A_TIME):
        part = slice(start, start + _CATEGORIES_AT_A_TIME)
        vectors[:, part] = -(effects[:, part] @ (slopes[0] @ axes.rotation))
        left = prior[part] / (1 + counts[:, part, None])
        for of_order, of_turns in zip(tables, turns, strict=True):
            for number, table in enumerate(of_order):
                vectors[number, part] += (table[part] - left[number]) @ of_turns[number]
    return axes, vectors, reliability, back


def _back_to_trunk(
    effects: FloatArray, vectors: FloatArray, in_trunk: FloatArray, counts: FloatArray
) -> BackToTrunk:
    """Return the moments over categories, each counted as often as it occurs."""
    regressors = np.hstack([effects, vectors]).astype(np.float64)
    weighted = regressors.T * (counts / (float(counts.sum()) or 1.0))
    return BackToTrunk(weighted @ regressors, weighted @ in_trunk)
