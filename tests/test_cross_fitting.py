from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, TimeSeriesSplit

from sk_embed._cross_fitting import fold_of_each_row


def test_each_row_gets_the_fold_that_tests_it():
    splits = [(None, [3, 0]), (None, [1]), (None, [4, 2])]
    assert_array_equal(fold_of_each_row(splits, 5), [0, 1, 2, 0, 2])


@pytest.mark.parametrize(
    "splitter",
    [KFold(5), KFold(3, shuffle=True, random_state=0), StratifiedKFold(4)],
    ids=["KFold", "shuffled", "StratifiedKFold"],
)
def test_folds_are_those_of_the_splitter(splitter):
    X, y = np.zeros(23), np.arange(23) % 2
    folds = fold_of_each_row(splitter.split(X, y), 23)
    for number, (train, test) in enumerate(splitter.split(X, y)):
        assert np.all(folds[test] == number)
        assert np.all(folds[train] != number)


def test_test_folds_may_be_masks():
    mask = np.array([True, False, True])
    assert_array_equal(fold_of_each_row([(None, mask), (None, ~mask)], 3), [0, 1, 0])


def test_overlapping_folds_are_refused_with_the_row_and_how_often():
    splits = [(None, [0, 1]), (None, [1, 2])]
    with pytest.raises(ValueError, match=r"exactly once, but row 1 is in 2 of them"):
        fold_of_each_row(splits, 3)


def test_missing_rows_are_refused_with_the_row():
    splits = [(None, [0, 1]), (None, [3])]
    with pytest.raises(ValueError, match=r"exactly once, but row 2 is in 0 of them"):
        fold_of_each_row(splits, 4)


def test_no_folds_are_refused():
    with pytest.raises(ValueError, match=r"row 0 is in 0 of them"):
        fold_of_each_row([], 2)


@pytest.mark.parametrize(
    "splitter",
    [ShuffleSplit(5, random_state=0), TimeSeriesSplit(3)],
    ids=["ShuffleSplit", "TimeSeriesSplit"],
)
def test_splitters_that_do_not_partition_are_refused(splitter):
    with pytest.raises(ValueError, match=r"pass an int or a splitter such as KFold"):
        fold_of_each_row(splitter.split(np.zeros(20)), 20)
