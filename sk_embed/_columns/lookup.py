"""The place of a value among others, as Python compares them: 1 == 1.0 == True."""

from __future__ import annotations

from itertools import repeat
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import IntArray
from sk_embed._columns.exact import as_objects, cast_exactly

UNKNOWN = -1
# Numbers are compared with numbers, times with times, durations with durations.
_FAMILIES = {"i": "number", "u": "number", "f": "number", "M": "time", "m": "duration"}


class Lookup:
    """Finds values among those known.

    Numbers and times are looked up by pandas in the dtype of those known, if it holds them
    exactly, all else by Python itself: pandas would read strings as dates, and numbers as
    floats.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Known values, all different, none missing: numbers or times of numpy, or objects.
    place_of : dict, optional
        Places of the values as keys, if they are objects, and perhaps of others behind
        them, of which more may come: a dict that a stream keeps in any case.
    """

    def __init__(
        self, values: NDArray[Any], place_of: dict[Any, int] | None = None
    ) -> None:
        self._dtype, self._n_values = values.dtype, len(values)
        self._place_of: dict[Any, int] | None = None
        self._index: pd.Index | None = None
        self._knows_tuples = values.dtype == object and _has_tuples(values.tolist())
        if values.dtype.kind not in _FAMILIES:
            self._place_of = _places_of(values) if place_of is None else place_of
        else:
            self._index = pd.Index(_without_unit(values))
            # pandas fills an index's hash table at its first use, which is not safe when
            # the first uses are those of several threads.
            self._index.get_indexer(self._index[:1])

    def places(self, keys: NDArray[Any]) -> IntArray:
        """Return the place of each key, UNKNOWN where it is not known.

        Raises
        ------
        TypeError
            If a key cannot be hashed.
        """
        if self._index is None or keys.dtype.kind not in _FAMILIES:
            return self._by_value(keys)
        if _FAMILIES[keys.dtype.kind] != _FAMILIES[self._dtype.kind]:
            return np.full(len(keys), UNKNOWN)
        if keys.dtype == self._dtype:
            places: IntArray = self._index.get_indexer(pd.Index(_without_unit(keys)))
            return places
        cast, is_exact = cast_exactly(keys, self._dtype)
        places = self._index.get_indexer(pd.Index(_without_unit(cast)))
        return np.where(is_exact, places, UNKNOWN)

    def _by_value(self, keys: NDArray[Any]) -> IntArray:
        if self._place_of is None and self._index is not None:
            # Several threads may come here at once; each sets the same.
            self._place_of = _places_of(self._index.to_numpy().view(self._dtype))
        place_of: Any = self._place_of
        # Tuples among the values are looked into only if some are known.
        asked = as_keys(keys) if self._knows_tuples else as_objects(keys).tolist()
        found = map(place_of.get, asked, repeat(UNKNOWN))
        places = np.fromiter(found, dtype=np.intp, count=len(keys))
        places[places >= self._n_values] = UNKNOWN
        return places


def code_behind_missing(places: IntArray, missing_code: int) -> IntArray:
    """Return the codes of values, given their places among those that are not missing."""
    if missing_code == UNKNOWN:
        return places
    codes: IntArray = places + (places >= missing_code)
    return codes


def _without_unit(values: NDArray[Any]) -> NDArray[Any]:
    """Return times as the integers that count their unit."""
    return values.view(np.int64) if values.dtype.kind in "Mm" else values


def _places_of(values: NDArray[Any]) -> dict[Any, int]:
    return dict(zip(as_keys(values), range(len(values)), strict=True))


def as_keys(values: NDArray[Any]) -> list[Any]:
    """Return values as keys of a dict, in which NaN within a tuple equals NaN."""
    keys: list[Any] = as_objects(values).tolist()
    return [_as_key(key) for key in keys] if _has_tuples(keys) else keys


def _has_tuples(values: list[Any]) -> bool:
    return any(issubclass(kind, tuple) for kind in set(map(type, values)))


def _as_key(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_as_key, value))
    # NaN, the one float that is not itself, is found by being the same object.
    return np.nan if isinstance(value, float) and value != value else value
