"""Bookings of a room from a calendar: added, moved and cancelled as the calendar has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, RowMapping, func, select

from kokubus.messages import Instant
from kokubus_hub.database import reading
from kokubus_hub.imports import ics
from kokubus_hub.imports.ics import Calendar, Slot
from kokubus_hub.imports.problems import ImportFileError, Problem, Result
from kokubus_hub.imports.staging import ARRIVING, Clock, Plan, Row, Stage, recover, store
from kokubus_hub.models import Booking, Member, Room, Site, table

HORIZON_MS = 400 * 86_400_000
_BOOKING, _MEMBER, _ROOM, _SITE = (table(one) for one in (Booking, Member, Room, Site))
_COMPARED = ("member_id", "start", "end", "whole_day", "date", "title")
Key = tuple[str, str]


@dataclass(slots=True)
class _Work:
    room: RowMapping
    source: str
    now: Instant
    members: Mapping[str, int]
    held: Mapping[Key, RowMapping]
    result: Result = field(default_factory=Result)
    added: list[Row] = field(default_factory=list)
    updates: list[Row] = field(default_factory=list)


def import_bookings(
    engine: Engine,
    name: str,
    content: bytes,
    room: str,
    clock: Clock,
    *,
    complete: bool = False,
) -> Result:
    """Import what a calendar holds of the next 400 days as bookings of ``room`` (its slug).

    An occurrence belongs to its organizer, else to its first attendee who is a member; one
    of nobody we know is listed in the notes. Importing a file again changes only what changed
    in it; an occurrence that is gone is cancelled if its event is still in the file, or if the
    file is said to be the ``complete`` calendar. `ImportFileError`: nothing was changed.
    """
    now = clock()
    recover(engine, now)
    work = _look_up(engine, name, room, now)
    zone = ZoneInfo(work.room["timezone"])
    calendar = ics.read(name, content, zone, now, now + HORIZON_MS)
    wanted = _owned(work, calendar.slots)
    for key, (slot, member) in wanted.items():
        _place(work, key, slot, member)
    _cancel(work, calendar, set(wanted), complete)
    if work.added or work.updates:
        store(engine, _plan(work), clock)
    return work.result


def _look_up(engine: Engine, name: str, room: str, now: Instant) -> _Work:
    source = f"ics:{room}"
    with reading(engine) as connection:
        joined = select(_ROOM, _SITE.c.timezone).join(_SITE, _SITE.c.id == _ROOM.c.site_id)
        found = connection.execute(joined.where(_ROOM.c.slug == room)).mappings().one_or_none()
        if found is None:
            slugs = ", ".join(connection.execute(select(_ROOM.c.slug)).scalars()) or "none yet"
            text = f"there is no room {room!r}; known: {slugs}"
            raise ImportFileError({name: [Problem(0, text)]})
        emails = select(func.lower(_MEMBER.c.email), _MEMBER.c.id).where(_MEMBER.c.email != "")
        members = {str(email): int(key) for email, key in connection.execute(emails)}
        rows = connection.execute(select(_BOOKING).where(_BOOKING.c.source == source)).mappings()
        held = {(row["external_uid"], row["recurrence_id"]): row for row in rows}
        return _Work(found, source, now, members, held)


def _owned(work: _Work, slots: Sequence[Slot]) -> dict[Key, tuple[Slot, int]]:
    owned: dict[Key, tuple[Slot, int]] = {}
    for slot in slots:
        members = [work.members[email] for email in slot.emails if email in work.members]
        if members:
            owned[slot.uid, slot.recurrence_id] = (slot, members[0])
        else:
            work.result.notes.append(f"not imported, {_strangers(slot)}: {_named(slot, work)}")
        if others := len(set(members)) - 1 if members else 0:
            text = f"{others} more members attend, but only the holder may enter"
            work.result.notes.append(f"{text}: {_named(slot, work)}")
    return owned


def _strangers(slot: Slot) -> str:
    if not slot.emails:
        return "neither organizer nor attendee"
    return f"no member has the address {', '.join(slot.emails[:3])}"


def _named(slot: Slot, work: _Work) -> str:
    when = ics.local_time(slot.start, ZoneInfo(work.room["timezone"]))
    return f"{slot.title[:60]!r}, {slot.date or when}"


def _place(work: _Work, key: Key, slot: Slot, member: int) -> None:
    said = {
        "member_id": member,
        "start": slot.start,
        "end": slot.end,
        "whole_day": slot.date is not None,
        "date": slot.date,
        "title": slot.title,
        "status": "confirmed",
        "changed_at": work.now,
        "change_id": ARRIVING,
    }
    held = work.held.get(key)
    if held is None:
        work.added.append(said | _born(work, key))
        work.result.added += 1
    elif all(held[name] == said[name] for name in (*_COMPARED, "status")):
        work.result.unchanged += 1
    else:
        work.updates.append({"id": held["id"], **said})
        work.result.changed += 1


def _born(work: _Work, key: Key) -> dict[str, Any]:
    return {
        "room_id": work.room["id"],
        "source": work.source,
        "external_uid": key[0],
        "recurrence_id": key[1],
        "created_at": work.now,
    }


def _cancel(work: _Work, calendar: Calendar, wanted: set[Key], complete: bool) -> None:
    left = 0
    for key, held in work.held.items():
        ahead = held["end"] > work.now and held["start"] < work.now + HORIZON_MS
        if key in wanted or not ahead or held["status"] == "cancelled":
            continue
        if complete or key[0] in calendar.uids:
            gone = {"status": "cancelled", "changed_at": work.now, "change_id": ARRIVING}
            work.updates.append({"id": held["id"], **gone})
            work.result.cancelled += 1
        else:
            left += 1
    if left:
        text = f"{left} bookings of earlier imports are not in this file and stay"
        work.result.notes.append(f"{text}; --complete would cancel them")


def _plan(work: _Work) -> Plan:
    return Plan(
        what=f"bookings of {work.room['slug']} imported",
        site_id=work.room["site_id"],
        room_id=work.room["id"],
        stages=(Stage(_BOOKING, lambda _: work.added),),
        updates=(Stage(_BOOKING, lambda _: work.updates),),
    )
