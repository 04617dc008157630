"""All the live page shows, read at one instant; who may see it is for the views to say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.bookings import delivery, spans
from kokubus_hub.context import Hub
from kokubus_hub.counting import Crowd, together
from kokubus_hub.database import reading
from kokubus_hub.live.lines import Line, latest
from kokubus_hub.models import table
from kokubus_hub.models.bookings import LONG_MS
from kokubus_hub.sites.service import SiteNow, network

HOUR_MS = 3_600_000
AHEAD_MS = 12 * HOUR_MS
NEWS_MS = 24 * HOUR_MS
BOOKINGS_SHOWN = 4
PIPS = 40
_BOOKING, _SETTING = table(models.Booking), table(models.Setting)
_ORDER = (_BOOKING.c.start, _BOOKING.c.id)
_ROOM, _MEMBER = table(models.Room), table(models.Member)
_TOLD = ("id", "room_id", "start", "end", "whole_day", "status", "title", "change_id", "changed_at")
_SHOWN: Select[Any] = (
    select(
        *(_BOOKING.c[name] for name in _TOLD),
        _ROOM.c.name.label("room_name"),
        _ROOM.c.site_id,
        _MEMBER.c.name.label("member_name"),
    )
    .join_from(_BOOKING, _ROOM)
    .outerjoin(_MEMBER, _MEMBER.c.id == _BOOKING.c.member_id)
)
_KEPT = table(models.BookingDelivery)
_ASKED = select(_KEPT.c.booking_id).where(
    _KEPT.c.state != literal_column("'on_the_door'")  # as its index says
)
_OWED = exists().where(_KEPT.c.booking_id == _BOOKING.c.id)


@dataclass(frozen=True, slots=True)
class BookingLine:
    """A booking of the next hours; ``delivered`` if every door on the way has it.

    ``failed`` is the first door that will not have it unless somebody sees to the door.
    """

    row: Row[Any]
    delivered: bool
    offline: bool
    failed: delivery.Delivery | None


@dataclass(frozen=True, slots=True)
class Card:
    """One site as the page shows it."""

    site: SiteNow
    lines: Sequence[Line]
    bookings: Sequence[BookingLine]


@dataclass(frozen=True, slots=True)
class Board:
    """The whole page; ``rooms`` are names by slug."""

    at: Instant
    cards: Sequence[Card]
    rooms: Mapping[str, str]
    simulated: bool

    @property
    def crowd(self) -> Crowd | None:
        """Everybody, everywhere."""
        return together(card.site.crowd for card in self.cards if card.site.crowd is not None)


def read(hub: Hub) -> Board:
    """The board now, in one view of the database."""
    now = hub.now()
    with reading(hub.engine) as connection:
        sites = network(connection, hub.counting, now)
        lines = latest(connection, now)
        bookings = _bookings(connection, now, hub.settings.policy_horizon_hours * HOUR_MS)
        simulated = is_simulated(connection)
    return Board(
        at=now,
        cards=[Card(site, lines.get(site.id, ()), bookings.get(site.id, ())) for site in sites],
        rooms={room.slug: room.name for site in sites for room in site.rooms},
        simulated=simulated,
    )


def is_simulated(connection: Connection) -> bool:
    """Whether this network is the demo's."""
    wanted = select(_SETTING.c.value).where(_SETTING.c.key == "demo")
    return connection.execute(wanted).scalar() == "1"


def pips(crowd: Crowd) -> list[str]:
    """One mark a place (several, in a large room): how surely it is taken.

    ``sure`` up to the interval's low end, ``likely`` to the median, ``maybe`` to its high end.
    """
    count, each = crowd.estimate, ceil(crowd.capacity / PIPS)
    marks = ceil(max(crowd.capacity, count.high) / each)
    return [_pip((mark + 1) * each, count.low, count.median, count.high) for mark in range(marks)]


def _pip(place: int, low: int, median: int, high: int) -> str:
    bounds = ((low, "sure"), (median, "likely"), (high, "maybe"))
    return next((name for bound, name in bounds if place <= bound), "free")


def _bookings(
    connection: Connection, now: Instant, horizon_ms: int
) -> dict[int, list[BookingLine]]:
    """What is booked now and next, and cancellations the doors do not know yet."""
    near = (*spans.ends_after(connection, now), _BOOKING.c.start < now + AHEAD_MS)
    chosen = _BOOKING.c.id.in_(_candidates(near, now))
    rows = connection.execute(_SHOWN.where(chosen).order_by(*_ORDER)).all()
    doors = delivery.read(connection, horizon_ms, now, [row.id for row in rows])
    found: defaultdict[int, list[BookingLine]] = defaultdict(list)
    for row in rows:
        line = _booking(row, doors.of(row))
        if row.status == "confirmed" or not line.delivered:
            found[row.site_id].append(line)
    return {site: _first(lines) for site, lines in found.items()}


def _candidates(near: spans.Conditions, now: Instant) -> Select[Any]:
    """The ids of each room's next few, all that is shown but what a door may wait for."""
    is_next = _BOOKING.c.status == "confirmed"
    recent = (_BOOKING.c.changed_at > now - NEWS_MS) & _BOOKING.c.status.not_like("staged:%")
    turn = func.row_number().over(partition_by=(_BOOKING.c.room_id, is_next), order_by=_ORDER)
    columns = turn.label("turn"), is_next.label("is_next"), _waited_for(now).label("waited_for")
    found = select(_BOOKING.c.id, *columns).where(*near, or_(is_next, recent)).subquery().c
    return select(found.id).where(
        or_(found.waited_for, found.is_next & (found.turn <= BOOKINGS_SHOWN))
    )


def _waited_for(now: Instant) -> ColumnElement[bool]:
    """Whether a door may wait for one of the `_candidates`; few are looked at to tell.

    What a door has not reported has an index by when it is due, which is when the booking
    begins, or at once. No door is named yet only just after a change, until `reconcile` sees it.
    """
    soon = _KEPT.c.due.between(now - LONG_MS, now + AHEAD_MS)
    unnamed = or_(_BOOKING.c.status != "confirmed", _BOOKING.c.changed_at > now - HOUR_MS)
    return or_(
        _BOOKING.c.start <= now - LONG_MS,
        _BOOKING.c.id.in_(_ASKED.where(_KEPT.c.due == 0)),
        _BOOKING.c.id.in_(_ASKED.where(soon)),
        unnamed & ~_OWED,
    )


def _booking(row: Row[Any], doors: Sequence[delivery.Delivery]) -> BookingLine:
    waiting = [door for door in doors if door.state != "on_the_door"]
    offline = any(door.why == "offline" for door in waiting)
    return BookingLine(row, not waiting, offline, delivery.failed(waiting))


def _first(lines: Sequence[BookingLine]) -> list[BookingLine]:
    """The next ones; one that a door still waits for gives its place to no other."""
    waiting = [line for line in lines if not line.delivered]
    chosen = (waiting + [line for line in lines if line.delivered])[:BOOKINGS_SHOWN]
    return sorted(chosen, key=lambda line: (line.row.start, line.row.id))
