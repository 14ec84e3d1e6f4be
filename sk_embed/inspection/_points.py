"""What of an embedding table is drawn: which axes, which categories, by what names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sk_embed._encoder import EmbeddingEncoder

_LONGEST_LABEL = 24


class Points(NamedTuple):
    """The points of a picture.

    Parameters
    ----------
    frame : DataFrame of shape (n_points, 3)
        Indexed by label, most frequent first: two coordinates, and ``count``.
    axis_labels : tuple of str
        Labels of the horizontal and the vertical axis.
    title : str
        Column, and how many of its categories are drawn.
    """

    frame: pd.DataFrame
    axis_labels: tuple[str, str]
    title: str


def read_points(
    encoder: EmbeddingEncoder,
    feature: Any,
    columns: Sequence[str] | None,
    max_points: int,
) -> Points:
    """Read the points of a column; parameters as of ``EmbeddingDisplay``."""
    table = encoder.to_frame(feature)
    j = encoder._column_number(feature)
    n_axes = len(encoder.explained_variance_ratio_[j])
    names = list(table.columns[:-1])
    effects, axes = names[: len(names) - n_axes], names[len(names) - n_axes :]
    x, y = _chosen(columns, effects, axes, feature)
    drawn = _by_label(table, encoder.infrequent_categories_[j])
    n_drawn = min(max_points, len(drawn))
    shares = dict(zip(axes, encoder.explained_variance_ratio_[j], strict=True))
    noun = "category" if len(table) == 1 else "categories"
    title = f"{table.index.name}: {len(table):,} {noun}"
    if n_drawn < len(drawn):
        title = f"{table.index.name}: the {n_drawn:,} most frequent of {len(table):,}"
    return Points(
        drawn.head(n_drawn).loc[:, [x, y] if y == "count" else [x, y, "count"]],
        (_axis_label(x, shares), _axis_label(y, shares)),
        title,
    )


def _chosen(
    columns: Sequence[str] | None, effects: list[str], axes: list[str], feature: Any
) -> tuple[str, str]:
    """Return the names of the two columns to draw."""
    if columns is None:
        first, second, *_ = [*effects[: max(2 - len(axes), 0)], *axes, "count"]
        return first, second
    known = [*effects, *axes]
    if len(columns) != 2 or not set(columns) <= set(known):
        raise ValueError(
            f"columns must be two of {known} for column {feature!r}, but is "
            f"{list(columns)!r}."
        )
    return columns[0], columns[1]


def _by_label(table: pd.DataFrame, infrequent: Any) -> pd.DataFrame:
    """Return the categories that have rows, those that share a vector as one point."""
    labels = np.array([_label(category) for category in table.index], dtype=object)
    if infrequent is not None:
        is_infrequent = table.index.isin(infrequent)
        counts = table["count"].where(~is_infrequent, table["count"][is_infrequent].sum())
        labels[is_infrequent] = f"{is_infrequent.sum():,} infrequent"
        is_first = ~is_infrequent | (np.cumsum(is_infrequent) == 1)
        table, labels = table.assign(count=counts)[is_first], labels[is_first]
    order = np.argsort(-table["count"].to_numpy(), kind="stable")
    drawn = table.set_axis(pd.Index(labels, dtype=object)).iloc[order]
    return drawn[drawn["count"] > 0]


def _label(category: Any) -> str:
    if pd.isna(category):
        return "missing"
    label = " ".join(str(category).split())
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…"


def _axis_label(name: str, shares: dict[str, float]) -> str:
    if name == "count":
        return "rows in fit"
    if name in shares:
        return f"{name} ({shares[name]:.0%} of the vectors' variance)"
    return f"{name} (main effect)"
