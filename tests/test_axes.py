from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from engine_data import (
    LOSS_CASES,
    draw_rows,
    draw_table,
    draw_trunk,
    finite_differences,
    make_rows,
    trunk_over,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import pdist
from sklearn.linear_model import Ridge

from sk_embed._engine import column_vectors
from sk_embed._engine.axes import (
    alignment_rotations,
    alignment_signs,
    canonical_axes,
    effect_slopes,
    split_half_reliability,
)
from sk_embed._engine.column_vectors import sample_categories
from sk_embed._engine.network.sensitivity import sensitivity
from sk_embed._selection import kept_axes

each_loss = pytest.mark.parametrize(
    ("loss", "n_outputs"), LOSS_CASES.values(), ids=LOSS_CASES
)
# As many categories as the width, more, and fewer.
each_shape = pytest.mark.parametrize("shape", [(5, 5), (30, 5), (3, 5), (1, 5)], ids=str)
WIDTH = 3


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def draw_metric(rng, width, rank=None):
    jacobian = rng.normal(size=(rank or 2 * width, width))
    return jacobian.T @ jacobian


def raw_predictions_at(rows, trunk, vectors):
    """Predict rows that each bring vectors of their own: (n_rows, n_columns, width)."""
    inputs = np.hstack([vectors.reshape(len(rows), -1), rows.context])
    return trunk.forward(inputs)[0]


# ------------------------------------------------------------------ sensitivity


@pytest.mark.parametrize("hidden_layer_sizes", [(), (6,), (6, 4)], ids=str)
@each_loss
def test_metric_is_mean_square_of_slopes_of_the_raw_prediction(
    hidden_layer_sizes, loss, n_outputs, rng
):
    rows = draw_rows(rng, loss, n_outputs)
    table = draw_table(rng, rows, WIDTH)
    trunk = trunk_over(rng, rows, WIDTH, hidden_layer_sizes)
    vectors = table[rows.stacked_codes(np.arange(40))]
    jacobian = finite_differences(
        # Rows do not meet in the trunk: the slope of the sum is that of each row.
        lambda shift: raw_predictions_at(rows, trunk, vectors + shift),
        np.zeros(vectors.shape[1:]),
    )
    expected = np.einsum(
        "cwik,cvik,i->cwv", jacobian, jacobian, rows.weight / rows.weight.sum()
    )
    found = sensitivity(rows, trunk, table).metrics
    assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_metric_of_a_linear_trunk_is_that_of_exchanging_vectors(rng):
    rows = draw_rows(rng)
    table = draw_table(rng, rows, WIDTH)
    trunk = trunk_over(rng, rows, WIDTH, ())
    metric = sensitivity(rows, trunk, table).metrics[0]
    vectors = table[rows.stacked_codes(np.arange(40))]
    first, second = vectors.copy(), vectors.copy()
    first[:, 0], second[:, 0] = table[1], table[4]
    change = raw_predictions_at(rows, trunk, first) - raw_predictions_at(
        rows, trunk, second
    )
    apart = table[1] - table[4]
    assert apart @ metric @ apart == pytest.approx(np.mean(change**2), rel=1e-10)


def test_metric_of_many_rows_is_told_by_some_of_them(rng):
    # Far more rows than the metric needs, of few kinds.
    few = draw_rows(rng, n_rows=8, n_codes=(4, 2))
    chosen = rng.permutation(np.repeat(np.arange(8), 5000))
    many = make_rows(
        few.codes[chosen], few.targets[chosen], few.context[chosen], n_codes=(4, 2)
    )
    even = make_rows(few.codes, few.targets, few.context, n_codes=(4, 2))
    table = draw_table(rng, few, WIDTH)
    trunk = trunk_over(rng, few, WIDTH, (6, 4))
    assert_allclose(
        sensitivity(many, trunk, table).metrics,
        sensitivity(even, trunk, table).metrics,
        rtol=0.05,
        atol=0.01,
    )


def test_metric_counts_rows_by_weight(rng):
    rows = draw_rows(rng)
    used = np.arange(40) % 3 > 0
    table = draw_table(rng, rows, WIDTH)
    trunk = trunk_over(rng, rows, WIDTH, (6, 4))
    ignoring = make_rows(rows.codes, rows.targets, rows.context, 5.0 * used)
    kept = make_rows(
        rows.codes[used], rows.targets[used], rows.context[used], n_codes=rows.n_codes
    )
    assert_allclose(
        sensitivity(ignoring, trunk, table).metrics,
        sensitivity(kept, trunk, table).metrics,
        rtol=1e-10,
        atol=1e-12,
    )


@pytest.mark.parametrize("hidden_layer_sizes", [(), (6,), (6, 4)], ids=str)
@each_loss
def test_context_sensitivity_is_rms_of_slopes_over_a_standard_deviation(
    hidden_layer_sizes, loss, n_outputs, rng
):
    rows = draw_rows(rng, loss, n_outputs)
    rows = replace(rows, context=rows.context * [0.2, 5.0] + [3.0, -1.0])
    table = draw_table(rng, rows, WIDTH)
    trunk = trunk_over(rng, rows, WIDTH, hidden_layer_sizes)
    vectors = table[rows.stacked_codes(np.arange(40))]
    jacobian = finite_differences(
        lambda shift: raw_predictions_at(
            replace(rows, context=rows.context + shift), trunk, vectors
        ),
        np.zeros(2),
    )
    share = rows.weight / rows.weight.sum()
    mean_square = np.einsum("pik,i->p", jacobian**2, share)
    deviation = np.sqrt(np.cov(rows.context.T, aweights=rows.weight, ddof=0).diagonal())
    found = sensitivity(rows, trunk, table).context
    assert_allclose(found, np.sqrt(mean_square) * deviation, rtol=1e-6)


def test_context_sensitivity_does_not_depend_on_the_unit_of_context(rng):
    rows = draw_rows(rng)
    table, trunk = draw_table(rng, rows, WIDTH), trunk_over(rng, rows, WIDTH, (6, 4))
    expected = sensitivity(rows, trunk, table).context
    # The trunk's weights undo the change of unit.
    first = trunk.parameters[: trunk.n_inputs * 7].reshape(trunk.n_inputs, 7)
    first[2 * WIDTH :] /= [[1000.0], [0.01]]
    larger = replace(rows, context=rows.context * [1000.0, 0.01])
    assert_allclose(sensitivity(larger, trunk, table).context, expected, rtol=1e-9)


def test_a_constant_context_column_has_no_sensitivity(rng):
    rows = draw_rows(rng)
    rows = replace(rows, context=rows.context * [1.0, 0.0])
    table, trunk = draw_table(rng, rows, WIDTH), trunk_over(rng, rows, WIDTH, (6, 4))
    moves, stays = sensitivity(rows, trunk, table).context
    assert moves > 0
    assert stays == 0


def test_rows_without_context_have_no_context_sensitivity(rng):
    rows = draw_rows(rng, n_context=0)
    table, trunk = draw_table(rng, rows, WIDTH), trunk_over(rng, rows, WIDTH, (6, 4))
    assert sensitivity(rows, trunk, table).context.shape == (0,)


def test_context_sensitivity_counts_rows_by_weight(rng):
    rows = draw_rows(rng)
    used = np.arange(40) % 3 > 0
    table, trunk = draw_table(rng, rows, WIDTH), trunk_over(rng, rows, WIDTH, (6, 4))
    ignoring = make_rows(rows.codes, rows.targets, rows.context, 5.0 * used)
    kept = make_rows(
        rows.codes[used], rows.targets[used], rows.context[used], n_codes=rows.n_codes
    )
    assert_allclose(
        sensitivity(ignoring, trunk, table).context,
        sensitivity(kept, trunk, table).context,
        rtol=1e-10,
    )


def test_context_sensitivity_of_a_linear_trunk_is_the_deviation_it_brings_about(rng):
    # Context one of whose values differs: the raw prediction follows it exactly.
    rows = draw_rows(rng, n_context=1)
    table, trunk = draw_table(rng, rows, WIDTH), trunk_over(rng, rows, WIDTH, ())
    vectors = np.broadcast_to(table[0], (40, 2, WIDTH))
    predictions = raw_predictions_at(rows, trunk, vectors)[:, 0]
    deviation = np.sqrt(np.cov(predictions, aweights=rows.weight, ddof=0))
    (found,) = sensitivity(rows, trunk, table).context
    assert found == pytest.approx(float(deviation), rel=1e-9)


# ------------------------------------------------------------------ canonical axes


@each_shape
def test_second_moment_is_diagonal_and_falling(shape, rng):
    table, counts = rng.normal(size=shape), rng.integers(1, 50, size=shape[0])
    axes = canonical_axes(table, counts, draw_metric(rng, shape[1]))
    coordinates = table @ axes.rotation
    moment = (coordinates.T * counts) @ coordinates / counts.sum()
    diagonal = np.diag(moment)
    assert_allclose(moment, np.diag(diagonal), atol=1e-10 * diagonal[0])
    assert np.all(np.diff(diagonal) <= 1e-10 * diagonal[0])
    assert_allclose(axes.explained_variance_ratio, diagonal / diagonal.sum(), atol=1e-12)
    assert axes.second_moment == pytest.approx(diagonal.sum(), rel=1e-9)


@each_shape
def test_there_are_no_more_axes_than_categories_or_width(shape, rng):
    axes = canonical_axes(rng.normal(size=shape), np.ones(shape[0]), np.eye(shape[1]))
    assert axes.rotation.shape == (shape[1], min(shape))
    assert axes.explained_variance_ratio.shape == (min(shape),)
    assert axes.explained_variance_ratio.sum() == pytest.approx(1)


@pytest.mark.parametrize("shape", [(5, 5), (30, 5), (3, 5)], ids=str)
def test_distances_are_those_of_the_metric(shape, rng):
    table, metric = rng.normal(size=shape), draw_metric(rng, shape[1])
    axes = canonical_axes(table, rng.integers(1, 50, size=shape[0]), metric)
    # scipy's Mahalanobis distance takes any metric as its "inverse covariance".
    expected = pdist(table, "mahalanobis", VI=metric)
    assert_allclose(pdist(table @ axes.rotation), expected, rtol=1e-9)


@pytest.mark.parametrize("shape", [(30, 5), (3, 5)], ids=str)
def test_norms_are_distances_to_the_origin(shape, rng):
    table, metric = rng.normal(size=shape), draw_metric(rng, shape[1])
    table[1] = 0
    axes = canonical_axes(table, rng.integers(1, 50, size=shape[0]), metric)
    coordinates = table @ axes.rotation
    expected = np.sqrt(np.einsum("cw,wv,cv->c", table, metric, table))
    assert_array_equal(coordinates[1], 0)
    assert_allclose(np.linalg.norm(coordinates, axis=1), expected, rtol=1e-9)


@pytest.mark.parametrize("turn", ["rotation", "any invertible matrix", "another unit"])
@each_loss
def test_coordinates_do_not_depend_on_those_of_the_network(loss, n_outputs, turn, rng):
    rows = draw_rows(rng, loss, n_outputs, n_rows=200, n_codes=(12, 8))
    table = draw_table(rng, rows, WIDTH)
    trunk = trunk_over(rng, rows, WIDTH, (8, 4))
    matrix = {
        "rotation": np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0],
        "any invertible matrix": rng.normal(size=(WIDTH, WIDTH)) + 2 * np.eye(WIDTH),
        "another unit": 1000 * np.eye(WIDTH),
    }[turn]
    other_table = table @ matrix
    other = draw_trunk(rng, trunk.n_inputs, (8, 4), n_outputs)
    other.parameters[:] = trunk.parameters
    # The first layer, which is first among the parameters, undoes the change.
    first_size = trunk.n_inputs * (8 + n_outputs)
    first = other.parameters[:first_size].reshape(trunk.n_inputs, -1)
    for start in (0, WIDTH):
        part = slice(start, start + WIDTH)
        first[part] = np.linalg.solve(matrix, first[part])

    def coordinates(trunk, table):
        metrics = sensitivity(rows, trunk, table).metrics
        counts = np.bincount(rows.codes[:, 0])
        return table[:12] @ canonical_axes(table[:12], counts, metrics[0]).rotation

    assert_allclose(
        coordinates(other, other_table), coordinates(trunk, table), rtol=1e-8, atol=1e-9
    )


