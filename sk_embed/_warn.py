"""Warnings that point at the user's line, however deep below it they are raised."""

from __future__ import annotations

import sys
import warnings

_OURS = ("sk_embed", "sklearn")


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the first line, from here outwards, that is not this package's.

    Nor scikit-learn's, whose wrappers call us.
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and _package_of(frame.f_globals) in _OURS:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _package_of(names: dict[str, object]) -> str:
    return str(names.get("__name__", "")).partition(".")[0]
