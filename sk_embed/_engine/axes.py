"""Canonical axes: coordinates of a table that do not depend on the network's own.

Exchanging the vector a of a category for b moves the raw prediction, to first order, by
J (a - b), where J is the gradient of the raw prediction at the row's vector. Its mean
square over the training rows is ::

    ||a - b||_M^2 = (a - b)^T M (a - b),     M = mean_i J_i^T J_i

The canonical coordinates z = T^T e are those in which this metric is the identity and
the second moment of the vectors, each counted as often as its category occurs, is
diagonal and falling. So Euclidean distance between two categories is the change of the
raw prediction that exchanging them brings about, axes are orthogonal, the first matters
most, and a share of variance means what it means in a PCA, but about the origin, not
about the mean: the table is turned and scaled but not moved, for the origin is what an
unknown category gets.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray, IntArray

_RANK_TOLERANCE = 1e-12
# Share of the vectors' second moment below which effects are too small to stand for them.
_EFFECT_RIDGE = 0.01
# Categories that weigh the same but for rounding tie, and the first of them decides.
_TIE_TOLERANCE = 1e-6


class Axes(NamedTuple):
    """Canonical axes of one column's table.

    Parameters
    ----------
    rotation : ndarray of shape (width, n_axes)
        Takes the trunk's coordinates to canonical ones: ``table @ rotation``.
    explained_variance_ratio : ndarray of shape (n_axes,)
        Share of the second moment on each axis; sums to 1, or is all zero.
    second_moment : float
        Second moment of the vectors, of which the shares are shares.
    """

    rotation: FloatArray
    explained_variance_ratio: FloatArray
    second_moment: float


def canonical_axes(
    table: FloatArray, counts: IntArray | FloatArray, metric: FloatArray
) -> Axes:
    """Find the canonical axes of a table.

    Parameters
    ----------
    table : ndarray of shape (n_categories, width)
        Vectors in the trunk's coordinates.
    counts : ndarray of shape (n_categories,)
        Number, or weight, of each category's rows.
    metric : ndarray of shape (width, width)
        Metric of the trunk at these vectors, from
        :func:`sk_embed._engine.network.sensitivity.sensitivity`.

    Returns
    -------
    Axes
        As many as there are categories with rows, at most ``width``.
    """
    table = table.astype(np.float64)
    root = _root(metric)
    in_metric = table @ root
    share = _shares(counts)
    moments, turn = np.linalg.eigh((in_metric * share[:, None]).T @ in_metric)
    n_axes = min(int(np.sum(counts > 0)), table.shape[1])
    moments = moments[::-1][:n_axes]
    # Directions that the trunk does not read leave moments of the size of rounding.
    moments = np.where(moments > _RANK_TOLERANCE * moments.max(initial=0), moments, 0)
    rotation = root @ turn[:, ::-1][:, :n_axes] * (moments > 0)
    rotation *= _signs(table @ rotation, share)
    total = float(moments.sum())
    shares = moments / total if total > 0 else np.zeros(n_axes)
    return Axes(rotation, shares, total)


def effect_slopes(
    tables: FloatArray, effects: FloatArray, counts: IntArray | FloatArray
) -> FloatArray:
    """Regress vectors on the main effects of the same categories.

    The network learns apart from the additive model, and so its vectors repeat the main
    effects. Their own part is ``tables - effects @ slopes``. The regression,
    over categories weighted by count, goes through the origin: a category without rows
    stays where it is. A ridge keeps slopes on effects that are next to nothing beside
    the vectors from growing.

    Parameters
    ----------
    tables : ndarray of shape (..., n_categories, n_axes)
        Vectors of the same categories, in any axes.
    effects : ndarray of shape (n_categories, n_outputs)
        Main effects, in the unit of the vectors.
    counts : ndarray of shape (n_categories,)
        Number, or weight, of each category's rows.

    Returns
    -------
    slopes : ndarray of shape (..., n_outputs, n_axes)
    """
    weighted = effects.T * _shares(counts)
    # A product of a few rows with a vector may raise the flag of invalid numbers for none.
    second_moment = np.einsum("...cw,...cw,c->...", tables, tables, _shares(counts))
    ridge = _EFFECT_RIDGE * second_moment
    gram = weighted @ effects + ridge[..., None, None] * np.eye(effects.shape[1])
    return np.linalg.pinv(gram, hermitian=True) @ (weighted @ tables)


def alignment_signs(
    tables: FloatArray, reference: FloatArray, counts: IntArray | FloatArray
) -> FloatArray:
    """Return the signs that turn the axes of tables to those of a reference.

    Where columns act on the target by their interaction alone, the network does as well
    with the vectors of both reversed, and chance decides which it learns from one row
    order or one half of the rows. An axis is turned round if its correlation with the
    reference, over categories weighted by count, is more negative than chance would
    make it: beyond two standard errors, ``-2 / sqrt(n)``, with n the effective number
    of categories.

    Parameters
    ----------
    tables : ndarray of shape (..., n_categories, n_axes)
        Vectors of several tables, in the axes of the reference.
    reference : ndarray of shape (n_categories, n_axes)
        Vectors whose signs the others are turned to.
    counts : ndarray of shape (n_categories,)
        Number, or weight, of each category's rows.

    Returns
    -------
    signs : ndarray of shape (..., 1, n_axes)
        1 or -1.
    """
    # Products with a row of shares sum over categories faster than numpy's sums do.
    share = _shares(counts).astype(tables.dtype)[None]
    tables, reference = tables - share @ tables, reference - share @ reference
    covariance = share @ (tables * reference)
    variances = (share @ tables**2) * (share @ reference**2)
    chance = 2 * np.sqrt(np.sum(share**2))
    return np.where(covariance < -chance * np.sqrt(variances), -1, 1).astype(tables.dtype)


def alignment_rotations(
    tables: FloatArray, reference: FloatArray, counts: IntArray | FloatArray
) -> FloatArray:
    """Return the rotations that turn tables to a reference, as near as rotations can.

    What the categories of two columns do to each other the network does as well with the
    vectors of both turned, and chance decides how far they are turned in one row order.
    The orthogonal Procrustes problem (Schonemann, Psychometrika 31, 1966), categories
    weighted by count::

        max_R  tr(R^T (T^T W B + c I)),     R^T R = I

    for a table T and a reference B, both centred. If they agree no more than by chance, of
    which c is two standard errors as in :func:`alignment_signs`, next to nothing is turned.

    Parameters
    ----------
    tables : ndarray of shape (..., n_categories, n_axes)
        Vectors of several tables, in any axes.
    reference : ndarray of shape (n_categories, n_axes)
        Vectors that the tables are turned to.
    counts : ndarray of shape (n_categories,)
        Number, or weight, of each category's rows.

    Returns
    -------
    rotations : ndarray of shape (..., n_axes, n_axes)
        ``tables @ rotations`` agrees with the reference.
    """
    share = _shares(counts)
    centred, reference = tables - share[None] @ tables, reference - share @ reference
    moments = centred.swapaxes(-1, -2) @ (share[:, None] * reference)
    sizes = np.einsum("...cw,...cw,c->...", centred, centred, share)
    sizes = sizes * (share * (reference**2).sum(axis=1)).sum()
    chance = 2 * np.sqrt(np.sum(share**2)) * np.sqrt(sizes) / moments.shape[-1]
    straight = (chance + np.finfo(float).tiny)[..., None, None] * np.eye(moments.shape[-1])
    left, _, right = np.linalg.svd(moments + straight)
    return (left @ right).astype(tables.dtype)


def split_half_reliability(
    first: FloatArray, second: FloatArray, counts: IntArray | FloatArray
) -> FloatArray:
    """Return how far two halves of the rows agree on each axis.

    The concordance ``2 cov(a, b) / (var(a) + var(b))``, categories weighted by count:
    1 where the halves found the same, about 0 where they found noise. Unlike a
    correlation it compares sizes as well, and so means something even for two categories.

    Parameters
    ----------
    first, second : ndarray of shape (n_categories, n_axes)
        The table in the same axes, learned from either half.
    counts : ndarray of shape (n_categories,)
        Number, or weight, of each category's rows.

    Returns
    -------
    reliability : ndarray of shape (n_axes,)
        Between -1 and 1.
    """
    share = _shares(counts)
    first, second = first - share @ first, second - share @ second
    both = share @ (first**2 + second**2)
    shared = 2 * (share @ (first * second))
    return np.divide(shared, both, out=np.zeros_like(shared), where=both > 0)


def _shares(counts: IntArray | FloatArray) -> FloatArray:
    return counts / (float(np.sum(counts)) or 1.0)


def _root(metric: FloatArray) -> FloatArray:
    """Return the symmetric square root of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(metric)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def _signs(coordinates: FloatArray, share: FloatArray) -> FloatArray:
    """Return the signs that make each axis's heaviest category positive."""
    weighted = coordinates * np.sqrt(share)[:, None]
    size = np.abs(weighted)
    first_heaviest = np.argmax(size >= (1 - _TIE_TOLERANCE) * size.max(axis=0), axis=0)
    signs = np.sign(weighted[first_heaviest, np.arange(weighted.shape[1])])
    return np.where(signs == 0, 1.0, signs)
