"""Different values of which more may come, each found by its place among them."""

from __future__ import annotations

from functools import cached_property
from itertools import repeat
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sk_embed._arrays import IntArray
from sk_embed._columns.exact import as_array, as_objects, cast_exactly, narrowed
from sk_embed._columns.lookup import UNKNOWN, as_keys

_INTEGER = np.dtype(np.int64)
# A sorted run is merged with the one before it unless that is this many times as long: a
# value is then copied a few times at each of a few lengths, and looked up in few runs.
_RATIO_OF_RUNS = 8


class HashedValues:
    """Values of any kind, in a dict, in the order in which they came.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Values that are known at first: all different, none missing.
    """

    def __init__(self, values: NDArray[Any]) -> None:
        self.place_of: dict[Any, int] = {}
        self._append(values)

    def __len__(self) -> int:
        return len(self.place_of)

    def places(self, values: NDArray[Any]) -> IntArray:
        """Return the place of each value, UNKNOWN where it is not known."""
        found = map(self.place_of.get, as_keys(values), repeat(UNKNOWN))
        return np.fromiter(found, dtype=np.intp, count=len(values))

    def appended(self, values: NDArray[Any]) -> GrowingValues:
        """Return these values with new ones behind them, of which this may be the store."""
        if not len(self):
            return growing_values(values)
        self._append(values)
        return self

    def as_array(self) -> NDArray[Any]:
        """Return the values as numpy or Python holds them."""
        return narrowed(as_array(list(self.place_of)))

    def _append(self, values: NDArray[Any]) -> None:
        behind = enumerate(as_keys(values), start=len(self))
        self.place_of |= {key: place for place, key in behind}


class SortedIntegers:
    """Integers in sorted runs, each with the places at which they came.

    They take a tenth of what a dict of Python's integers does. The new ones of a chunk are
    a run of their own until there are more of them.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Integers of 64 bits at most that are known at first: all different.
    """

    place_of = None

    def __init__(self, values: NDArray[Any]) -> None:
        # Sorted values and their places, the longest run first.
        self._runs: list[tuple[IntArray, IntArray]] = []
        self.appended(values)

    def __len__(self) -> int:
        return sum(len(run) for run, _ in self._runs)

    def places(self, values: NDArray[Any]) -> IntArray:
        """Return the place of each value, UNKNOWN where it is not known."""
        values = narrowed_objects(values)
        if values.dtype.kind not in "iuf":
            return self._compared_by_python.places(values)
        asked, is_exact = cast_exactly(values, _INTEGER)
        order = np.argsort(asked)
        ordered = asked[order]
        found = np.full(len(values), UNKNOWN, dtype=np.intp)
        for run, places in self._runs:
            at = np.minimum(np.searchsorted(run, ordered), len(run) - 1)
            is_there = run[at] == ordered
            found[order[is_there]] = places[at[is_there]]
        found[~is_exact] = UNKNOWN
        return found

    def appended(self, values: NDArray[Any]) -> GrowingValues:
        """Return these values with new ones behind them, of which this may be the store."""
        if not len(values):
            return self
        values = narrowed_objects(values)
        if not _are_integers(values):
            return self._compared_by_python.appended(values)
        vars(self).pop("_compared_by_python", None)
        run = values.astype(_INTEGER)
        places = np.arange(len(self), len(self) + len(run), dtype=np.int32)
        while self._runs and len(self._runs[-1][0]) < _RATIO_OF_RUNS * len(run):
            before, places_before = self._runs.pop()
            run = np.concatenate([before, run])
            places = np.concatenate([places_before, places])
        order = np.argsort(run, kind="stable")
        self._runs.append((run[order], places[order]))
        return self

    def as_array(self) -> NDArray[Any]:
        """Return the values in the order in which they came."""
        values = np.empty(len(self), _INTEGER)
        for run, places in self._runs:
            values[places] = run
        return values

    @cached_property
    def _compared_by_python(self) -> HashedValues:
        """The same values, for those of other types that may be equal to an integer."""
        return HashedValues(as_objects(self.as_array()))


GrowingValues: TypeAlias = HashedValues | SortedIntegers


def growing_values(values: NDArray[Any]) -> GrowingValues:
    """Return values that more may come to, kept as small as their type allows."""
    values = narrowed_objects(values)
    return SortedIntegers(values) if _are_integers(values) else HashedValues(values)


def narrowed_objects(values: NDArray[Any]) -> NDArray[Any]:
    """Return objects as numbers or times of numpy, if that changes none of them."""
    return narrowed(values) if values.dtype == object else values


def _are_integers(values: NDArray[Any]) -> bool:
    """Whether all are integers of 64 bits at most, as numpy holds them."""
    return values.dtype.kind in "iu" and np.can_cast(values.dtype, _INTEGER)
