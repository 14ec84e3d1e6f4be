"""What ``partial_fit`` goes on from after ``fit``, as members of a file, and back."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from sk_embed._arrays import FloatArray
from sk_embed._fitted import ResumeState
from sk_embed._persistence.members import Document, Members, array_to_bytes


def resume_members(resume: ResumeState) -> dict[str, bytes]:
    """Return the members that hold the state, by name."""
    arrays: dict[str, FloatArray | None] = {
        "resume/alpha.npy": resume.alpha,
        "resume/curvature.npy": resume.curvature,
    }
    for j, to_trunk in enumerate(resume.to_trunk):
        folder = f"columns/{j}"
        arrays[f"{folder}/to_trunk.npy"] = to_trunk
        arrays[f"{folder}/weights.npy"] = resume.weights[j]
        arrays[f"{folder}/effects.npy"] = resume.effects[j]
    return {
        name: array_to_bytes(array) for name, array in arrays.items() if array is not None
    }


def restored_resume(
    tables: Sequence[FloatArray],
    n_vectors: int,
    n_outputs: int,
    shape: tuple[int, int],
    document: Document,
    members: Members,
) -> ResumeState | None:
    """Return the state that :func:`resume_members` wrote, where the file holds it.

    Parameters
    ----------
    tables : sequence of ndarray of shape (n_categories + 1, width)
        Table of each categorical column, with the origin behind its categories.
    n_vectors : int
        Number of the network's inputs that are vectors of categories.
    n_outputs : int
        Number of outputs of the model.
    shape : tuple of int
        Shape of the penalties: a row for each group of outputs that are solved together,
        and a column for each column and cross.
    document : Document
        Content of the member ``encoder.json``.
    members : Members
        Members of the file that are not yet read.

    Raises
    ------
    ValueError
        If they do not fit the rest of the file.
    """
    if document.entries.get("total_weight") is None:
        return None
    total_weight = document.get("total_weight", float)
    alpha = members.floats("resume/alpha.npy", shape)
    curvature = members.floats("resume/curvature.npy", shape)
    in_range = total_weight > 0 and (alpha >= 0).all() and (curvature > 0).all()
    if not in_range or not isfinite(total_weight):
        raise ValueError("its 'total_weight', or a penalty of effects, is out of range")
    width, rest = divmod(n_vectors, len(tables))
    if rest or width < 0:
        raise ValueError(
            f"its network has {n_vectors} inputs for vectors, which fit no columns"
        )
    return ResumeState(
        to_trunk=[
            members.floats(f"columns/{j}/to_trunk.npy", (table.shape[1], width))
            for j, table in enumerate(tables)
        ],
        alpha=alpha,
        curvature=curvature,
        total_weight=total_weight,
        weights=[
            _restored_weights(f"columns/{j}/weights.npy", len(table) - 1, members)
            for j, table in enumerate(tables)
        ],
        effects=_restored_effects(tables, n_outputs, document, members),
    )


def _restored_weights(name: str, n_categories: int, members: Members) -> FloatArray | None:
    if name not in members:
        return None
    weights = members.floats(name, (n_categories,))
    if (weights < 0).any():
        raise ValueError(f"its member {name!r} holds a weight below zero")
    return weights


def _restored_effects(
    tables: Sequence[FloatArray], n_outputs: int, document: Document, members: Members
) -> list[FloatArray | None]:
    """Return the main effects that the tables do not begin with."""
    if document.get("effect_names", list):
        return [None] * len(tables)
    shapes = [(len(table) - 1, n_outputs) for table in tables]
    return [
        members.floats(f"columns/{j}/effects.npy", shape) for j, shape in enumerate(shapes)
    ]
