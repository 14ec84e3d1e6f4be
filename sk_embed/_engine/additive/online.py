"""Main effects in a stream: the joint additive model, learned chunk by chunk.

The evidence of the chunks so far on a coefficient is kept as a normal distribution, of mean
``m`` and precision ``H + alpha``: H is the curvature of the loss summed over the rows so
far, alpha the prior's. A chunk is solved jointly in all its coefficients, under the
penalty that this distribution is ::

    sum_i weight_i * loss(y_i, raw_i) + 1/2 sum_c (H_c + alpha) (w_c - m_c)^2

(the diagonal Laplace approximation of Chapelle, Manavoglu & Rosales, Simple and scalable
response prediction for display advertising, ACM TIST 5, 2014). Kept is not the mean but
``m (H + alpha)``, so that all means follow when the estimate of alpha changes, and old
evidence is forgotten by scaling it and H alike.

The errors of coefficients are taken for independent. So what nested columns share, as
product, type and department do, is divided among them by chance; the joint solution of all
rows is that of ``fit``.

The variance of a column's effects, ``tau^2 = phi / alpha``, is found by moments: with
``u = m (H + alpha) / H`` the effect before it is shrunk, ``E[u^2] = tau^2 + phi / H``. A
mean over the categories of the last chunks, weighted by ``(H / (H + alpha))^2``, has the
fixed point of the in-memory estimate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.additive.main_effects import (
    ALPHA_RANGE,
    estimate_alpha,
    of_a_sample,
    of_all_rows,
)
from sk_embed._engine.additive.newton import minimize
from sk_embed._engine.additive.objective import (
    CONTEXT_ALPHA,
    Evaluation,
    GaussianPrior,
)
from sk_embed._engine.additive.sites import SiteStore, SiteSums
from sk_embed._engine.losses import Loss
from sk_embed._engine.rows import Rows

# Number of rows after which evidence on noise and variance of effects counts a half.
_HALF_LIFE_OF_MOMENTS = 30_000
# Penalties above this differ by nothing that can be seen, but moments must be comparable.
_MAX_ALPHA_OF_MOMENTS = 100.0
_TINY = 1e-12
_USUAL_ALPHA = 10.0
_FIRST_ALPHA_RANGE = (0.01, 100.0)


class Moments(NamedTuple):
    """Running sums that noise and variances of effects are estimated from.

    Parameters
    ----------
    effects, of_effects : ndarray of shape (n_columns, n_outputs)
        Weighted squares of effects less their noise, and the weights.
    noise, of_noise : ndarray of shape (n_outputs,)
        Squared residuals, and the free rows that they are of.
    """

    effects: FloatArray
    of_effects: FloatArray
    noise: FloatArray
    of_noise: FloatArray

    def faded(self, n_rows: int) -> Moments:
        """Return the sums as they count after ``n_rows`` more rows."""
        share = 0.5 ** (n_rows / _HALF_LIFE_OF_MOMENTS)
        return Moments(*(share * of_sum for of_sum in self))

    def plus(self, other: Moments) -> Moments:
        """Return the sums of both."""
        return Moments(*(a + b for a, b in zip(self, other, strict=True)))


class Update(NamedTuple):
    """What a chunk changes.

    Parameters
    ----------
    table_rows, cells : ndarray of shape (n_categories,), (n_cells,)
        Categories of the chunk, as rows of the store, and its cells, which are counted by
        themselves.
    sums : SiteSums
        Sums of the sites of all chunks: of intercept and slopes, then of these categories
        and of these cells.
    alpha : ndarray of shape (n_columns, n_outputs)
        Penalty on the effects of each column and output.
    moments : Moments
        Running sums from which the penalties are estimated.
    """

    table_rows: IntArray
    cells: IntArray
    sums: SiteSums
    alpha: FloatArray
    moments: Moments


class StreamEffects:
    """The additive model of all rows so far.

    Parameters
    ----------
    loss : Loss
        Loss whose weighted sum over rows is minimised.
    first : Rows
        The first chunk, for the numbers of columns, context columns and outputs.
    alpha : float or None
        Penalty of every column, or None to estimate one for each.
    half_life : float
        Number of a coefficient's rows after which earlier evidence counts a half.
    n_crosses : int
        Number of pairs of columns that are learned as columns of their own.
    dtype : dtype-like
        Type in which the evidence on categories and cells is kept.
    """

    def __init__(
        self,
        loss: Loss,
        first: Rows,
        alpha: float | None,
        half_life: float,
        n_crosses: int = 0,
        dtype: DTypeLike = np.float64,
    ) -> None:
        self._loss = loss
        self._half_life = half_life
        self._given_alpha = alpha
        self.alpha: FloatArray | None = None
        self._n_columns, n_outputs = first.codes.shape[1], first.targets.shape[1]
        self._n_dense = 1 + first.context.shape[1]
        self._dense = SiteStore(self._n_dense, n_outputs)
        self._categories = SiteStore(0, n_outputs, dtype)
        self._cells = SiteStore(0, n_outputs, dtype)
        none = np.zeros((self._n_columns + n_crosses, n_outputs))
        no_noise = np.zeros(n_outputs)
        self._moments = Moments(none, none, no_noise, no_noise)

    def grow(self, n_rows: int, n_cells: int = 0) -> None:
        """Make room for further categories and cells."""
        self._categories.grow(n_rows)
        self._cells.grow(n_cells)

    def cut(self, n_rows: int, n_cells: int = 0) -> None:
        """Keep the first categories and cells alone."""
        self._categories.cut(n_rows)
        self._cells.cut(n_cells)

    def effects(self, rows: IntArray, column: int) -> FloatArray:
        """Return the effects of a column's categories, given their store rows."""
        assert self.alpha is not None  # noqa: S101 - something was learned
        sums = self._categories.of(rows)
        return _mean(sums.evidence, sums.curvature + self.alpha[column])

    def cell_effects(self, cells: IntArray, cross: int) -> FloatArray:
        """Return the effects of a cross's cells, given their numbers."""
        assert self.alpha is not None  # noqa: S101 - something was learned
        sums = self._cells.of(cells)
        return _mean(sums.evidence, sums.curvature + self.alpha[self._n_columns + cross])

    def learn(self, chunk: Rows, table_rows: IntArray, cells: IntArray) -> Update:
        """Return what a chunk changes; nothing is changed yet.

        Parameters
        ----------
        chunk : Rows
            Rows of the chunk, with codes of their own; the columns of crosses are the last.
        table_rows : ndarray of shape (sum(n_codes),)
            Store row of each code of the columns, column by column.
        cells : ndarray of shape (sum(n_cells),)
            Number of each code of the crosses, cross by cross.
        """
        alpha = self._first_alpha(chunk) if self.alpha is None else self.alpha
        prior, weight = _prior(chunk, alpha), _weights(chunk)
        of_categories = self._categories.of(table_rows).beside(self._cells.of(cells))
        known = self._dense.of(np.arange(self._n_dense)).beside(of_categories)
        others = known.faded(0.5 ** (weight / self._half_life))
        center = _mean(others.evidence, others.curvature + prior)
        if not others.curvature[: self._n_dense].any():
            center[0] = first_intercept(chunk, self._loss)
        before = GaussianPrior(center, others.curvature + prior)
        model = of_all_rows(chunk, self._loss, prior=before, keeps_mean=True)
        at, (own, _), _ = minimize(model, np.zeros(len(chunk.n_codes)), model.null_model)
        solved = center + at.coefficients
        site = solved * (others.curvature + own + prior) - others.evidence
        sums = others.plus(site, own)
        moments = self._moments.faded(len(chunk)).plus(
            _moments(chunk, self._loss, at, sums, prior, own)
        )
        if self._given_alpha is None:
            alpha = _alpha(moments, self._loss)
        return Update(table_rows, cells, sums, alpha, moments)

    def commit(self, update: Update) -> None:
        """Take over what a chunk changes."""
        dense, of_categories = update.sums.cut(self._n_dense)
        of_columns, of_cells = of_categories.cut(len(update.table_rows))
        self._dense.put(np.arange(self._n_dense), dense)
        self._categories.put(update.table_rows, of_columns)
        self._cells.put(update.cells, of_cells)
        self.alpha, self._moments = update.alpha, update.moments

    def resume(self, columns: SiteSums, cells: SiteSums, alpha: FloatArray) -> None:
        """Go on from what was learned otherwise.

        Parameters
        ----------
        columns, cells : SiteSums
            Sums of each store row, and of each cell.
        alpha : ndarray of shape (n_columns + n_crosses, n_outputs)
            Penalty of each column and cross.
        """
        self._categories.start_from(columns)
        self._cells.start_from(cells)
        self.alpha = alpha

    def _first_alpha(self, chunk: Rows) -> FloatArray:
        shape = (len(chunk.n_codes), chunk.targets.shape[1])
        if self._given_alpha is not None:
            return np.full(shape, self._given_alpha)
        estimate = estimate_alpha(
            of_all_rows(chunk, self._loss), of_a_sample(chunk, self._loss)
        )
        return np.clip(estimate.alpha, *_FIRST_ALPHA_RANGE)[:, None] + np.zeros(shape)


