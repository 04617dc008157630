"""One room as the filter sees it: the estimate, each sensor's word, health, calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select

from kokubus.messages import Instant
from kokubus.occupancy import Belief, Estimate
from kokubus.occupancy.calibration import Calibration, Known, known
from kokubus.occupancy.estimating import reading_of
from kokubus_hub import models, places
from kokubus_hub.counting import predicted
from kokubus_hub.models import table
from kokubus_hub.places import Places, RoomPlace

_ROOM, _SITE, _BELIEF = table(models.Room), table(models.Site), table(models.Belief)
_SENSOR, _READING, _FAULT = (
    table(models.Sensor),
    table(models.Reading),
    table(models.SensorFault),
)
_LABEL, _OPERATOR = table(models.HeadCount), table(models.Operator)
_SENSORS: Any = (
    select(
        _SENSOR.c.id,
        _SENSOR.c.slug,
        _SENSOR.c.quantity,
        _FAULT.c.kind.label("fault"),
        _FAULT.c.found_at,
        select(func.max(_READING.c.at))
        .where(_READING.c.sensor_id == _SENSOR.c.id)
        .correlate(_SENSOR)
        .scalar_subquery()
        .label("heard_at"),
    )
    .outerjoin(_FAULT, (_FAULT.c.sensor_id == _SENSOR.c.id) & _FAULT.c.cleared_at.is_(None))
    .order_by(_SENSOR.c.slug)
)
_LABELS = (
    select(_LABEL.c.at, _LABEL.c.people, _OPERATOR.c.name)
    .join_from(_LABEL, _OPERATOR)
    .order_by(_LABEL.c.id.desc())
    .limit(5)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomSeen:
    """A room at this moment; ``estimate`` is None if it was never observed.

    ``sensors`` are rows (slug, quantity, fault, found_at, heard_at, value), ``labels`` the
    last head counts, newest first, ``parameters`` what is known of the filter's.
    """

    row: Row[Any]
    place: RoomPlace
    at: Instant
    belief: Belief | None
    sensors: tuple[Row[Any], ...]
    values: Mapping[int, float]
    labels: tuple[Row[Any], ...]
    calibration: Calibration
    parameters: Mapping[str, Known]

    @property
    def estimate(self) -> Estimate | None:
        """The count as it is believed now."""
        return reading_of(self.belief) if self.belief else None


def room_of(connection: Connection, slug: str) -> tuple[Places, RoomPlace] | None:
    """The places, and the room of that name; None if there is none."""
    all_ = places.current(connection, None)
    found = next((room for room in all_.rooms.values() if room.slug == slug), None)
    return (all_, found) if found else None


def seen(connection: Connection, slug: str, now: Instant) -> RoomSeen | None:
    """The room as it is seen now; None if there is none of that name."""
    found = room_of(connection, slug)
    if found is None:
        return None
    all_, place = found
    row = connection.execute(
        select(_ROOM, _SITE.c.name.label("site_name"), _SITE.c.timezone)
        .join_from(_ROOM, _SITE)
        .where(_ROOM.c.id == place.id)
    ).one()
    sensors = tuple(connection.execute(_SENSORS.where(_SENSOR.c.room_id == place.id)))
    learned = places.learned(connection).get(place.id, Calibration())
    return RoomSeen(
        row=row,
        place=place,
        at=now,
        belief=_belief(connection, all_, place, now),
        sensors=sensors,
        values={one.id: _value(connection, one) for one in sensors if one.heard_at is not None},
        labels=tuple(connection.execute(_LABELS.where(_LABEL.c.room_id == place.id))),
        calibration=learned,
        parameters=known(place.priors, learned),
    )


def _belief(connection: Connection, all_: Places, place: RoomPlace, now: Instant) -> Belief | None:
    state = connection.execute(
        select(_BELIEF.c.state).where(_BELIEF.c.room_id == place.id)
    ).scalar()
    if state is None:
        return None
    try:
        belief = Belief.from_json(state)
    except ValueError:
        return None  # the listener begins it anew
    if len(belief.posterior) != place.model.places + 1:
        return None
    return predicted(all_, place, belief, now)


def _value(connection: Connection, sensor: Row[Any]) -> float:
    newest = select(_READING.c.value).where(
        _READING.c.sensor_id == sensor.id, _READING.c.at == sensor.heard_at
    )
    return float(connection.execute(newest.limit(1)).scalar_one())
