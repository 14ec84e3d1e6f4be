"""The whole model in a stream: what is kept of the rows so far, and what a chunk changes.

Each category of any column has one row in a *store* that grows at its end: its vector,
the state of the vector's optimiser, its weight, and the evidence on its main effect. A
chunk is learned in small tables of the categories that it holds, taken out of the store
and put back, so that the cost of a chunk is that of its rows.

*Honest vectors.* A chunk's rows are new: the vectors at its begin have not seen them. The
trunk passes over the chunk several times, as long as it has taken few steps, each time
from these same vectors, which the pass learns as it goes; those that the last pass ends
with are put back. So every row meets vectors that have not seen its target.

A chunk of 32 or more different rows that comes again meets vectors that have seen it,
from which the trunk must not learn: only the vectors do, under a frozen trunk.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.axes import (
    Axes,
    alignment_signs,
    canonical_axes,
    effect_slopes,
    sample_categories,
    sensitivity,
    split_half_reliability,
)
from sk_embed._engine.batches import RowOrder
from sk_embed._engine.growing import GrowingArray
from sk_embed._engine.losses import Loss
from sk_embed._engine.network import Trunk
from sk_embed._engine.optimizers import RowAdagrad
from sk_embed._engine.rows import Rows
from sk_embed._engine.stream_effects import StreamEffects, first_intercept
from sk_embed._engine.training import TrunkLearner, leave_frozen, look_up, run_pass

# Rows that stand for the stream where axes are found.
_RECENT_ROWS = 4_000
# A chunk is known again if among its first rows there are so many different ones: in the
# same order they do not come by chance.
_ASKED_ROWS = 256
_MIN_DIFFERENT_ROWS = 32
# Where the sum of squared gradients of a vector starts, and falls back to.
_ACCUMULATOR = 1.0


@dataclass(frozen=True)
class StreamSettings:
    """What is chosen before the first chunk.

    Parameters
    ----------
    width : int
        Length of the interaction vectors.
    hidden_layer_sizes : tuple of int
        Of the trunk.
    table_learning_rate, learning_rate : float
        Adagrad's, for vectors; Adam's, for the trunk.
    alpha : float or None
        Penalty of main effects; None estimates one for each column.
    init_scale : float
        Standard deviation of a vector's random start.
    half_life : float
        Rows of a category after which what they said counts a half.
    less_effects : bool
        Whether what the main effects say is taken out of the vectors.
    with_halves : bool
        Whether two halves of the rows learn vectors of their own, for reliability.
    dtype : dtype
        Of the network's arithmetic.
    """

    width: int
    hidden_layer_sizes: tuple[int, ...]
    table_learning_rate: float
    learning_rate: float
    alpha: float | None
    init_scale: float
    half_life: float
    less_effects: bool
    with_halves: bool
    dtype: np.dtype


class ChunkSettings(NamedTuple):
    """What is chosen for one chunk.

    Parameters
    ----------
    batch_size : int
        Rows of a batch.
    n_passes : int
        Of the trunk over the chunk.
    weight_decay : float
        Of the trunk's weights.
    """

    batch_size: int
    n_passes: int
    weight_decay: float


@dataclass(frozen=True)
class StreamStart:
    """What a stream goes on from, where all was learned in memory before.

    Parameters
    ----------
    vectors : ndarray of shape (sum(n_codes), width)
        In the trunk's coordinates.
    effects : ndarray of shape (sum(n_codes), n_outputs)
        Main effects.
    alpha, noise_ratio : ndarray of shape (n_groups, n_columns)
        Penalty of each column, for each group of outputs that the loss ties; and the rows
        of a category that weigh as much.
    weight : ndarray of shape (sum(n_codes),)
        Of each category's rows.
    n_codes : ndarray of shape (n_columns,)
        Codes of each column; the last stands for what is not in a given vocabulary.
    """

    vectors: FloatArray
    effects: FloatArray
    alpha: FloatArray
    noise_ratio: FloatArray
    weight: FloatArray
    n_codes: IntArray

    def by_output(self, of_groups: FloatArray, loss: Loss) -> FloatArray:
        """Return what each group has, for its outputs: shape (n_columns, n_outputs)."""
        n_outputs = self.effects.shape[1]
        groups = zip(loss.joint_outputs(n_outputs), of_groups, strict=True)
        result = np.empty((len(self.n_codes), n_outputs))
        for outputs, of_group in groups:
            result[:, outputs] = of_group[:, None]
        return result


class StreamColumn(NamedTuple):
    """A column as it is given out.

    Parameters
    ----------
    effects : ndarray of shape (n_categories, n_outputs)
        Main effects.
    vectors : ndarray of shape (n_categories, width)
        In canonical axes; zero on those that there are too few categories for.
    explained_variance_ratio : ndarray of shape (width,)
        Share of the vectors' second moment on each axis.
    share : ndarray of shape (width,)
        The same of effects and vectors together.
    reliability : ndarray of shape (width,)
        Agreement of two halves of the rows on each axis; NaN if none are learned.
    n_categories : int
        Those that have rows.
    """

    effects: FloatArray
    vectors: FloatArray
    explained_variance_ratio: FloatArray
    share: FloatArray
    reliability: FloatArray
    n_categories: int


class _Local(NamedTuple):
    """A chunk with codes of its own, and the store row of each."""

    rows: Rows
    touched: IntArray


class StreamModel:
    """Everything that was learned from the rows so far.

    Parameters
    ----------
    first : Rows
        The first chunk, for the sizes of all.
    loss : Loss
        What is minimised.
    settings : StreamSettings
        How.
    rng : Generator
        For the trunk's weights.
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
            loss, n_columns, n_context, n_outputs, settings.alpha, settings.half_life
        )
        empty = np.zeros((0, settings.width), settings.dtype)
        self._vectors, self._accumulator = GrowingArray(empty), GrowingArray(empty)
        self._halves = _Halves(settings.width if settings.with_halves else 0, settings)
        self._weight = GrowingArray(np.zeros(0))
        self._adam: tuple[FloatArray, FloatArray, int] | None = None
        self._recent = first.part(np.arange(0))
        self._times_learned: dict[bytes, int] = {}
        self.total_weight = 0.0

    def go_on_from(self, start: StreamStart, trunk: Trunk, first: Rows) -> None:
        """Go on from a trunk, vectors and effects.

        Vectors step as far as the rows that they have seen would leave them to.

        Parameters
        ----------
        start : StreamStart
            Of the categories, which are the first rows of the store.
        trunk : Trunk
            Copied.
        first : Rows
            Rows that the size of gradients is told from, with store rows as codes.
        """
        self.trunk = _copy(trunk)
        alpha = start.by_output(start.alpha, self.loss)
        of_row = start.by_output(start.alpha / start.noise_ratio, self.loss)
        curvature = np.repeat(of_row, start.n_codes, axis=0) * start.weight[:, None]
        evidence = start.effects * (curvature + np.repeat(alpha, start.n_codes, axis=0))
        self.effects.go_on_from(evidence, curvature, alpha)
        self._vectors = GrowingArray(start.vectors)
        self._weight = GrowingArray(start.weight.astype(np.float64))
        self.total_weight = float(start.weight.sum()) / len(start.n_codes)
        squares = np.repeat(self._squared_gradients(first), start.n_codes, axis=0)
        squares = _ACCUMULATOR + squares * start.weight[:, None]
        self._accumulator = GrowingArray(squares.astype(start.vectors.dtype))

    def _squared_gradients(self, chunk: Rows) -> FloatArray:
        """Return the mean square of a row's gradient, shape (n_columns, width)."""
        every = np.arange(len(chunk), dtype=np.int32)
        is_known = chunk.codes < len(self._vectors)
        table = np.append(self._vectors.values, np.zeros_like(self._vectors.values[:1]), 0)
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
        return len(self._vectors)

    @property
    def n_steps(self) -> int:
        """Steps that the trunk has taken."""
        return 0 if self._adam is None else self._adam[2]

    def grow(self, n_rows: int, rng: np.random.Generator) -> None:
        """Make room for so many more categories.

        Their vectors start at the origin, or at random about it.
        """
        n_before = len(self._vectors)
        self._vectors.grow(n_rows)
        self._accumulator.grow(n_rows, _ACCUMULATOR)
        self._weight.grow(n_rows)
        self._halves.grow(n_rows)
        self.effects.grow(n_rows)
        if self.settings.init_scale > 0:
            drawn = rng.normal(
                scale=self.settings.init_scale, size=(n_rows, self.settings.width)
            )
            self._vectors.values[n_before:] = drawn

    def cut(self, n_rows: int) -> None:
        """Keep so many categories alone: those that failed to be learned are the last."""
        parts = (self._vectors, self._accumulator, self._weight, self._halves, self.effects)
        for array in parts:
            array.cut(n_rows)

    def learn(
        self, chunk: Rows, settings: ChunkSettings, rng: np.random.Generator
    ) -> tuple[float, bool]:
        """Learn a chunk; return its progressive loss, and whether it came before.

        Nothing is changed if anything fails.

        Parameters
        ----------
        chunk : Rows
            Its rows, with store rows as codes.
        settings : ChunkSettings
            How.
        rng : Generator
            For the order of the rows.

        Raises
        ------
        ValueError
            If the network diverges.
        """
        fingerprint = _fingerprint(chunk)
        n_before = 0 if fingerprint is None else self._times_learned.get(fingerprint, 0)
        is_repeated = n_before > 0
        local = _local(chunk)
        update = self.effects.learn(local.rows, local.touched, n_before)
        trunk, tables, loss, adam = self._passes(local, settings, rng, is_repeated)
        halves = self._halves.learned(local, trunk, self.loss, settings.batch_size, rng)
        # From here on nothing fails.
        self._halves.commit(halves, local.touched)
        self.effects.commit(update)
        self._vectors.values[local.touched] = tables.table
        self._accumulator.values[local.touched] = tables.accumulator
        self._recent = _last(self._recent, chunk)
        self.trunk = trunk
        if fingerprint is not None:
            self._times_learned[fingerprint] = n_before + 1
        if not is_repeated:
            self._adam = adam
            self._weight.values[local.touched] += _weight_of_codes(local.rows)
            self.total_weight += float(chunk.weight.sum())
        return loss, is_repeated

    def _passes(
        self,
        local: _Local,
        settings: ChunkSettings,
        rng: np.random.Generator,
        is_repeated: bool,
    ) -> tuple[Trunk, RowAdagrad, float, tuple[FloatArray, FloatArray, int]]:
        """Pass over a chunk; return copies of what has learned, and the loss."""
        trunk, rows = _copy(self.trunk), local.rows
        rate = 0.0 if is_repeated else self.settings.learning_rate
        learner = TrunkLearner(trunk, self.loss, rate, settings.weight_decay)
        if self._adam is not None:
            learner.adam.go_on_from(self._adam)
        losses = []
        for _ in range(1 if is_repeated else settings.n_passes):
            tables = self._tables(local, fades=not is_repeated)
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

    def _tables(self, local: _Local, fades: bool) -> RowAdagrad:
        """Return the chunk's tables as the store has them."""
        accumulator = self._accumulator.values[local.touched]
        if fades:
            left = 0.5 ** (_weight_of_codes(local.rows) / self.settings.half_life)
            left = left.astype(accumulator.dtype)[:, None]
            accumulator = _ACCUMULATOR + left * (accumulator - _ACCUMULATOR)
        return RowAdagrad(
            self._vectors.values[local.touched],
            self.settings.table_learning_rate,
            accumulator,
        )

    # ---------------------------------------------------------------- giving out

    def columns(
        self, rows_of_columns: list[IntArray]
    ) -> tuple[list[StreamColumn], FloatArray]:
        """Return the columns in canonical axes, given the store rows of their categories.

        And the sensitivity to each context column.
        """
        local = _local(self._recent)
        slopes = sensitivity(local.rows, self.trunk, self._vectors.values[local.touched])
        columns = [
            self._column(number, rows, slopes.metrics[number])
            for number, rows in enumerate(rows_of_columns)
        ]
        return columns, slopes.context

    def _column(self, number: int, rows: IntArray, metric: FloatArray) -> StreamColumn:
        weight = self._weight.values[rows]
        # Nothing but the prior holds the sum of a column's effects, and puts it at zero.
        effects = self.effects.effects(rows, number)
        has_rows = (weight > 0)[:, None]
        mean = (effects * has_rows).sum(axis=0) / max(int(has_rows.sum()), 1)
        effects = (effects - mean) * has_rows
        said = effects if self.settings.less_effects else effects[:, :0]
        table, width = self._vectors.values[rows], self.settings.width
        codes, shares = sample_categories(weight)
        first = canonical_axes(table[codes], shares, metric).rotation
        learned = np.stack([table[codes], *self._halves.tables(rows[codes])]) @ first
        learned = alignment_signs(learned, learned[0], shares) * learned
        slopes = effect_slopes(learned, said[codes], shares)
        learned = learned - said[codes] @ slopes
        axes = canonical_axes(learned[0], shares, np.eye(first.shape[1]))
        halves = learned[1:] @ axes.rotation
        reliability = np.full(width, np.nan)
        if len(halves):
            found = split_half_reliability(halves[0], halves[1], shares)
            reliability = np.pad(found, (0, width - len(found)))
        axes = _padded(axes, width)
        vectors = table @ (first @ axes.rotation) - said @ (slopes[0] @ axes.rotation)
        # A category that is listed, but has no rows yet, is at the origin.
        vectors *= has_rows
        in_effects = float(weight @ (said**2).sum(axis=1)) / (float(weight.sum()) or 1.0)
        both = in_effects + axes.second_moment
        ratio = axes.explained_variance_ratio
        share = ratio * (axes.second_moment / both if both > 0 else 0.0)
        return StreamColumn(
            effects, vectors, ratio, share, reliability, int(np.sum(weight > 0))
        )


