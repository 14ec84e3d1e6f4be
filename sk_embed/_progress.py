"""Reports while the network learns: a line for each epoch, with the time left."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from time import perf_counter


def reporter(
    prefix: str | None,
    n_epochs: int,
    n_later_passes: int,
    end_subtask: Callable[[str], bool],
    clock: Callable[[], float] = perf_counter,
) -> Callable[[int, float], bool]:
    """Return what the engine calls after each epoch, with its number and its loss.

    The time left is that of all epochs and of the passes behind them, were each as long
    as an epoch on average: learning may stop sooner, a later pass takes less than an
    epoch, which also moves the network, and threads share the passes.

    Parameters
    ----------
    prefix : str or None
        Put before each line; None prints none.
    n_epochs : int
        Largest number of epochs that may be run.
    n_later_passes : int
        Passes over the rows behind the epochs.
    end_subtask : callable
        Called with the name of each epoch; returns whether to stop.
    clock : callable, optional
        Function that returns the present time in seconds.

    Returns
    -------
    report : callable
        Returns whether to stop.
    """
    start = clock()

    def report(epoch: int, loss: float) -> bool:
        if prefix is not None:
            n_left = n_epochs - epoch + n_later_passes
            seconds = ceil((clock() - start) / epoch * n_left)
            print(
                f"{prefix} epoch {epoch} of {n_epochs}: loss {loss:.5f}, "
                f"at most about {seconds} s left"
            )
        return end_subtask(f"epoch {epoch}")

    return report
