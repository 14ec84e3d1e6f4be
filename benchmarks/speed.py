"""Speed and size, as ratios to rivals that are measured in the same run.

``python benchmarks/speed.py [--sections a,b] [--threads 1,2] [--repeats N] [--out DIR]``

Each figure is the median of at least five calls, in turn with those of its rival, in a
process of its own for each section and number of threads. The ratio is ours over theirs:
less is better. PyTorch is measured where it is installed. Writes ``speed.json`` and
``speed.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from _passes import passes
from _pipelines import fits, growth, look_ups, memory, package

SECTIONS = {
    "passes": passes,
    "fit": fits,
    "transform": look_ups,
    "growth": growth,
    "memory": memory,
    "package": package,
}
# What several threads change nothing about.
_WITHOUT_THREADS = {"growth", "memory", "package"}
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT")


def measure(section: str, n_threads: int, repeats: int) -> list[dict[str, Any]]:
    """Run one section in a child process that is held to so many threads."""
    environment = os.environ | dict.fromkeys(_THREAD_VARIABLES, str(n_threads))
    child = [sys.executable, __file__, "--child", section, "--repeats", str(repeats)]
    lines = subprocess.run(
        child, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.splitlines()
    records = [json.loads(line) for line in lines if line.startswith("{")]
    return [record | {"threads": n_threads} for record in records]


def table(records: list[dict[str, Any]]) -> str:
    """Return the records as Markdown; a goal that is missed is bold."""
    lines = [
        "| case | threads | rival | ours | theirs | ours / theirs | goal, at most |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for r in records:
        goal = "" if r["goal"] is None else f"{r['goal']:.2f}"
        if r["goal"] is not None and r["ratio"] > r["goal"]:
            goal = f"**{goal}**"
        numbers = " | ".join(f"{r[name]:.3g}" for name in ("ours", "theirs", "ratio"))
        lines.append(
            f"| {r['case']} | {r['threads']} | {r['rival']} | {numbers} | {goal} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write the report."""
    n_cores = os.cpu_count() or 1
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sections", default=",".join(SECTIONS))
    parser.add_argument("--threads", default=f"1,{n_cores}")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("speed"))
    parser.add_argument("--child", default=None, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        for record in SECTIONS[arguments.child](arguments.repeats):
            print(json.dumps(record), flush=True)
        return
    threads = sorted(set(map(int, arguments.threads.split(","))))
    arguments.out.mkdir(exist_ok=True, parents=True)
    records: list[dict[str, Any]] = []
    for section in arguments.sections.split(","):
        for n_threads in threads[:1] if section in _WITHOUT_THREADS else threads:
            records += measure(section, n_threads, arguments.repeats)
            (arguments.out / "speed.json").write_text(json.dumps(records, indent=1))
            (arguments.out / "speed.md").write_text(table(records))
    print(table(records))


if __name__ == "__main__":
    main()
