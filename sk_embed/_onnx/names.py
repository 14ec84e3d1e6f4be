"""What names of unknown categories say, in nodes of ONNX.

Names are split into characters by onnxruntime's Tokenizer, which ONNX itself has not, and
their n-grams are numbered and looked up as in :mod:`sk_embed._columns.names`. Nodes work on
the n-grams of unknown categories alone, place by place, so that they need little memory.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sk_embed._arrays import IntArray
from sk_embed._columns.names import END, LONGEST_NAME, SIZES, START, NameGrams
from sk_embed._names import NamePrior
from sk_embed._onnx.graph import Graph, InputColumn
from sk_embed._onnx.keys import TEXT

# Marks that the Tokenizer sets before and behind each name.
_MARKS = {"\x02": START, "\x03": END}
# Tokens behind the shorter names; they are no single character.
_PADDING = "padding"
_PLACE_OF_PADDING = -1
# A name of an n-gram of any size, so that no tensor is empty.
_ANY_NAME = "name"
_LAST = np.iinfo(np.int64).max
_CODE_POINTS = 0x110000
_SURROGATES = range(0xD800, 0xE000)


class Unknown(NamedTuple):
    """Rows of a column whose categories are unknown.

    Parameters
    ----------
    column : InputColumn
        Column whose values are looked up.
    codes : str
        Tensor of the codes of the values.
    code : int
        Code that all unknown categories have.
    missing : str
        String that stands for missing values, which have no name.
    """

    column: InputColumn
    codes: str
    code: int
    missing: str


def add_names(
    graph: Graph, block: str, unknown: Unknown, prior: NamePrior, name: str
) -> str:
    """Add what names say to the block of a column.

    Parameters
    ----------
    graph : Graph
        Graph that nodes are added to.
    block : str
        Tensor of the encoded rows, of shape (n_rows, width).
    unknown : Unknown
        Rows whose categories are unknown.
    prior : NamePrior
        Prior means of the column's categories, by name.
    name : str
        Name of the column, for messages.

    Raises
    ------
    ValueError
        If the names are those by which floats are written.
    """
    dtype = unknown.column.dtype
    if dtype.kind == "f":
        raise ValueError(
            f"Column {name!r} gives unknown floats what the text by which they are written "
            "says, which ONNX cannot; fit with names=False, or on integers or strings."
        )
    rows, names = _names_of_unknown(graph, unknown)
    means = _means(graph, _places(graph, names, prior.grams), prior)
    means = graph.cast(graph.slice(means, 0, -1, axis=0), prior.weights.dtype)
    of_block = graph.node("CastLike", means, block)
    return graph.node("ScatterND", block, graph.reshape(rows, -1, 1), of_block)


def _names_of_unknown(graph: Graph, unknown: Unknown) -> tuple[str, str]:
    """Add the unknown rows, and their names; one name more, so that they are not empty."""
    values, dtype = unknown.column
    is_unknown = graph.node("Equal", unknown.codes, graph.scalar(unknown.code))
    if dtype == TEXT:
        missing = np.array([unknown.missing], dtype=TEXT)
        has_name = graph.label_encoder(values, missing, np.zeros(1, dtype=int), 1)
        is_unknown = graph.node("And", is_unknown, graph.cast(has_name, np.dtype(bool)))
    else:
        # Numbers are named by their digits, and booleans are 0 and 1.
        is_bool = dtype == np.dtype(bool)
        numbers = graph.cast(values, np.dtype(np.int64)) if is_bool else values
        values = graph.cast(numbers, TEXT)
    rows = graph.reshape(graph.node("NonZero", is_unknown), -1)
    names = graph.node("Gather", values, rows)
    any_name = graph.constant(np.array([_ANY_NAME], dtype=TEXT))
    return rows, graph.node("Concat", names, any_name, axis=0)


def _places(graph: Graph, names: str, grams: NameGrams) -> str:
    """Add the places of characters in the alphabet, shape (n_names, n_characters).

    They count from 1; characters that are not in it have 0, and padding has -1.
    """
    tokens = graph.node(
        "Tokenizer",
        names,
        op_domain="com.microsoft",
        op_version=1,
        separators=[""],
        mark=1,
        mincharnum=1,
        pad_value=_PADDING,
    )
    characters, codes = _characters(grams.alphabet)
    characters = np.append(characters, np.array([_PADDING], dtype=TEXT))
    codes = np.append(codes, _PLACE_OF_PADDING)
    places = graph.label_encoder(tokens, characters, codes, 0)
    # A longer name ends behind its first characters.
    n_tokens = LONGEST_NAME + 2
    places = graph.slice(places, 0, n_tokens, axis=1)
    n_places = graph.take_one(graph.node("Shape", places), 1)
    numbers = graph.node("Range", graph.scalar(0), n_places, graph.scalar(1))
    is_last = graph.node("Equal", numbers, graph.scalar(n_tokens - 1))
    is_used = graph.node("GreaterOrEqual", places, graph.scalar(0))
    is_end = graph.node("And", is_last, is_used)
    end = int(np.searchsorted(grams.alphabet, END)) + 1
    return graph.node("Where", is_end, graph.scalar(end), places)


def _characters(alphabet: IntArray) -> tuple[NDArray[Any], IntArray]:
    """Return characters and marks as strings, with their places in the alphabet."""
    place_of = {int(point): place for place, point in enumerate(alphabet, 1)}
    characters = {
        mark: place_of[point] for mark, point in _MARKS.items() if point in place_of
    }
    for point, place in place_of.items():
        if point < _CODE_POINTS and point not in _SURROGATES:
            for character in (chr(point), *_capitals().get(chr(point), ())):
                characters.setdefault(character, place)
    names = np.array(list(characters), dtype=TEXT)
    return names, np.array(list(characters.values()), dtype=np.int64)


@cache
def _capitals() -> dict[str, list[str]]:
    """Return the other characters that each character is the small form of."""
    capitals: dict[str, list[str]] = {}
    for character in map(chr, range(_CODE_POINTS)):
        small = character.lower()
        if small != character:
            capitals.setdefault(small, []).append(character)
    return capitals


def _means(graph: Graph, places: str, prior: NamePrior) -> str:
    """Add the prior means of names, in float64, of shape (n_names, width).

    With r the rarity of an n-gram, c how often the name holds it, and w what it adds to a
    vector, these are, summed over the n-grams of the name, known and unknown, ::

        sum c r w / sqrt(s) + offset k / s,     k = sum over known of (c r)^2,
        s = k + sum over unknown of r^2.

    All sums over different n-grams are taken over the places of a name instead, of which
    an n-gram has c.
    """
    sums = [_sums_of_size(graph, places, size, prior) for size in SIZES]
    known, unknown, moved = (_sum(graph, parts) for parts in zip(*sums, strict=True))
    squares = graph.node("Add", known, unknown)
    scaled = graph.node("Div", moved, graph.node("Sqrt", squares))
    share = graph.node("Div", known, squares)
    offset = graph.constant(prior.offset.astype(np.float64))
    return graph.node("Add", scaled, graph.node("Mul", share, offset))


def _sum(graph: Graph, tensors: tuple[str, ...]) -> str:
    total, *others = tensors
    for tensor in others:
        total = graph.node("Add", total, tensor)
    return total


def _sums_of_size(
    graph: Graph, places: str, size: int, prior: NamePrior
) -> tuple[str, str, str]:
    """Add the sums over n-grams of one size: squares known and unknown, and weights."""
    grams = prior.grams
    keys, numbers = _keys_of_size(grams, size)
    n_known = len(keys)
    # Behind the known n-grams stand all others, and those that reach beyond the name.
    key = ""
    for place in range(size):
        end = place + 1 - size
        part = graph.slice(places, place, end if end else _LAST, axis=1)
        power = graph.scalar((len(grams.alphabet) + 1) ** place)
        part = graph.node("Mul", part, power)
        key = graph.node("Add", key, part) if key else part
    number = graph.label_encoder(key, keys, np.arange(n_known), n_known)
    last = graph.slice(places, size - 1, _LAST, axis=1)
    is_within = graph.node("GreaterOrEqual", last, graph.scalar(0))
    number = graph.node("Where", is_within, number, graph.scalar(n_known + 1))

    rarity = np.append(grams.rarity[numbers], [0.0, 0.0])
    of_unknown = np.zeros(n_known + 2)
    of_unknown[n_known] = grams.rarity[-1] ** 2
    weights = np.zeros((n_known + 2, prior.weights.shape[1]), prior.weights.dtype)
    weights[:n_known] = prior.weights[numbers]

    squares = graph.node("Mul", graph.take(rarity**2, number), _times(graph, number))
    known = graph.sum(squares, axis=1)
    unknown = graph.sum(graph.take(of_unknown, number), axis=1)
    of_places = graph.cast(graph.take(weights, number), np.dtype(np.float64))
    of_rarity = graph.take(rarity[:, np.newaxis], number)
    moved = graph.node("Mul", of_places, of_rarity)
    moved = graph.sum(moved, axis=1, keep=False)
    return known, unknown, moved


def _keys_of_size(grams: NameGrams, size: int) -> tuple[IntArray, IntArray]:
    """Return the keys of the n-grams of one size, and their numbers."""
    base = len(grams.alphabet) + 1
    is_longer = grams.keys >= base ** (size - 1)
    is_shorter = grams.keys < base**size if size < max(SIZES) else True
    numbers = np.flatnonzero(is_longer & is_shorter)
    return grams.keys[numbers], numbers


def _times(graph: Graph, number: str) -> str:
    """Add how often each n-gram occurs in its name, as float64."""
    first = graph.node("Unsqueeze", number, graph.constant(np.array([2])))
    second = graph.node("Unsqueeze", number, graph.constant(np.array([1])))
    # Counts are small, and float32 takes half the memory.
    is_same = graph.cast(graph.node("Equal", first, second), np.dtype(np.float32))
    return graph.cast(graph.sum(is_same, axis=2, keep=False), np.dtype(np.float64))
