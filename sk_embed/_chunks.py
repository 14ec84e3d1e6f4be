"""Learning from chunks of a table that is larger than memory, as from the whole table."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from sk_embed._arrays import IntArray
from sk_embed._columns.frame import as_columns
from sk_embed._columns.merging import as_matrix
from sk_embed._columns.target import LABEL_TYPES
from sk_embed._cross_fitting import CrossFitted, Folds, draw_folds, number_of_folds
from sk_embed._errors import error_context, restore_on_error
from sk_embed._parts import TableLayout, layout_of, make_part
from sk_embed._sklearn_compat import fit_context
from sk_embed._spool import Spool
from sk_embed._training_data import TrainingData, read_given


class FitChunksMixin:
    """Gives an estimator ``fit_chunks`` and ``fit_transform_chunks``."""

    @fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit_chunks(self, chunks: Iterable[Any], *, spool_dir: Any = None) -> Any:
        """Learn from chunks of a table, as Parquet files larger than memory.

        Learns as :meth:`fit` does from all rows together, to the same bits where weights
        are whole numbers. Each chunk is read once, and its rows are kept in a temporary
        folder, encoded: a row takes about 30 bytes and another 12 for each column, and
        where columns are crossed 4 more for each column and cross. In memory are one
        chunk, the tables, and about 50 bytes for each row.

        Beyond a gibibyte of encoded rows, orders of rows are drawn in stretches of the
        table, so that the disk is read in long pieces; vectors then differ from those of
        :meth:`fit` about as under another ``random_state``.

        Parameters
        ----------
        chunks : iterable of tuples (X, y) or (X, y, sample_weight)
            Tables with the same columns in each, in any form that :meth:`fit` takes. An
            iterator will do. Chunks without rows are passed over. Which columns are
            categorical is told by the first.
        spool_dir : str or path-like, default=None
            Folder that the temporary folder is made in; None takes the system's, which
            some systems keep in memory.

        Returns
        -------
        self : EmbeddingEncoder
            The fitted encoder.

        Raises
        ------
        ValueError
            If a chunk or a parameter cannot be used, or there is no row of positive
            weight. The encoder is then as before.
        TypeError
            If a chunk is no such tuple, or its X is sparse or lazy; likewise.
        FileNotFoundError
            If ``spool_dir`` is no folder.

        See Also
        --------
        fit_transform_chunks : Encodes the rows of the chunks as well.
        partial_fit : Learns from rows as they arrive, and keeps none of them.

        Examples
        --------
        >>> import numpy as np
        >>> from sk_embed import EmbeddingEncoder
        >>> def days():
        ...     for day in range(3):  # here a file would be read
        ...         rng = np.random.default_rng(day)
        ...         X = rng.choice(["pear", "plum"], size=(100, 1))
        ...         yield X, (X[:, 0] == "plum") + rng.normal(size=100)
        >>> encoder = EmbeddingEncoder(n_components=0, random_state=0).fit_chunks(days())
        >>> encoder.to_frame(0)["count"].tolist()
        [143, 157]
        """
        encoder: Any = self
        with (
            restore_on_error(self),
            closing(Spool(spool_dir)) as spool,
            encoder._fit_task(None, None, None) as end_subtask,
        ):
            layout = _spool_chunks(self, chunks, spool, keeps_chunks=False)
            training = spool.training_data(layout)
            draw_folds = partial(_draw_folds, number_of_folds(encoder.cv), spool)
            encoder._fit(training, draw_folds, False, end_subtask)
        return self

    @fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit_transform_chunks(
        self, chunks: Iterable[Any], *, spool_dir: Any = None
    ) -> Iterator[Any]:
        """Learn from chunks of a table, and encode their rows without leaking targets.

        Learns at once, as :meth:`fit_chunks` does. The rows are encoded one chunk at a time
        as the result is iterated over, so that they can be written to files; put together
        they are what :meth:`fit_transform` returns for all rows together.

        The chunks themselves are kept in the temporary folder as well, which is removed
        when all rows are encoded, or the iterator is closed or forgotten.

        Parameters
        ----------
        chunks : iterable of tuples (X, y) or (X, y, sample_weight)
            Tables with the same columns in each, as of :meth:`fit_chunks`.
        spool_dir : str or path-like, default=None
            Folder that the temporary folder is made in; None takes the system's, which
            some systems keep in memory.

        Returns
        -------
        encoded : iterator of ndarray or data frame
            Encoded rows of each chunk that has rows, with the context columns if they are
            passed through.

        Raises
        ------
        ValueError
            If a chunk or a parameter cannot be used, as a splitter in ``cv``, which needs
            all rows in one place. The encoder is then as before.
        TypeError
            If a chunk is no such tuple, or its X is sparse or lazy; likewise.
        FileNotFoundError
            If ``spool_dir`` is no folder.

        See Also
        --------
        fit_chunks : Learns alone.

        Examples
        --------
        >>> import numpy as np
        >>> from sk_embed import EmbeddingEncoder
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.choice(["pear", "plum"], size=(300, 1)), rng.normal(size=300)
        >>> chunks = [(X[:200], y[:200]), (X[200:], y[200:])]
        >>> encoder = EmbeddingEncoder(n_components=0, random_state=0)
        >>> [encoded.shape for encoded in encoder.fit_transform_chunks(chunks)]
        [(200, 1), (100, 1)]
        """
        encoder: Any = self
        if encoder.cross_fit and hasattr(encoder.cv, "split"):
            raise ValueError(
                f"cv={encoder.cv!r} cannot be used with chunks, for a splitter needs all "
                "rows in one place; pass a number of folds."
            )
        with restore_on_error(self), ExitStack() as on_error:
            spool = on_error.enter_context(closing(Spool(spool_dir)))
            with encoder._fit_task(None, None, None) as end_subtask:
                layout = _spool_chunks(self, chunks, spool, keeps_chunks=True)
                training = spool.training_data(layout)
                draw_folds = partial(_draw_folds, encoder.cv, spool)
                cross_fitted = encoder._fit(
                    training, draw_folds, encoder.cross_fit, end_subtask
                )
            # A copy encodes these rows alike whatever is learned or set later.
            encoded = _encode_chunks(copy.copy(self), spool, cross_fitted)
            on_error.pop_all()
        return encoded


def _spool_chunks(
    encoder: Any, chunks: Any, spool: Spool, keeps_chunks: bool
) -> TableLayout | None:
    """Read each chunk once, and return the layout of the columns, which the first fixes.

    ``keeps_chunks`` is true if X is needed again.
    """
    if not isinstance(chunks, Iterable):
        raise TypeError(
            f"chunks must be a list or another iterable of (X, y), but is {chunks!r:.80}."
        )
    layout = None
    for number, chunk in enumerate(chunks):
        X, y, sample_weight = _parts_of_chunk(chunk, number)
        if _has_no_rows(y, X):
            continue
        with error_context(f"Chunk {number}"):
            encoder._require_usable(y)
            columns, target, weight = read_given(
                encoder, X, y, sample_weight, is_first=layout is None, may_be_zero=True
            )
            if layout is None:
                names = getattr(encoder, "feature_names_in_", None)
                parameters = encoder._parameters_of(X, len(columns), choose_columns=True)
                layout = layout_of(columns, names, parameters)
                n_outputs = as_matrix(target.values).shape[1]
            if as_matrix(target.values).shape[1] != n_outputs:
                raise ValueError(
                    f"y has {as_matrix(target.values).shape[1]} column(s), but had "
                    f"{n_outputs} in the first chunk."
                )
            part = make_part(spool.n_chunks, columns, target, weight, layout)
        spool.add(part, len(weight))
        spool.put(f"{part.number}-y", target.values)
        if keeps_chunks:
            spool.put(f"{part.number}-X", X)
    return layout


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


def _has_no_rows(*tables: Any) -> bool:
    """Return whether tables are known to have no rows, as those of Dask are not."""
    is_known = [
        hasattr(table, "__len__") and not hasattr(table, "__dask_graph__")
        for table in tables
    ]
    return all(is_known) and all(len(table) == 0 for table in tables)


def _draw_folds(cv: Any, spool: Spool, training: TrainingData, seed: int) -> Folds:
    """Draw the folds that ``fit_transform`` draws for all rows together."""
    is_label = training.target.type in LABEL_TYPES
    labels = _labels(spool) if is_label else np.zeros(spool.first_rows[-1], np.int8)
    folds = draw_folds(cv, labels, labels, is_label, seed)
    return folds if training.holds_all_rows else folds.restricted_to(training.row_numbers)


def _labels(spool: Spool) -> IntArray:
    """Return the labels of all rows as integers, in the order in which they appear."""
    chunks = [
        pd.factorize(spool.get(f"{number}-y"), use_na_sentinel=False)
        for number in range(spool.n_chunks)
    ]
    labels = np.concatenate([of_chunk for _, of_chunk in chunks])
    numbers, _ = pd.factorize(labels, use_na_sentinel=False)
    firsts = np.cumsum([0, *(len(of_chunk) for _, of_chunk in chunks)])
    return np.concatenate(
        [numbers[first + codes] for first, (codes, _) in zip(firsts, chunks, strict=False)]
    )


def _encode_chunks(
    encoder: Any, spool: Spool, cross_fitted: CrossFitted | None
) -> Iterator[Any]:
    """Yield the encoded rows of each chunk."""
    with closing(spool):
        for number in range(spool.n_chunks):
            X = spool.get(f"{number}-X")
            columns = as_columns(X)
            of_chunk = None
            if cross_fitted is not None:
                of_chunk = cross_fitted.of_stretch(*spool.first_rows[number : number + 2])
            encoded = encoder._encode(encoder._codes(columns), columns, of_chunk)
            yield encoder._output(encoded, columns, X)
