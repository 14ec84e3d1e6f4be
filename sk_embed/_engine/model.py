"""The whole model: what is learned from arrays, in the order in which it is learned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.additive.foretold import Shrinkage
from sk_embed._engine.additive.main_effects import (
    KnownColumns,
    MainEffects,
)
from sk_embed._engine.cells import CrossRule, codes_of
from sk_embed._engine.column_vectors import (
    ColumnVectors,
    LearnedTables,
    Sample,
    column_vectors,
    sample_categories,
)
from sk_embed._engine.crossed_effects import (
    Choice,
    CrossEffects,
    choose_pairs,
    cross,
    fit_effects,
    shrink_to_vectors,
)
from sk_embed._engine.losses import Loss
from sk_embed._engine.network.second_difference import interaction, second_difference
from sk_embed._engine.network.sensitivity import Sensitivity
from sk_embed._engine.network.table_groups import (
    TableGroup,
    groups_of_folds,
    learn_groups,
    side_by_side,
)
from sk_embed._engine.network.training import LearnedTrunk, TrainingSettings
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.rows import ALL_ROWS, HALVES, without_fold
from sk_embed._engine.sources import Report, RowSource
from sk_embed._engine.tasks import TaskMap, call, map_in_turn


@dataclass(frozen=True)
class ModelSettings:
    """Everything that is chosen before learning.

    Parameters
    ----------
    training : TrainingSettings
        Settings of the trunk's epochs and of the tables' sweeps.
    hidden_layer_sizes : tuple of int
        Number of units in each hidden layer of the trunk.
    alpha : float or None
        Penalty of main effects; None estimates one for each column.
    n_fold_tables : int
        Folds without which tables are learned as well: all or none of the source's.
    crosses : CrossRule
        Pairs of columns that are learned as columns of their own.
    init_scale : float
        Standard deviation of the tables' random start; 0 starts them at the origin.
    main_effects : bool
        Whether main effects stand apart, and are taken out of the vectors.
    dtype : dtype
        Type of the network's arithmetic, float32 or float64.
    """

    training: TrainingSettings
    hidden_layer_sizes: tuple[int, ...]
    alpha: float | None
    n_fold_tables: int
    crosses: CrossRule
    init_scale: float
    main_effects: bool
    dtype: np.dtype


@dataclass(frozen=True)
class LearnedModel:
    """The columns' vectors, and how learning went.

    ``context_sensitivity``, shape (n_context,), is the change of the raw prediction over
    one standard deviation of each context column; empty where the rows fit into one
    batch, too few to tell. ``alpha`` and ``curvature`` are those of
    :class:`~sk_embed._engine.additive.main_effects.MainEffects`.
    """

    columns: list[ColumnVectors]
    crosses: list[CrossEffects]
    context_sensitivity: FloatArray
    trunk: Trunk
    loss_curve: list[float]
    main_effects_converged: bool
    alpha: FloatArray
    curvature: FloatArray


def learn_model(
    source: RowSource,
    loss: Loss,
    settings: ModelSettings,
    rng: np.random.Generator,
    *,
    start: Trunk | None = None,
    map_tasks: TaskMap = map_in_turn,
    report: Report = lambda epoch, loss: False,
) -> LearnedModel:
    """Learn main effects and interaction vectors.

    The steps, of which those on one line do not wait for each other::

        the trunk, by epochs; then  |  main effects of all rows; then those without each
            tables of all rows, of  |      fold; then crosses
            two halves and without  |
            each fold               |
        crosses, shrunk to what the vectors foretell of their cells, and this of others
        canonical axes and reliability of each column

    Parameters
    ----------
    source : RowSource
        Training rows, in the settings' dtype, and their folds. What is not of the folds
        does not depend on them.
    loss : Loss
        Loss whose weighted sum over rows is minimised.
    settings : ModelSettings
        All that is chosen before learning.
    rng : Generator
        Source of everything that is drawn.
    start : Trunk, optional
        A trunk to go on from.
    map_tasks : callable, optional
        Like ``map``, but may run the tasks side by side; the first, which reports, in the
        caller's thread. Tasks may map tasks of their own.
    report : callable, optional
        Called after each epoch with its number and its progressive loss; says whether
        to stop.

    Returns
    -------
    LearnedModel
    """
    # A stream for each purpose: how much one draws, by the number of rows, changes none
    # of the others.
    trunk_rng, prior_rng = rng.spawn(2)
    source.draw(rng, settings.training.n_sweeps)
    initial = initial_trunk(source, loss, settings, trunk_rng, start)
    draw_prior = partial(prior_table, source.n_codes, settings, prior_rng)

    # The network and the additive model know nothing of each other.
    learn_trunk = partial(
        source.learn_trunk, initial, loss, draw_prior, settings.training, report
    )
    learning_network = partial(
        _learn_network, source, loss, settings, learn_trunk, draw_prior, map_tasks
    )
    solving = partial(_learn_additive, source, loss, settings, map_tasks)
    network, additive = map_tasks(call, [learning_network, solving])

    n_kept = settings.n_fold_tables
    crosses = additive.crosses
    if crosses and source.n_folds:
        crosses = _shrink_crosses(source, loss, settings, network, additive, map_tasks)
    columns = column_vectors(
        source.n_codes,
        network.tables,
        additive.effects.first_folds(n_kept),
        network.sensitivity.metrics,
        settings.main_effects,
        map_tasks,
    )
    is_one_batch = source.n_rows <= settings.training.batch_size
    # Halves of the rows agree on what the trunk remembers of them as well. The share is
    # that of all it explains, numbers included: beside strong numbers it lowers little.
    share = np.nan if is_one_batch else network.confirmed_share
    columns = [replace(c, reliability=c.reliability * share) for c in columns]
    return LearnedModel(
        columns=columns,
        crosses=[of_pair.first_folds(n_kept) for of_pair in crosses],
        context_sensitivity=np.empty(0) if is_one_batch else network.sensitivity.context,
        trunk=network.trunk,
        loss_curve=network.loss_curve,
        main_effects_converged=additive.converged,
        alpha=additive.alpha,
        curvature=additive.curvature,
    )


class _Network(NamedTuple):
    """The trunk and the tables that were learned under it.

    Parameters
    ----------
    trunk : Trunk
        Trunk after its last epoch.
    loss_curve : list of float
        Validation loss of each epoch.
    confirmed_share : float
        Share of what the trunk explains that holds for rows it has not learned.
    tables : LearnedTables
        Tables of all rows, of two halves and without each fold.
    sensitivity : Sensitivity
        Sensitivity of the trunk about the table of all rows.
    """

    trunk: Trunk
    loss_curve: list[float]
    confirmed_share: float
    tables: LearnedTables
    sensitivity: Sensitivity


def _learn_network(
    source: RowSource,
    loss: Loss,
    settings: ModelSettings,
    learn_trunk: Callable[[], LearnedTrunk],
    draw_prior: Callable[[], FloatArray],
    map_tasks: TaskMap,
) -> _Network:
    """Learn the trunk, and then the tables under it."""
    trunk, curve, confirmed_share = learn_trunk()
    plan = _plan(source, draw_prior(), settings.n_fold_tables)
    learn = _table_learner(source, trunk, loss, plan.prior, settings)
    learned = _learned_tables(source, plan, learn_groups(learn, plan.groups, map_tasks))
    sensitivity = source.sensitivity(trunk, learned.full)
    return _Network(trunk, curve, confirmed_share, learned, sensitivity)


class _Additive(NamedTuple):
    """The additive models.

    Parameters
    ----------
    effects : MainEffects
        Effects of the columns alone, of all rows and without each fold.
    crosses : list of CrossEffects
        Effects of the pairs' cells.
    alpha, curvature : ndarray of shape (n_groups, n_columns + n_crosses)
        Penalty and curvature of each column and cross, of the model of both together.
    converged : bool
        Whether both models were solved to the tolerance, for all folds.
    """

    effects: MainEffects
    crosses: list[CrossEffects]
    alpha: FloatArray
    curvature: FloatArray
    converged: bool


def _learn_additive(
    source: RowSource, loss: Loss, settings: ModelSettings, map_tasks: TaskMap
) -> _Additive:
    """Solve the additive model of the columns, and then that with crosses."""
    may_cross = settings.crosses.may_cross
    n_folds = source.n_folds if may_cross else settings.n_fold_tables
    effects = fit_effects(source, loss, settings.alpha, None, n_folds, map_tasks)
    crosses, joint = _learn_crosses(source, loss, effects, settings, map_tasks)
    converged = effects.converged and joint.converged
    return _Additive(effects, crosses, joint.alpha, joint.curvature, converged)


def _learn_crosses(
    source: RowSource,
    loss: Loss,
    effects: MainEffects,
    settings: ModelSettings,
    map_tasks: TaskMap,
) -> tuple[list[CrossEffects], MainEffects]:
    """Solve the additive model with pairs of columns, if any are given or chosen.

    Returns
    -------
    crosses : list of CrossEffects
        Effects of the pairs' cells.
    joint : MainEffects
        Effects of columns and cells together; those of the columns are not given out, for
        they hold less where the cells may as well have it.
    """
    choice = Choice(settings.crosses.pairs, effects.alpha[:, :0])
    if settings.crosses.is_chosen:
        choice = choose_pairs(source, loss, effects)
    if not choice.pairs:
        return [], effects
    crossed = cross(source, choice.pairs)
    known = KnownColumns(effects, np.hstack([effects.alpha, choice.alpha]))
    n_folds = source.n_folds
    joint = fit_effects(crossed.source, loss, settings.alpha, known, n_folds, map_tasks)
    return list(crossed.effects(joint, loss)), joint


def _shrink_crosses(
    source: RowSource,
    loss: Loss,
    settings: ModelSettings,
    network: _Network,
    additive: _Additive,
    map_tasks: TaskMap,
) -> list[CrossEffects]:
    """Shrink the effects of crosses to what the vectors foretell of their cells.

    Cells without rows get what is foretold of them.
    """
    trunk, tables = network.trunk, network.tables
    folds = tables.folds
    if len(folds) < source.n_folds:
        # No training row is encoded by these, but held-out rows are needed all the same.
        learn = _table_learner(source, trunk, loss, tables.prior, settings)
        groups = groups_of_folds(source.n_folds, tables.prior.nbytes)
        folds = learn_groups(learn, groups, map_tasks)
    means = [
        [
            second_difference(
                trunk, table, source.n_codes, cross.pair, codes_of(cross.cells.keys)
            )
            for table in (tables.full, *folds)
        ]
        for cross in additive.crosses
    ]
    found = shrink_to_vectors(source, loss, additive.effects, additive.crosses, means)
    return _with_interactions(source, network, additive.crosses, found)


def _with_interactions(
    source: RowSource,
    network: _Network,
    crosses: Sequence[CrossEffects],
    shrinkages: Sequence[Shrinkage],
) -> list[CrossEffects]:
    """Add what the vectors foretell of cells without rows, where they foretell anything."""
    tables = network.tables
    completed = []
    for of_pair, shrinkage in zip(crosses, shrinkages, strict=True):
        foretold = None
        if shrinkage.slope_without_rows:
            foretold = interaction(
                network.trunk,
                tables.full,
                source.n_codes,
                of_pair.pair,
                [tables.weight[column] for column in of_pair.pair],
            ).scaled(shrinkage.slope_without_rows)
        has_any = foretold is not None and foretold.rank > 0
        completed.append(of_pair._replace(interaction=foretold if has_any else None))
    return completed


def n_table_passes(settings: ModelSettings) -> int:
    """Return the passes for final tables: of all rows, of two halves, of the folds."""
    return settings.training.n_sweeps * (1 + len(HALVES) + settings.n_fold_tables)


def initial_trunk(
    source: RowSource,
    loss: Loss,
    settings: ModelSettings,
    rng: np.random.Generator,
    start: Trunk | None,
) -> Trunk:
    """Return a trunk that predicts the mean target, or goes on from another."""
    trunk = Trunk(
        n_inputs=len(source.n_codes) * settings.training.width + source.n_context,
        hidden_layer_sizes=settings.hidden_layer_sizes,
        n_outputs=len(source.mean_target),
        dtype=settings.dtype,
    )
    trunk.initialize(rng, intercept=loss.link(source.mean_target))
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


class _Plan(NamedTuple):
    """The final tables, before they are learned: see :class:`LearnedTables`."""

    prior: FloatArray
    groups: list[TableGroup]
    weight: list[FloatArray]
    samples: list[Sample]
    n_folds: int


def _plan(source: RowSource, prior: FloatArray, n_folds: int) -> _Plan:
    weight = source.weight_of_codes(ALL_ROWS)
    samples = [sample_categories(of_column) for of_column in weight]
    # Reliability needs but a sample of the halves; yet tables that are learned side
    # by side are small, and one array.
    sampled = _sampled_rows(source.n_codes, samples)
    every = slice(None)
    first = np.array([ALL_ROWS, *HALVES])
    groups = [
        *side_by_side(first, [every, sampled, sampled], prior.nbytes),
        *groups_of_folds(n_folds, prior.nbytes),
    ]
    return _Plan(prior, groups, weight, samples, n_folds)


def _sampled_rows(n_codes: IntArray, samples: list[Sample]) -> IntArray:
    """Return the samples of all columns as rows of the stacked tables."""
    offsets = np.cumsum(n_codes) - n_codes
    return np.concatenate(
        [offset + s.codes for offset, s in zip(offsets, samples, strict=True)]
    )


def _table_learner(
    source: RowSource,
    trunk: Trunk,
    loss: Loss,
    prior: FloatArray,
    settings: ModelSettings,
) -> Callable[[IntArray], FloatArray]:
    """Return the function that learns the tables of some subsets side by side."""
    return partial(
        source.learn_tables,
        trunk=trunk,
        loss=loss,
        prior=prior,
        settings=settings.training,
    )


def _learned_tables(
    source: RowSource, plan: _Plan, tables: Iterable[FloatArray]
) -> LearnedTables:
    """Give tables their names, in the order in which they were planned."""
    full, first_half, second_half, *folds = tables
    return LearnedTables(
        prior=plan.prior,
        full=full,
        halves=[first_half, second_half],
        folds=folds,
        weight=plan.weight,
        fold_weights=[
            source.weight_of_codes(without_fold(fold)) for fold in range(plan.n_folds)
        ],
        samples=plan.samples,
    )
