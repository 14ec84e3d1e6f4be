"""What the public methods of the estimator share: parameters, state, reading, encoding."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._columns.choice import categories_by_place, chosen_columns, require_places
from sk_embed._columns.frame import as_columns, for_names
from sk_embed._columns.output import append_to_array, append_to_frame
from sk_embed._columns.target import LABEL_TYPES, TARGET_TYPES
from sk_embed._cross_fitting import CrossFitted, Folds, draw_folds
from sk_embed._fitted import EncodingOrStream, FittedEncoding
from sk_embed._fitting import FitOptions, learn_from_rows
from sk_embed._selection import largest_max_iter
from sk_embed._settings import checked_dtype
from sk_embed._sklearn_compat import (
    CallbackSupportMixin,
    HasMethods,
    Interval,
    InvalidParameterError,
    RealNotInt,
    StrOptions,
    check_feature_names_in,
    fit_task,
    frame_adapter,
)
from sk_embed._training_data import TrainingData, read_given, read_training_data


class EncoderBase(
    CallbackSupportMixin,  # type: ignore[misc]
    TransformerMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """Holds the fitted state, and turns tables into arrays and back, for an encoder."""

    # Parameters of the estimator.
    categorical_features: Any
    dtype: Any
    handle_unknown: str
    main_effects: bool
    max_iter: Any
    n_components: Any
    random_state: Any
    remainder: str
    verbose: Any

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_components": [
            StrOptions({"auto"}),
            Interval(Integral, 0, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="neither"),
        ],
        "categorical_features": [
            StrOptions({"all", "from_dtype"}),
            "array-like",
            callable,
            HasMethods("expand"),
        ],
        "main_effects": ["boolean"],
        "remainder": [StrOptions({"drop", "passthrough"})],
        "categories": [StrOptions({"auto"}), list, dict],
        "handle_unknown": [StrOptions({"prior", "error"})],
        "min_frequency": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="neither"),
            None,
        ],
        "max_categories": [Interval(Integral, 1, None, closed="left"), None],
        "target_type": [StrOptions({"auto", *TARGET_TYPES})],
        "hidden_layer_sizes": [StrOptions({"auto"}), tuple, list],
        "learning_rate_init": [Interval(Real, 0, 1, closed="right")],
        "alpha": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_iter_no_change": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
        ],
        "crosses": [StrOptions({"auto"}), list, None],
        "names": [StrOptions({"auto"}), "boolean", list],
        "counts": ["boolean"],
        "cross_fit": ["boolean"],
        "cross_fit_below": [
            StrOptions({"auto"}),
            Interval(Integral, 0, None, closed="left"),
        ],
        "cv": ["cv_object"],
        "init_scale": [Interval(Real, 0, 10, closed="both")],
        "half_life": [Interval(Real, 0, None, closed="neither"), None],
        "warm_start": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "dtype": "no_validation",
    }

    # The fitted state, or the stream that it is made of when it is first asked for.
    _learned: EncodingOrStream | None = None

    def __sklearn_tags__(self) -> Any:
        """Return what scikit-learn should know: categories in, a target needed."""
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether there is a fitted state."""
        return self._learned is not None

    def _validate_params(self) -> None:
        """Check the parameters as declared, with a hint for a column's name in no list."""
        chosen = self.categorical_features
        if isinstance(chosen, str) and chosen not in ("all", "from_dtype"):
            raise InvalidParameterError(
                f"The 'categorical_features' parameter of {type(self).__name__} must be "
                f"'all', 'from_dtype' or a list of columns. Got {chosen!r} instead; name a "
                f"single column by categorical_features=[{chosen!r}]."
            )
        super()._validate_params()

    # ------------------------------------------------------------ from X to arrays

    def _read(self, X: Any, y: Any, sample_weight: Any) -> TrainingData:
        """Turn X, y and weights into arrays; learn vocabularies and scales."""
        self._require_usable(y)
        columns, target, weight = read_given(self, X, y, sample_weight)
        names = getattr(self, "feature_names_in_", None)
        parameters = self._parameters_of(X, len(columns), choose_columns=True)
        return read_training_data(columns, names, target, weight, parameters)

    def _parameters_of(
        self, X: Any, n_columns: int, choose_columns: bool
    ) -> dict[str, Any]:
        """Return the parameters, those that name columns as they are meant of X."""
        parameters: dict[str, Any] = self.get_params(deep=False)
        names = getattr(self, "feature_names_in_", None)
        listed = categories_by_place(parameters["categories"], X, names, n_columns)
        parameters["categories"] = listed
        if choose_columns:
            require_places(parameters["names"], parameters["crosses"], X)
            chosen = chosen_columns(parameters["categorical_features"], X)
            parameters["categorical_features"] = chosen
        return parameters

    def _require_usable(self, y: Any) -> None:
        """Raise ValueError if there is no target, or the parameters leave no output."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        if not self.main_effects and self.n_components == 0:
            raise ValueError(
                "n_components=0 and main_effects=False leave no output column; change one."
            )

    def _read_new(self, X: Any) -> list[pd.Series]:
        """Turn rows with the columns of fit into columns."""
        columns = as_columns(X)
        validate_data(self, X=for_names(X), reset=False, skip_check_array=True)
        return columns

    # ------------------------------------------------------------ learning

    def _draw_seeds(self) -> tuple[int, int]:
        """Draw the seeds of learning and of the folds, always both."""
        random_state = check_random_state(self.random_state)
        learning, folds = random_state.randint(np.iinfo(np.int32).max, size=2)
        return int(learning), int(folds)

    def _fit_task(self, X: Any, y: Any, sample_weight: Any) -> Any:
        """Return a context that reports epochs and tables of a fit to callbacks."""
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        n_subtasks = 1 + largest_max_iter(self.max_iter)
        return fit_task(self, n_subtasks, X=X, y=y, metadata=metadata)

    def _fit_options(self, seed: int, end_subtask: Callable[[str], bool]) -> FitOptions:
        """Return how a model is learned, whatever holds its rows."""
        return FitOptions(
            parameters=self.get_params(deep=False),
            feature_names=getattr(self, "feature_names_in_", None),
            before=self._learned,
            seed=seed,
            prefix=f"[{type(self).__name__}]" if self.verbose else None,
            end_subtask=end_subtask,
        )

    def _fit(
        self,
        training: TrainingData,
        draw_folds: Callable[[TrainingData, int], Folds],
        is_cross_fitted: bool,
        end_subtask: Callable[[str], bool],
    ) -> CrossFitted | None:
        """Learn, set the fitted state, and return what training rows are encoded by.

        ``draw_folds`` is given the training rows and a seed, if folds are needed.
        """
        learning_seed, fold_seed = self._draw_seeds()
        fit, cross_fitted = learn_from_rows(
            training,
            partial(draw_folds, training, fold_seed),
            is_cross_fitted,
            self._fit_options(learning_seed, end_subtask),
        )
        self._keep(fit.encoding)
        return cross_fitted

    def _keep(self, learned: EncodingOrStream) -> None:
        """Set the fitted state: all that learn do so here."""
        self._learned = learned

    @property
    def _latest(self) -> EncodingOrStream:
        """What was learned, of a stream without making its tables."""
        check_is_fitted(self)
        assert self._learned is not None  # noqa: S101 - it is fitted
        return self._learned

    @property
    def _fitted(self) -> FittedEncoding:
        """The fitted state; after a chunk it is made where it is first asked for."""
        return self._latest.encoding()

    def _draw_folds(
        self, cv: Any, X: Any, training: TrainingData, seed: int, **routed: Any
    ) -> Folds:
        """Draw folds over the rows that are learned from."""
        is_label = training.target.type in LABEL_TYPES
        assert training.given is not None  # noqa: S101 - the rows are in memory
        folds = draw_folds(cv, X, training.given.values, is_label, seed, **routed)
        return folds.restricted_to(training.row_numbers)

    # ------------------------------------------------------------ encoding

    def _codes(self, columns: list[pd.Series]) -> list[IntArray]:
        """Return the codes of new rows' categories, of each categorical column."""
        return self._fitted.columns.codes(columns, self.handle_unknown)

    def _encode(
        self,
        codes: list[IntArray],
        columns: list[pd.Series],
        cross_fitted: CrossFitted | None = None,
    ) -> FloatArray:
        """Look the vectors of categories up, given their codes and the columns of X."""
        dtype = checked_dtype(self.dtype)
        return self._fitted.encode_codes(codes, columns, dtype, cross_fitted)

    def _output(self, encoded: FloatArray, columns: list[pd.Series], X: Any) -> Any:
        """Append the context, if it is passed through, in the container asked for."""
        is_passed, learned = self.remainder == "passthrough", self._fitted.columns
        context = learned.passed_through(columns) if is_passed else []
        adapter = frame_adapter(self)
        if adapter is None:
            return append_to_array(encoded, context)
        names = self.get_feature_names_out()
        return append_to_frame(adapter, encoded, context, X, ~learned.is_categorical, names)

    # ------------------------------------------------------------ names

    def _outputs(self, input_features: Any = None) -> list[tuple[Any, str]]:
        """Return what each output column belongs to, and its name, which may repeat."""
        inputs = check_feature_names_in(self, input_features)
        return self._fitted.outputs(inputs, self.remainder == "passthrough")

    def _output_names(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the output columns, which may repeat."""
        return np.array([name for _, name in self._outputs(input_features)], dtype=object)

    def _category_vector(self, feature: Any, category: Any) -> tuple[FloatArray, int]:
        """Return the vector of a category, and its row in the table of a column or -1."""
        inputs = check_feature_names_in(self, None)
        return self._fitted.category_vector(feature, category, inputs)

    def _column_number(self, feature: Any) -> int:
        """Return the place of a categorical column among the categorical ones."""
        return self._fitted.column_number(feature, check_feature_names_in(self, None))
