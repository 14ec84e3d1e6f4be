"""What is damaged, forged or of a later version is refused, in one line."""

from __future__ import annotations

import io
import json
import re
import zipfile

import numpy as np
import pytest
from persistence_data import changed, draw, make, npy, sealed, unzipped, zipped

from sk_embed import EmbeddingEncoder
from sk_embed._persistence import archive

# ----------------------------------------------------------------- what is refused


@pytest.fixture(scope="module")
def saved_with_names(tmp_path_factory):
    """The bytes of a file that holds what names say."""
    names = np.array([f"{place // 10} {place % 10}" for place in range(60)] * 3)
    path = tmp_path_factory.mktemp("names") / "encoder.zip"
    encoder = make(names=[0], max_iter=1, categorical_features="all")
    encoder.fit(names[:, None], np.arange(180) % 60 + 0.5).save(path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("member", "change", "match"),
    [
        ("weights", lambda array: array * np.nan, "NaN|out of range"),
        ("grams", lambda array: array[::-1], "out of range"),
        ("alphabet", lambda array: array[:1], "out of range"),
        ("left_over", lambda array: 0 * array, "out of range"),
        ("rarity", lambda array: array[:-1], "rarity"),
        ("offset", lambda array: array[:0], "offset"),
    ],
)
def test_names_that_are_no_names_are_refused(
    saved_with_names, tmp_path, member, change, match
):
    members = unzipped(saved_with_names)
    name = f"columns/0/names/{member}.npy"
    array = np.load(io.BytesIO(members[name]))
    members[name] = npy(change(array))
    assert_refused(zipped(members.items()), tmp_path, match)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The bytes of a small file."""
    X, y = draw(60)
    path = tmp_path_factory.mktemp("saved") / "encoder.zip"
    make(hidden_layer_sizes=(2,), n_components=1).fit(X, np.where(y > 0, "p", "q")).save(
        path
    )
    return path.read_bytes()


def assert_refused(content, folder, match):
    path = folder / "damaged.zip"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=match) as caught:
        EmbeddingEncoder.load(path)
    message = str(caught.value)
    assert message.startswith(f"{str(path)!r} cannot be loaded: ")
    assert "\n" not in message


def test_a_file_that_ends_too_soon_is_refused(saved, tmp_path):
    for length in [0, 1, 50, 93, len(saved) // 2, len(saved) - 100, len(saved) - 1]:
        assert_refused(saved[:length], tmp_path, "no file of EmbeddingEncoder.save, or")


def test_every_flipped_byte_is_noticed(saved, tmp_path):
    path = tmp_path / "flipped.zip"
    places = [*range(0, len(saved), 97), *range(len(saved) - 93, len(saved))]
    for place in places:
        flipped = bytearray(saved)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(ValueError, match=r"checksum|no file of EmbeddingEncoder"):
            EmbeddingEncoder.load(path)


def test_members_that_are_sealed_again_are_read(saved, tmp_path):
    (tmp_path / "again").write_bytes(zipped(unzipped(saved).items()))
    assert EmbeddingEncoder.load(tmp_path / "again").target_type_ == "binary"


@pytest.mark.parametrize(
    "name",
    [
        *[
            "../evil.npy",
            "/evil.npy",
            "a/../../b.npy",
            "C:\\evil.npy",
            "a\\b.npy",
            "folder/",
        ],
        *["evil.py", "évil.npy", "UPPER.npy", "a//b.npy", ".npy", "a.npy\n"],
    ],
)
def test_names_that_lead_outside_are_refused(name, saved, tmp_path):
    members = [*unzipped(saved).items(), (name, b"1")]
    assert_refused(zipped(members), tmp_path, "has a name that no encoder's has")


def test_names_that_repeat_are_refused(saved, tmp_path):
    members = unzipped(saved)
    with pytest.warns(UserWarning, match="Duplicate"):
        content = zipped([*members.items(), ("trunk.npy", members["trunk.npy"])])
    assert_refused(content, tmp_path, "'trunk.npy' is there twice")


def test_a_member_that_nobody_reads_is_refused(saved, tmp_path):
    assert_refused(changed(saved, "more.npy", b"1"), tmp_path, "'more.npy' belongs to no")


def test_each_member_is_needed(saved, tmp_path):
    for name in unzipped(saved):
        stem = name.rpartition(".")[0]
        assert_refused(changed(saved, name, None), tmp_path, f"'{stem}.* is missing")


def test_a_compressed_member_is_refused_unread(saved, tmp_path):
    bomb = zipped([("encoder.json", b"0" * 10**7)], zipfile.ZIP_DEFLATED)
    assert len(bomb) < 20_000
    assert_refused(bomb, tmp_path, "'encoder.json' is compressed or encrypted")


def test_a_member_that_claims_more_than_the_file_holds_is_refused_unread(saved, tmp_path):
    sizes = (10**9).to_bytes(4, "little") * 2
    directory = saved.index(b"PK\1\2")
    forged = saved[: directory + 20] + sizes + saved[directory + 28 : -71]
    assert_refused(sealed(forged), tmp_path, "claims 1000000000 bytes, more than there are")


def test_members_that_share_their_bytes_are_refused(saved, tmp_path):
    # A quine or an overlapping bomb: many entries that point at one member.
    entry = zipped([("a.npy", b"0" * 10**5)])
    start = entry.index(b"PK\1\2")
    end = entry.index(b"PK\5\6")
    directory = b"".join(
        entry[start:end].replace(b"a.npy", b"%c.npy" % letter) for letter in range(97, 107)
    )
    count = (10).to_bytes(2, "little")
    size = len(directory).to_bytes(4, "little")
    last = entry[end : end + 8] + count * 2 + size + entry[end + 16 : -71]
    content = entry[:start] + directory + last
    assert_refused(sealed(content), tmp_path, "claims 100000 bytes, more than there are")


def test_more_members_than_any_encoder_has_are_refused(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_MAX_MEMBERS", 3)
    assert_refused(saved, tmp_path, "members, more than 3")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\3\4" * 100])
def test_what_is_no_archive_is_refused(content, tmp_path):
    assert_refused(content, tmp_path, "no file of EmbeddingEncoder.save")


def test_a_directory_that_is_no_zips_is_refused(saved, tmp_path):
    nothing = b"PK\5\6" + b"\xff" * 16 + (71).to_bytes(2, "little")
    assert_refused(sealed(nothing), tmp_path, "no zip archive that can be read")
    members = unzipped(saved)
    broken = zipped(members.items()).replace(b"PK\3\4", b"PK\3\5", 1)
    assert_refused(sealed(broken[:-71]), tmp_path, "no zip archive that can be read")


# ----------------------------------------------------------------- JSON and its meaning


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"[NaN]", b"-Infinity", b"[" * 10**5, b"1" * 5000, b"[1, 2"],
    ids=lambda content: repr(content[:8]),
)
def test_what_is_no_json_is_refused(content, saved, tmp_path):
    assert_refused(
        changed(saved, "encoder.json", content), tmp_path, "encoder.json|JSON|lim"
    )


WRONG_ENTRIES = [
    ("format", "another", "its format is not"),
    (
        "version",
        3,
        r"version 3, but this version of sk-embed reads up to 2; upgrade sk-embed",
    ),
    ("version", 0, "no version 0"),
    ("version", True, "lacks 'version'"),
    ("parameters", [], "lacks 'parameters'"),
    ("parameters", {"width": ["int", 1]}, "parameter 'width', which is not known"),
    ("parameters", {"max_iter": ["int", 0]}, "'max_iter' parameter"),
    ("parameters", {"max_iter": ["str", "a"]}, "'max_iter' parameter"),
    ("parameters", {"max_iter": 5}, "no value with its type"),
    ("output", "html", "'output' is none of"),
    ("column_names", ["a", "b"], "does not fit the rest"),
    ("column_names", ["a", "b", 1], "'column_names' holds something else than str"),
    ("has_feature_names", 1, "lacks 'has_feature_names'"),
    ("target_type", "ordinal", "'target_type' is none of"),
    ("effect_names", ["a", "b"], "2 effects but 1 outputs"),
    ("effect_names", [], "does not fit the rest"),
    ("effect_names", ["another"], "'effect_names' are not those of its 'output_names'"),
    ("output_names", ["p", "q"], "'effect_names' are not those of its 'output_names'"),
    ("output_names", "p", "lacks 'output_names'"),
    ("total_weight", 0.0, "'total_weight', or a penalty of effects, is out of range"),
    ("total_weight", "much", "lacks 'total_weight'"),
    ("total_weight", None, "belongs to no encoder"),
    ("unit", 0.0, "out of range"),
    ("unit", 1, "lacks 'unit'"),
    ("loss_curve", [1.0, 2], "'loss_curve' holds something else"),
    ("trunk", None, "lacks 'trunk'"),
    (
        "trunk",
        {"n_inputs": 1, "n_outputs": 1, "hidden_layer_sizes": [0]},
        "network of layers",
    ),
    ("trunk", {"n_inputs": 10**15, "n_outputs": 1, "hidden_layer_sizes": [9]}, "not fit"),
]


@pytest.mark.parametrize(("entry", "value", "match"), WRONG_ENTRIES)
def test_an_entry_out_of_range_is_refused(entry, value, match, saved, tmp_path):
    document = json.loads(unzipped(saved)["encoder.json"])
    document[entry] = value
    content = json.dumps(document).encode()
    assert_refused(changed(saved, "encoder.json", content), tmp_path, match)


def test_an_infinite_number_is_refused(saved, tmp_path):
    content = unzipped(saved)["encoder.json"]
    content = re.sub(rb'"unit":[0-9.e-]+', b'"unit":1e999', content)
    assert_refused(changed(saved, "encoder.json", content), tmp_path, "out of range")


def test_a_document_that_is_no_object_is_refused(saved, tmp_path):
    assert_refused(changed(saved, "encoder.json", b"[]"), tmp_path, "is no object")


def test_a_parameter_that_the_file_lacks_has_its_default(saved, tmp_path):
    document = json.loads(unzipped(saved)["encoder.json"])
    del document["parameters"]["max_iter"]
    path = tmp_path / "older.zip"
    path.write_bytes(changed(saved, "encoder.json", json.dumps(document).encode()))
    assert EmbeddingEncoder.load(path).max_iter == EmbeddingEncoder().max_iter


def altered(array, place, value):
    array = array.copy()
    array[place] = value
    return array


WRONG_ARRAYS = [
    ("is_categorical", lambda a: a & False, "no column is categorical"),
    ("is_categorical", lambda a: a | True, "does not fit the rest|is missing"),
    ("trunk", lambda a: altered(a, 0, np.nan), "holds NaN or infinity"),
    ("trunk", lambda a: a[1:], "does not fit the rest"),
    ("trunk", lambda a: a.astype(np.float16), "holds NaN or infinity, or float16"),
    ("context/center", lambda a: altered(a, 0, np.inf), "holds NaN or infinity"),
    ("context/scale", lambda a: a * 0, "scale of a context column is not positive"),
    ("context/with_indicator", lambda a: a.astype(int), "does not fit the rest"),
    ("columns/0/counts", lambda a: -a, "categories of fewer than no rows"),
    ("columns/0/counts", lambda a: a.astype(float), "does not fit the rest"),
    ("columns/0/is_infrequent", lambda a: a[1:], "does not fit the rest"),
    ("columns/0/embeddings", lambda a: altered(a, 0, np.nan), "holds NaN or infinity"),
    ("columns/0/embeddings", lambda a: a[1:], "does not fit the rest"),
    ("columns/0/embeddings", lambda a: a[:, 1:], "does not fit the rest"),
    ("columns/0/embeddings", np.ravel, "does not fit the rest"),
    ("columns/0/explained_variance_ratio", lambda a: a[1:], "does not fit the rest"),
    ("columns/0/reliability", lambda a: a > 0, "does not fit the rest"),
    ("columns/0/to_trunk", lambda a: altered(a, 0, np.nan), "holds NaN or infinity"),
    ("columns/0/to_trunk", lambda a: a[1:], "does not fit the rest"),
    ("columns/1/to_trunk", lambda a: a[:, 1:], "does not fit the rest"),
    ("resume/alpha", lambda a: -a, "a penalty of effects, is out of range"),
    ("resume/alpha", lambda a: a[:, 1:], "does not fit the rest"),
    ("resume/curvature", lambda a: a * 0, "a penalty of effects, is out of range"),
    ("columns/1/categories", lambda a: a * 0, "column 'b' has a category twice"),
    ("columns/1/categories", lambda a: a > 3, "does not fit the rest"),
]


@pytest.mark.parametrize(("name", "change", "match"), WRONG_ARRAYS)
def test_an_array_that_does_not_fit_is_refused(name, change, match, saved, tmp_path):
    content = unzipped(saved)[f"{name}.npy"]
    array = np.lib.format.read_array(io.BytesIO(content))
    content = changed(saved, f"{name}.npy", npy(np.array(change(array), order="C")))
    assert_refused(content, tmp_path, match)


WRONG_SCALES = [
    ("target/center", lambda a: altered(a, 0, np.inf), "holds NaN or infinity"),
    ("target/scale", lambda a: a * 0, "scale of the target is not positive"),
    ("target/scale", lambda a: a[1:], "does not fit the rest"),
    ("columns/0/effects", lambda a: a[1:], "does not fit the rest"),
    ("columns/0/effects", lambda a: altered(a, 0, np.nan), "holds NaN or infinity"),
    ("columns/1/weights", lambda a: -a, "holds a weight below zero"),
    ("columns/1/weights", lambda a: a[1:], "does not fit the rest"),
]


@pytest.mark.parametrize(("name", "change", "match"), WRONG_SCALES)
def test_an_array_of_a_weighted_fit_of_numbers_that_does_not_fit_is_refused(
    name, change, match, tmp_path
):
    X, y = draw()
    make(main_effects=False).fit(X, y, 1 + np.arange(len(y)) % 3).save(tmp_path / "saved")
    content = (tmp_path / "saved").read_bytes()
    array = np.lib.format.read_array(io.BytesIO(unzipped(content)[f"{name}.npy"]))
    content = changed(content, f"{name}.npy", npy(np.array(change(array), order="C")))
    assert_refused(content, tmp_path, match)


@pytest.mark.parametrize(
    ("runs", "match"),
    [
        (
            [["float", ["nan"]], ["str", ["x", "y"]], ["float", ["nan"]]],
            "two missing categories",
        ),
        ([["str", ["x", "y", "x"]], ["float", ["nan"]]], "has a category twice"),
        ([["bool", [True]], ["int", [1]], ["str", ["x", "y"]]], "has a category twice"),
        ([["list", [[], []]], ["str", ["x", "y"]]], "unhashable"),
    ],
)
def test_categories_that_no_column_has_are_refused(runs, match, saved, tmp_path):
    content = changed(saved, "columns/0/categories.json", json.dumps(runs).encode())
    assert_refused(content, tmp_path, match)
