from __future__ import annotations

import datetime
import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.preprocessing import OneHotEncoder

from sk_embed._columns.comparable import SHORT
from sk_embed._columns.vocabulary import UNKNOWN, given_vocabulary, learn_vocabulary

MISSING_VALUES = [None, float("nan"), np.float64("nan"), pd.NA, pd.NaT]

# The same two numbers, as each dtype writes them.
ZEROS_AND_ONES = {
    "int64": pd.Series([0, 1]),
    "uint8": pd.Series([0, 1], dtype="uint8"),
    "float64": pd.Series([0.0, 1.0]),
    "bool": pd.Series([False, True]),
    "Int64": pd.Series([0, 1], dtype="Int64"),
    "Float64": pd.Series([0, 1], dtype="Float64"),
    "boolean": pd.Series([False, True], dtype="boolean"),
    "category": pd.Series([0, 1], dtype="category"),
    "object": pd.Series([0, True], dtype=object),
}

STRINGS = {
    "object": pd.Series(["b", "a", None], dtype=object),
    "str": pd.Series(["b", "a", None], dtype="str"),
    "string": pd.Series(["b", "a", None], dtype="string"),
    "arrow": pd.Series(["b", "a", None], dtype="string[pyarrow]"),
    "category": pd.Series(["b", "a", None], dtype="category"),
}

DAYS = pd.Series(pd.to_datetime(["2020-03-01", "2020-01-01", None, "2020-03-01"]))


def objects(*values):
    return pd.Series(values, dtype=object)


def learn(values, **settings):
    vocabulary, codes = learn_vocabulary(pd.Series(values), "brand", **settings)
    assert_array_equal(codes, vocabulary.encode(pd.Series(values)))
    return vocabulary


def give(values, categories):
    vocabulary, codes = given_vocabulary(pd.Series(values), "brand", categories)
    assert_array_equal(codes, vocabulary.encode(pd.Series(values)))
    return vocabulary


# ---------------------------------------------------------------- order and counts


def test_categories_are_sorted_and_counted():
    vocabulary = learn(["plum", "fig", "plum", "apple", "plum"])
    assert vocabulary.categories.tolist() == ["apple", "fig", "plum"]
    assert vocabulary.counts.tolist() == [1, 1, 3]


def test_numbers_are_sorted_as_numbers():
    assert learn([10, 9, -1]).categories.tolist() == [-1, 9, 10]
    assert learn([np.inf, 1.5, -np.inf]).categories.tolist() == [-np.inf, 1.5, np.inf]


def test_numbers_among_strings_are_sorted_as_numbers():
    vocabulary = learn(objects("b", 10, "a", 9))
    assert vocabulary.categories.tolist() == [9, 10, "a", "b"]


@pytest.mark.parametrize("one", [1, 1.0, True], ids=str)
def test_order_of_mixed_types_does_not_depend_on_which_of_equal_numbers_came_first(one):
    # 1 == 1.0 == True: they are one category, which must have one place.
    vocabulary = learn(objects(one, "a", 2.5, 1, 1.0, True))
    assert vocabulary.categories.tolist() == [1, 2.5, "a"]


def test_order_does_not_depend_on_the_order_of_rows():
    values = ["b", 10, "a", 2.5, (1, 2), None, b"a", 9]
    first = learn(objects(*values)).categories[:-1]
    second = learn(objects(*values[::-1])).categories[:-1]
    assert first.tolist() == second.tolist()


def test_each_value_is_encoded_by_its_place_in_categories():
    values = objects("b", 10, "a", 2.5, (1, 2), None, b"a", "10", 9)
    vocabulary = learn(values)
    codes = vocabulary.encode(values)
    found = vocabulary.categories[codes]
    assert sorted(codes) == list(range(len(values)))
    assert all(a is b or a == b for a, b in zip(found[:5], values[:5], strict=True))


def test_numbers_and_dates_keep_their_dtype_and_all_else_is_object():
    assert learn([2, 1]).categories.dtype == np.int64
    assert learn([2.0, None]).categories.dtype == np.float64
    assert learn(DAYS).categories.dtype.kind == "M"
    assert learn(["b", "a"]).categories.dtype == object


# ---------------------------------------------------------------- missing, unknown


@pytest.mark.parametrize("missing", MISSING_VALUES, ids=repr)
def test_each_kind_of_missing_is_the_one_last_category(missing):
    vocabulary = learn(objects("b", missing, "a"))
    assert vocabulary.categories[:-1].tolist() == ["a", "b"]
    assert pd.isna(vocabulary.categories[-1])
    assert_array_equal(vocabulary.encode(objects(*MISSING_VALUES)), 2)


