"""Labels of points that overlap neither each other nor the edge of the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sk_embed._arrays import FloatArray

# Places of a label relative to its mark, and the side by which it is held there, in the
# order of preference: right, left, above, below, then the corners.
_SIDES = [
    (1, 0, "left", "center"),
    (-1, 0, "right", "center"),
    (0, 1, "center", "bottom"),
    (0, -1, "center", "top"),
    (0.75, 0.75, "left", "bottom"),
    (-0.75, 0.75, "right", "bottom"),
    (0.75, -0.75, "left", "top"),
    (-0.75, -0.75, "right", "top"),
]
# Gap between a mark and its label, in points.
_GAP = 2.0
# Room left round a label, in pixels.
_RIM = np.array([-1.5, -1.5, 1.5, 1.5])


class Marks(NamedTuple):
    """Marks of a picture, and what is to be written beside them.

    Parameters
    ----------
    points : ndarray of shape (n_marks, 2)
        Centres of the marks, in data coordinates.
    radii : ndarray of shape (n_marks,)
        Radii of the marks, in points of 1/72 inch.
    labels : sequence of str
        Label of each mark, the most important first.
    """

    points: FloatArray
    radii: FloatArray
    labels: Sequence[str]


def place_labels(
    ax: Any,
    marks: Marks,
    obstacles: Sequence[Any],
    first_kw: dict[str, Any],
    **text_kw: Any,
) -> list[Any]:
    """Write labels beside points, and leave out those that have no room.

    What was given first has the first choice of eight places round its point. Overlap is
    judged at the figure's present size and limits.

    Parameters
    ----------
    ax : matplotlib Axes
        Axes of the marks, with their limits set.
    marks : Marks
        Marks that are drawn already, and their labels.
    obstacles : sequence of matplotlib Artist
        Artists that are not written over, as a legend.
    first_kw : dict
        Further arguments of ``annotate`` for the first label, which may be written over
        marks where there is no free place.
    **text_kw : dict
        Arguments of matplotlib's ``annotate`` for all labels.

    Returns
    -------
    texts : list of matplotlib Annotation
        Labels that were placed.
    """
    points, radii, labels = marks
    figure = ax.get_figure()
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    inside = ax.get_window_extent(renderer)
    taken = [_corners(artist.get_window_extent(renderer)) for artist in obstacles]
    taken += _marks(ax, points, radii * figure.dpi / 72)
    texts, n_fixed = [], len(taken)
    for i, label in enumerate(labels):
        # As it will be drawn: a bold label is longer.
        style = text_kw | (first_kw if i == 0 else {})
        text = ax.annotate(label, points[i], (0, 0), textcoords="offset points", **style)
        own_mark = len(obstacles) + i
        others = np.array(taken[:own_mark] + taken[own_mark + 1 :]).reshape(-1, 4)
        distance = radii[i] + _GAP
        has_room = _find_room(text, distance, others, inside, renderer)
        if not has_room and i == 0:
            not_marks = np.array(taken[: len(obstacles)] + taken[n_fixed:]).reshape(-1, 4)
            has_room = _find_room(text, distance, not_marks, inside, renderer)
        if has_room:
            taken.append(_corners(text.get_window_extent(renderer)) + _RIM)
            texts.append(text)
        else:
            text.remove()
    return texts


def _find_room(
    text: Any, distance: float, taken: NDArray[Any], inside: Any, renderer: Any
) -> bool:
    """Move a text to the first place that is free; return whether there is one."""
    for x, y, horizontal, vertical in _SIDES:
        text.set(ha=horizontal, va=vertical)
        text.set_position((x * distance, y * distance))
        box = _corners(text.get_window_extent(renderer)) + _RIM
        is_inside = (
            box[0] >= inside.x0
            and box[1] >= inside.y0
            and box[2] <= inside.x1
            and box[3] <= inside.y1
        )
        if is_inside and not _overlap(box, taken).any():
            return True
    return False


def _overlap(box: NDArray[Any], taken: NDArray[Any]) -> NDArray[Any]:
    """Return which boxes a box overlaps."""
    is_before = (box[:2] < taken[:, 2:]).all(axis=1)
    return np.asarray(is_before & (box[2:] > taken[:, :2]).all(axis=1))


def _marks(ax: Any, points: FloatArray, radii: FloatArray) -> Iterator[NDArray[Any]]:
    """Yield the square inside each mark, in pixels: a label may touch its edge."""
    centers = ax.transData.transform(points)
    half = (radii * np.sqrt(0.5))[:, None]
    yield from np.hstack([centers - half, centers + half])


def _corners(box: Any) -> NDArray[Any]:
    return np.array([box.x0, box.y0, box.x1, box.y1])
