"""Different values, told apart as Python does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import IntArray


def distinct(values: NDArray[Any]) -> tuple[IntArray, NDArray[Any]]:
    """Return the place of each value among the different ones, and these as they came.

    Strings and objects are told apart by a dict, for ``pandas.factorize`` before pandas 3
    takes all halves of surrogate pairs for one string. Missing values are one.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
        Hashable values.
    """
    if values.dtype.kind not in "OU":
        codes, uniques = pd.factorize(values, use_na_sentinel=False)
        return codes, uniques
    objects = values.astype(object)
    objects[np.asarray(pd.isna(objects), dtype=bool)] = None
    code_of: dict[Any, int] = {}
    found = [code_of.setdefault(value, len(code_of)) for value in objects]
    uniques = np.empty(len(code_of), dtype=object)
    for value, code in code_of.items():
        uniques[code] = value
    return np.array(found, dtype=np.intp), uniques
