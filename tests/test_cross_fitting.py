from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, TimeSeriesSplit

from sk_embed._cross_fitting import read_folds


def pairs(test_folds, n_rows):
    """Return splits whose training parts are all rows but the test fold's."""
    return [(np.setdiff1d(np.arange(n_rows), test), test) for test in test_folds]


def test_each_row_gets_the_fold_that_tests_it():
    folds = read_folds(pairs([[3, 0], [1], [4, 2]], 5), 5)
    assert_array_equal(folds.of_row, [0, 1, 2, 0, 2])


def test_rows_that_a_split_leaves_out_are_not_trained_on():
    folds = read_folds([([2, 3], [0, 1]), ([0], [2, 3])], 4)
    assert_array_equal(folds.is_training, [[0, 0, 1, 1], [1, 0, 0, 0]])


@pytest.mark.parametrize("train", [[], [1, 2]], ids=["empty", "overlapping"])
def test_training_parts_that_are_empty_or_tested_are_refused(train):
    with pytest.raises(ValueError, match=r"Fold 0 of `cv` has training rows among"):
        read_folds([(train, [0, 1]), ([0, 1], [2])], 3)


@pytest.mark.parametrize(
    "splitter",
    [KFold(5), KFold(3, shuffle=True, random_state=0), StratifiedKFold(4)],
    ids=["KFold", "shuffled", "StratifiedKFold"],
)
def test_folds_are_those_of_the_splitter(splitter):
    X, y = np.zeros(23), np.arange(23) % 2
    folds = read_folds(splitter.split(X, y), 23).of_row
    for number, (train, test) in enumerate(splitter.split(X, y)):
        assert np.all(folds[test] == number)
        assert np.all(folds[train] != number)


def test_test_folds_may_be_masks():
    mask = np.array([True, False, True])
    assert_array_equal(read_folds([(~mask, mask), (mask, ~mask)], 3).of_row, [0, 1, 0])


def test_overlapping_folds_are_refused_with_the_row_and_how_often():
    splits = pairs([[0, 1], [1, 2]], 3)
    with pytest.raises(ValueError, match=r"exactly once, but row 1 is in 2 of them"):
        read_folds(splits, 3)


def test_missing_rows_are_refused_with_the_row():
    splits = pairs([[0, 1], [3]], 4)
    with pytest.raises(ValueError, match=r"exactly once, but row 2 is in 0 of them"):
        read_folds(splits, 4)


def test_no_folds_are_refused():
    with pytest.raises(ValueError, match=r"`cv` gives no folds.*pass a list"):
        read_folds([], 2)


@pytest.mark.parametrize(
    "splitter",
    [ShuffleSplit(5, random_state=0), TimeSeriesSplit(3)],
    ids=["ShuffleSplit", "TimeSeriesSplit"],
)
def test_splitters_that_do_not_partition_are_refused(splitter):
    with pytest.raises(ValueError, match=r"pass an int or a splitter such as KFold"):
        read_folds(splitter.split(np.zeros(20)), 20)


def test_folds_may_be_restricted_to_rows():
    folds = read_folds(pairs([[3, 0], [1], [4, 2]], 5), 5).restricted_to(np.array([1, 3]))
    assert_array_equal(folds.of_row, [1, 0])
    assert_array_equal(folds.is_training, [[1, 0], [0, 1], [1, 1]])


def test_folds_without_training_rows_of_positive_weight_are_refused():
    folds = read_folds(pairs([[0, 1], [2]], 3), 3)
    with pytest.raises(ValueError, match=r"no training rows of positive weight"):
        folds.restricted_to(np.array([0, 1]))
