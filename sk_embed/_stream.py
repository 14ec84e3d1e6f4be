"""What is kept between chunks: columns, target and model of a stream."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from sk_embed._arrays import BoolArray, FloatArray, IntArray
from sk_embed._columns.growing import GrowingColumns
from sk_embed._columns.stream_target import TargetReader
from sk_embed._columns.target import GivenTarget, Target
from sk_embed._engine.column_vectors import ColumnVectors
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.online.model import StreamModel
from sk_embed._engine.online.settings import InitialState
from sk_embed._engine.rows import Rows
from sk_embed._fitted import FittedEncoding
from sk_embed._output_tables import axes_put_out
from sk_embed._selection import output_unit
from sk_embed._settings import (
    LOSSES,
    checked_dtype,
    chunk_settings,
    stream_settings,
)
from sk_embed._sklearn_compat import single_blas_thread
from sk_embed._stream_crosses import StreamCrosses
from sk_embed._stream_rows import StoreRows
from sk_embed._training_data import require_room


class Stream:
    """Everything that is kept between chunks; the fitted state is made of it when needed.

    Parameters
    ----------
    columns : GrowingColumns
        Categories so far, and the scale of numbers.
    target : Target
        Type, labels and scale of the target; its values are not used.
    crosses : StreamCrosses
        Pairs of columns that are learned as columns of their own.
    parameters : dict
        Those of the estimator, by name.
    """

    def __init__(
        self,
        columns: GrowingColumns,
        target: Target,
        crosses: StreamCrosses,
        parameters: dict[str, Any],
    ) -> None:
        self.columns, self.target, self.crosses = columns, target, crosses
        self.loss_curve: list[float] = []
        self.settings = stream_settings(parameters, len(crosses.pairs))
        random_state = check_random_state(parameters["random_state"])
        self._seed = int(random_state.randint(np.iinfo(np.int32).max))
        self._n_calls = 0
        self.model: StreamModel | None = None
        self._start: tuple[InitialState, Trunk] | None = None
        self._encoding: FittedEncoding | None = None
        self._dtype = checked_dtype(parameters["dtype"])
        self._chooses_axes = False
        self.n_effects, self.with_counts = 0, False
        self.n_components: list[int] = []
        self._rows = StoreRows(columns.vocabularies)

    def start_anew(self, n_components: Any, with_effects: bool, with_counts: bool) -> None:
        """Fix what is put out."""
        self._n_components = n_components
        self._chooses_axes = not isinstance(n_components, Integral)
        width = self.settings.width if self._chooses_axes else int(n_components)
        self.n_effects = len(self.target.effect_names) if with_effects else 0
        self.with_counts = with_counts
        self.n_components = [self.n_effects + width] * len(self.columns.vocabularies)

    def resume(self, fitted: FittedEncoding, start: InitialState) -> None:
        """Go on from a fit, in its widths; its categories are the store's first rows."""
        trunk = fitted.trunk
        self._start = start, trunk
        self.loss_curve = list(fitted.loss_curve)
        self.settings = replace(
            self.settings,
            width=start.vectors.shape[1],
            hidden_layer_sizes=trunk.hidden_layer_sizes,
            with_halves=False,
            dtype=trunk.parameters.dtype,
        )
        self.n_components, self.n_effects = fitted.n_components, len(fitted.effect_names)
        self.with_counts = fitted.with_counts

    def learn(
        self,
        columns: list[pd.Series],
        y: GivenTarget,
        weight: FloatArray,
        parameters: dict[str, Any],
    ) -> None:
        """Learn a chunk; change nothing if it fails."""
        dtype_of_output = checked_dtype(parameters["dtype"])
        targets = TargetReader(self.target).read(y, weight)
        row_numbers = np.flatnonzero(weight > 0)
        columns = [column.iloc[row_numbers] for column in columns]
        weight, dtype = weight[row_numbers], self.settings.dtype
        require_room(weight, dtype)
        coded = self.columns.encode(columns)
        context = self.columns.context(columns)
        codes, n_new = self._rows.find(coded, len(weight))
        coded_cells = self.crosses.encode(coded)
        cells, n_new_cells = self.crosses.rows.find(coded_cells, len(weight))
        chunk = Rows(
            codes=codes,
            n_codes=np.zeros(codes.shape[1], dtype=np.intp),
            context=context.astype(dtype),
            targets=targets.astype(dtype),
            weight=weight.astype(dtype),
        )
        loss = self._learn_rows(chunk, cells, (n_new, n_new_cells), parameters)
        self._rows.grow(coded)
        self.crosses.rows.grow(coded_cells)
        self.loss_curve = [*self.loss_curve, loss]
        self._encoding, self._dtype = None, dtype_of_output

    def _learn_rows(
        self,
        chunk: Rows,
        cells: IntArray,
        n_new: tuple[int, int],
        parameters: dict[str, Any],
    ) -> float:
        rng = np.random.default_rng([self._seed, self._n_calls])
        model = self._begun(chunk, rng) if self.model is None else self.model
        total = model.total_weight + float(chunk.weight.sum())
        settings = chunk_settings(parameters, len(chunk), total, model.n_steps)
        model.grow(*n_new, rng)
        try:
            with single_blas_thread():
                loss = model.learn(chunk, cells, settings, rng)
        except BaseException:
            model.cut(self._rows.n_known, self.crosses.rows.n_known)
            raise
        self.model, self._start = model, None
        self._n_calls += 1
        return loss

    def _begun(self, chunk: Rows, rng: np.random.Generator) -> StreamModel:
        """Return a model that has not learned yet, or goes on from a fit."""
        loss = LOSSES[self.target.type]()
        model = StreamModel(chunk, loss, self.settings, rng)
        if self._start is None:
            model.grow(self._rows.n_known, self.crosses.rows.n_known, rng)
        else:
            model.resume(*self._start, chunk)
        return model

    # ------------------------------------------------------------ the fitted state

    @property
    def trunk(self) -> Trunk:
        """The network above the vectors."""
        return self._learned_model.trunk

    @property
    def n_iter(self) -> int:
        """Passes and chunks that were learned."""
        return len(self.loss_curve)

    def encoding(self) -> FittedEncoding:
        """Return the fitted state, made anew where a chunk was learned since."""
        if self._encoding is None:
            self._encoding = self._make_encoding()
        return self._encoding

    def _make_encoding(self) -> FittedEncoding:
        model, rows = self._learned_model, self._rows.of_categories
        learned, sensitivity = model.columns(rows)
        unit = output_unit(sensitivity)
        n_axes = [width - self.n_effects for width in self.n_components]
        parts = list(zip(learned, n_axes, strict=True))
        columns = self.columns.as_columns()
        tables = [self._table(column, n, unit) for column, n in parts]
        return FittedEncoding(
            columns=columns,
            target=self.target,
            with_effects=self.n_effects > 0,
            tables=tables,
            explained_variance_ratio=[
                column.explained_variance_ratio[:n] for column, n in parts
            ],
            reliability=[column.reliability[:n] for column, n in parts],
            unit=unit,
            trunk=self.trunk,
            loss_curve=self.loss_curve,
            crosses=self.crosses.tables(
                model, learned, columns.vocabularies, self.n_effects, unit, self._dtype
            ),
            with_counts=self.with_counts,
        )

    @property
    def _learned_model(self) -> StreamModel:
        assert self.model is not None  # noqa: S101 - a chunk was learned
        return self.model

    def _table(self, column: ColumnVectors, n_axes: int, unit: float) -> FloatArray:
        effects = column.effects[:, : self.n_effects]
        vectors = column.vectors * self._kept(column, effects)
        table = np.concatenate([effects, vectors[:, :n_axes]], axis=1) / unit
        return np.pad(table, ((0, 1), (0, 0))).astype(self._dtype)

    def _kept(self, column: ColumnVectors, effects: FloatArray) -> BoolArray:
        """Return which axes are not put at zero: all, if their number is given."""
        if not self._chooses_axes:
            return np.ones(column.vectors.shape[1], dtype=bool)
        return axes_put_out(column, effects, self._n_components)
