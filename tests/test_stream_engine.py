"""The engine of a stream: arrays that grow, effects of a chunk, the whole model."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from engine_data import LOSS_CASES, SQUARED, draw_rows, make_rows
from numpy.testing import assert_allclose, assert_array_equal

from sk_embed._engine.additive.main_effects import fit_all_rows
from sk_embed._engine.additive.online import StreamEffects
from sk_embed._engine.online.model import StreamModel
from sk_embed._engine.online.settings import ChunkSettings, StreamSettings
from sk_embed._engine.sources import InMemory
from sk_embed._growing import GrowingArray

WIDTH = 3
NO_CELLS = np.arange(0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


each_loss = pytest.mark.parametrize(
    ("loss", "n_outputs"), LOSS_CASES.values(), ids=LOSS_CASES.keys()
)


def test_an_array_grows_at_its_end_and_is_seldom_copied():
    array = GrowingArray(np.arange(6.0).reshape(3, 2))
    buffers = set()
    for number in range(1_000):
        array.grow(1, number)
        buffers.add(array._buffer.__array_interface__["data"][0])
    assert len(array) == 1_003
    assert_array_equal(array.values[:3], np.arange(6.0).reshape(3, 2))
    assert_array_equal(array.values[3:, 1], np.arange(1_000.0))
    assert len(buffers) < 50
    copied = pickle.loads(pickle.dumps(array))
    array.cut(2)
    assert len(array.values) == 2
    assert len(copied.values) == 1_003


def stream_effects(rows, loss, alpha=2.0, half_life=np.inf):
    effects = StreamEffects(loss, rows, alpha, half_life)
    effects.grow(rows.n_table_rows)
    return effects


def crossless(rows):
    """Return rows, and that they have no cells."""
    return rows, np.empty((len(rows), 0), dtype=np.int32)


def effects_of(stream, rows):
    return np.concatenate(
        [
            stream.effects(np.arange(offset, offset + n), column)
            for column, (offset, n) in enumerate(
                zip(rows.offsets, rows.n_codes, strict=True)
            )
        ]
    )


@each_loss
def test_one_chunk_gives_the_effects_of_the_additive_model(loss, n_outputs, rng):
    rows = draw_rows(rng, loss, n_outputs, n_rows=300)
    stream = stream_effects(rows, loss)
    stream.commit(stream.learn(rows, np.arange(rows.n_table_rows), NO_CELLS))
    expected = np.hstack(
        [whole.effects for whole in fit_all_rows(InMemory(rows), loss, 2.0)]
    )
    assert_allclose(effects_of(stream, rows), expected, atol=1e-3)


def test_chunks_of_a_single_column_count_every_row_the_same(rng):
    rows = make_rows(np.tile([0, 1], 500), rng.normal(size=1_000) + np.tile([1, -1], 500))
    stream = stream_effects(rows, SQUARED)
    for part in np.array_split(np.arange(1_000), 10):
        stream.commit(stream.learn(rows.part(part), np.arange(2), NO_CELLS))
    expected = fit_all_rows(InMemory(rows), SQUARED, 2.0)[0].effects
    # A constant may lie in the intercept.
    (ours,), (theirs,) = np.diff(effects_of(stream, rows).T), np.diff(expected.T)
    assert_allclose(ours, theirs, rtol=1e-4)


def test_learning_a_chunk_changes_nothing_before_it_is_committed(rng):
    rows = draw_rows(rng)
    stream = stream_effects(rows, SQUARED)
    stream.commit(stream.learn(rows, np.arange(rows.n_table_rows), NO_CELLS))
    before = effects_of(stream, rows)
    other = replace(rows, targets=-rows.targets)
    update = stream.learn(other, np.arange(rows.n_table_rows), NO_CELLS)
    assert_array_equal(effects_of(stream, rows), before)
    stream.commit(update)
    assert np.all(effects_of(stream, rows) != before)


def test_penalties_are_estimated_from_the_chunks(rng):
    effects = np.concatenate([rng.normal(size=(200, 1)), np.zeros((200, 1))])
    codes = rng.integers(200, size=(20_000, 2))
    targets = effects[codes[:, 0]] + rng.normal(size=(20_000, 1))
    rows = make_rows(codes, targets, n_codes=(200, 200))
    stream = stream_effects(rows, SQUARED, alpha=None)
    for part in np.array_split(np.arange(20_000), 20):
        stream.commit(stream.learn(rows.part(part), np.arange(400), NO_CELLS))
    expected = fit_all_rows(InMemory(rows), SQUARED, None)[0].alpha
    assert stream.alpha[0, 0] == pytest.approx(expected[0], rel=0.3)
    assert stream.alpha[1, 0] > 50


# ------------------------------------------------------------------ the whole model


def stream_model(rows, rng, **changes):
    settings = StreamSettings(
        width=WIDTH, hidden_layer_sizes=(8,), table_learning_rate=0.1, learning_rate=1e-3,
        alpha=1.0, init_scale=0.0, half_life=np.inf, main_effects=True,
            n_crosses=0, with_halves=True,
        dtype=np.dtype(np.float64),
    )  # fmt: skip
    model = StreamModel(rows, SQUARED, replace(settings, **changes), rng)
    model.grow(rows.n_table_rows, 0, rng)
    return model


def stored(rows):
    """Return the rows with their places in the store as codes."""
    return replace(rows, codes=(rows.codes + rows.offsets).astype(np.int32))


CHUNK = ChunkSettings(batch_size=16, n_passes=2, weight_decay=0.0)


def test_a_chunk_leaves_categories_that_it_does_not_hold_as_they_are(rng):
    rows = draw_rows(rng, n_codes=(9, 5), n_rows=60)
    model = stream_model(rows, rng)
    model.learn(*crossless(stored(rows)), CHUNK, rng)
    before = model._store.vectors.copy()
    chosen = np.flatnonzero(rows.codes[:, 0] < 4)
    model.learn(*crossless(stored(rows.part(chosen))), CHUNK, rng)
    is_moved = (model._store.vectors != before).any(axis=1)
    assert_array_equal(np.flatnonzero(is_moved[:9]), np.arange(4))


def test_the_trunk_passes_over_a_chunk_from_the_vectors_before_it(rng):
    rows = draw_rows(rng, n_rows=200)
    once, twice = (stream_model(rows, np.random.default_rng(1)) for _ in range(2))
    frozen = {"learning_rate": 0.0}
    once.settings = twice.settings = replace(once.settings, **frozen)
    order = np.random.default_rng(3)
    order.permutation(200)
    once.learn(*crossless(stored(rows)), CHUNK._replace(n_passes=1), order)
    twice.learn(*crossless(stored(rows)), CHUNK, np.random.default_rng(3))
    # Under the same trunk, the second pass ends where it would have alone.
    assert_array_equal(once._store.vectors, twice._store.vectors)


def test_columns_come_in_axes_of_falling_variance(rng):
    rows = draw_rows(rng, n_codes=(30, 2), n_rows=500)
    model = stream_model(rows, rng)
    model.learn(*crossless(stored(rows)), CHUNK, rng)
    (many, few), _ = model.columns([np.arange(30), np.arange(30, 32)])
    assert many.vectors.shape == (30, WIDTH)
    assert np.all(np.diff(many.explained_variance_ratio) <= 0)
    assert_array_equal(few.vectors[:, 2], 0)
    assert few.explained_variance_ratio[2] == 0
    assert many.reliability.shape == (WIDTH,)
    assert abs(many.effects.sum()) < 1e-9
