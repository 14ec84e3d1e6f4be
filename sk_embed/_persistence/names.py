"""What names say, as members of a file, and back."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np

from sk_embed._columns.names import N_MARKS, NameGrams
from sk_embed._names import NamePrior
from sk_embed._persistence.members import Members, array_to_bytes


def names_to_json(priors: Sequence[NamePrior | None]) -> list[Any]:
    """Return the entries of a document, one for each column: None where none is learned."""
    return [
        None if prior is None else [prior.noise_ratio, prior.with_others]
        for prior in priors
    ]


def name_members(priors: Sequence[NamePrior | None]) -> dict[str, bytes]:
    """Return the members that hold the prior means of names, by name of the member."""
    members: dict[str, bytes] = {}
    for j, prior in enumerate(priors):
        if prior is None:
            continue
        arrays = {
            "alphabet": prior.grams.alphabet,
            "grams": prior.grams.keys,
            "rarity": prior.grams.rarity,
            "weights": prior.weights,
            "offset": prior.offset,
            "left_over": prior.left_over,
        }
        members |= {
            f"columns/{j}/names/{name}.npy": array_to_bytes(array)
            for name, array in arrays.items()
        }
    return members


def restored_names(
    entries: Sequence[Any], widths: Sequence[int], members: Members
) -> list[NamePrior | None]:
    """Return the priors that :func:`names_to_json` and :func:`name_members` wrote.

    Parameters
    ----------
    entries : sequence
        Entries of the document; none at all in files that were written before there were
        any.
    widths : sequence of int
        Width of each column's table.
    members : Members
        Members of the file that are not yet read.

    Raises
    ------
    ValueError
        If they make no priors of these columns.
    """
    if not entries:
        return [None] * len(widths)
    if len(entries) != len(widths):
        raise ValueError(f"{len(entries)} entries in its 'names' but {len(widths)} columns")
    return [
        None if entry is None else _restored(entry, f"columns/{j}/names", width, members)
        for j, (entry, width) in enumerate(zip(entries, widths, strict=True))
    ]


def _restored(entry: Any, folder: str, width: int, members: Members) -> NamePrior:
    if type(entry) is not list or [type(part) for part in entry] != [float, bool]:
        raise ValueError("an entry of its 'names' is no number of rows and a flag")
    noise_ratio, with_others = entry
    alphabet = members.array(f"{folder}/alphabet.npy", "i", (None,))
    keys = members.array(f"{folder}/grams.npy", "i", (None,))
    floats = {
        "rarity": (len(keys) + 1,),
        "weights": (len(keys), width),
        "offset": (width,),
        "left_over": (width,),
    }
    arrays = {
        name: members.floats(f"{folder}/{name}.npy", shape)
        for name, shape in floats.items()
    }
    is_sound = isfinite(noise_ratio) and noise_ratio > 0 and len(alphabet) >= N_MARKS
    is_sound &= bool((np.diff(alphabet) > 0).all() and (np.diff(keys) > 0).all())
    is_sound &= bool((arrays["rarity"] > 0).all() and (arrays["left_over"] > 0).all())
    if not is_sound:
        raise ValueError(f"its members {folder!r} hold values that are out of range")
    return NamePrior(
        NameGrams(alphabet.astype(np.int64), keys.astype(np.int64), arrays["rarity"]),
        arrays["weights"],
        arrays["offset"],
        arrays["left_over"],
        noise_ratio,
        with_others,
    )
