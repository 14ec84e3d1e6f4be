"""Groups of tables: which of them are learned side by side, and which rows are kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.rows import without_fold
from sk_embed._engine.tasks import TaskMap, call

# Tables are learned side by side as long as they, without their optimiser's state, take no
# more than this: batches are larger then, and rows are read once for all.
_MAX_BYTES_SIDE_BY_SIDE = 2**26
_MAX_TABLES_SIDE_BY_SIDE = 16


class TableGroup(NamedTuple):
    """Tables that are learned side by side.

    Parameters
    ----------
    subsets : ndarray of shape (n_tables,)
        Number of the subset of rows that each table is learned from.
    kept : list of ndarray of shape (n_kept,), or of slice
        Rows of each learned table that are kept.
    """

    subsets: IntArray
    kept: list[IntArray | slice]


def side_by_side(
    subsets: IntArray, kept: list[IntArray | slice], n_bytes: int
) -> list[TableGroup]:
    """Put so many tables, of ``n_bytes`` each, together as memory allows."""
    n_together = _MAX_BYTES_SIDE_BY_SIDE // max(n_bytes, 1)
    n_together = min(max(n_together, 1), _MAX_TABLES_SIDE_BY_SIDE)
    return [
        TableGroup(subsets[start : start + n_together], kept[start : start + n_together])
        for start in range(0, len(kept), n_together)
    ]


def groups_of_folds(n_folds: int, n_bytes: int) -> list[TableGroup]:
    """Return the groups of the tables without each fold, of ``n_bytes`` each."""
    folds = np.array([without_fold(fold) for fold in range(n_folds)], dtype=np.intp)
    return side_by_side(folds, [slice(None)] * n_folds, n_bytes)


def learn_groups(
    learn: Callable[[IntArray], FloatArray], groups: list[TableGroup], map_tasks: TaskMap
) -> list[FloatArray]:
    """Learn the final tables, group by group."""
    tasks = [partial(_learn_group, learn, group) for group in groups]
    return list(chain.from_iterable(map_tasks(call, tasks)))


def _learn_group(
    learn: Callable[[IntArray], FloatArray], group: TableGroup
) -> list[FloatArray]:
    """Learn tables side by side, and cut out of each what is kept."""
    table = learn(group.subsets)
    return [table[:, i][kept] for i, kept in enumerate(group.kept)]
