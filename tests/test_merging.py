"""What parts of a table say together is what all its rows say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_embed._columns.context import QUARTILES, learn_context
from sk_embed._columns.merging import (
    QuantileSearch,
    SeenCategories,
    next_bits,
    see_numbers,
    see_target,
)
from sk_embed._columns.target import as_target, read_target
from sk_embed._columns.vocabulary import given_vocabulary, learn_vocabulary

RNG = np.random.default_rng(0)
COLUMNS = {
    "strings": pd.Series(RNG.choice(list("abcdefgh"), 90)).astype(object),
    "whole numbers": pd.Series(RNG.integers(-5, 9, size=90)),
    "small whole numbers": pd.Series(RNG.integers(5, size=90).astype(np.int8)),
    "floats with missing": pd.Series(RNG.choice([0.5, -2.0, np.nan, 7.0], 90)),
    "booleans": pd.Series(RNG.integers(2, size=90).astype(bool)),
    "times": pd.Series(pd.to_datetime(RNG.integers(9, size=90) * 86_400, unit="s")),
    "nullable": pd.Series(RNG.choice([1, 2, None, 30], 90)).astype("Int64"),
    "dtype category": pd.Series(RNG.choice(["x", "y", None], 90)).astype("category"),
    "numbers and strings": pd.Series(RNG.choice(np.array([1, "1", 2.5, None], object), 90)),
}
each_column = pytest.mark.parametrize("column", COLUMNS.values(), ids=COLUMNS)
ENDS = [0, 31, 31, 60]


def cut(column):
    """Return parts, the second of which is empty."""
    return [column.iloc[a:b] for a, b in zip(ENDS, [*ENDS[1:], None], strict=True)]


def total(parts):
    return sum(parts[1:], parts[0])


def assert_same_values(found, expected):
    assert found.dtype == expected.dtype
    pd.testing.assert_index_equal(pd.Index(found), pd.Index(expected))


@each_column
def test_categories_of_parts_are_those_of_the_column(column):
    parts = [learn_vocabulary(part, "c") for part in cut(column)]
    seen = [SeenCategories(vocabulary, False) for vocabulary, _ in parts]
    found = total(seen).with_rare(len(column), None, None)
    expected, codes = learn_vocabulary(column, "c")
    assert_same_values(found.categories, expected.categories)
    assert_array_equal(found.counts, expected.counts)
    of_parts = [
        part.table_rows(found).take(of_part)
        for part, (_, of_part) in zip(seen, parts, strict=True)
    ]
    assert_array_equal(np.concatenate(of_parts), codes)


@each_column
def test_rare_categories_of_parts_are_those_of_the_column(column):
    seen = [SeenCategories(learn_vocabulary(part, "c")[0], False) for part in cut(column)]
    for rare in ((20, None), (0.2, None), (None, 2)):
        found = total(seen).with_rare(len(column), *rare)
        expected, _ = learn_vocabulary(column, "c", *rare)
        assert_array_equal(found.is_infrequent, expected.is_infrequent)


def test_listed_categories_of_parts_keep_their_order():
    column, listed = COLUMNS["strings"], list("hgfzedc")
    parts = [given_vocabulary(part, "c", listed) for part in cut(column)]
    seen = [SeenCategories(vocabulary, True) for vocabulary, _ in parts]
    found = total(seen).with_rare(len(column), None, None)
    expected, codes = given_vocabulary(column, "c", listed)
    assert_array_equal(found.categories, expected.categories)
    assert_array_equal(found.counts, expected.counts)
    of_parts = [
        part.table_rows(found).take(of_part)
        for part, (_, of_part) in zip(seen, parts, strict=True)
    ]
    # What is not listed reads the row behind all others.
    assert_array_equal(np.concatenate(of_parts), np.where(codes < 0, len(listed), codes))


def test_whole_numbers_beside_floats_are_not_rounded():
    large = 2**53 + 1
    parts = [pd.Series([large, large - 1]), pd.Series([0.5])]
    seen = [SeenCategories(learn_vocabulary(part, "c")[0], False) for part in parts]
    assert total(seen).vocabulary.categories.tolist() == [0.5, large - 1, large]


def merged(*parts):
    parts = [pd.Series(part) for part in parts]
    return total([SeenCategories(learn_vocabulary(p, "c")[0], False) for p in parts])


def test_times_of_several_units_and_zones_stay_what_they_are():
    far = pd.Series(np.array(["3000-01-01"], dtype="M8[s]"))
    near = pd.Series(np.array(["2000-01-01"], dtype="M8[ns]"))
    days = pd.Series(np.array([1], dtype="m8[D]").astype("m8[s]"))
    found = merged(far, near).vocabulary
    assert [pd.Timestamp(v).year for v in found.categories] == [2000, 3000]
    assert (found.encode(pd.concat([near, near])) == 0).all()
    assert found.encode(far).tolist() == [1]
    for parts in (
        (near, pd.Series(["u", "v"])),
        (near, near.dt.tz_localize("UTC")),
        (near, days),
        (days, pd.Series(["u"])),
        (near, pd.Series([7])),
        (near, near.astype(object)),
    ):
        found = merged(*parts).vocabulary
        for part in parts:
            assert (found.encode(part) >= 0).all()
        n_different = 1 if parts[1].equals(near.astype(object)) else sum(map(len, parts))
        assert len(found.categories) == n_different


def test_numbers_of_several_types_are_floats_if_floats_hold_them():
    found = merged([1, 2], [0.5, np.nan, 2.0]).vocabulary.categories
    assert_same_values(found, np.array([0.5, 1.0, 2.0, np.nan]))


# ------------------------------------------------------------------ numbers


def scaler_of_parts(values, weight, n_parts):
    cuts = np.array_split(np.arange(len(values)), n_parts)
    seen = total([see_numbers(values[c], weight[c]) for c in cuts])
    search = QuantileSearch(seen.weight, QUARTILES)
    for step in range(search.n_steps):
        search.narrow(
            total([next_bits(values[c], weight[c], search.begins, step) for c in cuts])
        )
    return seen.scaler(["a"] * values.shape[1], search.quantiles)


def draw_numbers(rng, n_rows):
    values = np.column_stack(
        [
            rng.normal(size=n_rows),
            rng.lognormal(sigma=5, size=n_rows) * rng.choice([-1, 1], n_rows),
            rng.integers(-2, 3, size=n_rows),
            rng.random(n_rows) < 0.01,
            np.full(n_rows, 7.0),
            np.full(n_rows, np.nan),
            rng.choice([-1e300, -0.0, 0.0, 5e-324], n_rows),
        ]
    )
    values[::7, 1] = np.nan
    return values


@pytest.mark.parametrize("n_parts", [1, 2, 13])
@pytest.mark.parametrize("n_rows", [13, 2_000])
def test_scales_of_parts_are_those_of_the_rows(n_parts, n_rows):
    rng = np.random.default_rng(n_rows)
    values = draw_numbers(rng, n_rows)
    for weight in (np.ones(n_rows), rng.integers(1, 4, size=n_rows).astype(float)):
        found = scaler_of_parts(values, weight, n_parts)
        expected = learn_context(values, weight, ["a"] * values.shape[1])
        assert_array_equal(found.center, expected.center)
        assert_array_equal(found.scale, expected.scale)
        assert_array_equal(found.with_indicator, expected.with_indicator)


@pytest.mark.parametrize("weight", ["a tenth", "a third", "random"])
def test_quartiles_under_fractional_weights_are_numbers_of_the_rows(weight):
    rng = np.random.default_rng(0)
    for n_rows in [*range(1, 40), 1_000]:
        values = rng.normal(size=(n_rows, 1))
        weights = rng.uniform(0.01, 2, size=n_rows)
        if weight != "random":
            weights = np.full(n_rows, {"a tenth": 0.1, "a third": 1 / 3}[weight])
        search = QuantileSearch(see_numbers(values, weights).weight, QUARTILES)
        for step in range(search.n_steps):
            search.narrow(next_bits(values, weights, search.begins, step))
        for share, found in zip(QUARTILES, search.quantiles[0], strict=True):
            assert found in values
            at_most, below = (
                weights[side(values[:, 0], found)].sum() / weights.sum()
                for side in (np.less_equal, np.less)
            )
            # But for the rounding of sums.
            assert below - 1e-12 <= share <= at_most + 1e-12


def test_a_quantile_beyond_the_sum_by_rounding_is_the_last_number():
    values, weight = np.arange(10.0)[:, None], np.full(10, 0.1)
    search = QuantileSearch(np.array([weight.sum() * (1 + 1e-15)]), (1.0,))
    for step in range(search.n_steps):
        search.narrow(next_bits(values, weight, search.begins, step))
    assert search.quantiles.tolist() == [[9.0]]


# ------------------------------------------------------------------ targets

# More than the values that may be labels.
N_TARGETS = 360
TARGETS = {
    "floats": RNG.normal(size=N_TARGETS),
    "whole numbers of many values": RNG.integers(1_000, size=N_TARGETS) * 7,
    "floats of few values": RNG.choice([0.5, 1.5, 2.0], N_TARGETS),
    "zeros and ones": RNG.integers(2, size=N_TARGETS),
    "labels": RNG.choice(np.array(["no", "yes", "perhaps"], object), N_TARGETS),
    "booleans": RNG.integers(2, size=N_TARGETS).astype(bool),
    "whole labels": RNG.integers(5, size=N_TARGETS),
    "floats that are labels": RNG.integers(3, size=N_TARGETS).astype(float),
    "two columns": RNG.normal(size=(N_TARGETS, 2)),
    "an indicator": RNG.integers(2, size=(N_TARGETS, 3)),
}


@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
def test_target_of_parts_is_read_as_that_of_the_rows(y):
    found = total(
        [see_target(as_target(y[c])) for c in np.array_split(np.arange(N_TARGETS), 4)]
    )
    read = found.read("auto")
    expected = read_target(as_target(y), "auto", np.ones(N_TARGETS))
    assert (read.type, read.output_names) == (expected.type, expected.output_names)
    if expected.classes is None:
        assert read.classes is None
        assert_allclose(found.size, np.abs(y.reshape(N_TARGETS, -1)).max(axis=0))
    else:
        assert_same_values(read.classes, expected.classes)


def test_whole_numbers_of_too_many_values_in_all_parts_together_are_no_labels():
    y = np.arange(150)
    parts = [see_target(as_target(part)) for part in np.array_split(y, 3)]
    assert total(parts).read("auto").type == "continuous"
    assert parts[0].read("auto").type == "multiclass"


def test_labels_that_were_asked_for_may_be_many():
    y = np.arange(400) % 150
    parts = [see_target(as_target(part), True) for part in np.array_split(y, 4)]
    assert_array_equal(total(parts).read("multiclass").classes, np.arange(150))


def test_values_that_are_kept_do_not_grow_with_the_rows():
    y = np.random.default_rng(0).normal(size=10_000)
    y[1::2] = np.arange(5_000)
    parts = [see_target(as_target(part)) for part in np.array_split(y, 10)]
    assert len(total(parts).values[0]) <= 2 * 101
    assert total(parts).read("auto").type == "continuous"


def test_parts_of_other_columns_are_named():
    parts = [see_target(as_target(np.ones((5, n)))) for n in (2, 3)]
    with pytest.raises(
        ValueError, match="3 column\\(s\\) in one partition and 2 in another"
    ):
        total(parts)
