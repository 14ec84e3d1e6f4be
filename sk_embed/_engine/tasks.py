"""Running independent tasks: in turn here, in threads if the caller knows how."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

TaskMap: TypeAlias = Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]


def map_in_turn(function: Callable[[Any], Any], tasks: Iterable[Any]) -> list[Any]:
    """Return the results of the tasks, in their order."""
    return [function(task) for task in tasks]


def call(task: Callable[[], Any]) -> Any:
    """Return the result of a task that needs no argument."""
    return task()


def batched(results: list[Any], size: int) -> list[list[Any]]:
    """Return the results in groups of this size."""
    return [results[start : start + size] for start in range(0, len(results), size)]
