"""The rows of one chunk of a stream, with codes of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.rows import Rows

# Rows that stand for the stream where axes are found.
_RECENT_ROWS = 4_000


class LocalRows(NamedTuple):
    """A chunk with codes of its own, and the store row of each."""

    rows: Rows
    touched: IntArray


def local_rows(chunk: Rows) -> LocalRows:
    """Give a chunk codes of its own, counted within its columns."""
    touched, codes = [np.empty(0, dtype=np.int32)], [chunk.codes[:, :0].astype(np.int32)]
    for column in chunk.codes.T:
        different, code = np.unique(column, return_inverse=True)
        touched.append(different)
        codes.append(code.astype(np.int32))
    n_codes = np.array([len(different) for different in touched[1:]], dtype=np.intp)
    rows = replace(chunk, codes=np.column_stack(codes), n_codes=n_codes)
    return LocalRows(rows, np.concatenate(touched))


def weight_of_codes(rows: Rows) -> FloatArray:
    """Return the weight of each code's rows."""
    codes = rows.stacked_codes_of(slice(None)).ravel()
    weight = np.repeat(rows.weight.astype(np.float64), rows.codes.shape[1])
    of_codes: FloatArray = np.bincount(codes, weight, rows.n_table_rows).astype(np.float64)
    return of_codes


def last_rows(before: Rows, chunk: Rows) -> Rows:
    """Return the last rows of the stream, a chunk behind those before."""
    parts = [before, chunk.part(np.arange(max(len(chunk) - _RECENT_ROWS, 0), len(chunk)))]
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])[-_RECENT_ROWS:]
        for name in ("codes", "context", "targets", "weight")
    }
    return replace(chunk, **joined)
