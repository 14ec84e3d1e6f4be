"""What the network says of two categories together, beyond what it says of each."""

from __future__ import annotations

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.cells import Pair
from sk_embed._engine.network.trunk import Trunk

# Cells whose inputs are laid out at a time: some tens of MiB.
_CELLS_AT_A_TIME = 2**16


def second_difference(
    trunk: Trunk,
    table: FloatArray,
    n_codes: IntArray,
    pair: Pair,
    codes: tuple[IntArray, IntArray],
) -> FloatArray:
    """Return the interaction of the vectors of each cell's two categories.

    With F the raw prediction, all other columns and the context at the origin::

        d(a, b) = F(v_a, v_b) - F(v_a, 0) - F(0, v_b) + F(0, 0)

    Parameters
    ----------
    trunk : Trunk
        Trunk after its last epoch.
    table : ndarray of shape (sum(n_codes), width)
        Stacked vectors of all columns.
    n_codes : ndarray of shape (n_columns,)
        Number of codes of each column.
    pair : tuple of int
        Numbers of the two columns.
    codes : tuple of ndarray of shape (n_cells,)
        Codes of each cell in the two columns.

    Returns
    -------
    difference : ndarray of shape (n_cells, n_outputs)
    """
    offsets = np.cumsum(n_codes) - n_codes
    width = table.shape[1]

    def predicted(n_rows: int, *vectors: FloatArray | None) -> FloatArray:
        inputs = np.zeros((n_rows, trunk.n_inputs), table.dtype)
        for column, of_column in zip(pair, vectors, strict=True):
            if of_column is not None:
                inputs[:, column * width : (column + 1) * width] = of_column
        return trunk.forward(inputs)[0]

    first, second = (table[offsets[j] : offsets[j] + n_codes[j]] for j in pair)
    a, b = codes
    difference = np.empty((len(a), trunk.n_outputs), table.dtype)
    for start in range(0, len(a), _CELLS_AT_A_TIME):
        stretch = slice(start, start + _CELLS_AT_A_TIME)
        vectors = first[a[stretch]], second[b[stretch]]
        difference[stretch] = predicted(len(vectors[0]), *vectors)
    difference -= predicted(len(first), first, None)[a]
    difference -= predicted(len(second), None, second)[b]
    difference += predicted(1, None, None)
    return difference
