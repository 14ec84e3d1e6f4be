"""Warnings of targets that have more classes than a classification mostly has."""

from __future__ import annotations

from sk_embed._columns.target import LABEL_TYPES, MAX_NUMERIC_CLASSES, Target
from sk_embed._warn import warn

# Number of whole numbers above which they are more likely quantities, such as ages, than
# labels: ratings, months and digits are fewer.
_MANY_NUMBERS = 20
# Number of classes, each with an output of its own, above which learning takes minutes.
_MANY_CLASSES = 200
# Number of classes up to which tables of a few rows may hold each class once or twice.
_FEW_CLASSES = 10


def warn_of_many_classes(target: Target, n_rows: int | None, target_type: str) -> None:
    """Warn if a target is likely no classification, or one that takes long.

    Parameters
    ----------
    target : Target
        The target as it was read.
    n_rows : int or None
        Rows of the target, or None if its classes are those that the user has listed.
    target_type : str
        Parameter of the estimator: a type that was asked for is not warned of.
    """
    if target.type not in LABEL_TYPES or target.classes is None:
        return
    n_classes = len(target.classes)
    is_guess = target_type == "auto" and n_rows is not None
    if is_guess and n_classes > _MANY_NUMBERS and target.classes.dtype.kind in "iuf":
        warn(
            f"y holds {n_classes} different whole numbers, which target_type='auto' reads "
            "as classes, each an output; pass target_type='continuous' for quantities, or "
            f"'multiclass' for labels. More than {MAX_NUMERIC_CLASSES} are read as "
            "quantities, so that in a search the type may differ from fold to fold."
        )
        return
    is_most = n_rows is not None and n_classes > max(n_rows / 2, _FEW_CLASSES)
    if is_most or n_classes > _MANY_CLASSES:
        of_rows = "" if n_rows is None else f" in {n_rows} rows"
        warn(
            f"y has {n_classes} classes{of_rows}, each of which is an output that takes "
            "time and memory; put rare classes together, or make y numbers and pass "
            "target_type='continuous' if it is a quantity."
        )
