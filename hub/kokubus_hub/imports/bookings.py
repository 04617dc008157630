"""Bookings of a room from a calendar: added, moved and cancelled as the calendar has them.

The calendar is read and compared as a whole before anything is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, RowMapping, func, select

from kokubus.messages import Instant
from kokubus_hub.bookings import checks, claims
from kokubus_hub.bookings.claims import Ask, TakenError
from kokubus_hub.bookings.merging import merged
from kokubus_hub.calendars import inbox
from kokubus_hub.database import reading, writing
from kokubus_hub.imports import apart, ics
from kokubus_hub.imports.held import Held, Key, held_by
from kokubus_hub.imports.problems import Result
from kokubus_hub.imports.slots import Calendar, Slot
from kokubus_hub.imports.staging import ARRIVING, Clock, Plan, Row, Stage, recover, store
from kokubus_hub.models import Booking, table

_BOOKING = table(Booking)
HORIZON_MS = 400 * 86_400_000
Read: TypeAlias = Callable[[str, bytes, ZoneInfo, Instant, Instant], Calendar]
Parts: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Planned:
    """What an import would do. ``lost`` of the ``ahead`` bookings are in it no more, unsaid:
    their event is ``gone``, or their series is shorter. It ``names`` so many occurrences.

    ``fingerprint`` is that of all occurrences, so that somebody can confirm these and no others.
    """

    held: Held
    now: Instant
    events: bool
    fingerprint: str = ""
    lost: int = 0
    gone: int = 0
    ahead: int = 0
    names: int = 0
    result: Result = field(default_factory=Result)
    added: list[Row] = field(default_factory=list)
    updates: list[Row] = field(default_factory=list)
    doubts: list[tuple[inbox.Kind, str, Parts]] = field(default_factory=list)

    def note(self, text: str, slot: Slot) -> None:
        """Something for whoever imports by hand to read."""
        self.result.notes.append(f"{text}: {slot.title[:60]!r}, {self.when(slot)}")

    @property
    def shrunk(self) -> bool:
        """Whether more than half is gone. A series that moves to another day loses nothing."""
        half = self.ahead / 2
        return self.gone > half or (self.lost > half and self.names < half)

    def when(self, slot: Slot) -> str:
        """As somebody there would write it."""
        return slot.date or ics.local_time(slot.start, ZoneInfo(self.held.room["timezone"]))


def import_bookings(
    engine: Engine,
    name: str,
    content: bytes,
    room: str,
    clock: Clock,
    *,
    complete: bool = False,
    read: Read = apart.read,
) -> Result:
    """Import what a calendar holds of the next 400 days as bookings of ``room`` (its slug).

    An occurrence belongs to its organizer, else to its first attendee who is a member; the
    others who are, come along. It takes its seat whoever it names; who is nobody we know goes
    to the inbox. Importing a file again changes only what changed in it; what people changed
    meanwhile stays. An occurrence that is gone is cancelled if its event is still in the file,
    or if the file is said to be the ``complete`` calendar. `ImportFileError`: nothing was
    changed.
    """
    now = clock()
    recover(engine, now)
    file = File(name=name, content=content, room=room, complete=complete)
    planned = plan(engine, file, now, read)
    carry_out(engine, planned, clock)
    if conflicts := _conflicts(engine, planned):
        text = f"{conflicts} bookings find their seats taken by others and are not in force"
        planned.result.notes.append(f"{text}; the inbox says which")
    return planned.result


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A calendar as it came, for a room (its slug).

    ``complete``: what it does not name is cancelled. ``events``: its public events are to hold
    their doors open.
    """

    name: str
    content: bytes
    room: str
    complete: bool = False
    events: bool = False


def plan(engine: Engine, file: File, now: Instant, read: Read = apart.read) -> Planned:
    """Compare a calendar with what is booked; `ImportFileError` lists all that is wrong with it."""
    with reading(engine) as connection:
        held = held_by(connection, file.name, file.room)
    zone = ZoneInfo(held.room["timezone"])
    calendar = read(file.name, file.content, zone, now, now + HORIZON_MS)
    wanted = {(slot.uid, slot.recurrence_id): slot for slot in calendar.slots}
    planned = Planned(held, now, file.events, _fingerprint(calendar), names=len(wanted))
    with reading(engine) as connection:
        for key, slot in wanted.items():
            _place(planned, connection, key, slot)
    _cancel(planned, calendar, wanted, complete=file.complete)
    return planned


def carry_out(engine: Engine, planned: Planned, clock: Clock) -> None:
    """Do it: all or nothing, in short transactions."""
    if planned.doubts:
        with writing(engine) as connection:
            for kind, about, detail in planned.doubts:
                inbox.note(connection, planned.held.room["id"], kind, about, detail, planned.now)
    if planned.added or planned.updates:
        store(engine, _stages(planned), clock)


def _place(planned: Planned, connection: Connection, key: Key, slot: Slot) -> None:
    theirs = _parts(planned, slot)
    row = planned.held.rows.get(key)
    if row is None:
        planned.added.append(_values(planned, theirs) | _born(planned, key, theirs))
        planned.result.added += 1
    elif row["said"] != theirs:
        _merge(planned, row, theirs)
    elif row["status"] == "conflict" and _free(planned, connection, row):
        ours = planned.held.parts(row)
        planned.updates.append(_seen(row) | _values(planned, ours) | {"said": theirs})
        planned.result.changed += 1
    else:
        planned.result.unchanged += 1


