"""Python values as JSON, and back with their types.

A value is written as a pair ``[type, JSON]``, values of an array as runs of one type,
``[[type, [JSON, ...]], ...]``. The types, by name:

=================== =====================================================================
None, NaT, NA       null
str, bool           as in JSON
int                 a number, or from 63 bits on hexadecimal digits, "0x..."
float, Decimal      their digits, "1.5", "inf" or "nan"
bytes, UUID         hexadecimal digits
date                ISO 8601
time, datetime      [ISO 8601, zone]; with a zone a datetime is that of UTC
timedelta           [days, seconds, microseconds]
Timestamp           [count since 1970, unit, zone], of UTC with a zone
Timedelta           [count, unit]
Period              [ordinal, frequency]
Interval            [left, right, closed], both ends values
tuple, list         their values
dict                [keys, values]
numpy               a numpy scalar: [dtype, bytes in hexadecimal digits]
array               a numpy array in one dimension: [dtype, bytes], or ["|O", runs]
dtype, numpy type   of floats, "float32" or "float64"
=================== =====================================================================

A zone is null, a name such as "Europe/Berlin", or microseconds east of UTC.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_LARGEST_NUMBER_OF_JSON = 1 << 62
_MICROSECOND = dt.timedelta(microseconds=1)
_UNITS = ("s", "ms", "us", "ns")
_DTYPE = re.compile(r"[<|][biufmMSU][0-9]{1,9}(\[[0-9]{0,9}[a-zA-Z]+\])?")
_FLOATS = {"float32": np.float32, "float64": np.float64}
# Errors that the readers below raise if JSON holds something else than they expect.
_NOT_AS_WRITTEN = (
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)


class _Codec(NamedTuple):
    """How one type is written and read."""

    name: str
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


# ----------------------------------------------------------------- lists and values


def to_json(value: Any) -> list[Any]:
    """Return a value as a pair of its type's name and JSON.

    Raises
    ------
    TypeError
        If there is no way to write it; the message is its type.
    """
    ((name, (written,)),) = to_runs([value])
    return [name, written]


def from_json(pair: Any) -> Any:
    """Return the value of a pair.

    Raises
    ------
    ValueError
        If it is none that :func:`to_json` gives.
    """
    try:
        name, written = pair
        return _BY_NAME[name].read(written)
    except _NOT_AS_WRITTEN as error:
        raise ValueError(f"{_short(pair)} is no value with its type") from error


def to_runs(values: Iterable[Any]) -> list[Any]:
    """Return values as runs of one type.

    Raises
    ------
    TypeError
        If there is no way to write one of them; the message is its type.
    """
    runs = []
    for kind, run in groupby(values, key=type):
        codec = _codec_of(kind)
        try:
            runs.append([codec.name, [codec.write(value) for value in run]])
        except (OverflowError, RecursionError) as error:
            raise TypeError(f"{kind.__qualname__} ({error})") from error
    return runs


def from_runs(runs: Any) -> NDArray[Any]:
    """Return the values of runs as an array of objects.

    Raises
    ------
    ValueError
        If they are none that :func:`to_runs` gives.
    """
    try:
        values = [_BY_NAME[name].read(value) for name, run in runs for value in run]
    except _NOT_AS_WRITTEN as error:
        raise ValueError(f"{_short(runs)} are no values with their types") from error
    # Not by np.array, which would take tuples apart.
    return np.fromiter(values, dtype=object, count=len(values))


def _codec_of(kind: type) -> _Codec:
    if kind in _BY_TYPE:
        return _BY_TYPE[kind]
    if issubclass(kind, np.generic):
        return _BY_NAME["numpy"]
    raise TypeError(f"{kind.__module__}.{kind.__qualname__}")


def _short(written: Any) -> str:
    text = repr(written) if isinstance(written, (str, int)) else type(written).__name__
    return text if len(text) <= 40 else f"{text[:40]}..."


# ----------------------------------------------------------------- one type each


def _as_is(kind: type) -> Callable[[Any], Any]:
    """Return a reader of what JSON holds as it is."""

    def read(written: Any) -> Any:
        if type(written) is not kind:
            raise TypeError(written)
        return written

    return read


_read_str = _as_is(str)
_read_int = _as_is(int)


def _constant(value: Any) -> tuple[Callable[[Any], None], Callable[[Any], Any]]:
    def read(written: Any) -> Any:
        if written is not None:
            raise TypeError(written)
        return value

    return lambda _: None, read


def _write_int(value: int) -> int | str:
    return value if abs(value) < _LARGEST_NUMBER_OF_JSON else hex(value)


def _read_any_int(written: Any) -> int:
    # Not in decimal digits, whose number Python limits.
    return int(written, 16) if isinstance(written, str) else int(_read_int(written))


def _write_zone(zone: Any) -> Any:
    if zone is None:
        return None
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if isinstance(name, str):
        return name
    offset = zone.utcoffset(None)
    if offset is None:
        raise TypeError(f"time zone {zone!r}, which has neither name nor fixed offset")
    return offset // _MICROSECOND


def _read_zone(written: Any) -> dt.tzinfo | None:
    if written is None:
        return None
    if isinstance(written, str):
        # Refuses what is no name of a zone, as a path.
        return ZoneInfo(written)
    return dt.timezone(_read_int(written) * _MICROSECOND)


def _write_time(value: dt.time) -> list[Any]:
    return [value.replace(tzinfo=None).isoformat(), _write_zone(value.tzinfo)]


def _read_time(written: Any) -> dt.time:
    text, zone = written
    return dt.time.fromisoformat(text).replace(tzinfo=_read_zone(zone))


def _write_datetime(value: dt.datetime) -> list[Any]:
    zone = _write_zone(value.tzinfo)
    if zone is not None:
        value = value.astimezone(dt.timezone.utc).replace(tzinfo=None)
    return [value.isoformat(), zone]


def _read_datetime(written: Any) -> dt.datetime:
    text, zone = written
    value = dt.datetime.fromisoformat(text)
    if zone is None:
        return value
    return value.replace(tzinfo=dt.timezone.utc).astimezone(_read_zone(zone))


def _write_timestamp(value: pd.Timestamp) -> list[Any]:
    moment = value.to_datetime64()
    return [int(moment.astype(np.int64)), value.unit, _write_zone(value.tz)]


def _read_timestamp(written: Any) -> pd.Timestamp:
    count, unit, zone = written
    moment = pd.Timestamp(np.datetime64(_read_int(count), _checked_unit(unit)))
    if zone is None:
        return moment
    checked = _read_zone(zone)
    # By its name, of which pandas makes the kind of zone that it prefers.
    return moment.tz_localize("UTC").tz_convert(zone if isinstance(zone, str) else checked)


def _write_timedelta(value: pd.Timedelta) -> list[Any]:
    return [int(value.to_timedelta64().astype(np.int64)), value.unit]


def _read_timedelta(written: Any) -> pd.Timedelta:
    count, unit = written
    return pd.Timedelta(np.timedelta64(_read_int(count), _checked_unit(unit)))


def _checked_unit(unit: Any) -> Any:
    if unit not in _UNITS:
        raise ValueError(unit)
    return unit


def _read_period(written: Any) -> pd.Period:
    ordinal, frequency = written
    return pd.Period(ordinal=_read_int(ordinal), freq=_read_str(frequency))


def _write_interval(value: Any) -> list[Any]:
    return [to_json(value.left), to_json(value.right), value.closed]


def _read_interval(written: Any) -> Any:
    left, right, closed = written
    return pd.Interval(from_json(left), from_json(right), closed)


def _write_items(values: Iterable[Any]) -> list[Any]:
    return [to_json(value) for value in values]


def _read_items(written: Any) -> list[Any]:
    return [from_json(pair) for pair in _as_is(list)(written)]


def _write_pairs(values: dict[Any, Any]) -> list[Any]:
    return [_write_items(values.keys()), _write_items(values.values())]


def _read_pairs(written: Any) -> dict[Any, Any]:
    keys, values = map(_read_items, _as_is(list)(written))
    return dict(zip(keys, values, strict=True))


def _write_scalar(value: Any) -> list[Any]:
    return _write_array(np.array([value]))


def _read_scalar(written: Any) -> Any:
    dtype, content = written
    (value,) = np.frombuffer(bytes.fromhex(content), _checked_dtype(dtype))
    return value


def _write_array(array: NDArray[Any]) -> list[Any]:
    if array.ndim != 1:
        raise TypeError(f"array of {array.ndim} dimensions")
    if array.dtype == object:
        return ["|O", to_runs(array.tolist())]
    little = array.astype(array.dtype.newbyteorder("<"))
    if not _DTYPE.fullmatch(little.dtype.str):
        raise TypeError(f"array of {array.dtype}")
    return [little.dtype.str, little.tobytes().hex()]


def _read_array(written: Any) -> NDArray[Any]:
    dtype, content = written
    if dtype == "|O":
        return from_runs(content)
    array = np.frombuffer(bytes.fromhex(content), _checked_dtype(dtype))
    return array.astype(array.dtype.newbyteorder("="))


def _checked_dtype(name: Any) -> np.dtype[Any]:
    if not _DTYPE.fullmatch(name):
        raise ValueError(name)
    return np.dtype(name)


def _write_float_type(kind: type) -> str:
    name = kind.__name__
    if _FLOATS.get(name) is not kind:
        raise TypeError(f"type {name}")
    return name


_INTERVAL = type(pd.Interval(0, 1))
_CODECS: dict[type, _Codec] = {
    type(None): _Codec("None", *_constant(None)),
    type(pd.NaT): _Codec("NaT", *_constant(pd.NaT)),
    type(pd.NA): _Codec("NA", *_constant(pd.NA)),
    str: _Codec("str", str, _read_str),
    bool: _Codec("bool", bool, _as_is(bool)),
    int: _Codec("int", _write_int, _read_any_int),
    float: _Codec("float", repr, lambda written: float(_read_str(written))),
    Decimal: _Codec("Decimal", str, lambda written: Decimal(_read_str(written))),
    bytes: _Codec("bytes", bytes.hex, bytes.fromhex),
    UUID: _Codec("UUID", lambda value: value.hex, UUID),
    dt.date: _Codec("date", dt.date.isoformat, dt.date.fromisoformat),
    dt.time: _Codec("time", _write_time, _read_time),
    dt.datetime: _Codec("datetime", _write_datetime, _read_datetime),
    dt.timedelta: _Codec(
        "timedelta",
        lambda value: [value.days, value.seconds, value.microseconds],
        lambda written: dt.timedelta(*map(_read_int, written)),
    ),
    pd.Timestamp: _Codec("Timestamp", _write_timestamp, _read_timestamp),
    pd.Timedelta: _Codec("Timedelta", _write_timedelta, _read_timedelta),
    pd.Period: _Codec("Period", lambda value: [value.ordinal, value.freqstr], _read_period),
    _INTERVAL: _Codec("Interval", _write_interval, _read_interval),
    tuple: _Codec("tuple", _write_items, lambda written: tuple(_read_items(written))),
    list: _Codec("list", _write_items, _read_items),
    dict: _Codec("dict", _write_pairs, _read_pairs),
    np.generic: _Codec("numpy", _write_scalar, _read_scalar),
    np.ndarray: _Codec("array", _write_array, _read_array),
    np.dtype: _Codec(
        "dtype",
        lambda value: _write_float_type(value.type),
        lambda written: np.dtype(_FLOATS[written]),
    ),
    type: _Codec("numpy type", _write_float_type, _FLOATS.__getitem__),
}
_BY_TYPE = {
    **_CODECS,
    # Classes of numpy's dtypes, one for each.
    **{type(np.dtype(name)): _CODECS[np.dtype] for name in _FLOATS},
}
_BY_NAME = {codec.name: codec for codec in _CODECS.values()}
