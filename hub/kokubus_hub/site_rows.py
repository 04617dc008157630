"""The rows that one site's policies are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, func, or_, select, union_all

from kokubus.messages import Instant
from kokubus.rights import DoorRules
from kokubus_hub import models, rules
from kokubus_hub.models import table
from kokubus_hub.rules import Row

_SITE, _ROOM, _DOOR = table(models.Site), table(models.Room), table(models.Door)
_CLOSURE, _PLACEMENT, _MODE = (
    table(models.Closure),
    table(models.Placement),
    table(models.DoorMode),
)
_BOOKING, _ENTITLEMENT = table(models.Booking), table(models.Entitlement)
_HOLDER = table(models.BookingHolder)
_MEMBER, _BADGE, _KEYHOLDER = (
    table(models.Member),
    table(models.Badge),
    table(models.Keyholder),
)
_CODE = table(models.OneTimeCode)
_OF_SITE: Any = bindparam("site")
_START: Any = bindparam("start")
_END: Any = bindparam("end")


def _in_force(of: Any) -> tuple[Any, ...]:
    """Rows whose ``start`` and ``end`` (None: unbounded) overlap the span."""
    return or_(of.c.end.is_(None), of.c.end > _START), or_(of.c.start.is_(None), of.c.start < _END)


def _of_site(of: Any) -> Select[Any]:
    return select(of).where(of.c.site_id == _OF_SITE)


_booked = (
    _BOOKING.c.room_id.in_(select(_ROOM.c.id).where(_ROOM.c.site_id == _OF_SITE)),
    _BOOKING.c.end > _START,
    _BOOKING.c.start < _END,
    _BOOKING.c.status == "confirmed",
)
_entitled = (_ENTITLEMENT.c.site_id == _OF_SITE, *_in_force(_ENTITLEMENT))

_BOOKED_COLUMNS = (
    _BOOKING.c.room_id,
    _BOOKING.c.start,
    _BOOKING.c.end,
    _BOOKING.c.whole_day,
    _BOOKING.c.date,
    _BOOKING.c.status,
    _MEMBER.c.slug.label("member"),
)
BOOKED = union_all(
    select(_BOOKING.c.id, _BOOKING.c.member_id, *_BOOKED_COLUMNS)
    .join_from(_BOOKING, _MEMBER)
    .where(*_booked),
    select((-_HOLDER.c.id).label("id"), _HOLDER.c.member_id, *_BOOKED_COLUMNS)
    .join_from(_HOLDER, _BOOKING)
    .join(_MEMBER, _MEMBER.c.id == _HOLDER.c.member_id)
    .where(*_booked),
)
"""Bookings by who holds them; those who come along by the negative id of `BookingHolder`."""
ENTITLED = (
    select(_ENTITLEMENT, _MEMBER.c.slug.label("member"))
    .join_from(_ENTITLEMENT, _MEMBER)
    .where(*_entitled)
)
_HELD = select(
    _BADGE,
    _MEMBER.c.slug,
    _MEMBER.c.status.label("member_status"),
    _MEMBER.c.start.label("member_start"),
    _MEMBER.c.end.label("member_end"),
).select_from(_BADGE.outerjoin(_MEMBER))
HOLDERS = _HELD.where(_BADGE.c.member_id.in_(bindparam("members", expanding=True)))
"""Badges of some members, with their holders."""
KEYHOLDERS = _HELD.where(_BADGE.c.id.in_(bindparam("badges", expanding=True)))
"""Some badges, with their holders."""
_MODES = select(_MODE).where(
    or_(
        _MODE.c.door_id.in_(select(_DOOR.c.id).where(_DOOR.c.site_id == _OF_SITE)),
        _MODE.c.site_id == _OF_SITE,
        and_(_MODE.c.door_id.is_(None), _MODE.c.site_id.is_(None)),
    ),
    *_in_force(_MODE),
)

_LAPSED = (
    select(_CODE.c.door_id, func.max(_CODE.c.counter).label("newest"))
    .join_from(_CODE, _DOOR)
    .where(_DOOR.c.site_id == _OF_SITE, or_(_CODE.c.used_at.is_not(None), _CODE.c.at < _START))
    .group_by(_CODE.c.door_id)
)
"""A one-time code lapses once it is older than what a policy looks back on."""


@dataclass(frozen=True, slots=True)
class _Member:
    slug: str
    status: str
    start: Instant | None
    end: Instant | None


@dataclass(frozen=True, slots=True)
class SiteRows:
    """A site's places and modes from ``start`` to ``end``; ``rooms`` are slugs by id.

    ``codes_from`` is the first counter, by door id, whose one-time code has not lapsed.
    """

    site: Row
    start: Instant
    end: Instant
    rooms: Mapping[int, str]
    doors: tuple[Row, ...]
    closures: tuple[Row, ...]
    placements: tuple[Row, ...]
    modes: tuple[Row, ...]
    codes_from: Mapping[int, int]
    keyholders: frozenset[int]

    @property
    def span(self) -> dict[str, int]:
        """What `BOOKED` and `ENTITLED` are asked with."""
        return {"site": self.site.id, "start": self.start, "end": self.end}

    def rules_of(self, door: Row) -> DoorRules:
        """What holds at one of the site's doors."""
        return rules.door_rules(
            door,
            self.site,
            rules.rooms_behind(door, self.doors, self.rooms),
            modes=[mode for mode in self.modes if rules.concerns(mode, door)],
            closures=self.closures,
            placements=self.placements,
            code_from=self.codes_from.get(door.id, 0),
        )


def member_of(badge: Row) -> _Member | None:
    """The holder of a row of `HOLDERS`."""
    if badge.member_id is None:
        return None
    return _Member(badge.slug, badge.member_status, badge.member_start, badge.member_end)


def load(connection: Connection, site_id: int, start: Instant, end: Instant) -> SiteRows:
    """Read a site; ``start`` and ``end`` bound its closures, placements and modes."""
    span = {"site": site_id, "start": start, "end": end}

    def rows(query: Select[Any]) -> tuple[Row, ...]:
        return tuple(connection.execute(query, span))

    rooms, keyholders = rows(_of_site(_ROOM).order_by(_ROOM.c.id)), rows(_of_site(_KEYHOLDER))
    return SiteRows(
        site=rows(select(_SITE).where(_SITE.c.id == _OF_SITE))[0],
        start=start,
        end=end,
        rooms={room.id: room.slug for room in rooms},
        doors=rows(_of_site(_DOOR).order_by(_DOOR.c.id)),
        closures=rows(_of_site(_CLOSURE).where(*_in_force(_CLOSURE))),
        # those to come are needed as well: they end the transit that may be going on
        placements=rows(_of_site(_PLACEMENT).where(_in_force(_PLACEMENT)[0])),
        modes=rows(_MODES.order_by(_MODE.c.id)),
        codes_from={row.door_id: row.newest + 1 for row in rows(_LAPSED)},
        keyholders=frozenset(row.badge_id for row in keyholders),
    )
