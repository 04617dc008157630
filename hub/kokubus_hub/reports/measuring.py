"""What happened at a site in some spans of time, as it was: nothing here may leave the house."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select

from kokubus.messages import Instant
from kokubus.occupancy.health import POSSIBLE
from kokubus_hub import models, rules
from kokubus_hub.models import table
from kokubus_hub.people import members
from kokubus_hub.reports.periods import Span, Stay, local_day, midnight

QUARTER_MS, HOUR_MS, DAY_MS = 900_000, 3_600_000, 86_400_000
MEMORY_MS = 30 * DAY_MS
"""Somebody is new who was not seen here in the 30 days before: longer, taps know no member."""

_DOOR, _ROOM, _CLOSURE = table(models.Door), table(models.Room), table(models.Closure)
_ESTIMATE, _SENSOR, _READING = table(models.Estimate), table(models.Sensor), table(models.Reading)
_EVENT, _ENFORCEMENT = table(models.AccessEvent), table(models.Enforcement)
_PASSAGE, _BOOKING = table(models.Passage), table(models.Booking)
_HOLDER, _FAULT = table(models.BookingHolder), table(models.SensorFault)


Visit = tuple[int, date]
"""A member, on a day."""


@dataclass(frozen=True, slots=True)
class Quarter:
    """A quarter of an hour at a site: how many people, over all rooms, and whether it was open."""

    at: Instant
    mean: float
    variance: float
    open: bool


@dataclass(frozen=True, slots=True)
class Booked:
    """A booking whose time is over, whose it is, and whether they came."""

    member: int | None
    purpose: str
    came: bool


@dataclass(slots=True)
class Measured:
    """Everything a report is made of. A visit is a member on a day.

    ``inside`` says of each visit from when until when it may have lasted at most: from the first
    badge-in to a badge-out after the last one, else to the end of the day.
    """

    spans: Sequence[Span]
    places: int = 0
    open_quarters: int = 0
    quarters: list[Quarter] = field(default_factory=list)
    inside: dict[Visit, Span] = field(default_factory=dict)
    booked_visits: set[Visit] = field(default_factory=set)
    known_before: set[int] = field(default_factory=set)
    postcode_bands: dict[int, str] = field(default_factory=dict)
    bookings: list[Booked] = field(default_factory=list)
    stays_ms: list[tuple[int, int]] = field(default_factory=list)
    air: dict[Instant, float] = field(default_factory=dict)
    turned_away: set[Instant] = field(default_factory=set)

    @property
    def visits(self) -> frozenset[Visit]:
        """Who came in, on which day."""
        return frozenset(self.inside)

    @property
    def came(self) -> frozenset[int]:
        """Whoever came in: the people behind every figure that is counted or measured."""
        return frozenset(member for member, _ in self.inside)

    @property
    def people(self) -> frozenset[int]:
        """Whoever came in, or had booked."""
        return self.came | {one.member for one in self.bookings if one.member is not None}


def measure(connection: Connection, stay: Stay, spans: Sequence[Span]) -> Measured:
    """All figures of a stay's site in these spans."""
    made = Measured(spans)
    rooms = connection.execute(select(_ROOM).where(_ROOM.c.site_id == stay.site.id)).all()
    made.places = sum(room.capacity for room in rooms)
    opened = _open_quarters(connection, stay, spans)
    made.open_quarters = len(opened)
    made.quarters = _quarters(connection, rooms, spans, opened)
    made.air = _air(connection, stay.site.id, spans, opened)
    _add_visits(connection, stay, made)
    _add_bookings(connection, stay, {room.id: room.purpose for room in rooms}, made)
    _add_dwells(connection, stay, made)
    made.postcode_bands = members.postcode_bands(connection, made.came)
    made.turned_away = _turned_away(connection, stay.site.id, spans)
    return made


def people_by_day(connection: Connection, stay: Stay, week: Span) -> list[frozenset[int]]:
    """Whoever came in on each day of a week."""
    made = Measured([week])
    _add_visits(connection, stay, made)
    days = [local_day(start, stay.zone) for start, _ in stay.days(week)]
    return [frozenset(member for member, day in made.visits if day == one) for one in days]


