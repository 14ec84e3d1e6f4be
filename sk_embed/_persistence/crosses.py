"""Crosses as members of a file, and back."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np

from sk_embed._arrays import FloatArray
from sk_embed._columns.vocabulary import Vocabulary
from sk_embed._crosses import CrossTable, cell_vocabulary
from sk_embed._engine.cells import Interaction, ListedCells, codes_of
from sk_embed._persistence.members import Members, array_to_bytes


def crosses_to_json(crosses: Sequence[CrossTable]) -> list[Any]:
    """Return the entries of a document, one for each cross.

    It holds the pair, what this explains, and the rank of what is foretold of cells that
    are not listed.
    """
    return [
        [*cross.pair, cross.explained_variance_ratio, _rank(cross.interaction)]
        for cross in crosses
    ]


def _rank(foretold: Interaction | None) -> int:
    return 0 if foretold is None else foretold.rank


def cross_members(crosses: Sequence[CrossTable]) -> dict[str, bytes]:
    """Return the members that hold the crosses, by name."""
    members: dict[str, bytes] = {}
    for place, cross in enumerate(crosses):
        folder = f"crosses/{place}"
        arrays = {
            "keys": cross.cells.categories,
            "counts": cross.cells.counts.astype(np.int64),
            "table": cross.table[:-1],
        }
        if cross.interaction is not None:
            arrays |= {
                name: array[:-1] for name, array in cross.interaction._asdict().items()
            }
        members |= {
            f"{folder}/{name}.npy": array_to_bytes(array) for name, array in arrays.items()
        }
    return members


def restored_crosses(
    entries: Sequence[Any],
    vocabularies: Sequence[Vocabulary],
    n_outputs: int,
    with_effects: bool,
    members: Members,
) -> list[CrossTable]:
    """Return the crosses that :func:`crosses_to_json` and :func:`cross_members` wrote.

    Parameters
    ----------
    entries : sequence
        Entries of the JSON document, one for each cross.
    vocabularies : sequence of Vocabulary
        Categories of each categorical column.
    n_outputs : int
        Number of outputs of the model.
    with_effects : bool
        Whether totals are given out beside the own effects.
    members : Members
        Members of the file, from which the arrays are read.

    Raises
    ------
    ValueError
        If they make no crosses of these columns.
    """
    crosses = []
    for place, entry in enumerate(entries):
        kinds = [type(part) for part in entry]
        if kinds != [int, int, float, int] or not isfinite(entry[2]):
            raise ValueError(
                "an entry of its 'crosses' is no pair, what it explains, and a rank"
            )
        a, b, explained, rank = entry
        if not 0 <= a < b < len(vocabularies) or rank < 0:
            raise ValueError(f"its cross {place} is of columns that there are not")
        folder = f"crosses/{place}"
        keys = members.array(f"{folder}/keys.npy", "i", (None,))
        counts = members.array(f"{folder}/counts.npy", "i", keys.shape)
        table = members.floats(f"{folder}/table.npy", (len(keys), n_outputs))
        of_codes = zip(codes_of(keys), (a, b), strict=True)
        is_sound = len(np.unique(keys)) == len(keys) and bool((counts >= 0).all())
        for codes, j in of_codes:
            is_sound &= bool(((codes >= 0) & (codes < vocabularies[j].n_groups)).all())
        if not is_sound:
            raise ValueError(f"its cross {place} holds values that are out of range")
        cells = cell_vocabulary((a, b), ListedCells(keys, counts), vocabularies)
        n_totals = n_outputs if with_effects else 0
        n_rows = [vocabularies[j].n_groups for j in (a, b)]
        foretold = _restored_interaction(folder, n_rows, rank, n_outputs, members)
        table = _with_origin(table)
        crosses.append(CrossTable((a, b), cells, table, n_totals, explained, foretold))
    return crosses


def _restored_interaction(
    folder: str, n_rows: Sequence[int], rank: int, n_outputs: int, members: Members
) -> Interaction | None:
    """Return what is foretold of cells that are not listed, if it is not zero."""
    if not rank:
        return None
    shapes = {"first": (n_rows[0], rank), "second": (n_rows[1], rank, n_outputs)}
    parts = {
        name: _with_origin(members.floats(f"{folder}/{name}.npy", shape))
        for name, shape in shapes.items()
    }
    return Interaction(**parts)


def _with_origin(table: FloatArray) -> FloatArray:
    """Return a table with zeros behind its rows, for what is not listed."""
    return np.concatenate([table, np.zeros_like(table, shape=(1, *table.shape[1:]))])
