"""How a model is learned from rows in memory, in a spool or in partitions.

Whatever holds the rows, the engine learns from a :class:`RowSource` of them, and what it
has learned becomes the fitted state here.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from sk_embed._arrays import FloatArray
from sk_embed._columns.table import TableColumns
from sk_embed._columns.target import Target
from sk_embed._columns.vocabulary import Vocabulary
from sk_embed._cross_fitting import (
    CrossFitted,
    Folds,
    FoldVectors,
    choose_fold_vectors,
    needs_folds,
)
from sk_embed._crosses import cross_table, read_crosses
from sk_embed._engine.model import (
    LearnedModel,
    ModelSettings,
    learn_model,
    n_table_passes,
)
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.sources import InMemory, RowSource
from sk_embed._engine.tasks import TaskMap, call, map_in_pool, map_in_turn
from sk_embed._fitted import EncodingOrStream, FittedEncoding, ResumeState
from sk_embed._names import (
    NamePrior,
    NameRule,
    learn_name_prior,
    read_names,
    warn_of_names_without_use,
)
from sk_embed._output_tables import (
    ColumnTables,
    OutputTables,
    column_tables,
    cross_tables,
)
from sk_embed._progress import reporter
from sk_embed._selection import output_unit
from sk_embed._settings import LOSSES, checked_dtype, model_settings
from sk_embed._sklearn_compat import n_threads, single_blas_thread
from sk_embed._training_data import TrainingData
from sk_embed._warn import warn


class TrainingTable(Protocol):
    """A table whose columns and target are learned, and whose rows are ready."""

    @property
    def columns(self) -> TableColumns:
        """Columns of X."""

    @property
    def target(self) -> Target:
        """Target of the rows."""

    @property
    def n_rows(self) -> int:
        """Number of rows of positive weight."""

    @property
    def total_weight(self) -> float:
        """Weight of these rows."""

    @property
    def n_in_turn(self) -> int:
        """Number of these rows that are learned one after the other, not side by side."""


@dataclass(frozen=True)
class FitOptions:
    """How a model is learned, whatever holds its rows.

    Parameters
    ----------
    parameters : dict
        Parameters of the estimator, by name.
    feature_names : ndarray of shape (n_columns,) or None
        Names of the columns of X, where all are strings.
    before : EncodingOrStream or None
        State that the estimator had before, which ``warm_start`` goes on from.
    seed : int
        Seed of everything that is drawn, but of the folds.
    prefix : str or None
        Beginning of the line that is printed for each epoch; None prints none.
    end_subtask : callable
        Called with the name of each epoch, and of the tables, as they end; returns
        whether to stop.
    """

    parameters: dict[str, Any]
    feature_names: NDArray[Any] | None
    before: EncodingOrStream | None
    seed: int
    prefix: str | None
    end_subtask: Callable[[str], bool]

    def settings(self, table: TrainingTable) -> ModelSettings:
        """Return the engine's settings for a table, without tables of folds."""
        is_categorical = table.columns.is_categorical
        return model_settings(
            self.parameters,
            table.n_rows,
            table.total_weight,
            table.n_in_turn,
            crosses=read_crosses(
                self.parameters["crosses"], is_categorical, self.feature_names
            ),
        )

    def name_rules(self, columns: TableColumns) -> list[NameRule]:
        """Return for each categorical column whether names of its categories are used."""
        names = self.parameters["names"]
        return read_names(names, columns.is_categorical, self.feature_names)

    def start(self, target: Target) -> Trunk | None:
        """Return the trunk to go on from, or raise if it learned another target."""
        if not self.parameters["warm_start"] or self.before is None:
            return None
        before = self.before.target.type
        if before != target.type:
            raise ValueError(
                f"warm_start=True goes on from a {before} target, but this one "
                f"is {target.type}; fit with warm_start=False first."
            )
        return self.before.trunk

    def reporter(self, settings: ModelSettings) -> Callable[[int, float], bool]:
        """Return the function that is called after each epoch."""
        return reporter(
            self.prefix,
            settings.training.max_epochs,
            n_table_passes(settings),
            self.end_subtask,
        )


