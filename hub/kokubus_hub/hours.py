"""Weekly hours as absolute windows: ``{"mon": ["08:00-18:00"], "fri": ["22:00-02:00"]}``.

A day that is missing or empty is closed. Hours whose end is not after their start run past
midnight; ``24:00`` is the end of the day. Around a change of the clocks an hour means what
RFC 5545 section 3.3.5 says: 02:30 that does not exist is counted with the offset before the gap
(03:30 on the new clock), 02:30 that comes twice is the first one. Hours that shrink to nothing
in the gap are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from hashlib import sha256
from zoneinfo import ZoneInfo

from kokubus.errors import SiteError
from kokubus.messages import Instant
from kokubus.rights import Window

Weekly = Mapping[str, Sequence[str]]
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|(24:00))\Z")
_Form = tuple[tuple[str, tuple[str, ...]], ...]


def expand(weekly: Weekly, timezone: str, start: Instant, end: Instant) -> tuple[Window, ...]:
    """Every window of the weekly hours that overlaps ``start <= at < end``, in order.

    Windows are whole, not cut to the range, and merged where they touch; where it is always
    open, they end with the days the range touches. SiteError for hours or a timezone that
    cannot be read. Cached by day: the listener asks for the same days at every tap.
    """
    zone = _zone(timezone)
    first = _local_day(start, zone).toordinal() - 1  # yesterday's hours may run into the range
    last = _local_day(end, zone).toordinal()
    span = _span(_freeze(weekly), timezone, first, last)
    return tuple(window for window in span if window[0] < end and start < window[1])


def hours_of(weekly: Weekly, timezone: str, day: date) -> tuple[Window, ...]:
    """The windows that begin on one day, whatever they run into; none if it is closed."""
    return merge(_day(_freeze(weekly), timezone, day.toordinal()))


def always(weekly: Weekly) -> bool:
    """Whether every day is open from its beginning to its end."""
    return all("00:00-24:00" in weekly.get(day, ()) for day in DAYS)


def schedule_key(weekly: Weekly, timezone: str) -> str:
    """A short name of these hours, the same wherever they are used."""
    return _key(_freeze(weekly), timezone)


def merge(windows: Iterable[Window]) -> tuple[Window, ...]:
    """The windows in order, those that touch or overlap as one."""
    merged: list[Window] = []
    for start, end in sorted(windows):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _freeze(weekly: Weekly) -> _Form:
    return tuple((day, tuple(hours)) for day, hours in sorted(weekly.items()))


@lru_cache(maxsize=1024)
def _key(form: _Form, timezone: str) -> str:
    return "h" + sha256(repr((form, timezone)).encode()).hexdigest()[:8]


@lru_cache(maxsize=2048)
def _span(form: _Form, timezone: str, first: int, last: int) -> tuple[Window, ...]:
    days = range(first, last + 1)
    return merge(window for day in days for window in _day(form, timezone, day))


@lru_cache(maxsize=8192)
def _day(form: _Form, timezone: str, ordinal: int) -> tuple[Window, ...]:
    day, zone = date.fromordinal(ordinal), _zone(timezone)
    unknown = next((name for name, _ in form if name not in DAYS), None)
    if unknown is not None:
        raise SiteError(f"opening hours: no day {unknown!r}; days are {', '.join(DAYS)}")
    spans = [_window(hours, day, zone) for hours in dict(form).get(DAYS[day.weekday()], ())]
    return tuple((start, end) for start, end in spans if start < end)


def _window(hours: str, day: date, zone: ZoneInfo) -> Window:
    found = _HOURS.match(hours)
    if found is None:
        raise SiteError(f"opening hours {hours!r}: write them as 08:00-18:00")
    opens = time(int(found[1]), int(found[2]))
    closes = time(0) if found[5] else time(int(found[3]), int(found[4]))
    ends = day if closes > opens else day + timedelta(days=1)
    return _instant(day, opens, zone), _instant(ends, closes, zone)


def _instant(day: date, at: time, zone: ZoneInfo) -> Instant:
    return int(datetime.combine(day, at, zone).timestamp()) * 1000


def _local_day(at: Instant, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at // 1000, UTC).astimezone(zone).date()


@lru_cache(maxsize=64)
def _zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (ValueError, OSError, KeyError) as error:
        raise SiteError(f"timezone {timezone!r} is unknown; write it as Europe/Berlin") from error
