"""Nodes of a graph of ONNX, among them the look-up of keys.

Tensors are known by their names: what adds nodes returns the name of their output.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from sk_embed._arrays import IntArray
from sk_embed._engine.cells import keys_of as pairs_of
from sk_embed._onnx.keys import TEXT, Keys

_FLOAT32 = np.dtype(np.float32)
_FLOAT64 = np.dtype(np.float64)
_INT64 = np.dtype(np.int64)
_UINT64 = np.dtype(np.uint64)
# Three float32 hold all 53 bits of a float64 within float32's range.
_MAX_PARTS = 3
_HALF = np.array(2**32)


class InputColumn(NamedTuple):
    """A column of the table.

    Parameters
    ----------
    tensor : str
        Tensor of the values, of shape (n_rows,).
    dtype : dtype
        Type of the values; object for strings.
    """

    tensor: str
    dtype: np.dtype[Any]


class Graph:
    """A graph that skl2onnx is building.

    Parameters
    ----------
    scope : skl2onnx.common._topology.Scope
        Source of names that are not in use.
    container : skl2onnx.common._container.ModelComponentContainer
        Container of nodes and constants.
    """

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope = scope
        self._container = container

    def constant(self, values: NDArray[Any]) -> str:
        """Add an array."""
        name = self._scope.get_unique_variable_name("constant")
        if values.dtype == TEXT:
            shape, texts = list(values.shape), [text.encode("utf-8") for text in values]
            self._container.add_initializer(name, TensorProto.STRING, shape, texts)
        else:
            tensor = numpy_helper.from_array(np.asarray(values, order="C"))
            self._container.add_initializer(name, None, None, tensor)
        return str(name)

    def node(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; its attributes may include ``op_domain`` and ``op_version``."""
        output = str(self._scope.get_unique_variable_name(op_type.lower()))
        name = self._scope.get_unique_operator_name(op_type)
        self._container.add_node(op_type, list(inputs), output, name=name, **attributes)
        return output

    def scalar(self, value: int) -> str:
        """Add an integer."""
        return self.constant(np.array(value, dtype=np.int64))

    def slice(self, tensor: str, start: int, end: int, axis: int) -> str:
        """Add a part from start to end, which may be negative, along an axis."""
        bounds = [self.constant(np.array([bound])) for bound in (start, end, axis)]
        return self.node("Slice", tensor, *bounds)

    def sum(self, tensor: str, axis: int, *, keep: bool = True) -> str:
        """Add the sum along an axis, which is kept with length 1 or left out."""
        axes = self.constant(np.array([axis]))
        return self.node("ReduceSum", tensor, axes, keepdims=int(keep))

    def concat(self, blocks: list[str], output: str) -> None:
        """Put blocks side by side, as a tensor whose name is given."""
        name = self._scope.get_unique_operator_name("Concat")
        self._container.add_node("Concat", blocks, output, name=name, axis=1)

    def cast(self, tensor: str, dtype: np.dtype[Any]) -> str:
        """Add a change of type."""
        return self.node("Cast", tensor, to=helper.np_dtype_to_tensor_dtype(dtype))

    def reshape(self, tensor: str, *shape: int) -> str:
        """Add a change of shape."""
        return self.node("Reshape", tensor, self.constant(np.array(shape)))

    def take(self, table: NDArray[Any], codes: str) -> str:
        """Add a look-up of a table's rows by their numbers."""
        return self.node("Gather", self.constant(table), codes)

    def take_one(self, tensor: str, place: int) -> str:
        """Add one element of a tensor of one axis, as a scalar."""
        return self.node("Gather", tensor, self.scalar(place))

    def take_columns(self, tensor: str, places: IntArray) -> str:
        """Add a choice of columns."""
        return self.node("Gather", tensor, self.constant(places), axis=1)

    def pair(self, first: str, second: str) -> str:
        """Add one number for each pair, as :mod:`sk_embed._engine.cells` numbers cells."""
        shifted = self.node("Mul", first, self.constant(_HALF))
        return self.node("Add", shifted, second)

    def label_encoder(
        self, tensor: str, keys: NDArray[Any], codes: IntArray, default: int
    ) -> str:
        """Add a look-up of keys: strings, integers or float32."""
        if not len(keys):
            # A table of ONNX holds one key at least.
            keys = np.array([""] if keys.dtype == TEXT else [0], keys.dtype)
            codes = np.array([default])
        if keys.dtype == TEXT:
            of_keys = {"keys_strings": [key.encode("utf-8") for key in keys]}
        else:
            is_float = keys.dtype.kind == "f"
            of_keys = {"keys_floats" if is_float else "keys_int64s": keys.tolist()}
        return self.node(
            "LabelEncoder",
            tensor,
            op_domain="ai.onnx.ml",
            op_version=2,
            values_int64s=codes.tolist(),
            default_int64=default,
            **of_keys,
        )


