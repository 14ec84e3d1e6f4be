"""Crosses of a stream: pairs of its columns, to whose cells each chunk may add."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sk_embed._arrays import BoolArray
from sk_embed._columns.growing import Coded, GrowingVocabulary
from sk_embed._columns.vocabulary import Vocabulary
from sk_embed._crosses import CrossTable, cross_table
from sk_embed._engine.cells import ListedCells, Pair, keys_of
from sk_embed._engine.column_vectors import ColumnVectors
from sk_embed._engine.crossed_effects import choose_pairs, fit_effects
from sk_embed._engine.losses import Loss
from sk_embed._engine.online.model import StreamModel
from sk_embed._engine.rows import Rows
from sk_embed._engine.sources import InMemory
from sk_embed._engine.tasks import map_in_turn
from sk_embed._stream_rows import StoreRows

# In place of the key of a cell of which a category is not listed.
_UNLISTED = -1


class StreamCrosses:
    """Pairs of columns of a stream, and their cells so far.

    Parameters
    ----------
    pairs : sequence of tuple of int
        Numbers of two columns each.
    cells : sequence of Vocabulary
        Cells of each pair that are known at first.
    """

    def __init__(self, pairs: Sequence[Pair], cells: Sequence[Vocabulary]) -> None:
        self.pairs = tuple(pairs)
        self.vocabularies = [GrowingVocabulary(of_pair, False) for of_pair in cells]
        self.rows = StoreRows(self.vocabularies)

    def encode(self, coded: Sequence[Coded]) -> list[Coded]:
        """Encode the cells of a chunk, given its columns; nothing is changed yet."""
        codes = [of_column.codes.astype(np.int64) for of_column in coded]
        encoded = []
        for (a, b), vocabulary in zip(self.pairs, self.vocabularies, strict=True):
            is_listed = (codes[a] >= 0) & (codes[b] >= 0)
            keys = np.where(is_listed, keys_of(codes[a], codes[b]), _UNLISTED)
            encoded.append(vocabulary.encode(pd.Series(keys)))
        return encoded

    def tables(
        self,
        model: StreamModel,
        columns: list[ColumnVectors],
        vocabularies: Sequence[Vocabulary],
        n_totals: int,
        unit: float,
        dtype: np.dtype[Any],
    ) -> list[CrossTable]:
        """Return the table of each cross.

        Parameters
        ----------
        model : StreamModel
            Model that has learned all chunks so far.
        columns : list of ColumnVectors
            Columns as they are given out.
        vocabularies : sequence of Vocabulary
            Categories of each categorical column so far.
        n_totals : int
            Number of main effects that the tables begin with.
        unit : float
            Change of the raw prediction that counts as 1.
        dtype : dtype
            Type of the tables' floats.
        """
        known, places = [], []
        for vocabulary, rows in zip(
            self.vocabularies, self.rows.of_categories, strict=True
        ):
            cells = vocabulary.as_vocabulary()
            listed = np.flatnonzero(cells.categories >= 0)
            known.append(ListedCells(cells.categories[listed], cells.counts[listed]))
            places.append(rows[listed])
        crosses = model.crosses(self.pairs, known, places, columns)
        return [
            cross_table(
                cross, (cross.effects / unit).astype(dtype), unit, vocabularies, n_totals
            )
            for cross in crosses
        ]


def no_cells(pairs: Sequence[Pair]) -> list[Vocabulary]:
    """Return the cells of pairs of which no row is known yet."""
    none = np.empty(0, dtype=np.int64)
    return [Vocabulary("", none, none.astype(np.intp), none.astype(bool)) for _ in pairs]


def pairs_of_first_chunk(
    rows: Rows, loss: Loss, alpha: float | None, is_training: BoolArray
) -> tuple[Pair, ...]:
    """Choose the pairs of columns whose cells have effects of their own, by one chunk.

    Parameters
    ----------
    rows : Rows
        Rows of the first chunk.
    loss : Loss
        Loss of the additive model.
    alpha : float or None
        Penalty of every column, or None to estimate one for each.
    is_training : ndarray of bool of shape (n_folds, n_rows)
        Rows that each fold's effects are learned from.
    """
    source = InMemory(rows, is_training)
    source.draw(np.random.default_rng(0), 0)
    effects = fit_effects(source, loss, alpha, None, source.n_folds, map_in_turn)
    return tuple(choose_pairs(source, loss, effects).pairs)
