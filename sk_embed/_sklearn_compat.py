"""All that is used of scikit-learn's private names, and of the packages behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from inspect import signature
from threading import Lock
from typing import Any

# scikit-learn itself requires joblib and threadpoolctl, so that they are there wherever we
# are.
from joblib import effective_n_jobs
from joblib.parallel import get_active_backend
from sklearn.base import _fit_context as fit_context
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    RealNotInt,
    StrOptions,
)
from sklearn.utils._set_output import _get_container_adapter
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import _check_feature_names_in as check_feature_names_in
from sklearn.utils.validation import _check_sample_weight
from threadpoolctl import ThreadpoolController

try:
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback._callback_support import callback_management_context
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for scikit-learn's: there are no callbacks."""

    callback_management_context = None

__all__ = [
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "MetadataRouter",
    "MethodMapping",
    "RealNotInt",
    "StrOptions",
    "check_feature_names_in",
    "check_sample_weight",
    "fit_context",
    "fit_task",
    "frame_adapter",
    "n_threads",
    "output_container",
    "routed_to_splitter",
    "single_blas_thread",
    "validate_parameters",
]


# scikit-learn 1.9 refuses weights that are all zero, unless this argument allows them.
_IF_ZERO = {
    name: True
    for name in signature(_check_sample_weight).parameters
    if name == "allow_all_zero_weights"
}
# Rows from which on several threads are the default. With ten columns, two threads take the
# same time as one for 12,000 and 30,000 rows, .65 for 60,000, and .75 for 200,000.
_ROWS_FOR_THREADS = 50_000


def check_sample_weight(sample_weight: Any, X: Any, may_be_zero: bool = False) -> Any:
    """Return the weights as float64 of shape (n_rows,), or raise ValueError.

    ``may_be_zero`` says whether all of them may be.
    """
    try:
        weight = _check_sample_weight(sample_weight, X, dtype="float64", **_IF_ZERO)
    except TypeError as error:
        raise ValueError(f"sample_weight must be numbers ({error}).") from error
    except ValueError as error:
        if "sample_weight" in str(error) or "weights" in str(error):
            raise
        raise ValueError(f"sample_weight must be numbers ({error}).") from error
    if (weight < 0).any():
        row = int((weight < 0).argmax())
        raise ValueError(f"sample_weight is negative in row {row} ({weight[row]}).")
    if not may_be_zero and not (weight > 0).any():
        raise ValueError("sample_weight is zero in all rows: there is nothing to fit.")
    return weight


@contextmanager
def fit_task(
    estimator: Any, max_subtasks: int, **data: Any
) -> Iterator[Callable[[str], bool]]:
    """Report a fit and its subtasks to the estimator's callbacks.

    Parameters
    ----------
    estimator : CallbackSupportMixin
        Fitted where the block ends.
    max_subtasks : int
        Largest number of subtasks that may be reported.
    **data : dict
        X, y and metadata, for the callbacks.

    Yields
    ------
    end_subtask : callable
        Function of a subtask's name, to be called at the end of the subtask; returns
        whether a callback asks to stop. The callbacks hear of its begin then, too: whether
        there is another epoch is known at the end of one.
    """
    if callback_management_context is None:
        yield lambda name: False
        return
    with callback_management_context(estimator):
        task = estimator._init_callback_context(max_subtasks=max_subtasks)
        task.call_on_fit_task_begin(estimator=estimator, **data)

        def end_subtask(name: str) -> bool:
            subtask = task.subcontext(task_name=name)
            subtask.call_on_fit_task_begin(estimator=estimator, **data)
            return bool(subtask.call_on_fit_task_end(estimator=estimator, **data))

        yield end_subtask
        # Nothing to be reconstructed: the estimator itself is fitted.
        task.call_on_fit_task_end(estimator=estimator, reconstruction_attributes={}, **data)


def routed_to_splitter(estimator: Any, **params: Any) -> dict[str, Any]:
    """Return what ``fit_transform`` hands to ``cv``, or raise TypeError if it takes none.

    A splitter that does not split by groups takes no ``groups``.
    """
    if isinstance(estimator.cv, type):
        name = estimator.cv.__name__
        raise TypeError(f"cv is the class {name}; pass an object of it, as cv={name}().")
    try:
        routed: dict[str, Any] = process_routing(
            estimator, "fit_transform", **params
        ).splitter.split
    except TypeError as error:
        if "groups" not in params:
            raise
        raise TypeError(
            f"fit_transform got groups, but cv={estimator.cv!r:.80} does not split by "
            "groups; pass a splitter that does, as cv=GroupKFold(5)."
        ) from error
    return routed


def frame_adapter(estimator: Any) -> Any:
    """Return the adapter that makes the frames of ``set_output``; None if it is arrays."""
    return _get_container_adapter("transform", estimator)


def output_container(estimator: Any) -> str | None:
    """Return the argument of ``set_output``, or None if it was not called."""
    name: str | None = getattr(estimator, "_sklearn_output_config", {}).get("transform")
    return name


def validate_parameters(estimator: Any) -> None:
    """Raise ValueError if a parameter is out of the range that is declared."""
    estimator._validate_params()


def n_threads(n_jobs: int | None, n_rows: int) -> int:
    """Return the number of threads that a parameter ``n_jobs`` asks for.

    None asks for what joblib's context says. Where it says nothing, and no worker of joblib
    is around, many rows get the threads of scikit-learn's OpenMP loops: as many as there
    are cores, unless ``OMP_NUM_THREADS`` or a limit by threadpoolctl allow fewer. Few rows
    get one: numpy's calls are short then, and threads wait for the interpreter's lock.
    """
    if n_jobs == 0:
        raise ValueError(
            "n_jobs must not be 0; use 1 for one thread, or None for the default."
        )
    if n_jobs is None:
        backend, asked = get_active_backend()
        if asked is None and not backend.nesting_level:
            is_large = n_rows >= _ROWS_FOR_THREADS
            return int(_openmp_effective_n_threads()) if is_large else 1
    return int(effective_n_jobs(n_jobs))


class _SharedLimit:
    """A limit of BLAS that holds from the first of several threads to the last."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._n_inside = 0
        self._limits: Any = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._n_inside == 0:
                self._limits = _threadpools().limit(limits=1, user_api="blas")
            self._n_inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_inside -= 1
                if self._n_inside == 0:
                    self._limits.restore_original_limits()


_single_blas_thread = _SharedLimit()


def single_blas_thread() -> AbstractContextManager[None]:
    """Return a context in which BLAS does not start threads.

    Matrices of a batch are too small to gain from them, and so neither the number of
    cores nor ``n_jobs`` changes a single bit of the result. The limit is the process's: of
    fits that overlap in several threads the first sets it, and the last lifts it.
    """
    return _single_blas_thread()


@cache
def _threadpools() -> ThreadpoolController:
    """Find the libraries once: to look for them takes longer than to learn a few rows."""
    return ThreadpoolController()
