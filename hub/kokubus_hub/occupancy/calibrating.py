"""Each night every room is taught by its day (`kokubus.occupancy.calibration`), version by version.

A version is in force from the instant it is written and never changed, so that a rebuilt past
uses what was known then. What is taught follows from stored facts alone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, func, insert, select

from kokubus.messages import Instant
from kokubus.occupancy import Belief, ClosingReset, Evidence, RoomModel, initial, update
from kokubus.occupancy.calibration import Calibration, calibrated, with_day
from kokubus.occupancy.learning import learned_of
from kokubus_hub import changes, models, places
from kokubus_hub.database import reading, writing
from kokubus_hub.models import table
from kokubus_hub.occupancy.evidence import of_room
from kokubus_hub.places import Places, RoomPlace

NIGHT_HOUR = 4
"""A day is learned from four in the morning to four in the morning, when rooms are empty."""
DAY = timedelta(days=1)
PATIENCE_MS = 3_600_000
"""How long after the day's end a door that was away has to tell what it saw."""

_CALIBRATION = table(models.Calibration)


class Calibrations:
    """A room as it was calibrated over time; a damaged calibration is none, as for the count."""

    def __init__(self, connection: Connection, room: RoomPlace) -> None:
        query = select(_CALIBRATION).where(_CALIBRATION.c.room_id == room.id)
        rows = connection.execute(query.order_by(_CALIBRATION.c.at)).all()
        learned = [calibrated(room.priors, _read(row.state)) for row in rows]
        self._ats = [row.at for row in rows]
        self._rooms = [replace(room, model=model) for model in (room.priors, *learned)]

    def at(self, at: Instant) -> RoomPlace:
        """The room with the model in force at this instant."""
        return self._rooms[bisect_right(self._ats, at)]

    def spans(self, evidence: Sequence[Evidence]) -> Iterator[tuple[RoomPlace, Sequence[Evidence]]]:
        """Evidence (in order) by the room it was judged in."""
        bounds = [bisect_left(evidence, at, key=lambda one: one.at) for at in self._ats]
        for room, start, end in zip(
            self._rooms, [0, *bounds], [*bounds, len(evidence)], strict=True
        ):
            if start < end:
                yield room, evidence[start:end]


def teach(engine: Engine, now: Instant) -> None:
    """Learn the last whole day of every room that has not learned it yet: one a call.

    A day takes about a second, so that whatever else the worker does waits no longer.
    """
    with reading(engine) as connection:
        known = places.current(connection, None)
        room = next(
            (one for one in known.rooms.values() if _due(connection, known, one, now)), None
        )
        if room is None:
            return
        taught = _taught(connection, known, room, day_of(known, room, now))
    with writing(engine) as connection:
        last = select(func.max(_CALIBRATION.c.version)).where(_CALIBRATION.c.room_id == room.id)
        version = (connection.execute(last).scalar() or 0) + 1
        row = {"room_id": room.id, "version": version, "at": now, "state": taught.to_json()}
        connection.execute(insert(_CALIBRATION).values(row))
        what = f"{changes.COUNTING}{room.slug} calibrated"
        changes.record(connection, now, what, room.site_id)


def day_of(known: Places, room: RoomPlace, now: Instant) -> tuple[Instant, Instant]:
    """The last whole day of a room: from four o'clock to four o'clock at its place."""
    zone = ZoneInfo(known.sites[room.site_id].timezone)
    there = datetime.fromtimestamp((now - PATIENCE_MS) / 1000, UTC).astimezone(zone)
    end = there.replace(hour=NIGHT_HOUR, minute=0, second=0, microsecond=0)
    if end > there:
        end -= DAY
    return int((end - DAY).timestamp()) * 1000, int(end.timestamp()) * 1000


def _due(connection: Connection, known: Places, room: RoomPlace, now: Instant) -> bool:
    newest = select(func.max(_CALIBRATION.c.at)).where(_CALIBRATION.c.room_id == room.id)
    last = connection.execute(newest).scalar()
    return last is None or last < day_of(known, room, now)[1]


def _taught(
    connection: Connection, known: Places, room: RoomPlace, span: tuple[Instant, Instant]
) -> Calibration:
    """What was known, and the day; a day of which nobody told anything teaches nothing."""
    start, end = span
    before = places.learned(connection).get(room.id, Calibration())
    evidence = of_room(connection, known, room, span)
    if not evidence:
        return before
    hours = known.timetable(room.site_id, start, end)
    day, _ = learned_of(room.model, before, _at_night(room.model, start), hours, evidence)
    return with_day(room.priors, before, day)


def _read(state: str) -> Calibration:
    try:
        return Calibration.from_json(state)
    except ValueError:
        return Calibration()


def _at_night(model: RoomModel, at: Instant) -> Belief:
    return update(model, initial(model, at), ClosingReset(at), open_=False)
