"""Running sums of the evidence of a stream's chunks on coefficients.

A chunk k is kept as its *site*: a quadratic approximation of its loss at the coefficients
``w_k`` that it was solved at. The site has the curvature ``h_k`` of the Hessian's diagonal
and the evidence ``h_k w_k - g_k``, where ``g_k`` is the gradient there. The sum of all
sites has its minimum where the sum of all gradients is zero, if all chunks were solved at
the same coefficients.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._growing import GrowingArray


class SiteSums(NamedTuple):
    """Sums of sites over chunks, for some coefficients.

    Parameters
    ----------
    evidence : ndarray of shape (n_coefficients, n_outputs)
        Coefficients as the chunks found them, times their precision.
    curvature : ndarray of shape (n_coefficients, n_outputs)
        Precision that the chunks gave to each coefficient.
    """

    evidence: FloatArray
    curvature: FloatArray

    def beside(self, other: SiteSums) -> SiteSums:
        """Return the sums of further coefficients behind these."""
        return SiteSums(*(np.concatenate(both) for both in zip(self, other, strict=True)))

    def cut(self, n: int) -> tuple[SiteSums, SiteSums]:
        """Return the sums of the first coefficients, and those of the others."""
        return SiteSums(*(sums[:n] for sums in self)), SiteSums(
            *(sums[n:] for sums in self)
        )

    def plus(self, evidence: FloatArray, curvature: FloatArray) -> SiteSums:
        """Return the sums with the site of another chunk."""
        return SiteSums(self.evidence + evidence, self.curvature + curvature)

    def faded(self, left: FloatArray) -> SiteSums:
        """Return the sums scaled by the share of each coefficient that is ``left``."""
        return SiteSums(*(sums * left[:, None] for sums in self))


class SiteStore:
    """The sums of all coefficients, of which there are ever more.

    Parameters
    ----------
    n_coefficients, n_outputs : int
        Shape of the coefficients at first.
    dtype : dtype-like
        Type in which the sums are kept; they are computed in double precision.
    """

    def __init__(
        self, n_coefficients: int, n_outputs: int, dtype: DTypeLike = np.float64
    ) -> None:
        shape = (n_coefficients, len(SiteSums._fields), n_outputs)
        self._sums = GrowingArray(np.zeros(shape, dtype))

    def grow(self, n_coefficients: int) -> None:
        """Make room for further coefficients."""
        self._sums.grow(n_coefficients)

    def cut(self, n_coefficients: int) -> None:
        """Keep the first coefficients alone."""
        self._sums.cut(n_coefficients)

    def of(self, chosen: IntArray) -> SiteSums:
        """Return copies of the sums of some coefficients."""
        return SiteSums(*np.moveaxis(self._sums.values[chosen].astype(np.float64), 1, 0))

    def put(self, chosen: IntArray, sums: SiteSums) -> None:
        """Put the sums of some coefficients back."""
        self._sums.values[chosen] = np.stack(sums, axis=1)

    def start_from(self, sums: SiteSums) -> None:
        """Hold what was learned otherwise, and nothing else."""
        self.cut(0)
        self.grow(len(sums.evidence))
        self._sums.values[:] = np.stack(sums, axis=1)
