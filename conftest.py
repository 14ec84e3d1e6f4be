"""Leaves out what cannot be collected: the doctests of extras that are not installed."""

from importlib.util import find_spec

_NEED_DASK = ["sk_embed/dask.py", "sk_embed/_dask_partitions.py"]
collect_ignore = [] if find_spec("dask") else _NEED_DASK
