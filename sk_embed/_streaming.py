"""Learning chunk by chunk: what the estimator keeps between calls of ``partial_fit``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from sk_embed._arrays import FloatArray
from sk_embed._columns.growing import GrowingColumns
from sk_embed._columns.stream_target import first_target, require_same_classes
from sk_embed._columns.table import (
    ColumnRules,
    TableColumns,
    learn_columns,
    listed_categories,
)
from sk_embed._columns.target import LABEL_TYPES, GivenTarget, Target
from sk_embed._cross_fitting import draw_folds, number_of_folds
from sk_embed._crosses import read_crosses
from sk_embed._engine.cells import Pair
from sk_embed._engine.rows import Rows
from sk_embed._errors import restore_on_error
from sk_embed._fitted import FittedEncoding
from sk_embed._settings import LOSSES, checked_dtype, chunk_settings, stream_settings
from sk_embed._sklearn_compat import fit_context
from sk_embed._stream import Stream
from sk_embed._stream_crosses import StreamCrosses, no_cells, pairs_of_first_chunk
from sk_embed._training_data import read_given, require_room


class PartialFitMixin:
    """Gives an estimator ``partial_fit``."""

    @fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> Any:
        """Learn from one more chunk of rows.

        The first call, on an encoder that is not fitted, starts anew; on one from
        :meth:`fit` it goes on from there. New categories are put behind those known, so
        that no known category changes its place in ``categories_`` and ``embeddings_``;
        the vectors themselves move as they learn. A call costs what its rows cost,
        however many categories are known; the first :meth:`transform` after it costs a
        pass over the tables.

        The first chunk, or the ``fit``, fixes what the output's width, the scale of
        numbers and of the target, the classes, the categorical columns and the crosses are.
        Under ``n_components`` "auto" or a share all columns have 8 axes, of which those
        that ``fit`` would not keep are zero; columns after :meth:`fit` keep their width.

        Each row counts the same, whichever chunk it comes in, unless ``half_life`` is
        given. A row that comes again counts again, and the network then meets vectors that
        have seen its target: a table that can be read several times is learned by
        :meth:`fit_chunks`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data frame, array or list of lists, with the columns of the first chunk in
            their order.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers or labels; several columns of numbers, or of zeros and ones.
        classes : array-like of shape (n_classes,), default=None
            All labels, for the first call, unless its chunk holds them all.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights; a row of weight 0 is left out.

        Returns
        -------
        self : EmbeddingEncoder
            The encoder.

        Raises
        ------
        ValueError
            If X, y or a parameter cannot be used, as ``min_frequency`` and
            ``max_categories``, which no chunk can tell. Also if the encoder comes from
            a file of one that had learned by ``partial_fit``, or of an older version,
            which holds no state of learning. The encoder is then as before.
        TypeError
            If X is sparse or lazy, or a cell holds a list or a dict; likewise.

        Warns
        -----
        UserWarning
            If the first chunk gives cause to, as in :meth:`fit`.

        Examples
        --------
        >>> import numpy as np
        >>> from sk_embed import EmbeddingEncoder
        >>> encoder = EmbeddingEncoder(n_components=0, random_state=0)
        >>> y = np.arange(100) % 2 + 0.5
        >>> _ = encoder.partial_fit(np.array([["pear"], ["plum"]] * 50), y)
        >>> _ = encoder.partial_fit(np.array([["plum"], ["apple"]] * 50), y)
        >>> encoder.categories_
        [array(['pear', 'plum', 'apple'], dtype=object)]
        """
        with restore_on_error(self):
            is_first = vars(self).get("_learned") is None
            _learn_chunk(self, X, y, classes, sample_weight, is_first)
        return self


def _learn_chunk(
    encoder: Any,
    X: Any,
    y: Any,
    classes: Any,
    sample_weight: Any,
    is_first: bool,
) -> None:
    """Learn a chunk, which goes on or begins anew, and set the fitted state."""
    encoder._require_usable(y)
    _require_no_rare(encoder.get_params(deep=False))
    columns, target, weight = read_given(encoder, X, y, sample_weight, is_first=is_first)
    parameters = encoder._parameters_of(X, len(columns), choose_columns=is_first)
    if is_first:
        stream = _new_stream(encoder, columns, target, weight, classes, parameters)
    else:
        learned = encoder._learned
        require_same_classes(learned.target.classes, classes)
        stream = learned if isinstance(learned, Stream) else _continued(learned, parameters)
    stream.learn(columns, target, weight, parameters)
    encoder._keep(stream)


def _require_no_rare(parameters: dict[str, Any]) -> None:
    for name in ("min_frequency", "max_categories"):
        if parameters[name] is not None:
            raise ValueError(
                f"{name}={parameters[name]!r} cannot be used by partial_fit: no chunk "
                f"tells which categories will stay rare; set {name}=None."
            )


def _new_stream(
    encoder: Any,
    columns: list[pd.Series],
    y: GivenTarget,
    weight: FloatArray,
    classes: Any,
    parameters: dict[str, Any],
) -> Stream:
    """Return a stream that has not learned yet, sized by its first chunk."""
    target = first_target(y, parameters["target_type"], weight, classes)
    used = np.flatnonzero(weight > 0)
    names = getattr(encoder, "feature_names_in_", None)
    columns = [column.iloc[used] for column in columns]
    rules = ColumnRules.of(parameters)
    learned, table_rows = learn_columns(columns, names, weight[used], used, rules)
    is_fixed = _is_fixed(learned, parameters["categories"])
    growing = GrowingColumns(
        _without_rows(learned, is_fixed), is_fixed, parameters["handle_unknown"]
    )
    rule = read_crosses(parameters["crosses"], learned.is_categorical, names)
    pairs = rule.pairs
    if rule.is_chosen:
        context = learned.scaler.transform(learned.numbers(columns))
        rows = Rows(
            table_rows,
            learned.n_codes,
            context,
            target.read(y, weight),
            weight[used],
        )
        pairs = _pairs_of_first_chunk(rows, target.like, parameters)
    crosses = StreamCrosses(pairs, no_cells(pairs))
    stream = Stream(growing, target.like, crosses, parameters)
    stream.start_anew(
        parameters["n_components"],
        bool(parameters["main_effects"]),
        bool(parameters["counts"]),
    )
    return stream


def _pairs_of_first_chunk(
    rows: Rows, target: Target, parameters: dict[str, Any]
) -> tuple[Pair, ...]:
    """Choose the pairs of columns that are crossed; none if the rows are one batch."""
    # Weights beyond the arithmetic are an error, not numpy's warnings before one.
    require_room(rows.weight, checked_dtype(parameters["dtype"]))
    settings = chunk_settings(parameters, len(rows), float(rows.weight.sum()), 0)
    if len(rows) <= settings.batch_size:
        return ()
    n_folds, is_label = number_of_folds(parameters["cv"]), target.type in LABEL_TYPES
    labels = (
        rows.targets.argmax(axis=1) if rows.targets.shape[1] > 1 else rows.targets[:, 0]
    )
    folds = draw_folds(n_folds, rows.targets, labels, is_label, seed=0)
    alpha = stream_settings(parameters, 0).alpha
    return pairs_of_first_chunk(rows, LOSSES[target.type](), alpha, folds.is_training)


def _continued(fitted: FittedEncoding, parameters: dict[str, Any]) -> Stream:
    """Return a stream that goes on from a fit."""
    start = fitted.initial_state()
    if start is None:
        raise ValueError(
            "This encoder comes from a file of an older version, or of one that had "
            "learned by partial_fit, which holds what transform needs but not the state "
            "of learning: partial_fit cannot go on from it; pickle the encoder, or fit "
            "again."
        )
    is_fixed = _is_fixed(fitted.columns, parameters["categories"])
    growing = GrowingColumns(fitted.columns, is_fixed, parameters["handle_unknown"])
    crosses = StreamCrosses(
        [cross.pair for cross in fitted.crosses], [cross.cells for cross in fitted.crosses]
    )
    stream = Stream(growing, fitted.target, crosses, parameters)
    stream.resume(fitted, start)
    return stream


def _is_fixed(columns: TableColumns, categories: Any) -> list[bool]:
    """Return for each categorical column whether all of its categories are listed."""
    names = [str(place) for place in range(len(columns.is_categorical))]
    listed = listed_categories(categories, columns.is_categorical, names)
    return [of_column is not None for of_column in listed]


def _without_rows(columns: TableColumns, keeps_categories: list[bool]) -> TableColumns:
    """Return the columns before any row is counted, with or without their categories."""
    vocabularies = []
    for vocabulary, keeps in zip(columns.vocabularies, keeps_categories, strict=True):
        kept = slice(None if keeps else 0)
        emptied = replace(
            vocabulary,
            categories=vocabulary.categories[kept],
            counts=np.zeros_like(vocabulary.counts[kept]),
            is_infrequent=vocabulary.is_infrequent[kept],
        )
        vocabularies.append(emptied)
    return replace(columns, vocabularies=vocabularies)
