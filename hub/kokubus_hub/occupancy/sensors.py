"""Sensors that cannot be believed are left out of the count, and said so: alarm and page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, and_, case, func, insert, or_, select, update

from kokubus.messages import Instant
from kokubus.occupancy.health import HOUR_MS, POSSIBLE, STUCK_MS, Fault, Lately, judge
from kokubus_hub import changes, models
from kokubus_hub.database import reading, writing
from kokubus_hub.models import table

WEEK_MS = 7 * 24 * HOUR_MS
BACK_MS = 300_000
"""A device that has just come back tells first what it had kept."""
ROUND_MS, TURN_MS = 300_000, 1_000
ALARM = "sensor_faulty"
SAID = "sensor_silent"
"""The device's own alarm: it knows why a sensor says nothing, so ours would be the same twice."""

_SENSOR, _READING, _DEVICE = table(models.Sensor), table(models.Reading), table(models.Device)
_FAULT, _ALARM = table(models.SensorFault), table(models.Alarm)
_PASSAGE, _DOOR = table(models.Passage), table(models.Door)
_SENSORS = (
    select(_SENSOR, _DEVICE.c.online, _DEVICE.c.status_at)
    .outerjoin(_DEVICE, _DEVICE.c.id == _SENSOR.c.device_id)
    .where(_SENSOR.c.quantity.in_(POSSIBLE))
    .order_by(_SENSOR.c.id)
)
_STANDING = select(_FAULT).where(_FAULT.c.cleared_at.is_(None))


class Looking:
    """Judges every sensor each five minutes, a few a turn.

    A sensor's week is twenty thousand readings: a booking on its way to the doors must not wait
    until those of all sensors are looked through.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._left: list[int] = []
        self._share = 0
        self._begun: Instant = -ROUND_MS

    def look(self, now: Instant) -> None:
        """Judge the next few; to be called every `TURN_MS`."""
        if not self._left:
            if 0 <= now - self._begun < ROUND_MS:
                return
            self._begin(now)
        some, self._left = self._left[: self._share], self._left[self._share :]
        if some:
            look(self._engine, now, some)

    def _begin(self, now: Instant) -> None:
        with reading(self._engine) as connection:
            self._left = [row.id for row in connection.execute(_SENSORS)]
        self._begun, self._share = now, -(-len(self._left) * 2 * TURN_MS // ROUND_MS)


def look(engine: Engine, now: Instant, only: Sequence[int] | None = None) -> None:
    """Judge every sensor, or those of these ids; raise what is new, clear what is over."""
    asked = _SENSORS if only is None else _SENSORS.where(_SENSOR.c.id.in_(only))
    with reading(engine) as connection:
        standing = {row.sensor_id: row for row in connection.execute(_STANDING)}
        named = _named_silent(connection)
        found = [(row, _judged(connection, row, now)) for row in connection.execute(asked)]
    for sensor, fault in found:
        known = standing.get(sensor.id)
        told = f"; {sensor.slug}: " in named.get(sensor.device_id, "")
        said = fault is Fault.SILENT and told
        as_known = (known.kind, known.alarm_id is None) if known else None
        if as_known != ((fault, said) if fault else None):
            with writing(engine) as connection:
                _settle(connection, sensor, known, fault, now, alarm=not said)


def _named_silent(connection: Connection) -> dict[int, str]:
    """What each device's standing alarm of silent sensors says, by device id.

    ``; name: what is wrong; name: ...`` (`kokubus_edge.troubles`); a sensor beyond what the
    alarm had room for is not named, and so has ours.
    """
    query = select(_ALARM.c.device_id, _ALARM.c.detail).where(
        _ALARM.c.kind == SAID, _ALARM.c.cleared_at.is_(None)
    )
    return {
        row.device_id: f"; {(row.detail or {}).get('detail', '')}"
        for row in connection.execute(query)
    }


def lately(connection: Connection, sensor: Any, now: Instant) -> Lately:
    """What a row of sensors has said in the last hour, half day and week."""
    low, high = POSSIBLE[sensor.quantity]
    at, value = _READING.c.at, _READING.c.value
    hour, half_day = at > now - HOUR_MS, at > now - STUCK_MS
    wrong = or_(value < low, value > high)
    query = select(
        func.max(at).label("last_at"),
        func.count(case((hour, 1))).label("hour_count"),
        func.count(case((and_(hour, wrong), 1))).label("hour_wrong"),
        func.min(case((half_day, value))).label("low"),
        func.max(case((half_day, value))).label("high"),
        func.count(case((half_day, 1))).label("heard"),
        func.min(case((half_day, at))).label("since"),
        func.min(value).label("week_low"),
        func.max(value).label("week_high"),
        func.min(at).label("week_since"),
    ).where(_READING.c.sensor_id == sensor.id, at > now - WEEK_MS, at <= now)
    row = connection.execute(query).one()
    return Lately(
        quantity=sensor.quantity,
        last_at=row.last_at,
        hour_count=row.hour_count,
        hour_wrong=row.hour_wrong,
        low=row.low or 0.0,
        high=row.high or 0.0,
        count=row.heard,
        span_ms=row.last_at - row.since if row.since else 0,
        week_low=row.week_low or 0.0,
        week_high=row.week_high or 0.0,
        week_span_ms=row.last_at - row.week_since if row.week_since else 0,
        passages=_passages(connection, sensor.room_id, now),
    )


def _judged(connection: Connection, sensor: Any, now: Instant) -> Fault | None:
    """Silence is its device's trouble while that is away, and no fault before the first word."""
    said = lately(connection, sensor, now)
    fault = judge(said, now)
    away = sensor.online is False or now - (sensor.status_at or 0) < BACK_MS
    if fault is Fault.SILENT and (away or not _ever(connection, sensor.id)):
        return None
    return fault


