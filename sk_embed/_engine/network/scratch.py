"""Arrays that are allocated once and used again by batch after batch."""

from __future__ import annotations

from math import prod

import numpy as np

from sk_embed._arrays import FloatArray


class Scratch:
    """Named arrays whose contents last until the same name is asked for again.

    Batches differ in their number of rows, so that each array is the beginning of a
    longer one. Not to be shared between threads.

    Parameters
    ----------
    dtype : dtype
        Type of the floats in all arrays.
    """

    def __init__(self, dtype: np.dtype) -> None:
        self._dtype = dtype
        self._buffers: dict[str, FloatArray] = {}
        self._arrays: dict[str, FloatArray] = {}

    def array(self, name: str, *shape: int) -> FloatArray:
        """Return an array of any contents."""
        array = self._arrays.get(name)
        # Most batches have the shape of the one before.
        if array is not None and array.shape == shape:
            return array
        size = prod(shape)
        buffer = self._buffers.get(name)
        if buffer is None or len(buffer) < size:
            buffer = self._buffers[name] = np.empty(size, self._dtype)
        array = self._arrays[name] = buffer[:size].reshape(shape)
        return array
