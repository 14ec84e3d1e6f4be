"""Arrays that grow at their end."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SMALLEST = 16
# Share of its length by which a full array grows: as that of Python's lists, little of
# which is ever unused.
_GROWTH = 1 / 8


class GrowingArray:
    """An array that rows are appended to, at a cost that does not depend on its length.

    The memory behind it grows by an eighth when it is full, so that a row is copied about
    eight times, however many come.

    Parameters
    ----------
    values : ndarray of shape (n_rows, ...)
        Rows that the array holds at first, of which a copy is made.
    """

    def __init__(self, values: NDArray[Any]) -> None:
        self._buffer = values.copy()
        self._length = len(values)

    @property
    def values(self) -> NDArray[Any]:
        """The rows so far: a view, to be written to but not to be kept."""
        return self._buffer[: self._length]

    def grow(self, n_rows: int, fill: Any = 0) -> None:
        """Append ``n_rows`` rows that hold ``fill``."""
        length = self._length + n_rows
        if length > len(self._buffer):
            larger = len(self._buffer) + int(_GROWTH * len(self._buffer))
            n_rows_in_all = max(length, larger, _SMALLEST)
            buffer = np.empty((n_rows_in_all, *self._buffer.shape[1:]), self._buffer.dtype)
            buffer[: self._length] = self.values
            self._buffer = buffer
        self._buffer[self._length : length] = fill
        self._length = length

    def cut(self, length: int) -> None:
        """Keep the first ``length`` rows alone."""
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getstate__(self) -> dict[str, Any]:
        """Leave the memory that is not in use out of pickles."""
        return {"values": self.values}

    def __setstate__(self, state: dict[str, Any]) -> None:
        values = state["values"]
        self._buffer, self._length = values.copy(), len(values)
