"""Whether a change of the encoder is a gain, or noise.

``python benchmarks/compare.py BEFORE.csv AFTER.csv [--encoder Embedding]``

Takes two files ``encoders.csv`` of `quality.py`, say of two commits, with the same tables,
draws and splits. Prints the mean change behind each model, its standard errors over tables
and over splits, and a verdict: what is within two of the larger is noise.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from _report import OURS, at_random, changes, markdown, of_catalog


def main() -> None:
    """Compare two files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--encoder", default=OURS)
    settings = parser.parse_args()
    before, after = pd.read_csv(settings.before), pd.read_csv(settings.after)
    for title, view in (("by catalog", of_catalog), ("at random", at_random)):
        both = [view(scores) for scores in (before, after)]
        if not any(scores.empty for scores in both):
            print(f"Split {title}:\n\n{markdown(changes(*both, settings.encoder))}\n")


if __name__ == "__main__":
    main()
