"""All the live page shows, read at one instant; who may see it is for the views to say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, func, or_, select

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.bookings import delivery, spans
from kokubus_hub.bookings.service import BOOKINGS
from kokubus_hub.context import Hub
from kokubus_hub.counting import Crowd, together
from kokubus_hub.database import reading
from kokubus_hub.live.lines import Line, latest
from kokubus_hub.models import table
from kokubus_hub.sites.service import SiteNow, network

HOUR_MS = 3_600_000
AHEAD_MS = 12 * HOUR_MS
NEWS_MS = 24 * HOUR_MS
BOOKINGS_SHOWN = 4
PIPS = 40
_BOOKING, _SETTING = table(models.Booking), table(models.Setting)
_ROOM, _KEPT = table(models.Room), table(models.BookingDelivery)
_OF_IT = _KEPT.c.booking_id == _BOOKING.c.id
_OPEN = exists().where(_OF_IT, _KEPT.c.state != "on_the_door")
_ON_A_DOOR = exists().where(_OF_IT, _KEPT.c.state == "on_the_door")


@dataclass(frozen=True, slots=True)
class BookingLine:
    """A booking of the next hours; ``delivered`` if every door on the way has it."""

    row: Row[Any]
    delivered: bool
    offline: bool


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
    known = or_(_BOOKING.c.status == "confirmed", _BOOKING.c.changed_at > now - NEWS_MS)
    wanted = BOOKINGS.where(
        *near, or_(_BOOKING.c.id.in_(_next(near)), known & (_OPEN | ~_ON_A_DOOR))
    ).order_by(_BOOKING.c.start, _BOOKING.c.id)
    found: defaultdict[int, list[BookingLine]] = defaultdict(list)
    rows = connection.execute(wanted).all()
    doors = delivery.read(connection, horizon_ms, now, [row.id for row in rows])
    for row in rows:
        line = _booking(row, doors.of(row))
        if row.status == "confirmed" or not line.delivered:
            found[row.site_id].append(line)
    return {site: _first(lines) for site, lines in found.items()}


def _next(near: Sequence[Any]) -> Select[Any]:
    """The ids of the first few of each site, all that is shown where no door waits for one."""
    order = (_BOOKING.c.start, _BOOKING.c.id)
    turn = func.row_number().over(partition_by=_ROOM.c.site_id, order_by=order).label("turn")
    ranked = select(_BOOKING.c.id, turn).join_from(_BOOKING, _ROOM)
    confirmed = ranked.where(*near, _BOOKING.c.status == "confirmed").subquery()
    return select(confirmed.c.id).where(confirmed.c.turn <= BOOKINGS_SHOWN)


def _booking(row: Row[Any], doors: Sequence[delivery.Delivery]) -> BookingLine:
    waiting = [door for door in doors if door.state != "on_the_door"]
    return BookingLine(row, not waiting, any(door.why == "offline" for door in waiting))


def _first(lines: Sequence[BookingLine]) -> list[BookingLine]:
    """The next ones, but none that a door still waits for is left out for lack of room."""
    waiting = [line for line in lines if not line.delivered]
    chosen = (waiting + [line for line in lines if line.delivered])[: max(BOOKINGS_SHOWN, 1)]
    return sorted(chosen, key=lambda line: (line.row.start, line.row.id))
