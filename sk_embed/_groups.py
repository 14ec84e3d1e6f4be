"""Groups of rows, which a splitter keeps together in a fold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def require_groups(cv: Any, groups: Any, n_rows: int) -> None:
    """Raise ValueError where a splitter by groups would not tell what is wrong with them.

    Parameters
    ----------
    cv : splitter
        Object with the method ``split``.
    groups : array-like of shape (n_rows,) or None
        Group of each row, None if none were given.
    n_rows : int
        Number of rows of X.
    """
    if groups is None:
        if _asks_for_groups(cv):
            raise ValueError(
                f"cv={cv!r:.80} splits by groups, but fit_transform got none; pass groups, "
                "in a Pipeline after sklearn.set_config(enable_metadata_routing=True)."
            )
        return
    values = np.asarray(groups)
    if len(values) != n_rows:
        raise ValueError(
            f"groups has {len(values)} rows, but X has {n_rows}; give each row its group."
        )
    is_missing = np.asarray(pd.isna(values))
    if is_missing.any():
        row = int(np.argmax(is_missing.reshape(n_rows, -1).any(axis=1)))
        raise ValueError(
            f"groups is missing in row {row}; give the row a group, as "
            "groups.fillna('unknown') does."
        )


def _asks_for_groups(cv: Any) -> bool:
    """Whether a splitter declares to scikit-learn that it needs groups."""
    if not hasattr(cv, "get_metadata_routing"):
        return False
    return cv.get_metadata_routing().split.requests.get("groups") is True