class FitResult(NamedTuple):
    """The fitted state, and the tables that rows of ``fit`` are encoded by.

    Parameters
    ----------
    encoding : FittedEncoding
        Fitted state, which the estimator keeps.
    tables, crosses : list of OutputTables
        Tables of each column and of each cross, those without each fold among them.
    n_cell_rows : list of ndarray of shape (n_cells + 1,)
        Effective number of rows of each cell of each cross.
    """

    encoding: FittedEncoding
    tables: list[ColumnTables]
    crosses: list[OutputTables]
    n_cell_rows: list[FloatArray]

    def fold_vectors(
        self, counts: list[FloatArray], cross_fit_below: Any
    ) -> tuple[list[FoldVectors], list[FoldVectors]]:
        """Return what training rows get in place of full vectors of columns and crosses.

        Parameters
        ----------
        counts : list of ndarray of shape (n_codes,)
            Effective number of rows of each code of each column.
        cross_fit_below : int or "auto"
            Parameter of the estimator: a number of rows, or "auto".
        """

        def chosen(table: OutputTables, n_rows: FloatArray) -> FoldVectors:
            return choose_fold_vectors(
                table.full,
                table.folds,
                n_rows,
                table.noise_ratio,
                table.is_unmet,
                cross_fit_below,
            )

        return (
            [chosen(*of) for of in zip(self.tables, counts, strict=True)],
            [chosen(*of) for of in zip(self.crosses, self.n_cell_rows, strict=True)],
        )


def learn_from_rows(
    training: TrainingData,
    draw_folds: Callable[[], Folds],
    is_cross_fitted: bool,
    options: FitOptions,
) -> tuple[FitResult, CrossFitted | None]:
    """Learn from rows in memory, or in files that are read as if they were.

    Parameters
    ----------
    training : TrainingData
        Rows to learn from, with their columns and their target.
    draw_folds : callable
        Returns folds over these rows; called where they are needed.
    is_cross_fitted : bool
        Whether training rows are to be encoded without leaking their targets.
    options : FitOptions
        Parameters, seed and callbacks of this fit.

    Returns
    -------
    fit : FitResult
        The fitted state and all tables.
    cross_fitted : CrossFitted or None
        What training rows are encoded by; None where they are encoded as new rows are.
    """
    settings = options.settings(training)
    fold_of_row = is_training = None
    counts = training.rows.effective_counts()
    cross_fit_below = options.parameters["cross_fit_below"]
    with_fold_tables = is_cross_fitted and (
        settings.crosses.may_cross or needs_folds(counts, cross_fit_below)
    )
    # Crosses are judged by rows that were held out.
    if with_fold_tables or settings.crosses.may_cross:
        fold_of_row, is_training = draw_folds()
        n_fold_tables = len(is_training) if with_fold_tables else 0
        settings = replace(settings, n_fold_tables=n_fold_tables)
    source = InMemory(training.rows, is_training, training.n_in_reach, training.stack)
    # There may be as many rows as memory holds.
    del is_training
    fold_of_row = fold_of_row if with_fold_tables else None
    n_helpers = n_threads(options.parameters["n_jobs"], training.n_rows) - 1
    # Numpy's large calls let go of the interpreter's lock.
    with ThreadPoolExecutor(max(n_helpers, 1)) as pool:
        map_tasks = partial(map_in_pool, pool) if n_helpers else map_in_turn
        fit = learn_from_source(source, training, settings, options, map_tasks)
    if not is_cross_fitted:
        return fit, None
    codes, places = training.rows.codes, training.row_numbers
    if fold_of_row is None:
        return fit, CrossFitted([], [], codes, np.zeros(len(places), np.int8), places)
    vectors = fit.fold_vectors(counts, cross_fit_below)
    return fit, CrossFitted(*vectors, codes, fold_of_row, places)


def learn_from_source(
    source: RowSource,
    table: TrainingTable,
    settings: ModelSettings,
    options: FitOptions,
    map_tasks: TaskMap,
) -> FitResult:
    """Learn from a source of rows, wherever they are.

    Parameters
    ----------
    source : RowSource
        Rows to learn from, and their folds.
    table : TrainingTable
        Columns and target of these rows.
    settings : ModelSettings
        Settings of the engine, tables of folds included.
    options : FitOptions
        Parameters, seed and callbacks of this fit.
    map_tasks : callable
        Like ``map``, but may run the tasks side by side.
    """
    start = options.start(table.target)
    rules = options.name_rules(table.columns)
    with single_blas_thread():
        model = learn_model(
            source,
            LOSSES[table.target.type](),
            settings,
            np.random.default_rng(options.seed),
            start=start,
            map_tasks=map_tasks,
            report=options.reporter(settings),
        )
    options.end_subtask("tables")
    return fit_result(
        table.columns, table.target, model, options.parameters, rules, map_tasks
    )


