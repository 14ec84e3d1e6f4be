"""Numeric columns as context: scaled robustly, bounded, without gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sk_embed._arrays import BoolArray, FloatArray

# Values reach no further than this many robust standard deviations.
_BOUND = 3.0
QUARTILES = (0.25, 0.5, 0.75)
# Values are at the bound long before this, and sums of two do not overflow.
HUGE = 1e150


@dataclass(frozen=True)
class ContextScaler:
    """Median to zero, interquartile range to about one standard deviation, then bounded.

    The bound ``z / sqrt(1 + (z / 3)**2)`` is smooth, monotone and all but the identity
    near zero (the "robust scale and smooth clip" of Holzmüller et al.,
    arXiv:2407.04491). Without it, a rare value far out dominates the network, which
    then diverges on the next row further out. A missing value is put at the median;
    columns with missing values in fit get an indicator column behind all others.

    Parameters
    ----------
    names : list of str
        The columns' names, for messages.
    center, scale : ndarray of shape (n_columns,)
        Median of each column, which is subtracted, and the number that the rest is divided
        by.
    with_indicator : ndarray of bool of shape (n_columns,)
        Columns that had missing values in fit.
    """

    names: list[str]
    center: FloatArray
    scale: FloatArray
    with_indicator: BoolArray

    @property
    def n_outputs(self) -> int:
        """Number of columns of the scaled context, indicators included."""
        return len(self.names) + int(self.with_indicator.sum())

    def transform(self, values: FloatArray) -> FloatArray:
        """Return the context, shape (n_rows, n_columns + n_indicators)."""
        missing = np.isnan(values)
        filled = np.where(missing, self.center, np.clip(values, -HUGE, HUGE))
        with np.errstate(over="ignore"):
            scaled = np.clip((filled - self.center) / self.scale, -HUGE, HUGE)
        scaled /= np.hypot(1, scaled / _BOUND)
        return np.column_stack([scaled, missing[:, self.with_indicator]])


def read_numbers(columns: list[pd.Series], names: list[str], n_rows: int) -> FloatArray:
    """Return numeric columns as one float64 array of ``n_rows``, missing as NaN.

    Raises
    ------
    ValueError
        If a column holds something that is not a finite number.
    """
    values = np.empty((n_rows, len(columns)))
    for j, (column, name) in enumerate(zip(columns, names, strict=True)):
        values[:, j] = _read_number(column, name)
        if np.isinf(values[:, j]).any():
            raise ValueError(
                f"Context column {name!r} holds an infinite value; replace it, or make "
                "the column categorical by categorical_features."
            )
    return values


def _read_number(column: pd.Series, name: str) -> FloatArray:
    if column.dtype.kind in "mM":
        raise ValueError(
            f"Context column {name!r} is not numeric but holds dates or times; make it "
            "numbers, as days since a date, or categorical by categorical_features."
        )
    if column.dtype.kind == "c":
        raise ValueError(
            f"Context column {name!r} is not numeric but complex; pass its parts."
        )
    try:
        with np.errstate(over="ignore"):
            return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except OverflowError as error:
        raise ValueError(
            f"Context column {name!r} holds a whole number beyond floats; divide it, or "
            "name it among the categorical_features."
        ) from error
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Context column {name!r} is not numeric: it holds {_no_number(column)}; name "
            "it among the categorical_features, or make it numbers."
        ) from error


def _no_number(column: pd.Series) -> str:
    """Return the first value that is no number, and its row, for a message."""
    values = column.astype(object)
    is_number = pd.to_numeric(values, errors="coerce").notna() | values.isna()
    row = int(np.argmin(is_number.to_numpy()))
    return f"{values.iloc[row]!r:.40} in row {row}"


def learn_context(
    values: FloatArray, weight: FloatArray, names: list[str]
) -> ContextScaler:
    """Learn center and scale of numeric columns.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
        Numbers from :func:`read_numbers`; NaN where a value is missing.
    weight : ndarray of shape (n_rows,)
        Positive weight of each row.
    names : list of str
        Names of the columns, for messages.

    Returns
    -------
    ContextScaler
    """
    values = np.clip(values, -HUGE, HUGE)
    center = np.zeros(len(names))
    scale = np.ones(len(names))
    for j in range(len(names)):
        present = ~np.isnan(values[:, j])
        if present.any():
            low, center[j], high = _weighted_quantiles(
                values[present, j], weight[present], QUARTILES
            )
            scale[j] = robust_scale(high - low, np.ptp(values[present, j]))
    with_indicator = np.asarray(np.isnan(values).any(axis=0))
    return ContextScaler(names, center, scale, with_indicator)


def robust_scale(interquartile_range: float, extent: float) -> float:
    """Return the robust standard deviation, or half the range where that is zero."""
    if interquartile_range > 0:
        return interquartile_range / 1.349
    # A column that is mostly one value: a rare indicator stays an indicator.
    half_range = extent / 2  # zero of the smallest float
    return half_range if half_range > 0 else 1.0


def _weighted_quantiles(
    values: FloatArray, weight: FloatArray, shares: tuple[float, ...]
) -> Any:
    """Return inverted-distribution quantiles: a weight of 2 counts as two rows."""
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weight[order])
    places = np.searchsorted(cumulated, np.array(shares) * cumulated[-1])
    return values[order[np.minimum(places, len(values) - 1)]]
