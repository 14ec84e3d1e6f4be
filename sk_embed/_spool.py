"""Rows of a table that does not fit into memory, kept in a temporary folder.

Each chunk of the table is read once, and lies in the folder as a :class:`Part`. When all
are there, the columns and the target are learned by sums over the parts, and the rows
become arrays in files, which the engine reads as if they were in memory.
"""

from __future__ import annotations

import math
import os
import pickle
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._columns.merging import SeenCategories, as_matrix
from sk_embed._columns.stream_target import TargetReader
from sk_embed._columns.target import Target, standardised_column
from sk_embed._engine.partitions import PartialSums, add_up
from sk_embed._engine.rows import Rows
from sk_embed._errors import error_context
from sk_embed._parts import (
    LearnedParts,
    Part,
    TableLayout,
    learn_from_parts,
    table_rows_of,
)
from sk_embed._settings import model_settings
from sk_embed._training_data import TrainingData, require_room, weight_of_each

# Bytes of arrays that are visited in any order at once. A machine of 4 GiB of memory, the
# smallest that is common, keeps a GiB of files in its page cache; beyond the cache each
# row of a random order would be a read of its own.
MAX_BYTES_IN_REACH = 2**30


def _require_folder(parent: Any) -> None:
    """Raise TypeError or FileNotFoundError if there can be no temporary folder in it."""
    if parent is None:
        return
    if not isinstance(parent, (str, os.PathLike)):
        raise TypeError(f"spool_dir must be a str or a path, but is {parent!r:.80}.")
    if not Path(parent).is_dir():
        raise FileNotFoundError(f"spool_dir={str(parent)!r} is no folder; make it first.")


