"""The whole model: what is learned from arrays, in the order in which it is learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sk_embed._arrays import BoolArray, FloatArray, IntArray
from sk_embed._engine.additive.main_effects import (
    MainEffects,
    Whole,
    collect,
    fit_fold,
    fit_whole,
    output_groups,
)
from sk_embed._engine.additive.objective import AdditiveModel
from sk_embed._engine.axes import Sample, sample_categories
from sk_embed._engine.column_vectors import (
    ColumnVectors,
    LearnedTables,
    column_vectors,
)
from sk_embed._engine.losses import Loss
from sk_embed._engine.network.batches import RowOrder
from sk_embed._engine.network.sensitivity import Sensitivity, sensitivity
from sk_embed._engine.network.training import (
    TrainingSettings,
    learn_tables,
    learn_trunk,
)
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.rows import Rows
from sk_embed._engine.stream_settings import StreamStart
from sk_embed._engine.tasks import TaskMap, batched, call, map_in_turn

# Tables are learned side by side as long as they, without their optimiser's state, take no
# more than this: batches are larger then, and rows are read once for all.
_MAX_BYTES_SIDE_BY_SIDE = 2**26
_MAX_TABLES_SIDE_BY_SIDE = 16


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
    mean_target = rows.mean(rows.targets)
    sizes = rows.codes.shape[1], rows.context.shape[1]
    trunk = initial_trunk(*sizes, mean_target, loss, settings, trunk_rng, start)
    draw_prior = partial(prior_table, rows.n_codes, settings, prior_rng)
    draw_order = partial(_row_order, rows, settings.batch_size)
    if is_training is None:
        is_training = np.empty((0, len(rows)), dtype=bool)

    # Trunk and main effects know nothing of each other.
    learning_the_trunk = partial(
        learn_trunk,
        rows,
        partial(draw_order, epoch_rng),
        trunk,
        loss,
        draw_prior,
        settings.training,
        report,
    )
    solving = partial(fit_whole, rows, loss, settings.alpha)
    curve, wholes = map_tasks(call, [learning_the_trunk, solving])

    plan = _plan(rows, draw_prior(), is_training, half_rng)
    orders = [draw_order(order_rng) for _ in range(settings.n_orders)]
    table_tasks = [
        partial(_learn_part, rows, part, order, trunk, loss, plan.prior, settings.training)
        for order in orders
        for part in plan.parts
    ]
    groups = output_groups(rows, loss)
    effect_tasks = [
        partial(_fit_fold, whole, group, loss, used)
        for used in is_training
        for whole, group in zip(wholes, groups, strict=True)
    ]
    results = map_tasks(call, table_tasks + effect_tasks)
    tables, fold_effects = results[: len(table_tasks)], results[len(table_tasks) :]

    by_order = [list(chain.from_iterable(of)) for of in batched(tables, len(plan.parts))]
    learned = LearnedTables(plan.prior, by_order, plan.counts, plan.samples)
    effects = collect(wholes, list(batched(fold_effects, len(wholes))))
    slopes = sensitivity(rows, trunk, by_order[0][0])
    is_told = len(rows) > settings.batch_size
    return put_together(
        rows.n_codes, learned, effects, slopes, trunk, curve, settings, is_told
    )


def put_together(
    n_codes: IntArray,
    learned: LearnedTables,
    effects: MainEffects,
    slopes: Sensitivity,
    trunk: Trunk,
    loss_curve: list[float],
    settings: ModelSettings,
    is_told: bool,
) -> LearnedModel:
    """Make a model of what was learned.

    Parameters
    ----------
    n_codes : ndarray of shape (n_columns,)
        Codes of each column.
    learned : LearnedTables
        Vectors.
    effects : MainEffects
        Main effects.
    slopes : Sensitivity
        Of the trunk.
    trunk : Trunk
        Frozen.
    loss_curve : list of float
        Of the trunk.
    settings : ModelSettings
        Of all.
    is_told : bool
        Whether the rows tell reliability and sensitivity.
    """
    columns = column_vectors(
        n_codes, learned, effects, slopes.metrics, settings.less_effects
    )
    if not is_told:
        columns = [replace(c, reliability=c.reliability * np.nan) for c in columns]
        slopes = slopes._replace(context=np.empty(0))
    start = StreamStart(
        vectors=np.ascontiguousarray(learned.by_order[0][0]),
        effects=effects.effects[0].astype(settings.dtype),
        alpha=effects.alpha,
        noise_ratio=effects.noise_ratio,
        weight=np.concatenate([of_column[0] for of_column in learned.counts]),
        n_codes=n_codes,
    )
    return LearnedModel(
        columns, slopes.context, trunk, loss_curve, effects.converged, start
    )


def n_table_passes(settings: ModelSettings, n_folds: int) -> int:
    """Return the passes for final tables: of all rows, of two halves, of the folds."""
    return settings.n_orders * settings.training.n_sweeps * (3 + n_folds)


def _row_order(rows: Rows, batch_size: int, rng: np.random.Generator) -> RowOrder:
    order = rng.permutation(np.arange(len(rows), dtype=np.int32))
    return RowOrder(rows, order, batch_size)


def initial_trunk(
    n_columns: int,
    n_context: int,
    mean_target: FloatArray,
    loss: Loss,
    settings: ModelSettings,
    rng: np.random.Generator,
    start: Trunk | None,
) -> Trunk:
    """Return a trunk that predicts the mean target, or goes on from another."""
    trunk = Trunk(
        n_inputs=n_columns * settings.training.width + n_context,
        hidden_layer_sizes=settings.hidden_layer_sizes,
        n_outputs=len(mean_target),
        dtype=settings.dtype,
    )
    trunk.initialize(rng, intercept=loss.link(mean_target))
    if start is not None:
        if start.shapes != trunk.shapes:
            raise ValueError(
                f"warm_start=True goes on from a network of layers {start.shapes}, but "
                f"these columns, outputs and parameters make one of {trunk.shapes}; fit "
                "with warm_start=False first."
            )
        trunk.parameters[:] = start.parameters
    return trunk


def prior_table(
    n_codes: IntArray, settings: ModelSettings, rng: np.random.Generator
) -> FloatArray:
    """Return where the stacked tables begin: at the origin, or at random about it."""
    shape = (int(n_codes.sum()), settings.training.width)
    if settings.init_scale == 0:
        return np.zeros(shape, settings.dtype)
    drawn = rng.normal(scale=settings.init_scale, size=shape)
    return drawn.astype(settings.dtype)


def _whole_and_halves(rows: Rows, rng: np.random.Generator) -> BoolArray:
    """Return all rows and two disjoint halves of them, shape (3, n_rows)."""
    in_first = np.zeros(len(rows), dtype=bool)
    in_first[rng.permutation(len(rows))[: len(rows) // 2]] = True
    return np.stack([np.ones_like(in_first), in_first, ~in_first])


class Part(NamedTuple):
    """Tables that are learned side by side.

    Parameters
    ----------
    which : ndarray of shape (n_tables, ...)
        What each learns from: a mask of the rows, or its number where they are elsewhere.
    kept : list of ndarray of shape (n_kept,), or of slice
        The rows of each that are kept.
    """

    which: NDArray[Any]
    kept: list[IntArray | slice]


class _Plan(NamedTuple):
    """The final tables, before they are learned: see :class:`LearnedTables`."""

    prior: FloatArray
    parts: list[Part]
    counts: list[FloatArray]
    samples: list[Sample]


def _plan(
    rows: Rows, prior: FloatArray, is_training: BoolArray, rng: np.random.Generator
) -> _Plan:
    whole_and_halves = _whole_and_halves(rows, rng)
    counts = _counts(rows, np.concatenate([whole_and_halves, is_training]))
    samples = [sample_categories(of_column[0]) for of_column in counts]
    # Of the halves no more is kept than what reliability is told from; but where they are
    # learned side by side with the whole, all are small and one array.
    sampled = sampled_rows(rows.n_codes, samples)
    every = slice(None)
    parts = [
        *side_by_side(whole_and_halves, [every, sampled, sampled], prior.nbytes),
        *side_by_side(is_training, [every] * len(is_training), prior.nbytes),
    ]
    return _Plan(prior, parts, counts, samples)


def _fit_fold(
    whole: Whole, rows: Rows, loss: Loss, is_used: BoolArray
) -> tuple[FloatArray, bool]:
    # The model, which holds a number for each row, lasts no longer than the task.
    return fit_fold(whole, AdditiveModel(rows, loss, is_used))


def sampled_rows(n_codes: IntArray, samples: list[Sample]) -> IntArray:
    """Return the samples of all columns as rows of the stacked tables."""
    offsets = np.cumsum(n_codes) - n_codes
    return np.concatenate(
        [offset + s.codes for offset, s in zip(offsets, samples, strict=True)]
    )


def _learn_part(
    rows: Rows,
    part: Part,
    order: RowOrder,
    trunk: Trunk,
    loss: Loss,
    prior: FloatArray,
    settings: TrainingSettings,
) -> list[FloatArray]:
    table = learn_tables(rows, part.which, order, trunk, loss, prior, settings)
    return [table[:, number][kept] for number, kept in enumerate(part.kept)]


def side_by_side(
    which: NDArray[Any], kept: list[IntArray | slice], n_bytes: int
) -> list[Part]:
    """Put so many tables, of ``n_bytes`` each, together as memory allows."""
    n_together = _MAX_BYTES_SIDE_BY_SIDE // max(n_bytes, 1)
    n_together = min(max(n_together, 1), _MAX_TABLES_SIDE_BY_SIDE)
    return [
        Part(which[start : start + n_together], kept[start : start + n_together])
        for start in range(0, len(kept), n_together)
    ]


def _counts(rows: Rows, is_used: BoolArray) -> list[FloatArray]:
    """Return the weight of each code's rows, (n_weightings, n_codes) for each column."""
    counts = []
    for codes, n_codes in zip(rows.codes.T, rows.n_codes, strict=True):
        of_column = [np.bincount(codes, rows.weight * used, n_codes) for used in is_used]
        counts.append(np.array(of_column, dtype=rows.weight.dtype))
    return counts
