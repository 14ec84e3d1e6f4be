"""The order of the examples in the gallery: by the numbers that their titles begin with."""

from __future__ import annotations

from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


class ByNumber:
    """Sort key of file names, as sphinx-gallery makes it for each folder of examples."""

    def __init__(self, src_dir: str) -> None:
        self.src_dir = src_dir

    def __repr__(self) -> str:
        """Return the same text in each build, by which Sphinx tells changes."""
        return "<ByNumber>"

    def __call__(self, name: str) -> int:
        """Return the number in the title of an example."""
        title = (EXAMPLES / name).read_text(encoding="utf-8").removeprefix('"""')
        return int(title.split(".")[0])