def _within(column: ColumnElement[int], spans: Iterable[Span]) -> ColumnElement[bool]:
    return or_(*(and_(column >= start, column < end) for start, end in spans))


def _open_quarters(connection: Connection, stay: Stay, spans: Sequence[Span]) -> set[Instant]:
    site = stay.site
    closed = connection.execute(select(_CLOSURE).where(_CLOSURE.c.site_id == site.id)).all()
    found: set[Instant] = set()
    for start, end in spans:
        for opens, closes in rules.expand(site.opening, site.timezone, start, end):
            first = max(opens, start) // QUARTER_MS * QUARTER_MS
            found.update(range(first, min(closes, end), QUARTER_MS))
    shut = (range(row.start // QUARTER_MS * QUARTER_MS, row.end, QUARTER_MS) for row in closed)
    return found.difference(*shut)


def _quarters(
    connection: Connection, rooms: Sequence[Row[Any]], spans: Sequence[Span], opened: set[Instant]
) -> list[Quarter]:
    begins = (_ESTIMATE.c.at - _ESTIMATE.c.at % QUARTER_MS).label("begins")
    each = (
        select(
            begins,
            func.avg(_ESTIMATE.c.mean).label("mean"),
            func.avg(_ESTIMATE.c.variance).label("variance"),
        )
        .where(_ESTIMATE.c.room_id.in_([room.id for room in rooms]))
        .where(_within(_ESTIMATE.c.at, spans))
        .group_by(_ESTIMATE.c.room_id, begins)
        .subquery()
    )
    summed = (
        select(each.c.begins, func.sum(each.c.mean), func.sum(each.c.variance))
        .group_by(each.c.begins)
        .order_by(each.c.begins)
    )
    return [
        Quarter(at, float(mean), float(variance), at in opened)
        for at, mean, variance in connection.execute(summed)
    ]


def _air(
    connection: Connection, site: int, spans: Sequence[Span], opened: set[Instant]
) -> dict[Instant, float]:
    """The worst room's mean CO2 (ppm) by open quarter of an hour.

    What a sensor cannot have measured, or said while it was known to be bad, is left out.
    """
    low, high = POSSIBLE["co2"]
    bad = select(_FAULT.c.id).where(
        _FAULT.c.sensor_id == _READING.c.sensor_id,
        _FAULT.c.found_at <= _READING.c.at,
        or_(_FAULT.c.cleared_at.is_(None), _READING.c.at < _FAULT.c.cleared_at),
    )
    begins = (_READING.c.at - _READING.c.at % QUARTER_MS).label("begins")
    query = (
        select(begins, func.avg(_READING.c.value).label("ppm"))
        .join_from(_READING, _SENSOR)
        .where(_SENSOR.c.site_id == site, _SENSOR.c.quantity == "co2")
        .where(_READING.c.value.between(low, high), ~bad.exists())
        .where(_within(_READING.c.at, spans))
        .group_by(_SENSOR.c.room_id, begins)
    )
    worst: defaultdict[Instant, float] = defaultdict(float)
    for at, ppm in connection.execute(query):
        if at in opened:
            worst[at] = max(worst[at], float(ppm))
    return dict(worst)


def _entries(connection: Connection, site: int, when: ColumnElement[bool]) -> list[Row[Any]]:
    """Who was really let in: what the door did about a tap whose member is known."""
    query = (
        select(_EVENT.c.member_id, _ENFORCEMENT.c.at)
        .join_from(_ENFORCEMENT, _EVENT, _EVENT.c.tap == _ENFORCEMENT.c.tap)
        .join(_DOOR, _DOOR.c.id == _ENFORCEMENT.c.door_id)
        .where(_DOOR.c.site_id == site, _ENFORCEMENT.c.granted.is_(True), _EVENT.c.side == "in")
        .where(_EVENT.c.member_id.is_not(None), when)
    )
    return list(connection.execute(query))


def _add_visits(connection: Connection, stay: Stay, made: Measured) -> None:
    for row in _entries(connection, stay.site.id, _within(_ENFORCEMENT.c.at, made.spans)):
        day = local_day(row.at, stay.zone)
        visit = (row.member_id, day)
        since = min(row.at, made.inside.get(visit, (row.at, 0))[0])
        made.inside[visit] = (since, midnight(day + timedelta(days=1), stay.zone))
    first = min(start for start, _ in made.spans)
    before = and_(_ENFORCEMENT.c.at >= first - MEMORY_MS, _ENFORCEMENT.c.at < first)
    made.known_before = {row.member_id for row in _entries(connection, stay.site.id, before)}


def _add_bookings(
    connection: Connection, stay: Stay, purposes: dict[int, str], made: Measured
) -> None:
    rows = connection.execute(_bookings(list(purposes), made.spans)).all()
    holders, visits = _holders(connection, [row.id for row in rows]), made.visits
    for row in rows:
        members = holders[row.id] | ({row.member_id} if row.member_id is not None else set())
        days = _days(row, stay)
        mine = {visit for visit in visits if visit[0] in members and visit[1] in days}
        made.booked_visits |= mine
        came = row.status != "no_show" and (row.checked_in_at is not None or bool(mine))
        made.bookings.append(Booked(row.member_id, purposes[row.room_id], came))


def _bookings(rooms: Any, spans: Sequence[Span]) -> Select[Any]:
    return select(_BOOKING).where(
        _BOOKING.c.room_id.in_(rooms),
        _BOOKING.c.status.in_(("confirmed", "no_show")),
        _BOOKING.c.kind == "booking",
        _within(_BOOKING.c.start, spans),
    )


def _days(booking: Row[Any], stay: Stay) -> set[date]:
    first, last = (local_day(at, stay.zone) for at in (booking.start, booking.end - 1))
    return {date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1)}


def _holders(connection: Connection, bookings: list[int]) -> defaultdict[int, set[int]]:
    found: defaultdict[int, set[int]] = defaultdict(set)
    query = select(_HOLDER).where(_HOLDER.c.booking_id.in_(bookings))
    for row in connection.execute(query):
        found[row.booking_id].add(row.member_id)
    return found


def _add_dwells(connection: Connection, stay: Stay, made: Measured) -> None:
    """From each badge-in to the next badge-out of the same day; the last one ends a visit."""
    query = (
        select(_PASSAGE.c.member_id, _PASSAGE.c.at, _PASSAGE.c.side)
        .join_from(_PASSAGE, _DOOR)
        .where(_DOOR.c.site_id == stay.site.id, _DOOR.c.from_room_id.is_(None))
        .where(_PASSAGE.c.member_id.is_not(None), _within(_PASSAGE.c.at, made.spans))
        .order_by(_PASSAGE.c.member_id, _PASSAGE.c.at, _PASSAGE.c.id)
    )
    passages = connection.execute(query).all()
    made.stays_ms = [
        (into.member_id, out.at - into.at)
        for into, out in pairwise(passages)
        if (into.member_id, into.side, out.side) == (out.member_id, "in", "out")
        and local_day(into.at, stay.zone) == local_day(out.at, stay.zone)
    ]
    for visit, last in {
        (row.member_id, local_day(row.at, stay.zone)): row for row in passages
    }.items():
        if last.side == "out" and visit in made.inside:
            since, until = made.inside[visit]
            made.inside[visit] = (since, max(since, min(until, last.at)))


def _turned_away(connection: Connection, site: int, spans: Sequence[Span]) -> set[Instant]:
    """The hours in which a door denied somebody for want of a free place."""
    hour = (_ENFORCEMENT.c.at - _ENFORCEMENT.c.at % HOUR_MS).label("hour")
    query = (
        select(hour)
        .distinct()
        .join_from(_ENFORCEMENT, _DOOR)
        .where(_DOOR.c.site_id == site, _ENFORCEMENT.c.reason == "room_full")
        .where(_ENFORCEMENT.c.granted.is_(False), _within(_ENFORCEMENT.c.at, spans))
    )
    return set(connection.scalars(query))
