"""Settings of all test runs: threads, and what cannot be collected."""

import os
from importlib.util import find_spec

# The arrays of tests are small, and pytest-xdist runs a process on each core: BLAS threads
# would only wait for each other. They are set before numpy is imported.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# Doctests of extras that are not installed.
_NEED_DASK = ["sk_embed/dask.py", "sk_embed/_dask_partitions.py"]
_NEED_SKL2ONNX = ["sk_embed/onnx.py", "sk_embed/_onnx"]
collect_ignore = [] if find_spec("dask") else _NEED_DASK
collect_ignore += [] if find_spec("skl2onnx") else _NEED_SKL2ONNX