def test_heaviest_category_of_each_axis_is_positive(rng):
    table, counts = rng.normal(size=(30, 5)), rng.integers(1, 50, size=30)
    axes = canonical_axes(table, counts, draw_metric(rng, 5))
    weighted = table @ axes.rotation * np.sqrt(counts)[:, None]
    heaviest = np.argmax(np.abs(weighted), axis=0)
    assert np.all(weighted[heaviest, np.arange(5)] > 0)


def test_sign_of_the_table_is_not_seen(rng):
    # The network may find a vector or its mirror image.
    table, counts = rng.normal(size=(30, 5)), rng.integers(1, 50, size=30)
    metric = draw_metric(rng, 5)
    mirrored = -table @ canonical_axes(-table, counts, metric).rotation
    straight = table @ canonical_axes(table, counts, metric).rotation
    assert_allclose(mirrored, straight, rtol=1e-9, atol=1e-12)


def test_axes_do_not_depend_on_the_unit_of_counts(rng):
    table, counts = rng.normal(size=(30, 5)), rng.uniform(1, 50, size=30)
    metric = draw_metric(rng, 5)
    expected = canonical_axes(table, counts, metric)
    # Weights of rows may well add up to less than one.
    found = canonical_axes(table, 1e-4 * counts, metric)
    assert_allclose(found.rotation, expected.rotation, rtol=1e-9, atol=1e-12)
    assert_allclose(found.explained_variance_ratio, expected.explained_variance_ratio)
    assert found.second_moment == pytest.approx(expected.second_moment, rel=1e-9)