class _Halves:
    """Vectors that two halves of the rows learn, each by itself, under the same trunk.

    Every other row of a chunk is of the first half.

    Parameters
    ----------
    width : int
        Length of a vector; 0 learns none.
    settings : StreamSettings
        How.
    """

    def __init__(self, width: int, settings: StreamSettings) -> None:
        self._width, self._settings = width, settings
        empty = np.zeros((0, 2 * width), settings.dtype)
        self._vectors, self._accumulator = GrowingArray(empty), GrowingArray(empty)

    def grow(self, n_rows: int) -> None:
        """Make room for so many more categories, at the origin."""
        self._vectors.grow(n_rows)
        self._accumulator.grow(n_rows, _ACCUMULATOR)

    def cut(self, n_rows: int) -> None:
        """Keep so many categories alone."""
        self._vectors.cut(n_rows)
        self._accumulator.cut(n_rows)

    def learned(
        self,
        local: _Local,
        trunk: Trunk,
        loss: Loss,
        batch_size: int,
        rng: np.random.Generator,
    ) -> RowAdagrad | None:
        """Return the chunk's tables after a pass over it; nothing is changed yet."""
        if self._width == 0:
            return None
        rows = local.rows
        tables = RowAdagrad(
            self._vectors.values[local.touched],
            self._settings.table_learning_rate,
            self._accumulator.values[local.touched],
        )
        in_first = np.arange(len(rows)) % 2 == 0
        order = RowOrder(rows, rng.permutation(len(rows)).astype(np.int32), batch_size)
        is_used = np.stack([in_first, ~in_first])
        run_pass(rows, is_used, order, trunk, loss, tables, leave_frozen)
        return tables

    def commit(self, tables: RowAdagrad | None, touched: IntArray) -> None:
        """Take over the tables of a chunk."""
        if tables is not None:
            self._vectors.values[touched] = tables.table
            self._accumulator.values[touched] = tables.accumulator

    def tables(self, rows: IntArray) -> list[FloatArray]:
        """Return both halves' vectors of some categories, or nothing."""
        if self._width == 0:
            return []
        return np.split(self._vectors.values[rows], 2, axis=1)


