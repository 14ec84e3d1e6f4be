"""The whole model: what is learned from arrays, in the order in which it is learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import NamedTuple

import numpy as np

from sk_embed._arrays import BoolArray, FloatArray, IntArray
from sk_embed._engine.axes import (
    Axes,
    Sample,
    alignment_signs,
    canonical_axes,
    effect_slopes,
    sample_categories,
    sensitivity,
    split_half_reliability,
)
from sk_embed._engine.batches import RowOrder
from sk_embed._engine.losses import Loss
from sk_embed._engine.main_effects import MainEffects, collect, fit_fold, fit_whole
from sk_embed._engine.network import Trunk
from sk_embed._engine.rows import Rows
from sk_embed._engine.stream_settings import StreamStart
from sk_embed._engine.tasks import TaskMap, batched, call, map_in_turn
from sk_embed._engine.training import (
    TrainingSettings,
    learn_tables,
    learn_trunk,
)

# Tables are learned side by side as long as they, without their optimiser's state, take no
# more than this: batches are larger then, and rows are read once for all.
_MAX_BYTES_SIDE_BY_SIDE = 2**26


@dataclass(frozen=True)
class ModelSettings:
    """Everything that is chosen before learning.

    Parameters
    ----------
    training : TrainingSettings
        Of trunk and tables.
    hidden_layer_sizes : tuple of int
        Of the trunk.
    batch_size : int
        Rows of a batch.
    n_orders : int
        Row orders; the final tables are the mean over them.
    alpha : float or None
        Penalty of main effects; None estimates one for each column.
    init_scale : float
        Standard deviation of the tables' random start; 0 starts them at the origin.
    less_effects : bool
        Whether what the main effects say is taken out of the vectors.
    dtype : dtype
        Of the network's arithmetic.
    """

    training: TrainingSettings
    hidden_layer_sizes: tuple[int, ...]
    batch_size: int
    n_orders: int
    alpha: float | None
    init_scale: float
    less_effects: bool
    dtype: np.dtype


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


@dataclass(frozen=True)
class LearnedModel:
    """The columns' vectors, and how learning went.

    ``context_sensitivity``, shape (n_context,), is the change of the raw prediction over
    one standard deviation of each context column; empty where the rows fit into one
    batch, too few to tell. ``start`` is what a stream goes on from.
    """

    columns: list[ColumnVectors]
    context_sensitivity: FloatArray
    trunk: Trunk
    loss_curve: list[float]
    main_effects_converged: bool
    start: StreamStart


def learn_model(
    rows: Rows,
    loss: Loss,
    settings: ModelSettings,
    is_training: BoolArray | None,
    rng: np.random.Generator,
    *,
    start: Trunk | None = None,
    map_tasks: TaskMap = map_in_turn,
    report: Callable[[int, float], bool] = lambda epoch, loss: False,
) -> LearnedModel:
    """Learn main effects and interaction vectors.

    Parameters
    ----------
    rows : Rows
        Training rows, in the settings' dtype.
    loss : Loss
        What is minimised.
    settings : ModelSettings
        How.
    is_training : ndarray of bool of shape (n_folds, n_rows) or None
        Rows that each fold's tables are learned from; None learns no fold tables. The
        other results do not depend on it.
    rng : Generator
        Source of all randomness.
    start : Trunk, optional
        A trunk to go on from.
    map_tasks : callable, optional
        Like ``map``, but may run the tasks side by side.
    report : callable, optional
        Called after each epoch with its number and its progressive loss; says whether
        to stop.

    Returns
    -------
    LearnedModel
    """
    # A stream for each purpose: how much one draws, by the number of rows, changes none
    # of the others.
    trunk_rng, prior_rng, half_rng, order_rng, epoch_rng = rng.spawn(5)
    trunk = _initial_trunk(rows, loss, settings, trunk_rng, start)
    draw_prior = partial(_prior, rows, settings, prior_rng)
    draw_order = partial(_row_order, rows, settings.batch_size)
    if is_training is None:
        is_training = np.empty((0, len(rows)), dtype=bool)

    # Trunk and main effects know nothing of each other.
    curve, wholes = map_tasks(
        call,
        [
            partial(
                learn_trunk,
                rows,
                partial(draw_order, epoch_rng),
                trunk,
                loss,
                draw_prior,
                settings.training,
                report,
            ),
            partial(fit_whole, rows, loss, settings.alpha),
        ],
    )
    prior = draw_prior()
    orders = [draw_order(order_rng) for _ in range(settings.n_orders)]
    whole_and_halves = _whole_and_halves(rows, half_rng)
    counts = _counts(rows, np.concatenate([whole_and_halves, is_training]))
    samples = [sample_categories(of_column[0]) for of_column in counts]
    every = slice(None)
    # Of the halves no more is kept than what reliability is told from.
    asked = np.concatenate(
        [offset + s.codes for offset, s in zip(rows.offsets, samples, strict=True)]
    )
    parts = [
        *_side_by_side(whole_and_halves, [every, asked, asked], prior.nbytes),
        *_side_by_side(is_training, [every] * len(is_training), prior.nbytes),
    ]

    def learn(order: RowOrder, part: _Part) -> list[FloatArray]:
        table = learn_tables(
            rows, part.is_used, order, trunk, loss, prior, settings.training
        )
        return [table[:, number][kept] for number, kept in enumerate(part.kept)]

    table_tasks = [partial(learn, order, part) for order in orders for part in parts]
    effect_tasks = [
        partial(fit_fold, whole, loss, used) for used in is_training for whole in wholes
    ]
    results = map_tasks(call, table_tasks + effect_tasks)
    tables, fold_effects = results[: len(table_tasks)], results[len(table_tasks) :]
    by_order = [
        list(chain.from_iterable(of_order)) for of_order in batched(tables, len(parts))
    ]
    effects = collect(wholes, list(batched(fold_effects, len(wholes))))
    slopes = sensitivity(rows, trunk, by_order[0][0])
    has_halves = len(rows) > settings.batch_size
    columns = _columns(
        rows,
        slopes.metrics,
        prior,
        by_order,
        counts,
        samples,
        effects,
        has_halves,
        settings,
    )
    return LearnedModel(
        columns,
        slopes.context if has_halves else np.empty(0),
        trunk,
        curve,
        effects.converged,
        StreamStart(
            vectors=np.ascontiguousarray(by_order[0][0]),
            effects=effects.effects[0].astype(settings.dtype),
            alpha=effects.alpha,
            noise_ratio=effects.noise_ratio,
            weight=np.concatenate([of_column[0] for of_column in counts]),
            n_codes=rows.n_codes,
        ),
    )


def n_table_passes(settings: ModelSettings, n_folds: int) -> int:
    """Return the passes for final tables: of all rows, of two halves, of the folds."""
    return settings.n_orders * settings.training.n_sweeps * (3 + n_folds)


def _row_order(rows: Rows, batch_size: int, rng: np.random.Generator) -> RowOrder:
    order = rng.permutation(np.arange(len(rows), dtype=np.int32))
    return RowOrder(rows, order, batch_size)


def _initial_trunk(
    rows: Rows,
    loss: Loss,
    settings: ModelSettings,
    rng: np.random.Generator,
    start: Trunk | None,
) -> Trunk:
    trunk = Trunk(
        n_inputs=rows.codes.shape[1] * settings.training.width + rows.context.shape[1],
        hidden_layer_sizes=settings.hidden_layer_sizes,
        n_outputs=rows.targets.shape[1],
        dtype=settings.dtype,
    )
    mean = np.average(rows.targets, axis=0, weights=rows.weight)
    trunk.initialize(rng, intercept=loss.link(mean))
    if start is not None:
        if start.shapes != trunk.shapes:
            raise ValueError(
                f"warm_start=True goes on from a network of layers {start.shapes}, but "
                f"these columns, outputs and parameters make one of {trunk.shapes}; fit "
                "with warm_start=False first."
            )
        trunk.parameters[:] = start.parameters
    return trunk


def _prior(rows: Rows, settings: ModelSettings, rng: np.random.Generator) -> FloatArray:
    shape = (int(rows.n_codes.sum()), settings.training.width)
    if settings.init_scale == 0:
        return np.zeros(shape, settings.dtype)
    drawn = rng.normal(scale=settings.init_scale, size=shape)
    return drawn.astype(settings.dtype)


def _whole_and_halves(rows: Rows, rng: np.random.Generator) -> BoolArray:
    """Return all rows and two disjoint halves of them, shape (3, n_rows)."""
    in_first = np.zeros(len(rows), dtype=bool)
    in_first[rng.permutation(len(rows))[: len(rows) // 2]] = True
    return np.stack([np.ones_like(in_first), in_first, ~in_first])


class _Part(NamedTuple):
    """Tables that are learned side by side, and the rows that are kept of each."""

    is_used: BoolArray
    kept: list[IntArray | slice]


def _side_by_side(
    is_used: BoolArray, kept: list[IntArray | slice], n_bytes: int
) -> list[_Part]:
    """Put so many tables, of ``n_bytes`` each, together as memory allows."""
    n_together = max(1, _MAX_BYTES_SIDE_BY_SIDE // max(n_bytes, 1))
    return [
        _Part(is_used[start : start + n_together], kept[start : start + n_together])
        for start in range(0, len(kept), n_together)
    ]


def _columns(
    rows: Rows,
    metrics: FloatArray,
    prior: FloatArray,
    tables: list[list[FloatArray]],
    counts: list[FloatArray],
    samples: list[Sample],
    effects: MainEffects,
    has_halves: bool,
    settings: ModelSettings,
) -> list[ColumnVectors]:
    """Cut the stacked tables into columns, and bring each to its canonical axes.

    ``tables`` holds for each row order the table of all rows, shape (sum(n_codes), width),
    two of halves, of the categories in the samples alone, and those of the folds.
    """
    n_outputs = effects.effects.shape[2] if settings.less_effects else 0
    sample_ends = np.cumsum([len(sample.codes) for sample in samples])
    columns = []
    for number, offset in enumerate(rows.offsets):
        part = slice(offset, offset + rows.n_codes[number])
        sample, n_rows = samples[number], counts[number][0]
        asked = slice(sample_ends[number] - len(sample.codes), sample_ends[number])
        whole_and_folds = [[of[0][part], *(t[part] for t in of[3:])] for of in tables]
        halves = np.stack([[of[1][asked], of[2][asked]] for of in tables])
        axes, vectors, reliability = _in_canonical_axes(
            whole_and_folds,
            halves,
            prior[part],
            effects.effects[:, part, :n_outputs],
            np.delete(counts[number], (1, 2), axis=0),
            sample,
            metrics[number],
        )
        said = effects.effects[0, part, :n_outputs]
        in_effects = float((n_rows / n_rows.sum()) @ (said**2).sum(axis=1))
        both = in_effects + axes.second_moment
        columns.append(
            ColumnVectors(
                effects=effects.effects[0, part],
                vectors=vectors[0],
                fold_effects=effects.effects[1:, part],
                fold_vectors=vectors[1:],
                explained_variance_ratio=axes.explained_variance_ratio,
                share=axes.explained_variance_ratio
                * (axes.second_moment / both if both > 0 else 0.0),
                n_categories=int(np.sum(n_rows > 0)),
                noise_ratio=float(effects.noise_ratio[:, number].max()),
                reliability=reliability
                if has_halves
                else np.full_like(reliability, np.nan),
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
) -> tuple[Axes, FloatArray, FloatArray]:
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
    """
    dtype, (codes, shares) = prior.dtype, sample
    sampled = np.stack([[table[codes] for table in of_order] for of_order in tables])
    sampled = np.concatenate([sampled, halves], axis=1) - prior[codes]
    first = canonical_axes(sampled[0, 0], shares, metric).rotation.astype(dtype)
    learned = sampled @ first
    signs = alignment_signs(learned, learned[0, 0], shares)
    learned = (signs * learned).mean(axis=0)
    # The whole and two halves, each with slopes of its own.
    asked = learned[[0, -2, -1]]
    slopes = effect_slopes(asked, effects[0, codes], shares)
    asked = asked - effects[0, codes] @ slopes
    axes = canonical_axes(asked[0], shares, np.eye(asked.shape[2]))
    asked = asked @ axes.rotation
    reliability = split_half_reliability(asked[1], asked[2], shares)

    rotation = axes.rotation.astype(dtype)
    vectors = -(effects @ (slopes[0] @ axes.rotation)).astype(dtype)
    for of_order, of_signs in zip(tables, signs, strict=True):
        for number, table in enumerate(of_order):
            turn = first * of_signs[number] @ rotation / len(tables)
            left = prior / (1 + counts[number, :, None])
            vectors[number] += (table - left) @ turn
    return axes, vectors, reliability


def _counts(rows: Rows, is_used: BoolArray) -> list[FloatArray]:
    """Return the weight of each code's rows, (n_weightings, n_codes) for each column."""
    counts = []
    for codes, n_codes in zip(rows.codes.T, rows.n_codes, strict=True):
        of_column = [np.bincount(codes, rows.weight * used, n_codes) for used in is_used]
        counts.append(np.array(of_column, dtype=rows.weight.dtype))
    return counts
