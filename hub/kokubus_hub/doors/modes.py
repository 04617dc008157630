"""Lockdown and free passage: who said so, for which doors, why and until when.

A mode is part of the doors' policies and ends on their own clocks, so it holds and ends
without the hub, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Row, insert, or_, select, update

from kokubus.messages import Instant
from kokubus.rights import ModeKind
from kokubus_hub import changes, models, rules
from kokubus_hub.i18n import marked as _
from kokubus_hub.models import table
from kokubus_hub.problems import ProblemError, not_found

Kind: TypeAlias = Literal["free_passage", "lockdown"]
LONGEST_MS = 31 * 86_400_000
NOT_RATED = _(
    "No door there may stand open: its strike is not rated for it. If its data sheet says 100 % "
    "duty, set continuous_duty and free_passage in the site file and apply it."
)
ENDS_BEFORE = _("The mode ends before it begins, or has ended already; name a later end.")
TOO_LONG = _("Nobody will remember a mode after a month; name an end within 31 days.")
NO_END = _("Free passage needs an end: say until when the doors stand open.")
IS_OVER = _("This mode is over already.")
OF_BOOKING = _("This mode belongs to an event; change its booking, or lock the doors down.")

_MODE, _DOOR, _SITE = table(models.DoorMode), table(models.Door), table(models.Site)
_DEVICE, _OPERATOR = table(models.Device), table(models.Operator)
MODES = (
    select(
        _MODE,
        _DOOR.c.slug.label("door"),
        _SITE.c.slug.label("site"),
        _OPERATOR.c.name.label("operator"),
    )
    .select_from(_MODE)
    .outerjoin(_DOOR, _DOOR.c.id == _MODE.c.door_id)
    .outerjoin(_SITE, _SITE.c.id == _MODE.c.site_id)
    .outerjoin(_OPERATOR, _OPERATOR.c.id == _MODE.c.operator_id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A mode to begin, at a door, at all of a ``site``'s, or, without both, everywhere.

    ``start`` None: now. ``end`` None: until it is taken back, which only a lockdown may be.
    """

    kind: str
    reason: str
    door: str | None = None
    site: str | None = None
    start: Instant | None = None
    end: Instant | None = None


@dataclass(frozen=True, slots=True)
class ModeNow:
    """A mode, the doors it holds at, and which of them have it on their disk."""

    row: Row[Any]
    doors: Sequence[str]
    delivered: Sequence[str]


def begin(connection: Connection, wanted: Wanted, now: Instant, operator: int | None) -> ModeNow:
    """Begin a mode. ProblemError 404, 422 for its times, 409 where no door may stand open."""
    door, site = _target(connection, wanted)
    start = now if wanted.start is None else wanted.start
    _check_times(wanted, start, now)
    about = {"kind": wanted.kind, "door_id": door.id if door else None}
    about |= {"site_id": site.id if site else None}
    if wanted.kind == ModeKind.FREE_PASSAGE:
        _check_rated(connection, about)
    where = wanted.door or wanted.site or "everywhere"
    concerned = door.site_id if door else site.id if site else None
    said = f"{wanted.kind} at {where}: {wanted.reason}"
    change = changes.record(connection, now, said, concerned, operator)
    row = about | {"start": start, "end": wanted.end, "reason": wanted.reason}
    row |= {"operator_id": operator, "change_id": change, "created_at": now}
    made = connection.execute(insert(_MODE).values(row).returning(_MODE.c.id)).scalar_one()
    return by_id(connection, made)


