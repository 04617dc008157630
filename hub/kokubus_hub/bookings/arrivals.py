"""Check-in: a booking's people have come once a door let one of them through to its room.

`work` follows what doors did (`Enforcement`); the listener does nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, or_, select, update

from kokubus.messages import Instant
from kokubus.rights import Window
from kokubus_hub import models
from kokubus_hub.bookings import delivery
from kokubus_hub.database import reading, writing
from kokubus_hub.metrics.settling import Settling
from kokubus_hub.models import table

MOST = 2_000
_KEY = "checked_in_upto"
_DONE, _EVENT, _DOOR = (
    table(models.Enforcement),
    table(models.AccessEvent),
    table(models.Door),
)
_BOOKING, _HOLDER = table(models.Booking), table(models.BookingHolder)
_ROOM, _SITE, _SETTING = table(models.Room), table(models.Site), table(models.Setting)
_ENTERED = (
    select(_DONE.c.id, _DONE.c.door_id, _DONE.c.at, _EVENT.c.member_id)
    .join_from(_DONE, _EVENT, _EVENT.c.tap == _DONE.c.tap)
    .where(_DONE.c.granted, _EVENT.c.member_id.is_not(None), _EVENT.c.side == "in")
)
_BOOKED = (
    select(_BOOKING.c.id, _BOOKING.c.room_id, _BOOKING.c.start, _BOOKING.c.end)
    .add_columns(_SITE.c.lead_ms, _SITE.c.grace_ms, _BOOKING.c.checked_in_at)
    .join_from(_BOOKING, _ROOM)
    .join(_SITE, _SITE.c.id == _ROOM.c.site_id)
    .where(_BOOKING.c.status == "confirmed")
)


class Arrivals:
    """Follows what doors did, from where it was left."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._settling = Settling("enforcement")

    def follow(self, now: Instant) -> None:
        """Check in whoever came since."""
        del now
        with reading(self._engine) as connection:
            upto = self._settling.upto(connection)
        with reading(self._engine) as connection:
            held = connection.execute(_at()).scalar()
            done = int(held) if held is not None else 0
            if upto <= done:
                return
            last = min(upto, done + MOST)
            entered = connection.execute(
                _ENTERED.where(_DONE.c.id > done, _DONE.c.id <= last)
            ).all()
            found = arrived(connection, entered)
        with writing(self._engine) as connection:
            _check_in(connection, found)
            _remember(connection, last, known=held is not None)


def arrived(connection: Connection, entered: Sequence[Any]) -> dict[int, Instant]:
    """When the first of each booking's people came, by booking."""
    if not entered:
        return {}
    ways = _rooms_behind(connection)
    found: dict[int, Instant] = {}
    for member, rows in _by_member(entered).items():
        booked = _bookings(connection, member, rows)
        for row in rows:
            for one in booked:
                reached = one.room_id in ways.get(row.door_id, ())
                if reached and is_to(row.at, (one.start, one.end), one):
                    found[one.id] = min(row.at, found.get(one.id, row.at))
    return found


def is_to(at: Instant, span: Window, site: Any) -> bool:
    """Whether who came at an instant came to a booking of this span, by its site's allowances."""
    return bool(span[0] - site.lead_ms <= at < span[1] + site.grace_ms)


def _bookings(connection: Connection, member: int, rows: Iterable[Any]) -> Sequence[Row[Any]]:
    times = [row.at for row in rows]
    along = select(_HOLDER.c.booking_id).where(_HOLDER.c.member_id == member)
    around = _BOOKED.where(
        or_(_BOOKING.c.member_id == member, _BOOKING.c.id.in_(along)),
        _BOOKING.c.end + _SITE.c.grace_ms > min(times),
        _BOOKING.c.start - _SITE.c.lead_ms <= max(times),
    )
    return connection.execute(around).all()


def _by_member(entered: Iterable[Any]) -> Mapping[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for row in entered:
        found.setdefault(row.member_id, []).append(row)
    return found


def _rooms_behind(connection: Connection) -> dict[int, set[int]]:
    """The rooms that each door is on the way to."""
    found: dict[int, set[int]] = {}
    for room, doors in delivery.by_room(connection, connection.execute(select(_DOOR))).items():
        for door in doors:
            found.setdefault(door.id, set()).add(room)
    return found


def _check_in(connection: Connection, found: Mapping[int, Instant]) -> None:
    for booking, at in found.items():
        first = or_(_BOOKING.c.checked_in_at.is_(None), _BOOKING.c.checked_in_at > at)
        mark = update(_BOOKING).where(_BOOKING.c.id == booking, first)
        connection.execute(mark.values(checked_in_at=at))


def _at() -> Any:
    return select(_SETTING.c.value).where(_SETTING.c.key == _KEY)


def _remember(connection: Connection, last: int, *, known: bool) -> None:
    if known:
        kept = update(_SETTING).where(_SETTING.c.key == _KEY).values(value=str(last))
        connection.execute(kept)
    else:
        connection.execute(insert(_SETTING).values(key=_KEY, value=str(last)))