class Spool:
    """Parts of a table in a temporary folder, which is removed at the end.

    Parameters
    ----------
    parent : str, path-like or None
        Folder that the temporary folder is made in; None takes the system's.
    """

    def __init__(self, parent: Any = None) -> None:
        _require_folder(parent)
        self._folder = Path(tempfile.mkdtemp(prefix="sk_embed-", dir=parent))
        # Also called if the spool is forgotten, or Python ends.
        self.close = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._used: list[int] = []
        self.first_rows = [0]

    @property
    def n_chunks(self) -> int:
        """Chunks that were added."""
        return len(self.first_rows) - 1

    def add(self, part: Part, n_rows: int) -> None:
        """Add the next chunk, which has ``n_rows`` rows, used or not."""
        self.first_rows.append(self.first_rows[-1] + n_rows)
        if len(part.weight):
            categories = self.put(f"{part.number}-categories", list(part.categories))
            stored = replace(part, categories=_StoredCategories(categories))
            self.put(f"{part.number}-part", stored)
            self._used.append(part.number)

    def put(self, name: str, value: Any) -> Path:
        """Write a value, and return its file."""
        path = self._folder / name
        with path.open("wb") as file:
            pickle.dump(value, file, protocol=5)
        return path

    def get(self, name: str) -> Any:
        """Read a value again."""
        return _unpickled(self._folder / name)

    def parts(self) -> Iterator[Part]:
        """Read the parts that have used rows, one at a time."""
        for number in self._used:
            yield self.get(f"{number}-part")

    def sum_over(
        self, function: Callable[..., PartialSums], *arguments: Any
    ) -> PartialSums:
        """Return the sum of ``function(part, *arguments)`` over the parts."""

        def of(numbers: Sequence[int]) -> PartialSums:
            # Sums of halves: few categories are merged with those of all parts before.
            if len(numbers) == 1:
                return function(self.get(f"{numbers[0]}-part"), *arguments)
            middle = len(numbers) // 2
            return add_up([of(numbers[:middle]), of(numbers[middle:])])

        return of(self._used)

    # ------------------------------------------------------------ from parts to rows

    def training_data(self, layout: TableLayout | None) -> TrainingData:
        """Learn columns and target, and write the rows as the engine wants them.

        The files of the parts are removed on the way.

        Raises
        ------
        ValueError
            If there are no rows, or the target or a parameter cannot be used.
        """
        if layout is None or not self._used:
            raise ValueError(
                "chunks holds no rows of positive weight; give at least one chunk of rows."
            )
        learned = learn_from_parts(self, layout)
        settings = model_settings(layout.parameters, learned.n_rows, learned.total_weight)
        weight = weight_of_each(self._collected(learned.n_rows, attrgetter("weight")))
        require_room(weight, settings.dtype)
        target = self._standardised(learned.target, weight, settings.dtype)
        arrays = self._write_rows(learned, target, settings.dtype)
        # Files that are mapped anew take memory only where they are read.
        codes, context, row_numbers = map(_mapped_anew, arrays)
        target = replace(target, values=_mapped_anew(target.values))
        rows = Rows(
            codes=codes,
            n_codes=learned.columns.n_codes,
            context=context,
            targets=target.values,
            weight=weight_of_each(weight.astype(settings.dtype)),
        )
        n_bytes = codes.nbytes + context.nbytes + target.values.nbytes
        return TrainingData(
            learned.columns,
            target,
            rows,
            row_numbers,
            holds_all_rows=len(rows) == self.first_rows[-1],
            n_in_reach=max(len(rows) * MAX_BYTES_IN_REACH // n_bytes, 1),
            stack=self.stacked,
        )

    def stacked(self, stretches: Iterable[IntArray], shape: tuple[int, int]) -> IntArray:
        """Put stretches of rows on top of each other in a file, which is then mapped."""
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
            for stretch in stretches:
                file.write(np.ascontiguousarray(stretch, np.int32).data)
        return np.asarray(np.memmap(file.name, np.int32, "r", shape=shape))

    def _standardised(
        self, like: Target, weight: FloatArray, dtype: np.dtype[Any]
    ) -> Target:
        """Return the target with an array of values, which labels do not have yet.

        Numbers are standardised a column at a time, by the means of all rows at once: a
        sum over parts is rounded otherwise.
        """
        values = self._array("targets", (len(weight), len(like.effect_names)), dtype)
        if like.center is None:
            return replace(like, values=values)
        center, scale = np.empty((2, values.shape[1]))
        for j in range(values.shape[1]):
            y = self._collected(len(weight), partial(_output, j=j))
            values[:, j], center[j], scale[j] = standardised_column(y, weight)
        return replace(like, values=values, center=center, scale=scale)

    def _write_rows(
        self, learned: LearnedParts, target: Target, dtype: np.dtype[Any]
    ) -> _Arrays:
        columns, n_rows = learned.columns, learned.n_rows
        n_codes, scaler = columns.n_codes, columns.scaler
        smallest = np.min_scalar_type(int(n_codes.max()) - 1)
        arrays = _Arrays(
            self._array("codes", (n_rows, len(n_codes)), smallest),
            self._array("context", (n_rows, scaler.n_outputs), dtype),
            self._array("row_numbers", (n_rows,), np.dtype(np.int32)),
        )
        end = 0
        for part in self.parts():
            start, end = end, end + len(part.weight)
            arrays.codes[start:end] = table_rows_of(part, columns)
            arrays.context[start:end] = scaler.transform(part.numbers)
            arrays.row_numbers[start:end] = part.row_numbers + self.first_rows[part.number]
            if target.center is None:
                with error_context(f"Chunk {part.number}"):
                    of_part = TargetReader(target).read(part.target, part.weight)
                target.values[start:end] = of_part
            (self._folder / f"{part.number}-part").unlink()
            (self._folder / f"{part.number}-categories").unlink()
        return arrays

    def _collected(self, n_rows: int, of_part: Callable[[Part], FloatArray]) -> FloatArray:
        """Return what each part gives for its rows, in one array of numbers."""
        collected, end = np.empty(n_rows), 0
        for part in self.parts():
            start, end = end, end + len(part.weight)
            collected[start:end] = of_part(part)
        return collected

    def _array(
        self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> NDArray[Any]:
        """Return an array of zeros in a file."""
        if 0 in shape:
            return np.zeros(shape, dtype)
        path = self._folder / name
        with path.open("wb") as file:
            if hasattr(os, "posix_fallocate"):
                # A full disk is an OSError here; a mapped page that finds no place on the
                # disk would end the process.
                os.posix_fallocate(file.fileno(), 0, math.prod(shape) * dtype.itemsize)
        return np.memmap(path, dtype, "r+", shape=shape)


class _Arrays(NamedTuple):
    """Arrays in files, of all used rows."""

    codes: NDArray[Any]
    context: NDArray[Any]
    row_numbers: NDArray[Any]


@dataclass(frozen=True)
class _StoredCategories:
    """Categories of a part's columns, which are read from their file where needed."""

    path: Path

    def __iter__(self) -> Iterator[SeenCategories]:
        yield from _unpickled(self.path)


def _mapped_anew(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that is in a file for reading alone, as a plain array.

    A memmap would make a memmap of each slice, which costs time.
    """
    if not isinstance(array, np.memmap):
        return array
    assert array.filename is not None  # noqa: S101 - it is in a file
    array.flush()
    anew = np.memmap(array.filename, array.dtype, "r", shape=array.shape)
    return np.asarray(anew)


def _output(part: Part, j: int) -> NDArray[Any]:
    """Return a column of a part's target."""
    column: NDArray[Any] = as_matrix(part.target.values)[:, j]
    return column


def _unpickled(path: Path) -> Any:
    with path.open("rb") as file:
        return pickle.load(file)  # noqa: S301 - written by this process