def end(
    connection: Connection, mode: int, at: Instant | None, now: Instant, operator: int | None
) -> ModeNow:
    """Take a mode back (``at`` None), or let it end then. ProblemError 404, 409 or 422."""
    row = by_id(connection, mode).row
    if row.booking_id is not None:
        raise ProblemError(409, OF_BOOKING)
    if row.end is not None and row.end <= max(now, row.start):
        raise ProblemError(409, IS_OVER)
    until = max(now, row.start) if at is None else at
    if at is not None:
        _check_span(row.kind, max(row.start, now), at)
    concerned = _site_of(connection, row)
    what = f"{row.kind} {row.id} ends" if at is not None else f"{row.kind} {row.id} taken back"
    change = changes.record(connection, now, what, concerned, operator)
    ended = update(_MODE).where(_MODE.c.id == mode).values(end=until, change_id=change)
    connection.execute(ended)
    return by_id(connection, mode)


def in_force(connection: Connection, now: Instant, *, over: bool = False) -> list[ModeNow]:
    """Modes that hold or will, newest first; with ``over`` also the last hundred that did."""
    wanted = MODES.order_by(_MODE.c.id.desc())
    if over:
        wanted = wanted.limit(100)
    else:
        wanted = wanted.where(
            or_(_MODE.c.end.is_(None), (_MODE.c.end > now) & (_MODE.c.end > _MODE.c.start))
        )
    doors = _doors(connection)
    return [_now(row, doors) for row in connection.execute(wanted)]


def by_id(connection: Connection, mode: int) -> ModeNow:
    """One mode; ProblemError 404."""
    row = connection.execute(MODES.where(_MODE.c.id == mode)).one_or_none()
    if row is None:
        raise not_found("mode", mode)
    return _now(row, _doors(connection))


def _doors(connection: Connection) -> list[Row[Any]]:
    wanted = select(_DOOR, _DEVICE.c.applied_change).select_from(_DOOR.outerjoin(_DEVICE))
    return list(connection.execute(wanted.order_by(_DOOR.c.id)))


def _now(row: Row[Any], doors: Iterable[Row[Any]]) -> ModeNow:
    holds = [door for door in doors if rules.concerns(row, door) and _may(row.kind, door)]
    upto = row.change_id or 0
    delivered = [door.slug for door in holds if (door.applied_change or 0) >= upto > 0]
    return ModeNow(row, [door.slug for door in holds], delivered)


def _may(kind: str, door: Row[Any]) -> bool:
    return kind == ModeKind.LOCKDOWN or bool(door.free_passage)


def _target(connection: Connection, wanted: Wanted) -> tuple[Row[Any] | None, Row[Any] | None]:
    if wanted.door is not None and wanted.site is not None:
        raise ProblemError(422, "Name a door or a site, not both.")
    return (
        _named(connection, _DOOR, "door", wanted.door),
        _named(connection, _SITE, "site", wanted.site),
    )


def _named(connection: Connection, held: Any, what: str, slug: str | None) -> Row[Any] | None:
    if slug is None:
        return None
    row = connection.execute(select(held).where(held.c.slug == slug)).one_or_none()
    if row is None:
        raise not_found(what, slug)
    return row


def _check_times(wanted: Wanted, start: Instant, now: Instant) -> None:
    if wanted.end is None and wanted.kind == ModeKind.FREE_PASSAGE:
        raise ProblemError(422, NO_END)
    if wanted.end is not None:
        _check_span(wanted.kind, max(start, now), wanted.end)


def _check_span(kind: str, start: Instant, end: Instant) -> None:
    if end <= start:
        raise ProblemError(422, ENDS_BEFORE)
    if kind == ModeKind.FREE_PASSAGE and end - start > LONGEST_MS:
        raise ProblemError(422, TOO_LONG)


def _check_rated(connection: Connection, about: dict[str, Any]) -> None:
    mode = models.DoorMode(**about)
    if not any(door.free_passage and rules.concerns(mode, door) for door in _doors(connection)):
        raise ProblemError(409, NOT_RATED)


def _site_of(connection: Connection, row: Row[Any]) -> int | None:
    if row.door_id is None:
        return int(row.site_id) if row.site_id is not None else None
    of_door = select(_DOOR.c.site_id).where(_DOOR.c.id == row.door_id)
    return int(connection.execute(of_door).scalar_one())
