"""Learning chunk by chunk: what the estimator keeps between calls of ``partial_fit``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import validate_data

from sk_embed._arrays import BoolArray, FloatArray, IntArray
from sk_embed._columns.frame import as_columns, for_names
from sk_embed._columns.growing import Coded, GrowingColumns
from sk_embed._columns.stream_target import (
    StreamTarget,
    first_target,
    require_same_classes,
)
from sk_embed._columns.table import TableColumns, learn_columns
from sk_embed._columns.target import GivenTarget, as_target
from sk_embed._engine.growing import GrowingArray
from sk_embed._engine.network import Trunk
from sk_embed._engine.rows import Rows
from sk_embed._engine.stream import StreamColumn, StreamModel, StreamStart
from sk_embed._selection import kept_axes, output_unit
from sk_embed._settings import (
    LOSSES,
    checked_dtype,
    chunk_settings,
    stream_settings,
)
from sk_embed._sklearn_compat import check_sample_weight, fit_context, single_blas_thread
from sk_embed._training_data import require_room
from sk_embed._unchanged import unchanged_on_error

# What is made of the stream where it is asked for.
_FROM_STREAM = (
    "_columns",
    "_tables",
    "categories_",
    "explained_variance_ratio_",
    "infrequent_categories_",
    "reliability_",
    "unit_",
)


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
        numbers and of the target, the classes and the categorical columns are.
        Under ``n_components`` "auto" or a share all columns have 8 axes, of which those
        that ``fit`` would not keep are zero; columns after :meth:`fit` keep their width.

        Each row counts the same, whichever chunk it comes in, unless ``half_life`` is
        given. A chunk of 32 or more different rows that were learned before in the same
        order, as in a second pass over the chunks, is recognised: it does not count
        again, and only its vectors and effects learn further, not the network, which must
        not see vectors that know the row.

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
            :meth:`load`, or from a pickle of one that ``fit`` learned alone, which hold
            no state of learning. The encoder is then as before.
        TypeError
            If X is sparse or lazy, or a cell holds a list or a dict; likewise.

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
        with unchanged_on_error(self):
            _learn_chunk(self, X, y, classes, sample_weight)
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Leave what a stream would go on from, as large as the tables, out of pickles.

        The stream itself, once there is one, is in them.
        """
        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]
        return {name: value for name, value in state.items() if name != "_start"}

    def __getattr__(self, name: str) -> Any:
        """Make attributes of the stream where they are asked for after a chunk."""
        asked = getattr(type(self), name, None)
        if isinstance(asked, property) and asked.fget is not None:
            # Python asks here if a property raises: its own error says more.
            return asked.fget(self)
        stream = vars(self).get("_stream")
        if name not in _FROM_STREAM or stream is None:
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}"
            )
        vars(self).update(stream.attributes(checked_dtype(vars(self)["dtype"])))
        return vars(self)[name]


