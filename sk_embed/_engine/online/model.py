"""The whole model in a stream: what is kept of the rows so far, and what a chunk changes.

Each category of any column has one row in a *store* that grows at its end: its vector,
the state of the vector's optimiser, its weight, and the evidence on its main effect. A
chunk is learned in small tables of the categories that it holds, taken out of the store
and put back, so that the cost of a chunk is that of its rows.

*Honest vectors.* A chunk's rows are new: the vectors at its begin have not seen them. The
trunk passes over the chunk several times, as long as it has taken few steps, each time
from these same vectors, which the pass learns as it goes; those that the last pass ends
with are put back. So every row meets vectors that have not seen its target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.additive.online import StreamEffects, first_intercept
from sk_embed._engine.cells import ListedCells, Pair
from sk_embed._engine.column_vectors import ColumnVectors
from sk_embed._engine.crossed_effects import CrossEffects
from sk_embed._engine.losses import Loss
from sk_embed._engine.network.batches import RowOrder
from sk_embed._engine.network.optimizers import RowAdagrad
from sk_embed._engine.network.passes import TrunkLearner, look_up, run_pass
from sk_embed._engine.network.sensitivity import sensitivity
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.online.columns import Halves, stream_column
from sk_embed._engine.online.settings import (
    ACCUMULATOR,
    ChunkSettings,
    InitialState,
    StreamSettings,
)
from sk_embed._engine.online.tables import TableStore
from sk_embed._engine.rows import LocalRows, Rows, joined
from sk_embed._growing import GrowingArray

# Number of rows that stand for the stream where axes are found.
_RECENT_ROWS = 4_000


class StreamModel:
    """Everything that was learned from the rows so far.

    Parameters
    ----------
    first : Rows
        The first chunk, for the sizes of all.
    loss : Loss
        Loss of the network and of the additive model.
    settings : StreamSettings
        Sizes, rates and penalties that hold for all chunks.
    rng : Generator
        Source of the trunk's first weights.
    """

    def __init__(
        self, first: Rows, loss: Loss, settings: StreamSettings, rng: np.random.Generator
    ) -> None:
        self.loss, self.settings = loss, settings
        n_columns, n_context = first.codes.shape[1], first.context.shape[1]
        n_outputs = first.targets.shape[1]
        self.trunk = Trunk(
            n_columns * settings.width + n_context,
            settings.hidden_layer_sizes,
            n_outputs,
            settings.dtype,
        )
        self.trunk.initialize(rng, intercept=first_intercept(first, loss))
        self.effects = StreamEffects(
            loss,
            first,
            settings.alpha,
            settings.half_life,
            settings.n_crosses,
            settings.dtype,
        )
        self._store = TableStore.empty(settings.width, settings.dtype)
        width_of_halves = settings.width if settings.with_halves else 0
        self._halves = Halves(n_columns, width_of_halves, settings)
        self._weight = GrowingArray(np.zeros(0, settings.dtype))
        self._adam: tuple[FloatArray, FloatArray, int] | None = None
        self._recent = first.part(np.arange(0))
        self.total_weight = 0.0

    def resume(self, start: InitialState, trunk: Trunk, first: Rows) -> None:
        """Go on from a trunk, vectors and effects.

        Vectors step as far as the rows that they have seen would leave them to.

        Parameters
        ----------
        start : InitialState
            Vectors and effects of the categories, which are the first rows of the store.
        trunk : Trunk
            Trunk to go on from, of which a copy is made.
        first : Rows
            Rows by which the size of gradients is measured, with store rows as codes.
        """
        self.trunk = trunk.copy()
        self.effects.resume(*start.sums(self.loss))
        self._weight = GrowingArray(start.weight.astype(self.settings.dtype))
        self.total_weight = start.total_weight
        squares = self._squared_gradients(first, start.vectors)
        squares = np.repeat(squares, start.n_codes, axis=0)
        squares = ACCUMULATOR + squares * start.weight[:, None]
        self._store = TableStore(start.vectors, squares.astype(start.vectors.dtype))

    def _squared_gradients(self, chunk: Rows, vectors: FloatArray) -> FloatArray:
        """Return the mean square of a row's gradient, shape (n_columns, width)."""
        every = np.arange(len(chunk), dtype=np.int32)
        is_known = chunk.codes < len(vectors)
        table = np.append(vectors, np.zeros_like(vectors[:1]), 0)
        slots = np.where(is_known, chunk.codes, len(table) - 1)
        inputs = look_up(chunk, every, slots, table)
        raw_prediction, activations = self.trunk.forward(inputs)
        delta = self.loss.inverse_link(raw_prediction) - chunk.targets
        deltas = self.trunk.backward(activations, delta)
        shape = (len(chunk), chunk.codes.shape[1], table.shape[1])
        gradient = self.trunk.input_gradient(deltas, shape[1] * shape[2]).reshape(shape)
        return np.average(gradient**2, axis=0, weights=chunk.weight)

    def __len__(self) -> int:
        """Return the number of store rows."""
        return len(self._store)

    @property
    def n_steps(self) -> int:
        """Steps that the trunk has taken."""
        return 0 if self._adam is None else self._adam[2]

    def grow(self, n_rows: int, n_cells: int, rng: np.random.Generator) -> None:
        """Make room for further categories and cells.

        Vectors of categories start at the origin, or at random about it.
        """
        n_before = len(self._store)
        self._store.grow(n_rows)
        self._weight.grow(n_rows)
        self._halves.grow(n_rows)
        self.effects.grow(n_rows, n_cells)
        if self.settings.init_scale > 0:
            drawn = rng.normal(
                scale=self.settings.init_scale, size=(n_rows, self.settings.width)
            )
            self._store.vectors[n_before:] = drawn

    def cut(self, n_rows: int, n_cells: int) -> None:
        """Keep the first categories and cells: those that were not learned are the last."""
        for of_rows in (self._store, self._weight, self._halves):
            of_rows.cut(n_rows)
        self.effects.cut(n_rows, n_cells)

    def learn(
        self,
        chunk: Rows,
        cells: IntArray,
        settings: ChunkSettings,
        rng: np.random.Generator,
    ) -> float:
        """Learn a chunk, and return its progressive loss.

        Nothing is changed if anything fails.

        Parameters
        ----------
        chunk : Rows
            Its rows, with store rows as codes.
        cells : ndarray of shape (n_rows, n_crosses)
            Number of each row's cell of each cross.
        settings : ChunkSettings
            Batches, passes and weight decay for this chunk.
        rng : Generator
            Source of the orders of the rows.

        Raises
        ------
        ValueError
            If the network diverges.
        """
        local = chunk.with_local_codes()
        crossed = replace(chunk, codes=cells).with_local_codes()
        rows = local.rows.with_columns(crossed.rows.codes, crossed.rows.n_codes)
        update = self.effects.learn(rows, local.table_rows, crossed.table_rows)
        trunk, tables, loss, adam = self._passes(local, settings, rng)
        halves = self._halves.learned(local, trunk, self.loss, settings.batch_size, rng)
        # From here on nothing fails.
        self._halves.commit(halves, local)
        self.effects.commit(update)
        self._store.put(local.table_rows, tables)
        self._recent = _last_rows(self._recent, chunk)
        self.trunk, self._adam = trunk, adam
        self._weight.values[local.table_rows] += local.rows.weight_of_codes()
        self.total_weight += float(chunk.weight.sum())
        return loss

    def _passes(
        self,
        local: LocalRows,
        settings: ChunkSettings,
        rng: np.random.Generator,
    ) -> tuple[Trunk, RowAdagrad, float, tuple[FloatArray, FloatArray, int]]:
        """Pass over a chunk; return copies of what has learned, and the loss."""
        trunk, rows = self.trunk.copy(), local.rows
        learner = TrunkLearner(
            trunk,
            self.loss,
            self.settings.learning_rate,
            settings.weight_decay,
            rows.context.shape[1],
        )
        if self._adam is not None:
            learner.adam.load_state(self._adam)
        losses = []
        for _ in range(settings.n_passes):
            tables = self._tables(local)
            order = RowOrder(
                rows, rng.permutation(len(rows)).astype(np.int32), settings.batch_size
            )
            every = np.broadcast_to(True, (1, len(rows)))
            run_pass(rows, every, order, trunk, self.loss, tables, learner)
            losses.append(learner.pop_loss())
            if not np.isfinite(losses[-1]):
                raise ValueError(
                    "The network diverged; lower learning_rate_init (now "
                    f"{self.settings.learning_rate})."
                )
        return trunk, tables, losses[0], learner.adam.state

    def _tables(self, local: LocalRows) -> RowAdagrad:
        """Return the chunk's tables as the store has them."""
        left = 0.5 ** (local.rows.weight_of_codes() / self.settings.half_life)
        return self._store.take(local.table_rows, self.settings.table_learning_rate, left)

    # ---------------------------------------------------------------- giving out

    def columns(
        self, rows_of_columns: list[IntArray]
    ) -> tuple[list[ColumnVectors], FloatArray]:
        """Return the columns in canonical axes, given the store rows of their categories.

        And the sensitivity to each context column.
        """
        local = self._recent.with_local_codes()
        slopes = sensitivity(local.rows, self.trunk, self._store.vectors[local.table_rows])
        columns = []
        for j, rows in enumerate(rows_of_columns):
            weight = self._weight.values[rows].astype(np.float64)
            column = stream_column(
                self.effects.effects(rows, j),
                self._store.vectors[rows],
                weight,
                self._halves.of_column(rows, weight),
                slopes.metrics[j],
                self.settings.main_effects,
            )
            columns.append(column)
        return columns, slopes.context

    def crosses(
        self,
        pairs: Sequence[Pair],
        known: list[ListedCells],
        places: list[IntArray],
        columns: list[ColumnVectors],
    ) -> list[CrossEffects]:
        """Return the effects of the crosses, beyond those of the columns.

        Parameters
        ----------
        pairs : sequence of tuple of int
            Numbers of two columns each.
        known : list of ListedCells
            Cells of each cross, and the number of rows of each.
        places : list of ndarray of shape (n_cells,)
            Place of each cell among those of the stream.
        columns : list of ColumnVectors
            Columns as they are given out.
        """
        effects = [self.effects.cell_effects(of, k) for k, of in enumerate(places)]
        moments = [
            float(cells.n_rows @ (of_cells**2).sum(axis=1))
            for of_cells, cells in zip(effects, known, strict=True)
        ]
        total = sum(moments) + sum(
            float(column.weight @ (column.effects**2).sum(axis=1)) for column in columns
        )
        return [
            CrossEffects(
                pair,
                cells,
                np.pad(of_cells, ((0, 1), (0, 0))),
                np.empty((0, len(of_cells) + 1, of_cells.shape[1])),
                np.append(cells.n_rows, 0.0)[None],
                np.append(cells.n_rows, 0.0),
                moment / (total or 1.0),
                float("nan"),
                np.full(of_cells.shape[1], np.nan),
            )
            for pair, cells, of_cells, moment in zip(
                pairs, known, effects, moments, strict=True
            )
        ]


def _last_rows(before: Rows, chunk: Rows) -> Rows:
    """Return the last rows of the stream, a chunk behind those before."""
    last = np.arange(max(len(chunk) - _RECENT_ROWS, 0), len(chunk))
    rows = joined([before, chunk.part(last)], chunk.n_codes)
    return rows.part(np.arange(max(len(rows) - _RECENT_ROWS, 0), len(rows)))
