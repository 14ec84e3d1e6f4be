"""What of a learned column is given out: its main effects, and the axes that are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sk_embed._arrays import BoolArray, FloatArray
from sk_embed._engine.column_vectors import ColumnVectors
from sk_embed._engine.crossed_effects import CrossEffects
from sk_embed._selection import kept_axes


@dataclass(frozen=True)
class OutputTables:
    """The tables that one column, or one cross of two columns, is encoded by.

    Parameters
    ----------
    full : ndarray of shape (n_codes, width)
        Learned from all rows; the last, for what is not in a given vocabulary, is zero.
    folds : ndarray of shape (n_folds, n_codes, width)
        Tables that were learned without each fold, in the axes of ``full``.
    noise_ratio : float
        Rows of a category that weigh as much as the prior of its main effect.
    is_unmet : ndarray of bool of shape (n_codes,)
        Codes that have rows, but none outside one of the folds.
    """

    full: FloatArray
    folds: FloatArray
    noise_ratio: float
    is_unmet: BoolArray


@dataclass(frozen=True)
class ColumnTables(OutputTables):
    """The tables of a column, which has a part in the network as well.

    Parameters
    ----------
    full, folds, noise_ratio, is_unmet
        Tables, and what is known of their categories, as in :class:`OutputTables`.
    explained_variance_ratio, reliability : ndarray of shape (n_kept_axes,)
        Figures of the axes that are kept.
    to_trunk : ndarray of shape (width, trunk_width)
        Matrix that takes rows of ``full`` back to the trunk's coordinates.
    """

    explained_variance_ratio: FloatArray
    reliability: FloatArray
    to_trunk: FloatArray


def column_tables(
    column: ColumnVectors, n_components: Any, main_effects: bool, unit: float
) -> ColumnTables:
    """Put effects, if wanted, and the kept axes of the vectors side by side.

    ``unit`` is the change of the raw prediction that counts as 1.
    """
    n_effects = column.effects.shape[-1] if main_effects else 0
    dtype = column.vectors.dtype
    effects = column.effects[:, :n_effects]
    kept = axes_put_out(column, effects, n_components)
    full = np.concatenate([effects.astype(dtype), column.vectors[:, kept]], axis=-1)
    full /= unit
    # The last row, for values that are not in a given vocabulary, is the origin.
    full[-1] = 0
    fold_effects = column.fold_effects[..., :n_effects].astype(dtype)
    folds = np.concatenate([fold_effects, column.fold_vectors[..., kept]], axis=-1)
    folds /= unit
    given_out = np.append(np.arange(n_effects), n_effects + np.flatnonzero(kept))
    return ColumnTables(
        full,
        folds,
        column.noise_ratio,
        (column.weight > 0) & (column.fold_weight == 0).any(axis=0),
        explained_variance_ratio=column.explained_variance_ratio[kept],
        reliability=column.reliability[kept],
        to_trunk=unit * column.back.matrix(given_out),
    )


def axes_put_out(
    column: ColumnVectors, effects: FloatArray, n_components: Any
) -> BoolArray:
    """Return which axes of a column are put out beside its effects.

    Parameters
    ----------
    column : ColumnVectors
        Vectors in canonical axes, and what is known of each axis.
    effects : ndarray of shape (n_codes, n_effects)
        Main effects that are put out, none or all.
    n_components : int, float or "auto"
        Parameter of the estimator: a number of axes, a share of variance, or "auto".

    Returns
    -------
    kept : ndarray of bool of shape (n_axes,)
    """
    # An intercept and the effects use up as many contrasts between categories as their
    # rank; vectors can only add the others.
    known = np.column_stack([np.ones(len(effects)), effects])
    n_contrasts = column.n_categories - int(np.linalg.matrix_rank(known.T @ known))
    kept = kept_axes(n_components, column.share, column.reliability, n_contrasts)
    if effects.shape[1] == 0 and len(kept):
        # A column without main effects keeps its best axis, to be there at all.
        kept[0] = True
    return kept


def cross_tables(cross: CrossEffects, unit: float, dtype: np.dtype[Any]) -> OutputTables:
    """Return the own effects of a cross's cells, ``unit`` of which count as 1."""
    return OutputTables(
        (cross.effects / unit).astype(dtype),
        (cross.fold_effects / unit).astype(dtype),
        cross.noise_ratio,
        (cross.weight[0] > 0) & (cross.weight[1:] == 0).any(axis=0),
    )
