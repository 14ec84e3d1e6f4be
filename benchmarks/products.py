"""100,000 product IDs as 32 numbers each: one million rows, time and peak memory.

The child process limits its own address space, so that the figure is a proof and not a
sample: ``python benchmarks/products.py --limit-gib 2``.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import pandas as pd

from sk_embed import EmbeddingEncoder


def main() -> None:
    """Fit and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--limit-gib", type=float, default=None)
    arguments = parser.parse_args()
    if arguments.limit_gib is not None:
        limit = int(arguments.limit_gib * 2**30)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    rng = np.random.default_rng(0)
    product = rng.integers(arguments.products, size=arguments.rows)
    X = pd.DataFrame({"product": product})
    y = rng.normal(size=arguments.products)[product] + rng.normal(size=arguments.rows)
    start = time.perf_counter()
    encoder = EmbeddingEncoder(n_components=arguments.width, random_state=0).fit(X, y)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    shape = encoder.embeddings_[0].shape
    print(f"table {shape}, fit {seconds:.1f} s, peak resident memory {peak:.2f} GiB")


if __name__ == "__main__":
    main()
