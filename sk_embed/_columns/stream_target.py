"""The target of a stream: read as the first chunk's was, in the same units and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_embed._arrays import FloatArray
from sk_embed._columns.many_classes import warn_of_many_classes
from sk_embed._columns.target import (
    LABEL_TYPES,
    GivenTarget,
    Target,
    different_labels,
    read_target,
    require_indicator,
    sorted_labels,
    used_values,
)


@dataclass(frozen=True)
class TargetReader:
    """How the target of each chunk is read.

    Parameters
    ----------
    like : Target
        The target of the first chunk, or of the fit that is gone on from; its values are
        not used.
    """

    like: Target

    def read(self, given: GivenTarget, weight: FloatArray) -> FloatArray:
        """Return the targets of rows of positive weight, shape (n_used_rows, n_outputs).

        Raises
        ------
        ValueError
            If y has missing values, other columns, or a label that is not known.
        """
        y = used_values(given, weight)
        self._require_columns(y)
        if self.like.type in LABEL_TYPES:
            return self._labels(y)
        if self.like.type == "multilabel-indicator":
            require_indicator(y)
            return y.astype(np.float64)
        return self._numbers(y)

    def _require_columns(self, y: NDArray[Any]) -> None:
        names = self.like.output_names
        is_single = self.like.type in (*LABEL_TYPES, "continuous")
        expected = 1 if is_single or names is None else len(names)
        found = 1 if y.ndim == 1 else y.shape[1]
        if found != expected:
            raise ValueError(
                f"y has {found} column(s), but had {expected} in the first chunk."
            )

    def _numbers(self, y: NDArray[Any]) -> FloatArray:
        assert self.like.center is not None  # noqa: S101 - as numbers have
        assert self.like.scale is not None  # noqa: S101
        try:
            numbers = y.astype(np.float64).reshape(len(y), -1)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"y was numbers in the first chunk, but is not numeric now ({error})."
            ) from error
        standardised: FloatArray = (numbers - self.like.center) / self.like.scale
        return standardised

    def _labels(self, y: NDArray[Any]) -> FloatArray:
        assert self.like.classes is not None  # noqa: S101 - as labels have
        place_of = {label: place for place, label in enumerate(self.like.classes.tolist())}
        codes, uniques = different_labels(y)
        labels = uniques.tolist()
        unknown = [label for label in labels if label not in place_of]
        if unknown:
            raise ValueError(
                f"y holds the label {unknown[0]!r}, which is not among the classes "
                f"{list(place_of)[:10]} of the first chunk; name all in classes= of the "
                "first partial_fit, or pass target_type='continuous' if y is a quantity."
            )
        places = np.array([place_of[label] for label in labels])[codes]
        if self.like.type == "binary":
            return places[:, None].astype(np.float64)
        return (places[:, None] == np.arange(len(place_of))).astype(np.float64)


def first_target(
    given: GivenTarget, target_type: str, weight: FloatArray, classes: Any
) -> TargetReader:
    """Learn from the first chunk how targets are read.

    Parameters
    ----------
    given : GivenTarget
        Target of the first chunk, as it was passed.
    target_type : str
        Parameter of the estimator: a type, or "auto".
    weight : ndarray of shape (n_rows,)
        Weight of each row; rows of weight 0 are left out.
    classes : array-like of shape (n_classes,) or None
        All labels; None takes those of the chunk.

    Raises
    ------
    ValueError
        If y cannot be used, or ``classes`` are given for what has none.
    """
    if classes is None:
        target = read_target(given, target_type, weight).without_values()
        warn_of_many_classes(target, int((weight > 0).sum()), target_type)
        return TargetReader(target)
    labels = sorted_labels(classes)
    kind = target_type
    if kind == "auto":
        kind = "binary" if len(labels) <= 2 else "multiclass"
    if kind not in LABEL_TYPES or given.values.ndim > 1 or len(labels) < 1:
        raise ValueError(
            f"classes= holds {len(labels)} labels for one column of labels, but "
            f"target_type is {target_type!r} and y has {given.values.ndim} dimension(s); "
            "leave it out."
        )
    if kind == "binary" and len(labels) > 2:
        raise ValueError(
            f"target_type='binary' but classes= holds {len(labels)}; use 'multiclass'."
        )
    names = None if kind == "binary" else [str(label) for label in labels]
    target = Target(kind, labels, np.empty((0, 1)), names)
    warn_of_many_classes(target, None, target_type)
    return TargetReader(target)


def require_same_classes(known: NDArray[Any] | None, classes: Any) -> None:
    """Raise ValueError if ``classes`` of a later call differ from those of the first."""
    if classes is None:
        return
    given = sorted_labels(classes)
    if known is None or not np.array_equal(given, known):
        raise ValueError(
            f"classes={given.tolist()} is not the same as in the first call, "
            f"{None if known is None else known.tolist()}; leave it out."
        )
