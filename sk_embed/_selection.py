"""How many axes of a column are kept, and how much is chosen from the data's size."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from sk_embed._arrays import BoolArray, FloatArray

# Wide enough for the interactions of real tables; wider tables fit noise.
DEFAULT_WIDTH = 8
# An axis on which two halves of the rows agree less than this is more noise than signal.
MIN_RELIABILITY = 0.5
# An axis of less than a hundredth of the table's standard deviation carries nothing, yet a
# scaler behind the encoder would blow it up to the size of all others.
MIN_SHARE = 1e-4
# Of a sum of shares.
_ROUNDING = 1e-9
# So many batches an epoch give the trunk's optimiser enough steps.
_BATCHES_PER_EPOCH = 256
_BATCH_SIZES = (64, 1024)


def table_width(n_components: Any) -> int:
    """Return the width in which tables are learned.

    A smaller ``n_components`` keeps the first axes of the same tables, as in a PCA.
    """
    asked = int(n_components) if isinstance(n_components, Integral) else 0
    return max(asked, DEFAULT_WIDTH)


def kept_axes(
    n_components: Any, explained_variance_ratio: FloatArray, reliability: FloatArray
) -> BoolArray:
    """Return which canonical axes to keep, shape (n_axes,).

    Parameters
    ----------
    n_components : int, float or "auto"
        So many first axes; the first axes that together explain this share of
        variance; the reliable axes.
    explained_variance_ratio, reliability : ndarray of shape (n_axes,)
        Of each axis. A reliability of NaN, for too few rows to tell, is none.
    """
    if isinstance(n_components, Integral):
        return np.arange(len(reliability)) < int(n_components)
    if isinstance(n_components, str):
        return (reliability > MIN_RELIABILITY) & (explained_variance_ratio > MIN_SHARE)
    before = np.cumsum(explained_variance_ratio) - explained_variance_ratio
    return (before < n_components - _ROUNDING) & (explained_variance_ratio > 0)


def auto_batch_size(n_rows: int) -> int:
    """Return the power of two that cuts the rows into about 256 batches, 64 to 1024."""
    wanted = 2 ** int(np.log2(max(n_rows / _BATCHES_PER_EPOCH, 1)))
    return int(np.clip(wanted, *_BATCH_SIZES))
