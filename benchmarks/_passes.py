"""One pass over the rows: the engine, the same network in PyTorch, and the floor.

Eight columns of vectors of length 8 and four numbers, hidden layers of 64 and 32, one
output, single precision. The floor are the matrix products of the same shapes alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from _timing import interleaved, record
from threadpoolctl import threadpool_limits

from sk_embed._engine.losses import HalfSquaredError
from sk_embed._engine.network.batches import RowOrder
from sk_embed._engine.network.optimizers import RowAdagrad
from sk_embed._engine.network.passes import TrunkLearner, leave_frozen, run_pass
from sk_embed._engine.network.trunk import Trunk
from sk_embed._engine.rows import Rows

N_ROWS = 65_536
N_CODES = np.array([10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000])
WIDTH, HIDDEN, N_CONTEXT, N_FOLDS = 8, (64, 32), 4, 5
BATCH_SIZES = (256, 1024, 4096)
# Ours over theirs: five times, and at the largest batch three times PyTorch's speed; four
# times, and of frozen passes three and a half times, the floor.
GOALS_PYTORCH = {256: 1 / 5, 1024: 1 / 5, 4096: 1 / 3}
GOALS_FLOOR = {256: None, 1024: 4.0, 4096: 4.0}
GOAL_FLOOR_FROZEN = 3.5


def draw_rows() -> Rows:
    """Return rows without any signal: time does not depend on it."""
    rng = np.random.default_rng(0)
    return Rows(
        codes=np.column_stack([rng.integers(n, size=N_ROWS) for n in N_CODES]).astype(
            np.uint16
        ),
        n_codes=N_CODES,
        context=rng.normal(size=(N_ROWS, N_CONTEXT)).astype(np.float32),
        targets=rng.normal(size=(N_ROWS, 1)).astype(np.float32),
        weight=np.ones(N_ROWS, np.float32),
    )


def engine_pass(rows: Rows, batch_size: int, is_used: np.ndarray, is_frozen: bool) -> None:
    """Go over the rows once, as the encoder does, with one thread."""
    loss = HalfSquaredError()
    n_inputs = len(N_CODES) * WIDTH + N_CONTEXT
    trunk = Trunk(n_inputs, HIDDEN, 1, np.dtype(np.float32))
    trunk.initialize(np.random.default_rng(0), np.zeros(1))
    learn = leave_frozen if is_frozen else TrunkLearner(trunk, loss, 1e-3, 0.1)
    shape = (rows.n_table_rows, len(is_used) * WIDTH)
    tables = RowAdagrad(np.zeros(shape, np.float32), 0.1)
    order = RowOrder(rows, np.random.default_rng(1).permutation(N_ROWS), batch_size)
    with threadpool_limits(1, "blas"):
        run_pass(rows, is_used, order, trunk, loss, tables, learn)


def floor(batch_size: int, is_frozen: bool) -> Callable[[], None]:
    """Return the matrix products of one pass."""
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    n_vectors = len(N_CODES) * WIDTH
    inputs, delta = draw(batch_size, n_vectors + N_CONTEXT), draw(batch_size, 1)
    first, second = (draw(batch_size, size) for size in HIDDEN)
    weights = draw(inputs.shape[1], HIDDEN[0]), draw(*HIDDEN), draw(HIDDEN[1], 1)
    forward = [(inputs, weights[0]), (first, weights[1]), (second, weights[2])]
    backward = [(delta, weights[2].T), (second, weights[1].T)]
    backward += [(first, weights[0][:n_vectors].T)]
    gradient = [(inputs.T, first), (first.T, second), (second.T, delta)]
    products = forward + backward + ([] if is_frozen else gradient)
    results = [left @ right for left, right in products]

    def one_pass() -> None:
        with threadpool_limits(1, "blas"):
            for _ in range(N_ROWS // batch_size):
                for (left, right), result in zip(products, results, strict=True):
                    np.matmul(left, right, out=result)

    return one_pass


def pytorch_pass(rows: Rows, batch_size: int, is_sparse: bool) -> Callable[[], None]:
    """Return one epoch of the same network in PyTorch, as its users write it."""
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    torch.manual_seed(0)
    embedding = torch.nn.Embedding(rows.n_table_rows, WIDTH, sparse=is_sparse)
    sizes = [len(N_CODES) * WIDTH + N_CONTEXT, *HIDDEN]
    layers: list[Any] = []
    for below, above in pairwise(sizes):
        layers += [torch.nn.Linear(below, above), torch.nn.ReLU()]
    trunk = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], 1))
    optimizers = [
        torch.optim.SparseAdam(embedding.parameters())
        if is_sparse
        else torch.optim.Adam(embedding.parameters(), fused=True),
        torch.optim.Adam(trunk.parameters(), fused=True),
    ]
    codes = torch.tensor(rows.stacked_codes(np.arange(N_ROWS))).long()
    context, targets = torch.tensor(rows.context), torch.tensor(rows.targets)

    def epoch() -> None:
        order = torch.randperm(N_ROWS)
        for start in range(0, N_ROWS, batch_size):
            chosen = order[start : start + batch_size]
            vectors = embedding(codes[chosen]).reshape(len(chosen), -1)
            raw_prediction = trunk(torch.cat([vectors, context[chosen]], dim=1))
            loss = torch.nn.functional.mse_loss(raw_prediction, targets[chosen])
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()

    return epoch


def passes(repeats: int) -> Iterator[dict[str, Any]]:
    """Yield microseconds per row of a pass that learns the trunk, and of fold passes."""
    rows = draw_rows()
    every = np.ones((1, N_ROWS), dtype=bool)
    folds = np.arange(N_ROWS) % N_FOLDS != np.arange(N_FOLDS)[:, None]
    n_copies = int(folds.sum())
    for batch_size in BATCH_SIZES:
        functions = {
            "ours": partial(engine_pass, rows, batch_size, every, False),
            "ours, folds": partial(engine_pass, rows, batch_size, folds, True),
            "matrix products": floor(batch_size, False),
            "matrix products, frozen": floor(batch_size, True),
        }
        goal = GOALS_PYTORCH[batch_size]
        rivals: dict[str, float | None] = {"matrix products": GOALS_FLOOR[batch_size]}
        try:
            functions["PyTorch, Adam"] = pytorch_pass(rows, batch_size, False)
            functions["PyTorch, SparseAdam"] = pytorch_pass(rows, batch_size, True)
            rivals |= {"PyTorch, Adam": goal, "PyTorch, SparseAdam": goal}
        except ImportError:
            print("PyTorch is not installed: its passes are left out")
        seconds = interleaved(functions, repeats)
        of_row = {name: 1e6 * s / N_ROWS for name, s in seconds.items()}
        case = f"training pass, batch {batch_size}, µs per row"
        for rival, goal_of_rival in rivals.items():
            theirs = of_row[rival]
            yield record("passes", case, rival, of_row["ours"], theirs, goal_of_rival)
        if "PyTorch, Adam" in of_row:
            # What no implementation of these products can be below.
            case = f"matrix products alone, batch {batch_size}, µs per row"
            products, theirs = of_row["matrix products"], of_row["PyTorch, Adam"]
            yield record("passes", case, "PyTorch, Adam", products, theirs, None)
        yield record(
            "passes",
            f"fold pass, batch {batch_size}, µs per row and table",
            "matrix products",
            1e6 * seconds["ours, folds"] / n_copies,
            of_row["matrix products, frozen"],
            GOAL_FLOOR_FROZEN,
        )