class Stream:
    """All that is kept between chunks.

    Parameters
    ----------
    columns : GrowingColumns
        Categories so far, and the scale of numbers.
    target : StreamTarget
        How targets are read.
    parameters : dict
        Those of the estimator, by name.
    """

    def __init__(
        self,
        columns: GrowingColumns,
        target: StreamTarget,
        parameters: dict[str, Any],
    ) -> None:
        self.columns, self.target = columns, target
        self.settings = stream_settings(parameters)
        random_state = check_random_state(parameters["random_state"])
        self._seed = int(random_state.randint(np.iinfo(np.int32).max))
        self._n_calls = 0
        self.model: StreamModel | None = None
        self._start: tuple[StreamStart, Trunk] | None = None
        self._chooses_axes = False
        self.n_effects = 0
        self.n_components: list[int] = []
        self._place([len(vocabulary) + 1 for vocabulary in columns.vocabularies])

    def _place(self, n_codes: Sequence[int] | IntArray) -> None:
        """Give each category a row of the store.

        And one, behind those of each column, to what is not in a given vocabulary.
        """
        ends = np.cumsum(n_codes).astype(np.int32)
        self._others = ends - 1
        self._rows = [
            GrowingArray(np.arange(end - n, end - 1, dtype=np.int32))
            for end, n in zip(ends, n_codes, strict=True)
        ]
        self._n_known = int(ends[-1])

    def start_anew(self, n_components: Any, with_effects: bool) -> None:
        """Fix the width of the output."""
        self._n_components = n_components
        self._chooses_axes = not isinstance(n_components, Integral)
        width = self.settings.width if self._chooses_axes else int(n_components)
        self.n_effects = len(self.target.like.effect_names) if with_effects else 0
        self.n_components = [self.n_effects + width] * len(self._rows)

    def go_on_from(
        self, start: StreamStart, trunk: Trunk, n_components: list[int], n_effects: int
    ) -> None:
        """Go on from a fit, in its widths; its categories are the store's first rows."""
        self._start = start, trunk
        self.settings = replace(
            self.settings,
            width=start.vectors.shape[1],
            hidden_layer_sizes=trunk.hidden_layer_sizes,
            with_halves=False,
            dtype=trunk.parameters.dtype,
        )
        self.n_components, self.n_effects = list(n_components), n_effects

    def learn(
        self,
        columns: list[pd.Series],
        y: GivenTarget,
        weight: FloatArray,
        parameters: dict[str, Any],
    ) -> float:
        """Learn a chunk, and return its progressive loss; change nothing if it fails."""
        targets = self.target.read(y, weight)
        row_numbers = np.flatnonzero(weight > 0)
        columns = [column.iloc[row_numbers] for column in columns]
        weight, dtype = weight[row_numbers], self.settings.dtype
        require_room(weight, dtype)
        coded = self.columns.encode(columns)
        context = self.columns.context(columns)
        codes, n_new = self._store_codes(coded)
        chunk = Rows(
            codes=codes,
            n_codes=np.zeros(codes.shape[1], dtype=np.intp),
            context=context.astype(dtype),
            targets=targets.astype(dtype),
            weight=weight.astype(dtype),
        )
        loss, is_repeated = self._learn_rows(chunk, n_new, parameters)
        self._grow(coded, counts=not is_repeated)
        return loss

    def _learn_rows(
        self, chunk: Rows, n_new: int, parameters: dict[str, Any]
    ) -> tuple[float, bool]:
        rng = np.random.default_rng([self._seed, self._n_calls])
        model = self._begun(chunk, rng) if self.model is None else self.model
        total = model.total_weight + float(chunk.weight.sum())
        settings = chunk_settings(parameters, len(chunk), total, model.n_steps)
        model.grow(n_new, rng)
        try:
            with single_blas_thread():
                learned = model.learn(chunk, settings, rng)
        except BaseException:
            model.cut(self._n_known)
            raise
        self.model, self._start = model, None
        self._n_calls += 1
        return learned

    def _begun(self, chunk: Rows, rng: np.random.Generator) -> StreamModel:
        """Return a model that has not learned yet, or goes on from a fit."""
        loss = LOSSES[self.target.like.type]()
        model = StreamModel(chunk, loss, self.settings, rng)
        if self._start is None:
            model.grow(self._n_known, rng)
        else:
            model.go_on_from(*self._start, chunk)
        return model

    def _store_codes(self, coded: list[Coded]) -> tuple[IntArray, int]:
        """Return the store row of each place of the chunk, and the number of new rows."""
        parts, n_new = [], 0
        for rows, other, of_column in zip(self._rows, self._others, coded, strict=True):
            more = len(of_column.new)
            first = self._n_known + n_new
            codes = of_column.codes
            is_known = (codes >= 0) & (codes < len(rows))
            store = np.where(codes < 0, other, codes - len(rows) + first).astype(np.int32)
            store[is_known] = rows.values[codes[is_known]]
            parts.append(store)
            n_new += more
        return np.column_stack(parts), n_new

    def _grow(self, coded: list[Coded], counts: bool) -> None:
        """Take over the new categories of a chunk that was learned."""
        first = self._n_known
        for rows, vocabulary, of_column in zip(
            self._rows, self.columns.vocabularies, coded, strict=True
        ):
            end = first + len(of_column.new)
            vocabulary.grow(of_column.new)
            if counts:
                vocabulary.count(of_column.codes)
            rows.grow(len(of_column.new), np.arange(first, end, dtype=np.int32))
            first = end
        self._n_known = first

    def attributes(self, dtype: np.dtype[Any]) -> dict[str, Any]:
        """Return the fitted attributes that follow from what was learned, by name."""
        assert self.model is not None  # noqa: S101 - a chunk was learned
        columns = self.columns.as_columns()
        learned, sensitivity = self.model.columns([rows.values for rows in self._rows])
        unit = output_unit(sensitivity)
        n_axes = [width - self.n_effects for width in self.n_components]
        tables = []
        for column, n in zip(learned, n_axes, strict=True):
            effects = column.effects[:, : self.n_effects]
            vectors = column.vectors * self._kept(column, effects)
            table = np.concatenate([effects, vectors[:, :n]], axis=1) / unit
            tables.append(np.pad(table, ((0, 1), (0, 0))).astype(dtype))
        parts = list(zip(learned, n_axes, strict=True))
        return {
            "_columns": columns,
            "_tables": tables,
            "categories_": [v.categories for v in columns.vocabularies],
            "explained_variance_ratio_": [
                column.explained_variance_ratio[:n] for column, n in parts
            ],
            "infrequent_categories_": [None] * len(tables),
            "reliability_": [column.reliability[:n] for column, n in parts],
            "unit_": unit,
        }

    def _kept(self, column: StreamColumn, effects: FloatArray) -> BoolArray:
        """Return which axes are not put at zero: all, if their number is given."""
        if not self._chooses_axes:
            return np.ones(column.vectors.shape[1], dtype=bool)
        said = np.column_stack([np.ones(len(effects)), effects])
        n_contrasts = column.n_categories - int(np.linalg.matrix_rank(said.T @ said))
        kept = kept_axes(self._n_components, column.share, column.reliability, n_contrasts)
        # A column without main effects keeps its best axis.
        kept[0] |= self.n_effects == 0
        return kept


