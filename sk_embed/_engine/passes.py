"""Which chunks of a stream came before, and which of them a pass has still to meet."""

from __future__ import annotations

from typing import Any, NamedTuple


class Visit(NamedTuple):
    """What a chunk is to the passes over the stream.

    Parameters
    ----------
    is_repeated : bool
        Whether it was learned before.
    is_early : bool
        Whether this pass has met it already, but not yet all others.
    is_known_again : bool
        Whether it will be recognised if it comes again.
    pass_number : int
        Passes that were ended before.
    """

    is_repeated: bool = False
    is_early: bool = False
    is_known_again: bool = True
    pass_number: int = 0


class Passes:
    """Counts the passes; the first in which chunks come again is number 0.

    A pass ends when it has met all chunks that are known by then.
    """

    def __init__(self) -> None:
        # The pass that is to meet a chunk next.
        self._due: dict[bytes, int] = {}
        self._number = self._n_left = 0

    def __getstate__(self) -> dict[str, Any]:
        """Give the chunks as a list: not every format has keys that are bytes."""
        return {**vars(self), "_due": list(self._due.items())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _due=dict(state["_due"]))

    def visit(self, fingerprint: bytes | None, came_before: bool = False) -> Visit:
        """Return what a chunk is; nothing is changed yet.

        Parameters
        ----------
        fingerprint : bytes or None
            Of its rows; None if they cannot be recognised.
        came_before : bool
            Whether the caller knows that it did: effects are left as they are by what
            cannot be recognised.

        Raises
        ------
        ValueError
            If it could be recognised, and is not.
        """
        due = None if fingerprint is None else self._due.get(fingerprint)
        if due is None and came_before and fingerprint is None:
            return Visit(True, True, False, self._number)
        if due is None and came_before:
            raise ValueError(
                "a chunk of a later pass is none of the first pass; chunks must come again "
                "with the same rows in the same order."
            )
        if due is None:
            return Visit(False, False, fingerprint is not None, self._number)
        if due > self._number and self._n_left:
            return Visit(True, True, True, self._number)
        return Visit(True, False, True, due)

    def commit(self, fingerprint: bytes | None, visit: Visit) -> None:
        """Take over a visit whose chunk was learned."""
        if fingerprint is None or visit.is_early:
            return
        if visit.pass_number > self._number:
            self._number, self._n_left = visit.pass_number, len(self._due)
        self._due[fingerprint] = visit.pass_number + int(visit.is_repeated)
        self._n_left += -1 if visit.is_repeated else 1
