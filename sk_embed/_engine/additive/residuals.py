"""What an additive model leaves of rows that it has not learned from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray
from sk_embed._engine.losses import Loss
from sk_embed._engine.rows import Rows


class Residuals(NamedTuple):
    """What the held-out predictions of the columns leave of rows.

    Parameters
    ----------
    gradient, curvature : ndarray of shape (n_rows, n_outputs)
        Weighted residuals, and second derivatives of the loss.
    """

    gradient: FloatArray
    curvature: FloatArray

    @classmethod
    def of(cls, rows: Rows, held_out: FloatArray, loss: Loss) -> Residuals:
        """Return what held-out raw predictions, shape (n_rows, n_outputs), leave."""
        mean = loss.inverse_link(held_out)
        weight = rows.weight.astype(np.float64)[:, None]
        return cls((rows.targets - mean) * weight, loss.curvature(mean) * weight)

    def less(self, predicted: FloatArray) -> Residuals:
        """Return what is left if the rows are predicted by so much more."""
        return self._replace(gradient=self.gradient - self.curvature * predicted)

    def gain(self, predicted: FloatArray) -> FloatArray:
        """Return the gain of each row, shape (n_rows,)."""
        gain = self.gradient * predicted - self.curvature * predicted**2 / 2
        return gain.sum(axis=1)
