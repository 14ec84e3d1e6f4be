"""Running independent tasks: in turn, or in the threads of a pool beside the caller's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, wait
from contextvars import copy_context
from typing import Any, TypeAlias

TaskMap: TypeAlias = Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]


def map_in_turn(function: Callable[[Any], Any], tasks: Iterable[Any]) -> list[Any]:
    """Return the results of the tasks, in their order."""
    return [function(task) for task in tasks]


def map_in_pool(
    pool: Executor, function: Callable[[Any], Any], tasks: Iterable[Any]
) -> list[Any]:
    """Return the results of the tasks, in their order.

    The caller runs the first task itself, and then whichever the pool has not begun: so a
    task may map tasks of its own in the same pool, and never waits for one that nobody
    runs. Threads of the pool know the context variables of the caller.

    Parameters
    ----------
    pool : Executor
        Threads that run tasks beside the caller's thread.
    function : callable
        Callable that is given one task and returns its result.
    tasks : iterable
        Arguments of the function, which do not depend on each other's results.
    """
    listed = list(tasks)
    first, others = listed[:1], listed[1:]
    futures = [pool.submit(copy_context().run, function, task) for task in others]
    try:
        results = dict(enumerate(map_in_turn(function, first)))
        for number, future in enumerate(futures, 1):
            if future.cancel():
                results[number] = function(listed[number])
        for number, future in enumerate(futures, 1):
            if number not in results:
                results[number] = future.result()
    finally:
        # After an error nothing may run on that would outlive the arrays it reads.
        wait([future for future in futures if not future.cancel()])
    return [results[number] for number in range(len(listed))]


def call(task: Callable[[], Any]) -> Any:
    """Return the result of a task that needs no argument."""
    return task()


def batched(results: list[Any], size: int) -> list[list[Any]]:
    """Return the results in groups of this size."""
    return [results[start : start + size] for start in range(0, len(results), size)]
