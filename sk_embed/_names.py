"""Prior means of vectors by the names of categories, and which columns have names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import BoolArray, FloatArray, IntArray
from sk_embed._columns.choice import place_among_categorical
from sk_embed._columns.comparable import SHORT, factorize, one_by_one
from sk_embed._columns.names import NameGrams, learn_grams, names_of
from sk_embed._columns.vocabulary import Vocabulary
from sk_embed._engine.name_prior import (
    MIN_CATEGORIES,
    PriorMeans,
    learn_prior_means,
    means_of,
    names_may_tell,
    shrink_back,
    shrink_to,
)
from sk_embed._output_tables import OutputTables
from sk_embed._warn import warn

_Tables = TypeVar("_Tables", bound=OutputTables)
# Those categories with most rows tell what names say.
_MAX_CATEGORIES = 5_000
# Those of them that tell first whether names say anything at all.
_MAX_CATEGORIES_OF_FIRST_LOOK = 1_000
# Names whose n-grams are counted together, so few that these stay in the processor's cache.
_NAMES_AT_A_TIME = 2**12


@dataclass(frozen=True)
class NameRule:
    """Whether names of a column's categories are used.

    Parameters
    ----------
    is_used : bool
        Whether names of the column are used at all.
    is_tested : bool
        Whether names must predict vectors beyond chance to be used.
    with_others : bool
        Whether values that are no strings have names, those that they are written as.
    is_listed : bool, default=False
        Whether the user lists the column, and so expects its names to be used.
    """

    is_used: bool
    is_tested: bool
    with_others: bool
    is_listed: bool = False


@dataclass(frozen=True, eq=False)
class NamePrior:
    """Prior means of the vectors of one column's categories, by name.

    Parameters
    ----------
    grams : NameGrams
        N-grams that names are described by.
    weights : ndarray of shape (n_grams, width)
        Vector that each n-gram adds to the prior mean.
    offset : ndarray of shape (width,)
        Vector that is added to the extent that the n-grams of a name are known.
    left_over : ndarray of shape (width,)
        Share of the variance of vectors that names do not explain.
    noise_ratio : float
        Rows of a category that weigh as much as a prior at the origin.
    with_others : bool
        Whether values that are no strings have names.
    """

    grams: NameGrams
    weights: FloatArray
    offset: FloatArray
    left_over: FloatArray
    noise_ratio: float
    with_others: bool

    def means(self, values: NDArray[Any]) -> FloatArray:
        """Return the prior mean of each category, zero where it has no name.

        Parameters
        ----------
        values : ndarray of shape (n_values,)
            Categories, or values that may be some.

        Returns
        -------
        means : ndarray of shape (n_values, width)
        """
        names = names_of(values, self.with_others)
        means = _means_of_names(self.grams, names, self.weights, self.offset)
        return means.astype(self.weights.dtype)

    def knows(self, value: Any) -> bool:
        """Return whether a value has a name, of which some n-gram is known."""
        values = np.empty(1, dtype=object)
        values[0] = value
        return self.grams.transform(names_of(values, self.with_others)).nnz > 0

    def taken_out(
        self, table: FloatArray, vocabulary: Vocabulary, counts: FloatArray
    ) -> FloatArray:
        """Return a table without what names say of it.

        Parameters
        ----------
        table : ndarray of shape (n_categories + 1, width)
            Vectors of the categories, and the origin.
        vocabulary : Vocabulary
            Categories of the column, in the order of its codes.
        counts : ndarray of shape (n_categories,)
            Weight of each category's rows.
        """
        places = np.flatnonzero(_has_name(vocabulary, self.with_others))
        means = self.means(vocabulary.categories[places])
        table = table.copy()
        table[places] = shrink_back(
            means, table[places], counts[places], self.noise_ratio, self.left_over
        )
        return table


def learn_name_prior(
    vocabulary: Vocabulary, tables: _Tables, counts: FloatArray, rule: NameRule
) -> tuple[NamePrior | None, _Tables]:
    """Learn what names say, and shrink vectors to it.

    The vectors without a fold are shrunk to what names say without this fold.

    Parameters
    ----------
    vocabulary : Vocabulary
        Categories of the column, in the order of its codes.
    tables : OutputTables
        Tables of the column, whose vectors are shrunk to the origin.
    counts : ndarray of shape (1 + n_folds, n_codes)
        Weight of each table row's rows: of all, and without each fold.
    rule : NameRule
        Whether, and how, names of the column are used.

    Returns
    -------
    prior : NamePrior or None
        None where names say nothing.
    tables : OutputTables
        Tables shrunk to the prior means.
    """
    has_name = _has_name(vocabulary, rule.with_others)
    if not rule.is_used or has_name.sum() < MIN_CATEGORIES:
        return None, tables
    values, rows = vocabulary.categories[has_name], vocabulary.groups[has_name]
    # Names of most rows come first.
    order = np.argsort(-counts[0, rows], kind="stable")
    values, rows = values[order], rows[order]
    n_learned = min(int(np.sum(counts[0, rows] > 0)), _MAX_CATEGORIES)
    learned, noise_ratio = rows[:n_learned], tables.noise_ratio
    shrinkage = (counts / (counts + noise_ratio))[:, learned]
    if rule.is_tested:
        few = slice(min(n_learned, _MAX_CATEGORIES_OF_FIRST_LOOK))
        _, weights = learn_grams(names_of(values[few], rule.with_others))
        if not names_may_tell(weights, tables.full[learned[few]], shrinkage[0, few]):
            return None, tables
    names = names_of(values, rule.with_others)
    grams, weights = learn_grams(names[:n_learned])
    stacked = np.stack([tables.full, *tables.folds])
    priors = learn_prior_means(weights, stacked[:, learned], shrinkage, rule.is_tested)
    if priors is None:
        return None, tables
    # The means of all tables side by side.
    side_by_side = np.hstack(list(priors.weights)), priors.offsets.ravel()
    of_learned = means_of(weights, *side_by_side)
    of_others = _means_of_names(grams, names[n_learned:], *side_by_side)
    means = np.hsplit(np.vstack([of_learned, of_others]), len(stacked))
    for table, n_rows, of_table in zip(stacked, counts, means, strict=True):
        table[rows] = shrink_to(
            of_table, table[rows], n_rows[rows], noise_ratio, priors.left_over
        )
    prior = _name_prior(grams, priors, tables, rule)
    return prior, replace(tables, full=stacked[0], folds=stacked[1:])


def _means_of_names(
    grams: NameGrams, names: list[str], weights: FloatArray, offset: FloatArray
) -> FloatArray:
    """Return prior means of names, shape (n_names, width)."""
    means = np.empty((len(names), len(offset)))
    for start in range(0, len(names), _NAMES_AT_A_TIME):
        part = slice(start, start + _NAMES_AT_A_TIME)
        means[part] = means_of(grams.transform(names[part]), weights, offset)
    return means


def _name_prior(
    grams: NameGrams, priors: PriorMeans, tables: OutputTables, rule: NameRule
) -> NamePrior:
    dtype = tables.full.dtype
    return NamePrior(
        grams,
        priors.weights[0].astype(dtype),
        priors.offsets[0].astype(dtype),
        priors.left_over,
        tables.noise_ratio,
        rule.with_others,
    )


def _has_name(vocabulary: Vocabulary, with_others: bool) -> BoolArray:
    """Return which categories have a name and a table row of their own."""
    values = vocabulary.categories
    has_name = ~vocabulary.is_infrequent & ~pd.isna(values)
    kind = pd.api.types.infer_dtype(values[has_name], skipna=False)
    return has_name & (with_others or kind == "string")


def warn_of_names_without_use(
    vocabularies: list[Vocabulary], rules: list[NameRule], priors: list[NamePrior | None]
) -> None:
    """Warn of columns that the user lists in ``names``, but whose names are not used.

    Parameters
    ----------
    vocabularies : list of Vocabulary
        Categories of each categorical column.
    rules : list of NameRule
        Whether, and how, names of each column are asked for.
    priors : list of NamePrior or None
        Prior means of each column, None where its names are not used.
    """
    for vocabulary, rule, prior in zip(vocabularies, rules, priors, strict=True):
        if rule.is_listed and prior is None:
            n_names = int(_has_name(vocabulary, rule.with_others).sum())
            few = f"has {n_names} categories with names, fewer than {MIN_CATEGORIES}"
            why = few if n_names < MIN_CATEGORIES else "has names that predict nothing"
            warn(
                f"names lists column {vocabulary.name!r}, which {why}: its names are not "
                "used; take it off the list, or set names='auto'."
            )


def read_names(
    names: Any, is_categorical: BoolArray, feature_names: NDArray[Any] | None
) -> list[NameRule]:
    """Return the rule of each categorical column.

    Parameters
    ----------
    names : "auto", bool or list of columns
        Parameter of the estimator; columns by names or indices.
    is_categorical : ndarray of bool of shape (n_columns,)
        Mask of the categorical columns among those of X.
    feature_names : ndarray of shape (n_columns,) or None
        Names of the columns of X, where all are strings.

    Raises
    ------
    ValueError
        If a column is not categorical.
    """
    n_columns = int(is_categorical.sum())
    if isinstance(names, (str, bool, np.bool_)):
        is_auto = isinstance(names, str)
        return [NameRule(bool(names), is_auto, False)] * n_columns
    listed = [
        place_among_categorical(column, "names", is_categorical, feature_names)
        for column in names
    ]
    return [NameRule(j in listed, False, True, j in listed) for j in range(n_columns)]


def fill_unknown(
    prior: NamePrior,
    block: FloatArray,
    codes: IntArray,
    vocabulary: Vocabulary,
    column: pd.Series,
) -> None:
    """Write the prior means of unknown categories into encoded rows.

    Parameters
    ----------
    prior : NamePrior
        Prior means of the column, by name.
    block : ndarray of shape (n_rows, width)
        Part of the encoded rows that belongs to the column.
    codes : ndarray of shape (n_rows,)
        Code of each row's category; of one that is not known it is none of theirs.
    vocabulary : Vocabulary
        Categories of the column that are known.
    column : Series of length n_rows
        Values of the column in each row.
    """
    rows = np.flatnonzero((codes < 0) | (codes >= len(vocabulary.categories)))
    if not len(rows):
        return
    split = one_by_one if len(rows) <= SHORT else factorize
    numbers, values = split(column.iloc[rows], str(column.name))
    has_value = numbers >= 0
    block[rows[has_value]] = prior.means(values)[numbers[has_value]]
