"""The same badge in two places, sooner than a car could have driven there.

A badge that was copied is used beside its original. Every tap counts, granted or not; taps of
a clock that is not trusted do not. `work` looks at each once, whenever it is heard of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, bindparam, delete, func, insert, select

from kokubus.messages import Clock, Instant
from kokubus_hub import models
from kokubus_hub.database import reading, writing
from kokubus_hub.metrics.settling import Settling
from kokubus_hub.models import table

ALARM = "impossible_travel"
EARTH_KM = 6371.0
NEAR_KM = 1.0
"""Places as near as this are one: coordinates are a village's, not a door's."""
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_AT_ONCE = 500
_CURSOR = "travel_upto"

_EVENT, _DOOR, _ALARM = table(models.AccessEvent), table(models.Door), table(models.Alarm)
_PLACEMENT, _SETTING = table(models.Placement), table(models.Setting)
_TAPS = (
    select(
        _EVENT.c.id,
        _EVENT.c.tap,
        _EVENT.c.at,
        _EVENT.c.badge_id,
        _EVENT.c.member_id,
        _EVENT.c.device_id,
        _EVENT.c.door_id,
        _DOOR.c.slug.label("door"),
        _DOOR.c.site_id,
    )
    .join_from(_EVENT, _DOOR)
    .where(_EVENT.c.badge_id.is_not(None), _EVENT.c.clock != str(Clock.UNTRUSTED))
)
_NEW = (
    _TAPS.where(_EVENT.c.id > bindparam("after"), _EVENT.c.id <= bindparam("upto"))
    .order_by(_EVENT.c.id)
    .limit(_AT_ONCE)
)
_OTHERS = _TAPS.where(_EVENT.c.badge_id == bindparam("badge"), _EVENT.c.id < bindparam("tap"))
_BEFORE = _OTHERS.where(_EVENT.c.at <= bindparam("at")).order_by(_EVENT.c.at.desc()).limit(1)
_AFTER = _OTHERS.where(_EVENT.c.at > bindparam("at")).order_by(_EVENT.c.at).limit(1)

Position = tuple[float, float]
"""Latitude and longitude in degrees."""


def distance_km(one: Position, other: Position) -> float:
    """As the crow flies: the haversine formula (Sinnott, Sky and Telescope 68(2), 1984)."""
    latitude, longitude = radians(other[0] - one[0]), radians(other[1] - one[1])
    chord = sin(latitude / 2) ** 2
    chord += cos(radians(one[0])) * cos(radians(other[0])) * sin(longitude / 2) ** 2
    return 2 * EARTH_KM * asin(sqrt(min(1.0, chord)))


def too_fast(km: float, took_ms: int, speed_kmh: float) -> bool:
    """Whether nobody drives so far in so short a time."""
    return km > NEAR_KM and km * HOUR_MS > speed_kmh * took_ms


@dataclass(frozen=True, slots=True)
class _Places:
    """Where sites stood, by site id: (from, until, position)."""

    stands: Mapping[int, list[Row[Any]]]

    def of(self, tap: Row[Any]) -> Position | None:
        """Where a tap was; None where nobody gave coordinates."""
        for stand in self.stands.get(tap.site_id, ()):
            if stand.start <= tap.at and (stand.end is None or tap.at < stand.end):
                return stand.latitude, stand.longitude
        return None


class Travel:
    """Follows the taps and raises an alarm for each journey that cannot have been one."""

    def __init__(self, engine: Engine, speed_kmh: float) -> None:
        self._engine, self._speed = engine, speed_kmh
        self._settling = Settling("access_event")

    def look(self, now: Instant) -> None:
        """Look at the taps recorded since; to be called again and again."""
        with reading(self._engine) as connection:
            upto = self._settling.upto(connection)
        with reading(self._engine) as connection:
            after = _cursor(connection, now)
            if upto <= after:
                return
            taps = connection.execute(_NEW, {"after": after, "upto": upto}).all()
            alarms = list(self._alarms(connection, taps))
        with writing(self._engine) as connection:
            _remember(connection, taps[-1].id if len(taps) == _AT_ONCE else upto)
            if alarms:
                connection.execute(insert(_ALARM), alarms)

    def _alarms(self, connection: Connection, taps: Iterable[Any]) -> Iterable[dict[str, Any]]:
        places = _places(connection)
        for tap in taps:
            asked = {"badge": tap.badge_id, "tap": tap.id, "at": tap.at}
            before = connection.execute(_BEFORE, asked).first()
            after = connection.execute(_AFTER, asked).first()
            for first, last in ((before, tap), (tap, after)):
                found = first is not None and last is not None
                if found and (alarm := self._judge(places, first, last)):
                    yield alarm

    def _judge(self, places: _Places, first: Any, last: Any) -> dict[str, Any] | None:
        here, there = places.of(last), places.of(first)
        if first.site_id == last.site_id or here is None or there is None:
            return None
        km, took_ms = distance_km(there, here), last.at - first.at
        if not too_fast(km, took_ms, self._speed):
            return None
        detail = {"badge": last.badge_id, "before": first.door, "km": round(km, 1)}
        return {
            "kind": ALARM,
            "site_id": last.site_id,
            "door_id": last.door_id,
            "device_id": last.device_id,
            "member_id": last.member_id,
            "at": last.at,
            "detail": detail | {"minutes": round(took_ms / 60_000, 1), "tap": last.tap},
        }


def _places(connection: Connection) -> _Places:
    wanted = select(_PLACEMENT).where(_PLACEMENT.c.latitude.is_not(None))
    stands: dict[int, list[Row[Any]]] = {}
    for row in connection.execute(wanted):
        stands.setdefault(row.site_id, []).append(row)
    return _Places(stands)


def _cursor(connection: Connection, now: Instant) -> int:
    """The last tap looked at; of a hub that never looked, those of the last day are new."""
    known = connection.execute(_held()).scalar()
    if known is not None:
        return int(known)
    older = select(func.coalesce(func.max(_EVENT.c.id), 0)).where(_EVENT.c.at <= now - DAY_MS)
    return int(connection.execute(older).scalar_one())


def _held() -> Select[Any]:
    return select(_SETTING.c.value).where(_SETTING.c.key == _CURSOR)


def _remember(connection: Connection, upto: int) -> None:
    connection.execute(delete(_SETTING).where(_SETTING.c.key == _CURSOR))
    connection.execute(insert(_SETTING).values(key=_CURSOR, value=str(upto)))