def fit_result(
    columns: TableColumns,
    target: Target,
    model: LearnedModel,
    parameters: dict[str, Any],
    name_rules: list[NameRule],
    map_tasks: TaskMap = map_in_turn,
) -> FitResult:
    """Choose the axes and the unit of the output, and make the fitted state.

    Parameters
    ----------
    columns : TableColumns
        The columns of X, as learned.
    target : Target
        Target as it was read, with or without the values of rows.
    model : LearnedModel
        Vectors, effects and trunk that the engine has learned.
    parameters : dict
        Parameters of the estimator, by name.
    name_rules : list of NameRule
        Rule of each column, whether its categories' names are used.
    map_tasks : callable, optional
        Like ``map``, but may run the tasks side by side.
    """
    if not model.main_effects_converged:
        warn(
            "The main effects did not converge; a larger alpha makes them easier.",
            ConvergenceWarning,
        )
    unit = output_unit(model.context_sensitivity)
    dtype = checked_dtype(parameters["dtype"])
    with_effects = bool(parameters["main_effects"])
    tables = [
        column_tables(column, parameters["n_components"], with_effects, unit)
        for column in model.columns
    ]
    resume = _resume_state(columns, model, tables, parameters)
    name_priors, tables = _with_names(columns, model, tables, name_rules, map_tasks)
    n_totals = len(target.effect_names) if with_effects else 0
    crosses = [cross_tables(cross, unit, dtype) for cross in model.crosses]
    encoding = FittedEncoding(
        columns=columns,
        target=target.without_values(),
        with_effects=with_effects,
        tables=[
            vocabulary.spread(table.full.astype(dtype, copy=False))
            for table, vocabulary in zip(tables, columns.vocabularies, strict=True)
        ],
        explained_variance_ratio=[table.explained_variance_ratio for table in tables],
        reliability=[table.reliability for table in tables],
        unit=unit,
        trunk=model.trunk,
        loss_curve=model.loss_curve,
        resume=resume,
        crosses=[
            cross_table(cross, table.full, unit, columns.vocabularies, n_totals)
            for cross, table in zip(model.crosses, crosses, strict=True)
        ],
        name_priors=name_priors,
        with_counts=bool(parameters["counts"]),
    )
    return FitResult(
        encoding, tables, crosses, [cross.effective_counts for cross in model.crosses]
    )


def _with_names(
    columns: TableColumns,
    model: LearnedModel,
    tables: list[ColumnTables],
    rules: list[NameRule],
    map_tasks: TaskMap,
) -> tuple[list[NamePrior | None], list[ColumnTables]]:
    """Return what names say of each column, and the tables shrunk to it."""
    tasks = [
        partial(
            learn_name_prior,
            vocabulary,
            table,
            np.concatenate([column.weight[None], column.fold_weight]),
            rule,
        )
        for vocabulary, column, table, rule in zip(
            columns.vocabularies, model.columns, tables, rules, strict=True
        )
    ]
    with single_blas_thread():
        results = map_tasks(call, tasks)
    priors = [prior for prior, _ in results]
    warn_of_names_without_use(columns.vocabularies, rules, priors)
    return priors, [table for _, table in results]


def _resume_state(
    columns: TableColumns,
    model: LearnedModel,
    tables: list[ColumnTables],
    parameters: dict[str, Any],
) -> ResumeState:
    """Return what ``partial_fit`` goes on from, beside the tables that are given out."""
    dtype = checked_dtype(parameters["dtype"])
    pairs = list(zip(columns.vocabularies, model.columns, strict=True))
    effects: list[FloatArray | None] = [None] * len(pairs)
    if not parameters["main_effects"]:
        effects = [v.spread(column.effects)[:-1].astype(dtype) for v, column in pairs]
    return ResumeState(
        to_trunk=[table.to_trunk.astype(dtype) for table in tables],
        alpha=model.alpha,
        curvature=model.curvature,
        total_weight=float(model.columns[0].weight.sum(dtype=np.float64)),
        weights=[_weights(vocabulary, column.weight) for vocabulary, column in pairs],
        effects=effects,
    )


def _weights(vocabulary: Vocabulary, weight: FloatArray) -> FloatArray | None:
    """Return the weight of each category's rows, or None if each row has weight 1.

    Categories that share a vector share the weight of its rows by their numbers of rows.
    """
    groups, counts = vocabulary.groups, vocabulary.counts
    n_rows = np.bincount(groups, counts, minlength=len(weight))
    of_row = np.divide(weight, n_rows, out=np.zeros_like(n_rows), where=n_rows > 0)
    weights = counts * of_row[groups]
    return None if np.array_equal(weights, counts) else weights.astype(weight.dtype)
