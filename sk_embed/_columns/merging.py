"""Summaries of the columns of a part of a table, which add up to those of the whole.

Each summary can be added to that of another part, in any order; the sum over all parts is
the summary of all rows together, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._columns.comparable import as_series
from sk_embed._columns.context import HUGE, ContextScaler, robust_scale
from sk_embed._columns.exact import as_objects, narrowed
from sk_embed._columns.lookup import UNKNOWN
from sk_embed._columns.sorting import sorting_order
from sk_embed._columns.target import MAX_NUMERIC_CLASSES, GivenTarget, Target, read_target
from sk_embed._columns.vocabulary import Vocabulary, infrequent, insert_missing
from sk_embed._distinct import distinct

# Number of bits of a quantile that are found in one sum over the parts.
_BITS = 8
# scikit-learn warns where nearly every row is a class of its own.
_TIMES_SHOWN = 3


@dataclass(frozen=True)
class SeenCategories:
    """The categories of one column that a part of the rows holds.

    Parameters
    ----------
    vocabulary : Vocabulary
        Categories that occur in the part, and their counts there.
    is_listed : bool
        Whether the user has listed all categories.
    """

    vocabulary: Vocabulary
    is_listed: bool

    def __add__(self, other: SeenCategories) -> SeenCategories:
        a, b = self.vocabulary, other.vocabulary
        if self.is_listed:
            return replace(self, vocabulary=replace(a, counts=a.counts + b.counts))
        return replace(self, vocabulary=_merged(a, b))

    def with_rare(
        self, n_rows: int, min_frequency: float | None, max_categories: int | None
    ) -> Vocabulary:
        """Return the vocabulary of all rows, in which rare categories share a vector."""
        counts = self.vocabulary.counts
        rare = infrequent(counts, n_rows, min_frequency, max_categories)
        return replace(self.vocabulary, is_infrequent=rare)

    def table_rows(self, of_all: Vocabulary) -> IntArray:
        """Return the table row of each code of the part, of UNKNOWN last."""
        categories = as_series(self.vocabulary.categories)
        known = np.append(of_all.encode(categories), UNKNOWN) if len(categories) else [-1]
        return of_all.table_rows[known]


def _merged(a: Vocabulary, b: Vocabulary) -> Vocabulary:
    """Return the categories of two vocabularies, sorted, missing last."""
    if not len(a.categories) or not len(b.categories):
        return a if len(a.categories) else b
    parts = [_present(vocabulary) for vocabulary in (a, b)]
    (values_a, counts_a), (values_b, counts_b) = parts
    is_alike = values_a.dtype == values_b.dtype
    if not is_alike:
        values_a, values_b = as_objects(values_a), as_objects(values_b)
    codes, values = distinct(np.concatenate([values_a, values_b]))
    values = values if is_alike else narrowed(values)
    counts = np.bincount(codes, np.append(counts_a, counts_b), len(values))
    order = sorting_order(values)
    values, counts = values[order], counts[order].astype(np.intp)
    n_missing = int(a.counts.sum() + b.counts.sum() - counts.sum())
    if n_missing:
        values = insert_missing(values, len(values))
        counts = np.append(counts, n_missing)
    return Vocabulary(a.name, values, counts, np.zeros(len(values), dtype=bool))


def _present(vocabulary: Vocabulary) -> tuple[NDArray[Any], IntArray]:
    """Return the categories that are not missing, and their rows."""
    is_present = ~pd.isna(vocabulary.categories)
    return vocabulary.categories[is_present], vocabulary.counts[is_present]


@dataclass(frozen=True)
class SeenNumbers:
    """The range of numeric columns in a part of the rows.

    Parameters
    ----------
    weight : ndarray of shape (n_columns,)
        Weight of the rows that have a number.
    has_missing : ndarray of bool of shape (n_columns,)
        Whether each column has missing values in the part.
    smallest, largest : ndarray of shape (n_columns,)
        Smallest and largest number of each column; infinite where there is none.
    """

    weight: FloatArray
    has_missing: NDArray[np.bool_]
    smallest: FloatArray
    largest: FloatArray

    def __add__(self, other: SeenNumbers) -> SeenNumbers:
        return SeenNumbers(
            self.weight + other.weight,
            self.has_missing | other.has_missing,
            np.minimum(self.smallest, other.smallest),
            np.maximum(self.largest, other.largest),
        )

    def scaler(self, names: list[str], quantiles: FloatArray) -> ContextScaler:
        """Return the scaler that all rows would have given.

        ``quantiles``, shape (n_columns, 3), are quartiles; of a column without numbers
        they do not count.
        """
        center, scale = np.zeros(len(names)), np.ones(len(names))
        for j in np.flatnonzero(self.weight > 0):
            low, center[j], high = quantiles[j]
            extent = self.largest[j] - self.smallest[j]
            scale[j] = robust_scale(high - low, extent)
        return ContextScaler(names, center, scale, self.has_missing)


def see_numbers(numbers: FloatArray, weight: FloatArray) -> SeenNumbers:
    """Return the range of a part's numeric columns, shape (n_rows, n_columns)."""
    numbers = np.clip(numbers, -HUGE, HUGE)
    is_missing = np.isnan(numbers)
    return SeenNumbers(
        weight @ ~is_missing,
        np.asarray(is_missing.any(axis=0)),
        np.where(is_missing, np.inf, numbers).min(axis=0, initial=np.inf),
        np.where(is_missing, -np.inf, numbers).max(axis=0, initial=-np.inf),
    )


