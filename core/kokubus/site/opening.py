"""Weekly opening hours: ``{"mon": ["07:00-12:00", "22:00-02:00"], ...}`` and the windows they mean.

A day that is missing or empty is closed. Hours that end at or before they begin end on the next
day; ``00:00-24:00`` is the whole day. Times are the site's own: in the hour that happens twice
the first is meant, in the hour that does not happen the clock has already moved on (PEP 495).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from kokubus.rights import Window

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FORM = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(([01]\d|2[0-3]):([0-5]\d)|24:00)")
_DAY_MIN = 24 * 60


@dataclass(frozen=True, slots=True)
class Hours:
    """Minutes after midnight, ``start < end``; beyond 1440 is the next day."""

    start: int
    end: int


def hours(text: str) -> Hours:
    """``HH:MM-HH:MM`` as minutes; ValueError with a sentence for anything else."""
    if not _FORM.fullmatch(text):
        raise ValueError(f"{text!r} are no hours; write them as 07:00-20:00 or 22:00-02:00")
    start, end = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
    if start == end:
        raise ValueError(f"{text!r} begin and end together; the whole day is 00:00-24:00")
    return Hours(start, end if end > start else end + _DAY_MIN)


def open_windows(
    week: Mapping[str, Sequence[str]], timezone: str, first: date, last: date
) -> tuple[Window, ...]:
    """When hours that begin on the days ``first..last`` (inclusive) hold, in order, merged.

    The night before ``first`` may reach into it: ask from the day before to have it.
    """
    zone = ZoneInfo(timezone)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    spans = (
        (_instant(day, span.start, zone), _instant(day, span.end, zone))
        for day in days
        for span in map(hours, week.get(DAYS[day.weekday()], ()))
    )
    return tuple(_merged(sorted((start, end) for start, end in spans if start < end)))


def _instant(day: date, minutes: int, zone: ZoneInfo) -> int:
    days, rest = divmod(minutes, _DAY_MIN)
    local = datetime.combine(day + timedelta(days=days), time(*divmod(rest, 60)), zone)
    return int(local.timestamp()) * 1000


def _merged(windows: Iterable[Window]) -> list[Window]:
    merged: list[Window] = []
    for start, end in windows:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
