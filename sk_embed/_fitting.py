"""The last step of ``fit``: what was learned becomes the fitted state."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sk_embed._arrays import FloatArray
from sk_embed._columns.table import TableColumns
from sk_embed._columns.target import Target
from sk_embed._columns.vocabulary import Vocabulary
from sk_embed._crosses import CrossTable, cells_of
from sk_embed._engine.model import LearnedModel
from sk_embed._fitted import FittedEncoding, ResumeState
from sk_embed._output_tables import OutputTables, cross_tables, output_tables
from sk_embed._selection import output_unit
from sk_embed._settings import checked_dtype
from sk_embed._warn import warn


class Fit(NamedTuple):
    """The fitted state, and the tables that rows of ``fit`` are encoded by.

    Parameters
    ----------
    encoding : FittedEncoding
        The fitted state.
    tables, crosses : list of OutputTables
        Tables of each column and of each cross, those without each fold among them.
    n_cell_rows : list of ndarray of shape (n_cells + 1,)
        Effective number of rows of each cell of each cross.
    """

    encoding: FittedEncoding
    tables: list[OutputTables]
    crosses: list[OutputTables]
    n_cell_rows: list[FloatArray]


def finish(
    columns: TableColumns, target: Target, model: LearnedModel, parameters: dict[str, Any]
) -> Fit:
    """Choose the axes and the unit of the output, and make the fitted state.

    Parameters
    ----------
    columns : TableColumns
        The columns of X, as learned.
    target : Target
        The target.
    model : LearnedModel
        What the engine has learned.
    parameters : dict
        Parameters of the estimator, by name.
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
        output_tables(column, parameters["n_components"], with_effects, unit)
        for column in model.columns
    ]
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
        resume=_resume_state(columns, model, tables, parameters),
        crosses=[
            CrossTable(
                cross.pair,
                cells_of(
                    cross.pair,
                    cross.keys,
                    np.rint(cross.n_rows[:-1]),
                    columns.vocabularies,
                ),
                table.full,
                n_totals,
                cross.explained_variance_ratio,
            )
            for cross, table in zip(model.crosses, crosses, strict=True)
        ],
    )
    return Fit(encoding, tables, crosses, [cross.n_rows for cross in model.crosses])


def _resume_state(
    columns: TableColumns,
    model: LearnedModel,
    tables: list[OutputTables],
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
        noise_ratio=model.noise_ratio,
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