def test_all_kinds_of_missing_are_counted_as_one_category():
    vocabulary = learn(objects("a", *MISSING_VALUES))
    assert len(vocabulary.categories) == 2
    assert vocabulary.counts.tolist() == [1, len(MISSING_VALUES)]


def test_unknown_is_minus_one():
    codes = learn(["b", "a", None]).encode(objects("a", "z", None, 3, ""))
    assert codes.tolist() == [0, UNKNOWN, 2, UNKNOWN, UNKNOWN]


@pytest.mark.parametrize("values", [["a", "b"], [1, 2], [1.0, 2.0], [True, False]])
def test_missing_that_was_not_in_fit_is_unknown(values):
    assert learn(values).encode(objects(None, np.nan)).tolist() == [UNKNOWN, UNKNOWN]


@pytest.mark.parametrize("values", [[None, None], [np.nan, np.nan]], ids=repr)
def test_a_column_that_is_all_missing_has_one_category(values):
    vocabulary = learn(values)
    assert len(vocabulary.categories) == 1
    assert vocabulary.encode(objects(None, "a", 0.0)).tolist() == [0, UNKNOWN, UNKNOWN]


def test_integers_with_missing_stay_integers():
    categories = learn(pd.Series([3, None, 1], dtype="Int64")).categories
    assert [type(category) for category in categories[:2]] == [int, int]
    assert categories[:2].tolist() == [1, 3]


def test_check_names_column_category_and_row():
    column = objects("a", "zebra")
    vocabulary = learn(["a", "b"])
    with pytest.raises(ValueError, match=r"'brand'.*'zebra' in row 1"):
        vocabulary.check(vocabulary.encode(column), column, "error")


def test_check_accepts_known():
    vocabulary = learn(["a", None])
    vocabulary.check(vocabulary.encode(objects("a", None)), objects("a", None), "error")


# ---------------------------------------------------------------- dtypes


@pytest.mark.parametrize("later", ZEROS_AND_ONES)
@pytest.mark.parametrize("first", ZEROS_AND_ONES)
def test_equal_numbers_are_one_category_whatever_their_dtype(first, later):
    vocabulary = learn(ZEROS_AND_ONES[first])
    assert vocabulary.encode(ZEROS_AND_ONES[later]).tolist() == [0, 1]


@pytest.mark.parametrize("first", ["int64", "float64", "bool", "boolean", "object"])
def test_numbers_are_known_when_they_come_with_strings_and_missing(first):
    # A column of an array of objects, or one whose dtype a missing value has changed.
    codes = learn(ZEROS_AND_ONES[first]).encode(objects("x", 1, None, 0.0, True, "1"))
    assert codes.tolist() == [UNKNOWN, 1, UNKNOWN, 0, 1, UNKNOWN]


@pytest.mark.parametrize("first", ZEROS_AND_ONES)
def test_a_string_of_digits_is_not_the_number(first):
    column = ZEROS_AND_ONES[first]
    assert learn(column).encode(pd.Series(["0", "1"])).tolist() == [UNKNOWN] * 2
    assert learn(["0", "1"]).encode(column).tolist() == [UNKNOWN] * 2


def test_equal_numbers_of_different_type_are_one_category_and_the_string_another():
    vocabulary = learn(objects(1, 1.0, True, "1", np.int8(1)))
    assert vocabulary.counts.tolist() == [4, 1]


def test_fractions_are_not_rounded_to_known_integers():
    codes = learn([1, 2, 3]).encode(pd.Series([1.0, 2.5, np.nan, 3.0]))
    assert codes.tolist() == [0, UNKNOWN, UNKNOWN, 2]


@pytest.mark.parametrize("later", STRINGS)
@pytest.mark.parametrize("first", STRINGS)
def test_equal_strings_are_one_category_whatever_their_dtype(first, later):
    vocabulary = learn(STRINGS[first])
    assert vocabulary.categories[:2].tolist() == ["a", "b"]
    assert vocabulary.encode(STRINGS[later]).tolist() == [1, 0, 2]


def test_numpy_strings_are_the_same_as_objects():
    vocabulary = learn(np.array(["b", "a"]))
    assert vocabulary.encode(objects("a", "b", "c")).tolist() == [0, 1, UNKNOWN]


