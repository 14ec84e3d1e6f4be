"""Fitted encoders as ONNX graphs, which are run without Python.

Importing this module tells skl2onnx of :class:`~sk_embed.EmbeddingEncoder`, so that its
``to_onnx`` converts pipelines that hold an encoder. It needs the extra ``onnx``.
"""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted

from sk_embed._encoder import EmbeddingEncoder

try:
    import skl2onnx

    from sk_embed._onnx.converter import DEFAULT_MISSING, register
    from sk_embed._onnx.inputs import declared_inputs
except ImportError as error:
    raise ImportError(
        'sk_embed.onnx converts with skl2onnx: pip install "sk-embed[onnx]".'
    ) from error

__all__ = ["initial_types", "to_onnx"]

register(EmbeddingEncoder)


def to_onnx(
    encoder: EmbeddingEncoder,
    *,
    missing: str = DEFAULT_MISSING,
    target_opset: int | dict[str, int] | None = None,
) -> Any:
    """Convert a fitted encoder to an ONNX graph.

    The graph gives the same numbers as :meth:`~sk_embed.EmbeddingEncoder.transform`. It has
    one input for each column of X, of shape (n_rows, 1), in the order of the columns, and
    one output of the encoder's ``dtype``, ``encoded``, to which context columns that are
    passed through are cast. Values are known where Python calls them equal, as in
    :meth:`~sk_embed.EmbeddingEncoder.transform`. A graph neither warns nor raises: an
    infinite context value is passed through.

    A pipeline is converted by ``skl2onnx.to_onnx(pipeline,
    initial_types=initial_types(pipeline[0]))``, with ``options={EmbeddingEncoder:
    {"missing": ...}}`` for the parameter ``missing``.

    Parameters
    ----------
    encoder : EmbeddingEncoder
        Fitted encoder, whose columns hold strings or numbers.
    missing : str, default=""
        String that stands for missing values in columns of strings, as those of ONNX are
        never missing. In columns of floats NaN is missing.
    target_opset : int or dict, default=None
        Version of ONNX's operators, as in ``skl2onnx.convert_sklearn``.

    Returns
    -------
    model : onnx.ModelProto
        The graph; ``model.SerializeToString()`` are the bytes of a file.

    Raises
    ------
    ValueError
        If a column holds values that no tensor of ONNX holds, as dates, tuples, or strings
        and numbers together; if ``missing`` is a category; or if
        ``handle_unknown="error"``, for a graph does not raise.

    Examples
    --------
    >>> from sk_embed import EmbeddingEncoder
    >>> from sk_embed.onnx import to_onnx
    >>> encoder = EmbeddingEncoder(random_state=0).fit([["a"], ["b"]] * 9, [1.5, 2] * 9)
    >>> model = to_onnx(encoder)
    >>> [column.name for column in model.graph.input]
    ['x0']
    """
    return skl2onnx.convert_sklearn(
        encoder,
        name=type(encoder).__name__,
        initial_types=initial_types(encoder),
        options={id(encoder): {"missing": missing}},
        target_opset=target_opset,
    )


def initial_types(encoder: EmbeddingEncoder) -> list[tuple[str, Any]]:
    """Return the inputs of a graph, for ``skl2onnx.to_onnx``.

    Strings are of type string, integers int64 (uint64 where the column was), booleans bool,
    floats of the column's own type; integers and booleans with missing values, and context
    columns, are float64.

    Parameters
    ----------
    encoder : EmbeddingEncoder
        Fitted encoder, whose columns hold strings or numbers.

    Returns
    -------
    types : list of tuple of (str, skl2onnx.common.data_types.TensorType)
        Name and type of an input for each column of X, in their order. In a graph skl2onnx
        replaces what is no letter, digit or underscore in a name.

    Raises
    ------
    ValueError
        If a column holds values that no tensor of ONNX holds.

    Examples
    --------
    >>> import pandas as pd
    >>> from sk_embed import EmbeddingEncoder
    >>> from sk_embed.onnx import initial_types
    >>> X = pd.DataFrame({"fruit": ["apple", "pear"] * 9, "shop": [7, 7, 8] * 6})
    >>> for name_and_type in initial_types(EmbeddingEncoder().fit(X, [1.5, 2] * 9)):
    ...     print(name_and_type)
    ('fruit', StringTensorType(shape=[None, 1]))
    ('shop', Int64TensorType(shape=[None, 1]))
    """
    check_is_fitted(encoder)
    return declared_inputs(encoder)
