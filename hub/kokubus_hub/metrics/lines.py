"""InfluxDB's line protocol, written by hand: influxdb-client's ``Point`` costs ten times as much.

Source: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isfinite

Tags = tuple[tuple[str, str], ...]
Field = tuple[str, int | float]
Made = tuple[list[str], list[str]]
"""Points, and the reasons why others could not be made."""
SPOILT = (ValueError, TypeError, ArithmeticError)
"""What making a point raises for a row that no InfluxDB takes."""
NANOS = 1_000_000
"""Nanoseconds of a millisecond, which our instants are."""
_IN_TAGS = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\n": r"\n", "\r": r"\r"})


def series(measurement: str, tags: Tags) -> str:
    """The measurement and its tags, in their order by name. Empty tags are left out."""
    named = "".join(f",{name}={value.translate(_IN_TAGS)}" for name, value in sorted(tags) if value)
    return measurement + named


def line(named: str, fields: Iterable[Field], nanoseconds: int) -> str:
    """One point. ValueError for a value that no InfluxDB takes."""
    values = ",".join(f"{name}={_value(value)}" for name, value in fields)
    return f"{named} {values} {nanoseconds}"


def made(points: Iterable[Callable[[], str]]) -> Made:
    """Each point, as far as it can be made."""
    lines, reasons = [], []
    for point in points:
        try:
            lines.append(point())
        except SPOILT as error:
            reasons.append(str(error))
    return lines, reasons


def _value(value: int | float) -> str:
    if isinstance(value, int):
        return f"{value}i"
    if not isfinite(value):
        raise ValueError(f"{value} is no value: a number must be finite")
    return repr(value)
