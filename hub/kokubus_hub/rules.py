"""Rows of the database as `kokubus.rights` values: one reading of the rules for every tap.

The listener (a slice for one tap) and the policies (everything at a device's doors) both build
their rights here, so that hub and door decide alike. Pure; a row is anything with the columns'
names as attributes. Room, door and member are named by their slugs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, TypeAlias

from kokubus.messages import Instant
from kokubus.rights import (
    AntiPassback,
    BadgeRules,
    DoorRules,
    Mode,
    ModeKind,
    Right,
    RightKind,
    Window,
)
from kokubus.site import ways
from kokubus_hub.hours import Weekly, always, expand, hours_of, merge, schedule_key

__all__ = [
    "FAR",
    "badge_rules",
    "booking_key",
    "booking_right",
    "concerns",
    "door_rules",
    "entitlement_key",
    "entitlement_right",
    "expand",
    "in_transit",
    "rooms_behind",
    "schedule_of",
    "windows_of",
    "without",
]

Row: TypeAlias = Any
FAR: Instant = 4_102_444_800_000
"""2100-01-01, where an end is needed and there is none: still a date people can be shown."""


def rooms_behind(door: Row, doors: Iterable[Row], slugs: Mapping[int, str]) -> tuple[str, ...]:
    """The rooms a door is on the way to (`kokubus.site.ways`); ``slugs`` by room id.

    A booking's doors are those whose rooms behind include the booking's: all on the way in.
    """
    edges = [(other.from_room_id, other.room_id) for other in doors]
    behind = ways.rooms_behind((door.from_room_id, door.room_id), edges)
    return tuple(slugs[room] for room in behind)


def door_rules(
    door: Row,
    site: Row,
    rooms: tuple[str, ...],
    *,
    modes: Iterable[Row] = (),
    closures: Iterable[Row] = (),
    placements: Sequence[Row] = (),
    code_from: int = 0,
) -> DoorRules:
    """What holds at a door: the modes that concern it, its site's closures and placements.

    ``rooms`` is `rooms_behind`. While a container is in transit its doors are closed, and not
    even free passage holds them open. Free passage is for doors that may stand open: the
    strike of another one would burn out. That of an event yields to a closure as well.
    """
    transit = in_transit(site, placements)
    closed = merge([*((closure.start, closure.end) for closure in closures), *transit])
    return DoorRules(
        rooms=rooms,
        lead_ms=site.lead_ms,
        grace_ms=site.grace_ms,
        modes=tuple(
            mode
            for row in modes
            if row.kind != ModeKind.FREE_PASSAGE or door.free_passage
            for mode in _modes(row, transit if row.booking_id is None else closed)
        ),
        closures=closed,
        anti_passback=AntiPassback(door.anti_passback),
        reads_both_sides=door.reads_both_sides,
        min_assurance=door.min_assurance,
        opens_without_clock=site.opens_without_clock,
        code_from=code_from,
    )


def concerns(mode: Row, door: Row) -> bool:
    """Whether a mode holds at a door: it is the door's, its site's, or everybody's."""
    if mode.door_id is not None:
        return bool(mode.door_id == door.id)
    return mode.site_id is None or bool(mode.site_id == door.site_id)


def in_transit(site: Row, placements: Iterable[Row]) -> tuple[Window, ...]:
    """When a container stands nowhere; a building never is in transit."""
    if site.kind != "container":
        return ()
    return without((0, FAR), ((row.start, row.end or FAR) for row in placements))


def badge_rules(badge: Row, member: Row | None, keyholder: tuple[str, ...] = ()) -> BadgeRules:
    """A badge and its holder; ``keyholder`` names the doors it opens whatever else holds.

    Whatever is not plainly active is blocked or suspended. The badge ends with the membership.
    """
    starts = [row.start for row in (badge, member) if row and row.start is not None]
    ends = [row.end for row in (badge, member) if row and row.end is not None]
    return BadgeRules(
        member=member.slug if member else None,
        blocked=badge.status != "active",
        suspended=member is not None and member.status != "active",
        start=max(starts, default=None),
        end=min(ends, default=None),
        keyholder=keyholder,
        override_lockdown=badge.override_lockdown,
    )


def booking_key(booking: Row) -> str:
    """The right's name in policies and events.

    Whoever comes along has a right of their own, by the negative id of `BookingHolder`.
    """
    return f"b{booking.id}" if booking.id > 0 else f"h{-booking.id}"


def booking_right(booking: Row, member: str, room: str, site: Row) -> Right | None:
    """The right a booking gives; None if it gives none.

    A whole day is that day's opening hours, exactly; on a closed day there are none, and a
    right without any window would hold at any time.
    """
    if booking.status != "confirmed":
        return None
    windows = windows_of(booking, site)
    if not windows:
        return None
    return Right(member=member, rooms=(room,), windows=windows, exact=bool(booking.whole_day))


def windows_of(booking: Row, site: Row) -> tuple[Window, ...]:
    """When a booking is: its time, or of a whole day that day's opening hours, if it has any."""
    if not booking.whole_day:
        return ((booking.start, booking.end),)
    return hours_of(site.opening, site.timezone, date.fromisoformat(booking.date))


def entitlement_key(entitlement: Row) -> str:
    """The right's name in policies and events."""
    return f"e{entitlement.id}"


def entitlement_right(entitlement: Row, member: str, rooms: tuple[str, ...], site: Row) -> Right:
    """A standing right to ``rooms``: its schedule, else its site's opening hours.

    The schedule's windows belong into the policy under the right's key, see `schedule_of`;
    without them it never holds. Where it is always open and has no dates, it is unbounded.
    """
    weekly = schedule_of(entitlement, site)
    bounded = entitlement.start is not None or entitlement.end is not None
    return Right(
        member=member,
        rooms=rooms,
        kind=RightKind.ENTITLED,
        windows=((entitlement.start or 0, entitlement.end or FAR),) if bounded else None,
        schedule=None if always(weekly) else schedule_key(weekly, site.timezone),
    )


def schedule_of(entitlement: Row, site: Row) -> Weekly:
    """The weekly hours of a standing right, in the site's timezone."""
    own: Weekly | None = entitlement.schedule
    weekly: Weekly = site.opening if own is None else own
    return weekly


def _modes(row: Row, shut: tuple[Window, ...]) -> list[Mode]:
    kind = ModeKind(row.kind)
    if kind is ModeKind.LOCKDOWN or not shut:
        return [Mode(kind=kind, start=row.start, end=row.end)]
    free = without((row.start, row.end or FAR), shut)
    return [Mode(kind=kind, start=start, end=end) for start, end in free]


def without(whole: Window, holes: Iterable[Window]) -> tuple[Window, ...]:
    """What is left of a time where others are taken out of it."""
    left, end = whole
    rest: list[Window] = []
    for hole_start, hole_end in merge(holes):
        if left < min(hole_start, end):
            rest.append((left, min(hole_start, end)))
        left = max(left, hole_end)
    return (*rest, (left, end)) if left < end else tuple(rest)
