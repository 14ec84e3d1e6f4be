"""Dask's partitions: how they are joined, and how sums over them are computed.

Each summand is a pure function of a partition and of arguments that are the same for all,
so that it can be computed again if a worker is lost.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sk_embed._arrays import IntArray
from sk_embed._engine.partitions import Block, PartialSums, add_up, in_groups
from sk_embed._sklearn_compat import single_blas_thread

try:
    import dask.base
    import dask.config
    import dask.dataframe as dd
    from dask.delayed import Delayed, delayed
except ImportError as error:
    raise ImportError(
        "sk_embed.dask needs Dask's data frames; install them by "
        "pip install 'sk-embed[dask]'."
    ) from error


@dataclass(frozen=True)
class Task:
    """A function of each partition, with the arguments that are the same for all."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


def run_task(part: Any, task: Task) -> Any:
    with single_blas_thread():
        return task.function(part, *task.arguments)


class Partitions:
    """Partitions over which sums are computed, as a tree, where the partitions are."""

    def __init__(self, parts: list[Delayed]) -> None:
        self._parts = parts

    def sum_over(
        self, function: Callable[..., PartialSums], *arguments: Any
    ) -> PartialSums:
        """Return the sum of ``function(part, *arguments)`` over the partitions."""
        # Dask holds one copy for all partitions, so that it can be run again for a
        # partition that was lost and has been read anew.
        task = delayed(Task(function, arguments), traverse=False)
        results = [delayed(run_task)(part, task) for part in self._parts]
        while len(results) > 1:
            results = [delayed(add_up)(group) for group in in_groups(results)]
        result: PartialSums = results[0].compute()
        return result


class PartitionBlocks(Partitions):
    """Partitions as blocks of the engine."""

    def __init__(self, parts: list[Delayed], n_codes: IntArray) -> None:
        super().__init__(parts)
        self.n_codes = n_codes

    def mapped(
        self, function: Callable[..., Block], n_codes: IntArray, *arguments: Any
    ) -> PartitionBlocks:
        """Return ``function(block, *arguments)`` of each block, with these codes."""
        task = delayed(Task(function, arguments), traverse=False)
        blocks = persisted(delayed(run_task)(part, task) for part in self._parts)
        return PartitionBlocks(blocks, n_codes)


def persisted(tasks: Iterator[Delayed]) -> list[Delayed]:
    return list(dask.base.persist(*tasks))


@contextmanager
def large_questions() -> Iterator[None]:
    """Let tables be part of a task, from which they are sent again if a worker is lost."""
    if "distributed" not in sys.modules:
        yield
        return
    name = "distributed.admin.large-graph-warning-threshold"
    with dask.config.set({name: "1 TiB"}):
        yield


def joined(X: Any, y: Any, sample_weight: Any) -> tuple[list[Delayed], Any]:
    """Return X, y and weights of each partition as one task, and the divisions.

    One expression, for two that Dask optimises apart may come in other partitions each, and
    after a shuffle in another order.
    """
    if not isinstance(X, dd.DataFrame):
        raise TypeError(
            f"X is a {type(X).__name__}, but this encoder is fitted by Dask DataFrames; "
            "use sk_embed.EmbeddingEncoder for a table in memory."
        )
    given = {"y": y, "sample_weight": sample_weight}
    given = {name: values for name, values in given.items() if values is not None}
    has_index = [isinstance(values, (dd.Series, dd.DataFrame)) for values in given.values()]
    aligned = [_as_dask(values, name, X.npartitions) for name, values in given.items()]
    rows = X.map_partitions(
        _together,
        *aligned,
        has_index=has_index,
        meta=X._meta,
        enforce_metadata=False,
        align_dataframes=False,
    )
    return tasks_of(rows)


def _as_dask(values: Any, name: str, n_partitions: int) -> Any:
    """Return values with as many partitions as X as a Dask Series or DataFrame."""
    if hasattr(values, "numblocks"):
        if any(number > 1 for number in values.numblocks[1:]):
            raise ValueError(f"{name} is chunked by columns; rechunk it by rows alone.")
        values = dd.from_dask_array(values)
    if not isinstance(values, (dd.Series, dd.DataFrame)):
        raise TypeError(
            f"{name} is a {type(values).__name__}, but must be a Dask Series or Array with "
            "the partitions of X; use dask.dataframe.from_pandas."
        )
    if values.npartitions != n_partitions:
        raise ValueError(
            f"{name} has {values.npartitions} partitions, but X has {n_partitions}; take "
            "both from one frame."
        )
    return values


def _together(frame: Any, *given: Any, has_index: list[bool]) -> tuple[Any, ...]:
    y, *weights = (
        values if is_aligned else values.to_numpy()
        for values, is_aligned in zip(given, has_index, strict=True)
    )
    return frame, y, weights[0] if weights else None


def tasks_of(rows: Any) -> tuple[list[Delayed], Any]:
    """Return the partitions that Dask makes of a table, and the divisions."""
    optimised = rows.optimize()
    return optimised.to_delayed(optimize_graph=False), optimised.divisions
