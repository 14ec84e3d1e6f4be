"""Small encoders, and files made by hand, that the tests of persistence share."""

from __future__ import annotations

import hashlib
import io
import zipfile

import numpy as np
import pandas as pd

from sk_embed import EmbeddingEncoder


def draw(n_rows=200, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "a": rng.choice(["x", "y", "z", None], n_rows),
            "number": rng.normal(size=n_rows),
            "b": rng.integers(20, size=n_rows),
        }
    )
    X.loc[::7, "number"] = np.nan
    y = (X["a"] == "x") * X["number"].fillna(0) + rng.normal(size=n_rows)
    return X, y


def make(**parameters):
    defaults = {"categorical_features": ["a", "b"], "random_state": 0, "max_iter": 2}
    return EmbeddingEncoder(**{"n_components": 2, **defaults, **parameters})


def round_trip(encoder, folder):
    encoder.save(folder / "encoder.zip")
    return EmbeddingEncoder.load(folder / "encoder.zip")


def assert_same(found, expected):
    """Same type, and the same value, all the way down."""
    assert type(found) is type(expected)
    if isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        if expected.dtype == object:
            for one, other in zip(found.ravel(), expected.ravel(), strict=True):
                assert_same(one, other)
        else:
            assert found.tobytes() == expected.tobytes()
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif pd.isna(expected):
        assert pd.isna(found)
    else:
        assert found == expected
        assert getattr(found, "unit", None) == getattr(expected, "unit", None)
        assert str(found) == str(expected)


def sealed(content):
    """The bytes of an archive with a right checksum, whatever its members."""
    content += b"sha256:"
    return content + hashlib.sha256(content).hexdigest().encode()


def zipped(members, compression=zipfile.ZIP_STORED):
    """An archive of name and content pairs, sealed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        file.comment = b"0" * 71
        for name, content in members:
            file.writestr(name, content)
    return sealed(buffer.getvalue()[:-71])


def unzipped(content):
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def changed(saved, name, content):
    members = unzipped(saved)
    if content is None:
        del members[name]
    else:
        members[name] = content
    return zipped(members.items())


def npy(array, **changes):
    """A .npy file, with parts of its header replaced."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=(1, 0))
    content = buffer.getvalue()
    for old, new in changes.values():
        content = content.replace(old, new)
    return content


def header(dtype, length):
    """The header of a .npy file, without values."""
    text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': ({length},), }}\n"
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text.encode()
