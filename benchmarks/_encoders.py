"""One adapter for each encoder: from two parts of a table to two arrays.

Where the training part has groups, encoders that split the training rows by folds are
told them, so that no group is on both sides of a fold.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from _tables import Part
from category_encoders import (
    CatBoostEncoder,
    GLMMEncoder,
    JamesSteinEncoder,
    WOEEncoder,
)
from category_encoders.wrapper import PolynomialWrapper
from scipy.sparse import hstack
from sklearn import config_context
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GroupKFold, KFold
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder
from skrub import StringEncoder, TableVectorizer

from sk_embed import EmbeddingEncoder

TARGET_TYPES = {
    "regression": "continuous",
    "binary": "binary",
    "multiclass": "multiclass",
}
# A linear mixed model of more takes a quarter of a minute for each column and fold; a
# logistic one, by variational Bayes, takes a minute for a column of 900 categories.
_MAX_ROWS_FOR_GLMM = 12_000
_MAX_CATEGORIES_FOR_GLMM = 3_000
# What HistGradientBoosting takes as categories: one bin each, and one for the rest.
_MAX_NATIVE_CATEGORIES = 254
# Columns of more categories get a StringEncoder, as in skrub's TableVectorizer.
_MAX_CATEGORIES_WITHOUT_NAMES = 40

Encoded = tuple[Any, Any]
Adapter = Callable[[str, Part, Part, int], Encoded | None]


def one_hot(task: str, train: Part, test: Part, seed: int) -> Encoded:
    """Sparse zeros and ones."""
    encoder = OneHotEncoder(handle_unknown="ignore").fit(train.categories)
    return tuple(
        hstack([part.numbers.to_numpy(), encoder.transform(part.categories)]).tocsr()
        for part in (train, test)
    )


def ordinal(task: str, train: Part, test: Part, seed: int) -> Encoded:
    """Numbers in the order of sorted categories."""
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    ).fit(train.categories)
    return _beside_numbers(encoder.transform, train, test)


def native(task: str, train: Part, test: Part, seed: int) -> Encoded:
    """Codes for HistGradientBoosting's own categorical support; the rarest share one."""
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        max_categories=_MAX_NATIVE_CATEGORIES,
    ).fit(train.categories.fillna("missing").astype(str))
    return _beside_numbers(
        lambda X: encoder.transform(X.fillna("missing").astype(str)), train, test
    )


def target(task: str, train: Part, test: Part, seed: int) -> Encoded:
    """scikit-learn's TargetEncoder, cross-fitted."""
    encoded, encoded_test = _target_encoded(task, train, test, seed)
    return _joined(encoded, train), _joined(encoded_test, test)


def string_beside_target(task: str, train: Part, test: Part, seed: int) -> Encoded | None:
    """Skrub's StringEncoder of the columns of many categories, beside TargetEncoder."""
    n_categories = train.categories.nunique()
    columns = n_categories.index[n_categories > _MAX_CATEGORIES_WITHOUT_NAMES]
    if columns.empty:
        return None
    encoded, encoded_test = _target_encoded(task, train, test, seed)
    strings, strings_test = _strings(train), _strings(test)
    for column in columns:
        encoder = StringEncoder(random_state=seed)
        encoded = np.hstack([encoded, encoder.fit_transform(strings[column])])
        encoded_test = np.hstack([encoded_test, encoder.transform(strings_test[column])])
    return _joined(encoded, train), _joined(encoded_test, test)


def table_vectorizer(task: str, train: Part, test: Part, seed: int) -> Encoded:
    """Skrub's TableVectorizer as it is; columns of numbers are said to be categories."""
    encoder = TableVectorizer(high_cardinality=StringEncoder(random_state=seed))
    encoded = encoder.fit_transform(_strings_and_categories(train))
    encoded_test = encoder.transform(_strings_and_categories(test))
    # Strings that it reads as numbers or dates may be missing.
    imputer = SimpleImputer(keep_empty_features=True).fit(encoded)
    encoded, encoded_test = imputer.transform(encoded), imputer.transform(encoded_test)
    return _joined(encoded, train), _joined(encoded_test, test)


def weight_of_evidence(task: str, train: Part, test: Part, seed: int) -> Encoded | None:
    """Weights of evidence of two classes, cross-fitted as TargetEncoder is."""
    if task != "binary":
        return None
    return _cross_fitted(WOEEncoder(random_state=seed), task, train, test, seed)


def cat_boost(task: str, train: Part, test: Part, seed: int) -> Encoded:
    """Ordered target statistics: each training row sees the rows before it."""
    encoder = _of_classes(CatBoostEncoder(random_state=seed), task)
    encoded = encoder.fit_transform(_strings(train), _target(task, train))
    return _joined(encoded, train), _joined(encoder.transform(_strings(test)), test)


def james_stein(task: str, train: Part, test: Part, seed: int) -> Encoded:
    """James-Stein estimates, cross-fitted as TargetEncoder is."""
    model = "binary" if task == "binary" else "independent"
    encoder = JamesSteinEncoder(model=model, random_state=seed)
    return _cross_fitted(_of_classes(encoder, task), task, train, test, seed)


