"""Cross-fitting: which vector a training row gets.

A training row that is encoded with a vector that has seen its own target teaches the
next model to trust the copy. So the row gets the vector that was learned without the
row's fold - but not where that harms more than it helps: the vector of a frequent
category hardly knows any one row, and a category with several slightly different vectors
loses its identity to the next model where other categories lie between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import BoolArray, FloatArray, IntArray
from sk_embed._distinct import distinct
from sk_embed._groups import require_groups

# Rows over the noise ratio, below which a category is rare: with ten times the noise ratio
# of rows the prior of an effect hardly counts any more. The noise ratio of real columns
# ranges over ten orders of magnitude, so that the rows are bounded.
_ROWS_PER_NOISE_RATIO = 10
_AUTO_ROWS = (10, 200)
# Rows over the noise ratio from which on no category gets fold vectors: noise is less than
# a hundredth of what its full vector says, and five versions cost more than the leak.
_ROWS_WITHOUT_LEAK = 100
_ROUNDING = 1e-6
# Share of the rows of frequent categories whose category must lie apart from others.
_SHARE_APART = 0.9
# In place of a row of fold vectors: the code's training rows keep its full vector.
_FULL = -1


class Folds(NamedTuple):
    """The folds of cross-fitting.

    Parameters
    ----------
    of_row : ndarray of shape (n_rows,)
        Number of the one test fold that holds each row.
    is_training : ndarray of bool of shape (n_folds, n_rows)
        Rows that the tables of each fold are learned from.
    """

    of_row: IntArray
    is_training: BoolArray

    def restricted_to(self, rows: IntArray) -> Folds:
        """Return the folds of these rows alone, or raise where one has none to train on."""
        is_training = self.is_training[:, rows]
        if not is_training.any(axis=1).all():
            raise ValueError(
                "A fold of `cv` has no training rows of positive weight; pass fewer folds."
            )
        return Folds(self.of_row[rows], is_training)


def draw_folds(
    cv: Any, X: Any, y: NDArray[Any], is_label: bool, seed: int, **routed: Any
) -> Folds:
    """Draw the folds.

    Parameters
    ----------
    cv : int, splitter, iterable of (train, test) or None
        The estimator's parameter; an int makes shuffled folds, None five of them.
    X : array-like of n_rows
        Table, as given; passed on to the splitter.
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Numbers or labels, passed on to the splitter, which gets objects as integers.
    is_label : bool
        Whether y holds classes, which shuffled folds spread evenly.
    seed : int
        Seed of the shuffled folds; a splitter has its own.
    **routed : dict
        Metadata that is passed on to the splitter, as ``groups``.

    Returns
    -------
    Folds
    """
    n_rows = len(y)
    if cv is None or isinstance(cv, Integral):
        labels = np.zeros(n_rows, np.int8)
        if is_label:
            labels = distinct(y, with_missing=True)[0].astype(np.intp)
        return _shuffled_folds(number_of_folds(cv), labels, seed)
    # A list is read here: scikit-learn's wrapper would raise of it what says nothing of cv.
    if not hasattr(cv, "split"):
        return read_folds(cv, n_rows)
    require_groups(cv, routed.get("groups"), n_rows)
    if y.dtype == object:
        y = distinct(y)[0]
    return read_folds(cv.split(X, y, **routed), n_rows)


def number_of_folds(cv: Any) -> int:
    """Return the number of folds that ``cv`` asks for, five where it is no number."""
    return int(cv) if isinstance(cv, Integral) else 5


def _shuffled_folds(n_folds: int, labels: IntArray, seed: int) -> Folds:
    """Draw folds of random rows, each label spread as evenly as its rows allow."""
    if n_folds > len(labels):
        raise ValueError(
            f"cv makes {n_folds} folds, but there are fewer rows, n_samples={len(labels)}; "
            "pass more rows, or a smaller cv."
        )
    of_row = fold_numbers(n_folds, labels, seed)
    return Folds(of_row, of_row != np.arange(n_folds, dtype=of_row.dtype)[:, None])


def fold_numbers(n_folds: int, labels: IntArray, seed: int) -> IntArray:
    """Return the test fold of each row, drawn alike; of few rows some folds have none."""
    numbers = np.empty(len(labels), dtype=np.int32)
    for fold, rows in enumerate(np.array_split(_spread_rows(labels, seed), n_folds)):
        numbers[rows] = fold
    return numbers


def _spread_rows(labels: IntArray, seed: int) -> IntArray:
    """Return the rows in a random order that spreads each label evenly.

    Each row is put at its share of the way through its label's rows, and the folds are
    cut from the rows in this order. Under one label this is a shuffled KFold. A label of
    fewer rows than folds, at which StratifiedKFold warns, has a row in as many folds.
    """
    random_state = np.random.RandomState(seed)
    rows = np.arange(len(labels), dtype=np.int32)
    random_state.shuffle(rows)
    if not labels.any():
        return rows  # spread evenly already, without arrays of many rows
    labels = labels[rows]
    place = pd.Series(labels).groupby(labels).cumcount().to_numpy()
    n_of_label = np.bincount(labels)
    # Labels of one row are not all put in the middle.
    start = random_state.random_sample(len(n_of_label))
    share = (place + start[labels]) / n_of_label[labels]
    return rows[np.argsort(share, kind="stable")]


def read_folds(splits: Iterable[tuple[IntArray, IntArray]], n_rows: int) -> Folds:
    """Read splits whose test folds hold each row once.

    Parameters
    ----------
    splits : iterable of (train, test)
        As from a splitter. Rows in neither part of a split are left out of its fold's
        tables, as purged cross-validation wants it.
    n_rows : int
        Number of rows that the test folds must cover.

    Returns
    -------
    Folds

    Raises
    ------
    ValueError
        If a row is in no test fold or in several, in a fold's training and test part, or
        if a fold has no training rows.
    """
    fold_of_row = np.full(n_rows, -1)
    n_times = np.zeros(n_rows, dtype=np.intp)
    is_training = []
    if not isinstance(splits, Iterable):
        raise ValueError(
            f"`cv` splits X into {splits!r:.80}, but must give pairs of training and test "
            "rows; pass an int or a splitter such as KFold."
        )
    # An error inside the splitter is its own, which says more than any made of it here.
    for fold, split in enumerate(splits):
        is_test, mask = _masks(split, fold, n_rows)
        fold_of_row[is_test > 0] = fold
        n_times += is_test
        is_training.append(mask > 0)
    if not is_training:
        raise ValueError(
            "`cv` gives no folds; an iterator gives them once, to the first fit_transform: "
            "pass a list of its splits."
        )
    if np.any(n_times != 1):
        row = int(np.flatnonzero(n_times != 1)[0])
        raise ValueError(
            f"The test folds of `cv` must hold each row exactly once, but row {row} is "
            f"in {n_times[row]} of them; pass an int or a splitter such as KFold (not "
            "TimeSeriesSplit: for folds by time, sort the rows and pass KFold)."
        )
    folds = Folds(fold_of_row, np.array(is_training))
    is_tested = fold_of_row == np.arange(len(is_training))[:, None]
    for fold in range(len(is_training)):
        trains_on_test = (folds.is_training[fold] & is_tested[fold]).any()
        if trains_on_test or not folds.is_training[fold].any():
            raise ValueError(
                f"Fold {fold} of `cv` has training rows among its test rows, or no "
                "training rows at all; pass an int or a splitter such as KFold."
            )
    return folds


def _masks(split: Any, fold: int, n_rows: int) -> tuple[IntArray, IntArray]:
    """Return how often a split holds each row in its test and in its training part."""
    try:
        train, test = split
        return _times(test, n_rows), _times(train, n_rows)
    except (IndexError, TypeError, ValueError) as error:
        raise ValueError(
            f"`cv` does not give pairs of training and test rows of X (fold {fold}: "
            f"{error}); pass an int or a splitter such as KFold."
        ) from error


def _times(rows: Any, n_rows: int) -> IntArray:
    """Return how often each row is among some, which are numbers or a mask."""
    rows = np.asarray(rows)
    rows = rows.astype(np.intp) if rows.size == 0 else rows
    return np.bincount(np.arange(n_rows)[rows], minlength=n_rows)


def needs_folds(n_rows: list[FloatArray], cross_fit_below: Any) -> bool:
    """Return whether any column may have rows that get the vector of their fold.

    ``n_rows`` holds the effective number of rows of each code of each column, the last
    for what is not in a given vocabulary.
    """
    if isinstance(cross_fit_below, str):
        return True
    return any((n[:-1] < cross_fit_below - _ROUNDING).any() for n in n_rows)


def gets_fold_vector(
    full: FloatArray,
    folds: FloatArray,
    n_rows: FloatArray,
    noise_ratio: float,
    cross_fit_below: Any,
) -> BoolArray:
    """Return of which categories the training rows get the vector of their fold.

    Under "auto", the rare ones; and of a column whose categories lie so far apart that
    five vectors do not cost a category its identity, all that a row's noise can be seen in.

    Parameters
    ----------
    full : ndarray of shape (n_codes, width)
        Vectors that were learned from all rows.
    folds : ndarray of shape (n_folds, n_codes, width)
        Vectors that were learned without each fold.
    n_rows : ndarray of shape (n_codes,)
        Effective number of rows of each code.
    noise_ratio : float
        Rows of a category that weigh as much as the prior of its main effect.
    cross_fit_below : int or "auto"
        Parameter of the estimator: a number of rows, or "auto".
    """
    if not isinstance(cross_fit_below, str):
        # Weights of 1 must give the number itself.
        return n_rows < cross_fit_below - _ROUNDING
    threshold = np.clip(_ROWS_PER_NOISE_RATIO * noise_ratio, *_AUTO_ROWS)
    is_rare = n_rows < threshold - _ROUNDING
    may_leak = ~is_rare & (n_rows < _ROWS_WITHOUT_LEAK * noise_ratio)
    return is_rare | (may_leak & _lie_apart(full, folds, n_rows, may_leak))


def _lie_apart(
    full: FloatArray, folds: FloatArray, n_rows: FloatArray, is_asked: BoolArray
) -> bool:
    """Return whether the asked categories' fold vectors are nearer than another category.

    A category is apart if it is so on one axis: trees split on one output column at a
    time, where many categories lie between each other's fold vectors although the vectors
    as a whole are far apart. The distance of a category's fold vectors from its full
    vector is their root mean square; the categories count by their rows.
    """
    used = np.flatnonzero(n_rows > 0)
    asked = is_asked[used]
    is_apart = np.zeros(len(used), dtype=bool)
    for axis in range(full.shape[1] if len(folds) else 0):
        place = full[used, axis]
        spread = np.sqrt(((folds[:, used, axis] - place) ** 2).mean(axis=0))
        is_apart |= spread < _distance_to_next(place)
    rows = n_rows[used[asked]]
    return float(rows @ is_apart[asked]) > _SHARE_APART * float(rows.sum())


def _distance_to_next(place: FloatArray) -> FloatArray:
    """Return each number's distance to the nearest other one, infinite if it is alone."""
    order = np.argsort(place)
    steps = np.diff(place[order], prepend=-np.inf, append=np.inf)
    distance = np.empty(len(place))
    distance[order] = np.minimum(steps[:-1], steps[1:])
    return distance


