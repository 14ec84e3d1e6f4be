"""What is kept between chunks: columns, target and model of a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from sk_embed._arrays import BoolArray, FloatArray, IntArray
from sk_embed._columns.growing import Coded, GrowingColumns
from sk_embed._columns.stream_target import StreamTarget
from sk_embed._columns.target import GivenTarget, Target
from sk_embed._engine.growing import GrowingArray
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.online_model import StreamModel
from sk_embed._engine.rows import Rows
from sk_embed._engine.stream_columns import StreamColumn
from sk_embed._engine.stream_settings import StreamStart
from sk_embed._fitted import FittedEncoding
from sk_embed._selection import kept_axes, output_unit
from sk_embed._settings import (
    LOSSES,
    checked_dtype,
    chunk_settings,
    stream_settings,
)
from sk_embed._sklearn_compat import single_blas_thread
from sk_embed._training_data import require_room


class Stream:
    """All that is kept between chunks, of which the fitted state is made when asked for.

    Parameters
    ----------
    columns : GrowingColumns
        Categories so far, and the scale of numbers.
    target : Target
        How targets are read; its values are not used.
    parameters : dict
        Those of the estimator, by name.
    """

    def __init__(
        self,
        columns: GrowingColumns,
        target: Target,
        parameters: dict[str, Any],
    ) -> None:
        self.columns, self.target = columns, target
        self.loss_curve: list[float] = []
        self.settings = stream_settings(parameters)
        random_state = check_random_state(parameters["random_state"])
        self._seed = int(random_state.randint(np.iinfo(np.int32).max))
        self._n_calls = 0
        self.model: StreamModel | None = None
        self._start: tuple[StreamStart, Trunk] | None = None
        self._encoding: FittedEncoding | None = None
        self._dtype = checked_dtype(parameters["dtype"])
        self._chooses_axes = False
        self.n_effects = 0
        self.n_components: list[int] = []
        self._place([len(vocabulary) + 1 for vocabulary in columns.vocabularies])

    def _place(self, n_codes: Sequence[int] | IntArray) -> None:
        """Give each category a row of the store.

        And one, behind those of each column, to what is not in a given vocabulary.
        """
        ends = np.cumsum(n_codes).astype(np.int32)
        self._others = ends - 1
        self._rows = [
            GrowingArray(np.arange(end - n, end - 1, dtype=np.int32))
            for end, n in zip(ends, n_codes, strict=True)
        ]
        self._n_known = int(ends[-1])

    def start_anew(self, n_components: Any, with_effects: bool) -> None:
        """Fix the width of the output."""
        self._n_components = n_components
        self._chooses_axes = not isinstance(n_components, Integral)
        width = self.settings.width if self._chooses_axes else int(n_components)
        self.n_effects = len(self.target.effect_names) if with_effects else 0
        self.n_components = [self.n_effects + width] * len(self._rows)

    def go_on_from(self, fitted: FittedEncoding, start: StreamStart) -> None:
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

    def learn(
        self,
        columns: list[pd.Series],
        y: GivenTarget,
        weight: FloatArray,
        parameters: dict[str, Any],
    ) -> None:
        """Learn a chunk; change nothing if it fails."""
        dtype_of_output = checked_dtype(parameters["dtype"])
        targets = StreamTarget(self.target).read(y, weight)
        row_numbers = np.flatnonzero(weight > 0)
        columns = [column.iloc[row_numbers] for column in columns]
        weight, dtype = weight[row_numbers], self.settings.dtype
        require_room(weight, dtype)
        coded = self.columns.encode(columns)
        context = self.columns.context(columns)
        codes, n_new = self._store_codes(coded)
        chunk = Rows(
            codes=codes,
            n_codes=np.zeros(codes.shape[1], dtype=np.intp),
            context=context.astype(dtype),
            targets=targets.astype(dtype),
            weight=weight.astype(dtype),
        )
        loss = self._learn_rows(chunk, n_new, parameters)
        self._grow(coded)
        self.loss_curve = [*self.loss_curve, loss]
        self._encoding, self._dtype = None, dtype_of_output

    def _learn_rows(self, chunk: Rows, n_new: int, parameters: dict[str, Any]) -> float:
        rng = np.random.default_rng([self._seed, self._n_calls])
        model = self._begun(chunk, rng) if self.model is None else self.model
        total = model.total_weight + float(chunk.weight.sum())
        settings = chunk_settings(parameters, len(chunk), total, model.n_steps)
        model.grow(n_new, rng)
        try:
            with single_blas_thread():
                loss = model.learn(chunk, settings, rng)
        except BaseException:
            model.cut(self._n_known)
            raise
        self.model, self._start = model, None
        self._n_calls += 1
        return loss

    def _begun(self, chunk: Rows, rng: np.random.Generator) -> StreamModel:
        """Return a model that has not learned yet, or goes on from a fit."""
        loss = LOSSES[self.target.type]()
        model = StreamModel(chunk, loss, self.settings, rng)
        if self._start is None:
            model.grow(self._n_known, rng)
        else:
            model.go_on_from(*self._start, chunk)
        return model

    def _store_codes(self, coded: list[Coded]) -> tuple[IntArray, int]:
        """Return the store row of each place of the chunk, and the number of new rows."""
        parts, n_new = [], 0
        for rows, other, of_column in zip(self._rows, self._others, coded, strict=True):
            more = len(of_column.new)
            first = self._n_known + n_new
            codes = of_column.codes
            is_known = (codes >= 0) & (codes < len(rows))
            store = np.where(codes < 0, other, codes - len(rows) + first).astype(np.int32)
            store[is_known] = rows.values[codes[is_known]]
            parts.append(store)
            n_new += more
        return np.column_stack(parts), n_new

    def _grow(self, coded: list[Coded]) -> None:
        """Take over the new categories of a chunk that was learned."""
        first = self._n_known
        for rows, vocabulary, of_column in zip(
            self._rows, self.columns.vocabularies, coded, strict=True
        ):
            end = first + len(of_column.new)
            vocabulary.grow(of_column.new)
            vocabulary.count(of_column.codes)
            rows.grow(len(of_column.new), np.arange(first, end, dtype=np.int32))
            first = end
        self._n_known = first

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
        learned, sensitivity = self._learned_model.columns(
            [rows.values for rows in self._rows]
        )
        unit = output_unit(sensitivity)
        n_axes = [width - self.n_effects for width in self.n_components]
        parts = list(zip(learned, n_axes, strict=True))
        return FittedEncoding(
            columns=self.columns.as_columns(),
            target=self.target,
            with_effects=self.n_effects > 0,
            tables=[self._table(column, n, unit) for column, n in parts],
            explained_variance_ratio=[
                column.explained_variance_ratio[:n] for column, n in parts
            ],
            reliability=[column.reliability[:n] for column, n in parts],
            unit=unit,
            trunk=self.trunk,
            loss_curve=self.loss_curve,
        )

    @property
    def _learned_model(self) -> StreamModel:
        assert self.model is not None  # noqa: S101 - a chunk was learned
        return self.model

    def _table(self, column: StreamColumn, n_axes: int, unit: float) -> FloatArray:
        effects = column.effects[:, : self.n_effects]
        vectors = column.vectors * self._kept(column, effects)
        table = np.concatenate([effects, vectors[:, :n_axes]], axis=1) / unit
        return np.pad(table, ((0, 1), (0, 0))).astype(self._dtype)

    def _kept(self, column: StreamColumn, effects: FloatArray) -> BoolArray:
        """Return which axes are not put at zero: all, if their number is given."""
        if not self._chooses_axes:
            return np.ones(column.vectors.shape[1], dtype=bool)
        said = np.column_stack([np.ones(len(effects)), effects])
        n_contrasts = column.n_categories - int(np.linalg.matrix_rank(said.T @ said))
        kept = kept_axes(self._n_components, column.share, column.reliability, n_contrasts)
        # A column without main effects keeps its best axis.
        kept[0] |= self.n_effects == 0
        return kept