def test_unused_categories_of_a_category_dtype_are_not_learned():
    column = pd.Series(pd.Categorical(["b", None, "a"], categories=["z", "b", "a", "q"]))
    vocabulary = learn(column)
    assert vocabulary.categories[:2].tolist() == ["a", "b"]
    assert vocabulary.counts.tolist() == [1, 1, 1]
    assert vocabulary.encode(pd.Series(["z", "q"])).tolist() == [UNKNOWN, UNKNOWN]


def test_category_dtype_may_list_its_categories_in_another_order_later():
    vocabulary = learn(pd.Series(pd.Categorical(["a", "b", "c"])))
    later = pd.Series(pd.Categorical(["c", "a", "d", None], categories=["d", "c", "a"]))
    assert vocabulary.encode(later).tolist() == [2, 0, UNKNOWN, UNKNOWN]


def test_an_ordered_category_dtype_is_still_sorted_by_value():
    sizes = pd.Categorical(["S", "L"], categories=["S", "L"], ordered=True)
    assert learn(pd.Series(sizes)).categories.tolist() == ["L", "S"]


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean"])
def test_nullable_columns_have_missing_as_a_category(dtype):
    column = pd.Series([1, None, 0, 1], dtype=dtype)
    vocabulary = learn(column)
    assert vocabulary.categories[:2].tolist() == [0, 1]
    assert vocabulary.counts.tolist() == [1, 2, 1]
    assert vocabulary.encode(column).tolist() == [1, 2, 0, 1]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("first_unit", ["s", "ns"])
def test_dates_are_known_in_any_unit(first_unit, unit):
    vocabulary = learn(DAYS.astype(f"datetime64[{first_unit}]"))
    assert vocabulary.counts.tolist() == [1, 2, 1]
    assert vocabulary.encode(DAYS.astype(f"datetime64[{unit}]")).tolist() == [1, 0, 2, 1]


def test_dates_are_known_in_units_that_do_not_reach_as_far():
    far = np.array(["0520-09-09", "2020-01-01", "7968-09-19"], dtype="M8[s]")
    learned = learn(far)
    near = pd.Series(np.array(["2020-01-01", "1999-01-01"], dtype="M8[ns]"))
    assert learned.encode(near).tolist() == [1, UNKNOWN]
    long = np.array([1, 10**12], dtype="m8[s]")
    learned = learn(long)
    assert learned.encode(pd.Series(long[:1].astype("m8[ns]"))).tolist() == [0]


def test_dates_are_known_as_timestamps_in_an_object_column():
    assert learn(DAYS).encode(DAYS.astype(object)).tolist() == [1, 0, 2, 1]
    assert learn(DAYS.astype(object)).encode(DAYS).tolist() == [1, 0, 2, 1]


@pytest.mark.parametrize(
    "column",
    [
        DAYS.dt.tz_localize("UTC"),
        DAYS - DAYS.min(),
        DAYS.dt.to_period("M"),
        DAYS.dt.date.astype(object),
    ],
    ids=["time zone", "timedelta", "period", "datetime.date"],
)
def test_other_times_are_categories_too(column):
    vocabulary = learn(column)
    assert vocabulary.counts.tolist() == [1, 2, 1]
    assert vocabulary.encode(column).tolist() == [1, 0, 2, 1]


@pytest.mark.parametrize("others", [[], ["not a date"]], ids=["alone", "beside another"])
@pytest.mark.parametrize("dates", [DAYS, DAYS.dt.tz_localize("UTC")], ids=["naive", "UTC"])
def test_dates_are_not_the_strings_that_write_them(dates, others):
    # Whatever the answer, it must not depend on the other rows.
    codes = learn(dates).encode(pd.Series(["2020-03-01", *others]))
    assert codes.tolist() == [UNKNOWN] * (1 + len(others))


def test_intervals_are_not_the_numbers_within():
    intervals = pd.Series(pd.arrays.IntervalArray.from_breaks([0, 1, 2]))
    assert learn(intervals).encode(intervals).tolist() == [0, 1]
    assert learn(intervals).encode(pd.Series([0.5, 1.5])).tolist() == [UNKNOWN] * 2


def test_midnight_is_not_the_day_it_begins():
    # pandas is about to stop comparing the two: no warning may reach the user.
    day = objects(datetime.date(2020, 3, 1))
    learn(DAYS).encode(day)
    learn(day).encode(DAYS)


# ---------------------------------------------------------------- infrequent

