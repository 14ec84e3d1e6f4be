"""The picture of a column's vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sk_embed._encoder import EmbeddingEncoder
from sk_embed.inspection._labels import Marks, place_labels
from sk_embed.inspection._matplotlib import (
    BLUE,
    GREY,
    ORANGE,
    PLAIN,
    count_rows_by_log,
    figure_of,
    halo,
    printable,
)
from sk_embed.inspection._points import Points, read_points

# Areas of the marks, in square points: the largest, and the least that can be seen.
_LARGEST, _SMALLEST = 320.0, 12.0

_UNKNOWN = "unknown"


class EmbeddingDisplay:
    """The vectors of a column's categories on two axes.

    A point is a category, its area the category's rows in ``fit``. The most frequent are
    labelled, where a label has room. The cross is the origin, which unknown categories
    get: categories near it are rare, or do not differ from the average.

    Parameters
    ----------
    points : DataFrame of shape (n_points, 3)
        Indexed by label, most frequent first: two coordinates, and ``count``.
    axis_labels : tuple of str
        Labels of the horizontal and the vertical axis.
    title : str
        Title that stands above the picture.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes that the points were drawn on.
    figure_ : matplotlib Figure
        Figure that ``ax_`` belongs to.
    scatter_ : matplotlib PathCollection
        Points of the categories, one for each.
    origin_ : matplotlib Line2D
        The mark of the origin.
    labels_ : list of matplotlib Annotation
        Labels that found room, that of the origin first.

    See Also
    --------
    nearest_categories : Distances on all axes, not on two alone.
    LossCurveDisplay : How learning went.

    Examples
    --------
    >>> from sk_embed import EmbeddingEncoder
    >>> from sk_embed.datasets import make_categorical
    >>> from sk_embed.inspection import EmbeddingDisplay
    >>> encoder = EmbeddingEncoder(random_state=0).fit(*make_categorical(random_state=0))
    >>> display = EmbeddingDisplay.from_estimator(encoder, "cat_0")  # doctest: +SKIP
    """

    def __init__(
        self, points: pd.DataFrame, *, axis_labels: tuple[str, str], title: str
    ) -> None:
        self.points = points
        self.axis_labels = axis_labels
        self.title = title

    @classmethod
    def from_estimator(
        cls,
        encoder: EmbeddingEncoder,
        feature: Any,
        *,
        columns: Sequence[str] | None = None,
        max_labels: int = 40,
        max_points: int = 2_000,
        ax: Any = None,
        **scatter_kw: Any,
    ) -> EmbeddingDisplay:
        """Draw the vectors of a column.

        Parameters
        ----------
        encoder : EmbeddingEncoder
            Fitted encoder whose vectors are drawn.
        feature : str or int
            Name of the column, or its number in X.
        columns : pair of str, default=None
            Columns of ``encoder.to_frame(feature)`` that make the two axes. None takes the
            first two axes of the vectors; where there are not two, the main effect comes
            first, and where there is nothing else, the rows of each category second.
        max_labels : int, default=40
            Number of most frequent categories that get a label, if it has room.
        max_points : int, default=2_000
            Number of most frequent categories that are drawn.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        **scatter_kw : dict
            Further arguments of matplotlib's ``scatter``.

        Returns
        -------
        display : EmbeddingDisplay
            The picture.

        Raises
        ------
        ValueError
            If the feature or ``columns`` are not known.
        ImportError
            If matplotlib is not installed.
        """
        read: Points = read_points(encoder, feature, columns, max_points)
        display = cls(read.frame, axis_labels=read.axis_labels, title=read.title)
        return display.plot(ax=ax, max_labels=max_labels, **scatter_kw)

    def plot(
        self, ax: Any = None, *, max_labels: int = 40, **scatter_kw: Any
    ) -> EmbeddingDisplay:
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.
        max_labels : int, default=40
            Number of most frequent categories that get a label, if it has room.
        **scatter_kw : dict
            Further arguments of matplotlib's ``scatter``.

        Returns
        -------
        display : EmbeddingDisplay
            Itself.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self.ax_, self.figure_ = figure_of(ax, type(self).__name__)
        counts = self.points["count"].to_numpy(dtype=float)
        places = self.points.iloc[:, :2].to_numpy(dtype=float)
        areas = _areas(counts, counts.max(initial=1.0))
        style = {"color": BLUE, "alpha": 0.55, "edgecolors": "white", "linewidths": 0.5}
        self.scatter_ = self.ax_.scatter(*places.T, s=areas, **{**style, **scatter_kw})
        x_label, y_label = map(printable, self.axis_labels)
        self.ax_.set_xlabel(x_label, **PLAIN)
        self.ax_.set_ylabel(y_label, **PLAIN)
        self.ax_.set_title(printable(self.title), **PLAIN)
        self._draw_origin()
        obstacles = self._draw_legend(counts)
        names = (printable(str(label)) for label in self.points.index[:max_labels])
        marks = Marks(
            np.vstack([self.origin_.get_xydata()[:1], places[:max_labels]]),
            np.append(4.0, np.sqrt(areas[:max_labels]) / 2),
            [_UNKNOWN, *names],
        )
        self.labels_ = place_labels(
            self.ax_,
            marks,
            obstacles,
            first_kw={"color": ORANGE, "weight": "bold"},
            fontsize="small",
            path_effects=halo(),
            **PLAIN,
        )
        return self

    def _draw_origin(self) -> None:
        """Mark where unknown categories are: a point, or a line beside the counts."""
        if self.points.columns[1] == "count":
            self.ax_.set_yscale("log")
            count_rows_by_log(self.ax_.yaxis)
            height = self.points["count"].min()
            self.ax_.axvline(0, color=ORANGE, linestyle=":", zorder=0)
        else:
            # The unit of both axes is the same, and so is what a distance means.
            self.ax_.set_aspect("equal", adjustable="datalim")
            height = 0.0
            self.ax_.axhline(0, color=GREY, linewidth=0.5, alpha=0.5, zorder=0)
            self.ax_.axvline(0, color=GREY, linewidth=0.5, alpha=0.5, zorder=0)
        style = {"color": ORANGE, "markersize": 9, "markeredgewidth": 2.5}
        (self.origin_,) = self.ax_.plot([0], [height], "x", **style)
        self.ax_.margins(0.1)

    def _draw_legend(self, counts: Any) -> list[Any]:
        """Say what the points' areas mean; nothing if all are the same."""
        largest = counts.max(initial=1.0)
        shown = sorted({_rounded(largest / share) for share in (1, 4, 16)})
        if counts.min(initial=largest) == largest:
            return []
        handles = [
            self.ax_.scatter([], [], s=_areas(np.array([n]), largest), color=GREY)
            for n in shown
        ]
        names = [f"{n:,}" for n in shown]
        legend = self.ax_.legend(handles, names, title="rows", fontsize="small")
        for text in [legend.get_title(), *legend.get_texts()]:
            text.set(**PLAIN)
        return [legend]


def _areas(counts: Any, largest: float) -> Any:
    return np.maximum(_LARGEST * counts / largest, _SMALLEST)


def _rounded(count: float) -> int:
    """Return a number of one digit and zeros that is not larger, 1 at least."""
    if count < 1:
        return 1
    unit = 10 ** int(np.log10(count))
    return int(count // unit) * unit
