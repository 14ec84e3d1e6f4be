"""The prior mean of a category: what its name says of its vector.

An estimate is shrunk to the origin, for want of anything better. Where similar names have
similar vectors there is something better::

    b_c = mu + m_c + u_c + noise_c,     m_c = (g_c - rho_c g) W

with the vector ``b_c`` of category c before it was shrunk, the features ``g_c`` of its
name, their mean g, and the share ``rho_c`` of the name that is known, so that a name of
which nothing is known has the prior mean zero. The noise of ``n_c`` rows has the variance
of the vectors times ``k / n_c``, and the table holds ``s_c b_c``, where ``s_c`` is
``n_c / (n_c + k)``.

W is normal, with a variance for each column of the table that has the largest marginal
likelihood (empirical Bayes). Of the variance of the vectors the share r is left over that
names do not explain, and so ``k / r`` rows weigh as much as the prior::

    posterior mean = m_c + (b_c - m_c) n_c / (n_c + k / r)

A category of many rows keeps its vector, one without rows is what its name says.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve, eigh
from scipy.sparse import csr_array

from sk_embed._arrays import FloatArray

# Penalties that are tried, as multiples of the mean square of the features.
_PENALTIES = np.logspace(-3, 4, 29)
# Standard errors by which names must predict vectors of categories that are left out better
# than their mean does.
_MIN_STANDARD_ERRORS = 2.5
# The same of few features, below which more are not worth their time.
_MIN_STANDARD_ERRORS_TO_GO_ON = 1.0
# Fewer categories tell nothing of their names.
MIN_CATEGORIES = 30
# Names and principal components that features are made of: few, then enough. Three hundred
# components would predict no better on most tables, and take twice as long.
_FEW, _ENOUGH = (300, 50), (1_000, 200)
# Fewer still, by which most columns are found to have names that say nothing.
_FIRST_LOOK = (150, 40)
# Directions beyond the components by which a random subspace is larger: with one step of
# the power method it holds the first components, but for some of the last.
_N_SPARE_DIRECTIONS = 8
# Share of the largest squared singular value below which a direction holds nothing.
_RANK_TOLERANCE = 1e-8
_SINGLE_RANK_TOLERANCE = 1e-5
# The least share of variance that is left over: names are not trusted beyond twenty times
# what a column's prior is.
_MIN_LEFT_OVER = 0.05
# The least weight of all others in the prediction of a category that is left out.
_MIN_WEIGHT_OF_OTHERS = 1e-3


class PriorMeans(NamedTuple):
    """Prior means of the rows of several tables, as linear functions of names.

    Parameters
    ----------
    weights : ndarray of shape (n_tables, n_grams, width)
        Vector that each n-gram adds to the prior mean, for each table.
    offsets : ndarray of shape (n_tables, width)
        Vector that is added to the extent that a name is known, for each table.
    left_over : ndarray of shape (width,)
        Share of the variance of vectors that names do not explain, for each column.
    """

    weights: FloatArray
    offsets: FloatArray
    left_over: FloatArray


class _Regression(NamedTuple):
    """Ridge regression about weighted means, in the principal axes of its features.

    Parameters
    ----------
    center : ndarray of shape (n_features,)
        Weighted mean of the features over categories.
    axes : ndarray of shape (n_features, n_features)
        Principal axes of the weighted, centred features.
    squares : ndarray of shape (n_features,)
        Squared singular values of the weighted, centred features.
    features, targets : ndarray of shape (n_categories, n_features) and (..., width)
        Weighted and centred; the features in the principal axes.
    moments : ndarray of shape (n_features, width)
        Products of features and targets, summed over categories.
    share : ndarray of shape (n_categories,)
        Share of each category in the weighted means.
    """

    center: FloatArray
    axes: FloatArray
    squares: FloatArray
    features: FloatArray
    targets: FloatArray
    moments: FloatArray
    share: FloatArray

    def coefficients(self, penalty: FloatArray) -> FloatArray:
        """Return the coefficients in principal axes, for a penalty of each column."""
        return self.moments / (self.squares[:, None] + penalty)

    def solve(self, penalty: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the coefficients of the features, and the prediction of none."""
        weights = self.axes @ self.coefficients(penalty)
        return weights, -self.center @ weights

    def errors_left_out(self, penalty: FloatArray) -> FloatArray:
        """Return the weighted error of each category's prediction from all others.

        That of a ridge regression is its residual over ``1 - h``, with h the weight that
        the category has in its own prediction.
        """
        residual = self.targets - self.features @ self.coefficients(penalty)
        own = self.features**2 @ (1 / (self.squares[:, None] + penalty))
        return residual / np.maximum(1 - self.share[:, None] - own, _MIN_WEIGHT_OF_OTHERS)


