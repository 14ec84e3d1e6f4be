"""The order of categories, which no form of a table and no order of its rows changes."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_embed._arrays import IntArray

# Values that may be equal to those of a class that they are of as well.
_BASES = (str, bytes, dt.datetime, dt.timedelta)


def sorting_order(values: NDArray[Any]) -> IntArray:
    """Return the ascending order; values that do not compare, numbers first, by type."""
    if values.dtype == object and frozenset in set(map(type, values)):
        # For which to be less is to be a subset.
        return _order_of_keys(values)
    try:
        return np.argsort(values, kind="stable")
    except TypeError:
        return _order_of_keys(values)


def _order_of_keys(values: NDArray[Any]) -> IntArray:
    keys = [_sorting_key(value) for value in values]
    return np.array(sorted(range(len(values)), key=keys.__getitem__), dtype=np.intp)


def _sorting_key(value: Any) -> tuple[Any, ...]:
    """Return a key that compares with all other keys; equal values have equal keys."""
    if isinstance(value, (Real, Decimal)):
        return "", _as_number(value), "", ()
    if isinstance(value, tuple):
        return "tuple", 0, "", tuple(map(_sorting_key, value))
    if isinstance(value, frozenset):
        return "frozenset", 0, "", tuple(sorted(map(_sorting_key, value)))
    name = next((b.__name__ for b in _BASES if isinstance(value, b)), type(value).__name__)
    # By itself, for how a member of an enumeration is written is its own affair.
    text = str.__str__(value) if isinstance(value, str) else str(value)
    return name, 0, text, ()


def _as_number(value: Real | Decimal) -> Any:
    """Return a number that compares with all others; a Decimal does not with a Fraction."""
    if not isinstance(value, Decimal):
        return value
    return Fraction(value) if value.is_finite() else float(value)
