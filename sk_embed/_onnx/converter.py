"""The converter of fitted encoders that skl2onnx is told of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from skl2onnx import _parse, update_registered_converter
from sklearn.utils.validation import check_is_fitted

from sk_embed._arrays import BoolArray, FloatArray
from sk_embed._columns.vocabulary import Vocabulary
from sk_embed._counts import log_counts
from sk_embed._crosses import CrossTable
from sk_embed._fitted import FittedEncoding
from sk_embed._names import NamePrior
from sk_embed._onnx.graph import Graph, InputColumn, add_lookup
from sk_embed._onnx.inputs import columns_of, require_order, type_of
from sk_embed._onnx.keys import TEXT, keys_of
from sk_embed._onnx.names import Unknown, add_names

DEFAULT_MISSING = ""
_ALIAS = "SkEmbedEmbeddingEncoder"


def register(encoder_class: type) -> None:
    """Tell skl2onnx how to convert the encoders of a class."""
    update_registered_converter(
        encoder_class,
        _ALIAS,
        _set_output_type,
        _convert,
        parser=_parse_encoder,
        options={"missing": None},
    )
    # A ColumnTransformer puts columns that go to one estimator into one tensor, and so
    # makes floats of integers; estimators of these classes get the columns one by one.
    kept_apart = _parse.do_not_merge_columns
    if encoder_class not in kept_apart:
        _parse.do_not_merge_columns = (*kept_apart, encoder_class)


def _parse_encoder(
    scope: Any, model: Any, inputs: Sequence[Any], custom_parsers: Any = None
) -> list[Any]:
    """Declare the output of an encoder."""
    check_is_fitted(model)
    if model.handle_unknown == "error":
        raise ValueError(
            "handle_unknown='error' cannot be converted, for a graph of ONNX raises "
            "nothing; convert after encoder.set_params(handle_unknown='prior')."
        )
    require_order(model, [variable.raw_name for variable in inputs])
    operator = scope.declare_local_operator(_ALIAS, model)
    operator.inputs = list(inputs)
    operator.outputs.append(scope.declare_local_variable("encoded", _output_type(model)))
    return list(operator.outputs)


def _output_type(encoder: Any) -> Any:
    fitted: FittedEncoding = encoder._fitted
    n_context = int((~fitted.columns.is_categorical).sum())
    width = fitted.width + n_context * (encoder.remainder == "passthrough")
    return type_of(np.dtype(encoder.dtype), width)


def _set_output_type(operator: Any) -> None:
    operator.outputs[0].type = _output_type(operator.raw_operator)


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of an encoder."""
    encoder = operator.raw_operator
    missing = container.get_options(encoder, {"missing": DEFAULT_MISSING})["missing"]
    fitted: FittedEncoding = encoder._fitted
    graph, dtype = Graph(scope, container), np.dtype(encoder.dtype)
    columns = columns_of(graph, operator.inputs, encoder.n_features_in_)
    learned = _learned_columns(fitted, dtype)
    categorical = _where(fitted.columns.is_categorical, columns)
    encoded = [
        _column(graph, of_column, column, missing)
        for of_column, column in zip(learned, categorical, strict=True)
    ]
    codes, blocks = map(list, zip(*encoded, strict=True))
    rows = _table_rows(graph, fitted, codes)
    cells = [_cells(graph, cross, rows) for cross in fitted.crosses]
    blocks += [
        _cross(graph, cross, _effects(graph, cross, of_cross, rows, dtype), blocks)
        for cross, of_cross in zip(fitted.crosses, cells, strict=True)
    ]
    if fitted.with_counts:
        blocks += _counts(graph, fitted, [*codes, *cells], dtype)
    if encoder.remainder == "passthrough":
        blocks += _context(graph, fitted, columns, dtype)
    graph.concat(blocks, operator.outputs[0].full_name)


class _LearnedColumn(NamedTuple):
    """What a categorical column is encoded by.

    Parameters
    ----------
    vocabulary : Vocabulary
        Categories, in the order of the table's rows.
    table : ndarray of shape (n_categories + 1, width)
        Vectors; the last is the origin, which unknown categories get.
    prior : NamePrior or None
        Prior means that unknown categories get instead, by their names.
    """

    vocabulary: Vocabulary
    table: FloatArray
    prior: NamePrior | None


