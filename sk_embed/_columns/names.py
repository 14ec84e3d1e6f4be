"""Names of categories as vectors: n-grams of their characters, weighted by rarity.

All names are one array of code points, in which an n-gram is a number, so that no name is
looked at by itself::

    key = c_1 + A c_2 + A^2 c_3 + A^3 c_4,      A the size of the alphabet

where ``c`` are places in the alphabet, from 1, and 0 stands behind the end of an n-gram of
fewer than four characters. Marks stand before and behind each name, so that the n-grams at
its ends are others than those within: codes, as of products, are ordered from left to
right, and ranks, as "II", stand at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from sk_embed._arrays import FloatArray, IntArray

# Shortest and longest n-grams, in characters; four characters tell a word's stem.
SIZES = (2, 3, 4)
# A longer name counts by its first characters.
LONGEST_NAME = 200
# The marks before and behind each name, no characters of Unicode.
START, END = 0x110000, 0x110001
N_MARKS = 2
# Characters that are not among the most frequent of these count as unknown. The fourth
# power, which numbers the n-grams, must be below 2**63.
_LARGEST_ALPHABET = 50_000
# An n-gram of one name tells nothing of others, and this many tell enough.
_MIN_NAMES_OF_GRAM = 2
_MAX_GRAMS = 2**16
_UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class NameGrams:
    """The n-grams that names are described by.

    Parameters
    ----------
    alphabet : ndarray of shape (n_characters,)
        Sorted code points; the last are the marks.
    keys : ndarray of shape (n_grams,)
        Sorted numbers of the n-grams.
    rarity : ndarray of shape (n_grams + 1,)
        Inverse document frequency of each n-gram, ``log((1 + N) / (1 + n)) + 1`` for one
        that n of N names hold; the last is that of an n-gram which no name holds.
    """

    alphabet: IntArray
    keys: IntArray
    rarity: FloatArray

    def transform(self, names: Sequence[str]) -> csr_array:
        """Return the weights of the n-grams of each name, shape (n_names, n_grams).

        A weight is the number of times that the n-gram occurs in the name times its
        rarity; the squares of all of them sum to 1. N-grams that are not known count in
        this sum too, so that a name of which little is known has small weights.
        """
        points, of_name = _code_points(names)
        keys, of_gram = _grams(_places(points, self.alphabet), of_name, len(self.alphabet))
        places = np.searchsorted(self.keys, keys)
        # A key behind all others belongs to no n-gram.
        is_known = np.append(self.keys, _UNKNOWN)[places] == keys
        is_known &= keys != _UNKNOWN
        shape = len(names), len(self.keys)
        counts = _counts(of_gram[is_known], places[is_known], shape)
        n_unknown = np.bincount(of_gram[~is_known], minlength=len(names))
        return self._weights(counts, n_unknown)

    def _weights(self, counts: csr_array, n_unknown: IntArray | FloatArray) -> csr_array:
        """Return the weights of n-grams, given how often names hold known and other ones.

        Shapes (n_names, n_grams) and (n_names,).
        """
        owners = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
        weights = counts.data * self.rarity[counts.indices]
        squares = n_unknown * self.rarity[-1] ** 2
        squares = squares + np.bincount(owners, weights**2, counts.shape[0])
        # A name holds its ends at least, so that no sum is zero.
        weights /= np.sqrt(squares)[owners]
        return csr_array((weights, counts.indices, counts.indptr), shape=counts.shape)


def learn_grams(names: Sequence[str]) -> tuple[NameGrams, csr_array]:
    """Learn the n-grams that occur in several names, the most common of them.

    Returns
    -------
    grams : NameGrams
    weights : sparse array of shape (n_names, n_grams)
        Weights of these n-grams in the names, as ``grams.transform(names)``.
    """
    points, of_name = _code_points(names)
    alphabet, n_times = np.unique(points, return_counts=True)
    if len(alphabet) > _LARGEST_ALPHABET:
        common = np.argsort(-n_times, kind="stable")[:_LARGEST_ALPHABET]
        alphabet = np.sort(alphabet[common])
    keys, of_gram = _grams(_places(points, alphabet), of_name, len(alphabet))
    keys, places = _distinct(keys)
    counts = _counts(of_gram, places, (len(names), len(keys)))
    n_names = np.bincount(counts.indices, minlength=len(keys))
    is_used = (n_names >= _MIN_NAMES_OF_GRAM) & (keys != _UNKNOWN)
    used = np.flatnonzero(is_used)
    used = np.sort(used[np.argsort(-n_names[used], kind="stable")[:_MAX_GRAMS]])
    rarity = np.log((1 + len(names)) / (1 + np.append(n_names[used], 0))) + 1
    grams, of_used = NameGrams(alphabet, keys[used], rarity), counts[:, used]
    n_unused = counts.sum(axis=1) - of_used.sum(axis=1)
    return grams, grams._weights(of_used, n_unused)


def _distinct(keys: IntArray) -> tuple[IntArray, IntArray]:
    """Return the distinct keys, sorted, and the place of each among them.

    Keys are hashed, and the distinct ones alone are sorted, which are few.
    """
    numbers, distinct = pd.factorize(keys)
    order = np.argsort(distinct)
    place_of_number = np.empty_like(order)
    place_of_number[order] = np.arange(len(order))
    return distinct[order], place_of_number[numbers]


def _counts(owners: IntArray, places: IntArray, shape: tuple[int, int]) -> csr_array:
    """Return how often each name holds each n-gram, by the places of all occurrences."""
    counts = csr_array((np.ones(len(places)), (owners, places)), shape=shape)
    counts.sum_duplicates()
    return counts


def names_of(values: NDArray[Any], with_others: bool) -> list[str]:
    """Return the names of categories, empty where they have none.

    A value that is no string has a name if asked for: that by which it is written, of a
    whole number without a decimal point.
    """
    if values.dtype != object:
        values = pd.Series(values).astype(object).to_numpy()
    return [_name_of(value, with_others) for value in values]


def _name_of(value: Any, with_others: bool) -> str:
    if isinstance(value, str):
        return value
    if not with_others:
        return ""
    try:
        return str(_as_usual(value))
    except (ValueError, OverflowError):
        # Python writes no whole number of more than some thousand digits.
        return ""


def _as_usual(value: Any) -> Any:
    """Return a value of which equal ones, whatever their types, are written alike."""
    if isinstance(value, timedelta):
        return pd.Timedelta(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(timezone.utc)
    if isinstance(value, (Decimal, Fraction)) and value == float(value):
        value = float(value)
    is_float = isinstance(value, (float, np.floating))
    is_whole = isinstance(value, (Integral, np.bool_)) or (
        is_float and np.isfinite(value) and value == np.floor(value)
    )
    return int(value) if is_whole else value


def _code_points(names: Sequence[str]) -> tuple[IntArray, IntArray]:
    """Return all names in a row, each between marks, and whose each code point is."""
    lowered = [name[:LONGEST_NAME].lower() for name in names]
    lengths = np.fromiter(map(len, lowered), np.intp, len(lowered)) + 2
    ends = np.cumsum(lengths)
    text = "".join(lowered).encode("utf-32-le", "surrogatepass")
    points = np.empty(lengths.sum(), np.int64)
    is_mark = np.zeros(len(points), bool)
    is_mark[ends - lengths] = is_mark[ends - 1] = True
    points[~is_mark] = np.frombuffer(text, np.uint32)
    points[ends - lengths], points[ends - 1] = START, END
    return points, np.repeat(np.arange(len(lowered)), lengths)


def _places(points: IntArray, alphabet: IntArray) -> IntArray:
    """Return the place of each code point in the alphabet, from 1, or -1."""
    places = np.searchsorted(alphabet, points)
    places[places == len(alphabet)] = 0
    return np.where(alphabet[places] == points, places + 1, _UNKNOWN)


def _grams(
    characters: IntArray, of_name: IntArray, n_characters: int
) -> tuple[IntArray, IntArray]:
    """Return the number of each n-gram, and whose it is."""
    keys, owners = [], []
    key, is_known = characters, characters != _UNKNOWN
    for size in range(2, max(SIZES) + 1):
        # An n-gram is one that is shorter by a character, and the next character.
        last = characters[size - 1 :]
        key = key[: len(last)] + last * (n_characters + 1) ** (size - 1)
        is_known = is_known[: len(last)] & (last != _UNKNOWN)
        # Those that reach into the next name are none.
        is_within = of_name[: len(last)] == of_name[size - 1 :]
        if size in SIZES:
            keys.append(np.where(is_known, key, _UNKNOWN)[is_within])
            owners.append(of_name[: len(last)][is_within])
    return np.concatenate(keys), np.concatenate(owners)
