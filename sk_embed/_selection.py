"""How many axes of a column are kept, and how much is chosen from the data's size."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from sk_embed._arrays import BoolArray, FloatArray

# Wide enough for the interactions of real tables; wider tables fit noise.
DEFAULT_WIDTH = 8
# Two halves of the rows that agree to r on an axis make a whole of which 2 r / (1 + r) is
# signal (Spearman-Brown): here, a third.
MIN_RELIABILITY = 0.2
# An axis of less than a hundredth of what the column says, main effects included, is
# hardly worth a feature, and a scaler behind the encoder would blow it up to the size of
# all others.
MIN_SHARE = 0.01
# Context that hardly counts must not blow the vectors up.
_UNITS = (0.1, 10.0)
# Rounding error of a sum of shares.
_ROUNDING = 1e-9
# The trunk is learned after so many steps, however many passes over the rows they make; but
# a pass is what an honest table is learned in, so that one more than the first is needed.
_MAX_STEPS = 6_000
_MIN_PASSES = 2
# Most visits to rows, unless these are fewer than 20 passes or more than 60: few rows need
# more passes where numbers bend effects; beyond 60 the trunk learns rows by their numbers.
_MAX_VISITS = 192_000
_PASSES = (20, 60)
# Learning stops after a quarter of these passes without a fall of the loss, and at the
# latest after so many; after one more where there are more than 20 passes, for losses of
# few rows are noisier.
_MAX_PATIENCE = 3
# Over a chunk of a stream, while the trunk has taken fewer steps than that: each row is new
# to the trunk but once.
_MAX_CHUNK_PASSES = 4
# Number of rows that the sweeps of a final table visit together, at least: the more rows
# there are, the less of what a table holds is the chance of one row order.
_ROWS_OF_SWEEPS = 600_000
_MAX_SWEEPS = 3
# Rounds that make one pass over rows in partitions: vectors from other partitions are at
# most a sixteenth of a pass old.
N_ROUNDS = 16
# Number of batches in an epoch that gives the trunk's optimiser enough steps.
_BATCHES_PER_EPOCH = 128
_BATCH_SIZES = (64, 1024)


def table_width(n_components: Any) -> int:
    """Return the width in which tables are learned.

    A smaller ``n_components`` keeps the first axes of the same tables, as in a PCA.
    """
    asked = int(n_components) if isinstance(n_components, Integral) else 0
    return max(asked, DEFAULT_WIDTH)


def kept_axes(
    n_components: Any, share: FloatArray, reliability: FloatArray, n_contrasts: int
) -> BoolArray:
    """Return which canonical axes to keep, shape (n_axes,).

    Parameters
    ----------
    n_components : int, float or "auto"
        Number of first axes; or share of the vectors' variance that the first axes explain
        together; or "auto", the reliable axes.
    share : ndarray of shape (n_axes,)
        Share of each axis in the variance of the column's effects and vectors.
    reliability : ndarray of shape (n_axes,)
        Agreement of two halves of the rows on each axis; NaN, for too few rows to tell,
        counts as none.
    n_contrasts : int
        Differences between m categories that the main effects leave, m - 1 less their
        rank: "auto" keeps no more axes, for the next model has an intercept.
    """
    if isinstance(n_components, Integral):
        return np.arange(len(reliability)) < int(n_components)
    if isinstance(n_components, str):
        kept = (reliability > MIN_RELIABILITY) & (share > MIN_SHARE)
        return kept & (np.cumsum(kept) <= n_contrasts)
    before = np.cumsum(share) - share
    return (before < (n_components - _ROUNDING) * share.sum()) & (share > 0)


def output_unit(context_sensitivity: FloatArray) -> float:
    """Return the change of the raw prediction that is one unit of the output.

    The root mean square of what one standard deviation of the context columns brings
    about: beside standardised numbers, a distance of 1 between two categories then means
    as much as one standard deviation of an average number. 1 without context.
    """
    square = float(np.mean(context_sensitivity**2)) if len(context_sensitivity) else 1.0
    return float(np.clip(np.sqrt(square), *_UNITS))


def auto_batch_size(n_rows: int) -> int:
    """Return the power of two that cuts the rows into about 128 batches, 64 to 1024."""
    wanted = 2 ** round(np.log2(max(n_rows / _BATCHES_PER_EPOCH, 1)))
    return int(np.clip(wanted, *_BATCH_SIZES))


def auto_max_iter(n_rows: int, n_batches: int) -> int:
    """Return the passes that visit 192,000 rows, 20 to 60, in at most 6,000 steps."""
    passes = int(np.clip(round(_MAX_VISITS / n_rows), *_PASSES))
    return max(min(passes, round(_MAX_STEPS / n_batches)), _MIN_PASSES)


def largest_max_iter(max_iter: int | str) -> int:
    """Return what ``max_iter`` may become, before the rows are known."""
    return _PASSES[1] if isinstance(max_iter, str) else max_iter


def auto_patience(n_rows: int, n_batches: int) -> int:
    """Return a quarter of :func:`auto_max_iter`, 1 to 3, or 4 of more than 20 passes."""
    passes = auto_max_iter(n_rows, n_batches)
    most = _MAX_PATIENCE + (passes > _PASSES[0])
    return int(np.clip(round(passes / 4), 1, most))


def auto_chunk_passes(n_batches: int, n_steps: int) -> int:
    """Return the passes over a chunk: four until 6,000 steps are taken, then one."""
    return int(np.clip((_MAX_STEPS - n_steps) // n_batches, 1, _MAX_CHUNK_PASSES))


def sweeps_for_tables(n_rows: int) -> int:
    """Return the sweeps for final tables: up to 200,000 rows 3, up to 300,000 2, then 1."""
    return int(np.clip(_ROWS_OF_SWEEPS // n_rows, 1, _MAX_SWEEPS))
