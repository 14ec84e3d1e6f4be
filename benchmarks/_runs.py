"""What runs over a folder of tables have in common: arguments, tables, order, records."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from _records import Records
from _tables import Part, Table, load_tables, splits
from threadpoolctl import threadpool_limits
from tqdm import tqdm

CONDITIONS = ["table", "rows", "split_by", "draw"]
Measure = Callable[[str, str, Part, Part, int], list[dict[str, Any]]]


def parse_arguments(doc: str, kind: str, names: Iterable[str]) -> argparse.Namespace:
    """Return the arguments of a run; ``kind`` says what the names are names of."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tables", default=None, help="by default all of the catalog")
    parser.add_argument("--rows", type=int, default=None, help="by default all")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--split", default="catalog", help="catalog, random, untold")
    parser.add_argument("--draw", type=int, default=0, help="seed of the choice of rows")
    parser.add_argument(f"--{kind}", dest="names", default=",".join(names))
    parser.add_argument("--again", default="", help=f"{kind} to measure anew")
    parser.add_argument("--out", type=Path, default=Path("quality"))
    return parser.parse_args()


def selected_tables(settings: argparse.Namespace) -> list[Table]:
    """Return the tables of each kind of split; one that two kinds split alike is once."""
    names = settings.tables.split(",") if settings.tables else None
    tables = {
        (table.name, table.split_by): table
        for kind in settings.split.split(",")
        for table in load_tables(settings.folder, names, settings.rows, kind, settings.draw)
    }
    return list(tables.values())


def run(
    settings: argparse.Namespace, records: Records, measure: Measure, scaled: bool
) -> None:
    """Measure what the records do not hold yet, with one thread.

    Parameters
    ----------
    settings : Namespace
        Arguments of the command line.
    records : Records
        Results so far, which are added to.
    measure : callable
        From a name, a task, a training part, a test part and a seed to records.
    scaled : bool
        Whether numbers are imputed and standardised.
    """
    names, again = settings.names.split(","), settings.again.split(",")
    tables = selected_tables(settings)
    conditions = [(t.name, len(t.y), t.split_by, settings.draw) for t in tables]
    records.drop(CONDITIONS, conditions, again)
    bar = tqdm(total=len(tables) * settings.splits * len(names))
    with threadpool_limits(1):
        for table, condition in zip(tables, conditions, strict=True):
            for split, (train, test) in enumerate(splits(table, settings.splits, scaled)):
                for name in names:
                    bar.set_description(f"{table.name} {table.split_by} {split} {name}")
                    key = (*condition, split, name)
                    if key not in records:
                        records.add(key, measure(name, table.task, train, test, split))
                    bar.update()
