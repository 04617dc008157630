"""Weekly hours as absolute windows: ``{"mon": ["08:00-18:00"], "fri": ["22:00-02:00"]}``.

Hours are written as `kokubus.site.opening` reads them; a day that is missing or empty is
closed. Where there is a key ``holiday``, its hours hold on the public holidays of
Baden-Württemberg; a key that is a date (``2026-12-24``) holds on that day before everything
else. Hours belong to the day they begin on: Friday's that run past midnight run into a holiday.

Around a change of the clocks an hour means what
RFC 5545 section 3.3.5 says: 02:30 that does not exist is counted with the offset before the gap
(03:30 on the new clock), 02:30 that comes twice is the first one. Hours that shrink to nothing
in the gap are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from zoneinfo import ZoneInfo

import holidays

from kokubus.errors import SiteError
from kokubus.messages import Instant
from kokubus.rights import Window
from kokubus.site.opening import DAYS, HOLIDAY, hours

Weekly = Mapping[str, Sequence[str]]
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


def last_reset(clock: str, timezone: str, at: Instant) -> Instant:
    """When the wall's clock last read ``clock`` (``HH:MM``), at ``at`` or before."""
    zone = _zone(timezone)
    today = _reset(clock, timezone, _local_day(at, zone).toordinal())
    return today if today <= at else _reset(clock, timezone, _local_day(at, zone).toordinal() - 1)


@lru_cache(maxsize=1024)
def _reset(clock: str, timezone: str, ordinal: int) -> Instant:
    minutes = hours(f"{clock}-24:00").start
    return _instant(date.fromordinal(ordinal), minutes, _zone(timezone))


def always(weekly: Weekly) -> bool:
    """Whether every day is open from its beginning to its end."""
    days = {*DAYS, *weekly}
    return all("00:00-24:00" in weekly.get(day, ()) for day in days)


@lru_cache(maxsize=512)
def is_holiday(day: date) -> bool:
    """Whether a day is a public holiday in Baden-Württemberg (Gesetz über Sonn- und Feiertage)."""
    return day in _calendar(day.year)


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
    weekly = dict(form)
    for name in weekly:
        _check(name)
    special = [day.isoformat(), *([HOLIDAY] if HOLIDAY in weekly and is_holiday(day) else [])]
    key = next((name for name in special if name in weekly), DAYS[day.weekday()])
    spans = [_window(text, day, zone) for text in weekly.get(key, ())]
    return tuple((start, end) for start, end in spans if start < end)


def _check(name: str) -> None:
    if name in DAYS or name == HOLIDAY:
        return
    try:
        if date.fromisoformat(name).isoformat() == name:
            return
    except ValueError:
        pass
    known = f"{', '.join(DAYS)}, {HOLIDAY} or a date such as 2026-12-24"
    raise SiteError(f"opening hours: no day {name!r}; days are {known}")


@lru_cache(maxsize=32)
def _calendar(year: int) -> holidays.HolidayBase:
    return holidays.country_holidays("DE", subdiv="BW", years=year, expand=False)


def _window(text: str, day: date, zone: ZoneInfo) -> Window:
    try:
        found = hours(text)
    except ValueError as error:
        raise SiteError(f"opening hours: {error}") from error
    return _instant(day, found.start, zone), _instant(day, found.end, zone)


def _instant(day: date, minutes: int, zone: ZoneInfo) -> Instant:
    days, minute = divmod(minutes, 24 * 60)
    at = datetime.combine(day + timedelta(days=days), datetime.min.time(), zone)
    return int(at.replace(hour=minute // 60, minute=minute % 60).timestamp()) * 1000


def _local_day(at: Instant, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at // 1000, UTC).astimezone(zone).date()


@lru_cache(maxsize=64)
def _zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (ValueError, OSError, KeyError) as error:
        raise SiteError(f"timezone {timezone!r} is unknown; write it as Europe/Berlin") from error
