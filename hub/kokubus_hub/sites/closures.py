"""Closing a site for a while, after a look at the bookings that it hits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from kokubus.messages import Instant
from kokubus_hub import changes, models
from kokubus_hub.i18n import marked as _
from kokubus_hub.models import table
from kokubus_hub.problems import ProblemError, not_found
from kokubus_hub.times import iso

LONGEST_MS = 366 * 86_400_000
HITS = _("Bookings fall into this time. Look at them, then confirm the closure.")
ORDER = _("The closure ends before it begins, or lies in the past; name a later end.")
TOO_LONG = _("A closure lasts a year at most; change the opening hours instead.")
IS_OVER = _("This closure is over already.")
_CLOSURE, _SITE = table(models.Closure), table(models.Site)
_BOOKING, _ROOM, _MEMBER = table(models.Booking), table(models.Room), table(models.Member)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A site to be closed from ``start`` to ``end``; ``confirmed`` once its hits were seen."""

    site: str
    start: Instant
    end: Instant
    reason: str = ""
    confirmed: bool = False


def hits(connection: Connection, site: int, start: Instant, end: Instant) -> list[Row[Any]]:
    """The confirmed bookings of a site that overlap a time, by their start."""
    wanted = (
        select(
            _BOOKING.c.id,
            _BOOKING.c.start,
            _BOOKING.c.end,
            _ROOM.c.slug.label("room"),
            _MEMBER.c.slug.label("member"),
            _MEMBER.c.name.label("member_name"),
        )
        .join_from(_BOOKING, _ROOM)
        .outerjoin(_MEMBER, _MEMBER.c.id == _BOOKING.c.member_id)
        .where(
            _ROOM.c.site_id == site,
            _BOOKING.c.status == "confirmed",
            _BOOKING.c.start < end,
            _BOOKING.c.end > start,
        )
    )
    return list(connection.execute(wanted.order_by(_BOOKING.c.start, _BOOKING.c.id)))


def of_site(connection: Connection, site: str, now: Instant) -> list[Row[Any]]:
    """The closures of a site that hold or will, in order; ProblemError 404."""
    wanted = select(_CLOSURE, _SITE.c.slug.label("site")).join_from(_CLOSURE, _SITE)
    wanted = wanted.where(_CLOSURE.c.site_id == site_id(connection, site), _CLOSURE.c.end > now)
    return list(connection.execute(wanted.order_by(_CLOSURE.c.start)))


def make(connection: Connection, wanted: Wanted, now: Instant, operator: int | None) -> Row[Any]:
    """Close a site. ProblemError 404, 422, and 409 with the bookings hit until ``confirmed``."""
    changes.queue(connection)  # who books at this moment is hit as well
    site = site_id(connection, wanted.site)
    _check(wanted.start, wanted.end, now)
    hit = hits(connection, site, wanted.start, wanted.end)
    if hit and not wanted.confirmed:
        raise ProblemError(409, HITS, errors=[_said(row) for row in hit])
    said = f"closure of {wanted.site}, {len(hit)} bookings hit: {wanted.reason}"
    changes.record(connection, now, said, site, operator)
    row = {"site_id": site, "start": wanted.start, "end": wanted.end, "reason": wanted.reason}
    made = connection.execute(insert(_CLOSURE).values(row).returning(_CLOSURE.c.id)).scalar_one()
    return by_id(connection, made)


def take_back(connection: Connection, closure: int, now: Instant, operator: int | None) -> None:
    """Open the site again: a closure to come is gone, one that holds ends now. ProblemError."""
    row = by_id(connection, closure)
    if row.end <= now:
        raise ProblemError(409, IS_OVER)
    this = _CLOSURE.c.id == closure
    changes.record(connection, now, f"closure {closure} taken back", row.site_id, operator)
    if row.start < now:
        connection.execute(update(_CLOSURE).where(this).values(end=now))
    else:
        connection.execute(delete(_CLOSURE).where(this))


def by_id(connection: Connection, closure: int) -> Row[Any]:
    """One closure with its site's slug; ProblemError 404."""
    wanted = select(_CLOSURE, _SITE.c.slug.label("site")).join_from(_CLOSURE, _SITE)
    row = connection.execute(wanted.where(_CLOSURE.c.id == closure)).one_or_none()
    if row is None:
        raise not_found("closure", closure)
    return row


def site_id(connection: Connection, site: str) -> int:
    """The row of a site; ProblemError 404."""
    found = connection.execute(select(_SITE.c.id).where(_SITE.c.slug == site)).scalar()
    if found is None:
        raise not_found("site", site)
    return int(found)


def _check(start: Instant, end: Instant, now: Instant) -> None:
    if start >= end or end <= now:
        raise ProblemError(422, ORDER)
    if end - start > LONGEST_MS:
        raise ProblemError(422, TOO_LONG)


def _said(row: Row[Any]) -> dict[str, str]:
    who = row.member or "somebody"
    return {"where": f"booking {row.id}", "what": f"{row.room}, {who}, {iso(row.start)}"}
