"""Bookings that nobody uses are left to others, where a site wants that.

Never a whole day's, and never on a guess: where a door was away or stood open, where it let
somebody in without a badge, or where somebody is probably inside, nothing is released.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, Engine, Row, func, or_, select, update

from kokubus.messages import Instant
from kokubus_hub import changes, models, rules
from kokubus_hub.bookings import claims, delivery, service
from kokubus_hub.bookings.claims import Ask
from kokubus_hub.counting import Counting
from kokubus_hub.database import reading, writing
from kokubus_hub.hours import last_reset
from kokubus_hub.models import table

LIKELY = 0.5
_BOOKING, _ROOM, _SITE = table(models.Booking), table(models.Room), table(models.Site)
_DOOR, _DEVICE, _MODE = table(models.Door), table(models.Device), table(models.DoorMode)
_HOLDER, _BADGE = table(models.BookingHolder), table(models.Badge)
_EVENT, _PASSAGE, _PRESENCE = (
    table(models.AccessEvent),
    table(models.Passage),
    table(models.Presence),
)
_CANDIDATES = (
    select(_BOOKING, _SITE.c.lead_ms, _SITE.c.no_show_ms, _SITE.c.early_end_ms)
    .add_columns(_ROOM.c.desks.label("pool"), _SITE.c.daily_reset, _SITE.c.timezone)
    .join_from(_BOOKING, _ROOM)
    .join(_SITE, _SITE.c.id == _ROOM.c.site_id)
    .where(
        _BOOKING.c.status == "confirmed",
        _BOOKING.c.kind == "booking",
        _BOOKING.c.whole_day.is_(False),
        _BOOKING.c.member_id.is_not(None),
        or_(_SITE.c.no_show_ms.is_not(None), _SITE.c.early_end_ms.is_not(None)),
    )
)
_DOORS = (
    select(_DOOR, _DEVICE.c.online, _DEVICE.c.status_at)
    .select_from(_DOOR.outerjoin(_DEVICE))
    .order_by(_DOOR.c.id)
)
log = structlog.get_logger()


@dataclass(slots=True)
class Releasing:
    """Looks at the bookings of now."""

    engine: Engine
    counting: Counting = field(default_factory=Counting)

    def look(self, now: Instant) -> None:
        """Release those to which nobody came; end those whose people have all left."""
        with reading(self.engine) as connection:
            unused = [row for row in _now(connection, now) if self._unused(connection, row, now)]
            left = [row for row in _now(connection, now) if self._left(connection, row, now)]
        for row in unused:
            with writing(self.engine) as connection:
                if _as_seen(connection, row):
                    service.cancel(connection, row.id, now, status="no_show")
                    log.info("booking_released", booking=row.id)
        for row in left:
            with writing(self.engine) as connection:
                if _as_seen(connection, row):
                    end_now(connection, row.id, now)
                    log.info("booking_ended_early", booking=row.id)

    def _unused(self, connection: Connection, row: Row[Any], now: Instant) -> bool:
        if row.no_show_ms is None or row.checked_in_at is not None:
            return False
        begins = max(row.start, row.changed_at)
        if now < begins + row.no_show_ms:
            return False
        since = row.start - row.lead_ms
        doors = _doors(connection, row.room_id)
        return (
            _sure(connection, doors, since, now)
            and not _seen(connection, row, since)
            and not _there(connection, row, now)
            and not self._inside(connection, row, now)
        )

    def _left(self, connection: Connection, row: Row[Any], now: Instant) -> bool:
        if row.early_end_ms is None or row.checked_in_at is None:
            return False
        doors = _doors(connection, row.room_id)
        into = [door for door in doors if door.room_id == row.room_id]
        if not all(door.reads_both_sides for door in into):
            return False
        gone = _gone_since(connection, row)
        return (
            gone is not None
            and max(gone, row.checked_in_at, row.start) + row.early_end_ms <= now
            and _sure(connection, doors, row.checked_in_at, now)
            and not self._inside(connection, row, now)
        )

    def _inside(self, connection: Connection, row: Row[Any], now: Instant) -> bool:
        """Whether somebody is probably there whom no badge explains."""
        crowd = self.counting.crowds(connection, now).get(row.room_id)
        if crowd is None:
            return False
        known = 0
        if row.pool is not None:
            badges = select(func.count()).where(*_inside(row, now))
            known = int(connection.execute(badges).scalar_one())
        return sum(crowd.posterior[known + 1 :]) >= LIKELY


def end_now(connection: Connection, booking: int, now: Instant) -> None:
    """Let a booking that is under way end now; `Booking.planned_end` keeps what was planned."""
    changes.queue(connection)
    row = service.by_id(connection, booking)
    if row.status != "confirmed" or not row.start < now < row.end:
        return
    record = changes.record(connection, now, f"booking {booking} ended early", row.site_id)
    ended = {"end": now, "planned_end": row.end, "change_id": record, "changed_at": now}
    connection.execute(update(_BOOKING).where(_BOOKING.c.id == booking).values(**ended))
    room = connection.execute(select(_ROOM).where(_ROOM.c.id == row.room_id)).one()
    ask = Ask(booking=booking, room=room, span=(row.start, now), desks=row.desks)
    claims.claim(connection, ask)
    service.told(connection, [service.by_id(connection, booking)], now)


def _as_seen(connection: Connection, row: Row[Any]) -> bool:
    """Whether a booking still is what was looked at: nobody has come or changed it since."""
    changes.queue(connection)
    held = service.by_id(connection, row.id)
    same = (held.change_id, held.checked_in_at) == (row.change_id, row.checked_in_at)
    return same and bool(held.status == row.status)


def _now(connection: Connection, now: Instant) -> Sequence[Row[Any]]:
    under_way = _CANDIDATES.where(_BOOKING.c.start < now, _BOOKING.c.end > now)
    return connection.execute(under_way.order_by(_BOOKING.c.id)).all()


def _doors(connection: Connection, room: int) -> Sequence[Row[Any]]:
    return delivery.by_room(connection, connection.execute(_DOORS)).get(room, [])


def _sure(connection: Connection, doors: Sequence[Row[Any]], since: Instant, now: Instant) -> bool:
    """Whether the doors on the way would have told of everybody who came since."""
    there = all(door.online and (door.status_at or now) <= since for door in doors)
    if not doors or not there:
        return False
    ids = [door.id for door in doors]
    open_ = select(_MODE).where(
        _MODE.c.kind == "free_passage",
        _MODE.c.start < now,
        or_(_MODE.c.end.is_(None), _MODE.c.end > since),
    )
    modes = connection.execute(open_).all()
    if any(rules.concerns(mode, door) for mode in modes for door in doors):
        return False
    untold = select(_PASSAGE.c.id).where(
        _PASSAGE.c.door_id.in_(ids),
        _PASSAGE.c.at >= since,
        _PASSAGE.c.tap.is_(None),
        _PASSAGE.c.exit_requested.is_(False),
    )
    return connection.execute(untold.limit(1)).first() is None


def _holders(connection: Connection, row: Row[Any]) -> list[int]:
    along = select(_HOLDER.c.member_id).where(_HOLDER.c.booking_id == row.id)
    return [row.member_id, *connection.execute(along).scalars()]


def _seen(connection: Connection, row: Row[Any], since: Instant) -> bool:
    """Whether one of its people tapped anywhere since, with whatever success."""
    tapped = select(_EVENT.c.id).where(
        _EVENT.c.member_id.in_(_holders(connection, row)), _EVENT.c.at >= since
    )
    return connection.execute(tapped.limit(1)).first() is not None


def _there(connection: Connection, row: Row[Any], now: Instant) -> bool:
    """Whether one of its people is in its room since before it began, for all that is known."""
    theirs = select(_BADGE.c.id).where(_BADGE.c.member_id.in_(_holders(connection, row)))
    held = select(_PRESENCE.c.badge_id).where(*_inside(row, now), _PRESENCE.c.badge_id.in_(theirs))
    return connection.execute(held.limit(1)).first() is not None


def _inside(row: Row[Any], now: Instant) -> tuple[ColumnElement[bool], ...]:
    """Conditions of the badges that are in a booking's room: at the reset nobody is."""
    reset = last_reset(row.daily_reset, row.timezone, now)
    return _PRESENCE.c.room_id == row.room_id, _PRESENCE.c.inside, _PRESENCE.c.at >= reset


def _gone_since(connection: Connection, row: Row[Any]) -> Instant | None:
    """When the last of its people went out of its room; None while one is inside."""
    theirs = select(_BADGE.c.id).where(_BADGE.c.member_id.in_(_holders(connection, row)))
    there = select(_PRESENCE.c.inside, _PRESENCE.c.at).where(
        _PRESENCE.c.room_id == row.room_id, _PRESENCE.c.badge_id.in_(theirs)
    )
    rows = connection.execute(there).all()
    if not rows or any(one.inside for one in rows):
        return None
    return int(max(one.at for one in rows))