def first_intercept(chunk: Rows, loss: Loss) -> FloatArray:
    """Return the link of the mean target, with one neutral row added to the chunk."""
    total = chunk.weight @ chunk.targets.astype(np.float64)
    neutral = loss.inverse_link(np.zeros_like(total))
    return loss.link((total + neutral) / (float(chunk.weight.sum()) + 1))


def _prior(chunk: Rows, alpha: FloatArray) -> FloatArray:
    """Return the prior's precision of each coefficient."""
    dense = np.full((1 + chunk.context.shape[1], alpha.shape[1]), CONTEXT_ALPHA)
    dense[0] = 0.0
    return np.concatenate([dense, np.repeat(alpha, chunk.n_codes, axis=0)])


def _mean(evidence: FloatArray, precision: FloatArray) -> FloatArray:
    return np.divide(evidence, precision, out=np.zeros_like(evidence), where=precision > 0)


def _weights(chunk: Rows) -> FloatArray:
    """Return the weight of each coefficient's rows."""
    total = np.full(1 + chunk.context.shape[1], chunk.weight.sum(dtype=float))
    return np.concatenate([total, chunk.weight_of_codes()])


def _moments(
    chunk: Rows,
    loss: Loss,
    at: Evaluation,
    sums: SiteSums,
    prior: FloatArray,
    own: FloatArray,
) -> Moments:
    """Return the sums that a solved chunk adds for noise and variances of effects."""
    n_dense = 1 + chunk.context.shape[1]
    noise = ((at.mean - chunk.targets) ** 2 * chunk.weight[:, None]).sum(axis=0)
    leverage = np.divide(own, sums.curvature + prior, out=np.zeros_like(own), where=own > 0)
    of_noise = np.maximum(chunk.weight.sum(dtype=float) - leverage.sum(axis=0), 0)
    phi = (
        noise / np.maximum(of_noise, 1) if loss.has_free_dispersion else np.ones_like(noise)
    )
    curvature, evidence = sums.curvature[n_dense:], sums.evidence[n_dense:]
    unshrunk = _mean(evidence, curvature)
    alpha = np.minimum(prior[n_dense:], _MAX_ALPHA_OF_MOMENTS)
    weight = _mean(curvature, curvature + alpha) ** 2
    squares = weight * (
        unshrunk**2 - _mean(np.broadcast_to(phi, curvature.shape), curvature)
    )
    first = np.cumsum(np.append(0, chunk.n_codes[:-1]))
    return Moments(
        np.add.reduceat(squares, first), np.add.reduceat(weight, first), noise, of_noise
    )


def _alpha(moments: Moments, loss: Loss) -> FloatArray:
    """Return the penalty of each column and output, those tied by the loss alike."""
    alpha = np.empty_like(moments.effects)
    for tied in loss.joint_outputs(alpha.shape[1]):
        phi = 1.0
        if loss.has_free_dispersion:
            phi = float(moments.noise[tied].sum() / max(moments.of_noise[tied].sum(), 1.0))
        phi = max(phi, _TINY)
        # As if one category more, known exactly, had the effect of a usual penalty.
        squares = moments.effects[:, tied].sum(axis=1) + phi / _USUAL_ALPHA
        variance = squares / (moments.of_effects[:, tied].sum(axis=1) + 1)
        smallest = phi / ALPHA_RANGE[1]
        alpha[:, tied] = (phi / np.maximum(variance, smallest))[:, None]
    return np.clip(alpha, *ALPHA_RANGE)
