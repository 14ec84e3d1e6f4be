"""The way back from vectors to categories: composes vocabularies and nearest rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._columns.lookup import UNKNOWN
from sk_embed._columns.table import TableColumns
from sk_embed._nearest import nearest_rows


def require_encoded(
    found_names: list[Any] | None, columns: list[pd.Series], names: NDArray[Any]
) -> None:
    """Raise ValueError if X does not have the columns that transform gives.

    ``found_names`` are those of X, None where it has none.
    """
    if len(columns) != len(names):
        raise ValueError(
            f"X has {len(columns)} columns, but transform gives {len(names)}: those of "
            "get_feature_names_out()."
        )
    if found_names is None:
        return
    for j, (found, name) in enumerate(zip(found_names, names, strict=True)):
        if found != name:
            raise ValueError(
                f"Column {j} of X is {found!r}, but transform gives {name!r} there; "
                "pass the columns of get_feature_names_out() in their order."
            )


def decode(
    columns: list[pd.Series],
    tables: list[FloatArray],
    learned: TableColumns,
    with_origin: bool,
) -> list[pd.Series]:
    """Return the columns that encoded rows stand for.

    Parameters
    ----------
    columns : list of Series
        The encoded rows' columns; behind those of the vectors, the context, if it was
        passed through.
    tables : list of ndarray of shape (n_categories, width)
        Vectors of each categorical column's categories, in the unit of the output.
    learned : TableColumns
        Columns of X as they were learned in ``fit``.
    with_origin : bool
        Whether a vector may stand for an unknown category.

    Returns
    -------
    columns : list of Series
        Categories and context in the order of fit.
    """
    start = 0
    decoded = []
    for table, vocabulary in zip(tables, learned.vocabularies, strict=True):
        end = start + table.shape[1]
        vectors = _vectors(columns[start:end], vocabulary.name)
        rows = nearest_rows(table, vocabulary.counts, vectors, with_origin)
        decoded.append(_look_up(vocabulary.categories, rows))
        start = end
    context = columns[start:]
    if not context:
        return decoded
    categories, numbers = iter(decoded), iter(context)
    return [next(categories if is_c else numbers) for is_c in learned.is_categorical]


def _vectors(columns: list[pd.Series], name: str) -> FloatArray:
    """Return the vectors of one categorical column, or raise ValueError."""
    try:
        floats = [column.to_numpy(np.float64, na_value=np.nan) for column in columns]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The vectors of column {name!r} are not numbers ({error}); pass rows as "
            "transform gives them."
        ) from error
    vectors = np.column_stack(floats)
    bad_rows = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad_rows):
        raise ValueError(
            f"The vector of column {name!r} in row {bad_rows[0]} is not finite "
            f"({vectors[bad_rows[0]].tolist()}); transform gives finite numbers alone."
        )
    return vectors


def _look_up(categories: NDArray[Any], rows: IntArray) -> pd.Series:
    """Return the category of each row, None for unknown ones."""
    is_unknown = rows == UNKNOWN
    if not is_unknown.any():
        return pd.Series(categories[rows], dtype=categories.dtype)
    # Through pandas, which makes times of numpy's times, not numbers.
    values = pd.Series(categories, dtype=categories.dtype).astype(object).to_numpy()
    found = values[rows]
    found[is_unknown] = None
    return pd.Series(found, dtype=object)
