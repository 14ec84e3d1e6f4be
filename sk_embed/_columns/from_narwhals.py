"""Frames of other libraries, through narwhals, which is imported where one is met."""

from __future__ import annotations

from typing import Any

import pandas as pd

from sk_embed._columns.from_arrow import arrow_series

_OF_OTHER_FRAMES = ("__arrow_c_stream__", "__arrow_c_array__", "__dataframe__")


def unwrapped(X: Any) -> Any:
    """Return the frame that a frame of narwhals holds, and all else as it is."""
    is_of_narwhals = type(X).__module__.partition(".")[0] == "narwhals"
    return X.to_native() if is_of_narwhals else X


def is_other_frame(X: Any) -> bool:
    """Whether X is a frame, of whatever library, by the protocols of the field."""
    return any(hasattr(X, name) for name in _OF_OTHER_FRAMES)


def from_narwhals(X: Any) -> list[pd.Series]:
    """Return the columns of a frame that narwhals knows.

    Raises
    ------
    TypeError
        If narwhals is not there, or X is no frame that it knows, or one without rows yet.
    """
    frame = _as_narwhals(X)
    if frame.implementation.is_pandas_like():
        return [column.to_pandas() for column in frame.iter_columns()]
    # Not by to_pandas, which makes floats of integers with gaps.
    return [arrow_series(column.to_arrow()) for column in frame.iter_columns()]


def names_of(X: Any) -> list[str]:
    """Return the column names of a frame that narwhals knows; see :func:`from_narwhals`."""
    names: list[str] = _as_narwhals(X).columns
    return names


def frame_like(X: Any, values: dict[str, Any]) -> Any:
    """Return columns as a frame of the library of X, which narwhals knows."""
    import narwhals.stable.v2 as nw

    return nw.from_dict(values, backend=_as_narwhals(X).implementation).to_native()


def _as_narwhals(X: Any) -> Any:
    library = type(X).__module__.partition(".")[0]
    try:
        import narwhals.stable.v2 as nw
    except ImportError as error:
        raise TypeError(
            f"X is a {type(X).__name__} of {library}, which is read by narwhals 2 or "
            "later; install it, or pass a frame of pandas or polars."
        ) from error
    try:
        frame = nw.from_native(X, pass_through=True)
        if frame is X:
            frame = nw.from_arrow(X, backend="pyarrow")
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"X is a {type(X).__name__} of {library}, of which narwhals knows no frame; "
            "pass a frame of pandas or polars."
        ) from error
    if isinstance(frame, nw.LazyFrame):
        raise TypeError(
            f"X is a {type(X).__name__} of {library}, which holds no rows yet; collect it."
        )
    return frame
