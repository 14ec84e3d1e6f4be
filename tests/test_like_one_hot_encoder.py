"""The behaviours that scikit-learn's tests ask of OneHotEncoder, asked of ours.

``STANDS_FOR`` lists the tests of ``sklearn/preprocessing/tests/test_encoders.py`` (1.9.1),
OrdinalEncoder's among them, under what stands for them here. "One hot" reads: two rows have
the same vector if and only if they are in the same category, or both in infrequent ones.

Ours differs on purpose: unknown categories are zeros beside infrequent ones too; None and
NaN are one category; missing is put last wherever it is given, and numbers may be given in
any order; categories that are strings or bytes are held as objects, and bytes are no
strings; missing is infrequent where it has few rows, as in OneHotEncoder.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags

from sk_embed import EmbeddingEncoder

# Each test of this module, or the reason why there is none: scikit-learn's tests.
STANDS_FOR = {
    "test_each_category_has_its_vector": [
        "test_one_hot_encoder",
        "test_one_hot_encoder_pandas",
        "test_ohe_missing_value_support_pandas",
        "test_ordinal_encoder",
    ],
    "test_unknown_is_zeros_or_an_error": [
        "test_one_hot_encoder_handle_unknown",
        "test_ordinal_encoder_handle_unknowns_string",
        "test_ordinal_encoder_handle_unknowns_numeric",
    ],
    "test_strings_of_another_length_are_unknown": [
        "test_one_hot_encoder_handle_unknown_strings",
        "test_ordinal_encoder_handle_unknown_string_dtypes",
    ],
    "test_the_output_has_its_dtype_whatever_the_inputs": [
        "test_one_hot_encoder_dtype",
        "test_one_hot_encoder_dtype_pandas",
    ],
    "test_names_are_numbered_or_given": [
        "test_one_hot_encoder_feature_names",
    ],
    "test_names_may_hold_any_letter": [
        "test_one_hot_encoder_feature_names_unicode",
    ],
    "test_parameters_are_read_at_each_fit": [
        "test_one_hot_encoder_set_params",
    ],
    "test_x_must_be_a_table": [
        "test_X_is_not_1D",
        "test_X_is_not_1D_pandas",
    ],
    "test_categories_do_not_depend_on_the_order_of_rows": [
        "test_one_hot_encoder_categories",
    ],
    "test_given_categories_are_kept_and_others_refused": [
        "test_one_hot_encoder_specified_categories",
        "test_ordinal_encoder_specified_categories",
        "test_ordinal_encoder_fit_with_unseen_category",
    ],
    "test_given_categories_keep_their_order": [
        "test_one_hot_encoder_unsorted_categories",
    ],
    "test_missing_may_be_given_anywhere": [
        "test_encoder_nan_ending_specified_categories",
        "test_ordinal_encoder_specified_categories_missing_passthrough",
    ],
    "test_columns_may_be_given_categories_of_several_types": [
        "test_one_hot_encoder_specified_categories_mixed_columns",
    ],
    "test_categories_need_a_list_for_each_column": [
        "test_ordinal_encoder_raise_categories_shape",
    ],
    "test_categories_have_the_dtype_of_the_column": [
        "test_encoder_dtypes",
        "test_encoder_dtypes_pandas",
        "test_predefined_categories_dtype",
    ],
    "test_the_tags_tell_of_categories": [
        "test_encoders_has_categorical_tags",
    ],
    "test_infrequent_categories_share_a_vector": [
        "test_ohe_infrequent_two_levels",
        "test_ohe_infrequent_three_levels",
        "test_ordinal_encoder_infrequent_three_levels",
    ],
    "test_infrequent_categories_are_known": [
        "test_ohe_infrequent_handle_unknown_error",
    ],
    "test_given_categories_without_rows_are_infrequent": [
        "test_ohe_infrequent_two_levels_user_cats_one_frequent",
    ],
    "test_given_categories_that_are_infrequent_keep_their_order": [
        "test_ohe_infrequent_two_levels_user_cats",
        "test_ohe_infrequent_three_levels_user_cats",
        "test_ordinal_encoder_infrequent_three_levels_user_cats",
    ],
    "test_infrequent_categories_are_of_their_column": [
        "test_ohe_infrequent_mixed",
        "test_ordinal_encoder_infrequent_mixed",
    ],
    "test_ties_among_infrequent_categories_go_by_order": [
        "test_ohe_infrequent_multiple_categories",
        "test_ohe_infrequent_multiple_categories_dtypes",
        "test_ordinal_encoder_infrequent_multiple_categories_dtypes",
    ],
    "test_all_categories_may_be_infrequent": [
        "test_ohe_infrequent_one_level_errors",
        "test_ordinal_encoder_all_infrequent",
    ],
    "test_given_categories_may_none_of_them_occur": [
        "test_ohe_infrequent_user_cats_unknown_training_errors",
    ],
    "test_given_strings_may_be_of_any_dtype": [
        "test_encoders_string_categories",
    ],
    "test_given_bytes_may_be_objects_or_not": [
        "test_encoders_string_categories",
    ],
    "test_given_bytes_are_not_the_strings_of_a_column": [
        "test_mixed_string_bytes_categoricals",
    ],
    "test_missing_in_a_category_column_has_its_vector": [
        "test_ohe_missing_value_support_pandas_categorical",
        "test_ordinal_encoder_missing_value_support_pandas_categorical",
    ],
    "test_a_category_cannot_be_given_twice": [
        "test_encoder_duplicate_specified_categories",
    ],
    "test_missing_is_known_if_it_was_there_and_unknown_otherwise": [
        "test_ordinal_encoder_handle_missing_and_unknown",
        "test_ordinal_encoder_unknown_missing_interaction",
        "test_ordinal_encoder_unknown_missing_interaction_both_nan",
    ],
    "test_sparse_tables_are_an_error": [
        "test_ordinal_encoder_sparse",
    ],
    "test_integers_may_be_of_any_size": [
        "test_ordinal_encoder_python_integer",
    ],
    "test_names_are_those_of_the_frame": [
        "test_ordinal_encoder_features_names_out_pandas",
    ],
    "test_frames_come_out_as_arrays_do": [
        "test_one_hot_encoder_set_output",
        "test_ordinal_set_output",
    ],
    "test_missing_is_infrequent_like_any_category": [
        "test_ordinal_encoder_infrequent_custom_mapping",
        "test_ordinal_encoder_missing_appears_frequent",
        "test_ordinal_encoder_missing_appears_infrequent",
    ],
    "test_limits_that_no_category_meets_change_nothing": [
        "test_ordinal_encoder_all_frequent",
    ],
    "test_given_categories_do_not_make_a_fit": [
        "test_encoder_not_fitted",
    ],
    "none: the output is dense": [
        "test_one_hot_encoder_sparse_dense",
        "test_one_hot_encoder_sparse_index_array_int32",
        "test_ohe_more_informative_error_message",
    ],
    "none: no category is named in the name of a column": [
        "test_one_hot_encoder_custom_feature_name_combiner",
        "test_ohe_missing_values_get_feature_names",
    ],
    "none: there is no inverse_transform": [
        "test_one_hot_encoder_inverse",
        "test_one_hot_encoder_inverse_transform_raise_error_with_unknown",
        "test_ordinal_encoder_inverse",
    ],
    "none: no column is redundant, there is no drop": [
        "test_one_hot_encoder_inverse_if_binary",
        "test_one_hot_encoder_drop_reset",
        "test_one_hot_encoder_feature_names_drop",
        "test_one_hot_encoder_drop_equals_if_binary",
        "test_one_hot_encoder_drop_manual",
        "test_invalid_drop_length",
        "test_categories",
        "test_ohe_infrequent_two_levels_drop_frequent",
        "test_ohe_infrequent_two_levels_drop_infrequent_errors",
        "test_ohe_infrequent_three_levels_drop_frequent",
        "test_ohe_infrequent_three_levels_drop_infrequent_errors",
        "test_ohe_drop_first_handle_unknown_ignore_warns",
        "test_ohe_drop_if_binary_handle_unknown_ignore_warns",
        "test_ohe_drop_first_explicit_categories",
        "test_drop_idx_infrequent_categories",
    ],
    "none: unknown is zeros, no value for it is chosen": [
        "test_ordinal_encoder_handle_unknowns_nan",
        "test_ordinal_encoder_handle_unknowns_nan_non_float_dtype",
    ],
    "none: every warning is an error in these tests": [
        "test_one_hot_encoder_warning",
    ],
    'none: handle_unknown is "prior" or "error"': [
        "test_ohe_handle_unknown_warn",
        "test_onehotencoder_handle_unknown_warn_maps_to_infrequent",
    ],
    "none: missing has a vector, no value for it is chosen": [
        "test_ordinal_encoder_passthrough_missing_values_float_errors_dtype",
        "test_ordinal_encoder_passthrough_missing_values_float",
        "test_ordinal_encoder_encoded_missing_value_error",
        "test_ordinal_encoder_missing_unknown_encoding_max",
    ],
}

MISSING = [None, np.nan, float("nan"), pd.NA]
# The column of most tests of infrequent categories: 5, 20, 10 and 3 rows.
ABCD = np.repeat(["a", "b", "c", "d"], [5, 20, 10, 3]).astype(object)[:, None]


def encoder(**params):
    """Return an encoder by main effects alone, which differ for every category."""
    return EmbeddingEncoder(**{"n_components": 0, "alpha": 0.1, "cv": 2, **params})


def target(X):
    """Return a target on which every column and category has an effect of its own."""
    columns = pd.DataFrame(X)
    codes = [pd.factorize(columns.iloc[:, j])[0] for j in range(columns.shape[1])]
    return np.sum([np.sqrt(c + 2.5) * (1 + j / 7) for j, c in enumerate(codes)], axis=0)


def fit(X, **params):
    return encoder(**params).fit(X, target(X))


def objects(*rows):
    return np.array(rows, dtype=object)


def column(*values):
    array = np.empty((len(values), 1), dtype=object)
    array[:, 0] = values
    return array


def groups(vectors):
    """Return a number for each row, the same for the same vector, by first occurrence."""
    return pd.factorize(pd.Series([row.tobytes() for row in np.asarray(vectors)]))[
        0
    ].tolist()


def as_list(categories):
    """Return categories as a list in which missing equals missing."""
    return ["missing" if pd.isna(value) else value for value in categories]


# ---------------------------------------------------------------- one hot


@pytest.mark.parametrize(
    "X",
    [
        [["def", 1, 55], ["abc", 2, 55]],
        np.array([[10, 1, 55], [5, 2, 55]]),
        objects(["b", "A", "cat"], ["a", "B", "cat"]),
        pd.DataFrame({"a": ["b", "a"], "b": [1, 2], "c": [0.5, 0.5]}),
        pd.DataFrame({"a": ["b", None], "b": [1.0, np.nan], "c": [0.5, 0.5]}),
        *(objects(["b", 1, "cat"], ["a", missing, "cat"]) for missing in MISSING),
        *(objects([missing, 1, "cat"], ["a", 2, "cat"]) for missing in MISSING),
        *(objects([missing, 1, missing], ["a", 2, None]) for missing in MISSING),
    ],
    ids=str,
)
def test_each_category_has_its_vector(X):
    fitted = fit(X)
    encoded = fitted.transform(X)
    assert [len(categories) for categories in fitted.categories_] == [2, 2, 1]
    assert [groups(encoded[:, [j]]) for j in range(3)] == [[0, 1], [0, 1], [0, 0]]
    for j, table in enumerate(fitted.embeddings_):
        assert set(encoded[:, j]) == set(table[:, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("input_dtype", ["i4", "f4", "f8", "U1", object])
def test_the_output_has_its_dtype_whatever_the_inputs(input_dtype, dtype):
    X = np.array([[0], [1]]).astype(input_dtype)
    for table in (X, pd.DataFrame(X, columns=["A"])):
        fitted = encoder(dtype=dtype)
        assert fitted.fit_transform(table, [0.5, 1.5]).dtype == dtype
        assert fitted.transform(table).dtype == dtype


def test_parameters_are_read_at_each_fit():
    X = np.array([[1], [2]])
    fitted = encoder().set_params(categories=[[0, 1, 2, 3]])
    assert fitted.get_params()["categories"] == [[0, 1, 2, 3]]
    assert len(fitted.fit(X, [0.5, 1.5]).embeddings_[0]) == 4
    fitted.set_params(categories=[[0, 1, 2, 3, 4]])
    assert len(fitted.fit(X, [0.5, 1.5]).embeddings_[0]) == 5


def test_the_tags_tell_of_categories():
    assert get_tags(encoder()).input_tags.categorical


# ---------------------------------------------------------------- unknown


def test_unknown_is_zeros_or_an_error():
    X = np.array([[0, 2, 1], [1, 0, 3], [1, 0, 2]])
    new = np.array([[4, 1, 1]])
    before = new.copy()
    encoded = fit(X).transform(new)
    assert (encoded != 0).tolist() == [[False, False, True]]
    with pytest.raises(ValueError, match="unknown category 4 in row 0"):
        fit(X, handle_unknown="error").transform(new)
    assert_array_equal(new, before)


@pytest.mark.parametrize("later", ["U", object, list])
@pytest.mark.parametrize("first", ["U", object, list])
def test_strings_of_another_length_are_unknown(first, later):
    def convert(values, kind):
        return [[v] for v in values] if kind is list else np.array(values, kind)[:, None]

    fitted = fit(convert(["11111111", "22", "333", "4444"], first))
    encoded = fitted.transform(convert(["55555", "22", "1111111", "2"], later))
    assert (encoded[:, 0] != 0).tolist() == [False, True, False, False]


@pytest.mark.parametrize("known", [["c", "b"], [1.0, 4.0]], ids=str)
@pytest.mark.parametrize("missing", MISSING, ids=repr)
def test_missing_is_known_if_it_was_there_and_unknown_otherwise(known, missing):
    new = column("z" if isinstance(known[0], str) else 9.0, missing, known[0])
    with_missing = fit(column(*known, missing)).transform(new)
    without = fit(column(*known)).transform(new)
    assert (with_missing[:, 0] != 0).tolist() == [False, True, True]
    assert (without[:, 0] != 0).tolist() == [False, False, True]


# ---------------------------------------------------------------- categories


@pytest.mark.parametrize(
    ("X", "expected", "kinds"),
    [
        ([["abc", 55], ["def", 55]], [["abc", "def"], [55]], "OO"),
        (np.array([[1, 2], [3, 2]]), [[1, 3], [2]], "ii"),
        (objects(["A", "cat"], ["B", "cat"]), [["A", "B"], ["cat"]], "OO"),
        (np.array([["A", "cat"], ["B", "cat"]]), [["A", "B"], ["cat"]], "OO"),
        (np.array([[1, 2], [np.nan, 2]]), [[1, "missing"], [2]], "ff"),
        (objects(["A", np.nan], [None, None]), [["A", "missing"], ["missing"]], "OO"),
    ],
    ids=["mixed", "numbers", "objects", "strings", "missing floats", "missing objects"],
)
def test_categories_do_not_depend_on_the_order_of_rows(X, expected, kinds):
    for rows in (X, X[::-1]):
        categories = fit(rows).categories_
        assert isinstance(categories, list)
        assert [as_list(values) for values in categories] == expected
        for values, kind in zip(categories, kinds, strict=True):
            # Objects that are all numbers are held as numbers.
            assert values.dtype.kind in {kind, "f", "i"} if kind == "O" else kind


@pytest.mark.parametrize(
    ("X", "kinds"),
    [
        (np.array([[1, 2], [3, 4]], "int64"), "ii"),
        (np.array([[1, 2], [3, 4]], "float32"), "ff"),
        (np.array([["a", "b"], ["c", "d"]]), "OO"),
        (np.array([[b"a", b"b"], [b"c", b"d"]]), "OO"),
        (objects(["a", "b"], ["c", "d"]), "OO"),
        ([[1, 2], [3, 4]], "ii"),
        (pd.DataFrame({"A": [1, 2], "B": ["a", "b"]}), "iO"),
        (pd.DataFrame({"A": [1.0, 2.0], "B": [3, 4]}), "fi"),
    ],
    ids=str,
)
def test_categories_have_the_dtype_of_the_column(X, kinds):
    fitted = fit(X)
    assert "".join(values.dtype.kind for values in fitted.categories_) == kinds
    assert groups(fitted.transform(X)) == [0, 1]


def test_integers_may_be_of_any_size():
    numbers = [
        44253463435747313673,
        9867966753463435747313673,
        44253462342215747313673,
        442534634357764313673,
    ]
    fitted = fit(column(*numbers))
    assert fitted.categories_[0].tolist() == sorted(numbers)
    assert groups(fitted.transform(column(*numbers, 1))) == [0, 1, 2, 3, 4]


# ---------------------------------------------------------------- given categories


@pytest.mark.parametrize(
    ("known", "given", "unknown"),
    [
        (["a", "b"], ["a", "b", "c"], "d"),
        ([1, 2], [1, 2, 3], 4),
        ([0, 1], [-1, 0, 1], 5),
        (["a", "b"], np.array(["a", "b", "c"]), "d"),
        (["a", None], ["a", "z", None], "b"),
        (["a", None], ["a", "z", np.nan], "b"),
        (["a", "b"], ["a", "b", "z"], None),
        (["a", "b"], ["a", "b", "z"], np.nan),
    ],
    ids=str,
)
def test_given_categories_are_kept_and_others_refused(known, given, unknown):
    strict = fit(column(*known), categories=[given], handle_unknown="error")
    assert as_list(strict.categories_[0]) == as_list(given)
    assert strict.categories[0] is given
    assert groups(strict.transform(column(*known))) == [0, 1]
    with pytest.raises(ValueError, match="unknown category"):
        strict.transform(column(unknown))
    with pytest.raises(ValueError, match="unknown category"):
        fit(column(*known, unknown), categories=[given], handle_unknown="error")
    lenient = fit(column(*known, unknown), categories=[given])
    assert_array_equal(lenient.transform(column(unknown)), 0)


@pytest.mark.parametrize("given", [["b", "a", "c"], [2, 1, 3]], ids=str)
def test_given_categories_keep_their_order(given):
    X = column(*given[1::-1])
    fitted = fit(X, categories=[given])
    assert fitted.categories_[0].tolist() == given
    assert_array_equal(fitted.transform(X), fitted.embeddings_[0][[1, 0]])


@pytest.mark.parametrize("given", [[np.nan, 0, 1], [0, np.nan, 1], [0, 1, np.nan]], ids=str)
def test_missing_may_be_given_anywhere(given):
    fitted = fit(column(0, 1, None), categories=[given])
    assert as_list(fitted.categories_[0]) == [0, 1, "missing"]
    assert groups(fitted.transform(column(0, 1, np.nan))) == [0, 1, 2]


def test_columns_may_be_given_categories_of_several_types():
    X = objects(["a", 0], ["b", 2])
    fitted = fit(X, categories=[["a", "b", "c"], [0, 1, 2]])
    assert [values.tolist() for values in fitted.categories_] == [
        ["a", "b", "c"],
        [0, 1, 2],
    ]
    encoded = fitted.transform(X)
    assert_array_equal(encoded[:, 0], fitted.embeddings_[0][[0, 1], 0])
    assert_array_equal(encoded[:, 1], fitted.embeddings_[1][[0, 2], 0])


@pytest.mark.parametrize("given_dtype", ["U", object])
@pytest.mark.parametrize("dtype", ["U", object])
@pytest.mark.parametrize("kind", [np.array, list, pd.DataFrame])
def test_given_strings_may_be_of_any_dtype(dtype, given_dtype, kind):
    X = np.array([["b"], ["a"]], dtype=dtype)
    fitted = fit(X, categories=[np.array(["b", "a"], dtype=given_dtype)])
    assert fitted.categories_[0].dtype == object
    new = kind(np.array([["a"], ["a"], ["b"], ["a"]], dtype=dtype))
    assert_array_equal(fitted.transform(new), fitted.embeddings_[0][[1, 1, 0, 1]])


def test_given_bytes_may_be_objects_or_not():
    X = np.array([["b"], ["a"]], dtype="S")
    for given in (np.array(["b", "a"], dtype="S"), [b"b", b"a"]):
        fitted = fit(X, categories=[given])
        assert_array_equal(fitted.transform(X), fitted.embeddings_[0])


def test_given_bytes_are_not_the_strings_of_a_column():
    X = np.array([["b"], ["a"]])
    given = [np.array(["b", "a"], dtype="S")]
    with pytest.raises(ValueError, match="unknown category 'b'"):
        fit(X, categories=given, handle_unknown="error")
    with pytest.warns(UserWarning, match="held bytes in fit but holds strings"):
        fit(X, categories=given)


def test_a_category_cannot_be_given_twice():
    with pytest.raises(ValueError, match="categories of column 'x0' repeat"):
        fit(column("a", "b"), categories=[np.array(["a", "b", "a"], dtype=object)])


@pytest.mark.parametrize("given", [["Low", "Medium", "High"], [["Low"], ["High"]]], ids=str)
def test_categories_need_a_list_for_each_column(given):
    n_given = len(given)
    with pytest.raises(ValueError, match=f"categories lists {n_given} columns, but 1"):
        fit(column("Low", "High"), categories=given)


def test_given_categories_do_not_make_a_fit():
    with pytest.raises(NotFittedError):
        encoder(categories=[["A", "B", "C"]]).transform(column("A", "B", "C"))


# ---------------------------------------------------------------- infrequent

TWO_LEVELS = [
    {"max_categories": 2},
    {"min_frequency": 11},
    {"min_frequency": 0.29},
    {"max_categories": 2, "min_frequency": 6},
    {"max_categories": 4, "min_frequency": 12},
]
THREE_LEVELS = [
    {"max_categories": 3},
    {"min_frequency": 6},
    {"min_frequency": 9},
    {"min_frequency": 0.24},
    {"min_frequency": 0.16},
    {"max_categories": 3, "min_frequency": 8},
    {"max_categories": 4, "min_frequency": 6},
]


@pytest.mark.parametrize("categories", ["auto", [["a", "b", "c", "d"]]], ids=str)
@pytest.mark.parametrize(
    ("settings", "infrequent", "expected"),
    [(settings, ["a", "c", "d"], [0, 1, 0, 0, 2]) for settings in TWO_LEVELS]
    + [(settings, ["a", "d"], [0, 1, 2, 0, 3]) for settings in THREE_LEVELS],
    ids=str,
)
def test_infrequent_categories_share_a_vector(categories, settings, infrequent, expected):
    fitted = fit(ABCD, categories=categories, **settings)
    assert fitted.categories_[0].tolist() == ["a", "b", "c", "d"]
    assert fitted.infrequent_categories_[0].tolist() == infrequent
    encoded = fitted.transform(column("a", "b", "c", "d", "e"))
    assert groups(encoded) == expected
    assert_array_equal(encoded[-1], 0)


def test_infrequent_categories_are_known():
    fitted = fit(ABCD, max_categories=3, handle_unknown="error")
    assert groups(fitted.transform(column("b", "a", "c", "d"))) == [0, 1, 2, 1]
    with pytest.raises(ValueError, match="unknown category 'bad' in row 0"):
        fitted.transform(column("bad"))


@pytest.mark.parametrize(
    ("given", "n_vectors", "infrequent"),
    [(["c", "d", "a", "b"], 2, ["c", "d", "a"]), (["c", "d", "b", "a"], 3, ["d", "a"])],
    ids=str,
)
def test_given_categories_that_are_infrequent_keep_their_order(
    given, n_vectors, infrequent
):
    fitted = fit(ABCD, categories=[given], max_categories=n_vectors)
    assert fitted.categories_[0].tolist() == given
    assert fitted.infrequent_categories_[0].tolist() == infrequent
    assert len(set(groups(fitted.transform(column(*given))))) == n_vectors
    assert len(set(groups(fitted.transform(column(*infrequent))))) == 1


@pytest.mark.parametrize(
    "settings", [{"max_categories": 3, "min_frequency": 1}, {"min_frequency": 4}], ids=str
)
def test_given_categories_without_rows_are_infrequent(settings):
    X = column(*["a"] * 5, *["e"] * 30)
    fitted = fit(X, categories=[["c", "d", "a", "b"]], **settings)
    assert fitted.infrequent_categories_[0].tolist() == ["c", "d", "b"]
    encoded = fitted.transform(column("a", "b", "c", "d", "e"))
    # They have learned nothing, and so are where unknown ones are.
    assert groups(encoded) == [0, 1, 1, 1, 1]


def test_infrequent_categories_are_of_their_column():
    X = np.column_stack([[0, 1, 3, 3, 3, 3, 2, 0, 3], [0, 0, 0, 0, 1, 1, 1, 1, 1]])
    fitted = fit(X, max_categories=3)
    assert fitted.infrequent_categories_[0].tolist() == [1, 2]
    assert fitted.infrequent_categories_[1] is None
    encoded = fitted.transform([[0, 0], [1, 1], [2, 0], [3, 1]])
    assert groups(encoded[:, [0]]) == [0, 1, 1, 2]
    assert groups(encoded[:, [1]]) == [0, 1, 0, 1]


def test_ties_among_infrequent_categories_go_by_order():
    animals = pd.CategoricalDtype(["bird", "cat", "dog", "snake"])
    X = pd.DataFrame(
        {
            "str": ["a", "f", "c", "f", "f", "a", "c", "b", "b"],
            "int": [5, 3, 0, 10, 10, 12, 0, 3, 5],
            "category": pd.Series(
                ["dog"] * 4 + ["cat"] * 3 + ["snake", "bird"], dtype=animals
            ),
            "binary": [1, 0, 1, 0, 1, 0, 1, 0, 1],
        }
    )
    fitted = fit(X, max_categories=3)
    assert [
        None if values is None else values.tolist()
        for values in fitted.infrequent_categories_
    ] == [["a", "b"], [0, 3, 12], ["bird", "snake"], None]
    new = pd.DataFrame(
        {
            "str": ["a", "b", "f", "c"],
            "int": [12, 0, 10, 5],
            "category": pd.Series(["cat", "snake", "bird", "dog"], dtype=animals),
            "binary": [0, 1, 2, 3],
        }
    )
    encoded = fitted.transform(new)
    assert groups(encoded[:, [0]]) == [0, 0, 1, 2]
    assert groups(encoded[:, [1]]) == [0, 0, 1, 2]
    assert groups(encoded[:, [2]]) == [0, 1, 1, 2]
    assert_array_equal(encoded[2:, 3], 0)


@pytest.mark.parametrize(
    "settings",
    [
        {"min_frequency": 21, "max_categories": 1},
        {"max_categories": 1},
        {"min_frequency": 99},
    ],
    ids=str,
)
def test_all_categories_may_be_infrequent(settings):
    fitted = fit(ABCD, **settings)
    assert fitted.infrequent_categories_[0].tolist() == ["a", "b", "c", "d"]
    assert len(set(groups(fitted.transform(column("a", "b", "c", "d"))))) == 1


def test_given_categories_may_none_of_them_occur():
    fitted = fit(
        column("e", "e", "f"),
        categories=[["c", "d", "a", "b"]],
        min_frequency=2,
        max_categories=3,
    )
    assert_array_equal(fitted.transform(column("a", "e")), 0)


@pytest.mark.parametrize("settings", [{"max_categories": 6}, {"min_frequency": 2}], ids=str)
def test_limits_that_no_category_meets_change_nothing(settings):
    fitted = fit(ABCD, **settings)
    assert fitted.infrequent_categories_ == [None]
    new = column("a", "b", "c", "d", "e")
    assert_array_equal(fitted.transform(new), fit(ABCD).transform(new))


@pytest.mark.parametrize("missing", MISSING, ids=repr)
def test_missing_is_infrequent_like_any_category(missing):
    pets = ["dog"] * 10 + ["cat"] * 5 + ["snake", "deer"]
    new = column("snake", "deer", missing, "cat", "dog")
    rare = fit(column(missing, *pets), min_frequency=4)
    assert as_list(rare.infrequent_categories_[0]) == ["deer", "snake", "missing"]
    assert groups(rare.transform(new)) == [0, 0, 0, 1, 2]
    frequent = fit(column(*[missing] * 20, *pets), max_categories=4)
    assert as_list(frequent.infrequent_categories_[0]) == ["deer", "snake"]
    assert groups(frequent.transform(new)) == [0, 0, 1, 2, 3]


# ---------------------------------------------------------------- inputs and outputs


def test_names_are_numbered_or_given():
    X = [["Male", 1, "girl"], ["Female", 41, "girl"], ["Male", 51, "boy"]]
    fitted = fit(X)
    assert fitted.get_feature_names_out().tolist() == [
        "x0_effect",
        "x1_effect",
        "x2_effect",
    ]
    given = fitted.get_feature_names_out(["one", "two", "three"])
    assert given.tolist() == ["one_effect", "two_effect", "three_effect"]
    with pytest.raises(ValueError, match="input_features should have length"):
        fitted.get_feature_names_out(["one", "two"])


def test_names_may_hold_any_letter():
    X = column("c❤t1", "dat2")
    fitted = encoder().fit(
        X,
        [
            "n👍me",
            "ja",
        ],
    )
    assert fitted.get_feature_names_out(["n👍me"]).tolist() == ["n👍me_effect"]
    several = encoder().fit(column("c❤t1", "dat2", "c"), ["c❤t", "ñ", "日"])
    assert set(several.get_feature_names_out(["ß"])) == {
        "ß_effect_c❤t",
        "ß_effect_ñ",
        "ß_effect_日",
    }


def test_names_are_those_of_the_frame():
    X = pd.DataFrame([[1, 2, 3], [2, 3, 1]], columns=["b", "c", "a"])
    names = fit(X).get_feature_names_out()
    assert names.tolist() == ["b_effect", "c_effect", "a_effect"]


def test_frames_come_out_as_arrays_do():
    X = pd.DataFrame({"A": ["a", "b"], "B": [1, 2]})
    plain, pandas = encoder(), encoder().set_output(transform="pandas")
    expected = plain.fit_transform(X, [0.5, 1.5])
    frame = pandas.fit_transform(X, [0.5, 1.5])
    assert_array_equal(frame.to_numpy(), expected)
    assert frame.columns.tolist() == pandas.get_feature_names_out().tolist()


@pytest.mark.parametrize("missing", [pd.NA, np.nan, None], ids=repr)
def test_missing_in_a_category_column_has_its_vector(missing):
    X = pd.DataFrame({"a": pd.Series(["c", "a", missing, "b", "a"], dtype="category")})
    fitted = fit(X)
    assert as_list(fitted.categories_[0]) == ["a", "b", "c", "missing"]
    assert groups(fitted.transform(X)) == [0, 1, 2, 3, 1]


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
@pytest.mark.parametrize(
    ("X", "match"),
    [
        ([1, 2], "Expected 2D array, got 1D array instead"),
        (np.array([3.0, 4.0]), "Expected 2D array, got 1D array instead"),
        (pd.Series([6, 3]), "Expected a 2-dimensional container but got .*Series"),
    ],
    ids=["list", "array", "Series"],
)
def test_x_must_be_a_table(method, X, match):
    with pytest.raises(ValueError, match=match):
        getattr(encoder(), method)(X, [0.5, 1.5])


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix])
def test_sparse_tables_are_an_error(method, kind):
    with pytest.raises(
        TypeError, match="Sparse data was passed, but dense data is required"
    ):
        getattr(encoder(), method)(kind(np.array([[3, 2, 1], [0, 1, 1]])), [0.5, 1.5])


# ---------------------------------------------------------------- the list


def test_the_list_names_every_test_of_this_module():
    ours = {name for name in globals() if name.startswith("test_")}
    ours.remove("test_the_list_names_every_test_of_this_module")
    assert {name for name in STANDS_FOR if not name.startswith("none: ")} == ours