def test_categories_without_rows_do_not_turn_the_axes(rng):
    table, counts = rng.normal(size=(30, 5)), rng.integers(1, 50, size=30)
    metric = draw_metric(rng, 5)
    more = np.vstack([table, 100 * rng.normal(size=(2, 5))])
    found = canonical_axes(more, np.append(counts, [0, 0]), metric).rotation
    assert_allclose(found, canonical_axes(table, counts, metric).rotation, rtol=1e-9)


# A warning is an error here, a division of zero by zero therefore too.
@pytest.mark.parametrize("metric", [np.eye(3), np.zeros((3, 3))], ids=["read", "unread"])
def test_table_of_zeros_has_axes_of_zero_variance(metric):
    table = np.zeros((6, 3), np.float32)
    axes = canonical_axes(table, np.ones(6), metric)
    assert np.isfinite(axes.rotation).all()
    assert_array_equal(table @ axes.rotation, np.zeros((6, 3)))
    assert_array_equal(axes.explained_variance_ratio, np.zeros(3))
    assert axes.second_moment == 0


@pytest.mark.parametrize("n_with_rows", [0, 1, 2, 6])
def test_there_are_as_many_axes_as_categories_with_rows(n_with_rows, rng):
    table, counts = rng.normal(size=(6, 3)), np.arange(6) < n_with_rows
    axes = canonical_axes(table, counts, np.eye(3))
    assert axes.rotation.shape == (3, min(n_with_rows, 3))
    assert axes.explained_variance_ratio.sum() == pytest.approx(float(n_with_rows > 0))


