"""The whole model: what is learned from arrays, in the order in which it is learned."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.axes import (
    Axes,
    canonical_axes,
    sensitivity_metrics,
    split_half_reliability,
)
from sk_embed._engine.batches import RowOrder
from sk_embed._engine.losses import Loss
from sk_embed._engine.main_effects import MainEffects, fit_main_effects
from sk_embed._engine.network import Trunk
from sk_embed._engine.rows import Rows
from sk_embed._engine.training import TrainingSettings, learn_tables, learn_trunk

TaskMap = Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]


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
    dtype : dtype
        Of the network's arithmetic.
    """

    training: TrainingSettings
    hidden_layer_sizes: tuple[int, ...]
    batch_size: int
    n_orders: int
    alpha: float | None
    init_scale: float
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
        Share of the second moment on each axis.
    reliability : ndarray of shape (n_axes,)
        Agreement of two halves of the rows on each axis; NaN where all rows fit into
        one batch, too few for halves.
    noise_ratio : float
        Rows that weigh as much as the prior of the main effects.
    """

    effects: FloatArray
    vectors: FloatArray
    fold_effects: FloatArray
    fold_vectors: FloatArray
    explained_variance_ratio: FloatArray
    reliability: FloatArray
    noise_ratio: float


@dataclass(frozen=True)
class LearnedModel:
    """The columns' vectors, and how learning went."""

    columns: list[ColumnVectors]
    trunk: Trunk
    loss_curve: list[float]
    main_effects_converged: bool


def _map_in_turn(function: Callable[[Any], Any], tasks: Iterable[Any]) -> list[Any]:
    return [function(task) for task in tasks]


def learn_model(
    rows: Rows,
    loss: Loss,
    settings: ModelSettings,
    fold_of_row: IntArray | None,
    rng: np.random.Generator,
    *,
    start: Trunk | None = None,
    map_tasks: TaskMap = _map_in_turn,
    report: Callable[[int, float], None] = lambda epoch, loss: None,
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
    fold_of_row : ndarray of shape (n_rows,) or None
        Fold of each row, counted from 0; None learns no fold tables. The other results
        do not depend on it.
    rng : Generator
        Source of all randomness.
    start : Trunk, optional
        A trunk to go on from.
    map_tasks : callable, optional
        Like ``map``, but may run the tasks side by side.
    report : callable, optional
        Called after each epoch with its number and its progressive loss.

    Returns
    -------
    LearnedModel
    """
    trunk = _initial_trunk(rows, loss, settings, rng, start)
    prior = _prior(rows, settings, rng)
    halves = _halves(rows, rng)
    seeds = rng.integers(2**63, size=settings.n_orders)
    stacked_codes = rows.stacked_codes
    orders = [
        RowOrder(
            stacked_codes,
            np.random.default_rng(seed).permutation(len(rows)),
            settings.batch_size,
        )
        for seed in seeds
    ]
    curve = learn_trunk(rows, orders, trunk, loss, prior, settings.training, report)

    folds = _fold_weights(rows, fold_of_row)
    weightings = [np.concatenate([rows.weight[None, :], halves]), folds]

    def learn(task: tuple[RowOrder, FloatArray]) -> FloatArray:
        order, weights = task
        return learn_tables(rows, weights, order, trunk, loss, prior, settings.training)

    tasks = [(order, weights) for weights in weightings if len(weights) for order in orders]
    learned = map_tasks(learn, tasks)
    full, *halved = _mean(learned[: len(orders)])
    fold_tables = (
        _mean(learned[len(orders) :])
        if len(folds)
        else np.empty((0, *full.shape), full.dtype)
    )
    effects = fit_main_effects(
        rows, loss, np.concatenate([rows.weight[None, :], folds]), settings.alpha
    )
    has_halves = len(rows) > settings.batch_size
    columns = _columns(
        rows, trunk, full, halved if has_halves else None, fold_tables, effects
    )
    return LearnedModel(columns, trunk, curve, effects.converged)


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
        trunk.parameters[:] = start.parameters
    return trunk


def _prior(rows: Rows, settings: ModelSettings, rng: np.random.Generator) -> FloatArray:
    shape = (int(rows.n_codes.sum()), settings.training.width)
    drawn = rng.normal(scale=settings.init_scale, size=shape)
    return drawn.astype(settings.dtype)


def _halves(rows: Rows, rng: np.random.Generator) -> FloatArray:
    """Return the weights of two disjoint halves of the rows, shape (2, n_rows)."""
    in_first = np.zeros(len(rows), dtype=bool)
    in_first[rng.permutation(len(rows))[: len(rows) // 2]] = True
    return np.stack([in_first, ~in_first]) * rows.weight


def _fold_weights(rows: Rows, fold_of_row: IntArray | None) -> FloatArray:
    """Return the weights of all rows but each fold's, shape (n_folds, n_rows)."""
    if fold_of_row is None:
        return np.empty((0, len(rows)), rows.weight.dtype)
    folds = np.arange(int(fold_of_row.max()) + 1)[:, None]
    return (fold_of_row != folds) * rows.weight


def _mean(tables_of_orders: list[FloatArray]) -> FloatArray:
    """Mean over row orders: vectors of one trunk lie in one coordinate system."""
    total = tables_of_orders[0].copy()
    for tables in tables_of_orders[1:]:
        total += tables
    total /= len(tables_of_orders)
    return total


def _columns(
    rows: Rows,
    trunk: Trunk,
    full: FloatArray,
    halves: list[FloatArray] | None,
    fold_tables: FloatArray,
    effects: MainEffects,
) -> list[ColumnVectors]:
    """Cut the stacked tables into columns and turn each to its canonical axes."""
    metrics = sensitivity_metrics(rows, trunk, full)
    columns = []
    for number, start in enumerate(rows.offsets):
        n_codes = rows.n_codes[number]
        part = slice(start, start + n_codes)
        counts = np.bincount(rows.codes[:, number], rows.weight, minlength=n_codes)
        axes = canonical_axes(full[part], counts, metrics[number])
        rotation = axes.rotation.astype(full.dtype)
        columns.append(
            ColumnVectors(
                effects=effects.effects[0, part],
                vectors=full[part] @ rotation,
                fold_effects=effects.effects[1:, part],
                fold_vectors=fold_tables[:, part] @ rotation,
                explained_variance_ratio=axes.explained_variance_ratio,
                reliability=_reliability(halves, part, axes, counts),
                noise_ratio=float(effects.noise_ratio[number]),
            )
        )
    return columns


def _reliability(
    halves: list[FloatArray] | None, part: slice, axes: Axes, counts: IntArray | FloatArray
) -> FloatArray:
    if halves is None:
        return np.full(axes.rotation.shape[1], np.nan)
    first, second = (half[part].astype(np.float64) @ axes.rotation for half in halves)
    return split_half_reliability(first, second, counts)
