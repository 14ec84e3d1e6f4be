"""Leaves out what cannot be collected: the doctests of extras that are not installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("dask") else ["sk_embed/dask.py"]