def test_table_that_the_trunk_does_not_read_has_coordinates_of_zero(rng):
    table = rng.normal(size=(6, 3))
    axes = canonical_axes(table, np.ones(6), np.zeros((3, 3)))
    assert_array_equal(table @ axes.rotation, np.zeros((6, 3)))
    assert_array_equal(axes.explained_variance_ratio, np.zeros(3))
    assert axes.second_moment == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_directions_that_the_trunk_does_not_read_are_never_kept(dtype, rng):
    # A linear trunk of one output reads one direction of eight. What rounding leaves of
    # the others is far too small to matter, yet the halves would agree on it.
    table = rng.normal(size=(30, 8)).astype(dtype)
    jacobian = np.outer(rng.normal(size=50), rng.normal(size=8)).astype(dtype)
    axes = canonical_axes(table, np.ones(30), jacobian.T.astype(float) @ jacobian)
    first, second = (table + 0.1 * rng.normal(size=table.shape) for _ in range(2))
    reliability = split_half_reliability(
        first @ axes.rotation, second @ axes.rotation, np.ones(30)
    )
    kept = kept_axes("auto", axes.explained_variance_ratio, reliability, 8)
    assert_array_equal(np.flatnonzero(kept), [0])


# ------------------------------------------------------------------ samples of categories


def test_few_categories_are_all_in_the_sample(rng):
    counts = rng.uniform(0, 50, size=30)
    codes, found = sample_categories(counts)
    assert_array_equal(codes, np.arange(30))
    assert_array_equal(found, counts)


