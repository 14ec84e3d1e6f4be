"""Settings of the documentation; ``python -m sphinx -W docs docs/_build`` builds it."""

from __future__ import annotations

import sys
from pathlib import Path

import sk_embed

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "sk-embed"
author = "The sk-embed developers"
copyright = author  # noqa: A001 - Sphinx's name
version = release = sk_embed.__version__

extensions = [
    "mathml",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
# The scripts and notebooks of the gallery are written beside their pages.
suppress_warnings = ["config.cache"]

html_math_renderer = "mathml"
html_theme = "furo"
html_title = f"sk-embed {version}"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False

autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/(plot_\d|quickstart)",
    "within_subsection_order": "example_order.ByNumber",
    "min_reported_time": 1,
    "show_signature": False,
    "capture_repr": (),
    # The page of times asks a CDN for its table.
    "write_computation_times": False,
}