def _merge(planned: Planned, row: RowMapping, theirs: Parts) -> None:
    ours = planned.held.parts(row)
    fresh, both = merged(row["said"], ours, theirs)
    if both:
        detail = {"booking": row["id"], "parts": both, "source": theirs}
        planned.doubts.append(("changed_twice", str(row["id"]), detail))
    if fresh == ours:
        planned.updates.append(_seen(row) | {"said": theirs})
        planned.result.unchanged += 1
        return
    said = {"said": theirs, "companions": fresh["companions"]}
    planned.updates.append(_seen(row) | _values(planned, fresh) | said)
    planned.result.cancelled += fresh["cancelled"]
    planned.result.changed += not fresh["cancelled"]


def _seen(row: RowMapping) -> Row:
    """Which booking is to be changed, and as of which change it was looked at."""
    return {"id": row["id"], "seen": row["change_id"]}


def _parts(planned: Planned, slot: Slot) -> Parts:
    """What the calendar says; people by row id, and those nobody knows noted."""
    known: dict[int, None] = {}
    for person in slot.people:
        found = planned.held.people.get(person.email, 0)
        if found == 0:
            about = {"name": person.name, "title": slot.title, "date": planned.when(slot)}
            planned.doubts.append(("unknown_person", person.email, about))
            planned.note(f"nobody is known as {person.email}", slot)
        elif found is not None:
            known[found] = None
    if not slot.people:
        about = {"title": slot.title, "date": planned.when(slot)}
        planned.doubts.append(("nobody", slot.uid, about))
        planned.note("names nobody, so it takes the room and opens nothing", slot)
    who, others = next(iter(known), None), list(known)[1:]
    event = slot.event and planned.events
    if event and planned.held.unfit:
        planned.note(planned.held.unfit, slot)
    return {
        "when": [slot.start, slot.end, slot.date],
        "who": who,
        "companions": sorted(others),
        "title": slot.title,
        "kind": "event" if event and not planned.held.unfit else "booking",
        "cancelled": False,
    }


def _values(planned: Planned, parts: Mapping[str, Any]) -> Row:
    start, end, day = parts["when"]
    event = parts["kind"] == "event"
    return {
        "member_id": parts["who"],
        "start": start,
        "end": end,
        "whole_day": day is not None,
        "date": day,
        "title": parts["title"],
        "kind": parts["kind"],
        "desks": None if event or planned.held.room["desks"] is None else 1,
        "people": 1 + len(parts["companions"]),
        "status": "cancelled" if parts["cancelled"] else "confirmed",
        "changed_at": planned.now,
        "change_id": ARRIVING,
    }


def _born(planned: Planned, key: Key, theirs: Parts) -> Row:
    return {
        "room_id": planned.held.room["id"],
        "source": planned.held.source,
        "external_uid": key[0],
        "recurrence_id": key[1],
        "created_at": planned.now,
        "said": theirs,
    }


def _free(planned: Planned, connection: Connection, row: RowMapping) -> bool:
    room: Any = planned.held.room_row
    if checks.meets((row["start"], row["end"]), planned.held.road):
        return False
    ask = Ask(booking=row["id"], room=room, span=(row["start"], row["end"]), desks=row["desks"])
    try:
        claims.free_seats(connection, ask)
    except TakenError:
        return False
    return True


def _conflicts(engine: Engine, planned: Planned) -> int:
    mine = (_BOOKING.c.source == planned.held.source) & (_BOOKING.c.end > planned.now)
    with reading(engine) as connection:
        query = select(func.count()).where(mine, _BOOKING.c.status == "conflict")
        return int(connection.execute(query).scalar_one())


def _cancel(
    planned: Planned, calendar: Calendar, wanted: Mapping[Key, Slot], *, complete: bool
) -> None:
    left = 0
    for key, row in planned.held.rows.items():
        ahead = row["end"] > planned.now and row["start"] < planned.now + HORIZON_MS
        if not ahead or row["status"] not in ("confirmed", "conflict"):
            continue
        planned.ahead += 1
        gone = key[0] not in calendar.uids
        if key in wanted or (gone and not complete):
            left += key not in wanted
            continue
        planned.gone += gone
        planned.lost += not calendar.says_off(*key)
        _merge(planned, row, dict(row["said"] or planned.held.parts(row)) | {"cancelled": True})
    if left:
        text = f"{left} bookings of earlier imports are not in this file and stay"
        planned.result.notes.append(f"{text}; --complete would cancel them")


def _fingerprint(calendar: Calendar) -> str:
    lines = sorted(f"{one.uid}|{one.recurrence_id}|{one.start}|{one.end}" for one in calendar.slots)
    return sha256("\n".join(lines).encode()).hexdigest()


def _stages(planned: Planned) -> Plan:
    room = planned.held.room
    return Plan(
        what=f"bookings of {room['slug']} imported",
        site_id=room["site_id"],
        room_id=room["id"],
        stages=(Stage(_BOOKING, lambda _: planned.added),),
        updates=(Stage(_BOOKING, lambda _: planned.updates),),
    )
