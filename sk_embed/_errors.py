"""Contexts for errors: where they come from, and an estimator that is as it was before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def error_context(place: str) -> Iterator[None]:
    """Put the place, as "Chunk 3", before what went wrong in the block."""
    try:
        yield
    except (TypeError, ValueError) as error:
        # Others, as those of decoding, are not made from a message alone.
        if type(error) not in (TypeError, ValueError):
            raise
        raise type(error)(f"{place}: {error}") from error


@contextmanager
def restore_on_error(estimator: Any) -> Iterator[None]:
    """Give the estimator its attributes back if the block raises, whatever it raises."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
