"""The oldest versions that are tested are the oldest that are declared."""

from __future__ import annotations

import re
from pathlib import Path

import sk_embed

ROOT = Path(__file__).parent.parent


def read_versions(path, operator):
    """Return the version of each package that stands behind an operator."""
    pairs = re.findall(rf"^\W*([\w-]+){operator}([\d.]+)", path.read_text(), re.MULTILINE)
    return dict(pairs)


def as_numbers(version):
    numbers = [int(number) for number in version.split(".")]
    return numbers + [0] * (3 - len(numbers))


def test_the_oldest_versions_that_are_tested_are_those_declared():
    declared = read_versions(ROOT / "pyproject.toml", ">=")
    tested = read_versions(ROOT / "constraints" / "oldest.txt", "==")
    assert {"numpy", "scipy", "scikit-learn", "pandas", "polars", "pyarrow"} < set(tested)
    for package in declared.keys() & tested.keys():
        assert as_numbers(tested[package]) == as_numbers(declared[package]), package


def test_the_citation_is_of_this_version():
    assert f"\nversion: {sk_embed.__version__}\n" in (ROOT / "CITATION.cff").read_text()
