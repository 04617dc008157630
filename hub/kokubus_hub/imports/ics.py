"""Calendars (RFC 5545) as times in which somebody has a room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from math import prod
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

from kokubus.messages import Instant
from kokubus.rights import Window
from kokubus_hub.imports.lines import needed
from kokubus_hub.imports.problems import ImportFileError, Problem
from kokubus_hub.imports.slots import Calendar, Named, Slot

SIZE_LIMIT = 10 * 1024 * 1024
EXPANSION_LIMIT = 20_000
_REPEATS = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
_EXACT = "X-KOKUBUS-EXACT"
_TIMES_A_DAY = 4
_DATES = 2_000
EVENT_LIMIT = 20_000
_EVENTS = frozenset({"event", "veranstaltung", "public event", "öffentliche veranstaltung"})
_BLOCKS = (b"VCALENDAR", b"VEVENT")
_ONCE = ("UID", "DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "STATUS")
_KINDS = (("DTSTART", date), ("DTEND", date), ("RECURRENCE-ID", date), ("DURATION", timedelta))
"""What a property's value has to be; a date with a time is a date."""
Times = tuple[Any, Any]
"""Start and end as an event says them: both dates, or both with a time."""


def read(name: str, content: bytes, zone: ZoneInfo, start: Instant, end: Instant) -> Calendar:
    """All occurrences that end after ``start`` and begin before ``end``, cancelled ones left out.

    Times without a zone are of ``zone``. ``ImportFileError`` lists every event that is wrong.
    """
    if len(content) > SIZE_LIMIT:
        raise _refused(name, f"over {SIZE_LIMIT >> 20} MB; export a shorter period")
    calendar = _parsed(name, content)
    events = calendar.walk("VEVENT")
    if len(events) > EVENT_LIMIT:
        raise _refused(name, f"more than {EVENT_LIMIT} events; export a shorter period")
    if problems := [Problem(0, wrong) for event in events for wrong in _wrongs(event)]:
        raise ImportFileError({name: problems})
    repeated = {_uid(event) for event in events if _is_repeated(event)}
    found = Calendar({_uid(event) for event in events}, off=set(_off(events, zone)))
    for occurrence, times in _occurrences(name, events, start, end, zone):
        slots = _slots(occurrence, times, zone, (start, end), _uid(occurrence) in repeated)
        found.slots += slots
    found.slots.sort(key=lambda slot: (slot.start, slot.uid, slot.recurrence_id))
    return found


def _off(events: Sequence[Any], zone: ZoneInfo) -> Iterator[tuple[str, str]]:
    for event in events:
        single = event.get("RECURRENCE-ID")
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            yield _uid(event), "*" if single is None else _stable(single.dt, zone)
        for listed in _several(event, "EXDATE"):
            dates = (one.dt for one in listed.dts if isinstance(one.dt, date))
            yield from ((_uid(event), _stable(one, zone)) for one in dates)


def _parsed(name: str, content: bytes) -> icalendar.Calendar:
    if b"\0" in content:
        raise _refused(name, "no calendar (.ics): holds a zero byte")
    marks = [line.strip().upper() for line in content.splitlines()]
    # the parser forgives an end that is missing, but half a download is not a calendar
    if any(marks.count(b"BEGIN:" + one) != marks.count(b"END:" + one) for one in _BLOCKS):
        raise _refused(name, "no calendar (.ics): not complete; load it again")
    try:
        lines: Any = needed(content)  # its parser takes lines as well, which its types do not say
        return icalendar.Calendar.from_ical(lines)
    except MemoryError:
        raise
    except Exception as error:  # the library stumbles over damaged lines in many ways
        raise _refused(name, f"no calendar (.ics): {str(error)[:200]}") from error


def local_time(at: Instant, zone: ZoneInfo) -> str:
    """An instant as somebody there would write it: ``31.12.2026 18:00``."""
    return f"{datetime.fromtimestamp(at / 1000, zone):%d.%m.%Y %H:%M}"


