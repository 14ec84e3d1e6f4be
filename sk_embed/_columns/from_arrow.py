"""Arrow's columns as those of pandas whose values can be told apart."""

from __future__ import annotations

from typing import Any

import pandas as pd

from sk_embed._columns.exact import as_array


def from_arrow(column: pd.Series, name: str) -> pd.Series:
    """Return a column of an Arrow dtype as one whose values pandas compares as Python does.

    Types whose values Arrow itself compares so are left as they are; all others become
    times, or Python's values: dates, Decimals, UUIDs, and lists, which are no categories.
    ``name`` is the column's, for messages.
    """
    import pyarrow.types as types

    kind = column.dtype.pyarrow_dtype
    if _is_told_apart(kind, types):
        return column
    chunked = column.array.__arrow_array__()
    if types.is_dictionary(kind):
        return from_arrow(arrow_series(_without_dictionary(chunked)), name)
    if types.is_timestamp(kind) or types.is_duration(kind):
        return pd.Series(chunked.to_pandas())
    if types.is_time64(kind) and kind.unit == "ns":
        require_whole_microseconds(chunked.cast("int64").to_pylist(), name)
    try:
        return objects(chunked.to_pylist())
    except OverflowError as error:
        raise beyond_python(name) from error


def arrow_series(values: Any) -> pd.Series:
    """Return an array of Arrow as a column."""
    return pd.Series(pd.arrays.ArrowExtensionArray(values))


def objects(values: list[Any]) -> pd.Series:
    """Return values as a column of these very objects."""
    return pd.Series(as_array(values), dtype=object)


def beyond_python(name: Any) -> ValueError:
    """Return the error for dates that only other libraries know."""
    return ValueError(
        f"Column {name!r} holds a date beyond the years 1 to 9999, which Python's date "
        "cannot hold; cast the column to integers or times."
    )


def require_whole_microseconds(nanoseconds: list[int | None], name: Any) -> None:
    """Raise ValueError if a time of day is finer than Python's."""
    for row, count in enumerate(nanoseconds):
        if count is not None and count % 1000:
            raise ValueError(
                f"Column {name!r} holds a time of day finer than microseconds in row "
                f"{row}, which Python's time cannot hold; cast the column to integers."
            )


def _is_told_apart(kind: Any, types: Any) -> bool:
    is_number = types.is_integer(kind) or types.is_float32(kind) or types.is_float64(kind)
    is_text = types.is_string(kind) or types.is_large_string(kind)
    is_bytes = types.is_binary(kind) or types.is_large_binary(kind)
    return is_number or is_text or is_bytes or types.is_boolean(kind)


def _without_dictionary(chunked: Any) -> Any:
    import pyarrow as pa

    chunks = [chunk.dictionary.take(chunk.indices) for chunk in chunked.chunks]
    return pa.chunked_array(chunks, type=chunked.type.value_type)
