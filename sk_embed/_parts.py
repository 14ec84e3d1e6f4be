"""The door between the rooms for a table in parts: each becomes one of the engine's blocks.

What is learned about columns and target is learned by sums over the parts, as exactly as
from all rows together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import BoolArray, FloatArray, IntArray
from sk_embed._columns.context import QUARTILES, read_numbers
from sk_embed._columns.frame import as_columns, categorical_mask
from sk_embed._columns.many_classes import warn_of_many_classes
from sk_embed._columns.merging import (
    QuantileSearch,
    SeenCategories,
    as_matrix,
    next_bits,
    see_numbers,
    see_target,
)
from sk_embed._columns.stream_target import TargetReader
from sk_embed._columns.table import TableColumns, listed_categories, warn_of_a_measurement
from sk_embed._columns.target import (
    LABEL_TYPES,
    GivenTarget,
    Target,
    as_target,
    different_labels,
    used_values,
)
from sk_embed._columns.target_values import as_weights
from sk_embed._columns.vocabulary import given_vocabulary, learn_vocabulary
from sk_embed._cross_fitting import fold_numbers
from sk_embed._distinct import distinct
from sk_embed._engine.partitions import Block, PartialSums, make_block
from sk_embed._engine.rows import Rows
from sk_embed._errors import error_context
from sk_embed._sklearn_compat import check_sample_weight
from sk_embed._training_data import require_room


class Parts(Protocol):
    """Parts of a table, wherever they are."""

    def sum_over(
        self, function: Callable[..., PartialSums], *arguments: Any
    ) -> PartialSums:
        """Return the sum of ``function(part, *arguments)`` over the parts."""


class TableLayout(NamedTuple):
    """What is known of a table before any part is read.

    Parameters
    ----------
    is_categorical : ndarray of bool of shape (n_columns,)
        Categorical columns; the others are context.
    names : list of str
        Names of all columns, for messages; ``x0``, ``x1`` where they have none.
    parameters : dict
        Those of the estimator, by name.
    """

    is_categorical: BoolArray
    names: list[str]
    parameters: dict[str, Any]

    def names_where(self, mask: BoolArray) -> list[str]:
        """Return the names of some columns."""
        return [name for name, chosen in zip(self.names, mask, strict=True) if chosen]


def layout_of(
    columns: list[pd.Series], feature_names: NDArray[Any] | None, parameters: dict[str, Any]
) -> TableLayout:
    """Decide which columns are categorical, by their names and dtypes.

    Parameters
    ----------
    columns : list of Series
        Columns of the table, with any rows or none.
    feature_names : ndarray of shape (n_columns,) or None
        Names of the columns, or None where not all are strings.
    parameters : dict
        Those of the estimator, by name.
    """
    chosen = parameters["categorical_features"]
    is_categorical = categorical_mask(chosen, columns, feature_names)
    names = (
        [f"x{n}" for n in range(len(columns))] if feature_names is None else feature_names
    )
    return TableLayout(is_categorical, [str(name) for name in names], parameters)


@dataclass(frozen=True)
class Part:
    """A part of the table as arrays, before it is known what the other parts hold.

    Parameters
    ----------
    number : int
        Place of the part in the table, counted from 0.
    categories : iterable of SeenCategories
        Categories of each categorical column that the part holds.
    codes : ndarray of shape (n_used_rows, n_categorical_columns)
        Code of each value among the categories of its column in this part.
    numbers : ndarray of shape (n_used_rows, n_context_columns)
        Context columns as they were given, unscaled; missing numbers are NaN.
    target : GivenTarget
        Numbers or labels of the used rows.
    weight : ndarray of shape (n_used_rows,)
        Positive weight of each used row.
    row_numbers : ndarray of shape (n_used_rows,)
        Places of the used rows in the part.
    """

    number: int
    categories: Iterable[SeenCategories]
    codes: IntArray
    numbers: FloatArray
    target: GivenTarget
    weight: FloatArray
    row_numbers: IntArray


def read_part(
    number: int, frame: pd.DataFrame, y: Any, sample_weight: Any, layout: TableLayout
) -> Part:
    """Read a part of the table.

    Parameters
    ----------
    number : int
        Place of the part in the table, counted from 0.
    frame : DataFrame of shape (n_rows, n_columns)
        Rows of the part, of which there may be none.
    y : Series, DataFrame or ndarray of n_rows
        Numbers or labels; if it has an index, that of the frame.
    sample_weight : Series of n_rows, or None
        Weight of each row; None gives each a weight of 1.
    layout : TableLayout
        Names of the columns, and which of them are categorical.
    """
    with error_context(f"Partition {number}"):
        _require_same_rows(frame, y, "y")
        if sample_weight is not None:
            _require_same_rows(frame, sample_weight, "sample_weight")
        if not len(frame):
            columns = [column for _, column in frame.items()]
            return make_part(number, columns, as_target(y), np.ones(0), layout)
        weight = check_sample_weight(as_weights(sample_weight), y, may_be_zero=True)
        return make_part(number, as_columns(frame), as_target(y), weight, layout)


def make_part(
    number: int,
    columns: list[pd.Series],
    target: GivenTarget,
    weight: FloatArray,
    layout: TableLayout,
) -> Part:
    """Encode the rows of a part that have a positive weight, by categories of its own.

    Parameters
    ----------
    number : int
        Place of the part in the table.
    columns : list of Series of shape (n_rows,)
        All columns of the table.
    target : GivenTarget
        Numbers or labels of all rows.
    weight : ndarray of shape (n_rows,)
        Weights, some or all of which may be zero.
    layout : TableLayout
        Names of the columns, and which of them are categorical.
    """
    if len(weight):
        target = target._replace(values=used_values(target, weight))
    row_numbers = np.flatnonzero(weight > 0).astype(np.int32)
    if len(row_numbers) < len(weight):
        columns = [column.iloc[row_numbers] for column in columns]
    is_categorical, parameters = layout.is_categorical, layout.parameters
    chosen = [c for c, is_one in zip(columns, is_categorical, strict=True) if is_one]
    listed = listed_categories(parameters["categories"], is_categorical, layout.names)
    categories, codes = [], []
    names = layout.names_where(is_categorical)
    for column, name, given in zip(chosen, names, listed, strict=True):
        if given is None:
            vocabulary, of_column = learn_vocabulary(column, name)
        else:
            vocabulary, of_column = given_vocabulary(column, name, given)
            vocabulary.check(of_column, column, parameters["handle_unknown"], row_numbers)
        categories.append(SeenCategories(vocabulary, given is not None))
        codes.append(of_column)
    context = [c for c, is_one in zip(columns, is_categorical, strict=True) if not is_one]
    return Part(
        number,
        categories,
        np.column_stack(codes),
        read_numbers(context, layout.names_where(~is_categorical), len(row_numbers)),
        target,
        weight[row_numbers],
        row_numbers,
    )


def _require_same_rows(frame: pd.DataFrame, values: Any, name: str) -> None:
    """Raise ValueError if values have another length, or another index, than X."""
    if len(values) != len(frame):
        raise ValueError(
            f"{name} has {len(values)} rows, but X has {len(frame)}; take both from one "
            "frame."
        )
    index = getattr(values, "index", frame.index)
    if not index.equals(frame.index):
        differs = np.flatnonzero(index != frame.index)
        row = int(differs[0]) if len(differs) else 0
        raise ValueError(
            f"{name} has index {index[row]!r} in row {row}, but X has "
            f"{frame.index[row]!r}; take both from one frame, so that their rows are the "
            "same."
        )


class LearnedParts(NamedTuple):
    """Columns and target, as learned from all parts together.

    Parameters
    ----------
    columns : TableColumns
        Vocabularies and scales of the columns, from all parts together.
    target : Target
        Type, labels and scale of the target, without the values of any row.
    numbers : list of int
        Numbers of the parts that have used rows, rising.
    digests : dict of int to bytes
        Fingerprint of the rows of each part: see :func:`digest_of`.
    n_rows : int
        Number of used rows of all parts together.
    total_weight : float
        Sum of the weights of these rows.
    """

    columns: TableColumns
    target: Target
    numbers: list[int]
    digests: dict[int, bytes]
    n_rows: int
    total_weight: float

    @property
    def n_in_turn(self) -> int:
        """Number of rows that are learned one after the other: those of one part."""
        return -(-self.n_rows // len(self.numbers))


def learn_from_parts(parts: Parts, layout: TableLayout) -> LearnedParts:
    """Learn the columns and how to read the target."""
    is_label = layout.parameters["target_type"] in LABEL_TYPES
    seen_parts, weight, numbers, target, *categories = parts.sum_over(_see, is_label)
    used = {number: n_rows for number, n_rows, _ in sorted(seen_parts) if n_rows}
    if not used:
        raise ValueError(
            "There is no row to learn from: all partitions are empty, or sample_weight is "
            "zero in all rows."
        )
    n_rows = sum(used.values())
    is_categorical, parameters = layout.is_categorical, layout.parameters
    rare = parameters["min_frequency"], parameters["max_categories"]
    vocabularies = [seen.with_rare(n_rows, *rare) for seen in categories]
    if isinstance(parameters["categorical_features"], str):
        for vocabulary, seen in zip(vocabularies, categories, strict=True):
            if not seen.is_listed:
                warn_of_a_measurement(vocabulary)
    search = QuantileSearch(numbers.weight, QUARTILES)
    for step in range(search.n_steps if (~is_categorical).any() else 0):
        search.narrow(*parts.sum_over(_next_bits, search.begins, step))
    scaler = numbers.scaler(layout.names_where(~is_categorical), search.quantiles)
    columns = TableColumns(is_categorical, vocabularies, scaler)
    read = target.read(parameters["target_type"])
    warn_of_many_classes(read, n_rows, parameters["target_type"])
    if read.center is not None:
        center, scale = _center_and_scale(parts, target.size, weight)
        read = replace(read, center=center, scale=scale)
    digests = {number: digest for number, _, digest in seen_parts}
    return LearnedParts(columns, read, list(used), digests, n_rows, weight)


def _see(part: Part, is_label: bool) -> PartialSums:
    return (
        [(part.number, len(part.weight), digest_of(part))],
        float(part.weight.sum()),
        see_numbers(part.numbers, part.weight),
        see_target(part.target, is_label),
        *part.categories,
    )


def _next_bits(part: Part, begins: NDArray[np.uint64], step: int) -> PartialSums:
    return (next_bits(part.numbers, part.weight, begins, step),)


def _center_and_scale(
    parts: Parts, size: FloatArray, weight: float
) -> tuple[FloatArray, FloatArray]:
    """Return what numbers are standardised by, scaled to about one before they are."""
    size = np.where(size > 0, size, 1.0)
    (total,) = parts.sum_over(_moment, size, np.zeros(len(size)), 1)
    center = total / weight
    (squares,) = parts.sum_over(_moment, size, center, 2)
    deviation = np.sqrt(squares / weight)
    is_constant = deviation <= 1e-12
    return size * center, size * np.where(is_constant, 1 / size, deviation)


def _moment(part: Part, size: FloatArray, center: FloatArray, power: int) -> PartialSums:
    numbers = as_matrix(part.target.values).astype(np.float64)
    return (part.weight @ (numbers / size - center) ** power,)


def digest_of(part: Part) -> bytes:
    """Return a fingerprint of the rows of a part and of their order."""
    y = as_matrix(part.target.values)
    columns = [_hashes(np.ascontiguousarray(column)) for column in y.T]
    digest = hashlib.blake2b(digest_size=16)
    for array in (part.codes, part.numbers, part.weight, part.row_numbers, *columns):
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


def _hashes(column: NDArray[Any]) -> NDArray[Any]:
    """Return an array of numbers that are the same for the same values."""
    if column.dtype.kind in "biuf":
        return pd.util.hash_array(column)
    # Labels of any type by what they are written as, also strings that are no text.
    codes, labels = different_labels(column)
    written = [repr(label).encode("utf-8", "surrogatepass") for label in labels]
    digests = [hashlib.blake2b(label, digest_size=8).digest() for label in written]
    return np.array([int.from_bytes(d, "big") for d in digests], np.uint64)[codes]


class FoldsOfParts(NamedTuple):
    """How the rows of each part are spread over folds.

    Parameters
    ----------
    n_folds : int
        Number of folds; 0 where no fold is needed.
    seed : int
        Seed from which each part draws its own folds.
    """

    n_folds: int
    seed: int

    def of_rows(self, part: Part, is_label: bool) -> IntArray | None:
        """Return the test fold of each used row of a part."""
        if self.n_folds == 0:
            return None
        y = part.target.values
        labels = distinct(y, with_missing=True)[0] if is_label else np.zeros(len(y))
        seed = np.random.SeedSequence([self.seed, part.number]).generate_state(1)
        numbers = fold_numbers(self.n_folds, labels.astype(np.intp), int(seed[0]))
        # Folds of few rows differ by a row, the first being larger: parts begin with
        # different folds.
        return (numbers + part.number) % self.n_folds


def as_block(
    part: Part,
    learned: LearnedParts,
    folds: FoldsOfParts,
    dtype: np.dtype[Any],
    seed: int,
) -> Block:
    """Turn a part into a block of the engine.

    Parameters
    ----------
    part : Part
        Part that has at least one used row.
    learned : LearnedParts
        Columns and target, as learned from all parts.
    folds : FoldsOfParts
        Folds over which the part's rows are spread.
    dtype : dtype
        Type of the network's arithmetic, float32 or float64.
    seed : int
        Seed from which each part draws its halves.
    """
    target = learned.target
    with error_context(f"Partition {part.number}"):
        values = TargetReader(target).read(part.target, part.weight)
        require_room(part.weight, dtype)
    context = learned.columns.scaler.transform(part.numbers)
    rows = Rows(
        codes=table_rows_of(part, learned.columns),
        n_codes=learned.columns.n_codes,
        context=context.astype(dtype),
        targets=values.astype(dtype),
        weight=part.weight.astype(dtype),
    )
    fold_of_row = folds.of_rows(part, target.type in LABEL_TYPES)
    return make_block(part.number, rows, fold_of_row, folds.n_folds, seed)


def table_rows_of(part: Part, columns: TableColumns) -> IntArray:
    """Return the table row of each used row's category, in each categorical column."""
    rows = [
        seen.table_rows(vocabulary).take(codes).astype(np.int32)
        for seen, vocabulary, codes in zip(
            part.categories, columns.vocabularies, part.codes.T, strict=True
        )
    ]
    return np.column_stack(rows)