COLUMNS = {
    "strings": ["a"] * 5 + ["b"] * 4 + ["c"] * 3 + ["d", "d", "e"],
    "one is rare": ["a"] * 5 + ["b"] * 4 + ["c"],
    "ties": ["a", "a", "b", "b", "c", "c", "d", "d"],
    "missing is rare": ["a"] * 5 + ["b"] * 4 + ["c", None],
    "missing is frequent": [1.0] * 5 + [2.0] * 4 + [3.0] + [np.nan] * 6,
    "integers": [7] * 5 + [11] * 4 + [9] * 3 + [1, 1, 12],
}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize(
    "settings",
    [
        {"min_frequency": 1},
        {"min_frequency": 2},
        {"min_frequency": 3},
        {"min_frequency": 99},
        {"min_frequency": 0.2},
        {"min_frequency": 0.001},
        {"max_categories": 1},
        {"max_categories": 2},
        {"max_categories": 3},
        {"max_categories": 4},
        {"max_categories": 9},
        {"min_frequency": 2, "max_categories": 3},
        {"min_frequency": 4, "max_categories": 4},
    ],
    ids=str,
)
def test_infrequent_categories_are_those_of_one_hot_encoder(name, settings):
    # handle_unknown="ignore" changes nothing but is OneHotEncoder's most common use.
    one_hot = OneHotEncoder(handle_unknown="ignore", **settings)
    one_hot.fit(pd.DataFrame({"brand": COLUMNS[name]}))
    infrequent = learn(COLUMNS[name], **settings).infrequent_categories
    expected = one_hot.infrequent_categories_[0]
    assert (infrequent is None) == (expected is None)
    if expected is not None:
        assert as_text(infrequent) == as_text(expected)


def as_text(categories):
    # OneHotEncoder's missing is None or NaN, as the version of pandas holds it.
    return ["missing" if pd.isna(value) else str(value) for value in categories]


def test_infrequent_categories_read_one_row_behind_all_others():
    vocabulary = learn(COLUMNS["strings"], min_frequency=3)
    assert vocabulary.groups.tolist() == [0, 1, 2, 3, 3]
    assert vocabulary.n_groups == 4


def test_infrequent_categories_keep_their_own_codes():
    vocabulary = learn(COLUMNS["strings"], min_frequency=3)
    codes = vocabulary.encode(pd.Series(["d", "e", "a", "zebra"]))
    assert codes.tolist() == [3, 4, 0, UNKNOWN]
    # Unknown reads the row behind all tables' rows, not the one that is shared.
    assert vocabulary.table_rows[codes].tolist() == [3, 3, 0, 4]


def test_a_share_counts_missing_rows_too():
    column = ["a"] * 3 + ["b"] * 2 + ["c"] * 2 + [None] * 13
    infrequent = learn(column, min_frequency=0.15).infrequent_categories
    assert infrequent.tolist() == ["b", "c"]


def test_without_settings_no_category_is_infrequent():
    vocabulary = learn(COLUMNS["strings"])
    assert vocabulary.infrequent_categories is None
    assert vocabulary.groups.tolist() == [0, 1, 2, 3, 4]


# ---------------------------------------------------------------- given categories


def test_given_categories_keep_the_order_in_which_they_are_given():
    vocabulary = give(["a", "b", "a"], ["b", "q", "a"])
    assert vocabulary.categories.tolist() == ["b", "q", "a"]
    assert vocabulary.counts.tolist() == [1, 0, 2]
    assert vocabulary.encode(pd.Series(["a", "b", "q"])).tolist() == [2, 0, 1]


def test_values_that_are_not_given_are_unknown():
    codes = give(["a", "b"], ["b"]).encode(pd.Series(["a", "b", None]))
    assert codes.tolist() == [UNKNOWN, 0, UNKNOWN]


def test_missing_can_be_given_and_is_put_last():
    vocabulary = give(["a", None, "b"], [None, "b", "a"])
    assert vocabulary.categories[:2].tolist() == ["b", "a"]
    assert vocabulary.counts.tolist() == [1, 1, 1]
    assert vocabulary.encode(objects(np.nan, "a")).tolist() == [2, 1]


@pytest.mark.parametrize("kind", [list, tuple, np.array, pd.Index, pd.Series])
def test_categories_can_be_given_as_any_sequence(kind):
    assert give([1, 2], kind([2, 1])).categories.tolist() == [2, 1]