def _occurrences(
    name: str, events: Sequence[Any], start: Instant, end: Instant, zone: ZoneInfo
) -> Iterator[tuple[Any, Times]]:
    """Each event's of the span; most events happen once, and need no working out."""
    count = 0
    by_uid: dict[str, list[Any]] = {}
    for event in events:
        by_uid.setdefault(_uid(event), []).append(event)
    for same in by_uid.values():
        try:
            found = same if not _is_series(same) else _expanded(same, start, end)
            for one in found:
                times = one.start, one.end  # the library works both out whenever it is asked
                within = _instant(times[0], zone) < end and _instant(times[1], zone) > start
                if within and str(one.get("STATUS", "")).upper() != "CANCELLED":
                    yield one, times
        except (ValueError, KeyError, OverflowError, TypeError) as error:
            text = f"the repetitions of {_uid(same[0])[:60]} cannot be worked out: {error}"
            raise _refused(name, text[:300]) from error
        count += len(found)
        if count > EXPANSION_LIMIT:
            raise _refused(name, f"more than {EXPANSION_LIMIT} occurrences; export less")


def _is_series(events: Sequence[Any]) -> bool:
    return len(events) > 1 or _is_repeated(events[0])


def _expanded(events: Sequence[Any], start: Instant, end: Instant) -> list[Any]:
    series = icalendar.Calendar()
    for event in events:
        if "DURATION" in event:  # occurrences are given a DTEND in its place
            event[_EXACT] = "1"
        series.add_component(event)
    day = timedelta(days=1)  # zones differ by less
    found: list[Any] = recurring_ical_events.of(series).between(
        _time(start) - day, _time(end) + day
    )
    return found


def _wrongs(event: Any) -> Iterator[str]:
    where = f"event {str(event.get('SUMMARY', ''))[:60]!r} ({_uid(event)[:60] or 'without UID'})"
    if not _uid(event):
        yield f"{where}: UID is missing"
    if broken := [f"{field}: {text}" for field, text in event.errors]:
        yield f"{where}: {'; '.join(broken)[:200]}"
    elif twice := [name for name in _ONCE if isinstance(event.get(name), list)]:
        yield f"{where}: {twice[0]} stands there more than once"
    elif "DTSTART" not in event:
        yield f"{where}: DTSTART is missing"
    elif odd := [name for name, kind in _KINDS if name in event and not _is(event, name, kind)]:
        yield f"{where}: {odd[0]} says something of another kind"
    else:
        yield from (f"{where}: {wrong}" for wrong in _wrong_times(event))


def _is(event: Any, name: str, kind: type) -> bool:
    return isinstance(event[name].dt, kind)


def _wrong_times(event: Any) -> Iterator[str]:
    for name in ("DTSTART", "DTEND"):
        said = event.get(name)
        zone = said.params.get("TZID") if said is not None else None
        if zone and isinstance(said.dt, datetime) and said.dt.tzinfo is None:
            yield f"{name}: unknown time zone {zone[:60]!r}"
    first, last = event["DTSTART"].dt, event["DTEND"].dt if "DTEND" in event else None
    if last is not None and isinstance(first, datetime) != isinstance(last, datetime):
        yield "one of DTSTART and DTEND has a time and the other has none"
    elif last is not None and _instant(last, UTC) <= _instant(first, UTC):
        yield "it ends before it begins"
    elif isinstance(first, datetime) and last is None and "DURATION" not in event:
        yield "DTEND is missing"
    elif "DURATION" in event and event["DURATION"].dt <= timedelta(0):
        yield "it ends before it begins"
    if any(_too_often(rule) for rule in _several(event, "RRULE")):
        yield "it repeats more often than daily"
    if sum(len(one.dts) for name in ("RDATE", "EXDATE") for one in _several(event, name)) > _DATES:
        yield f"it names more than {_DATES} single dates"


