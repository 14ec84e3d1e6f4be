"""Do the tests notice a wrong sign? ``python benchmarks/mutants.py MODULE... --sample 40``.

Each mutant is one change of one expression: a comparison, an operator, a constant, min for
max, a condition turned round. A sample of them, the same for the same seed, is written
into a copy of the project one at a time, and the tests of ``TESTS`` are run on it until one
fails. A mutant that no test notices is a missing test, or makes no difference.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Before the forks, which share it; not the package itself.
import pandas as pd  # noqa: F401
import polars as pl  # noqa: F401
import pytest
import scipy.sparse.linalg  # noqa: F401
import sklearn.ensemble
import sklearn.linear_model
import sklearn.utils.estimator_checks  # noqa: F401

ROOT = Path(__file__).parent.parent
SECONDS = 120
# Test files of each module, by the beginning of its path; the quickest first.
TESTS = {
    "sk_embed/_cross_fitting.py": "cross_fitting golden routing",
    "sk_embed/_selection.py": "selection golden",
    "sk_embed/_output_tables.py": "golden targets_encoder",
    "sk_embed/_persistence/": "persistence_values persistence_refusals persistence",
    "sk_embed/_engine/axes.py": "axes golden model",
    "sk_embed/_engine/network/batches.py": "batches golden",
    "sk_embed/_engine/losses.py": "losses golden main_effects",
    "sk_embed/_engine/additive/main_effects.py": "golden main_effects",
    "sk_embed/_engine/model.py": "golden model",
    "sk_embed/_engine/network/table_groups.py": "model",
    "sk_embed/_engine/network/trunk.py": "network golden",
    "sk_embed/_engine/network/optimizers.py": "optimizers golden",
    "sk_embed/_engine/network/passes.py": "golden training",
    "sk_embed/_engine/network/training.py": "golden training",
}


def both_ways(*pairs: tuple[Any, Any]) -> dict[Any, Any]:
    """Return what stands for what, either way."""
    return {one: other for pair in pairs for one, other in (pair, pair[::-1])}


COMPARISONS = both_ways(
    (ast.Lt, ast.LtE),
    (ast.Gt, ast.GtE),
    (ast.Eq, ast.NotEq),
    (ast.In, ast.NotIn),
    (ast.Is, ast.IsNot),
)
OPERATORS = {
    **both_ways((ast.Add, ast.Sub), (ast.Mult, ast.Div), (ast.BitAnd, ast.BitOr)),
    ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult,
}
NAMES = both_ways(
    ("min", "max"),
    ("minimum", "maximum"),
    ("argmin", "argmax"),
    ("any", "all"),
    ("zeros", "ones"),
    ("sum", "mean"),
)


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what a node may be changed to."""
    if isinstance(node, ast.Compare):
        other = copy.deepcopy(node)
        other.ops[0] = COMPARISONS[type(node.ops[0])]()
        yield other
    elif isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in OPERATORS:
        other = copy.deepcopy(node)
        other.op = OPERATORS[type(node.op)]()
        yield other
    elif isinstance(node, ast.BoolOp):
        other = copy.deepcopy(node)
        other.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield other
    elif isinstance(node, ast.UnaryOp):
        yield copy.deepcopy(node.operand)
    elif isinstance(node, ast.Constant):
        yield from (ast.Constant(value) for value in other_constants(node.value))
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        yield ast.Attribute(copy.deepcopy(node.value), NAMES[node.attr], node.ctx)
    elif isinstance(node, ast.Name) and node.id in NAMES:
        yield ast.Name(NAMES[node.id], node.ctx)
    elif isinstance(node, (ast.If, ast.IfExp)):
        other = copy.deepcopy(node)
        other.test = ast.UnaryOp(ast.Not(), other.test)
        yield other


def other_constants(value: object) -> list[object]:
    """Return the constants that may stand for another."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1]
    return [value * 2 + 1] if isinstance(value, float) else []


def places(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Yield where expressions and statements stand, annotations and docstrings left out."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "format_spec"):
            continue
        if isinstance(node, ast.keyword) and node.arg == "strict":
            continue  # of zip: says again what is so
        for number, child in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(child, ast.AST) and not isinstance(child, ast.Raise):
                yield node, field, number if isinstance(value, list) else None
                yield from places(child)


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line, what was changed in words, and the source of each mutant."""
    tree = ast.parse(source)
    for parent, field, number in places(tree):
        value = getattr(parent, field)
        node = value if number is None else value[number]
        for other in changes(node):
            ast.fix_missing_locations(ast.copy_location(other, node))
            put(parent, field, number, other)
            head = [
                ast.unparse(n.test if isinstance(n, ast.If) else n) for n in (node, other)
            ]
            yield node.lineno, " -> ".join(head), ast.unparse(tree)
            put(parent, field, number, node)


def put(parent: ast.AST, field: str, number: int | None, node: ast.AST) -> None:
    """Put a node in its parent's field."""
    if number is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[number] = node


def copy_project(folder: Path) -> None:
    """Copy what git knows, or would."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    for name in filter(lambda name: (ROOT / name).is_file(), listed.stdout.splitlines()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)


def is_noticed(folder: Path, module: str) -> bool:
    """Whether a test of the module fails, or does not end, in a process of its own.

    A fork, which need not import numpy and its like again.
    """
    names = next(tests for start, tests in TESTS.items() if module.startswith(start))
    files = [f"tests/test_{name}.py" for name in names.split()]
    process = os.fork()
    if process == 0:
        signal.alarm(SECONDS)
        os.chdir(folder)
        sys.path.insert(0, str(folder))
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        options = ["-x", "-q", "-p", "no:cacheprovider", "-k", "not other_processes"]
        os._exit(int(pytest.main([*options, *files])) != 0)
    return os.waitpid(process, 0)[1] != 0


def main() -> None:
    """Sample, run, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="+", help="paths below the project's folder")
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    found = [
        (module, *mutant)
        for module in arguments.modules
        for mutant in mutants((ROOT / module).read_text())
    ]
    rng = random.Random(arguments.seed)  # noqa: S311
    sample = sorted(rng.sample(found, min(arguments.sample, len(found))))
    survivors = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_project(folder)
        for number, (module, line, change, source) in enumerate(sample, 1):
            (folder / module).write_text(source)
            noticed = is_noticed(folder, module)
            shutil.copy(ROOT / module, folder / module)
            survivors += not noticed
            verdict = "noticed " if noticed else "SURVIVED"
            print(f"{number:3} {verdict} {module}:{line}: {change}", flush=True)
    n_noticed = len(sample) - survivors
    print(f"{n_noticed} of {len(sample)} noticed, of {len(found)} mutants in all")


if __name__ == "__main__":
    main()