def test_many_categories_are_in_the_sample_by_their_rows(monkeypatch, rng):
    monkeypatch.setattr(column_vectors, "_MAX_CATEGORIES_FOR_AXES", 1_000)
    counts = np.where(np.arange(50_000) % 2 == 0, rng.pareto(1.0, size=50_000), 0.0)
    codes, found = sample_categories(counts)
    assert np.all(np.diff(codes) > 0)
    assert found.sum() == 1_000
    # None without rows; each as often as its share of the rows says, to within one.
    assert np.all(counts[codes] > 0)
    expected = 1_000 * counts / counts.sum()
    met = np.zeros(50_000)
    met[codes] = found
    assert np.abs(met - expected).max() <= 1


def test_axes_of_a_sample_are_about_those_of_all(monkeypatch, rng):
    table = rng.normal(size=(50_000, 3)) * [3.0, 2.0, 1.0]
    counts, metric = rng.pareto(2.0, size=50_000) + 1, np.eye(3)
    expected = canonical_axes(table, counts, metric)
    monkeypatch.setattr(column_vectors, "_MAX_CATEGORIES_FOR_AXES", 5_000)
    codes, n_times = sample_categories(counts)
    found = canonical_axes(table[codes], n_times, metric)
    assert_allclose(
        found.explained_variance_ratio, expected.explained_variance_ratio, atol=0.03
    )
    assert_allclose(np.abs(found.rotation), np.abs(expected.rotation), atol=0.1)


# ------------------------------------------------------------------ signs of several tables


def test_reversed_axes_are_turned_to_the_reference(rng):
    reference, counts = rng.normal(size=(30, 4)), rng.uniform(1, 50, size=30)
    signs = np.array([[1.0, -1.0, 1.0, -1.0], [-1.0, -1.0, 1.0, 1.0]])[:, None]
    tables = signs * (reference + 0.3 * rng.normal(size=(2, 30, 4)))
    assert_array_equal(alignment_signs(tables, reference, counts), signs)


def test_a_table_is_turned_as_if_it_were_alone(rng):
    reference, counts = rng.normal(size=(30, 4)), rng.uniform(1, 50, size=30)
    tables = rng.choice([-1, 1], size=(3, 2, 1, 4)) * reference
    together = alignment_signs(tables, reference, counts)
    assert together.shape == (3, 2, 1, 4)
    assert_array_equal(together[2, 1], alignment_signs(tables[2, 1], reference, counts))


def test_axes_of_noise_are_seldom_turned(rng):
    reference, counts = rng.normal(size=(50, 4)), np.ones(50)
    tables = rng.normal(size=(2000, 50, 4))
    turned = alignment_signs(tables, reference, counts) < 0
    # Two standard errors of the normal distribution leave 2.3 % on one side.
    assert 0.01 < turned.mean() < 0.04


def test_axes_are_not_turned_on_the_evidence_of_a_few_categories(rng):
    reference = rng.normal(size=(50, 4))
    # Forty-seven of the categories hardly occur.
    counts = np.where(np.arange(50) < 3, 1000.0, 0.001)
    assert_array_equal(alignment_signs(-reference, reference, counts), np.ones((1, 4)))


def test_a_common_shift_does_not_turn_axes(rng):
    reference, counts = rng.normal(size=(30, 4)), rng.uniform(1, 50, size=30)
    signs = alignment_signs(5 - reference, reference + 5, counts)
    assert_array_equal(signs, -np.ones((1, 4)))
    signs = alignment_signs(reference - 5, reference + 5, counts)
    assert_array_equal(signs, np.ones((1, 4)))