def glmm(task: str, train: Part, test: Part, seed: int) -> Encoded | None:
    """Random effects of mixed models, cross-fitted (Pargent et al., 2022)."""
    n_categories = train.categories.nunique().max()
    is_large = len(train.y) > _MAX_ROWS_FOR_GLMM or n_categories > _MAX_CATEGORIES_FOR_GLMM
    if is_large or task != "regression":
        return None
    return _cross_fitted(GLMMEncoder(random_state=seed), task, train, test, seed)


def embedding(task: str, train: Part, test: Part, seed: int) -> Encoded:
    """EmbeddingEncoder as it is; the numbers are its context."""
    encoder = _embedding(task, train, seed)
    encoded = _fit_transformed(encoder, _together(train), train)
    return _joined(encoded, train), _joined(encoder.transform(_together(test)), test)


def embedding_in_sample(task: str, train: Part, test: Part, seed: int) -> Encoded:
    """``fit(X, y).transform(X)``: what leaking the target costs."""
    encoder = _embedding(task, train, seed).fit(_together(train), train.y)
    return tuple(_joined(encoder.transform(_together(p)), p) for p in (train, test))


ENCODERS: dict[str, Adapter] = {
    "OneHot": one_hot,
    "Ordinal": ordinal,
    "native": native,
    "Target": target,
    "String + Target": string_beside_target,
    "TableVectorizer": table_vectorizer,
    "WOE": weight_of_evidence,
    "CatBoost": cat_boost,
    "JamesStein": james_stein,
    "GLMM": glmm,
    "in-sample": embedding_in_sample,
    "Embedding": embedding,
}


def _embedding(task: str, train: Part, seed: int) -> EmbeddingEncoder:
    return EmbeddingEncoder(
        categorical_features=list(train.categories),
        target_type=TARGET_TYPES[task],
        random_state=seed,
        **_folds(train),
    )


def _folds(train: Part) -> dict[str, Any]:
    """Return the parameter ``cv`` of an encoder that is told the groups."""
    return {} if train.groups is None else {"cv": GroupKFold(5)}


def _fit_transformed(encoder: Any, X: Any, train: Part) -> Any:
    """Encode training rows, with their groups routed to ``cv``."""
    if train.groups is None:
        return encoder.fit_transform(X, train.y)
    with config_context(enable_metadata_routing=True):
        return encoder.fit_transform(X, train.y, groups=train.groups)


def _target_encoded(task: str, train: Part, test: Part, seed: int) -> Encoded:
    encoder = TargetEncoder(target_type=TARGET_TYPES[task], **_folds(train))
    # It draws its folds from the global state: later versions have no random_state.
    np.random.seed(seed)  # noqa: NPY002
    encoded = _fit_transformed(encoder, train.categories, train)
    return encoded, encoder.transform(test.categories)


def _together(part: Part) -> Any:
    return part.categories.join(part.numbers)


def _joined(encoded: Any, part: Part) -> np.ndarray:
    return np.hstack([part.numbers.to_numpy(), np.asarray(encoded, dtype=np.float64)])


def _beside_numbers(transform: Callable[[Any], Any], train: Part, test: Part) -> Encoded:
    return tuple(_joined(transform(part.categories), part) for part in (train, test))


def _strings(part: Part) -> Any:
    """Category_encoders wants strings, and missing as one of them."""
    return part.categories.fillna("missing").astype(str)


def _strings_and_categories(part: Part) -> Any:
    """Strings as they are stored, and codes as categories, for both are categorical."""
    is_text = part.categories.map(lambda value: value is None or isinstance(value, str))
    columns = {
        name: column.astype("str" if is_text[name].all() else "category")
        for name, column in part.categories.items()
    }
    return pd.DataFrame(columns)


def _target(task: str, part: Part) -> Any:
    if task == "multiclass":
        return part.y.astype(str)
    if task == "binary":
        return np.unique(part.y, return_inverse=True)[1].astype(np.float64)
    return part.y.astype(np.float64)


def _of_classes(encoder: Any, task: str) -> Any:
    return PolynomialWrapper(encoder) if task == "multiclass" else encoder


def _cross_fitted(encoder: Any, task: str, train: Part, test: Part, seed: int) -> Encoded:
    """Encode each fifth of the training rows by an encoder fitted on the others."""
    X, y = _strings(train), _target(task, train)
    encoded: np.ndarray | None = None
    shuffled = KFold(5, shuffle=True, random_state=seed)
    splitter = _folds(train).get("cv", shuffled)
    with warnings.catch_warnings():
        # Mixed models of columns without variance say that they do not converge.
        warnings.simplefilter("ignore")
        for rest, fold in splitter.split(X, groups=train.groups):
            fitted = clone(encoder)  # a PolynomialWrapper's fit returns None
            fitted.fit(X.iloc[rest], y[rest])
            part = np.asarray(fitted.transform(X.iloc[fold]), dtype=np.float64)
            if encoded is None:
                encoded = np.empty((len(X), part.shape[1]))
            encoded[fold] = part
        encoder.fit(X, y)
    return _joined(encoded, train), _joined(encoder.transform(_strings(test)), test)
