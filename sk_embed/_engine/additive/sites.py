"""What the chunks of a stream say of coefficients, and of it what a pass has to renew.

Of a chunk k, at the coefficients ``w_k`` that it was solved at, is kept its *site*: a
quadratic approximation of its loss with the curvature ``h_k`` of the Hessian's diagonal,
and the evidence ``h_k w_k - g_k``, where ``g_k`` is the gradient there. The sum of all
sites has its minimum where the sum of all gradients and of the prior's is zero, if all
were solved at the same coefficients: at the joint solution.

A chunk that comes again is to put a new site in the place of its old one, which is not
kept: memory would grow with the rows of the stream. What is taken out instead is its share,
by weight, of all sites that the pass has still to renew. At the end of the pass none of
them is left, so that the sum is that of the new sites, without rest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.growing import GrowingArray
from sk_embed._engine.passes import Visit

# A share this close to 1 is 1, in spite of rounding.
_NEARLY_ALL = 1 - 1e-9
# Less than this, of what something is taken from, is nothing.
_ROUNDING = 1e-12


class Sums(NamedTuple):
    """Sums over sites, of some coefficients: each of shape (n, 2 * n_outputs + 1).

    Evidence, curvature and weight side by side.

    Parameters
    ----------
    total : ndarray
        Of all sites.
    waiting, renewed : ndarray
        Of those that the pass has still to renew, and of those that it has.
    """

    total: FloatArray
    waiting: FloatArray
    renewed: FloatArray

    @property
    def evidence(self) -> FloatArray:
        """Evidence of all sites, shape (n, n_outputs)."""
        return self.total[:, : self.total.shape[1] // 2]

    @property
    def curvature(self) -> FloatArray:
        """Curvature of all sites, shape (n, n_outputs)."""
        return self.total[:, self.total.shape[1] // 2 : -1]

    def without(self, weight: FloatArray) -> Sums:
        """Return the sums without a site of this weight of each coefficient."""
        waiting = self.waiting[:, -1]
        share = np.ones_like(waiting)
        np.divide(weight, waiting, out=share, where=weight < waiting * _NEARLY_ALL)
        taken = share[:, None] * self.waiting
        rest = self.total - taken
        rest[np.abs(rest) < _ROUNDING * np.abs(self.total)] = 0
        return Sums(rest, self.waiting - taken, self.renewed)

    def plus(self, site: FloatArray, visit: Visit) -> Sums:
        """Return the sums with the site of a chunk."""
        waiting, renewed = self.waiting, self.renewed
        if visit.is_repeated:
            renewed = renewed + site
        elif visit.is_known_again:
            waiting = waiting + site
        return Sums(self.total + site, waiting, renewed)

    def faded(self, left: FloatArray) -> Sums:
        """Return the sums as they count when so much is left of each coefficient's."""
        return Sums(*(sums * left[:, None] for sums in self))


class Evidence:
    """The sums of all coefficients, which become more.

    Parameters
    ----------
    n_coefficients, n_outputs : int
        At first.
    """

    def __init__(self, n_coefficients: int, n_outputs: int) -> None:
        shape = (n_coefficients, len(Sums._fields), 2 * n_outputs + 1)
        self._sums = GrowingArray(np.zeros(shape))
        self._pass_number = GrowingArray(np.zeros(n_coefficients, dtype=np.int32))

    def grow(self, n_coefficients: int) -> None:
        """Make room for so many more coefficients."""
        self._sums.grow(n_coefficients)
        self._pass_number.grow(n_coefficients)

    def cut(self, n_coefficients: int) -> None:
        """Keep so many coefficients alone."""
        self._sums.cut(n_coefficients)
        self._pass_number.cut(n_coefficients)

    def of(self, chosen: IntArray, pass_number: int) -> Sums:
        """Return copies of the sums of some coefficients, in this pass.

        The first time that a pass meets a coefficient all its sites wait to be renewed.
        """
        total, waiting, renewed = np.moveaxis(self._sums.values[chosen], 1, 0)
        begins = self._pass_number.values[chosen] < pass_number
        waiting[begins] += renewed[begins]
        renewed[begins] = 0
        return Sums(total, waiting, renewed)

    def put(self, chosen: IntArray, sums: Sums, pass_number: int) -> None:
        """Put the sums of some coefficients back."""
        self._sums.values[chosen] = np.stack(sums, axis=1)
        self._pass_number.values[chosen] = pass_number

    def start_from(
        self, first: int, evidence: FloatArray, curvature: FloatArray, weight: FloatArray
    ) -> None:
        """Hold what no chunk has said, which no pass will renew.

        Parameters
        ----------
        first : int
            The coefficient that is the first of them; there are none behind them.
        evidence, curvature : ndarray of shape (n_rows, n_outputs)
            Of each.
        weight : ndarray of shape (n_rows,)
            Of its rows.
        """
        self.cut(first)
        self.grow(len(evidence))
        self._sums.values[first:, 0] = np.column_stack([evidence, curvature, weight])