def test_signs_do_not_depend_on_the_unit_of_counts(rng):
    reference, counts = rng.normal(size=(30, 4)) + 5, rng.uniform(1, 50, size=30)
    tables = 10 - reference
    assert_array_equal(alignment_signs(tables, reference, counts), -np.ones((1, 4)))
    assert_array_equal(alignment_signs(tables, reference, 1e-4 * counts), -np.ones((1, 4)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("counts", [np.ones(6), np.zeros(6)], ids=["rows", "no rows"])
def test_axes_of_zeros_keep_their_sign_and_dtype(counts, dtype):
    zeros = np.zeros((6, 4), dtype)
    signs = alignment_signs(zeros, zeros, counts)
    assert_array_equal(signs, np.ones((1, 4)))
    assert signs.dtype == dtype


# ------------------------------------------------------------------ rotations of tables


def draw_rotations(rng, n, width):
    return np.linalg.qr(rng.normal(size=(n, width, width)))[0]


def test_turned_tables_are_turned_back_to_the_reference(rng):
    reference, counts = rng.normal(size=(50_000, 4)), rng.uniform(1, 50, size=50_000)
    turned = reference @ draw_rotations(rng, 3, 4)
    back = turned @ alignment_rotations(turned, reference, counts)
    assert_allclose(back, np.tile(reference, (3, 1, 1)), atol=0.1)


def test_rotations_weigh_agreement_against_turning_as_chance_would(rng):
    reference, counts = rng.normal(size=(30, 4)), rng.uniform(1, 50, size=30)
    table = reference @ draw_rotations(rng, 1, 4)[0] + 0.5 * rng.normal(size=(30, 4))
    rotation = alignment_rotations(table, reference, counts)
    assert_allclose(rotation @ rotation.T, np.eye(4), atol=1e-12)

    share = counts / counts.sum()
    table, reference = (t - share @ t for t in (table, reference))
    sizes = [share @ (t**2).sum(axis=1) for t in (table, reference)]
    chance = 2 * np.sqrt(np.sum(share**2) * np.prod(sizes)) / 4

    def agreement(turn):
        return np.trace(turn.T @ ((table.T * share) @ reference + chance * np.eye(4)))

    others = draw_rotations(rng, 500, 4)
    assert agreement(rotation) > max(agreement(other) for other in others)
    # Nor does any small turn agree better.
    for other in np.linalg.qr(np.eye(4) + 0.01 * rng.normal(size=(50, 4, 4)))[0]:
        near = other * np.sign(np.diag(other))
        assert agreement(rotation) >= agreement(rotation @ near) - 1e-12


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_categories", [1, 2, 3, 4, 6])
def test_a_table_is_not_turned_from_itself_whatever_its_rank(n_categories, dtype, rng):
    # Centred, m categories span m - 1 directions; the origin lies in one more.
    for _ in range(20):
        table = (rng.normal(size=(n_categories, 4)) + 3).astype(dtype)
        rotation = alignment_rotations(table, table, rng.uniform(1, 9, size=n_categories))
        assert_allclose(rotation, np.eye(4), atol=1e-5 if dtype is np.float32 else 1e-10)


def test_tables_that_say_nothing_of_each_other_are_hardly_turned(rng):
    tables, reference = rng.normal(size=(200, 50, 4)), rng.normal(size=(50, 4))
    rotations = alignment_rotations(tables, reference, np.ones(50))
    # A rotation by chance alone has a trace of 0 on average, none at all one of 4.
    assert np.trace(rotations, axis1=1, axis2=2).mean() > 3


def test_a_common_shift_does_not_turn_tables(rng):
    reference, counts = rng.normal(size=(30, 4)), rng.uniform(1, 50, size=30)
    rotation = alignment_rotations(reference + 100, reference - 100, counts)
    assert_allclose(rotation, np.eye(4), atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tables_of_zeros_are_turned_by_some_rotation(dtype):
    zeros = np.zeros((6, 4), dtype)
    rotation = alignment_rotations(zeros, zeros, np.zeros(6))
    assert rotation.dtype == dtype
    assert_allclose(rotation @ rotation.T, np.eye(4), atol=1e-6)


# ------------------------------------------------------------------ vectors less effects


@pytest.fixture
def said(rng):
    """Effects of two outputs, and counts, of thirty categories."""
    return rng.normal(size=(30, 2)), rng.uniform(1, 50, size=30)


def left_over(table, effects, counts):
    return table - effects @ effect_slopes(table, effects, counts)


def second_moment(table, counts):
    return counts @ (table**2).sum(axis=-1) / counts.sum()


def test_slopes_are_those_of_weighted_ridge_regression_through_the_origin(said, rng):
    effects, counts = said
    table = rng.normal(size=(30, 4))
    share = counts / counts.sum()
    # The penalty is a hundredth of the vectors' second moment.
    ridge = Ridge(alpha=0.01 * second_moment(table, counts), fit_intercept=False)
    expected = ridge.fit(effects, table, share).coef_.T
    assert_allclose(effect_slopes(table, effects, counts), expected, rtol=1e-9)


@pytest.mark.parametrize("multiple", [1e-3, -0.5, 1.0, 1e3])
def test_of_vectors_that_are_multiples_of_the_effect_next_to_nothing_is_left(
    said, rng, multiple
):
    effects, counts = said[0][:, :1], said[1]
    table = multiple * effects * rng.normal(size=4)
    left = second_moment(left_over(table, effects, counts), counts)
    # What a ridge of lambda leaves of a vector v e is v e lambda / (m + lambda), with m
    # the second moment of e: of its second moment the square of that share.
    moment = second_moment(effects, counts)
    penalty = 0.01 * second_moment(table, counts)
    expected = (penalty / (moment + penalty)) ** 2 * second_moment(table, counts)
    assert left == pytest.approx(expected, rel=1e-6)
    if abs(multiple) <= 1:
        assert left < 0.01 * second_moment(table, counts)


def test_vectors_that_the_effects_do_not_say_stay(said, rng):
    effects, counts = said
    table = rng.normal(size=(30, 4))
    weighted = effects * counts[:, None]
    table -= effects @ np.linalg.solve(weighted.T @ effects, weighted.T @ table)
    assert_allclose(left_over(table, effects, counts), table, rtol=1e-9, atol=1e-12)


def test_what_is_left_is_nearly_uncorrelated_with_the_effects(said, rng):
    effects, counts = said
    table = effects @ rng.normal(size=(2, 4)) + 0.5 * rng.normal(size=(30, 4))
    left = left_over(table, effects, counts)
    before = (effects.T * counts) @ table
    after = (effects.T * counts) @ left
    assert np.abs(after).max() < 0.1 * np.abs(before).max()


def test_a_category_at_the_origin_stays_there(said, rng):
    # As one without rows does, which has neither vector nor effect.
    effects, counts = said
    table = rng.normal(size=(30, 4))
    effects[3], counts[3], table[3] = 0, 0, 0
    assert_array_equal(left_over(table, effects, counts)[3], np.zeros(4))


def test_categories_without_rows_do_not_bend_the_slopes(said, rng):
    effects, counts = said
    table = rng.normal(size=(30, 4))
    more = np.vstack([table, 100 * rng.normal(size=(2, 4))])
    more_effects = np.vstack([effects, 100 * rng.normal(size=(2, 2))])
    found = effect_slopes(more, more_effects, np.append(counts, [0, 0]))
    assert_allclose(found, effect_slopes(table, effects, counts), rtol=1e-9)


@pytest.mark.parametrize("size", [1e-1, 1e-3, 1e-8, 1e-150, 0.0])
def test_effects_next_to_nothing_take_next_to_nothing_out(said, rng, size):
    effects, counts = size * said[0], said[1]
    table = rng.normal(size=(30, 4))
    taken = table - left_over(table, effects, counts)
    # A slope is at most 1 / (2 sqrt(lambda)) of the vectors' root mean square, reached
    # where effects have the size of the root of the ridge: without it slopes on effects
    # of size s would be of order 1 / s.
    moment = second_moment(table, counts)
    slopes = effect_slopes(table, effects, counts)
    assert np.linalg.norm(slopes) <= 1 / (2 * np.sqrt(0.01)) * (1 + 1e-9)
    assert second_moment(taken, counts) <= moment
    assert second_moment(taken, counts) <= 25 * second_moment(effects, counts) * (1 + 1e-9)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_slopes_do_not_depend_on_the_common_unit_of_vectors_and_effects(said, rng, unit):
    effects, counts = said
    table = rng.normal(size=(30, 4))
    found = effect_slopes(unit * table, unit * effects, 1e-4 * counts)
    assert_allclose(found, effect_slopes(table, effects, counts), rtol=1e-9)


def test_turning_the_vectors_turns_their_slopes(said, rng):
    effects, counts = said
    table = rng.normal(size=(30, 4))
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    found = effect_slopes(table @ turn, effects, counts)
    assert_allclose(found, effect_slopes(table, effects, counts) @ turn, rtol=1e-9)


def test_each_table_has_the_slopes_it_has_alone(said, rng):
    effects, counts = said
    tables = rng.normal(size=(3, 30, 4)) * np.array([1.0, 5.0, 0.0])[:, None, None]
    together = effect_slopes(tables, effects, counts)
    assert together.shape == (3, 2, 4)
    for table, slopes in zip(tables, together, strict=True):
        assert_allclose(slopes, effect_slopes(table, effects, counts), rtol=1e-9)


def test_effects_of_classes_which_sum_to_zero_have_slopes(said, rng):
    # The effects of K classes say no more than K - 1 of them. Vectors of their size:
    effects, counts = said
    effects = np.column_stack([effects, -effects.sum(axis=1)])
    table = effects @ np.linalg.qr(rng.normal(size=(4, 4)))[0][:3]
    left = left_over(table, effects, counts)
    assert second_moment(left, counts) < 1e-3 * second_moment(table, counts)


@pytest.mark.parametrize("n_outputs", [0, 2])
@pytest.mark.parametrize("counts", [np.ones(6), np.zeros(6)], ids=["rows", "no rows"])
def test_zeros_have_slopes_of_zero(counts, n_outputs):
    slopes = effect_slopes(np.zeros((6, 4)), np.zeros((6, n_outputs)), counts)
    assert_array_equal(slopes, np.zeros((n_outputs, 4)))


# ------------------------------------------------------------------ reliability


def draw_halves(rng, n_categories):
    return rng.normal(size=(2, n_categories, 4)), rng.uniform(1, 50, size=n_categories)


def test_equal_halves_are_wholly_reliable(rng):
    (half, _), counts = draw_halves(rng, 20)
    assert_allclose(split_half_reliability(half, half, counts), 1, rtol=1e-12)


def test_opposite_halves_are_wholly_unreliable(rng):
    (half, _), counts = draw_halves(rng, 20)
    assert_allclose(split_half_reliability(half, -half, counts), -1, rtol=1e-12)


def test_independent_noise_is_not_reliable(rng):
    (first, second), counts = draw_halves(rng, 20_000)
    assert_allclose(split_half_reliability(first, second, counts), 0, atol=0.05)


def test_reliability_is_the_share_of_variance_that_is_signal(rng):
    noise, counts = draw_halves(rng, 20_000)
    signal = rng.normal(size=(20_000, 1)) * np.sqrt([0.0, 1 / 3, 1.0, 9.0])
    found = split_half_reliability(signal + noise[0], signal + noise[1], counts)
    assert_allclose(found, [0.0, 0.25, 0.5, 0.9], atol=0.05)


def test_halves_that_differ_in_size_agree_less_than_they_correlate(rng):
    (half, _), counts = draw_halves(rng, 20)
    # 2 s / (1 + s^2) for a half that is s times the other.
    assert_allclose(split_half_reliability(half, 3 * half, counts), 0.6, rtol=1e-12)


def test_reliability_counts_a_category_as_often_as_it_occurs(rng):
    (first, second), _ = draw_halves(rng, 20)
    counts = rng.integers(1, 6, size=20)
    found = split_half_reliability(first, second, counts)
    repeated = (np.repeat(half, counts, axis=0) for half in (first, second))
    expected = split_half_reliability(*repeated, np.ones(counts.sum()))
    assert_allclose(found, expected, rtol=1e-10)


def test_reliability_does_not_depend_on_the_unit_of_counts(rng):
    (first, second), counts = draw_halves(rng, 20)
    expected = split_half_reliability(first + 5, second + 5, counts)
    # Weights of rows may well add up to less than one.
    found = split_half_reliability(first + 5, second + 5, 1e-4 * counts)
    assert_allclose(found, expected, rtol=1e-9)


def test_reliability_is_that_of_deviations_from_the_mean(rng):
    (first, second), counts = draw_halves(rng, 20)
    shifted = split_half_reliability(first + 5, second - 3, counts)
    assert_allclose(shifted, split_half_reliability(first, second, counts), rtol=1e-9)


def test_reliability_is_that_of_each_axis_alone(rng):
    (first, second), counts = draw_halves(rng, 20)
    together = split_half_reliability(first, second, counts)
    apart = [
        split_half_reliability(first[:, [a]], second[:, [a]], counts) for a in range(4)
    ]
    assert_allclose(together, np.concatenate(apart), rtol=1e-12)


def test_halves_are_interchangeable(rng):
    (first, second), counts = draw_halves(rng, 20)
    assert_allclose(
        split_half_reliability(second, first, counts),
        split_half_reliability(first, second, counts),
        rtol=1e-12,
    )


@pytest.mark.parametrize("counts", [np.ones(6), np.zeros(6)], ids=["rows", "no rows"])
def test_halves_of_zeros_are_not_reliable(counts):
    zeros = np.zeros((6, 4))
    assert_array_equal(split_half_reliability(zeros, zeros, counts), np.zeros(4))


def test_a_column_of_one_category_has_nothing_to_agree_on(rng):
    half = rng.normal(size=(1, 4))
    assert_array_equal(split_half_reliability(half, half, np.array([7])), np.zeros(4))