@pytest.mark.parametrize("repeated", [["b", "a", "b"], [1, 1.0], [None, np.nan, "a"]])
def test_a_category_that_is_given_twice_is_an_error_that_names_the_column(repeated):
    with pytest.raises(ValueError, match=r"'brand'.*repeat"):
        give(["a"], repeated)


def test_an_empty_list_of_categories_is_an_error_that_names_the_column():
    with pytest.raises(ValueError, match="'brand'"):
        give(["a"], [])


# ---------------------------------------------------------------- not a category


@pytest.mark.parametrize("value", [{}, [], set(), bytearray()], ids=repr)
def test_an_unhashable_value_is_a_type_error_that_names_column_type_and_row(value):
    # scikit-learn's common check asks for the phrase.
    with pytest.raises(TypeError, match="argument must be a string or a number") as raised:
        learn(objects("a", value))
    assert "'brand'" in str(raised.value)
    assert f"a {type(value).__name__} in row 1" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_unhashable_value_is_the_same_error_at_transform():
    with pytest.raises(TypeError, match=r"'brand'.*argument must be a string or a number"):
        learn(["a"]).encode(objects("a", {}))


def test_an_unhashable_given_category_is_an_error_that_names_the_column():
    with pytest.raises(TypeError, match="'brand'"):
        give(["a"], ["a", {}])


# ---------------------------------------------------------------- pickles


@pytest.mark.parametrize(
    "column",
    [objects("b", 1, None), pd.Series([2, 1]), pd.Series([True, False]), DAYS],
    ids=["objects", "integers", "bool", "dates"],
)
def test_pickling_leaves_look_ups_intact(column):
    vocabulary = learn(column)
    expected = vocabulary.encode(column)
    loaded = pickle.loads(pickle.dumps(vocabulary))
    assert_array_equal(loaded.encode(column), expected)
    assert loaded.encode(objects("zebra")).tolist() == [UNKNOWN]


def test_a_pickle_does_not_grow_by_use():
    vocabulary = learn([f"category {number}" for number in range(100)])
    before = pickle.dumps(vocabulary)
    vocabulary.encode(pd.Series(["category 1"]))
    assert pickle.dumps(vocabulary) == before


@pytest.mark.parametrize(
    "values",
    [
        ["a", None, "c", "a"],
        [1, 2, 3, 2],
        [1.5, float("nan"), 2.5, 9.0],
        [True, None, False, True],
        pd.Categorical(["a", None, "b", "a"], categories=["z", "b", "a"]),
        pd.to_datetime(["2020-01-01", None, "2021-01-01", "2020-01-01"]),
        pd.array([1, None, 2, 1], dtype="Int64"),
        pd.array([True, None, False, True], dtype="boolean"),
        pd.array(["a", None, "c", "a"], dtype="string"),
    ],
    ids=lambda values: str(getattr(values, "dtype", type(values[0]).__name__)),
)
def test_few_rows_are_encoded_as_many_are(values):
    column = pd.Series(values)
    many = pd.concat([column] * 50, ignore_index=True)
    vocabulary, codes = learn_vocabulary(many, "brand")
    assert len(column) <= SHORT < len(many)
    assert_array_equal(vocabulary.encode(column), codes[: len(column)])
    assert_array_equal(vocabulary.encode(many), codes)


@pytest.mark.parametrize(("value", "name"), [(["b"], "list"), ((1, ["b"]), "tuple")])
@pytest.mark.parametrize("n_rows", [3, 300])
def test_what_cannot_be_hashed_is_named_in_few_rows_and_in_many(n_rows, value, name):
    vocabulary = learn(["a", "b"])
    column = pd.Series(["a"] * (n_rows - 1) + [value], dtype=object)
    with pytest.raises(TypeError, match=f"'brand'.*a {name} in row {n_rows - 1}"):
        vocabulary.encode(column)


@pytest.mark.parametrize("n_rows", [2, 300])
def test_a_column_of_no_categories_is_missing_throughout(n_rows):
    column = pd.Series(pd.Categorical([None] * n_rows))
    assert learn(["a", None]).encode(column).tolist() == [1] * n_rows
    assert learn(["a"]).encode(column).tolist() == [UNKNOWN] * n_rows


def test_an_unknown_category_is_named_with_its_row_in_the_table():
    vocabulary, column = learn(["a", "b"]), pd.Series(["a", "zebra"])
    codes, row_numbers = vocabulary.encode(column), np.array([3, 7])
    with pytest.raises(ValueError, match="'zebra' in row 7"):
        vocabulary.check(codes, column, "error", row_numbers)
