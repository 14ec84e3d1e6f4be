"""The encoder for tables of Dask: partitions are learned from where they are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted, validate_data

from sk_embed import _encoder
from sk_embed._arrays import FloatArray
from sk_embed._columns.frame import as_columns, for_names
from sk_embed._columns.target import LABEL_TYPES
from sk_embed._cross_fitting import (
    CrossFitted,
    FoldVectors,
    needs_folds,
    number_of_folds,
)
from sk_embed._dask_partitions import (
    Delayed,
    PartitionBlocks,
    Partitions,
    dd,
    delayed,
    joined,
    large_questions,
    persisted,
    tasks_of,
)
from sk_embed._engine.partitions import summarize
from sk_embed._engine.sources import Partitioned
from sk_embed._engine.tasks import map_in_pool
from sk_embed._errors import restore_on_error
from sk_embed._fitting import FitResult, learn_from_source
from sk_embed._parts import (
    FoldsOfParts,
    LearnedParts,
    Part,
    TableLayout,
    as_block,
    digest_of,
    layout_of,
    learn_from_parts,
    read_part,
    table_rows_of,
)
from sk_embed._selection import N_ROUNDS
from sk_embed._settings import checked_dtype
from sk_embed._sklearn_compat import fit_context
from sk_embed._training_data import require_room

# Threads for solutions and groups of tables that do not wait for each other, beside the
# caller's.
_N_HELPERS = 7


class EmbeddingEncoder(
    _encoder.EmbeddingEncoder,
    auto_wrap_output_keys=None,  # type: ignore[call-arg]
):
    """Encode categories of a Dask DataFrame as vectors that are learned from the target.

    The encoder of :mod:`sk_embed`, with its parameters and attributes, for tables that
    are spread over partitions. No two partitions come together: what is asked of them are
    sums, and a sample of about 60,000 rows of all. Categories, their counts, quartiles
    of numbers and, to the solver's tolerance, the main effects are those of all rows. The
    network and the vectors are learned by rounds, in each of which all partitions go on
    from the same state, by a sixteenth of their rows, and are then combined.

    Tables and network themselves are in the memory of one machine: where this encoder is,
    of the scheduler, which hands them on, and of a worker while it learns a partition.

    ``fit`` computes, by the scheduler that Dask uses at the time; ``transform``, and what
    ``fit_transform`` returns, are lazy.

    See Also
    --------
    sk_embed.EmbeddingEncoder : The same for tables in memory, where all is explained.

    Notes
    -----
    The parameters are those of :class:`sk_embed.EmbeddingEncoder`, of which five mean
    something else here: ``batch_size`` is of one partition, and under "auto" it,
    ``max_iter`` and ``n_iter_no_change`` follow from the rows of an average partition;
    ``cv`` is a number of folds, over which each partition's rows are spread; ``n_jobs``
    does not count, for it is Dask that knows its workers.

    The same partitions give the same bits on processors of one kind, whichever scheduler
    and how many workers compute them, and if workers are lost on the way: all tasks are
    pure functions, added up in a fixed order. Other partitions of the same rows give other
    vectors, about as other row orders do. A table whose rows Dask brings in another order
    each time, as some of its shuffles do, must be persisted before; rows that cannot be
    told their folds again are an error where the output of ``fit_transform`` is computed.

    Each round costs some 40 ms of scheduling, and a fit takes several hundred rounds: a
    table that fits into memory is learned sooner there. Partitions should hold 50,000 rows
    or more, for the network learns least from many small ones.

    Examples
    --------
    >>> import dask.dataframe as dd, numpy as np, pandas as pd
    >>> from sk_embed.dask import EmbeddingEncoder
    >>> frame = pd.DataFrame({"fruit": ["apple", "pear", "plum"] * 100})
    >>> frame["price"] = frame["fruit"].map({"apple": 1.1, "pear": 2.1, "plum": 5.1})
    >>> table = dd.from_pandas(frame, npartitions=2)
    >>> encoder = EmbeddingEncoder(n_components=0, random_state=0)
    >>> encoded = encoder.fit_transform(table[["fruit"]], table["price"])
    >>> encoded.compute().shape
    (300, 1)
    >>> encoder.to_memory().transform(pd.DataFrame({"fruit": ["plum", "durian"]})).round(1)
    array([[1.4],
           [0. ]], dtype=float32)
    """

    @fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> EmbeddingEncoder:
        """Learn the vectors.

        Parameters
        ----------
        X : dask DataFrame of shape (n_samples, n_features)
            Rows to learn from, in any number of partitions.
        y : dask Series, DataFrame or Array of shape (n_samples,) or (n_samples, n_outputs)
            Numbers or labels, in partitions of the same rows.
        sample_weight : dask Series or Array of shape (n_samples,), default=None
            Weight of each row, in partitions of the same rows; None gives each 1.

        Returns
        -------
        self : EmbeddingEncoder
            The fitted encoder.

        Raises
        ------
        ValueError
            If X, y or a parameter cannot be used; the encoder is then as before.
        TypeError
            If X or y is not of Dask, or a cell holds a list or a dict; likewise.
        """
        self._fit_partitions(X, y, sample_weight, with_folds=False)
        return self

    @fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit_transform(
        self, X: Any, y: Any, sample_weight: Any = None, **params: Any
    ) -> Any:
        """Learn the vectors, and encode these very rows without leaking their targets.

        Parameters
        ----------
        X : dask DataFrame of shape (n_samples, n_features)
            Rows to learn from and to encode, in any number of partitions.
        y : dask Series, DataFrame or Array of shape (n_samples,) or (n_samples, n_outputs)
            Numbers or labels, in partitions of the same rows.
        sample_weight : dask Series or Array of shape (n_samples,), default=None
            Weight of each row, in partitions of the same rows; None gives each 1.
        **params : dict
            Metadata for a splitter, which cannot be used here: all must be None.

        Returns
        -------
        X_trans : dask DataFrame of shape (n_samples, n_features_out)
            Lazy: the encoded rows, then the context columns if they are passed through.

        Raises
        ------
        ValueError
            If X, y or a parameter cannot be used; the encoder is then as before.
        TypeError
            If X or y is not of Dask, or a cell holds a list or a dict; likewise.
        """
        used = [name for name, value in params.items() if value is not None]
        if used:
            raise ValueError(
                f"{used[0]!r} cannot be used with Dask: folds are drawn within "
                "partitions; leave it out."
            )
        fitted = self._fit_partitions(X, y, sample_weight, with_folds=self.cross_fit)
        if not self.cross_fit or (fitted.folds.n_folds == 0 and not self.counts):
            return self.transform(X)
        meta = self._empty_output(X)
        shared = delayed(self._training_encoder(fitted, meta), traverse=False)
        encoded = [
            delayed(_encode_training_rows)(number, given, shared)
            for number, given in enumerate(fitted.partitions)
        ]
        return dd.from_delayed(encoded, meta=meta, divisions=fitted.divisions)

    def transform(self, X: Any) -> Any:
        """Look the vectors of new rows up.

        Parameters
        ----------
        X : dask DataFrame, or array-like, of shape (n_samples, n_features)
            Data frame with the columns of ``fit``.

        Returns
        -------
        X_trans : dask DataFrame, or ndarray, of shape (n_samples, n_features_out)
            Of a Dask DataFrame another, lazy.

        Raises
        ------
        ValueError
            If X has other columns than in ``fit``; and, when it is computed, if there is
            an unknown category under ``handle_unknown="error"``.
        """
        check_is_fitted(self)
        if not isinstance(X, dd.DataFrame):
            return super().transform(X)
        names = for_names(X._meta)
        validate_data(self, X=names, reset=False, skip_check_array=True)
        meta = self._empty_output(X)
        # In one task, not in that of each partition.
        shared = delayed(_RowEncoder(self._frame_encoder(), meta), traverse=False)
        parts, divisions = tasks_of(X)
        encoded = [delayed(_encode_rows)(part, shared) for part in parts]
        return dd.from_delayed(encoded, meta=meta, divisions=divisions)

    def to_memory(self) -> _encoder.EmbeddingEncoder:
        """Return the same fitted encoder for tables in memory, which does not need Dask.

        Returns
        -------
        encoder : sk_embed.EmbeddingEncoder
            Shares the tables with this one.
        """
        check_is_fitted(self)
        encoder = _encoder.EmbeddingEncoder()
        encoder.__setstate__(self.__getstate__())
        return encoder

    def save(self, path: Any) -> None:
        """Write the fitted encoder to a file; see :meth:`sk_embed.EmbeddingEncoder.save`.

        Parameters
        ----------
        path : str or path-like
            Name of the file, which mostly ends in ``.zip``.
        """
        self.to_memory().save(path)

    # ------------------------------------------------------------ learning

    def _fit_partitions(
        self, X: Any, y: Any, sample_weight: Any, with_folds: bool
    ) -> _Fitted:
        """Learn, and return what the rows of ``fit`` are encoded by."""
        with (
            restore_on_error(self),
            large_questions(),
            self._fit_task(X, y, sample_weight) as end_subtask,
        ):
            self._require_usable(y)
            n_folds = self._n_folds() if with_folds or self.crosses is not None else 0
            partitions, divisions = joined(X, y, sample_weight)
            layout = self._layout(X)
            seed, fold_seed = self._draw_seeds()
            shared = delayed(_Shared(layout), traverse=False)
            parts = persisted(
                delayed(_read_part)(number, given, shared)
                for number, given in enumerate(partitions)
            )
            learned = learn_from_parts(Partitions(parts), layout)
            options = self._fit_options(seed, end_subtask)
            settings = options.settings(learned)
            require_room(np.array([learned.total_weight]), settings.dtype)
            folds = FoldsOfParts(n_folds, fold_seed)
            blocks = _blocks(parts, learned, folds, settings.dtype, seed)
            del parts
            summary = summarize(blocks)
            counts = summary.effective_counts(blocks.n_codes)
            may_cross = settings.crosses.may_cross
            if with_folds and (may_cross or needs_folds(counts, self.cross_fit_below)):
                settings = replace(settings, n_fold_tables=n_folds)
            folds = folds._replace(n_folds=settings.n_fold_tables)
            source = Partitioned(blocks, summary, N_ROUNDS)
            with ThreadPoolExecutor(_N_HELPERS) as pool:
                map_tasks = partial(map_in_pool, pool)
                fit = learn_from_source(source, learned, settings, options, map_tasks)
            self._keep(fit.encoding)
        return _Fitted(partitions, divisions, layout, learned, folds, fit, counts)

    def _n_folds(self) -> int:
        if self.cv is not None and not isinstance(self.cv, Integral):
            raise ValueError(
                f"cv={self.cv!r} cannot be used with Dask, for a splitter needs all rows "
                "in one place; pass a number of folds."
            )
        return number_of_folds(self.cv)

    def _layout(self, X: Any) -> TableLayout:
        """Tell which columns are categorical, and remember their names."""
        validate_data(self, X=for_names(X._meta), skip_check_array=True)
        names = getattr(self, "feature_names_in_", None)
        columns = [column for _, column in X._meta.items()]
        # Columns are chosen here, so that no callable is sent to the workers.
        parameters = self._parameters_of(X._meta, len(columns), choose_columns=True)
        return layout_of(columns, names, parameters)

    # ------------------------------------------------------------ encoding

    def _empty_output(self, X: Any) -> pd.DataFrame:
        """Return the frame that the output is like, without rows."""
        names = self.get_feature_names_out()
        n_vectors = self._fitted.width
        empty = X._meta.iloc[:, :0].copy()
        encoded = np.empty((0, n_vectors), self.dtype)
        vectors = pd.DataFrame(encoded, empty.index, names[:n_vectors])
        if self.remainder == "drop":
            return vectors
        context = X._meta.loc[:, ~self._fitted.columns.is_categorical]
        return pd.concat([vectors, context.set_axis(names[n_vectors:], axis=1)], axis=1)

    def _training_encoder(self, fitted: _Fitted, empty: pd.DataFrame) -> _TrainingEncoder:
        """Return what encodes the rows of ``fit``."""
        return _TrainingEncoder(
            self._frame_encoder(),
            empty,
            fitted.layout,
            fitted.learned,
            fitted.folds,
            *self._compact_fold_vectors(fitted),
        )

    def _compact_fold_vectors(
        self, fitted: _Fitted
    ) -> tuple[list[FoldVectors], list[FoldVectors]]:
        """Return what rows of ``fit`` get in place of the full vectors, if anything."""
        if fitted.folds.n_folds == 0:
            return [], []
        dtype = checked_dtype(self.dtype)
        columns, crosses = fitted.fit.fold_vectors(fitted.counts, self.cross_fit_below)
        return [v.compact(dtype) for v in columns], [v.compact(dtype) for v in crosses]

    def _frame_encoder(self) -> _encoder.EmbeddingEncoder:
        """Return an encoder that gives data frames of pandas."""
        encoder: _encoder.EmbeddingEncoder = self.to_memory().set_output(transform="pandas")
        return encoder


# ---------------------------------------------------------------- what tasks are given


@dataclass(frozen=True)
class _ForBlocks:
    """What a part becomes a block by."""

    learned: LearnedParts
    folds: FoldsOfParts
    dtype: np.dtype[Any]
    seed: int


@dataclass(frozen=True)
class _Shared:
    """What a partition is read by."""

    layout: TableLayout


def _read_part(number: int, given: tuple[Any, Any, Any], shared: _Shared) -> Part:
    return read_part(number, *given, shared.layout)


def _as_block(part: Any, shared: _ForBlocks) -> Any:
    return as_block(part, shared.learned, shared.folds, shared.dtype, shared.seed)


def _blocks(
    parts: list[Delayed],
    learned: LearnedParts,
    folds: FoldsOfParts,
    dtype: np.dtype[Any],
    seed: int,
) -> PartitionBlocks:
    """Turn the parts that have rows into blocks, where they are."""
    shared = delayed(_ForBlocks(learned, folds, dtype, seed), traverse=False)
    blocks = persisted(
        delayed(_as_block)(parts[number], shared) for number in learned.numbers
    )
    return PartitionBlocks(blocks, learned.columns.n_codes)


class _Fitted(NamedTuple):
    """What the rows of ``fit`` are encoded by."""

    partitions: list[Delayed]
    divisions: Any
    layout: TableLayout
    learned: LearnedParts
    folds: FoldsOfParts
    fit: FitResult
    counts: list[FloatArray]


@dataclass(frozen=True)
class _RowEncoder:
    """An encoder, and the frame that its output is like."""

    encoder: _encoder.EmbeddingEncoder
    empty: pd.DataFrame


def _encode_rows(frame: pd.DataFrame, shared: _RowEncoder) -> pd.DataFrame:
    if not len(frame):
        return shared.empty
    encoded: pd.DataFrame = shared.encoder.transform(frame)
    return encoded.astype(shared.empty.dtypes)


@dataclass(frozen=True)
class _TrainingEncoder:
    """An encoder, with the vectors that rows of ``fit`` get in place of its own."""

    encoder: _encoder.EmbeddingEncoder
    empty: pd.DataFrame
    layout: TableLayout
    learned: LearnedParts
    folds: FoldsOfParts
    columns: list[FoldVectors]
    crosses: list[FoldVectors]


def _encode_training_rows(
    number: int, given: tuple[Any, Any, Any], shared: _TrainingEncoder
) -> pd.DataFrame:
    encoder, learned, (frame, *_) = shared.encoder, shared.learned, given
    if not len(frame):
        return shared.empty
    columns = as_columns(frame)
    part = read_part(number, *given, shared.layout)
    if digest_of(part) != learned.digests[number]:
        raise ValueError(
            f"Partition {number} has other rows than in fit, or in another order, and so "
            "they cannot be told their folds; give fit_transform a persisted table."
        )
    fold_of_row = shared.folds.of_rows(part, learned.target.type in LABEL_TYPES)
    if fold_of_row is None:
        fold_of_row = np.zeros(len(part.weight), np.int8)
    table_rows = table_rows_of(part, learned.columns)
    vectors = shared.columns, shared.crosses
    cross_fitted = CrossFitted(*vectors, table_rows, fold_of_row, part.row_numbers)
    codes = encoder._fitted.columns.codes(columns, encoder.handle_unknown)
    encoded = encoder._encode(codes, columns, cross_fitted)
    output: pd.DataFrame = encoder._output(encoded, columns, frame)
    return output.astype(shared.empty.dtypes)
