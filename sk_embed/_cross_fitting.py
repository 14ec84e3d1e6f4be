"""Cross-fitting: which vector a training row gets.

A training row that is encoded with a vector that has seen its own target teaches the
next model to trust the copy. So the row gets the vector that was learned without the
row's fold - but only where that matters: for a rare category. The vector of a frequent
category hardly knows any one row, and one category with several slightly different
vectors loses its identity to the next model.
"""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, check_cv

from sk_embed._arrays import IntArray


def assign_folds(cv: Any, X: Any, y: Any, seed: int, **routed: Any) -> IntArray:
    """Return the number of the one test fold that holds each row.

    Parameters
    ----------
    cv : int, splitter or iterable of (train, test)
        The estimator's parameter; an int makes shuffled folds.
    X, y : array-like of n_rows
        For the splitter.
    seed : int
        Of the shuffled folds.
    **routed : dict
        For the splitter, as ``groups``.

    Returns
    -------
    fold_of_row : ndarray of shape (n_rows,)
    """
    if isinstance(cv, Integral):
        cv = KFold(int(cv), shuffle=True, random_state=seed)
    return fold_of_each_row(check_cv(cv).split(X, y, **routed), len(y))


def fold_of_each_row(splits: Iterable[tuple[IntArray, IntArray]], n_rows: int) -> IntArray:
    """Return the number of the one test fold that holds each row.

    Parameters
    ----------
    splits : iterable of (train, test)
        As from a splitter.
    n_rows : int
        Rows to be covered.

    Returns
    -------
    fold_of_row : ndarray of shape (n_rows,)

    Raises
    ------
    ValueError
        If a row is in no test fold or in several.
    """
    fold_of_row = np.full(n_rows, -1)
    n_times = np.zeros(n_rows, dtype=np.intp)
    try:
        for number, (_, test) in enumerate(splits):
            fold_of_row[test] = number
            n_times[test] += 1
    except (IndexError, TypeError) as error:
        raise ValueError(
            f"`cv` does not give pairs of training and test rows of X ({error}); pass an "
            "int or a splitter such as KFold."
        ) from error
    if np.any(n_times != 1):
        row = int(np.flatnonzero(n_times != 1)[0])
        raise ValueError(
            f"The test folds of `cv` must hold each row exactly once, but row {row} is "
            f"in {n_times[row]} of them; pass an int or a splitter such as KFold."
        )
    return fold_of_row