class QuantileSearch:
    """Finds weighted quantiles of all rows exactly, by sums over parts.

    Floats are read as integers of the same order, of which eight bits are found at a time:
    a histogram, over the next eight bits, of the numbers that begin with the bits known so
    far shows where the quantile lies. Eight sums over the parts find all eight bytes.

    Parameters
    ----------
    weight : ndarray of shape (n_columns,)
        Weight of all rows that have a number, of each column.
    shares : tuple of float
        Shares of the weight that lie below the wanted quantiles, between 0 and 1.
    """

    n_steps = 64 // _BITS

    def __init__(self, weight: FloatArray, shares: tuple[float, ...]) -> None:
        self.begins = np.zeros((len(weight), len(shares)), dtype=np.uint64)
        self._wanted = weight[:, None] * np.array(shares)

    def narrow(self, histograms: FloatArray) -> None:
        """Learn the next bits.

        ``histograms``, shape (n_columns, n_quantiles, 256), are the sum over all parts
        of :func:`next_bits`.
        """
        cumulated = np.cumsum(histograms, axis=2)
        # Rounding must not lead beyond the last number.
        wanted = np.minimum(self._wanted, cumulated[:, :, -1])
        found = (cumulated < wanted[:, :, None]).sum(axis=2)
        # Not a difference, whose rounding would lead to a bin without any number.
        below = np.concatenate([np.zeros_like(cumulated[:, :, :1]), cumulated], axis=2)
        below = np.take_along_axis(below, found[:, :, None], axis=2)[:, :, 0]
        smallest = np.finfo(np.float64).tiny
        self._wanted = np.maximum(wanted - below, smallest * (wanted > 0))
        self.begins = (self.begins << np.uint64(_BITS)) | found.astype(np.uint64)

    @property
    def quantiles(self) -> FloatArray:
        """Return the quantiles, shape (n_columns, n_quantiles), after the last step."""
        sign = np.uint64(1) << np.uint64(63)
        is_positive = (self.begins & sign) > 0
        return np.where(is_positive, self.begins ^ sign, ~self.begins).view(np.float64)