def _learned_columns(fitted: FittedEncoding, dtype: np.dtype[Any]) -> list[_LearnedColumn]:
    tables = [table.astype(dtype) for table in fitted.tables]
    priors = fitted.name_priors or [None] * len(tables)
    parts = zip(fitted.columns.vocabularies, tables, priors, strict=True)
    return [_LearnedColumn(*of_column) for of_column in parts]


def _where(mask: BoolArray, columns: Sequence[InputColumn]) -> list[InputColumn]:
    return [column for column, is_one in zip(columns, mask, strict=True) if is_one]


def _column(
    graph: Graph, learned: _LearnedColumn, column: InputColumn, missing: str
) -> tuple[str, str]:
    """Add the codes of a column, places in the rows of its table, and its block."""
    vocabulary, table, prior = learned
    unknown = len(table) - 1
    keys = keys_of(vocabulary, column.dtype, missing)
    codes = add_lookup(graph, column, keys, unknown)
    block = graph.take(table, codes)
    if prior is not None:
        rows = Unknown(column, codes, unknown, missing)
        block = add_names(graph, block, rows, prior, vocabulary.name)
    return codes, block


def _table_rows(graph: Graph, fitted: FittedEncoding, codes: Sequence[str]) -> list[str]:
    """Add the row of its table that each column reads, if any columns are crossed."""
    if not fitted.crosses:
        return []
    return [
        graph.take(known.table_rows, of_column) if known.is_infrequent.any() else of_column
        for known, of_column in zip(fitted.columns.vocabularies, codes, strict=True)
    ]


def _cells(graph: Graph, cross: CrossTable, rows: Sequence[str]) -> str:
    """Add the cells of a cross: places in the rows of its table."""
    keys = cross.cells.categories
    key = graph.pair(*(rows[j] for j in cross.pair))
    return graph.label_encoder(key, keys, np.arange(len(keys)), len(keys))


def _effects(
    graph: Graph, cross: CrossTable, cell: str, rows: Sequence[str], dtype: np.dtype[Any]
) -> str:
    """Add the own effects of a cross's cells, and of those that are not listed."""
    own = graph.take(cross.table.astype(dtype), cell)
    if cross.interaction is None:
        return own
    first, second = (rows[j] for j in cross.pair)
    foretold = cross.interaction.astype(dtype)
    unlisted = graph.constant(np.zeros((1, cross.table.shape[1]), dtype))
    # In the order of `Interaction.effects`, to the last bit.
    for of_first, of_second in zip(
        foretold.first.T, foretold.second.swapaxes(0, 1), strict=True
    ):
        factors = graph.take(of_first[:, None], first), graph.take(of_second, second)
        unlisted = graph.node("Add", unlisted, graph.node("Mul", *factors))
    is_listed = np.arange(len(cross.table)) < len(cross.cells.categories)
    return graph.node("Where", graph.take(is_listed[:, None], cell), own, unlisted)


def _cross(graph: Graph, cross: CrossTable, own: str, columns: Sequence[str]) -> str:
    """Add the block of a cross, given its own effects and the blocks of the columns."""
    if not cross.n_totals:
        return own
    total, effects = own, np.arange(cross.n_totals)
    for j in cross.pair:
        total = graph.node("Add", total, graph.take_columns(columns[j], effects))
    return graph.node("Concat", own, total, axis=1)


def _counts(
    graph: Graph, fitted: FittedEncoding, codes: Sequence[str], dtype: np.dtype[Any]
) -> list[str]:
    """Add the blocks of the counts of columns and crosses."""
    known = [*fitted.columns.vocabularies, *(cross.cells for cross in fitted.crosses)]
    blocks = []
    for vocabulary, of_block in zip(known, codes, strict=True):
        all_codes = np.arange(len(vocabulary.counts) + 1)
        counts = log_counts(vocabulary, all_codes, training_rows=None)
        blocks.append(graph.take(counts.astype(dtype)[:, np.newaxis], of_block))
    return blocks


def _context(
    graph: Graph,
    fitted: FittedEncoding,
    columns: Sequence[InputColumn],
    dtype: np.dtype[Any],
) -> list[str]:
    """Add the blocks of the context columns, unscaled."""
    context = _where(~fitted.columns.is_categorical, columns)
    for column, name in zip(context, fitted.columns.scaler.names, strict=True):
        if column.dtype == TEXT:
            raise ValueError(
                f"Context column {name!r} is numeric, but its input is of strings; declare "
                "it by sk_embed.onnx.initial_types."
            )
    return [graph.reshape(graph.cast(column.tensor, dtype), -1, 1) for column in context]