def names_may_tell(grams: csr_array, table: FloatArray, shrinkage: FloatArray) -> bool:
    """Return whether very few features of names predict vectors at all.

    Most columns have names that say nothing, which this finds at little cost.

    Parameters
    ----------
    grams : sparse array of shape (n_categories, n_grams)
        Weights of the n-grams of each name; the names that say most come first.
    table : ndarray of shape (n_categories, width)
        Vectors, shrunk to the origin.
    shrinkage : ndarray of shape (n_categories,)
        Factor by which they are shrunk, zero for categories that have no rows.
    """
    known = np.flatnonzero(shrinkage > 0)
    if len(known) < MIN_CATEGORIES or not grams.shape[1]:
        return False
    features = grams[known] @ _principal_directions(grams, *_FIRST_LOOK)
    regression = _regress(features, table[known], shrinkage[known])
    return _choose(regression, _MIN_STANDARD_ERRORS_TO_GO_ON) is not None


def learn_prior_means(
    grams: csr_array, tables: FloatArray, shrinkage: FloatArray, is_tested: bool
) -> PriorMeans | None:
    """Learn prior means for tables of the same categories, or None if names say nothing.

    The first table decides on that, and on the penalties.

    Parameters
    ----------
    grams : sparse array of shape (n_categories, n_grams)
        Weights of the n-grams of each name; the names that say most come first.
    tables : ndarray of shape (n_tables, n_categories, width)
        Vectors of each table, shrunk to the origin.
    shrinkage : ndarray of shape (n_tables, n_categories)
        Factor by which they are shrunk, zero for categories that have no rows.
    is_tested : bool
        Whether names must predict vectors of categories that are left out better than the
        mean does, summed over the columns of the table, by 2.5 standard errors.

    Returns
    -------
    PriorMeans or None
    """
    known = np.flatnonzero(shrinkage[0] > 0)
    if len(known) < MIN_CATEGORIES or not grams.shape[1]:
        return None
    table, weight = tables[0][known], shrinkage[0][known]
    basis = _principal_directions(grams, *_FEW)
    features = grams @ basis
    regression = _regress(features[known], table, weight)
    choice = _choose(regression, _MIN_STANDARD_ERRORS_TO_GO_ON if is_tested else -np.inf)
    if choice is not None and basis.shape[1] == _FEW[1]:
        basis = _leading_directions(grams, *_ENOUGH)
        features = (grams.astype(np.float32) @ basis).astype(np.float64)
        regression = _regress(features[known], table, weight)
    choice = _choose(regression, _MIN_STANDARD_ERRORS if is_tested else -np.inf)
    if choice is None:
        return None
    penalty, gain = choice
    solved = [regression.solve(penalty)]
    for table, weight in zip(tables[1:], shrinkage[1:], strict=True):
        known = np.flatnonzero(weight > 0)
        solved.append(_solve(features[known], table[known], weight[known], penalty))
    weights, offsets = zip(*solved, strict=True)
    left_over = _left_over(gain, float(shrinkage[0][shrinkage[0] > 0].mean()))
    return PriorMeans(basis @ np.stack(weights), np.stack(offsets), left_over)


def means_of(grams: csr_array, weights: FloatArray, offset: FloatArray) -> FloatArray:
    """Return prior means of names, shape (n_names, width)."""
    of_gram = np.repeat(np.arange(grams.shape[0]), np.diff(grams.indptr))
    known = np.bincount(of_gram, grams.data**2, grams.shape[0])
    return grams @ weights + known[:, None] * offset