def add_lookup(graph: Graph, column: InputColumn, keys: Keys, unknown: int) -> str:
    """Add the codes of a column's values, of shape (n_rows,).

    Parameters
    ----------
    graph : Graph
        Graph that nodes are added to.
    column : InputColumn
        Column whose values are looked up.
    keys : Keys
        Keys that the type of the column holds.
    unknown : int
        Code of values that are no key.

    Raises
    ------
    ValueError
        If keys are too close to each other for the tables of ONNX.
    """
    tensor, dtype = column
    if dtype.kind == "f":
        return _look_up_floats(graph, tensor, keys, unknown)
    if dtype == _UINT64:
        tensor = _moved_to_signed(graph, tensor)
    elif dtype != TEXT:
        tensor = graph.cast(tensor, _INT64)
    return graph.label_encoder(tensor, keys.values, keys.codes, unknown)


def _moved_to_signed(graph: Graph, tensor: str) -> str:
    """Add ``value - 2**63`` as int64, by halves of 32 bits, so that nothing overflows."""
    n_bits, half = graph.constant(np.array(32, _UINT64)), _HALF.astype(_UINT64)
    high = graph.node("BitShift", tensor, n_bits, direction="RIGHT")
    low = graph.node("Mod", tensor, graph.constant(half))
    middle = graph.constant(_HALF // 2)
    high = graph.node("Sub", graph.cast(high, _INT64), middle)
    return graph.pair(high, graph.cast(low, _INT64))


def _look_up_floats(graph: Graph, tensor: str, keys: Keys, unknown: int) -> str:
    """Add the codes of floats, missing ones among them."""
    if keys.values.dtype == _FLOAT64:
        codes = _look_up_doubles(graph, graph.cast(tensor, _FLOAT64), keys, unknown)
    else:
        single = graph.cast(tensor, _FLOAT32)
        codes = graph.label_encoder(single, keys.values, keys.codes, unknown)
    if keys.missing is None:
        return codes
    is_missing = graph.node("IsNaN", tensor)
    missing = graph.constant(np.array([keys.missing]))
    return graph.node("Where", is_missing, missing, codes)


def _look_up_doubles(graph: Graph, value: str, keys: Keys, unknown: int) -> str:
    """Add the codes of float64, which are exact although tables hold float32.

    A value is split into its nearest float32, that of the rest, and that of the rest's
    rest, as far as it takes to tell the keys apart. It is known if it equals the key of
    the same parts.
    """
    n_keys, rest_keys, rest = len(keys.values), keys.values, value
    found = ""
    places: IntArray = np.zeros(n_keys, dtype=np.int64)
    for number in range(_MAX_PARTS):
        with np.errstate(over="ignore", invalid="ignore"):
            part_keys = rest_keys.astype(_FLOAT32)
            rest_keys = rest_keys - part_keys
        part = graph.cast(rest, _FLOAT32)
        found_part, places_of_part = _look_up_parts(graph, part, part_keys)
        if number == 0:
            found, places = found_part, places_of_part
        else:
            pairs = pairs_of(places, places_of_part)
            found = graph.pair(found, found_part)
            found, places = _look_up_parts(graph, found, pairs)
        if len(np.unique(places)) == n_keys:
            break
        rest = graph.node("Sub", rest, graph.cast(part, _FLOAT64))
    else:
        raise ValueError(
            f"Column {keys.name!r} holds floats that are too close to each other, or out "
            "of the range of float32, for tables of ONNX; round them, or make them "
            "strings, before fit."
        )
    in_order = np.argsort(places)
    key = graph.take(np.append(keys.values[in_order], np.nan), found)
    codes = graph.take(np.append(keys.codes[in_order], unknown), found)
    is_known = graph.node("Equal", key, value)
    return graph.node("Where", is_known, codes, graph.constant(np.array([unknown])))


def _look_up_parts(
    graph: Graph, part: str, part_keys: NDArray[Any]
) -> tuple[str, IntArray]:
    """Add the place of each part among the different ones that keys have.

    Also return the places of the keys' own parts. A part that is in no key comes behind
    all others, as does NaN, the rest behind an infinite part, which is in no table.
    """
    different, places = np.unique(part_keys, return_inverse=True)
    different = different[different == different]
    n_different = len(different)
    found = graph.label_encoder(part, different, np.arange(n_different), n_different)
    return found, places