class FoldVectors(NamedTuple):
    """Vectors that the training rows of some codes get in place of the full ones.

    Parameters
    ----------
    rows : ndarray of shape (n_codes,)
        Row of ``vectors`` that each code reads, or -1 where the full vector stays.
    vectors : ndarray of shape (n_folds, n_vectors, width)
        Vectors that were learned without each fold.
    """

    rows: IntArray
    vectors: FloatArray

    def compact(self, dtype: np.dtype[Any]) -> FoldVectors:
        """Return a copy in another dtype that holds no vector that is not read."""
        is_read = self.rows != _FULL
        rows = np.where(is_read, np.cumsum(is_read) - 1, _FULL)
        return FoldVectors(rows, self.vectors[:, self.rows[is_read]].astype(dtype))


def choose_fold_vectors(
    full: FloatArray,
    folds: FloatArray,
    n_rows: FloatArray,
    noise_ratio: float,
    is_unmet: BoolArray,
    cross_fit_below: Any,
) -> FoldVectors:
    """Choose whose training rows get fold vectors: see :func:`gets_fold_vector`.

    Under "auto", so do the rows of categories, however frequent, that all are in one fold
    (``is_unmet``, shape (n_codes,)): by groups, or by a stretch of time. Such folds say
    that categories of new rows will be unknown, and the next model must learn from rows
    that it sees as unknown, not from vectors that no new row will have.
    """
    chosen = gets_fold_vector(full, folds, n_rows, noise_ratio, cross_fit_below)
    if isinstance(cross_fit_below, str):
        chosen |= is_unmet
    # The last code is what no given vocabulary holds, which is at the origin in any case.
    chosen[-1] = False
    every = np.arange(len(chosen), dtype=np.int32)
    return FoldVectors(np.where(chosen, every, np.int32(_FULL)), folds)


