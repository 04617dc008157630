"""A site's day: its bookings with what their doors know and who arrived, and what waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, Select, bindparam, func, or_, select

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.bookings import delivery, spans
from kokubus_hub.bookings.service import BOOKINGS, companions_of
from kokubus_hub.bulk import among, listed
from kokubus_hub.context import Hub
from kokubus_hub.doors.service import DoorNow
from kokubus_hub.models import table
from kokubus_hub.people import inbox, passes
from kokubus_hub.people.inbox import Unknown
from kokubus_hub.problems import not_found
from kokubus_hub.sites.service import SiteNow, network
from kokubus_hub.times import instant

HOUR_MS = 3_600_000
CHOICES = 2_000
"""So many members are offered to choose from; whoever has more types the member's id."""
_BOOKING, _MEMBER = table(models.Booking), table(models.Member)
_ROOM, _DOOR, _PASSAGE = table(models.Room), table(models.Door), table(models.Passage)
_FIRST_PASSAGE = among(
    select(_PASSAGE.c.member_id, func.min(_PASSAGE.c.at))
    .where(
        _PASSAGE.c.at >= bindparam("start"),
        _PASSAGE.c.door_id.in_(select(_DOOR.c.id).where(_DOOR.c.site_id == bindparam("site"))),
        or_(_PASSAGE.c.side.is_(None), _PASSAGE.c.side != "out"),
    )
    .group_by(_PASSAGE.c.member_id),
    _PASSAGE.c.member_id,
    "members",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """A booking of today. ``links`` are the passes of its guests; ``arrived`` None: not yet.

    ``failed`` is the first door that will not have it unless somebody sees to the door.
    """

    row: Row[Any]
    who: str
    companions: int
    delivered: bool
    on_doors_since: Instant | None
    why: str
    failed: delivery.Delivery | None
    arrived: Instant | None
    links: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a site's page shows. ``members`` (id, name) are those a badge can be given to."""

    site: SiteNow
    at: Instant
    coming: Sequence[Coming]
    unknown: Sequence[Unknown]
    members: Sequence[tuple[str, str]]

    @property
    def doors(self) -> tuple[DoorNow, ...]:
        """The site's doors as they stand."""
        return self.site.doors


def read(connection: Connection, hub: Hub, slug: str) -> Day:
    """A site's day; ProblemError 404."""
    now = hub.now()
    site = next((one for one in network(connection, hub.counting, now) if one.slug == slug), None)
    if site is None:
        raise not_found("site", slug)
    return Day(
        site=site,
        at=now,
        coming=_coming(connection, hub, site, now),
        unknown=inbox.unknown(connection, hub.keyring, slug),
        members=_members(connection),
    )


def bounds(timezone: str, now: Instant) -> tuple[Instant, Instant]:
    """The midnights around ``now`` at a place; 23 or 25 hours apart twice a year."""
    zone = ZoneInfo(timezone)
    day = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone).date()
    first = datetime.combine(day, datetime.min.time(), zone)
    last = datetime.combine(day + timedelta(1), datetime.min.time(), zone)
    return instant(first), instant(last)


def _coming(connection: Connection, hub: Hub, site: SiteNow, now: Instant) -> list[Coming]:
    start, end = bounds(site.timezone, now)
    wanted: Select[Any] = BOOKINGS.where(
        _ROOM.c.site_id == site.id,
        *spans.ends_after(connection, start),
        _BOOKING.c.start < end,
        _BOOKING.c.status.in_(("confirmed", "no_show")),
    ).order_by(_BOOKING.c.start, _BOOKING.c.id)
    rows = connection.execute(wanted).all()
    ids = [row.id for row in rows]
    doors = delivery.read(connection, hub.settings.policy_horizon_hours * HOUR_MS, now, ids)
    companions = companions_of(connection, ids)
    given = passes.of_bookings(connection, hub.keyring, ids)
    names = _names(connection, {one.member for each in given.values() for one in each})
    arrived = _arrived(connection, rows, site.id, start)
    return [
        Coming(
            row=row,
            who=row.member_name or row.title,
            companions=len(companions.get(row.id, ())),
            arrived=row.checked_in_at or arrived.get(row.member_id),
            links=tuple((names[one.member], f"/pass/{one.token}") for one in given.get(row.id, ())),
            **_told(doors.of(row)),
        )
        for row in rows
    ]


def _told(doors: Sequence[delivery.Delivery]) -> dict[str, Any]:
    waiting = [one for one in doors if one.state != "on_the_door"]
    since = max((one.since for one in doors), default=None)
    return {
        "delivered": not waiting,
        "on_doors_since": None if waiting else since,
        "why": next((one.why for one in waiting if one.why), ""),
        "failed": delivery.failed(waiting),
    }


def _arrived(
    connection: Connection, rows: Sequence[Row[Any]], site: int, start: Instant
) -> dict[int, Instant]:
    """When each of these members first went in at this site today."""
    members = listed({row.member_id for row in rows if row.member_id is not None})
    named = {"members": members, "site": site, "start": start}
    found = connection.execute(_FIRST_PASSAGE[connection.dialect.name], named)
    return {row[0]: row[1] for row in found}


def _names(connection: Connection, slugs: set[str]) -> dict[str, str]:
    wanted = select(_MEMBER.c.slug, _MEMBER.c.name).where(_MEMBER.c.slug.in_(slugs))
    return {row.slug: row.name for row in connection.execute(wanted)}


def _members(connection: Connection) -> list[tuple[str, str]]:
    wanted = (
        select(_MEMBER.c.slug, _MEMBER.c.name)
        .where(_MEMBER.c.status == "active")
        .order_by(func.lower(_MEMBER.c.name), _MEMBER.c.id)
        .limit(CHOICES)
    )
    return [(row.slug, row.name) for row in connection.execute(wanted)]
