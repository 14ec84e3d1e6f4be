from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sk_embed._engine.network.scratch import Scratch


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 4), (0, 3), (4, 0)], ids=str)
def test_arrays_have_the_shape_and_dtype_asked_for(shape, dtype):
    array = Scratch(np.dtype(dtype)).array("a", *shape)
    assert array.shape == shape
    assert array.dtype == dtype
    assert array.flags.c_contiguous
    assert array.flags.writeable


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (2, 3), (1, 1), (2, 2, 3)], ids=str)
def test_an_array_that_is_no_larger_is_the_beginning_of_the_one_before(shape):
    scratch = Scratch(np.dtype(np.float64))
    before = scratch.array("a", 4, 3)
    before[:] = np.arange(12.0).reshape(4, 3)
    after = scratch.array("a", *shape)
    assert after.ctypes.data == before.ctypes.data
    assert_array_equal(after.ravel(), np.arange(after.size))


def test_a_larger_array_is_allocated_once():
    scratch = Scratch(np.dtype(np.float64))
    small = scratch.array("a", 2, 3)
    large = scratch.array("a", 5, 3)
    assert large.shape == (5, 3)
    assert not np.shares_memory(small, large)
    # What has grown stays so.
    for n_rows in (2, 5):
        assert scratch.array("a", n_rows, 3).ctypes.data == large.ctypes.data


def test_arrays_of_different_names_do_not_meet():
    scratch = Scratch(np.dtype(np.float64))
    first, second = scratch.array("a", 4, 3), scratch.array("b", 4, 3)
    assert not np.shares_memory(first, second)
    first[:] = 1
    second[:] = 2
    scratch.array("c", 100)[:] = 3
    assert_array_equal(first, 1)
    assert_array_equal(second, 2)


def test_arrays_of_different_scratches_do_not_meet():
    first, second = (Scratch(np.dtype(np.float64)).array("a", 4, 3) for _ in range(2))
    assert not np.shares_memory(first, second)
