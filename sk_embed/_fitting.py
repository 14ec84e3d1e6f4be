"""The last step of ``fit``: what was learned becomes the fitted state."""

from __future__ import annotations

from typing import Any, NamedTuple

from sklearn.exceptions import ConvergenceWarning

from sk_embed._columns.table import TableColumns
from sk_embed._columns.target import Target
from sk_embed._engine.model import LearnedModel
from sk_embed._fitted import FittedEncoding
from sk_embed._output_tables import OutputTables, output_tables
from sk_embed._selection import output_unit
from sk_embed._settings import checked_dtype
from sk_embed._warn import warn


class Fit(NamedTuple):
    """The fitted state, and the tables that rows of ``fit`` are encoded by.

    Parameters
    ----------
    encoding : FittedEncoding
        The fitted state.
    tables : list of OutputTables
        Tables of each column, those without each fold among them.
    """

    encoding: FittedEncoding
    tables: list[OutputTables]


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
    with_effects, dtype = parameters["main_effects"], checked_dtype(parameters["dtype"])
    tables = [
        output_tables(column, parameters["n_components"], with_effects, unit)
        for column in model.columns
    ]
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
        start=model.start,
    )
    return Fit(encoding, tables)
