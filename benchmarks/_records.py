"""Results in a CSV file that grows with each of them, so that runs can go on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd


class Records:
    """Lines of a CSV file, found by the columns that are their key.

    Lines are appended one by one, so that two processes may fill one file.

    Parameters
    ----------
    path : Path
        The file, which is made if it does not exist.
    keys : sequence of str
        Columns that say what was measured; the last names the encoder or model.
    values : sequence of str
        Columns that were measured.
    """

    def __init__(self, path: Path, keys: Sequence[str], values: Sequence[str]) -> None:
        self.path, self.keys = path, list(keys)
        self.columns = [*keys, *values]
        path.parent.mkdir(exist_ok=True, parents=True)
        if not path.exists():
            self._write(pd.DataFrame(columns=self.columns), "w")
        lines = self.read()
        if list(lines) != self.columns:
            # Lines are appended by position.
            raise ValueError(f"{path} has the columns {list(lines)}, not {self.columns}.")
        self._done = self._keys_of(lines)

    def __contains__(self, key: tuple[Any, ...]) -> bool:
        return key in self._done

    def read(self) -> pd.DataFrame:
        """Return all lines of the file."""
        return pd.read_csv(self.path)

    def add(self, key: tuple[Any, ...], records: Iterable[dict[str, Any]]) -> None:
        """Append the records of one key."""
        new = [dict(zip(self.keys, key, strict=True)) | record for record in records]
        self._write(pd.DataFrame(new, columns=self.columns), "a")
        self._done.add(key)

    def drop(
        self, columns: Sequence[str], values: Iterable[Any], names: Sequence[str]
    ) -> None:
        """Forget lines of some names and conditions, which are then measured anew.

        Parameters
        ----------
        columns : sequence of str
            Keys that are the conditions.
        values : iterable of tuple
            Conditions whose lines are dropped.
        names : sequence of str
            Names, in the last of the keys, whose lines are dropped.
        """
        lines = self.read()
        conditions = pd.MultiIndex.from_frame(lines[list(columns)])
        again = lines[self.keys[-1]].isin(names) & conditions.isin(list(values))
        if again.any():
            self._write(lines[~again], "w")
            self._done = self._keys_of(lines[~again])

    def _keys_of(self, lines: pd.DataFrame) -> set[tuple[Any, ...]]:
        return set(lines[self.keys].itertuples(index=False, name=None))

    def _write(self, lines: pd.DataFrame, mode: str) -> None:
        lines = lines.round({"score": 6, "mse": 6})
        lines.to_csv(self.path, mode=mode, header=mode == "w", index=False)