def _learn_chunk(encoder: Any, X: Any, y: Any, classes: Any, sample_weight: Any) -> None:
    """Learn a chunk, and set the fitted attributes."""
    encoder._require_usable(y)
    parameters = encoder.get_params(deep=False)
    _require_no_rare(parameters)
    is_first = not hasattr(encoder, "n_components_")
    columns = as_columns(X)
    validate_data(encoder, X=for_names(X), reset=is_first, skip_check_array=True)
    target = as_target(y)
    check_consistent_length(columns[0], target.values)
    weight = check_sample_weight(sample_weight, columns[0])
    stream = vars(encoder).get("_stream")
    if stream is None and is_first:
        stream = _new_stream(encoder, columns, target, weight, classes, parameters)
    else:
        require_same_classes(encoder.classes_, classes)
        stream = stream or _continued(encoder, parameters)
    loss = stream.learn(columns, target, weight, parameters)
    for name in _FROM_STREAM:
        vars(encoder).pop(name, None)
    like = stream.target.like
    encoder._stream, encoder._trunk = stream, stream.model.trunk
    encoder.n_components_ = stream.n_components
    encoder.classes_, encoder.target_type_ = like.classes, like.type
    encoder._effect_names = like.effect_names if stream.n_effects else []
    if is_first:
        encoder.loss_curve_ = []
    encoder.n_iter_ = len(encoder.loss_curve_) + 1
    encoder.loss_curve_.append(loss)


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
    learned, _ = learn_columns(
        [column.iloc[used] for column in columns],
        getattr(encoder, "feature_names_in_", None),
        weight[used],
        categorical_features=parameters["categorical_features"],
        categories=parameters["categories"],
        handle_unknown=parameters["handle_unknown"],
        min_frequency=None,
        max_categories=None,
    )
    is_fixed = not isinstance(parameters["categories"], str)
    growing = GrowingColumns(
        _without_rows(learned, is_fixed), is_fixed, parameters["handle_unknown"]
    )
    stream = Stream(growing, target, parameters)
    stream.start_anew(parameters["n_components"], parameters["main_effects"])
    return stream


def _continued(encoder: Any, parameters: dict[str, Any]) -> Stream:
    """Return a stream that goes on from a fit."""
    start = vars(encoder).get("_start")
    if start is None:
        raise ValueError(
            "This encoder comes from a file or a pickle, which holds what transform needs "
            "but not the state of learning: partial_fit cannot go on from it; learn by "
            "partial_fit before you pickle it, or fit again."
        )
    is_fixed = not isinstance(parameters["categories"], str)
    growing = GrowingColumns(encoder._columns, is_fixed, parameters["handle_unknown"])
    stream = Stream(growing, StreamTarget(encoder._target), parameters)
    stream.go_on_from(
        start, encoder._trunk, encoder.n_components_, len(encoder._effect_names)
    )
    return stream


def _without_rows(columns: TableColumns, keeps_categories: bool) -> TableColumns:
    """Return the columns before any row is counted, with or without their categories."""
    vocabularies = []
    for vocabulary in columns.vocabularies:
        kept = slice(None if keeps_categories else 0)
        emptied = replace(
            vocabulary,
            categories=vocabulary.categories[kept],
            counts=np.zeros_like(vocabulary.counts[kept]),
            is_infrequent=vocabulary.is_infrequent[kept],
        )
        vocabularies.append(emptied)
    return replace(columns, vocabularies=vocabularies)