def _padded(axes: Axes, width: int) -> Axes:
    """Put axes on which nothing lies behind the others."""
    n_more = width - axes.rotation.shape[1]
    rotation = np.pad(axes.rotation, ((0, 0), (0, n_more)))
    return Axes(
        rotation, np.pad(axes.explained_variance_ratio, (0, n_more)), axes.second_moment
    )


def _local(chunk: Rows) -> _Local:
    """Give a chunk codes of its own, counted within its columns."""
    touched, codes = [], []
    for column in chunk.codes.T:
        different, code = np.unique(column, return_inverse=True)
        touched.append(different)
        codes.append(code.astype(np.int32))
    n_codes = np.array([len(different) for different in touched])
    rows = replace(chunk, codes=np.column_stack(codes), n_codes=n_codes)
    return _Local(rows, np.concatenate(touched))


def _weight_of_codes(rows: Rows) -> FloatArray:
    """Return the weight of each code's rows."""
    codes = rows.stacked_codes_of(slice(None)).ravel()
    weight = np.repeat(rows.weight.astype(np.float64), rows.codes.shape[1])
    of_codes: FloatArray = np.bincount(codes, weight, rows.n_table_rows).astype(np.float64)
    return of_codes


def _last(before: Rows, chunk: Rows) -> Rows:
    """Return the last rows of the stream, a chunk behind those before."""
    parts = [before, chunk.part(np.arange(max(len(chunk) - _RECENT_ROWS, 0), len(chunk)))]
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])[-_RECENT_ROWS:]
        for name in ("codes", "context", "targets", "weight")
    }
    return replace(chunk, **joined)


def _copy(trunk: Trunk) -> Trunk:
    copied = Trunk(
        trunk.n_inputs, trunk.hidden_layer_sizes, trunk.n_outputs, trunk.parameters.dtype
    )
    copied.parameters[:] = trunk.parameters
    return copied


def _fingerprint(chunk: Rows) -> bytes | None:
    """Return what tells the rows of a chunk from those of any other.

    None if its rows are too few or too much alike: others like them may well come.
    """
    parts = [chunk.codes, chunk.context, chunk.targets, chunk.weight[:, None]]
    first = [np.ascontiguousarray(part[:_ASKED_ROWS]) for part in parts if part.size]
    rows = np.hstack([part.view(np.uint8) for part in first])
    if len(np.unique(rows, axis=0)) < _MIN_DIFFERENT_ROWS:
        return None
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(np.ascontiguousarray(part).data)
    return digest.digest()