def shrink_to(
    means: FloatArray,
    table: FloatArray,
    counts: FloatArray,
    noise_ratio: float,
    left_over: FloatArray,
) -> FloatArray:
    """Return vectors shrunk to prior means, given those that are shrunk to the origin.

    Parameters
    ----------
    means : ndarray of shape (n_categories, width)
        Prior means of the categories, by their names.
    table : ndarray of shape (n_categories, width)
        Vectors of the categories, shrunk to the origin.
    counts : ndarray of shape (n_categories,)
        Weight of the rows of each category.
    noise_ratio : float
        Number of rows that weigh as much as a prior at the origin.
    left_over : ndarray of shape (width,)
        Share of variance that the prior means do not explain.
    """
    kept, ratio = _kept_and_ratio(counts, noise_ratio, left_over)
    return (table * ratio + (1 - kept) * means).astype(table.dtype)


def shrink_back(
    means: FloatArray,
    table: FloatArray,
    counts: FloatArray,
    noise_ratio: float,
    left_over: FloatArray,
) -> FloatArray:
    """Return the vectors that :func:`shrink_to` was given."""
    kept, ratio = _kept_and_ratio(counts, noise_ratio, left_over)
    return ((table - (1 - kept) * means) / ratio * (kept > 0)).astype(table.dtype)


