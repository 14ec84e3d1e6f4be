"""Different values, by the equality and the hash of Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import IntArray


def _strings_end_at_nul() -> bool:
    values = np.array(["a", "a\0"], dtype=object)
    return len(pd.unique(values)) == 1


# pandas before 3 takes strings for the same that differ behind a NUL.
_STRINGS_END_AT_NUL = _strings_end_at_nul()


def distinct(
    values: NDArray[Any], *, with_missing: bool = False
) -> tuple[IntArray, NDArray[Any]]:
    """Return the number of each value, and the different values in the order they came.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Values of any hashable types.
    with_missing : bool, default=False
        Whether missing is a value of its own, the last; else its number is -1.

    Raises
    ------
    TypeError
        If a value cannot be hashed.
    """
    if values.dtype.kind == "U":
        values = values.astype(object)
    codes, uniques = pd.factorize(values)
    if values.dtype == object and _may_be_merged(values, uniques):
        # Strings by the table of objects, which pandas takes where not all are strings.
        marked = np.concatenate([np.array([object()]), values])
        codes, uniques = pd.factorize(marked)
        codes, uniques = np.where(codes[1:] < 0, -1, codes[1:] - 1), uniques[1:]
    if with_missing and (codes < 0).any():
        codes = np.where(codes < 0, len(uniques), codes)
        uniques = np.concatenate([uniques.astype(object), np.array([None])])
    return codes, uniques


def _may_be_merged(values: NDArray[Any], uniques: NDArray[Any]) -> bool:
    """Whether pandas' table of strings may have taken different ones for the same.

    It knows a string by its bytes in UTF-8, and one that has none, a lone surrogate, by
    its ``repr``, in which another string may be written.
    """
    try:
        text = "".join((values if _STRINGS_END_AT_NUL else uniques).tolist())
    except TypeError:
        return False
    return "\\ud" in text or _has_surrogate(text) or (_STRINGS_END_AT_NUL and "\0" in text)


def _has_surrogate(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
