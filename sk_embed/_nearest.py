"""The nearest row of an embedding table, exactly where a vector is one of its rows."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from sk_embed._arrays import FloatArray, IntArray

# Vectors asked at a time, which bounds the memory of a query.
_CHUNK = 100_000


def nearest_rows(
    table: FloatArray, counts: IntArray, vectors: FloatArray, with_origin: bool
) -> IntArray:
    """Return the row of the table that is nearest to each vector.

    Of rows with the same vector the one with the largest count is taken, of these the
    first; the origin, where it is asked for, counts as a row of count 0 before all others.

    Parameters
    ----------
    table : ndarray of shape (n_rows, width)
        Points that are searched; distances are Euclidean.
    counts : ndarray of shape (n_rows,)
        Number of rows behind each point; of several points at one place the first with the
        largest number is taken.
    vectors : ndarray of shape (n_vectors, width)
        Points whose neighbour is wanted, all of them finite.
    with_origin : bool
        Whether a vector may be nearest to the origin, rather than to a row.

    Returns
    -------
    rows : ndarray of shape (n_vectors,)
        Number of each nearest row; -1 for the origin.
    """
    numbers = np.arange(len(table))
    if with_origin:
        table = np.vstack([np.zeros((1, table.shape[1]), table.dtype), table])
        counts, numbers = np.append(0, counts), np.append(-1, numbers)
    order = np.argsort(-counts, kind="stable")
    # A negative zero is the same place.
    places, first = np.unique(table[order] + 0.0, axis=0, return_index=True)
    tree = cKDTree(places)
    nearest = np.empty(len(vectors), dtype=np.intp)
    for start in range(0, len(vectors), _CHUNK):
        part = slice(start, start + _CHUNK)
        _, nearest[part] = tree.query(vectors[part])
    return numbers[order][first[nearest]]
