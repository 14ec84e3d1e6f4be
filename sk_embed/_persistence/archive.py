"""A zip archive that is written whole or not at all, and read with distrust."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from uuid import uuid4

_PREFIX = b"sha256:"
_N_DIGITS = 64
# Behind the last record of a zip archive, 22 bytes long, comes the comment.
_LAST_RECORD = b"PK\5\6"
_LENGTH_OF_END = 22 + len(_PREFIX) + _N_DIGITS
_NAME = re.compile(r"[a-z_]+(/[a-z0-9_]+)*\.(npy|json)")
_MAX_MEMBERS = 1_000_000
_BLOCK = 1 << 20
_ENCRYPTED = 1


def write_archive(path: Path, members: Mapping[str, bytes]) -> None:
    """Write the members, each stored as it is, beside the path, then rename.

    Parameters
    ----------
    path : Path
        A file of this name is replaced, but left whole if anything fails.
    members : mapping of str to bytes
        Content of each member, by its name in the archive.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{str(path)!r} is a folder; name a file in it.")
    path = Path(os.path.realpath(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"There is no folder {str(path.parent)!r} to write {path.name!r} to; make it "
            "first."
        )
    with _replacement(path) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.comment = _PREFIX + b"0" * _N_DIGITS
            for name, content in members.items():
                # A date of its own would make each file differ.
                archive.writestr(zipfile.ZipInfo(name), content)
        digest = _digest(file)
        file.seek(-_N_DIGITS, os.SEEK_END)
        file.write(digest)


@contextmanager
def _replacement(path: Path) -> Iterator[IO[bytes]]:
    """Give a new file that takes the path's place when the block ends well."""
    beside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with beside.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            shutil.copymode(path, beside)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name last, where folders can be opened."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_archive(path: Path) -> dict[str, bytes]:
    """Return the members by name.

    Parameters
    ----------
    path : Path
        Name of a file that :func:`write_archive` wrote.

    Returns
    -------
    members : dict of str to bytes
        Together no larger than the file.

    Raises
    ------
    ValueError
        If the file is not what :func:`write_archive` wrote.
    OSError
        If it cannot be opened.
    """
    with path.open("rb") as file:
        _require_whole(file)
        try:
            with zipfile.ZipFile(file) as archive:
                infos = archive.infolist()
                _require_plain(infos, file.seek(0, os.SEEK_END))
                return {info.filename: archive.read(info) for info in infos}
        except (
            zipfile.BadZipFile,
            EOFError,
            NotImplementedError,
            RuntimeError,
            UnicodeDecodeError,
            struct.error,
        ) as error:
            raise ValueError(f"it is no zip archive that can be read ({error})") from error


def _require_whole(file: IO[bytes]) -> None:
    """Raise ValueError unless the file ends as it should, with its own digest."""
    length = file.seek(0, os.SEEK_END)
    file.seek(max(length - _LENGTH_OF_END, 0))
    end = file.read()
    comment = end[22:]
    if not end.startswith(_LAST_RECORD) or not comment.startswith(_PREFIX):
        raise ValueError(
            "it is no file of EmbeddingEncoder.save, or its end is lost; save it again"
        )
    if comment[len(_PREFIX) :] != _digest(file):
        raise ValueError(
            "its checksum does not match, so that it was changed or damaged since it was "
            "saved; save it again"
        )


def _require_plain(infos: list[zipfile.ZipInfo], length: int) -> None:
    """Raise ValueError unless the members are few, stored, distinct and not too large."""
    if len(infos) > _MAX_MEMBERS:
        raise ValueError(f"it has {len(infos)} members, more than {_MAX_MEMBERS}")
    names = set()
    left = length
    for info in infos:
        name = info.filename
        if not _NAME.fullmatch(name):
            raise ValueError(f"its member {name!r} has a name that no encoder's has")
        if name in names:
            raise ValueError(f"its member {name!r} is there twice")
        names.add(name)
        is_stored = info.compress_type == zipfile.ZIP_STORED
        if not is_stored or info.flag_bits & _ENCRYPTED:
            raise ValueError(f"its member {name!r} is compressed or encrypted")
        left -= info.file_size
        if info.file_size != info.compress_size or left < 0:
            raise ValueError(
                f"its member {name!r} claims {info.file_size} bytes, more than there are"
            )


def _digest(file: IO[bytes]) -> bytes:
    """Return the digest, in hexadecimal, of all but the digits at the end of a file."""
    left = file.seek(0, os.SEEK_END) - _N_DIGITS
    file.seek(0)
    digest = hashlib.sha256()
    while left > 0:
        block = file.read(min(left, _BLOCK))
        digest.update(block)
        left -= len(block)
    return digest.hexdigest().encode()
