"""Coverage-guided fuzz of ``load``: ``python benchmarks/fuzz_load.py -runs=100000``.

An input is a number and a content: the content takes the place of the member of this
number in a good file, which is sealed with a right checksum again, or, for a number
beyond them, is a whole file, sealed too. So what is damaged reaches the checks behind the
checksum. A file is refused by a ``ValueError`` of one line, or it makes an encoder that
encodes without gaps; all else, as more memory than ``MEMORY``, is a crash. Needs atheris;
options are those of libFuzzer.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import resource
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris
import numpy as np
import pandas as pd

with atheris.instrument_imports(include=["sk_embed._persistence", "zipfile"]):
    from sk_embed import EmbeddingEncoder

MEMORY = 4 << 30
TYPES = [
    *[
        "None",
        "NaT",
        "NA",
        "str",
        "bool",
        "int",
        "float",
        "Decimal",
        "bytes",
        "UUID",
        "date",
    ],
    *["time", "datetime", "timedelta", "Timestamp", "Timedelta", "Period", "Interval"],
    *["tuple", "list", "numpy", "array", "dtype"],
]
NODES = [
    *[None, True, 0, 1, -1, 2**62, 2**70, 0.5, -1e308, "", "a", "0x1", "nan", "inf", "1.5"],
    *["s", "ns", "UTC", "Europe/Berlin", "../x", "M", "Q-DEC", "left", "<i8", "<U1", "|O"],
    *["2020-01-01", "01:02:03", "2020-01-01T01:02:03", "00" * 8, "float32", [], {}],
    *[*TYPES, [["str", ["a", "b"]]], ["int", 1], ["tuple", [["str", "a"]]], [1, "s", None]],
]


def example() -> tuple[pd.DataFrame, EmbeddingEncoder]:
    """Return rows, and an encoder of a bit of everything that has learned from them."""
    rng = np.random.default_rng(0)
    values = np.array(
        ["a", 1, 2.5, ("b", 1), None, pd.Timestamp(1, tz="UTC")], dtype=object
    )
    X = pd.DataFrame(
        {
            "mixed": values[rng.integers(6, size=40)],
            "number": rng.normal(size=40),
            "day": np.datetime64("2020-01-01", "s") + rng.integers(3, size=40),
        }
    )
    encoder = EmbeddingEncoder(
        1,
        categorical_features=["mixed", "day"],
        hidden_layer_sizes=(2,),
        min_frequency=8,
        max_iter=1,
        random_state=0,
    )
    return X, encoder.fit(X, rng.choice(["low", "mid", "high"], 40))


def sealed(content: bytes) -> bytes:
    """Return an archive with a right checksum."""
    content += b"sha256:"
    return content + hashlib.sha256(content).hexdigest().encode()


def zipped(members: dict[str, bytes]) -> bytes:
    """Return a sealed archive of members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.comment = b"0" * 71
        for name, content in members.items():
            file.writestr(name, content)
    return sealed(buffer.getvalue()[:-71])


def attempt(function: Callable[[Any], Any], argument: Any) -> Any:
    """Return what a call gives, or None where it refuses in one line."""
    try:
        return function(argument)
    except (ValueError, UserWarning) as error:
        message = str(error)
    assert "\n" not in message, message
    return None


def mutated(data: bytes, max_size: int, seed: int) -> bytes:
    """Return a mutation: of JSON every other time one that is JSON again."""
    rng = random.Random(seed)  # noqa: S311
    if rng.random() < 0.5:
        try:
            document = json.loads(data[1:])
        except (ValueError, RecursionError):
            pass
        else:
            changed = json.dumps(with_another_node(document, rng)).encode()
            return (data[:1] + changed)[:max_size]
    return bytes(atheris.Mutate(data, max_size))


def with_another_node(node: Any, rng: random.Random) -> Any:
    """Return a document in which something was replaced, left out or doubled."""
    if not isinstance(node, (dict, list)) or not node or rng.random() < 0.2:
        return rng.choice(NODES)
    keys = list(node) if isinstance(node, dict) else range(len(node))
    key = rng.choice(keys)
    changed = node.copy()
    how = rng.random()
    if how < 0.1:
        del changed[key]
    elif how < 0.2 and isinstance(changed, list):
        changed.insert(key, rng.choice([*node, *NODES]))
    elif how < 0.3:
        changed[key] = node[rng.choice(keys)]
    else:
        changed[key] = with_another_node(node[key], rng)
    return changed


def main() -> None:
    """Fuzz until a crash, or for as many runs as are asked for."""
    folder = Path(tempfile.mkdtemp())
    path = folder / "encoder.zip"
    X, encoder = example()
    encoder.save(path)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, content in enumerate([*members.values(), whole[:-71]]):
        (corpus / str(number)).write_bytes(bytes([number]) + content)
    names = list(members)
    seen = {"refused": 0, "loaded": 0}

    def load_one(data: bytes) -> None:
        number, content = (data[0], data[1:]) if data else (255, b"")
        if number < len(names):
            damaged = zipped({**members, names[number]: content})
        else:
            damaged = sealed(content)
        path.write_bytes(damaged)
        n_seen = sum(seen.values())
        if n_seen % 10_000 == 0:
            print(n_seen, "runs:", seen, flush=True)
        loaded = attempt(EmbeddingEncoder.load, path)
        seen["refused" if loaded is None else "loaded"] += 1
        if loaded is not None:
            loaded.set_params(remainder="drop").set_output(transform="default")
            encoded = attempt(loaded.transform, X)
            assert encoded is None or np.isfinite(encoded).all()

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    # Good members all take one way through the code, and libFuzzer would keep but one.
    options = ["-keep_seed=1", "-reduce_inputs=0", "-max_len=16384", "-rss_limit_mb=0"]
    atheris.Setup([*sys.argv, *options, str(corpus)], load_one, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
