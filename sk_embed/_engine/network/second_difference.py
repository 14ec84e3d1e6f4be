"""What the network says of two categories together, beyond what it says of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.cells import Interaction, Pair
from sk_embed._engine.network.trunk import Trunk

# Cells whose inputs are laid out at a time: some tens of MiB.
_CELLS_AT_A_TIME = 2**16
# Categories of each column that tell how the second difference of all cells is made up,
# and categories whose cells with these are laid out at a time.
_N_ANCHORS = 64
_CODES_AT_A_TIME = 2**12
# Share of its variance over the cells of these that products of few numbers may leave.
_SHARE_LEFT_OUT = 1e-2


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
    difference = np.zeros((len(a), trunk.n_outputs), table.dtype)
    if not trunk.hidden_layer_sizes:
        # A linear trunk has none, and rounding would leave some.
        return difference
    for start in range(0, len(a), _CELLS_AT_A_TIME):
        stretch = slice(start, start + _CELLS_AT_A_TIME)
        vectors = first[a[stretch]], second[b[stretch]]
        difference[stretch] = predicted(len(vectors[0]), *vectors)
    difference -= predicted(len(first), first, None)[a]
    difference -= predicted(len(second), None, second)[b]
    difference += predicted(1, None, None)
    return difference


def interaction(
    trunk: Trunk,
    table: FloatArray,
    n_codes: IntArray,
    pair: Pair,
    weight: Sequence[FloatArray],
) -> Interaction:
    """Return the second differences of all cells as products of few numbers, nearly.

    With D the second differences, ``U S V'`` their singular values and vectors over the
    cells of the most frequent categories I and J, cut to a few, ::

        D  =  D[:, J] V S^-1  .  U' D[I, :]

    which is exact where D has no more singular values (Goreinov, Tyrtyshnikov &
    Zamarashkin, A theory of pseudoskeleton approximations, Linear Algebra Appl. 261, 1997).

    Parameters
    ----------
    trunk : Trunk
        Trunk after its last epoch.
    table : ndarray of shape (sum(n_codes), width)
        Stacked vectors of all columns.
    n_codes : ndarray of shape (n_columns,)
        Number of codes of each column; the last of each is not listed.
    pair : tuple of int
        Numbers of the two columns.
    weight : sequence of two ndarray of shape (n_codes,)
        Weight of the rows of each category of both columns.

    Returns
    -------
    Interaction
    """

    def difference(first: IntArray, second: IntArray) -> FloatArray:
        a, b = (codes.ravel() for codes in np.meshgrid(first, second, indexing="ij"))
        found = second_difference(trunk, table, n_codes, pair, (a, b))
        return found.reshape(len(first), len(second), -1).astype(np.float64)

    rows, columns = (
        np.argsort(-of_column, kind="stable")[:_N_ANCHORS] for of_column in weight
    )
    core = difference(rows, columns).reshape(len(rows), -1)
    u, s, v = np.linalg.svd(core, full_matrices=False)
    left_out = np.append(np.cumsum((s**2)[::-1])[::-1], 0.0)
    rank = int(np.argmax(left_out <= _SHARE_LEFT_OUT * left_out[0]))
    right, left = v[:rank].T / s[:rank], u[:, :rank]
    n_first, n_second = (int(n_codes[column]) for column in pair)
    first = np.concatenate(
        [difference(a, columns).reshape(len(a), -1) @ right for a in _stretches(n_first)]
    )
    second = np.concatenate(
        [np.einsum("ir,ibk->brk", left, difference(rows, b)) for b in _stretches(n_second)]
    )
    # Categories that are not listed lie at the origin, but for rounding.
    first[-1] = second[-1] = 0
    return Interaction(first, second)


def _stretches(n_codes: int) -> list[IntArray]:
    starts = range(0, n_codes, _CODES_AT_A_TIME)
    return [np.arange(start, min(start + _CODES_AT_A_TIME, n_codes)) for start in starts]
