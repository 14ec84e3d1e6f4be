"""Categories as keys that tensors of ONNX hold, equal where Python says that they are.

A tensor holds values of one type. What an input of some type may equal is a category that
this type holds exactly: an input of integers never equals 0.5, one of floats never
``2**53 + 1``. All integers are looked up as int64.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import BoolArray, IntArray
from sk_embed._columns.exact import as_objects
from sk_embed._columns.vocabulary import Vocabulary

TEXT: np.dtype[Any] = np.dtype(object)
_INTEGERS: np.dtype[Any] = np.dtype(np.int64)
_UNSIGNED: np.dtype[Any] = np.dtype(np.uint64)
_FLOATS: np.dtype[Any] = np.dtype(np.float64)
# Keys that hold all values of an input; those of all others are int64.
_KEY_DTYPES: dict[str, np.dtype[Any]] = {
    "float16": np.dtype(np.float32),
    "float32": np.dtype(np.float32),
    "float64": _FLOATS,
    "uint64": _UNSIGNED,
}
_HIGHEST_BIT = np.uint64(2**63)


class Keys(NamedTuple):
    """Keys that values of one column are looked up by.

    Parameters
    ----------
    name : str
        Name of the column, for messages.
    values : ndarray of shape (n_keys,)
        Different keys: strings as objects, int64, float32 or float64.
    codes : ndarray of shape (n_keys,)
        Code of the category that each key stands for.
    missing : int or None
        Code of the missing values of a column of floats, None where they are unknown.
    """

    name: str
    values: NDArray[Any]
    codes: IntArray
    missing: int | None


def input_dtype(vocabulary: Vocabulary) -> np.dtype[Any]:
    """Return the dtype of an input that holds all categories, strings as object.

    Raises
    ------
    ValueError
        If there is none.
    """
    values, _, missing = _split(vocabulary)
    if _is_text(values, vocabulary.name):
        return TEXT
    own = vocabulary.categories.dtype
    if own.kind == "f":
        return own
    if missing is not None:
        candidates = [_FLOATS]
    elif len(values) and all(issubclass(kind, bool) for kind in set(map(type, values))):
        candidates = [np.dtype(bool)]
    else:
        candidates = [own] if own == _UNSIGNED else [_INTEGERS, _UNSIGNED, _FLOATS]
    for dtype in candidates:
        is_exact = _held_exactly(values, dtype)[0]
        if is_exact.all():
            return dtype
    rest = "" if missing is None else " and are missing in other rows"
    raise ValueError(
        f"Column {vocabulary.name!r} holds numbers, as {values[~is_exact][0]!r:.80}, "
        f"that no type of ONNX holds all exactly{rest}; make them strings before fit."
    )


def keys_of(vocabulary: Vocabulary, dtype: np.dtype[Any], missing_text: str) -> Keys:
    """Return the keys by which an input of a dtype is looked up.

    Parameters
    ----------
    vocabulary : Vocabulary
        Categories of the column, as learned in fit.
    dtype : dtype
        Type of the input; object for strings.
    missing_text : str
        String that stands for missing values in columns of strings.

    Raises
    ------
    ValueError
        If the categories are of a kind that ONNX does not hold, or of another than the
        input, or if the string for missing values is a category.
    TypeError
        If it is no string.
    """
    values, codes, missing = _split(vocabulary)
    is_text = _is_text(values, vocabulary.name)
    if is_text is not None and is_text != (dtype == TEXT):
        has, given = ("strings", dtype.name) if is_text else ("numbers", "strings")
        raise ValueError(
            f"Column {vocabulary.name!r} held {has} in fit, but its input is of {given}, "
            "none of which would be known; declare it by sk_embed.onnx.initial_types."
        )
    if dtype == TEXT:
        return _text_keys(vocabulary.name, values, codes, missing, missing_text)
    is_exact, keys = _held_exactly(values, _KEY_DTYPES.get(dtype.name, _INTEGERS))
    if keys.dtype == _UNSIGNED:
        # As int64, which holds ``key - 2**63`` exactly.
        keys = (keys ^ _HIGHEST_BIT).view(np.int64)
    of_missing = missing if dtype.kind == "f" else None
    return Keys(vocabulary.name, keys, codes[is_exact], of_missing)


def _split(vocabulary: Vocabulary) -> tuple[NDArray[Any], IntArray, int | None]:
    """Return the categories as objects with their codes, and the code of the missing."""
    is_missing = np.asarray(pd.isna(vocabulary.categories))
    missing = int(np.argmax(is_missing)) if is_missing.any() else None
    codes = np.flatnonzero(~is_missing)
    return as_objects(vocabulary.categories[codes]), codes, missing


def _is_text(values: NDArray[Any], name: str) -> bool | None:
    """Return whether values are strings or numbers, None where there are none.

    Raises
    ------
    ValueError
        If they are of both kinds, or of neither.
    """
    kinds = set(map(type, values))
    are_text = {kind for kind in kinds if issubclass(kind, str)}
    are_numbers = {kind for kind in kinds if issubclass(kind, (int, float))}
    others = sorted(kind.__name__ for kind in kinds - are_text - are_numbers)
    if others:
        raise ValueError(
            f"Column {name!r} holds values of type {others[0]}, which no tensor of ONNX "
            "holds; make them strings or numbers before fit."
        )
    if are_text and are_numbers:
        raise ValueError(
            f"Column {name!r} holds strings and numbers, which no tensor of ONNX holds "
            "together; make all of them strings before fit."
        )
    return bool(are_text) if kinds else None


def _text_keys(
    name: str,
    values: NDArray[Any],
    codes: IntArray,
    missing: int | None,
    missing_text: str,
) -> Keys:
    if not isinstance(missing_text, str):
        raise TypeError(f"missing must be a string, but is {missing_text!r}.")
    _require_utf8(name, [*values.tolist(), missing_text])
    if missing_text in set(values):
        raise ValueError(
            f"Column {name!r} has the category {missing_text!r}, which stands for missing "
            "values in ONNX, whose strings are never missing; choose another by missing=."
        )
    if missing is not None:
        values = np.append(values, np.array([missing_text], dtype=object))
        codes = np.append(codes, missing)
    return Keys(name, values, codes, None)


def _require_utf8(name: str, texts: Sequence[str]) -> None:
    try:
        "".join(texts).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"Column {name!r} holds a string with {error.object[error.start]!r}, half a "
            "surrogate pair, which no string of ONNX holds; replace it before fit."
        ) from error


def _held_exactly(
    values: NDArray[Any], dtype: np.dtype[Any]
) -> tuple[BoolArray, NDArray[Any]]:
    """Return which of Python's numbers a dtype holds exactly, and these in the dtype."""
    if dtype.kind == "f":
        largest, infinite = sys.float_info.max, float("inf")
        is_held: NDArray[Any] = (values >= -largest) & (values <= largest)
        is_held |= (values == infinite) | (values == -infinite)
    else:
        limits = np.iinfo(np.uint8 if dtype.kind == "b" else dtype)
        is_held = (values >= limits.min) & (values <= limits.max)
    is_held = is_held.astype(bool)
    with np.errstate(over="ignore"):
        cast = values[is_held].astype(dtype)
    # Python compares integers with floats exactly.
    same = (cast.astype(object) == values[is_held]).astype(bool)
    is_held[is_held] = same
    return is_held, cast[same]