def _ever(connection: Connection, sensor: int) -> bool:
    said = select(_READING.c.id).where(_READING.c.sensor_id == sensor).limit(1)
    return connection.execute(said).first() is not None


def _passages(connection: Connection, room: int, now: Instant) -> int:
    through = or_(_DOOR.c.room_id == room, _DOOR.c.from_room_id == room)
    doors = select(_DOOR.c.id).where(through)
    query = select(func.count()).where(_PASSAGE.c.door_id.in_(doors), _PASSAGE.c.at > now - WEEK_MS)
    return int(connection.execute(query).scalar_one())


def _settle(
    connection: Connection,
    sensor: Any,
    known: Any,
    fault: Fault | None,
    now: Instant,
    *,
    alarm: bool,
) -> None:
    """Who listens reads the places anew, since what counts has changed."""
    if known is not None:
        over = update(_FAULT).where(_FAULT.c.id == known.id, _FAULT.c.cleared_at.is_(None))
        connection.execute(over.values(cleared_at=now))
        gone = update(_ALARM).where(_ALARM.c.id == known.alarm_id, _ALARM.c.cleared_at.is_(None))
        connection.execute(gone.values(cleared_at=now))
    if fault is not None:
        raised = _raised(connection, sensor, fault, now) if alarm else None
        found = {"sensor_id": sensor.id, "kind": str(fault), "found_at": now, "alarm_id": raised}
        connection.execute(insert(_FAULT).values(found))
    changes.record(connection, now, f"{changes.COUNTING}{sensor.slug}", sensor.site_id)


def _raised(connection: Connection, sensor: Any, fault: Fault, now: Instant) -> int:
    row = {"kind": ALARM, "site_id": sensor.site_id, "device_id": sensor.device_id, "at": now}
    row["detail"] = {"sensor": sensor.slug, "fault": str(fault)}
    made = insert(_ALARM).values(row).returning(_ALARM.c.id)
    return int(connection.execute(made).scalar_one())
