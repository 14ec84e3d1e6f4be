"""What every way to fit shares: seeds, settings, learning, and setting the fitted state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sk_embed._arrays import FloatArray
from sk_embed._columns.target import Target
from sk_embed._cross_fitting import (
    CrossFitted,
    Folds,
    FoldVectors,
    choose_fold_vectors,
    needs_folds,
)
from sk_embed._crosses import read_pairs
from sk_embed._engine.model import ModelSettings, learn_model, n_table_passes
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.sources import InMemory, RowSource
from sk_embed._engine.tasks import TaskMap
from sk_embed._fitted import FittedEncoding
from sk_embed._fitting import Fit, finish
from sk_embed._output_tables import OutputTables
from sk_embed._parts import LearnedParts
from sk_embed._progress import reporter
from sk_embed._selection import largest_max_iter
from sk_embed._settings import LOSSES, model_settings
from sk_embed._sklearn_compat import fit_task, map_in_threads, single_blas_thread
from sk_embed._stream import Stream
from sk_embed._training_data import TrainingData


class LearningMixin:
    """Learns for an estimator, from rows in memory, in a spool or in partitions."""

    # Parameters of the estimator.
    cross_fit_below: Any
    crosses: Any
    max_iter: Any
    n_jobs: Any
    random_state: Any
    verbose: Any
    warm_start: bool
    get_params: Callable[..., dict[str, Any]]

    # The fitted state, or the stream that it is made of when it is first asked for.
    _learned: FittedEncoding | Stream | None = None

    def _draw_seeds(self) -> tuple[int, int]:
        """Draw the seeds of learning and of the folds, always both."""
        random_state = check_random_state(self.random_state)
        learning, folds = random_state.randint(np.iinfo(np.int32).max, size=2)
        return int(learning), int(folds)

    def _fit_task(self, X: Any, y: Any, sample_weight: Any) -> Any:
        """Return a context that tells callbacks of the fit: its epochs, then its tables."""
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        n_subtasks = 1 + largest_max_iter(self.max_iter)
        return fit_task(self, n_subtasks, X=X, y=y, metadata=metadata)

    def _model_settings(self, training: TrainingData) -> ModelSettings:
        """Return the engine's settings, without tables of folds."""
        names = getattr(self, "feature_names_in_", None)
        weight = training.rows.weight
        return model_settings(
            self.get_params(deep=False),
            len(weight),
            float(weight.sum()),
            crosses=read_pairs(self.crosses, training.columns.is_categorical, names),
        )

    def _fit(
        self,
        training: TrainingData,
        draw_folds: Callable[[], Folds],
        is_cross_fitted: bool,
        seed: int,
        end_subtask: Callable[[str], bool],
    ) -> CrossFitted | None:
        """Learn, set the fitted state, and return what training rows are encoded by.

        Parameters
        ----------
        training : TrainingData
            Rows to learn from.
        draw_folds : callable
            Returns folds over these rows; called where they are needed.
        is_cross_fitted : bool
            Whether training rows are to be encoded without leaking their targets.
        seed : int
            Seed of learning.
        end_subtask : callable
            Is told of each epoch, and of the tables.
        """
        settings, folds = self._model_settings(training), None
        counts = training.rows.effective_counts()
        is_cross_fitted &= settings.crosses != () or needs_folds(
            counts, self.cross_fit_below
        )
        if is_cross_fitted or settings.crosses is None:
            folds = draw_folds()
            n_fold_tables = len(folds.is_training) if is_cross_fitted else 0
            settings = replace(settings, n_fold_tables=n_fold_tables)
        source = InMemory(
            training.rows,
            None if folds is None else folds.is_training,
            training.n_in_reach,
        )
        map_tasks = map_in_threads(self.n_jobs)
        fit = self._learn(source, training, settings, seed, end_subtask, map_tasks)
        if folds is None or not is_cross_fitted:
            return None
        vectors = self._fold_vectors(fit, counts)
        places = training.row_numbers
        return CrossFitted(*vectors, training.rows.codes, folds.of_row, places)

    def _learn(
        self,
        source: RowSource,
        table: TrainingData | LearnedParts,
        settings: ModelSettings,
        seed: int,
        end_subtask: Callable[[str], bool],
        map_tasks: TaskMap,
    ) -> Fit:
        """Learn from a source, set the fitted state, and return it with all tables.

        ``table`` holds the columns and the target of the source's rows.
        """
        start = self._warm_start_of(table.target)
        with single_blas_thread():
            model = learn_model(
                source,
                LOSSES[table.target.type](),
                settings,
                np.random.default_rng(seed),
                start=start,
                map_tasks=map_tasks,
                report=self._reporter(settings, end_subtask),
            )
        end_subtask("tables")
        parameters = self.get_params(deep=False)
        fit = finish(table.columns, table.target, model, parameters)
        self._keep(fit.encoding)
        return fit

    def _keep(self, learned: FittedEncoding | Stream) -> None:
        """Set the fitted state: all that learn do so here."""
        self._learned = learned

    @property
    def _latest(self) -> FittedEncoding | Stream:
        """What was learned, of a stream without making its tables."""
        check_is_fitted(self)
        assert self._learned is not None  # noqa: S101 - it is fitted
        return self._learned

    @property
    def _fitted(self) -> FittedEncoding:
        """The fitted state; after a chunk it is made where it is first asked for."""
        return self._latest.encoding()

    def _warm_start_of(self, target: Target) -> Trunk | None:
        """Return the trunk to go on from, or raise if it learned another target."""
        if not self.warm_start or self._learned is None:
            return None
        before = self._learned.target.type
        if before != target.type:
            raise ValueError(
                f"warm_start=True goes on from a {before} target, but this one "
                f"is {target.type}; fit with warm_start=False first."
            )
        return self._learned.trunk

    def _reporter(
        self, settings: ModelSettings, end_subtask: Callable[[str], bool]
    ) -> Callable[[int, float], bool]:
        """Return what is told of each epoch."""
        return reporter(
            f"[{type(self).__name__}]" if self.verbose else None,
            settings.training.max_epochs,
            n_table_passes(settings),
            end_subtask,
        )

    def _fold_vectors(
        self, fit: Fit, counts: list[FloatArray]
    ) -> tuple[list[FoldVectors], list[FoldVectors]]:
        """Return what training rows get in place of full vectors of columns and crosses.

        ``counts`` are the effective numbers of rows of each column's codes.
        """

        def chosen(
            tables: list[OutputTables], counts: list[FloatArray]
        ) -> list[FoldVectors]:
            below = self.cross_fit_below
            return [
                choose_fold_vectors(t.full, t.folds, n_rows, t.noise_ratio, below)
                for t, n_rows in zip(tables, counts, strict=True)
            ]

        return chosen(fit.tables, counts), chosen(fit.crosses, fit.n_cell_rows)
