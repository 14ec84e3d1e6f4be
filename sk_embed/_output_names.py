"""The names of the output columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable


def column_names(name: str, effect_names: list[str], n_components: int) -> list[str]:
    """Return the names of one categorical column's output: its effects, then its axes."""
    axes = range(n_components - len(effect_names))
    return [f"{name}_{suffix}" for suffix in (*effect_names, *axes)]


def require_distinct(names: Iterable[str]) -> None:
    """Raise ValueError if two output columns have the same name."""
    name, n_columns = Counter(names).most_common(1)[0]
    if n_columns > 1:
        raise ValueError(
            f"{n_columns} output columns would have the name {name!r}; rename a column of "
            "X, or of y, so that all are different."
        )
