"""Functions, files and the imports of the engine stay as small as CONTRIBUTING.md asks."""

import ast
from pathlib import Path

import sk_embed

ROOT = Path(sk_embed.__file__).parent
TREES = {
    path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(ROOT.rglob("*.py"))
}
LONGEST_BODY = 45
MOST_PARAMETERS = 6
MOST_FUNCTIONS_OF_MORE = 8
LONGEST_FILE = 700
MOST_ROOMS, MOST_ARROWS = 16, 45


def functions():
    """Yield the place and the node of each function and method."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield f"{path}: {node.name}", node


def body_length(function):
    """Return the lines of a function's body, without its docstring."""
    body = function.body[ast.get_docstring(function) is not None :]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def number_of_parameters(function):
    """Return the number of parameters that a caller gives."""
    given = function.args
    names = [arg.arg for arg in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    n_own = len(names) - (names[:1] in (["self"], ["cls"]))
    return n_own + (given.vararg is not None) + (given.kwarg is not None)


def room(module):
    """Return the module or the folder of the engine that a module belongs to, or None."""
    package, _, place = module.partition("sk_embed._engine.")
    return None if package or not place else place.split(".")[0]


def imports_of_rooms():
    """Return the rooms of the engine, and the pairs of which one imports the other."""
    rooms, arrows = set(), set()
    for path, tree in TREES.items():
        if path.parts[0] != "_engine" or path.name == "__init__.py":
            continue
        own = room(".".join(("sk_embed", *path.with_suffix("").parts)))
        rooms.add(own)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                arrows.add((own, room(node.module or "")))
    return rooms, {(a, b) for a, b in arrows if b is not None and a != b}


def test_bodies_of_functions_are_short():
    assert [name for name, node in functions() if body_length(node) > LONGEST_BODY] == []


def test_few_functions_have_many_parameters():
    many = [
        place
        for place, node in functions()
        if node.name != "__init__" and number_of_parameters(node) > MOST_PARAMETERS
    ]
    assert len(many) <= MOST_FUNCTIONS_OF_MORE, many


def test_files_are_short():
    lengths = {
        path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in TREES
    }
    assert {path: n for path, n in lengths.items() if n > LONGEST_FILE} == {}


def test_the_engine_has_few_rooms_with_few_imports_between_them():
    rooms, arrows = imports_of_rooms()
    assert len(rooms) <= MOST_ROOMS, rooms
    assert len(arrows) <= MOST_ARROWS, sorted(arrows)


def places_of(is_one):
    """Return the functions and methods that hold a node for which ``is_one`` is true."""
    return sorted(
        {place for place, node in functions() if any(map(is_one, ast.walk(node)))}
    )


def calls(name):
    """Return a test of whether a node calls a function or class by this name."""

    def is_call(node):
        called = getattr(node, "func", None)
        return name in (getattr(called, "id", None), getattr(called, "attr", None))

    return is_call


def test_there_are_two_drivers_of_learning_one_of_them_online():
    assert places_of(calls("learn_model")) == ["_fitting.py: learn_from_source"]
    assert places_of(calls("StreamModel")) == ["_stream.py: _begun"]


def writes_learned(node):
    """Tell whether a node sets the attribute that holds what an estimator has learned."""
    if any(calls(name)(node) for name in ("setattr", "__setattr__")):
        return any(getattr(given, "value", None) == "_learned" for given in node.args)
    is_written = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    return is_written and node.attr == "_learned"


def test_fitted_state_has_one_writer_and_no_getattr():
    assert places_of(writes_learned) == ["_base.py: _keep"]
    assert [place for place, _ in functions() if place.endswith(": __getattr__")] == []


METHOD = """
def method(self, a, *b, c=1, **d):
    'Do.'
    a()

    return b
"""


def test_what_is_measured_is_found():
    method = ast.parse(METHOD).body[0]
    assert body_length(method) == 3
    assert number_of_parameters(method) == 4
    for call in ("learn_model()", "model.learn_model()"):
        assert calls("learn_model")(ast.parse(call).body[0].value)
    for write in ("setattr(a, '_learned', 1)", "object.__setattr__(a, '_learned', 1)"):
        assert writes_learned(ast.parse(write).body[0].value)
    assert room("sk_embed._engine.network.trunk") == "network"
    assert room("sk_embed._columns.frame") is None
    rooms, arrows = imports_of_rooms()
    assert {"model", "network", "rows"} <= rooms
    assert ("model", "network") in arrows
