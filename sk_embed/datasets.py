"""Simulated tables of which the truth is known, for tests, examples and bug reports."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state

from sk_embed._arrays import FloatArray, IntArray

__all__ = ["make_categorical"]


def make_categorical(
    n_samples: int = 1_000,
    *,
    n_categories: Sequence[int] = (50, 50),
    n_latent: int = 2,
    n_noise: int = 1,
    n_numeric: int = 0,
    imbalance: float = 0.5,
    interaction: float = 1.0,
    noise: float = 1.0,
    missing: float = 0.0,
    n_classes: int | None = None,
    return_truth: bool = False,
    random_state: Any = None,
) -> tuple[Any, ...]:
    """Make a table whose categories have known vectors.

    Each category has a main effect and a vector. The target is the sum of the row's main
    effects, of the products of its vectors with each other and with the numeric columns,
    and of noise (see Notes).

    Parameters
    ----------
    n_samples : int, default=1_000
        Number of rows of the table.
    n_categories : sequence of int, default=(50, 50)
        Categories of each informative column, ``cat_0``, ``cat_1`` and so on.
    n_latent : int, default=2
        Length of the vectors from which the target is made.
    n_noise : int, default=1
        Columns ``noise_0`` and so on, with as many categories as ``cat_0``, that the
        target does not depend on.
    n_numeric : int, default=0
        Columns ``num_0`` and so on of standard normal numbers.
    imbalance : float, default=0.5
        The k-th category is drawn in proportion to ``k ** -imbalance``: 0 makes all
        equally frequent, 1 most of them rare.
    interaction : float, default=1.0
        Size of the vectors, beside main effects of variance 1.
    noise : float, default=1.0
        Standard deviation of the noise.
    missing : float, default=0.0
        Share of the categorical cells that are hidden, as None, after y is made.
    n_classes : int, default=None
        Number of classes that the target is cut into at its quantiles; None leaves it
        continuous.
    return_truth : bool, default=False
        Whether to return the truth as well.
    random_state : int, RandomState instance or None, default=None
        An int makes the same table each time.

    Returns
    -------
    X : DataFrame of shape (n_samples, n_features)
        The informative, the noise and the numeric columns, in this order. Categories are
        strings, ``c00`` the most frequent.
    y : ndarray of shape (n_samples,)
        The target.
    truth : Bunch
        Only if ``return_truth``. ``latent``, a dict of the informative columns' frames,
        indexed by category: ``effect``, then the vector's components ``0``, ``1`` and so
        on, as :meth:`EmbeddingEncoder.to_frame` lays out what was learned. ``signal``,
        the continuous target of each row without its noise.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    Notes
    -----
    With main effects w and vectors v, rows i and columns j, ::

        y_i = sum_j w_j + sum_k s_k (sum_{j<l} v_jk v_lk + sum_j v_jk u_k) / sqrt(P) + noise

    where u is a linear map of the numbers and P the number of partners of a column: the
    other informative columns, and the numbers if there are any. The k-th component has
    the strength ``s_k = interaction / 2**k``, so that the axes are told apart. Weighted by
    frequency, w and v have mean 0, variance 1 and no correlation. ``latent`` holds w and
    ``s_k v_k``; the distance of two of its rows is the root mean square change of the
    target that exchanging the two categories brings about (exactly so if the numbers are
    none, or not fewer than the components).

    Examples
    --------
    >>> from sk_embed.datasets import make_categorical
    >>> X, y, truth = make_categorical(500, n_numeric=1, return_truth=True, random_state=0)
    >>> X.columns.tolist()
    ['cat_0', 'cat_1', 'noise_0', 'num_0']
    >>> truth.latent["cat_0"].shape
    (50, 3)
    """
    _require_counts(n_samples=n_samples, n_latent=n_latent)
    _require_counts(0, n_noise=n_noise, n_numeric=n_numeric)
    _require_sizes(imbalance=imbalance, interaction=interaction, noise=noise)
    n_categories = _checked_categories(n_categories, n_latent)
    if not 0 <= missing < 1:
        raise ValueError(f"missing must be a share from 0 to below 1, but is {missing!r}.")
    if n_classes is not None:
        _require_counts(2, n_classes=n_classes)
    rng = check_random_state(random_state)
    n_partners = len(n_categories) - 1 + bool(n_numeric)
    strength = interaction / 2.0 ** np.arange(n_latent) * bool(n_partners)

    shares = [_shares(size, imbalance) for size in n_categories]
    latent = [_whitened(share, n_latent, rng) for share in shares]
    codes = [rng.choice(len(share), n_samples, p=share) for share in shares]
    numbers = rng.normal(size=(n_samples, n_numeric))
    signal = _signal(latent, codes, numbers, strength / np.sqrt(max(n_partners, 1)), rng)
    y = signal + noise * rng.normal(size=n_samples)
    noise_codes = [
        rng.choice(len(shares[0]), n_samples, p=shares[0]) for _ in range(n_noise)
    ]
    columns = {
        **_categorical(codes, n_categories, "cat", missing, rng),
        **_categorical(noise_codes, n_categories[:1] * n_noise, "noise", missing, rng),
        **{f"num_{j}": values for j, values in enumerate(numbers.T)},
    }
    if n_classes is not None:
        y = np.searchsorted(np.quantile(y, np.arange(1, n_classes) / n_classes), y)
    if not return_truth:
        return pd.DataFrame(columns), y
    return pd.DataFrame(columns), y, Bunch(latent=_named(latent, strength), signal=signal)


def _shares(n_categories: int, imbalance: float) -> FloatArray:
    """Return how often each category is drawn."""
    weights = np.arange(1, n_categories + 1) ** -float(imbalance)
    return weights / weights.sum()


def _whitened(share: FloatArray, n_latent: int, rng: Any) -> FloatArray:
    """Draw effect and vector of each category, of mean 0 and covariance 1 over the rows."""
    drawn = rng.normal(size=(len(share), 1 + n_latent))
    drawn -= share @ drawn
    values, vectors = np.linalg.eigh((drawn.T * share) @ drawn)
    return drawn @ (vectors / np.sqrt(values)) @ vectors.T


def _signal(
    latent: list[FloatArray],
    codes: list[IntArray],
    numbers: FloatArray,
    strength: FloatArray,
    rng: Any,
) -> FloatArray:
    """Return the target without noise."""
    rows = [table[column] for table, column in zip(latent, codes, strict=True)]
    signal = np.sum([row[:, 0] for row in rows], axis=0)
    before = np.zeros((len(signal), len(strength)))
    if numbers.shape[1]:
        # Orthogonal where there are as many numbers as components.
        drawn = rng.normal(size=(numbers.shape[1], len(strength)))
        left, _, right = np.linalg.svd(drawn, full_matrices=False)
        mixing = left @ right
        before = numbers @ (mixing / np.linalg.norm(mixing, axis=0))
        signal = signal + numbers.sum(axis=1) / np.sqrt(numbers.shape[1])
    for row in rows:
        signal = signal + (row[:, 1:] * before) @ strength
        before = before + row[:, 1:]
    return signal


def _categorical(
    codes: list[IntArray], sizes: Sequence[int], prefix: str, missing: float, rng: Any
) -> dict[str, Any]:
    """Return the columns as strings, some of them hidden."""
    columns = {}
    for j, (column, size) in enumerate(zip(codes, sizes, strict=True)):
        values = _names(size)[column]
        values[rng.random_sample(len(values)) < missing] = None
        columns[f"{prefix}_{j}"] = values
    return columns


def _named(latent: list[FloatArray], strength: FloatArray) -> dict[str, pd.DataFrame]:
    names = ["effect", *map(str, range(len(strength)))]
    scale = np.append(1.0, strength)
    return {
        f"cat_{j}": pd.DataFrame(table * scale, _names(len(table)), names)
        for j, table in enumerate(latent)
    }


def _names(n_categories: int) -> Any:
    """Return the categories' names, all of one length."""
    width = max(2, len(str(n_categories - 1)))
    return np.array([f"c{k:0{width}d}" for k in range(n_categories)], dtype=object)


def _require_counts(at_least: int = 1, **counts: Any) -> None:
    for name, count in counts.items():
        if not isinstance(count, Integral) or int(count) < at_least:
            raise ValueError(
                f"{name} must be a whole number of at least {at_least}, but is {count!r}."
            )


def _require_sizes(**sizes: Any) -> None:
    for name, size in sizes.items():
        if not isinstance(size, Real) or not 0 <= float(size) < np.inf:
            raise ValueError(f"{name} must be a number of at least 0, but is {size!r}.")


def _checked_categories(n_categories: Any, n_latent: int) -> list[int]:
    sizes = list(n_categories) if np.iterable(n_categories) else []
    least = n_latent + 2
    if not sizes or not all(isinstance(m, Integral) and int(m) >= least for m in sizes):
        raise ValueError(
            f"n_categories must list, for each column, a number of at least n_latent + 2 = "
            f"{least} categories, but is {n_categories!r}."
        )
    return [int(size) for size in sizes]
