"""Errors whose message names the part of the table that they come from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def told_of(place: str) -> Iterator[None]:
    """Put the place, as "Chunk 3", before what went wrong in the block."""
    try:
        yield
    except (TypeError, ValueError) as error:
        # Others, as those of decoding, are not made from a message alone.
        if type(error) not in (TypeError, ValueError):
            raise
        raise type(error)(f"{place}: {error}") from error
