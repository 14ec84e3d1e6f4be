"""The whole model: what is learned from arrays, in the order in which it is learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from sk_embed._arrays import BoolArray, FloatArray, IntArray
from sk_embed._engine.axes import (
    Axes,
    alignment_signs,
    canonical_axes,
    effect_slopes,
    sensitivity,
    split_half_reliability,
)
from sk_embed._engine.batches import RowOrder
from sk_embed._engine.losses import Loss
from sk_embed._engine.main_effects import MainEffects, fit_main_effects
from sk_embed._engine.network import Trunk
from sk_embed._engine.rows import Rows
from sk_embed._engine.tasks import TaskMap, map_in_turn
from sk_embed._engine.training import (
    TrainingSettings,
    learn_tables,
    learn_trunk,
)


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
    batch, too few to tell.
    """

    columns: list[ColumnVectors]
    context_sensitivity: FloatArray
    trunk: Trunk
    loss_curve: list[float]
    main_effects_converged: bool


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
    draw_order = partial(_row_order, rows.stacked_codes, settings.batch_size)
    curve = learn_trunk(
        rows,
        partial(draw_order, epoch_rng),
        trunk,
        loss,
        draw_prior,
        settings.training,
        report,
    )
    orders = [draw_order(order_rng) for _ in range(settings.n_orders)]
    prior = draw_prior()
    if is_training is None:
        is_training = np.empty((0, len(rows)), dtype=bool)
    folds = is_training * rows.weight

    def learn(task: tuple[RowOrder, FloatArray]) -> FloatArray:
        order, weights = task
        return learn_tables(rows, weights, order, trunk, loss, prior, settings.training)

    halves = _halves(rows, half_rng)
    weightings = [np.concatenate([rows.weight[None, :], halves]), folds]
    tasks = [(order, weights) for weights in weightings if len(weights) for order in orders]
    learned = map_tasks(learn, tasks)
    tables = np.stack(learned[: len(orders)])
    if len(folds):
        tables = np.concatenate([tables, np.stack(learned[len(orders) :])], axis=1)
    effects = fit_main_effects(rows, loss, folds, settings.alpha, map_tasks)
    slopes = sensitivity(rows, trunk, tables[0, 0])
    has_halves = len(rows) > settings.batch_size
    columns = _columns(
        rows, slopes.metrics, prior, tables, np.concatenate(weightings), effects, settings
    )
    return LearnedModel(
        columns,
        slopes.context if has_halves else np.empty(0),
        trunk,
        curve,
        effects.converged,
    )


def n_table_passes(settings: ModelSettings, n_folds: int) -> int:
    """Return the passes for final tables: of all rows, of two halves, of the folds."""
    return settings.n_orders * settings.training.n_sweeps * (3 + n_folds)


def _row_order(
    stacked_codes: IntArray, batch_size: int, rng: np.random.Generator
) -> RowOrder:
    return RowOrder(stacked_codes, rng.permutation(len(stacked_codes)), batch_size)


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


def _halves(rows: Rows, rng: np.random.Generator) -> FloatArray:
    """Return the weights of two disjoint halves of the rows, shape (2, n_rows)."""
    in_first = np.zeros(len(rows), dtype=bool)
    in_first[rng.permutation(len(rows))[: len(rows) // 2]] = True
    return np.stack([in_first, ~in_first]) * rows.weight


def _columns(
    rows: Rows,
    metrics: FloatArray,
    prior: FloatArray,
    tables: FloatArray,
    weights: FloatArray,
    effects: MainEffects,
    settings: ModelSettings,
) -> list[ColumnVectors]:
    """Cut the stacked tables into columns, and bring each to its canonical axes.

    ``tables`` has shape (n_orders, n_tables, sum(n_codes), width). The first table of an
    order is that of all rows; then come two halves, then the folds.
    """
    has_halves = len(rows) > settings.batch_size
    n_outputs = effects.effects.shape[2] if settings.less_effects else 0
    columns = []
    for number, offset in enumerate(rows.offsets):
        n_codes = rows.n_codes[number]
        part = slice(offset, offset + n_codes)
        counts = _counts(rows.codes[:, number], weights, n_codes)
        said = effects.effects[:, part, :n_outputs]
        axes, vectors, reliability = _in_canonical_axes(
            tables[:, :, part], prior[part], said, counts, metrics[number]
        )
        shares = counts[0] / counts[0].sum()
        in_effects = float(shares @ (said[0] ** 2).sum(axis=1))
        both = in_effects + axes.second_moment
        columns.append(
            ColumnVectors(
                effects=effects.effects[0, part],
                vectors=vectors[0],
                fold_effects=effects.effects[1:, part],
                fold_vectors=vectors[3:],
                explained_variance_ratio=axes.explained_variance_ratio,
                share=axes.explained_variance_ratio
                * (axes.second_moment / both if both > 0 else 0.0),
                n_categories=int(np.sum(counts[0] > 0)),
                noise_ratio=float(effects.noise_ratio[:, number].max()),
                reliability=reliability
                if has_halves
                else np.full_like(reliability, np.nan),
            )
        )
    return columns


def _in_canonical_axes(
    tables: FloatArray,
    prior: FloatArray,
    effects: FloatArray,
    counts: FloatArray,
    metric: FloatArray,
) -> tuple[Axes, FloatArray, FloatArray]:
    """Bring one column's tables to common axes, and take the mean over row orders.

    Axes, signs and reliability are those of what was learned, the tables less their
    random start. Of the vectors only that share of the start is taken out which their
    rows have not overwritten: all of it where a category has no rows.

    ``effects``, shape (1 + n_folds, n_codes, n_outputs), are taken out of the vectors:
    those without a fold out of that fold's, by the slopes of the full table. A half has
    slopes of its own, for its vectors are shorter.

    Returns
    -------
    axes : Axes
        Those of the mean full table.
    vectors : ndarray of shape (n_tables, n_codes, n_axes)
        Means over the orders, in these axes.
    reliability : ndarray of shape (n_axes,)
        Agreement of the halves, tables 1 and 2.
    """
    first = canonical_axes(tables[0, 0] - prior, counts[0], metric).rotation
    first = first.astype(tables.dtype)
    learned = (tables - prior) @ first
    signs = alignment_signs(learned, learned[0, 0], counts[0])
    learned = (signs * learned).mean(axis=0)
    left = prior / (1 + counts[:, :, None])
    vectors = (signs * ((tables - left) @ first)).mean(axis=0)

    slopes = effect_slopes(learned[:3], effects[0], counts[0])
    said = np.concatenate([effects[:1] @ slopes, effects[1:] @ slopes[0]])
    said = said.astype(tables.dtype)
    axes = canonical_axes(learned[0] - said[0], counts[0], np.eye(learned.shape[2]))
    rotation = axes.rotation.astype(tables.dtype)
    halves = (learned[1:3] - said[1:3]) @ rotation
    reliability = split_half_reliability(halves[0], halves[1], counts[0])
    return axes, (vectors - said) @ rotation, reliability


def _counts(codes: IntArray, weights: FloatArray, n_codes: int) -> FloatArray:
    """Return the weight of each code's rows, shape (n_weightings, n_codes)."""
    counts = [np.bincount(codes, weight, minlength=n_codes) for weight in weights]
    return np.array(counts, dtype=weights.dtype)
