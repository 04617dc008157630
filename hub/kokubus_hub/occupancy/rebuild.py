"""The past once more, from recorded facts: `kokubus hub rebuild-occupancy`.

Every estimate follows from passages, readings, head counts, opening hours, faults and
calibrations, all of which are kept. What came too late for the live count is in it now. The
hub may go on working meanwhile: a day is written at a time, and the belief itself is only
replaced if nothing was folded into it since it was read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, select, union_all, update

from kokubus.messages import Instant
from kokubus.occupancy import Belief, Evidence, initial
from kokubus_hub import models, places
from kokubus_hub.counting import predicted
from kokubus_hub.database import reading, writing
from kokubus_hub.models import table
from kokubus_hub.occupancy import history
from kokubus_hub.occupancy.calibrating import Calibrations
from kokubus_hub.occupancy.evidence import of_room
from kokubus_hub.occupancy.fold import WINDOW_MS, followed
from kokubus_hub.places import Places, RoomPlace

DAY_MS = 86_400_000
EARLIEST: Instant = 1_577_836_800_000
"""2020: what claims to be older is of a clock that was never set."""
_BELIEF, _ESTIMATE = table(models.Belief), table(models.Estimate)
_SNAPSHOT, _SENSOR = table(models.BeliefSnapshot), table(models.Sensor)
_PASSAGE, _READING, _LABEL = (
    table(one) for one in (models.Passage, models.Reading, models.HeadCount)
)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was done for one room."""

    room: str
    evidence: int
    estimates: int


def rebuild(engine: Engine, now: Instant, rooms: list[str] | None = None) -> Iterator[Rebuilt]:
    """Rebuild every room, or those named; one result a room as it is done."""
    with reading(engine) as connection:
        known = places.current(connection, None)
    for room in known.rooms.values():
        if rooms is None or room.slug in rooms:
            yield _Room(engine, known, room, now).rebuilt()


class _Room:
    """One room's past, a day at a time."""

    def __init__(self, engine: Engine, known: Places, room: RoomPlace, now: Instant) -> None:
        self._engine, self._known, self._now = engine, known, now
        self._room = room
        with reading(engine) as connection:
            self._learned = Calibrations(connection, room)
        self._belief: Belief | None = None
        self._reached: Belief | None = None
        self._anchor: Belief | None = None
        self._evidence = self._estimates = 0

    def rebuilt(self) -> Rebuilt:
        with reading(self._engine) as connection:
            start = _first(connection, self._known, self._room)
        if start is not None:
            window = max(self._now - WINDOW_MS, start + 1)
            for end in sorted({*range(start + DAY_MS, self._now, DAY_MS), window, self._now}):
                self._day(start, end)
                self._anchor = self._belief if end == window else self._anchor
                start = end
            self._take_over()
        return Rebuilt(self._room.slug, self._evidence, self._estimates)

    def _day(self, after: Instant, until: Instant) -> None:
        with reading(self._engine) as connection:
            evidence = of_room(connection, self._known, self._room, (after, until))
        since = self._belief.at if self._belief else after
        rows = self._folded(evidence, until)
        self._evidence += len(evidence)
        self._estimates += len(rows)
        if rows:
            with writing(self._engine) as connection:
                history.replace(connection, self._room.id, since, until, rows)

    def _folded(self, evidence: list[Evidence], until: Instant) -> list[history.EstimateRow]:
        """The day's estimates; the belief goes on to the day's end."""
        rows: list[history.EstimateRow] = []
        belief = self._belief
        for room, held in self._learned.spans(evidence):
            belief = belief or initial(room.model, held[0].at)
            belief, passed = followed(self._known, room, belief, held)
            rows += passed
        if belief is not None:
            room = self._learned.at(until)
            rows += history.rows(self._known, room, belief, until)
            self._reached = belief
            belief = predicted(self._known, room, belief, until)
        self._belief = belief
        return rows

    def _take_over(self) -> None:
        """The belief itself, unless the listener has gone on meanwhile: then that one stands.

        With a snapshot of half an hour ago, so that what comes late is still put right.
        """
        belief = self._reached
        if belief is None:
            return
        of_room = _BELIEF.c.room_id == self._room.id
        with writing(self._engine) as connection:
            row = connection.execute(select(_BELIEF).where(of_room)).first()
            if row is None or row.at > belief.at:
                return
            values: dict[str, Any] = {"at": belief.at, "state": belief.to_json()}
            values |= {"version": row.version + 1}
            connection.execute(update(_BELIEF).where(of_room).values(values))
            gone = delete(_SNAPSHOT).where(_SNAPSHOT.c.room_id == self._room.id)
            connection.execute(gone)
            kept = {one.at: one.to_json() for one in (self._anchor, belief) if one}
            rows = [{"room_id": self._room.id, "at": at, "state": kept[at]} for at in kept]
            connection.execute(_SNAPSHOT.insert(), rows)


def _first(connection: Connection, known: Places, room: RoomPlace) -> Instant | None:
    """Just before the room's first evidence; None if there is none."""
    doors = [d.id for d in known.doors.values() if room.id in (d.room_id, d.from_room_id)]
    sensors = select(_SENSOR.c.id).where(_SENSOR.c.room_id == room.id)
    firsts = union_all(
        select(func.min(_PASSAGE.c.at).label("at")).where(_PASSAGE.c.door_id.in_(doors)),
        select(func.min(_READING.c.at)).where(_READING.c.sensor_id.in_(sensors)),
        select(func.min(_LABEL.c.at)).where(_LABEL.c.room_id == room.id),
    ).subquery()
    first = connection.execute(select(func.min(firsts.c.at))).scalar()
    return None if first is None else max(int(first) - 1, EARLIEST)
