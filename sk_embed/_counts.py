"""Counts: how often a category occurs among the other training rows, as a number."""

from __future__ import annotations

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._columns.vocabulary import Vocabulary


def count_name(block: str) -> str:
    """Return the name of the count of a column, or of a cross."""
    return f"{block}_count"


def log_counts(
    vocabulary: Vocabulary, codes: IntArray, training_rows: IntArray | None
) -> FloatArray:
    """Return ``log(1 + n)`` for each row, n the other training rows of its category.

    Categories that share a vector are counted together.

    Parameters
    ----------
    vocabulary : Vocabulary
        Categories, and the number of training rows of each.
    codes : ndarray of shape (n_rows,)
        Code of each row's category; one that is not listed has no training rows.
    training_rows : ndarray of shape (n_training_rows,) or None
        Places of the training rows among these rows. A new row meets all training rows
        of its category, a training row all but itself.
    """
    counts, n_codes = vocabulary.counts, len(vocabulary.counts)
    if vocabulary.is_infrequent.any():
        groups = vocabulary.groups
        counts = np.bincount(groups, counts).take(groups)
    is_listed = (codes >= 0) & (codes < n_codes)
    n_rows = np.where(is_listed, counts.take(codes, mode="clip"), 0)
    if training_rows is not None:
        # A training row whose category is not listed is not counted in any.
        n_rows[training_rows] = np.maximum(n_rows[training_rows] - 1, 0)
    return np.log1p(n_rows)
