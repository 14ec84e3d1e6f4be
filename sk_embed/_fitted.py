"""The fitted state: everything that rows are encoded by, and what is known of the fit.

There is one type for all ways of learning. ``fit`` makes it of the learned model, a stream
of its store, a file of its members; the estimator's attributes are views of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._columns.table import TableColumns
from sk_embed._columns.target import Target
from sk_embed._columns.vocabulary import UNKNOWN
from sk_embed._decoding import decode
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.stream_settings import StreamStart
from sk_embed._output_names import column_names


@dataclass(frozen=True, eq=False)
class FittedEncoding:
    """A fitted encoder without its parameters.

    The output of a row is made of *blocks*, one for each table, side by side: a block holds
    the row of its table that the codes of the block say.

    Parameters
    ----------
    columns : TableColumns
        The columns of X, as learned in fit.
    target : Target
        How the target was read, without the values of any row.
    with_effects : bool
        Whether the tables begin with the main effects.
    tables : list of ndarray of shape (n_categories + 1, width)
        Vectors of each block in units of ``unit``; the last row is the origin, which
        unknown categories get.
    explained_variance_ratio, reliability : list of ndarray of shape (n_axes,)
        Figures of the interaction axes of each block.
    unit : float
        Change of the raw prediction that counts as 1 in the tables.
    trunk : Trunk
        The network above the tables, from which ``warm_start`` goes on.
    loss_curve : list of float
        Progressive loss of each pass, or of each chunk.
    start : StreamStart or None
        What ``partial_fit`` goes on from; None where it cannot.
    """

    columns: TableColumns
    target: Target
    with_effects: bool
    tables: list[FloatArray]
    explained_variance_ratio: list[FloatArray]
    reliability: list[FloatArray]
    unit: float
    trunk: Trunk
    loss_curve: list[float]
    start: StreamStart | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave what a stream goes on from, as large as the tables, out of pickles."""
        return {**vars(self), "start": None}

    def encoding(self) -> FittedEncoding:
        """Return the encoding itself: it is made already, as that of a stream is not."""
        return self

    # ------------------------------------------------------------ what was learned

    @property
    def categories(self) -> list[NDArray[Any]]:
        """Categories of each categorical column, in the order of the tables' rows."""
        return [vocabulary.categories for vocabulary in self.columns.vocabularies]

    @property
    def infrequent_categories(self) -> list[NDArray[Any] | None]:
        """Categories of each column that share a vector, None where none do."""
        return [v.infrequent_categories for v in self.columns.vocabularies]

    @property
    def embeddings(self) -> list[FloatArray]:
        """Tables without the origin: row i belongs to category i."""
        return [table[:-1] for table in self.tables]

    @property
    def n_components(self) -> list[int]:
        """Output columns of each block."""
        return [table.shape[1] for table in self.tables]

    @property
    def n_iter(self) -> int:
        """Passes, or chunks, that were learned."""
        return len(self.loss_curve)

    @property
    def effect_names(self) -> list[str]:
        """Names of the main effects that the tables begin with."""
        return self.target.effect_names if self.with_effects else []

    # ------------------------------------------------------------ encoding

    def encode(
        self, columns: list[pd.Series], handle_unknown: str, dtype: np.dtype[Any]
    ) -> FloatArray:
        """Look the vectors of rows up: shape (n_rows, sum of the blocks' widths)."""
        # An unknown category's code, -1, reads the last row: the origin.
        codes = self.columns.codes(columns, handle_unknown)
        return self.look_up(self.tables, codes, dtype)

    def look_up(
        self, tables: list[FloatArray], codes: Iterable[IntArray], dtype: np.dtype[Any]
    ) -> FloatArray:
        """Put rows of tables, those of the encoding or others like them, side by side.

        Parameters
        ----------
        tables : list of ndarray of shape (n_codes, width)
            Table of each block.
        codes : iterable of ndarray of shape (n_rows,)
            Row of the table that each row reads, for each block.
        dtype : dtype
            Floats of the output.
        """
        codes = list(codes)
        encoded = np.empty((len(codes[0]), sum(self.n_components)), dtype)
        for block, table, of_block in zip(self.blocks(encoded), tables, codes, strict=True):
            block[:] = table.take(of_block, axis=0)
        return encoded

    def blocks(self, encoded: FloatArray) -> list[FloatArray]:
        """Return the view of each block's columns in encoded rows."""
        ends = np.cumsum(self.n_components)
        return [
            encoded[:, end - width : end]
            for end, width in zip(ends, self.n_components, strict=True)
        ]

    # ------------------------------------------------------------ names and tables

    def output_names(self, inputs: NDArray[Any], with_context: bool) -> NDArray[Any]:
        """Return the names of the output columns, which may repeat.

        Parameters
        ----------
        inputs : ndarray of shape (n_columns,)
            Names of the columns of X.
        with_context : bool
            Whether the context columns are passed through.
        """
        blocks = zip(self._block_names(inputs), self.n_components, strict=True)
        names = [
            output_name
            for name, width in blocks
            for output_name in column_names(name, self.effect_names, width)
        ]
        if with_context:
            names += [str(name) for name in inputs[~self.columns.is_categorical]]
        return np.array(names, dtype=object)

    def _block_names(self, inputs: NDArray[Any]) -> list[Any]:
        return list(inputs[self.columns.is_categorical])

    def to_frame(self, number: int, inputs: NDArray[Any]) -> pd.DataFrame:
        """Return the table of a categorical column, given its place among these."""
        name, table = self._block_names(inputs)[number], self.embeddings[number]
        return pd.DataFrame(
            table,
            index=pd.Index(self.categories[number], name=name),
            columns=column_names(name, self.effect_names, table.shape[1]),
        ).assign(count=self.columns.vocabularies[number].counts)

    def column_number(self, feature: Any, inputs: NDArray[Any]) -> int:
        """Return the place of a categorical column among the categorical ones."""
        is_categorical = self.columns.is_categorical
        places = (
            np.flatnonzero(inputs == feature) if isinstance(feature, str) else [feature]
        )
        if len(places) == 1 and places[0] in np.flatnonzero(is_categorical):
            return int(is_categorical[: places[0]].sum())
        raise ValueError(
            f"{feature!r} is not a categorical column of this encoder; it has "
            f"{inputs[is_categorical].tolist()}."
        )

    def category_row(self, feature: Any, category: Any, inputs: NDArray[Any]) -> int:
        """Return the row of a category in the table of a column."""
        vocabulary = self.columns.vocabularies[self.column_number(feature, inputs)]
        row = int(vocabulary.encode(pd.Series([category], dtype=object))[0])
        if row == UNKNOWN:
            raise ValueError(
                f"{category!r} is not a category of column {feature!r}; its categories are "
                f"in encoder.to_frame({feature!r}).index."
            )
        return row

    def decode(self, columns: list[pd.Series], with_origin: bool) -> list[pd.Series]:
        """Return the columns of X that the columns of encoded rows stand for.

        ``with_origin`` says whether a vector may stand for an unknown category.
        """
        return decode(columns, self.embeddings, self.columns, with_origin)
