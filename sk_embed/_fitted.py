"""The fitted state: everything that rows are encoded by, and what is known of the fit.

There is one type for all ways of learning. ``fit`` makes it of the learned model, a stream
of its store, a file of its members; the estimator's attributes are views of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._columns.lookup import UNKNOWN
from sk_embed._columns.table import TableColumns
from sk_embed._columns.target import Target
from sk_embed._counts import count_name, log_counts
from sk_embed._cross_fitting import CrossFitted
from sk_embed._crosses import Cross, CrossTable, read_crosses
from sk_embed._decoding import decode
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.online.settings import InitialState
from sk_embed._names import NamePrior, fill_unknown
from sk_embed._output_names import column_names


class EncodingOrStream(Protocol):
    """What an estimator has learned: an encoding, or a stream that one is made of."""

    @property
    def target(self) -> Target:
        """How the target is read, without the values of any row."""

    @property
    def trunk(self) -> Trunk:
        """The network above the tables, from which ``warm_start`` goes on."""

    @property
    def loss_curve(self) -> list[float]:
        """Validation loss of each pass over the rows, or of each chunk."""

    @property
    def n_iter(self) -> int:
        """Number of passes, or chunks, that were learned."""

    @property
    def n_components(self) -> list[int]:
        """Number of output columns of each categorical column."""

    def encoding(self) -> FittedEncoding:
        """Return the fitted state, made now if it is not made yet."""


@dataclass(frozen=True, eq=False)
class ResumeState:
    """What ``partial_fit`` goes on from, beside the tables that are given out.

    The trunk's own tables are not kept: rows that are given out are taken back to its
    coordinates by a matrix, in which axes that are not given out count as zero.

    Parameters
    ----------
    to_trunk : list of ndarray of shape (width, trunk_width)
        Matrix of each column that takes rows of its table to the trunk's coordinates.
    alpha, curvature : ndarray of shape (n_groups, n_columns + n_crosses)
        Penalty of the effects of each column and cross, for each group of outputs that the
        loss ties, and the mean second derivative of the loss of a row of weight 1.
    total_weight : float
        Weight of all rows of fit.
    weights : list of (ndarray of shape (n_categories,) or None)
        Weight of each category's rows; None where it is their number.
    effects : list of (ndarray of shape (n_categories, n_outputs) or None)
        Main effects of each column; None where its table begins with them.
    """

    to_trunk: list[FloatArray]
    alpha: FloatArray
    curvature: FloatArray
    total_weight: float
    weights: list[FloatArray | None]
    effects: list[FloatArray | None]


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
        Type, labels and scale of the target, without the values of any row.
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
        Validation loss of each pass, or of each chunk.
    resume : ResumeState or None
        State that ``partial_fit`` goes on from; None where it cannot.
    crosses : list of CrossTable
        Pairs of columns that are encoded as columns of their own, behind all others.
    with_counts : bool
        Whether the counts of categories and of cells are put out behind all vectors.
    name_priors : list of (NamePrior or None)
        Prior means of unknown categories of each column, by name; None where names say
        nothing. Those of known categories are in the tables.
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
    resume: ResumeState | None = None
    crosses: list[CrossTable] = field(default_factory=list)
    with_counts: bool = False
    name_priors: list[NamePrior | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        cells = [cross.cells for cross in self.crosses]
        for vocabulary in (*self.columns.vocabularies, *cells):
            vocabulary.prepare()

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.__post_init__()

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
    def width(self) -> int:
        """Output columns of all categorical columns, crosses and counts."""
        return sum(self._widths)

    @property
    def _widths(self) -> list[int]:
        """Output columns of each column, of each cross, and of each count."""
        widths = [*self.n_components, *(cross.width for cross in self.crosses)]
        return widths + [1] * (len(widths) * self.with_counts)

    @property
    def n_iter(self) -> int:
        """Passes, or chunks, that were learned."""
        return len(self.loss_curve)

    @property
    def effect_names(self) -> list[str]:
        """Names of the main effects that the tables begin with."""
        return self.target.effect_names if self.with_effects else []

    # ------------------------------------------------------------ encoding

    def encode_codes(
        self,
        codes: Sequence[IntArray],
        columns: list[pd.Series],
        dtype: np.dtype[Any],
        cross_fitted: CrossFitted | None = None,
    ) -> FloatArray:
        """Put rows of all tables side by side.

        Parameters
        ----------
        codes : sequence of ndarray of shape (n_rows,)
            Code of each row's category, of each categorical column; -1, of an unknown one,
            reads the last row of the table, the origin, unless its name says more.
        columns : list of Series
            Columns of X, by which unknown categories are named.
        dtype : dtype
            Type of the floats of the output.
        cross_fitted : CrossFitted, optional
            Vectors that training rows get in place of those of the tables.

        Returns
        -------
        encoded : ndarray of shape (n_rows, width)
        """
        encoded = np.empty((len(codes[0]), self.width), dtype)
        blocks = self._blocks(encoded)
        n_columns, n_blocks = len(self.tables), len(self.tables) + len(self.crosses)
        of_columns, crosses = blocks[:n_columns], blocks[n_columns:n_blocks]
        for block, table, of_column in zip(of_columns, self.tables, codes, strict=True):
            block[:] = table.take(of_column, axis=0)
        self._fill_unknown(of_columns, codes, columns)
        if cross_fitted is not None:
            cross_fitted.overwrite_columns(of_columns)
        rows = self._table_rows(codes)
        cells = [cross.codes(rows) for cross in self.crosses]
        for cross, block, of_cross in zip(self.crosses, crosses, cells, strict=True):
            block[:, : cross.table.shape[1]] = cross.effects(of_cross, rows)
        if cross_fitted is not None:
            cross_fitted.overwrite_crosses(crosses, cells)
        for cross, block in zip(self.crosses, crosses, strict=True):
            cross.write_totals(of_columns, block)
        training_rows = None if cross_fitted is None else cross_fitted.places
        self._write_counts([*codes, *cells], training_rows, blocks[n_blocks:])
        return encoded

    def _write_counts(
        self,
        codes: Sequence[IntArray],
        training_rows: IntArray | None,
        blocks: Sequence[FloatArray],
    ) -> None:
        """Write the counts, if any are put out, of the codes of columns and crosses."""
        if not blocks:
            return
        known = [*self.columns.vocabularies, *(cross.cells for cross in self.crosses)]
        for block, vocabulary, of_block in zip(blocks, known, codes, strict=True):
            block[:, 0] = log_counts(vocabulary, of_block, training_rows)

    def _fill_unknown(
        self,
        blocks: list[FloatArray],
        codes: Sequence[IntArray],
        columns: list[pd.Series],
    ) -> None:
        """Write into the blocks of columns what names of unknown categories say."""
        if not any(prior is not None for prior in self.name_priors):
            return
        values = self.columns.categorical(columns)
        vocabularies = self.columns.vocabularies
        for prior, *of_column in zip(
            self.name_priors, blocks, codes, vocabularies, values, strict=True
        ):
            if prior is not None:
                fill_unknown(prior, *of_column)

    def _table_rows(self, codes: Sequence[IntArray]) -> list[IntArray]:
        """Return the row of its table that each column reads, if there are crosses."""
        if not self.crosses:
            return []
        vocabularies = self.columns.vocabularies
        return [v.rows_of(c) for v, c in zip(vocabularies, codes, strict=True)]

    def _blocks(self, encoded: FloatArray) -> list[FloatArray]:
        """Return the view of each column's, cross's and count's part of encoded rows."""
        widths = self._widths
        return [
            encoded[:, end - width : end]
            for end, width in zip(np.cumsum(widths), widths, strict=True)
        ]

    # ------------------------------------------------------------ names and tables

    def outputs(self, inputs: NDArray[Any], with_context: bool) -> list[tuple[Any, str]]:
        """Return what each output column belongs to, and its name, which may repeat.

        Parameters
        ----------
        inputs : ndarray of shape (n_columns,)
            Names of the columns of X.
        with_context : bool
            Whether the context columns are passed through.

        Returns
        -------
        outputs : list of tuple
            Name of the column of X, or the pair of names of a cross; then the name of the
            output column.
        """
        columns = self._block_names(inputs)
        outputs = [
            (name, output_name)
            for name, width in zip(columns, self.n_components, strict=True)
            for output_name in column_names(name, self.effect_names, width)
        ]
        pairs = [tuple(columns[j] for j in cross.pair) for cross in self.crosses]
        for pair, cross in zip(pairs, self.crosses, strict=True):
            names = cross.output_names(columns, self.target.effect_names)
            outputs += [(pair, name) for name in names]
        if self.with_counts:
            outputs += [(name, count_name(name)) for name in columns]
            crosses = zip(pairs, self.crosses, strict=True)
            outputs += [(pair, count_name(cross.name(columns))) for pair, cross in crosses]
        if with_context:
            context = inputs[~self.columns.is_categorical]
            outputs += [(name, str(name)) for name in context]
        return outputs

    def _block_names(self, inputs: NDArray[Any]) -> list[Any]:
        return list(inputs[self.columns.is_categorical])

    def to_frame(self, j: int, inputs: NDArray[Any]) -> pd.DataFrame:
        """Return the table of a categorical column, given its place among these."""
        name, table = self._block_names(inputs)[j], self.embeddings[j]
        categories = self.categories[j]
        return pd.DataFrame(
            table,
            index=pd.Index(categories, dtype=categories.dtype, name=name),
            columns=column_names(name, self.effect_names, table.shape[1]),
        ).assign(count=self.columns.vocabularies[j].counts)

    def cross_to_frame(self, pair: Any, inputs: NDArray[Any]) -> pd.DataFrame:
        """Return the table of a cross, given the names or indices of its columns."""
        is_categorical = self.columns.is_categorical
        for asked in read_crosses([pair], is_categorical, inputs).pairs:
            for cross in self.crosses:
                if cross.pair == asked:
                    return cross.to_frame(
                        self._block_names(inputs),
                        self.target.effect_names,
                        self.columns.vocabularies,
                        self.tables,
                    )
        kept = [(first, second) for first, second, _ in self.described_crosses(inputs)]
        raise ValueError(f"{pair!r} is not a cross of this encoder; it has {kept}.")

    def described_crosses(self, inputs: NDArray[Any]) -> list[Cross]:
        """Return the crosses by the names of their columns."""
        names = self._block_names(inputs)
        return [
            Cross(names[a], names[b], cross.explained_variance_ratio)
            for cross in self.crosses
            for a, b in [cross.pair]
        ]

    def column_number(self, feature: Any, inputs: NDArray[Any]) -> int:
        """Return the place of a categorical column among the categorical ones."""
        is_categorical = self.columns.is_categorical
        places: Sequence[int] = []
        if isinstance(feature, str):
            places = np.flatnonzero(inputs == feature).tolist()
        elif isinstance(feature, Integral) and not isinstance(feature, bool):
            places = [int(feature)]
        if len(places) == 1 and places[0] in np.flatnonzero(is_categorical):
            return int(is_categorical[: places[0]].sum())
        raise ValueError(
            f"{feature!r} is not a categorical column of this encoder; it has "
            f"{inputs[is_categorical].tolist()}."
        )

    def category_vector(
        self, feature: Any, category: Any, inputs: NDArray[Any]
    ) -> tuple[FloatArray, int]:
        """Return the vector of a category, and its row in the table of a column.

        The row of a category that is known by its name alone is -1.
        """
        j = self.column_number(feature, inputs)
        column = pd.Series([category], dtype=object)
        codes = self.columns.vocabularies[j].encode(column)
        row, vector = int(codes[0]), self.tables[j][codes]
        prior = self.name_priors[j] if self.name_priors else None
        is_named = prior is not None and not pd.isna(category) and prior.knows(category)
        if row == UNKNOWN and prior is not None and is_named:
            vector = prior.means(column.to_numpy())
        elif row == UNKNOWN:
            raise ValueError(
                f"{category!r} is not a category of column {feature!r}; its categories are "
                f"in encoder.to_frame({feature!r}).index."
            )
        return vector[0], row

    def decode(self, columns: list[pd.Series], with_origin: bool) -> list[pd.Series]:
        """Return the columns of X that the columns of encoded rows stand for.

        ``with_origin`` says whether a vector may stand for an unknown category.
        """
        n_encoded, n_columns = self.width, sum(self.n_components)
        columns = columns[:n_columns] + columns[n_encoded:]
        return decode(columns, self.embeddings, self.columns, with_origin)

    # ------------------------------------------------------------ going on

    def initial_state(self) -> InitialState | None:
        """Return what a stream goes on from, or None where that is not known."""
        if self.resume is None:
            return None
        origin, dtype = np.zeros(1), self.trunk.parameters.dtype
        vectors, effects, weights = [], [], []
        for j, vocabulary in enumerate(self.columns.vocabularies):
            of_rows = self.resume.weights[j]
            weight: NDArray[Any] = vocabulary.counts if of_rows is None else of_rows
            table, prior = self.tables[j], self.name_priors[j]
            if prior is not None:
                table = prior.taken_out(table, vocabulary, weight)
            vectors.append(table @ self.resume.to_trunk[j])
            of_column = self.resume.effects[j]
            if of_column is None:
                of_column = self.unit * table[:-1, : len(self.effect_names)]
            effects.append(np.pad(of_column, ((0, 1), (0, 0))))
            weights += [weight, origin]
        return InitialState(
            vectors=np.concatenate(vectors).astype(dtype),
            effects=np.concatenate(effects).astype(dtype),
            alpha=self.resume.alpha,
            curvature=self.resume.curvature,
            weight=np.concatenate(weights).astype(dtype),
            n_codes=np.array([len(table) for table in self.tables]),
            total_weight=self.resume.total_weight,
            **self._cells_of_stream(),
        )

    def _cells_of_stream(self) -> dict[str, Any]:
        """Return what a stream goes on from of the cells, one behind each cross's own."""
        n_outputs = self.trunk.n_outputs
        effects = [cross.table * self.unit for cross in self.crosses]
        weights = [np.append(cross.cells.counts, 0) for cross in self.crosses]
        return {
            "cell_effects": np.concatenate([np.empty((0, n_outputs)), *effects]),
            "cell_weight": np.concatenate([np.empty(0), *weights]),
            "n_cells": np.array([len(table) for table in effects], dtype=np.intp),
        }
