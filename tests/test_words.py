"""Comments and descriptions of parameters are sentences that make sense alone."""

import ast
import inspect
import re
import tokenize
from pathlib import Path

import pytest

import sk_embed

SOURCES = sorted(Path(sk_embed.__file__).parent.rglob("*.py"))
FEWEST_WORDS = 5
# These begin a sentence whose subject the reader would have to guess.
NO_SUBJECT = re.compile(r"(Of|So many|What|Where|That)\b")
SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)


def descriptions(docstring):
    """Yield the name and the description of each parameter and attribute."""
    _, *parts = SECTION.split(inspect.cleandoc(docstring))
    for title, text in zip(parts[::2], parts[1::2], strict=True):
        if title in ("Parameters", "Attributes"):
            for entry in re.split(r"\n(?=\S)", text.strip()):
                head, *body = re.sub(r"\\\n", "", entry).split("\n")
                yield head.split(" : ")[0], " ".join(" ".join(body).split())


def documented(path):
    """Yield the name and the docstring of each class and function of a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            yield node.name, ast.get_docstring(node) or ""


def comments(path):
    """Yield the number of the line and the text of each comment, its first line alone."""
    before = -1
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                row = token.start[0]
                if row != before + 1:
                    yield row, token.string.lstrip("# ")
                before = row


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_descriptions_of_parameters_make_sense_alone(path):
    poor = [
        f"{unit}, {name}: {text}"
        for unit, docstring in documented(path)
        for name, text in descriptions(docstring)
        if len(text.split()) < FEWEST_WORDS or NO_SUBJECT.match(text)
    ]
    assert poor == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_comments_begin_with_their_subject(path):
    poor = [f"{row}: {text}" for row, text in comments(path) if NO_SUBJECT.match(text)]
    assert poor == []


def test_descriptions_are_found():
    docstring = """Add.

    Parameters
    ----------
    first, second : int
        Numbers to be
        added.
    kind : {"a", \\
            "b"}
        Kind.

    Returns
    -------
    total : int
        Sum.
    """
    found = [("first, second", "Numbers to be added."), ("kind", "Kind.")]
    assert [
        (name, text[-len(t) :])
        for (name, text), (_, t) in zip(descriptions(docstring), found, strict=True)
    ] == found
