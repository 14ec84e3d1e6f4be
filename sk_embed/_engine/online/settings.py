"""What is chosen, and what may be known, before the first chunk of a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.additive.main_effects import by_output
from sk_embed._engine.additive.sites import SiteSums
from sk_embed._engine.losses import Loss

# Sum of squared gradients that a vector starts with, and that forgetting leads back to.
ACCUMULATOR = 1.0


@dataclass(frozen=True)
class StreamSettings:
    """What is chosen before the first chunk.

    Parameters
    ----------
    width : int
        Length of the interaction vectors.
    hidden_layer_sizes : tuple of int
        Number of units in each hidden layer of the trunk.
    table_learning_rate, learning_rate : float
        Adagrad's, for vectors; Adam's, for the trunk.
    alpha : float or None
        Penalty of main effects; None estimates one for each column.
    init_scale : float
        Standard deviation of a vector's random start.
    half_life : float
        Number of a category's rows after which the evidence of earlier ones counts a half.
    main_effects : bool
        Whether main effects stand apart, and are taken out of the vectors.
    n_crosses : int
        Number of pairs of columns that are learned as columns of their own.
    with_halves : bool
        Whether two halves of the rows learn vectors of their own, for reliability.
    dtype : dtype
        Type of the network's arithmetic, float32 or float64.
    """

    width: int
    hidden_layer_sizes: tuple[int, ...]
    table_learning_rate: float
    learning_rate: float
    alpha: float | None
    init_scale: float
    half_life: float
    main_effects: bool
    n_crosses: int
    with_halves: bool
    dtype: np.dtype


class ChunkSettings(NamedTuple):
    """What is chosen for one chunk.

    Parameters
    ----------
    batch_size : int
        Number of rows of a batch.
    n_passes : int
        Number of passes of the trunk over the chunk.
    weight_decay : float
        Decay of the trunk's weights, per unit of the learning rate.
    """

    batch_size: int
    n_passes: int
    weight_decay: float


@dataclass(frozen=True)
class InitialState:
    """What a stream goes on from, where all was learned in memory before.

    Parameters
    ----------
    vectors : ndarray of shape (sum(n_codes), width)
        Vectors of all categories, in the trunk's coordinates.
    effects : ndarray of shape (sum(n_codes), n_outputs)
        Main effects of the same categories.
    alpha, curvature : ndarray of shape (n_groups, n_columns + n_crosses)
        Penalty of each column and cross, for each group of outputs that the loss ties; and
        the mean second derivative of the loss of a row of weight 1.
    weight : ndarray of shape (sum(n_codes),)
        Weight of each category's rows.
    n_codes : ndarray of shape (n_columns,)
        Codes of each column; the last stands for what is not in a given vocabulary.
    total_weight : float
        Weight of all rows so far.
    cell_effects : ndarray of shape (sum(n_cells), n_outputs)
        Own effects of the cells of all crosses.
    cell_weight : ndarray of shape (sum(n_cells),)
        Number of each cell's rows.
    n_cells : ndarray of shape (n_crosses,)
        Cells of each cross; the last stands for those that are not listed.
    """

    vectors: FloatArray
    effects: FloatArray
    alpha: FloatArray
    curvature: FloatArray
    weight: FloatArray
    n_codes: IntArray
    total_weight: float
    cell_effects: FloatArray
    cell_weight: FloatArray
    n_cells: IntArray

    def sums(self, loss: Loss) -> tuple[SiteSums, SiteSums, FloatArray]:
        """Return the evidence of the rows on categories and cells, and the penalties.

        With a penalty alpha, and c the curvature of a row, rows of weight h give a category
        the curvature c h. Its effect w is then the mean of a site of evidence
        w (c h + alpha).
        """
        n_outputs = self.effects.shape[1]
        alpha = by_output(self.alpha, loss, n_outputs)
        of_row = by_output(self.curvature, loss, n_outputs)
        n_codes = np.concatenate([self.n_codes, self.n_cells])
        effects = np.concatenate([self.effects, self.cell_effects])
        weight = np.concatenate([self.weight, self.cell_weight])
        curvature = np.repeat(of_row, n_codes, axis=0) * weight[:, None]
        evidence = effects * (curvature + np.repeat(alpha, n_codes, axis=0))
        return *SiteSums(evidence, curvature).cut(len(self.effects)), alpha
