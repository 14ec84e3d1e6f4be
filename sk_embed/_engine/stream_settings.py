"""What is chosen, and what may be known, before the first chunk of a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.losses import Loss

# Where the sum of squared gradients of a vector starts, and falls back to.
ACCUMULATOR = 1.0


@dataclass(frozen=True)
class StreamSettings:
    """What is chosen before the first chunk.

    Parameters
    ----------
    width : int
        Length of the interaction vectors.
    hidden_layer_sizes : tuple of int
        Of the trunk.
    table_learning_rate, learning_rate : float
        Adagrad's, for vectors; Adam's, for the trunk.
    alpha : float or None
        Penalty of main effects; None estimates one for each column.
    init_scale : float
        Standard deviation of a vector's random start.
    half_life : float
        Rows of a category after which what they said counts a half.
    less_effects : bool
        Whether what the main effects say is taken out of the vectors.
    with_halves : bool
        Whether two halves of the rows learn vectors of their own, for reliability.
    dtype : dtype
        Of the network's arithmetic.
    """

    width: int
    hidden_layer_sizes: tuple[int, ...]
    table_learning_rate: float
    learning_rate: float
    alpha: float | None
    init_scale: float
    half_life: float
    less_effects: bool
    with_halves: bool
    dtype: np.dtype


class ChunkSettings(NamedTuple):
    """What is chosen for one chunk.

    Parameters
    ----------
    batch_size : int
        Rows of a batch.
    n_passes : int
        Of the trunk over the chunk.
    weight_decay : float
        Of the trunk's weights.
    """

    batch_size: int
    n_passes: int
    weight_decay: float


@dataclass(frozen=True)
class StreamStart:
    """What a stream goes on from, where all was learned in memory before.

    Parameters
    ----------
    vectors : ndarray of shape (sum(n_codes), width)
        In the trunk's coordinates.
    effects : ndarray of shape (sum(n_codes), n_outputs)
        Main effects.
    alpha, noise_ratio : ndarray of shape (n_groups, n_columns)
        Penalty of each column, for each group of outputs that the loss ties; and the rows
        of a category that weigh as much.
    weight : ndarray of shape (sum(n_codes),)
        Of each category's rows.
    n_codes : ndarray of shape (n_columns,)
        Codes of each column; the last stands for what is not in a given vocabulary.
    total_weight : float
        Weight of all rows so far.
    """

    vectors: FloatArray
    effects: FloatArray
    alpha: FloatArray
    noise_ratio: FloatArray
    weight: FloatArray
    n_codes: IntArray
    total_weight: float

    def by_output(self, of_groups: FloatArray, loss: Loss) -> FloatArray:
        """Return what each group has, for its outputs: shape (n_columns, n_outputs)."""
        n_outputs = self.effects.shape[1]
        groups = zip(loss.joint_outputs(n_outputs), of_groups, strict=True)
        result = np.empty((len(self.n_codes), n_outputs))
        for outputs, of_group in groups:
            result[:, outputs] = of_group[:, None]
        return result
