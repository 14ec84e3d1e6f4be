"""From the estimator's parameters to the engine's settings; what "auto" stands for."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from sk_embed._engine.cells import NO_CROSSES, CrossRule
from sk_embed._engine.losses import (
    HalfBinomialLoss,
    HalfMultinomialLoss,
    HalfSquaredError,
    Loss,
)
from sk_embed._engine.model import ModelSettings
from sk_embed._engine.network.training import TrainingSettings
from sk_embed._engine.online.settings import ChunkSettings, StreamSettings
from sk_embed._selection import (
    auto_batch_size,
    auto_chunk_passes,
    auto_max_iter,
    auto_patience,
    sweeps_for_tables,
    table_width,
)

LOSSES: dict[str, type[Loss]] = {
    "continuous": HalfSquaredError,
    "binary": HalfBinomialLoss,
    "multiclass": HalfMultinomialLoss,
    "continuous-multioutput": HalfSquaredError,
    "multilabel-indicator": HalfBinomialLoss,
}
_HIDDEN_LAYER_SIZES = (64, 32)
_TABLE_LEARNING_RATE = 0.1
# Number of rows whose weight decay is 1. The decay is a prior, which more rows outweigh;
# without it the network memorises rows by their context.
_ROWS_OF_UNIT_DECAY = 3_000
_MAX_WEIGHT_DECAY = 3.0


def model_settings(
    parameters: dict[str, Any],
    n_rows: int,
    total_weight: float,
    n_in_turn: int | None = None,
    *,
    crosses: CrossRule = NO_CROSSES,
    n_fold_tables: int = 0,
) -> ModelSettings:
    """Return the engine's settings.

    Parameters
    ----------
    parameters : dict
        Those of the estimator, by name.
    n_rows : int
        Number of rows to learn from.
    total_weight : float
        Sum of the rows' weights, which is the number of rows that they stand for.
    n_in_turn : int, optional
        Number of rows that are learned one after the other, while others are learned at the
        same time; ``n_rows`` unless given.
    crosses : CrossRule, optional
        Pairs of columns that are learned as columns of their own; none unless given.
    n_fold_tables : int
        Folds without which tables are learned as well.

    Raises
    ------
    ValueError
        If ``dtype`` or ``hidden_layer_sizes`` cannot be used.
    """
    output_dtype = checked_dtype(parameters["dtype"])
    batch_size, alpha = parameters["batch_size"], parameters["alpha"]
    n_in_turn = n_rows if n_in_turn is None else n_in_turn
    batch_size = auto_batch_size(n_in_turn) if batch_size == "auto" else int(batch_size)
    n_batches = -(-n_in_turn // batch_size)
    max_iter, patience = parameters["max_iter"], parameters["n_iter_no_change"]
    if max_iter == "auto":
        max_iter = auto_max_iter(n_in_turn, n_batches)
    if patience == "auto":
        patience = auto_patience(n_in_turn, n_batches)
    training = TrainingSettings(
        width=table_width(parameters["n_components"]),
        table_learning_rate=_TABLE_LEARNING_RATE,
        learning_rate=parameters["learning_rate_init"],
        weight_decay=_weight_decay(total_weight),
        max_epochs=max_iter,
        tolerance=parameters["tol"],
        patience=patience,
        n_sweeps=sweeps_for_tables(n_rows),
        batch_size=batch_size,
    )
    return ModelSettings(
        training=training,
        hidden_layer_sizes=_checked_sizes(parameters["hidden_layer_sizes"]),
        alpha=None if alpha == "auto" else float(alpha),
        n_fold_tables=n_fold_tables,
        # Rows that fit into one batch are too few to choose by.
        crosses=NO_CROSSES if crosses.is_chosen and n_rows <= batch_size else crosses,
        init_scale=parameters["init_scale"],
        main_effects=parameters["main_effects"],
        # Double precision costs next to nothing if all rows are one batch.
        dtype=np.dtype(np.float64) if n_rows <= batch_size else output_dtype,
    )


def stream_settings(parameters: dict[str, Any], n_crosses: int) -> StreamSettings:
    """Return the engine's settings of a stream, before the first chunk.

    Parameters
    ----------
    parameters : dict
        Those of the estimator, by name.
    n_crosses : int
        Number of pairs of columns that are learned as columns of their own.
    """
    alpha, half_life = parameters["alpha"], parameters["half_life"]
    return StreamSettings(
        width=table_width(parameters["n_components"]),
        hidden_layer_sizes=_checked_sizes(parameters["hidden_layer_sizes"]),
        table_learning_rate=_TABLE_LEARNING_RATE,
        learning_rate=parameters["learning_rate_init"],
        alpha=None if alpha == "auto" else float(alpha),
        init_scale=parameters["init_scale"],
        half_life=np.inf if half_life is None else float(half_life),
        main_effects=parameters["main_effects"],
        n_crosses=n_crosses,
        with_halves=parameters["n_components"] == "auto",
        dtype=checked_dtype(parameters["dtype"]),
    )


def chunk_settings(
    parameters: dict[str, Any], n_rows: int, total_weight: float, n_steps: int
) -> ChunkSettings:
    """Return the engine's settings of one chunk.

    Parameters
    ----------
    parameters : dict
        Those of the estimator, by name.
    n_rows : int
        Number of rows of the chunk.
    total_weight : float
        Weight of all rows so far, the chunk's included.
    n_steps : int
        Steps that the network has taken so far.
    """
    batch_size, max_iter = parameters["batch_size"], parameters["max_iter"]
    batch_size = auto_batch_size(n_rows) if batch_size == "auto" else int(batch_size)
    n_passes = auto_chunk_passes(-(-n_rows // batch_size), n_steps)
    if max_iter != "auto":
        n_passes = min(n_passes, int(max_iter))
    return ChunkSettings(batch_size, n_passes, _weight_decay(total_weight))


def _weight_decay(total_weight: float) -> float:
    return min(_ROWS_OF_UNIT_DECAY / total_weight, _MAX_WEIGHT_DECAY)


def checked_dtype(dtype: Any) -> np.dtype[Any]:
    """Return the dtype of the output, or raise ValueError."""
    for allowed in (np.float32, np.float64):
        if dtype is allowed or (
            isinstance(dtype, (str, np.dtype)) and str(dtype) == allowed.__name__
        ):
            return np.dtype(allowed)
    raise ValueError(f"dtype must be numpy.float32 or numpy.float64, but is {dtype!r}.")


def _checked_sizes(sizes: Any) -> tuple[int, ...]:
    if isinstance(sizes, str):
        return _HIDDEN_LAYER_SIZES
    if not all(isinstance(size, Integral) and int(size) > 0 for size in sizes):
        raise ValueError(
            f"hidden_layer_sizes must be positive integers or 'auto', but is {sizes!r}."
        )
    return tuple(int(size) for size in sizes)
