"""Inputs of a graph: the columns of X, and tensors that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from skl2onnx.common import data_types

from sk_embed._fitted import FittedEncoding
from sk_embed._onnx.graph import Graph, InputColumn
from sk_embed._onnx.keys import TEXT, input_dtype

_TYPES: dict[np.dtype[Any], Any] = {
    TEXT: data_types.StringTensorType,
    np.dtype(bool): data_types.BooleanTensorType,
    np.dtype(np.float16): data_types.Float16TensorType,
    np.dtype(np.float32): data_types.FloatTensorType,
    np.dtype(np.float64): data_types.DoubleTensorType,
    np.dtype(np.int8): data_types.Int8TensorType,
    np.dtype(np.int16): data_types.Int16TensorType,
    np.dtype(np.int32): data_types.Int32TensorType,
    np.dtype(np.int64): data_types.Int64TensorType,
    np.dtype(np.uint8): data_types.UInt8TensorType,
    np.dtype(np.uint16): data_types.UInt16TensorType,
    np.dtype(np.uint32): data_types.UInt32TensorType,
    np.dtype(np.uint64): data_types.UInt64TensorType,
}
_DTYPES = {tensor_type: dtype for dtype, tensor_type in _TYPES.items()}


def type_of(dtype: np.dtype[Any], n_columns: int) -> Any:
    """Return the type of tensors of a dtype, with any number of rows."""
    return _TYPES[dtype]([None, n_columns])


def declared_inputs(encoder: Any) -> list[tuple[str, Any]]:
    """Return name and type of an input for each column of X, in their order."""
    fitted: FittedEncoding = encoder._fitted
    vocabularies = iter(fitted.columns.vocabularies)
    context_names = iter(fitted.columns.scaler.names)
    inputs = []
    for j, is_categorical in enumerate(fitted.columns.is_categorical):
        if is_categorical:
            vocabulary = next(vocabularies)
            name, dtype = vocabulary.name, input_dtype(vocabulary)
        else:
            name, dtype = next(context_names), np.dtype(np.float64)
        inputs.append((name or f"x{j}", type_of(dtype, 1)))
    return inputs


def require_order(encoder: Any, given: list[str]) -> None:
    """Raise ValueError if inputs have the names of fit in another order."""
    names = list(getattr(encoder, "feature_names_in_", ()))
    if set(given) == set(names) and given != names:
        raise ValueError(
            f"The inputs are {given}, but the columns of fit were {names}; declare them in "
            "this order, as sk_embed.onnx.initial_types does."
        )


def columns_of(graph: Graph, inputs: Sequence[Any], n_columns: int) -> list[InputColumn]:
    """Split inputs, each of one or several columns, into columns.

    Parameters
    ----------
    graph : Graph
        Graph that nodes are added to.
    inputs : sequence of skl2onnx.common._topology.Variable
        Declared inputs, in the order of the columns.
    n_columns : int
        Number of columns of X in fit.

    Raises
    ------
    ValueError
        If an input is of a type that is neither strings nor numbers, or the inputs have
        another number of columns.
    """
    columns = []
    for variable in inputs:
        dtype = _DTYPES.get(type(variable.type))
        if dtype is None:
            raise ValueError(
                f"Input {variable.raw_name!r} is a {type(variable.type).__name__}, but "
                "columns are tensors of strings or numbers; declare it by "
                "sk_embed.onnx.initial_types."
            )
        shape = variable.type.shape
        width = shape[1] if len(shape) > 1 else 1
        if width is None and len(inputs) == 1:
            width = n_columns
        tensor, places = variable.full_name, np.arange(width or 1)
        parts = [graph.take_columns(tensor, places[j : j + 1]) for j in places]
        tensors = parts if len(parts) > 1 else [tensor]
        columns += [InputColumn(graph.reshape(part, -1), dtype) for part in tensors]
    if len(columns) != n_columns:
        raise ValueError(
            f"The inputs have {len(columns)} columns, but X had {n_columns} in fit; "
            "declare them by sk_embed.onnx.initial_types."
        )
    return columns