def _too_often(rule: Any) -> bool:
    """Hourly or worse, also by several hours, minutes or seconds of a day, or without end."""
    often = str(next(iter(rule.get("FREQ", [])), "")).upper() not in _REPEATS
    times = [len(rule.get(by, (0,))) for by in ("BYHOUR", "BYMINUTE", "BYSECOND")]
    return often or prod(times) > _TIMES_A_DAY or min(rule.get("INTERVAL", (1,)), default=1) < 1


def _is_repeated(event: Any) -> bool:
    return any(name in event for name in ("RRULE", "RDATE", "RECURRENCE-ID"))


def _slots(
    occurrence: Any, times: Times, zone: ZoneInfo, span: Window, repeated: bool
) -> Iterator[Slot]:
    start, end = times
    named = _stable(occurrence["RECURRENCE-ID"].dt, zone) if repeated else ""
    if isinstance(start, datetime):
        yield _slot(occurrence, _period(occurrence, times, zone), named, None)
        return
    for day in _days(times, span):
        one = f"{named}#{day}" if (end - start).days > 1 else named
        period = _instant(day, zone), _instant(day + timedelta(days=1), zone)
        if period[1] > span[0] and period[0] < span[1]:
            yield _slot(occurrence, period, one, day.isoformat())


def _days(times: Times, span: Window) -> Iterator[date]:
    """Those that may lie within the span: what is booked for ever has days without end."""
    around = timedelta(days=2)  # zones differ by less
    first = max(times[0], _time(span[0]).date() - around)
    last = min(times[1], _time(span[1]).date() + around)
    for n in range((last - first).days):
        yield first + timedelta(days=n)


def _period(occurrence: Any, times: Times, zone: ZoneInfo) -> tuple[Instant, Instant]:
    """Hours of a DURATION are exact (RFC 5545, 3.3.6), also while the clocks change.

    An end by the wall clock that is then not after its start is taken as so much later.
    """
    first, last = _instant(times[0], zone), _instant(times[1], zone)
    plain = [moment.replace(tzinfo=None) for moment in times]
    length = plain[1] - plain[0]
    exact = ("DURATION" in occurrence or _EXACT in occurrence) and length % timedelta(days=1)
    if exact or last <= first:
        last = first + int(length.total_seconds() * 1000)
    return first, last


def _slot(occurrence: Any, period: tuple[Instant, Instant], named: str, day: str | None) -> Slot:
    return Slot(
        uid=_uid(occurrence),
        recurrence_id=named,
        start=period[0],
        end=period[1],
        date=day,
        title=str(occurrence.get("SUMMARY", ""))[:200],
        people=tuple(dict.fromkeys(_people(occurrence))),
        event=not _EVENTS.isdisjoint(one.casefold() for one in occurrence.categories),
    )


def _people(occurrence: Any) -> Iterator[Named]:
    """Rooms and things that were invited are nobody, and who declined does not come."""
    for one in (*_several(occurrence, "ORGANIZER"), *_several(occurrence, "ATTENDEE")):
        address = str(one).strip().lower().removeprefix("mailto:")
        params = getattr(one, "params", {})
        thing = str(params.get("CUTYPE", "")).upper() in ("ROOM", "RESOURCE", "GROUP")
        declined = str(params.get("PARTSTAT", "")).upper() == "DECLINED"
        if "@" in address and not thing and not declined:
            yield Named(address[:254], str(params.get("CN", ""))[:120])


def _several(event: Any, name: str) -> list[Any]:
    held = event.get(name, [])
    return held if isinstance(held, list) else [held]


def _stable(moment: date, zone: ZoneInfo) -> str:
    if not isinstance(moment, datetime):
        return moment.isoformat()
    return f"{_time(_instant(moment, zone)):%Y%m%dT%H%M%SZ}"


def _instant(moment: date, zone: Any) -> Instant:
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time(), zone)
    elif moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return int(moment.timestamp() * 1000)


def _time(at: Instant) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)


def _uid(event: Any) -> str:
    return str(event.get("UID", ""))[:255]


def _refused(name: str, text: str) -> ImportFileError:
    return ImportFileError({name: [Problem(0, text)]})
