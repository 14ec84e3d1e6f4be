"""Arrays and JSON as the bytes of a member, and back with distrust."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from io import BytesIO
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_embed._arrays import FloatArray

# The one way in which numpy writes the header of a plain little-endian array.
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00.."
    rb"\{'descr': '([<|][biufMmSU][0-9]{1,9}(?:\[[0-9]{0,9}[a-zA-Z]+\])?)', "
    rb"'fortran_order': False, 'shape': \(((?:[0-9]{1,18}, )*[0-9]{1,18},?)\), \} *\n",
    re.DOTALL,
)


def array_to_bytes(array: NDArray[Any]) -> bytes:
    """Return a plain array as the content of a ``.npy`` file, little-endian."""
    # By its name, without what pandas hangs on to the dtype of dates as metadata.
    dtype = np.dtype(array.dtype.newbyteorder("<").str)
    little = np.asarray(array, dtype=dtype, order="C").view(dtype)
    buffer = BytesIO()
    np.lib.format.write_array(buffer, little, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def json_to_bytes(document: Any) -> bytes:
    """Return a document as JSON, in which no number is infinite or NaN."""
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode("ascii")


class Members:
    """The members of an archive, each to be read once.

    Parameters
    ----------
    contents : mapping of str to bytes
        Content of each member, by its name in the archive.
    """

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._left = dict(contents)

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str) -> bytes:
        """Return the content of a member, or raise ValueError if there is none."""
        if name not in self._left:
            raise ValueError(f"its member {name!r} is missing")
        return self._left.pop(name)

    def require_none_left(self) -> None:
        """Raise ValueError if a member was not read."""
        if self._left:
            raise ValueError(f"its member {min(self._left)!r} belongs to no encoder")

    def json(self, name: str) -> Any:
        """Return a document."""
        try:
            return json.loads(self.take(name), parse_constant=_refuse)
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"its member {name!r} is no JSON ({error})") from error

    def array(self, name: str, kinds: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
        """Return an array.

        Parameters
        ----------
        name : str
            Name of the member, which ends in ``.npy``.
        kinds : str
            Kinds of dtype that it may have, as in ``dtype.kind``.
        shape : tuple of int or None
            The shape that it must have; None is any length.

        Raises
        ------
        ValueError
            If there is none, or its header does not fit its size, kinds or shape, all of
            which is checked before memory is allocated.
        """
        content = self.take(name)
        dtype, found = _checked_header(name, content)
        fits = len(found) == len(shape) and all(
            wanted is None or wanted == length
            for wanted, length in zip(shape, found, strict=True)
        )
        if dtype.kind not in kinds or not fits:
            raise ValueError(
                f"its member {name!r} is of dtype {dtype} and shape {found}, which does "
                "not fit the rest"
            )
        array = np.lib.format.read_array(BytesIO(content), allow_pickle=False)
        _require_valid(name, array)
        return array.astype(array.dtype.newbyteorder("="), copy=False)

    def floats(self, name: str, shape: tuple[int | None, ...]) -> FloatArray:
        """Return an array of finite numbers of single or double precision."""
        array = self.array(name, "f", shape)
        if array.dtype.itemsize not in (4, 8) or not np.isfinite(array).all():
            raise ValueError(f"its member {name!r} holds NaN or infinity, or {array.dtype}")
        return array


class Document:
    """A JSON object whose entries are asked for by name and type."""

    def __init__(self, entries: Any) -> None:
        if type(entries) is not dict:
            raise ValueError("its member 'encoder.json' is no object")
        self.entries = entries

    def get(self, name: str, kind: type) -> Any:
        """Return an entry of a type, or raise ValueError."""
        value = self.entries.get(name)
        if type(value) is not kind:
            raise ValueError(
                f"its member 'encoder.json' lacks {name!r}, of type {kind.__name__}"
            )
        return value

    def list_of(self, name: str, kind: type) -> list[Any]:
        """Return an entry that is a list of values of a type, or raise ValueError."""
        values = self.get(name, list)
        if not all(type(value) is kind for value in values):
            raise ValueError(f"{name!r} holds something else than {kind.__name__}")
        return list(values)


def _require_valid(name: str, array: NDArray[Any]) -> None:
    """Raise ValueError where not every pattern of bits is a value of the dtype."""
    largest = {"b": ("u1", 1), "U": ("<u4", sys.maxunicode)}.get(array.dtype.kind)
    if largest is not None and (array.ravel().view(largest[0]) > largest[1]).any():
        raise ValueError(f"its member {name!r} holds bits that are no {array.dtype}")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def _checked_header(name: str, content: bytes) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Return dtype and shape, or raise ValueError unless as many bytes follow."""
    header = _HEADER.match(content)
    if header is None or header.end() != 10 + int.from_bytes(content[8:10], "little"):
        raise ValueError(f"its member {name!r} is no array of plain values")
    try:
        dtype = np.dtype(header[1].decode())
    except TypeError as error:
        raise ValueError(f"its member {name!r} has an unknown dtype") from error
    if dtype.itemsize == 0:
        # numpy makes room for one character at least.
        raise ValueError(f"its member {name!r} has values of no bytes")
    shape = tuple(int(length) for length in re.findall(rb"[0-9]+", header[2]))
    n_bytes = prod(shape) * dtype.itemsize
    if n_bytes != len(content) - header.end():
        raise ValueError(
            f"its member {name!r} claims {n_bytes} bytes of values, but holds "
            f"{len(content) - header.end()}"
        )
    return dtype, shape
