"""What a room's calendar is compared with: its bookings, and whom its addresses mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, RowMapping, func, select

from kokubus.rights import Window
from kokubus_hub.bookings import checks, openings
from kokubus_hub.imports.problems import ImportFileError, Problem
from kokubus_hub.models import Booking, BookingHolder, EmailAlias, Member, Room, Site, table

Key: TypeAlias = tuple[str, str]
"""(UID, RECURRENCE-ID) of an occurrence."""
_BOOKING, _MEMBER, _ROOM, _SITE = (table(one) for one in (Booking, Member, Room, Site))
_HOLDER, _ALIAS = table(BookingHolder), table(EmailAlias)


@dataclass(frozen=True, slots=True)
class Held:
    """Bookings of one source by key, their companions, and members by e-mail address.

    An address that is known to be nobody's is None. ``unfit`` says why the room's doors cannot
    be held open, if so; ``road`` is when its site is a container in transit.
    """

    room_row: Row[Any]
    source: str
    people: Mapping[str, int | None]
    rows: Mapping[Key, RowMapping]
    companions: Mapping[int, list[int]]
    unfit: str
    road: tuple[Window, ...] = ()

    @property
    def room(self) -> RowMapping:
        """The room, with its site's ``timezone``."""
        return self.room_row._mapping  # noqa: SLF001 - SQLAlchemy's public name

    def parts(self, row: RowMapping) -> dict[str, Any]:
        """A booking as it stands, in the parts that a calendar says."""
        return {
            "when": [row["start"], row["end"], row["date"]],
            "who": row["member_id"],
            "companions": self.companions.get(row["id"], []),
            "title": row["title"],
            "kind": row["kind"],
            "cancelled": row["status"] not in ("confirmed", "conflict"),
        }


def held_by(connection: Connection, name: str, room: str) -> Held:
    """What there is of a room (its slug); ImportFileError if there is no such room."""
    source = f"ics:{room}"
    joined = select(_ROOM, _SITE.c.timezone).join(_SITE, _SITE.c.id == _ROOM.c.site_id)
    found = connection.execute(joined.where(_ROOM.c.slug == room)).one_or_none()
    if found is None:
        slugs = ", ".join(connection.execute(select(_ROOM.c.slug)).scalars()) or "none yet"
        text = f"there is no room {room!r}; known: {slugs}"
        raise ImportFileError({name: [Problem(0, text)]})
    rows = connection.execute(select(_BOOKING).where(_BOOKING.c.source == source)).mappings()
    names = openings.unfit(connection, found.id)
    site = connection.execute(select(_SITE).where(_SITE.c.id == found.site_id)).one()
    return Held(
        found,
        source,
        _people(connection),
        {(row["external_uid"], row["recurrence_id"]): row for row in rows},
        _companions(connection, source),
        f"{', '.join(names)} may not stand open" if names else "",
        checks.road(connection, site),
    )


def _people(connection: Connection) -> dict[str, int | None]:
    aliases = connection.execute(select(_ALIAS.c.email, _ALIAS.c.member_id))
    known: dict[str, int | None] = {row.email: row.member_id for row in aliases}
    emails = select(func.lower(_MEMBER.c.email), _MEMBER.c.id).where(_MEMBER.c.email != "")
    return known | {str(email): int(key) for email, key in connection.execute(emails)}


def _companions(connection: Connection, source: str) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    query = select(_HOLDER.c.booking_id, _HOLDER.c.member_id).join_from(_HOLDER, _BOOKING)
    wanted = query.where(_BOOKING.c.source == source).order_by(_HOLDER.c.member_id)
    for row in connection.execute(wanted):
        found.setdefault(row.booking_id, []).append(row.member_id)
    return found
