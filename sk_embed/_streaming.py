"""Learning chunk by chunk: what the estimator keeps between calls of ``partial_fit``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import validate_data

from sk_embed._arrays import FloatArray
from sk_embed._columns.frame import as_columns, for_names
from sk_embed._columns.growing import GrowingColumns
from sk_embed._columns.stream_target import (
    StreamTarget,
    first_target,
    require_same_classes,
)
from sk_embed._columns.table import TableColumns, learn_columns, listed_categories
from sk_embed._columns.target import GivenTarget, as_target
from sk_embed._columns.target_values import as_weights
from sk_embed._settings import (
    checked_dtype,
)
from sk_embed._sklearn_compat import check_sample_weight, fit_context
from sk_embed._stream import Stream
from sk_embed._told import told_of
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
# What a fit leaves for a stream to go on from.
_FROM_FIT = ("_start", "_target")


class PartialFitMixin:
    """Gives an estimator ``partial_fit`` and ``fit_chunks``."""

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
        not see vectors that know the row. Effects do so once in a pass, until all chunks
        have come again, and not under ``half_life``, which is not to bring the past back.

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
        with unchanged_on_error(self):
            is_first = not hasattr(self, "n_components_")
            _learn_chunk(self, X, y, classes, sample_weight, is_first)
        return self

    @fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit_chunks(
        self, chunks: Iterable[Any], n_passes: int = 2, classes: Any = None
    ) -> Any:
        """Learn from chunks that can be gone over again, as files larger than memory.

        Begins anew, whatever was learned before, and learns as a new encoder does by
        :meth:`partial_fit` of each chunk, in passes over all of them; but chunks of too few
        rows to be recognised do not count again either. One chunk is in memory at a time.

        Parameters
        ----------
        chunks : iterable of tuples (X, y) or (X, y, sample_weight)
            As of :meth:`partial_fit`: a list, or an object whose ``__iter__`` reads them
            again, each with its rows in the same order, so that they are recognised.
            Chunks without rows of positive weight are passed over. The first should be a
            fair sample.
        n_passes : int, default=2
            Passes over the chunks. Further ones bring little: the network learns in the
            first alone.
        classes : array-like of shape (n_classes,), default=None
            All labels, unless the first chunk holds them all.

        Returns
        -------
        self : EmbeddingEncoder
            The encoder.

        Raises
        ------
        ValueError
            If a chunk or a parameter cannot be used, there is no chunk, or a later pass
            brings other chunks than the first. The encoder is then as before.
        TypeError
            If ``chunks`` is an iterator, which lasts for one pass, and ``n_passes`` is
            more than 1, or a chunk is no such tuple; likewise.

        Examples
        --------
        >>> import numpy as np
        >>> from sk_embed import EmbeddingEncoder
        >>> class Days:
        ...     def __iter__(self):
        ...         for day in range(3):  # here a file would be read
        ...             rng = np.random.default_rng(day)
        ...             X = rng.choice(["pear", "plum"], size=(100, 1))
        ...             yield X, (X[:, 0] == "plum") + rng.normal(size=100)
        >>> encoder = EmbeddingEncoder(n_components=0, random_state=0).fit_chunks(Days())
        >>> encoder.to_frame(0)["count"].tolist()
        [143, 157]
        """
        _require_passes(chunks, n_passes)
        with unchanged_on_error(self):
            n_chunks = _learn_pass(self, chunks, classes, begins=True)
            if n_chunks == 0:
                raise ValueError("chunks holds no rows; give at least one chunk of rows.")
            for number in range(1, n_passes):
                n_again = _learn_pass(self, chunks, None, begins=False)
                if n_again != n_chunks:
                    raise ValueError(
                        f"chunks gave {n_chunks} chunks in pass 1, but {n_again} in pass "
                        f"{number + 1}; its __iter__ must read them from the start."
                    )
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


def _require_passes(chunks: Any, n_passes: Any) -> None:
    """Raise TypeError or ValueError unless the chunks can be passed over so often."""
    if not isinstance(n_passes, Integral) or int(n_passes) < 1:
        raise ValueError(f"n_passes must be an integer from 1, but is {n_passes!r}.")
    if not isinstance(chunks, Iterable):
        raise TypeError(
            f"chunks must be a list or another iterable of (X, y), but is {chunks!r:.80}."
        )
    if int(n_passes) > 1 and iter(chunks) is chunks:
        raise TypeError(
            f"chunks is a {type(chunks).__name__}, which lasts for one pass of {n_passes}; "
            "give a list, or an object whose __iter__ reads the chunks anew."
        )


def _learn_pass(encoder: Any, chunks: Any, classes: Any, begins: bool) -> int:
    """Learn each chunk that has rows, and return their number."""
    n_chunks = 0
    for number, chunk in enumerate(chunks):
        X, y, sample_weight = _parts_of_chunk(chunk, number)
        is_first = begins and n_chunks == 0
        known = classes if is_first else None
        with told_of(f"Chunk {number}"):
            sample_weight = as_weights(sample_weight)
            if _teaches_nothing(y, sample_weight):
                continue
            _learn_chunk(encoder, X, y, known, sample_weight, is_first, not begins)
        n_chunks += 1
    return n_chunks


def _teaches_nothing(y: Any, sample_weight: Any) -> bool:
    """Return whether a chunk has no rows, or none of positive weight."""
    if hasattr(y, "__dask_graph__") or not hasattr(y, "__len__"):
        return False  # an error, which is told where X is read
    return len(y) == 0 or (sample_weight is not None and not np.any(sample_weight))


def _parts_of_chunk(chunk: Any, number: int) -> tuple[Any, Any, Any]:
    """Return X, y and weights of a chunk."""
    if not isinstance(chunk, tuple) or len(chunk) not in (2, 3):
        length = f" of length {len(chunk)}" if isinstance(chunk, tuple) else ""
        raise TypeError(
            f"Chunk {number} is a {type(chunk).__name__}{length}; each chunk must be a "
            "tuple (X, y) or (X, y, sample_weight)."
        )
    X, y, *weight = chunk
    return X, y, weight[0] if weight else None


def _learn_chunk(
    encoder: Any,
    X: Any,
    y: Any,
    classes: Any,
    sample_weight: Any,
    is_first: bool,
    came_before: bool = False,
) -> None:
    """Learn a chunk, which goes on or begins anew, and set the fitted attributes."""
    encoder._require_usable(y)
    _require_no_rare(encoder.get_params(deep=False))
    columns = as_columns(X)
    validate_data(encoder, X=for_names(X), reset=is_first, skip_check_array=True)
    parameters = encoder._parameters_of(X, len(columns), choose_columns=is_first)
    target = as_target(y)
    check_consistent_length(columns[0], target.values)
    weight = check_sample_weight(as_weights(sample_weight), columns[0])
    stream: Any
    if is_first:
        stream = _new_stream(encoder, columns, target, weight, classes, parameters)
        for name in _FROM_FIT:
            vars(encoder).pop(name, None)
    else:
        require_same_classes(encoder.classes_, classes)
        stream = vars(encoder).get("_stream") or _continued(encoder, parameters)
    loss = stream.learn(columns, target, weight, parameters, came_before)
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
        used,
        categorical_features=parameters["categorical_features"],
        categories=parameters["categories"],
        handle_unknown=parameters["handle_unknown"],
        min_frequency=None,
        max_categories=None,
    )
    is_fixed = _is_fixed(learned, parameters["categories"])
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
    is_fixed = _is_fixed(encoder._columns, parameters["categories"])
    growing = GrowingColumns(encoder._columns, is_fixed, parameters["handle_unknown"])
    stream = Stream(growing, StreamTarget(encoder._target), parameters)
    stream.go_on_from(
        start, encoder._trunk, encoder.n_components_, len(encoder._effect_names)
    )
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