def _kept_and_ratio(
    counts: FloatArray, noise_ratio: float, left_over: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the share of each vector that is kept, and by what it was kept before."""
    counts = counts[:, None].astype(np.float64)
    rows_of_prior = noise_ratio / left_over
    ratio = (counts + noise_ratio) / (counts + rows_of_prior)
    return counts / (counts + rows_of_prior), ratio


def _principal_directions(grams: csr_array, n_names: int, n_components: int) -> FloatArray:
    """Return principal directions of the first names' n-grams, shape (n_grams, n).

    By the eigenvectors of the names' inner products, which are fewer than n-grams; in
    single precision, for any directions near them do as well.
    """
    first = grams[:n_names]
    products = (first @ first.T).toarray().astype(np.float32)
    n = len(products)
    values, vectors = eigh(products, subset_by_index=[max(n - n_components, 0), n - 1])
    kept = values > _SINGLE_RANK_TOLERANCE * values[-1]
    return first.T @ (vectors[:, kept] / np.sqrt(values[kept])).astype(np.float64)


def _leading_directions(grams: csr_array, n_names: int, n_components: int) -> FloatArray:
    """Return leading principal directions as :func:`_principal_directions`, nearly.

    By the names' inner products with a random subspace of them, which are quicker where
    names are many (randomized subspace iteration; Halko, Martinsson & Tropp, Finding
    structure with randomness, SIAM Review 53, 2011).
    """
    first = grams[:n_names].astype(np.float32)
    n, transposed = first.shape[0], first.T.tocsr()
    rng, shape = np.random.default_rng(0), (n, min(n_components + _N_SPARE_DIRECTIONS, n))
    drawn = np.empty(shape, np.float32)
    # Each name is given numbers by its n-grams, so that the order of names does not matter.
    mark = first @ rng.standard_normal(first.shape[1], dtype=np.float32)
    drawn[np.argsort(mark, kind="stable")] = rng.standard_normal(shape, dtype=np.float32)
    subspace, _ = np.linalg.qr(first @ (transposed @ drawn))
    # Multiplying names by n-grams stays sparse; directions of n-grams would not be.
    products = subspace.T @ (first @ (transposed @ subspace))
    n_kept = min(n_components, n)
    values, vectors = np.linalg.eigh(products)
    values, vectors = values[-n_kept:], vectors[:, -n_kept:]
    kept = values > _SINGLE_RANK_TOLERANCE * values[-1]
    return transposed @ (subspace @ (vectors[:, kept] / np.sqrt(values[kept])))


def _solve(
    features: FloatArray, table: FloatArray, weight: FloatArray, penalty: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the coefficients of the features, and the prediction of none.

    The same as :meth:`_Regression.solve`, by Cholesky factors, for known penalties.
    """
    features, targets, center = _weighted(features, table, weight)
    products, moments = features.T @ features, features.T @ targets
    weights = np.zeros_like(moments)
    for j in np.flatnonzero(np.isfinite(penalty)):
        penalized = products + penalty[j] * np.eye(len(products))
        factor = cho_factor(penalized, overwrite_a=True, check_finite=False)
        weights[:, j] = cho_solve(factor, moments[:, j], check_finite=False)
    return weights, -center @ weights


def _weighted(
    features: FloatArray, table: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return features and vectors before they were shrunk, centred and weighted.

    Returns
    -------
    features : ndarray of shape (n_categories, n_features)
        Weighted and centred features.
    targets : ndarray of shape (n_categories, width)
        Weighted and centred vectors.
    center : ndarray of shape (n_features,)
        Weighted mean of the features.
    """
    share, root = weight / weight.sum(), np.sqrt(weight)[:, None]
    center = share @ features
    targets = table.astype(np.float64) / weight[:, None]
    return root * (features - center), root * (targets - share @ targets), center


def _regress(features: FloatArray, table: FloatArray, weight: FloatArray) -> _Regression:
    """Prepare the regression of vectors, before they were shrunk, on features."""
    features, targets, center = _weighted(features, table, weight)
    squares, axes = np.linalg.eigh(features.T @ features)
    squares = np.where(squares > _RANK_TOLERANCE * squares.max(initial=0), squares, 0)
    features = features @ (axes * (squares > 0))
    moments, share = features.T @ targets, weight / weight.sum()
    return _Regression(center, axes, squares, features, targets, moments, share)


def _choose(
    regression: _Regression, min_standard_errors: float
) -> tuple[FloatArray, FloatArray] | None:
    """Return penalty and relative gain of each column, or None where no gain is sure.

    The gain is that of the weighted squared errors of categories that are left out, over
    those of their mean; a column without any is given an infinite penalty.
    """
    none = np.full(regression.targets.shape[1], np.inf)
    penalty = _most_likely_penalty(regression)
    of_mean = regression.errors_left_out(none) ** 2
    gains = of_mean - regression.errors_left_out(penalty) ** 2
    is_gain = np.isfinite(penalty) & (gains.sum(axis=0) > 0)
    gain = gains[:, is_gain].sum(axis=1)
    standard_error = np.sqrt(np.sum(gain**2))
    # Infinitely many of no error are not a number.
    if not standard_error > 0 or gain.sum() <= min_standard_errors * standard_error:
        return None
    total = np.maximum(of_mean.sum(axis=0), np.finfo(float).tiny)
    return np.where(is_gain, penalty, np.inf), is_gain * gains.sum(axis=0) / total


def _most_likely_penalty(regression: _Regression) -> FloatArray:
    """Return the penalty of each column that has the largest marginal likelihood.

    With the variance at its best, -2 times its logarithm is, up to a constant, ::

        (N - 1) log(|t|^2 - sum_i m_i^2 / (d_i^2 + p)) + sum_i log(1 + d_i^2 / p)

    for the penalty p, squared singular values d^2, and moments m of the targets t.
    """
    n_free = len(regression.targets) - 1
    scale = regression.squares.sum() / len(regression.targets)
    if scale == 0:
        return np.full(regression.targets.shape[1], np.inf)
    penalties = np.append(_PENALTIES * scale, np.inf)
    squares = regression.squares[:, None]
    total = np.sum(regression.targets**2, axis=0)[:, None]
    residual = total - (regression.moments**2).T @ (1 / (squares + penalties))
    # Relative to the total, which may be zero.
    share = np.divide(residual, total, out=np.ones_like(residual), where=total > 0)
    size = np.log1p(squares / penalties).sum(axis=0)
    deviance = n_free * np.log(np.maximum(share, np.finfo(float).eps)) + size
    return penalties[np.argmin(deviance, axis=1)]


def _left_over(gain: FloatArray, mean_shrinkage: float) -> FloatArray:
    """Return the share of the vectors' variance that names do not explain.

    Weighted by s, the squared error of a vector about its mean is, of its variance, 1 in
    expectation, of which ``1 - s`` is noise; about its prior mean it is ``1 - s + s r``.
    """
    return np.clip(1 - gain / mean_shrinkage, _MIN_LEFT_OVER, 1)
