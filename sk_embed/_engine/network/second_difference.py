"""What the network says of two categories together, beyond what it says of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sk_embed._arrays import FloatArray, IntArray
from sk_embed._engine.cells import Interaction, Pair
from sk_embed._engine.network.trunk import Trunk

# Cells whose inputs are laid out at a time: some tens of MiB.
_CELLS_AT_A_TIME = 2**16
# Categories of each column that tell how the second difference of all cells is made up: a
# few times as many as the numbers that fitted networks take, which are at most ten.
_N_ANCHORS = 64
_MAX_RANK = 32
# Cells of the anchors with other categories that are looked at together.
_ANCHORED_CELLS_AT_A_TIME = 2**18
# Share of the variance over the anchors' cells that products of few numbers may leave: an
# effect is not known that well by far.
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
    n_cells = len(codes[0])
    if not trunk.hidden_layer_sizes:
        # A linear trunk has none, and rounding would leave some.
        return np.zeros((n_cells, trunk.n_outputs), table.dtype)
    offsets = np.cumsum(n_codes) - n_codes
    width = table.shape[1]

    def predicted(n: int, of_cells: dict[int, IntArray]) -> FloatArray:
        """Predict cells, given the codes of one of both columns, or of both."""
        raw = np.empty((n, trunk.n_outputs), table.dtype)
        for start in range(0, n, _CELLS_AT_A_TIME):
            stretch = slice(start, start + _CELLS_AT_A_TIME)
            inputs = np.zeros((len(raw[stretch]), trunk.n_inputs), table.dtype)
            for column, of_column in of_cells.items():
                vectors = table[offsets[column] + of_column[stretch]]
                inputs[:, column * width : (column + 1) * width] = vectors
            raw[stretch] = trunk.forward(inputs)[0]
        return raw

    difference = predicted(n_cells, dict(zip(pair, codes, strict=True)))
    for column, of_column in zip(pair, codes, strict=True):
        different, place = np.unique(of_column, return_inverse=True)
        difference -= predicted(len(different), {column: different})[place]
    difference += predicted(1, {})
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

    which is exact where D has no more singular values. Of fitted networks it leaves about a
    hundredth of the variance over all cells (Goreinov, Tyrtyshnikov &
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
    u, s, v = np.linalg.svd(
        difference(rows, columns).reshape(len(rows), -1), full_matrices=False
    )
    left_out = np.append(np.cumsum((s**2)[::-1])[::-1], 0.0)
    rank = min(int(np.argmax(left_out <= _SHARE_LEFT_OUT * left_out[0])), _MAX_RANK)
    left, right = u[:, :rank], v[:rank].T / s[:rank]
    n_first, n_second = (int(n_codes[column]) for column in pair)
    first = np.empty((n_first, rank), table.dtype)
    second = np.empty((n_second, rank, trunk.n_outputs), table.dtype)
    size = max(_ANCHORED_CELLS_AT_A_TIME // (_N_ANCHORS * trunk.n_outputs), 1)
    for a in np.split(np.arange(n_first), range(size, n_first, size)):
        first[a] = difference(a, columns).reshape(len(a), -1) @ right
    for b in np.split(np.arange(n_second), range(size, n_second, size)):
        second[b] = np.einsum("ir,ibk->brk", left, difference(rows, b))
    # Categories that are not listed lie at the origin, but for rounding.
    first[-1] = second[-1] = 0
    return Interaction(first, second)
