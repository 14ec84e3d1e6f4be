"""Times of several functions, interleaved, so that a busy moment hits all of them."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def interleaved(functions: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Return the median seconds of each function, called in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(of_name)) for name, of_name in seconds.items()}


def peak_bytes() -> int:
    """Return the largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def record(
    section: str, case: str, rival: str, ours: float, theirs: float, goal: float | None
) -> dict[str, Any]:
    """Return one line of the report: ours and theirs in one unit, and their ratio."""
    return {
        "section": section,
        "case": case,
        "rival": rival,
        "ours": ours,
        "theirs": theirs,
        "ratio": ours / theirs,
        "goal": goal,
    }
