from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from sk_embed._columns.frame import as_columns, categorical_mask

FRAME = pd.DataFrame(
    {
        "object": np.array(["a", "b"], dtype=object),
        "str": pd.Series(["a", "b"], dtype="str"),
        "category": pd.Series([1, 2], dtype="category"),
        "bool": [True, False],
        "boolean": pd.Series([True, None], dtype="boolean"),
        "date": pd.to_datetime(["2020-01-01", "2020-01-02"]),
        "int": [1, 2],
        "float": [1.5, np.nan],
        "Int64": pd.Series([1, None], dtype="Int64"),
        "uint8": pd.Series([1, 2], dtype="uint8"),
    }
)
NUMBERS = ["int", "float", "Int64", "uint8"]
ABC = pd.DataFrame({"a": [1, 2], "b": [3.0, 4.0], "c": ["x", "y"]})


def mask(categorical_features, frame=ABC, *, with_names=True):
    names = frame.columns.to_numpy(dtype=object) if with_names else None
    return categorical_mask(categorical_features, as_columns(frame), names).tolist()


# ---------------------------------------------------------------- taking apart


def test_columns_of_a_data_frame_keep_their_dtypes():
    columns = as_columns(FRAME)
    assert [column.dtype for column in columns] == FRAME.dtypes.tolist()


def test_columns_of_the_same_name_are_kept_apart():
    frame = pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"])
    assert [column.tolist() for column in as_columns(frame)] == [[1, 3], [2, 4]]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["a", "b"], ["a", "b"]),
        ([1, 2], [1, 2]),
        ([True, False], [True, False]),
        ([1.5, 2.5], [1.5, 2.5]),
    ],
)
def test_columns_of_a_polars_frame_hold_the_same_values(column, expected):
    (result,) = as_columns(pl.DataFrame({"a": column}))
    assert result.tolist() == expected


@pytest.mark.parametrize("column", [[1, None], [True, None], [1.5, None], ["a", None]])
def test_null_in_a_polars_frame_is_missing(column):
    (result,) = as_columns(pl.DataFrame({"a": column}))
    assert result.isna().tolist() == [False, True]


def test_columns_of_polars_categories_are_their_strings():
    (result,) = as_columns(pl.DataFrame({"a": pl.Series(["b", "a"], dtype=pl.Categorical)}))
    assert result.tolist() == ["b", "a"]


@pytest.mark.parametrize("dtype", [np.int8, np.float32, bool, object, "U1", "M8[s]"])
def test_columns_of_an_array_keep_its_dtype_kind(dtype):
    array = np.array([[0, 1], [1, 0]]).astype(dtype)
    columns = as_columns(array)
    assert [column.tolist() for column in columns] == [
        pd.Series(array[:, 0]).tolist(),
        pd.Series(array[:, 1]).tolist(),
    ]


def test_a_list_of_lists_keeps_mixed_types():
    # As an array of strings, the number 1 would become the category "1".
    columns = as_columns([[1, "a"], [2.5, "b"], [True, "c"]])
    assert [type(value) for value in columns[0]] == [int, float, bool]
    assert columns[1].tolist() == ["a", "b", "c"]


@pytest.mark.parametrize("row", [list, tuple])
def test_a_list_of_rows_of_strings_is_read_by_columns(row):
    columns = as_columns([row("ab"), row("cd")])
    assert [column.tolist() for column in columns] == [["a", "c"], ["b", "d"]]


def test_each_column_of_a_list_of_numbers_has_their_dtype():
    assert [column.dtype.kind for column in as_columns([[1, 2.5], [3, 4]])] == ["i", "f"]


def test_missing_values_are_let_through():
    columns = as_columns(np.array([[np.nan, np.inf]]))
    assert np.isnan(columns[0][0])


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix, sparse.coo_array])
def test_sparse_data_is_a_clear_error(kind):
    with pytest.raises(TypeError, match=r"Sparse data was passed.*toarray") as raised:
        as_columns(kind(np.eye(3)))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "empty",
    [
        pd.DataFrame({"a": []}),
        pd.DataFrame(index=[0, 1]),
        pl.DataFrame({"a": []}),
        np.empty((0, 2)),
        np.empty((2, 0)),
    ],
    ids=["no rows", "no columns", "no rows, polars", "no rows, array", "no columns, array"],
)
def test_no_rows_or_no_columns_is_a_clear_error(empty):
    with pytest.raises(
        ValueError, match=r"0 (sample|feature)\(s\).*minimum of 1"
    ) as raised:
        as_columns(empty)
    assert "\n" not in str(raised.value)


# ---------------------------------------------------------------- roles


def test_all_takes_every_column():
    assert mask("all", FRAME) == [True] * len(FRAME.columns)


def test_from_dtype_takes_all_but_numbers():
    expected = [name not in NUMBERS for name in FRAME.columns]
    assert mask("from_dtype", FRAME) == expected


@pytest.mark.parametrize("kind", [list, tuple, np.array, pd.Index])
@pytest.mark.parametrize("chosen", [["c", "a"], [2, 0], [True, False, True]], ids=str)
def test_names_indices_and_masks_choose_columns(kind, chosen):
    assert mask(kind(chosen)) == [True, False, True]


def test_a_mask_is_not_shared_with_the_parameter():
    parameter = np.array([True, False, True])
    result = categorical_mask(parameter, as_columns(ABC), None)
    result[:] = False
    assert_array_equal(parameter, [True, False, True])


def test_indices_and_masks_need_no_names():
    assert mask([1], with_names=False) == [False, True, False]
    assert mask([False, True, False], with_names=False) == [False, True, False]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (["a", "color"], "'color', which X does not have"),
        ([3], r"column 3, but X has columns 0 to 2"),
        ([-1], r"column -1, but X has columns 0 to 2"),
        ([0.5], "column 0.5, which X does not have"),
        ([True, False], r"one entry for each of the 3 columns.*shape \(2,\)"),
        ([], "leaves no categorical column"),
        ([False, False, False], "leaves no categorical column"),
        ([["a", "b", "c"]], "categorical_features"),
        ([[0, 1]], "categorical_features"),
        ([[True, False, True]], "categorical_features"),
    ],
    ids=str,
)
def test_roles_that_do_not_fit_are_an_error_that_says_so(chosen, message):
    with pytest.raises(ValueError, match=message) as raised:
        mask(chosen)
    assert "categorical_features" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_names_for_x_without_names_are_an_error_that_names_the_way_out():
    with pytest.raises(ValueError, match=r"'a', but X has no column names.*give indices"):
        mask(["a"], with_names=False)


def test_from_dtype_on_numbers_alone_is_an_error():
    with pytest.raises(ValueError, match="'from_dtype' leaves no categorical column"):
        mask("from_dtype", ABC[["a", "b"]])