class CrossFitted(NamedTuple):
    """Vectors that training rows get where the full vector would leak their target.

    Parameters
    ----------
    columns, crosses : list of FoldVectors
        Vectors without each fold, of each categorical column and each cross; none where
        all training rows get the full vectors.
    table_rows : ndarray of shape (n_used_rows, n_columns)
        Table row that each row that was learned reads, of each categorical column.
    fold_of_row : ndarray of shape (n_used_rows,)
        Number of the test fold of each of these rows.
    places : ndarray of shape (n_used_rows,)
        Places of these rows among the encoded rows.
    """

    columns: list[FoldVectors]
    crosses: list[FoldVectors]
    table_rows: IntArray
    fold_of_row: IntArray
    places: IntArray

    def of_stretch(self, first: int, end: int) -> CrossFitted:
        """Return what the rows in these places get, counted from the first."""
        used = slice(*np.searchsorted(self.places, [first, end]))
        return self._replace(
            table_rows=self.table_rows[used],
            fold_of_row=self.fold_of_row[used],
            places=self.places[used] - first,
        )

    def overwrite_columns(self, blocks: Sequence[FloatArray]) -> None:
        """Overwrite each categorical column's part of the encoded rows."""
        self._overwrite(blocks, self.columns, list(self.table_rows.T))

    def overwrite_crosses(
        self, blocks: Sequence[FloatArray], cells: Sequence[IntArray]
    ) -> None:
        """Overwrite each cross's part, given the cell of each encoded row."""
        self._overwrite(blocks, self.crosses, [of_row[self.places] for of_row in cells])

    def _overwrite(
        self,
        blocks: Sequence[FloatArray],
        fold_vectors: Sequence[FoldVectors],
        codes: Sequence[IntArray],
    ) -> None:
        if not fold_vectors:
            return
        for block, of_block, of_row in zip(blocks, fold_vectors, codes, strict=True):
            read = of_block.rows[of_row]
            rows = np.flatnonzero(read != _FULL)
            cross_fitted = of_block.vectors[self.fold_of_row[rows], read[rows]]
            block[self.places[rows], : cross_fitted.shape[1]] = cross_fitted
