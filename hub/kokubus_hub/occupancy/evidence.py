"""Recorded facts as the filter's evidence, the same live, in a replay and in a rebuild."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, select

from kokubus.messages import Instant, Side
from kokubus.occupancy import (
    Co2,
    Evidence,
    HeadCount,
    Indirect,
    Passage,
    Pir,
    Sensor,
)
from kokubus_hub import models
from kokubus_hub.models import table
from kokubus_hub.occupancy.sensed import TELLING, evidence_of
from kokubus_hub.places import ONE_AT_A_TIME, Places, RoomPlace, SensorPlace
from kokubus_hub.rules import FAR

Span: TypeAlias = tuple[Instant, Instant]
"""After the first and until the second."""
_RANK: dict[type[Evidence], int] = {Passage: 0, Pir: 1, Co2: 2, Indirect: 3, HeadCount: 4}

_PASSAGE, _READING, _SENSOR = table(models.Passage), table(models.Reading), table(models.Sensor)
_HEAD_COUNT, _FAULT = table(models.HeadCount), table(models.SensorFault)


def order(evidence: Evidence) -> tuple[Instant, int]:
    """In which order evidence is folded: passages, motion, then the air, last who counted."""
    return evidence.at, _rank(evidence)


def _rank(evidence: Evidence) -> int:
    return _RANK[type(evidence)]


def of_passage(known: Places, row: Row[Any]) -> Iterator[tuple[int, Passage]]:
    """(room id, passage) for the rooms a recorded passage leads through.

    One whose side only its tap can tell is none: it was not counted either.
    """
    if row.tap is not None and row.side is None:
        return
    door = known.doors[known.door_slugs[row.door_id]]
    sensor = Sensor.CONTACT if row.tap is None else Sensor.BADGE
    for room, way in door.ways(Side(row.side) if row.side else None):
        yield room, Passage(row.at, sensor, way)


def of_room(connection: Connection, known: Places, room: RoomPlace, span: Span) -> list[Evidence]:
    """All evidence of a room in the span, in the order it is folded.

    Sensors that were found to be bad at the time are left out, as they were then.
    """
    found = [
        *_passages(connection, known, room, span),
        *_readings(connection, known, room, span),
        *_head_counts(connection, room, span),
    ]
    found.sort(key=_rank)  # as by `order`, since sorting is stable, and without a pair for each
    found.sort(key=attrgetter("at"))
    return found


def _passages(
    connection: Connection, known: Places, room: RoomPlace, span: Span
) -> Iterator[Evidence]:
    after, until = span
    doors = [d.id for d in known.doors.values() if room.id in (d.room_id, d.from_room_id)]
    query = (
        select(_PASSAGE)
        .where(_PASSAGE.c.door_id.in_(doors), _PASSAGE.c.at > after, _PASSAGE.c.at <= until)
        .order_by(_PASSAGE.c.id)
    )
    for row in connection.execute(query):
        yield from (passage for place, passage in of_passage(known, row) if place == room.id)


def _readings(
    connection: Connection, known: Places, room: RoomPlace, span: Span
) -> Iterator[Evidence]:
    after, until = span
    sensors = {
        one.id: one
        for one in known.sensors.values()
        if one.room_id == room.id and one.quantity in TELLING
    }
    counting = _Counting(connection, sensors)
    at_any_time = {one for one in sensors if counting.at_any_time(one)}
    query = (
        select(_READING.c.sensor_id, _READING.c.at, _READING.c.value)
        .where(_READING.c.sensor_id.in_(sensors), _READING.c.at > after, _READING.c.at <= until)
        .order_by(_READING.c.id)
    )
    quantities = {one.id: one.quantity for one in sensors.values()}
    for sensor, at, value in connection.execute(query).all():
        if sensor in at_any_time or counting.at(sensor, at):
            evidence = evidence_of(quantities[sensor], at, value)
            if evidence is not None:
                yield evidence


class _Counting:
    """Which of a room's sensors counted when: not a bad one, and of air or light only one."""

    def __init__(self, connection: Connection, sensors: Mapping[int, SensorPlace]) -> None:
        self._faults: dict[int, list[Span]] = {}
        query = select(_FAULT).where(_FAULT.c.sensor_id.in_(sensors))
        for row in connection.execute(query):
            spans = self._faults.setdefault(row.sensor_id, [])
            spans.append((row.found_at, FAR if row.cleared_at is None else row.cleared_at))
        self._before = {
            one.id: [
                other.id
                for other in sensors.values()
                if one.quantity in ONE_AT_A_TIME
                and (other.quantity, other.id < one.id) == (one.quantity, True)
            ]
            for one in sensors.values()
        }

    def at(self, sensor: int, at: Instant) -> bool:
        """Whether this sensor's value at this instant is evidence."""
        before = self._before[sensor]
        return self._good(sensor, at) and not any(self._good(other, at) for other in before)

    def at_any_time(self, sensor: int) -> bool:
        """Whether all values of this sensor are evidence."""
        return not self._before[sensor] and sensor not in self._faults

    def _good(self, sensor: int, at: Instant) -> bool:
        faults = self._faults.get(sensor)
        return not faults or not any(found <= at < cleared for found, cleared in faults)


def _head_counts(connection: Connection, room: RoomPlace, span: Span) -> Iterator[Evidence]:
    after, until = span
    query = (
        select(_HEAD_COUNT.c.at, _HEAD_COUNT.c.people)
        .where(_HEAD_COUNT.c.room_id == room.id)
        .where(_HEAD_COUNT.c.at > after, _HEAD_COUNT.c.at <= until)
        .order_by(_HEAD_COUNT.c.id)
    )
    for at, people in connection.execute(query):
        yield HeadCount(at, people)