def next_bits(
    numbers: FloatArray, weight: FloatArray, begins: NDArray[np.uint64], step: int
) -> FloatArray:
    """Return how a part's weight is spread over the next bits, for each beginning.

    Parameters
    ----------
    numbers : ndarray of shape (n_rows, n_columns)
        Numbers of the part's rows; missing ones are NaN.
    weight : ndarray of shape (n_rows,)
        Positive weight of each row.
    begins : ndarray of shape (n_columns, n_quantiles)
        Bits of each quantile that are known so far.
    step : int
        Number of steps that were taken before, each of which found some bits.

    Returns
    -------
    histograms : ndarray of shape (n_columns, n_quantiles, 256)
    """
    histograms = np.zeros((*begins.shape, 2**_BITS))
    for j, of_column in enumerate(begins):
        column = np.clip(numbers[:, j], -HUGE, HUGE)
        is_present = ~np.isnan(column)
        keys, weights = _ordered_integers(column[is_present]), weight[is_present]
        known = keys >> np.uint64(64 - _BITS * step) if step else np.zeros_like(keys)
        bits = (keys >> np.uint64(64 - _BITS * (step + 1))) & np.uint64(2**_BITS - 1)
        for quantile, begin in enumerate(of_column):
            is_candidate = known == begin
            histograms[j, quantile] = np.bincount(
                bits[is_candidate].astype(np.intp), weights[is_candidate], 2**_BITS
            )
    return histograms


def _ordered_integers(values: FloatArray) -> NDArray[np.uint64]:
    """Return integers in the order of the floats: those below zero count backwards."""
    bits = (values + 0.0).view(np.uint64)  # -0.0 is 0.0
    sign = np.uint64(1) << np.uint64(63)
    return np.where(bits & sign, ~bits, bits | sign)


@dataclass(frozen=True)
class SeenTarget:
    """The different values of the target in a part of the rows.

    Parameters
    ----------
    values : list of ndarray of shape (n_values,)
        Different values of each column of the target; of numbers no more are kept than show
        that they are no labels.
    names : list of str or None
        Names of the columns, where the target has several and they are strings.
    size : ndarray of shape (n_columns,)
        Largest absolute number of each column; 0 for labels.
    is_label : bool
        Whether the user has said that numbers are labels.
    """

    values: list[NDArray[Any]]
    names: list[str] | None
    size: FloatArray
    is_label: bool = False

    def __add__(self, other: SeenTarget) -> SeenTarget:
        if len(self.values) != len(other.values):
            raise ValueError(
                f"y has {len(other.values)} column(s) in one partition and "
                f"{len(self.values)} in another."
            )
        if not len(self.values[0]) or not len(other.values[0]):
            return self if len(self.values[0]) else other
        both = zip(self.values, other.values, strict=True)
        values = [_different(np.concatenate([a, b]), self.is_label) for a, b in both]
        size = np.maximum(self.size, other.size)
        return SeenTarget(values, self.names, size, self.is_label)

    def read(self, target_type: str) -> Target:
        """Return how the target of all rows is read, without values.

        Its ``center`` and ``scale`` are not those of the rows.
        """
        length = max(len(values) for values in self.values)
        columns = [np.resize(values, length) for values in self.values]
        shown = columns[0] if len(columns) == 1 else np.column_stack(columns)
        shown = np.concatenate([shown] * _TIMES_SHOWN)
        given = GivenTarget(shown, self.names)
        return read_target(given, target_type, np.ones(len(shown))).without_values()


def as_matrix(y: NDArray[Any]) -> NDArray[Any]:
    """Return a target in columns, also where it has no rows."""
    return y[:, None] if y.ndim == 1 else y


def see_target(given: GivenTarget, is_label: bool = False) -> SeenTarget:
    """Return the different values of a part's target, all of them if they are labels."""
    columns = as_matrix(given.values).T
    size = [
        np.abs(column.astype(np.float64)).max(initial=0)
        if column.dtype.kind in "biuf"
        else 0
        for column in columns
    ]
    different = [_different(c, is_label) for c in columns]
    return SeenTarget(different, given.names, np.array(size, float), is_label)


def _different(values: NDArray[Any], is_label: bool) -> NDArray[Any]:
    _, different = distinct(values)
    if is_label or different.dtype.kind not in "iuf":
        return different
    # A few whole numbers and a few others are enough to tell that not all are whole.
    is_whole = different == np.floor(different)
    few = [
        part[: MAX_NUMERIC_CLASSES + 1]
        for part in (different[~is_whole], different[is_whole])
    ]
    return np.concatenate(few)
