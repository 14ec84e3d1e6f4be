"""Arrays that are allocated once and used again by batch after batch."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_embed._arrays import BoolArray, FloatArray

_BOOL = np.dtype(bool)


class Scratch:
    """Named arrays whose contents last until the same name is asked for again.

    Each is of one type. Batches differ in their number of rows, so that each array is the
    beginning of a longer one. Not to be shared between threads.

    Parameters
    ----------
    dtype : dtype
        Type of the floats in all arrays.
    """

    def __init__(self, dtype: np.dtype) -> None:
        self._dtype = dtype
        self._buffers: dict[str, NDArray[Any]] = {}
        self._arrays: dict[str, NDArray[Any]] = {}

    def array(self, name: str, *shape: int) -> FloatArray:
        """Return an array of floats of any contents."""
        return self._array(name, shape, self._dtype)

    def mask(self, name: str, *shape: int) -> BoolArray:
        """Return an array of booleans of any contents."""
        return self._array(name, shape, _BOOL)

    def _array(
        self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> NDArray[Any]:
        array = self._arrays.get(name)
        # Most batches have the shape of the one before.
        if array is not None and array.shape == shape:
            return array
        size = prod(shape)
        buffer = self._buffers.get(name)
        if buffer is None or len(buffer) < size:
            buffer = self._buffers[name] = np.empty(size, dtype)
        array = self._arrays[name] = buffer[:size].reshape(shape)
        return array
