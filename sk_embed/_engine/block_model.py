"""The whole model of rows in blocks: what ``learn_model`` learns, by rounds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import chain

import numpy as np

from sk_embed._arrays import FloatArray
from sk_embed._engine.additive.main_effects import (
    ROWS_OF_FIRST_ESTIMATE,
    Whole,
    collect,
    fit_fold,
    of_all_rows,
    output_groups,
    solve_whole,
)
from sk_embed._engine.additive.objective import AdditiveObjective
from sk_embed._engine.additive.partitioned import BlocksModel
from sk_embed._engine.axes import sample_categories
from sk_embed._engine.column_vectors import LearnedTables
from sk_embed._engine.losses import Loss
from sk_embed._engine.model import (
    LearnedModel,
    ModelSettings,
    Part,
    initial_trunk,
    prior_table,
    put_together,
    sampled_rows,
    side_by_side,
)
from sk_embed._engine.network.local_sgd import learn_tables_in_rounds, learn_trunk_in_rounds
from sk_embed._engine.network.sensitivity import MAX_ROWS_FOR_METRIC, sensitivity
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.partitions import N_WHOLE_AND_HALVES, Blocks, Facts, sample_of
from sk_embed._engine.tasks import TaskMap, batched, call, map_in_turn


def learn_from_blocks(
    blocks: Blocks,
    facts: Facts,
    loss: Loss,
    settings: ModelSettings,
    n_rounds: int,
    rng: np.random.Generator,
    *,
    start: Trunk | None = None,
    map_tasks: TaskMap = map_in_turn,
    report: Callable[[int, float], bool] = lambda epoch, loss: False,
) -> LearnedModel:
    """Learn main effects and interaction vectors of rows in blocks.

    Parameters
    ----------
    blocks : Blocks
        Training rows, in the settings' dtype, and their folds.
    facts : Facts
        What is known of them.
    loss : Loss
        What is minimised.
    settings : ModelSettings
        How; ``batch_size`` and ``training.max_epochs`` are for the rows of one block.
    n_rounds : int
        Rounds of a pass over the rows.
    rng : Generator
        Source of all randomness but that of the blocks.
    start : Trunk, optional
        A trunk to go on from.
    map_tasks : callable, optional
        Like ``map``, but may run the tasks side by side.
    report : callable, optional
        As in :func:`~sk_embed._engine.model.learn_model`.

    Returns
    -------
    LearnedModel
    """
    trunk_rng, prior_rng, seed_rng = rng.spawn(3)
    epoch_seed, *order_seeds = seed_rng.integers(2**63, size=1 + settings.n_orders).tolist()
    n_folds, n_codes = facts.n_folds, blocks.n_codes
    sizes = len(n_codes), facts.n_context
    trunk = initial_trunk(*sizes, facts.mean_target, loss, settings, trunk_rng, start)
    draw_prior = partial(prior_table, n_codes, settings, prior_rng)

    learning_the_trunk = partial(
        learn_trunk_in_rounds,
        blocks,
        facts,
        trunk,
        loss,
        draw_prior,
        settings.training,
        settings.batch_size,
        n_rounds,
        epoch_seed,
        report,
    )
    solving = partial(_fit_wholes, blocks, facts, loss, settings.alpha)
    (trunk, curve), wholes = map_tasks(call, [learning_the_trunk, solving])

    prior, counts = draw_prior(), facts.counts(n_codes)
    samples = [sample_categories(of_column[0]) for of_column in counts]
    halves = sampled_rows(n_codes, samples)
    every, numbers = slice(None), np.arange(N_WHOLE_AND_HALVES + n_folds)
    first, folds = np.split(numbers, [N_WHOLE_AND_HALVES])
    parts = [
        *side_by_side(first, [every, halves, halves], prior.nbytes),
        *side_by_side(folds, [every] * n_folds, prior.nbytes),
    ]
    table_tasks = [
        partial(_learn_part, blocks, part, trunk, loss, prior, settings, n_rounds, seed)
        for seed in order_seeds
        for part in parts
    ]
    effect_tasks = [
        partial(fit_fold, whole, BlocksModel(blocks, facts, loss, outputs, int(number)))
        for number in folds
        for whole, outputs in zip(wholes, _groups(facts, loss), strict=True)
    ]
    results = map_tasks(call, table_tasks + effect_tasks)
    tables, fold_effects = results[: len(table_tasks)], results[len(table_tasks) :]

    by_order = [list(chain.from_iterable(of)) for of in batched(tables, len(parts))]
    learned = LearnedTables(prior, by_order, counts, samples)
    effects = collect(wholes, list(batched(fold_effects, len(wholes))))
    asked = sample_of(blocks, MAX_ROWS_FOR_METRIC, facts)
    slopes = sensitivity(asked, trunk, by_order[0][0])
    is_told = facts.n_rows > settings.batch_size
    return put_together(n_codes, learned, effects, slopes, trunk, curve, settings, is_told)


def _groups(facts: Facts, loss: Loss) -> list[slice]:
    return loss.joint_outputs(facts.target_sum.shape[1])


def _fit_wholes(
    blocks: Blocks, facts: Facts, loss: Loss, alpha: float | None
) -> list[Whole]:
    """Solve the additive model for all rows, each group of outputs by itself."""
    groups = _groups(facts, loss)
    samples: list[AdditiveObjective | None] = [None] * len(groups)
    if alpha is None and facts.n_rows > 2 * ROWS_OF_FIRST_ESTIMATE:
        sample = sample_of(blocks, ROWS_OF_FIRST_ESTIMATE, facts)
        samples = [of_all_rows(rows, loss) for rows in output_groups(sample, loss)]
    return [
        solve_whole(BlocksModel(blocks, facts, loss, outputs), sample, alpha)
        for outputs, sample in zip(groups, samples, strict=True)
    ]


def _learn_part(
    blocks: Blocks,
    part: Part,
    trunk: Trunk,
    loss: Loss,
    prior: FloatArray,
    settings: ModelSettings,
    n_rounds: int,
    seed: int,
) -> list[FloatArray]:
    table = learn_tables_in_rounds(
        blocks, part.which, trunk, loss, prior, settings.training, settings.batch_size,
        n_rounds, seed,
    )  # fmt: skip
    return [table[:, number][kept] for number, kept in enumerate(part.kept)]
