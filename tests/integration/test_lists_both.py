"""Lists on SQLite and on PostgreSQL: pages of a span of time, the live board, and their plans."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select, text
from tests.hub.policy_world import DAY_MS, HORIZON_MS, HOUR_MS, NOW, World
from tests.integration.both import DATABASES, hub_on
from tests.integration.pg_server import running

from kokubus_hub import database, models
from kokubus_hub.bookings import delivery, listing, spans
from kokubus_hub.bookings.wanted import Filter, Mark
from kokubus_hub.context import Hub
from kokubus_hub.events import service as events
from kokubus_hub.live import board
from kokubus_hub.models import table
from kokubus_hub.settings import Settings

pytestmark = pytest.mark.slow
BOOKING, KEPT = table(models.Booking), table(models.BookingDelivery)
STATUSES = ("confirmed",) * 8 + ("cancelled", "no_show", "staged:confirmed")
LENGTHS = (1, 1, 2, 2, 8, 24, 25, 26, 72, 20 * 24)
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    with running() as folder:
        yield folder


@pytest.fixture(params=DATABASES)
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with hub_on(request.param, tmp_path, lambda: request.getfixturevalue("server")) as made:
        yield made


def drawn(noise: Random, count: int, within: int, lengths: tuple[int, ...] = LENGTHS) -> Rows:
    """Bookings of both rooms that begin at full hours, so that many begin at once."""
    return [
        {
            "room_id": noise.choice((1, 2)),
            "member_id": 1,
            "start": (start := NOW + noise.randrange(-within, within) * HOUR_MS),
            "end": start + noise.choice(lengths) * HOUR_MS,
            "status": noise.choice(STATUSES),
            "created_at": NOW,
            "changed_at": NOW - noise.randrange(48) * HOUR_MS,
        }
        for _ in range(count)
    ]


def fill(hub: World, rows: Rows) -> None:
    with database.writing(hub.engine) as connection:
        connection.execute(insert(BOOKING), rows)


def pages(hub: World, **asked: Any) -> Iterator[list[int]]:
    """The ids of each page."""
    wanted = Filter(**asked)
    while True:
        with database.reading(hub.engine) as connection:
            rows = listing.find(connection, wanted)
        yield [row.id for row in rows]
        following = wanted.mark(rows)
        if following is None:
            return
        wanted = Filter(**(asked | {"next": Mark.parse(following)}))


def overlapping(hub: World, after: int | None, before: int | None, **equal: Any) -> list[int]:
    """All that is listed of a span, looked at one by one."""
    with database.reading(hub.engine) as connection:
        rows = connection.execute(select(BOOKING)).all()
    found = [
        row
        for row in rows
        if (after is None or row.end > after)
        and (before is None or row.start < before)
        and not row.status.startswith("staged")
        and all(getattr(row, name) == value for name, value in equal.items())
    ]
    return [row.id for row in sorted(found, key=lambda row: (row.start, row.id))]


SPANS = [
    (NOW, NOW + DAY_MS),
    (NOW - 5 * DAY_MS, NOW - 4 * DAY_MS),
    (NOW, None),
    (None, NOW),
    (NOW + 1, NOW + 2),
    (NOW + 40 * DAY_MS, None),
    (NOW + DAY_MS, NOW - DAY_MS),
]


@pytest.mark.parametrize(("after", "before"), SPANS)
def test_pages_of_a_span_hold_each_booking_once_as_they_begin(
    hub: World, after: int | None, before: int | None
) -> None:
    hub.member("04A3C6CAE26180")
    fill(hub, drawn(Random(1), 400, within=15 * 24))
    for limit in (1, 7, 500):
        listed = [
            one for page in pages(hub, after=after, before=before, limit=limit) for one in page
        ]
        assert listed == overlapping(hub, after, before)
    of_hall = pages(hub, after=after, before=before, room="dorf-hall", status="cancelled", limit=3)
    wanted = overlapping(hub, after, before, room_id=1, status="cancelled")
    assert [one for page in of_hall for one in page] == wanted


def test_what_is_booked_between_two_pages_neither_hides_nor_repeats_a_booking(hub: World) -> None:
    hub.member("04A3C6CAE26180")
    fill(hub, drawn(Random(2), 200, within=48))
    there = overlapping(hub, NOW, NOW + DAY_MS)
    asked = pages(hub, after=NOW, before=NOW + DAY_MS, limit=20)
    seen = [*next(asked), *next(asked)]
    with database.reading(hub.engine) as connection:
        reached = connection.execute(
            select(BOOKING.c.start).where(BOOKING.c.id == seen[-1])
        ).scalar_one()
    hub.book(1, NOW - 30 * DAY_MS, NOW + HOUR_MS)
    hub.book(1, reached - HOUR_MS, reached)
    coming = [
        hub.book(1, reached, NOW + 30 * HOUR_MS),
        hub.book(1, NOW + DAY_MS - 1, NOW + 2 * DAY_MS),
    ]
    seen += [one for page in asked for one in page]
    assert [one for one in seen if one not in coming] == there
    assert [one for one in seen if one in coming] == coming


def test_the_live_board_shows_what_looking_at_every_booking_shows(hub: World) -> None:
    hub.member("04A3C6CAE26180")
    noise = Random(3)
    for count in (3, 40, 400):
        fill(hub, drawn(noise, count, within=20))
        _report(hub, noise)
        assert _on_board(hub) == _looked_for(hub)
        assert _on_board(hub)


def _report(hub: World, noise: Random) -> None:
    """Doors report some bookings, owe others, and know nothing yet of new ones."""
    with database.writing(hub.engine) as connection:
        rows = connection.execute(select(BOOKING)).all()
        named = [row for row in rows if row.changed_at < NOW or noise.random() < 0.5]
        kept = [
            {
                "booking_id": row.id,
                "door_id": door,
                "change_id": 99,
                "since": NOW,
                "due": delivery.due_of(row),
                "state": noise.choice(["on_the_door"] * 12 + ["waiting", "failed"]),
            }
            for row in named
            for door in ((1,) if row.room_id == 1 else (1, 2))
        ]
        connection.execute(KEPT.delete())
        connection.execute(insert(KEPT), kept)


def _hub(made: World) -> Hub:
    return Hub(Settings(), made.engine, made.keyring, lambda: NOW)


def _on_board(hub: World) -> list[int]:
    return [line.row.id for card in board.read(_hub(hub)).cards for line in card.bookings]


def _looked_for(hub: World) -> list[int]:
    with database.reading(hub.engine) as connection:
        rows = connection.execute(select(BOOKING).order_by(BOOKING.c.start, BOOKING.c.id)).all()
        doors = delivery.read(connection, HORIZON_MS, NOW, [row.id for row in rows])
    near = [row for row in rows if row.end > NOW and row.start < NOW + 12 * HOUR_MS]
    fresh = [row for row in near if row.changed_at > NOW - DAY_MS and row.status in STATUSES[8:10]]
    known = [row for row in near if row.status == "confirmed" or row in fresh]
    waiting = [row for row in known if not doors.delivered(row)]
    others = [row for row in known if row.status == "confirmed" and doors.delivered(row)]
    shown = (waiting + others)[:4]
    return [row.id for row in sorted(shown, key=lambda row: (row.start, row.id))]


# --- how the databases find them ---------------------------------------------------------


@contextmanager
def heard(connection: Connection) -> Iterator[list[tuple[str, Any]]]:
    """What is asked of a connection's database meanwhile."""
    said: list[tuple[str, Any]] = []

    def hear(_c: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        said.append((statement, given))

    event.listen(connection.engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        event.remove(connection.engine, "before_cursor_execute", hear)


def plans(connection: Connection, ask: Callable[[Connection], object]) -> list[list[str]]:
    """The lines of each statement's plan."""
    with heard(connection) as said:
        ask(connection)
    how = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN (COSTS OFF)"
    asked = [one for one in said if one[0].startswith("SELECT")]
    return [
        [row[-1] for row in connection.exec_driver_sql(f"{how} {statement}", given)]
        for statement, given in asked
    ]


def lines_of(found: list[list[str]], *names: str) -> list[str]:
    """Those that say how rows of one of these tables are found."""
    ways = ("SCAN ", "SEARCH ", "Seq Scan on ", "using ", "Bitmap Index Scan on ")
    return [
        line.strip()
        for plan in found
        for line in plan
        for name in names
        if any(f"{way}{name}" in line for way in ways) or f"_{name}_" in line
    ]


@pytest.fixture
def large(hub: World) -> World:
    """Enough that PostgreSQL, which counts what there is, goes by an index."""
    hub.member("04A3C6CAE26180")
    rows = drawn(Random(4), 30_000, within=300 * 24, lengths=(1, 2, 3, 24))
    rows += drawn(Random(5), 100, within=300 * 24, lengths=(26, 80))
    fill(hub, rows)
    with database.writing(hub.engine) as connection:
        kept = select(
            BOOKING.c.id, BOOKING.c.room_id, 1, text("'on_the_door'"), NOW, BOOKING.c.start
        )
        names = ["booking_id", "door_id", "change_id", "state", "since", "due"]
        connection.execute(insert(KEPT).from_select(names, kept, include_defaults=True))
        if connection.dialect.name == "postgresql":
            connection.execute(text("ANALYZE"))
    return hub


def test_a_day_is_read_along_the_index_by_start(large: World) -> None:
    day = Filter(after=NOW, before=NOW + DAY_MS, limit=20)
    with database.reading(large.engine) as connection:
        rows = listing.find(connection, day)
        later = Filter(
            after=NOW, before=NOW + DAY_MS, limit=20, next=Mark.parse(str(day.mark(rows)))
        )
        for page, ordered in ((day, 1), (later, 0)):
            found = plans(connection, lambda asked, page=page: listing.find(asked, page))
            ways = lines_of(found, "booking")
            assert all("ix_booking_" in way or "rowid=?" in way or "pk_" in way for way in ways), (
                found
            )
            assert any("ix_booking_start_id_end" in way for way in ways), found
            assert (
                sum("sort" in line.lower() or "b-tree" in line.lower() for line in found[-1]) == 0
            )
            assert len(found) >= 1 + ordered
        first = plans(connection, lambda asked: spans.lasting(asked, NOW))
        assert "ix_booking_long" in lines_of(first, "booking")[0], first


def test_the_live_board_looks_at_what_is_near_alone(large: World) -> None:
    with database.reading(large.engine) as connection:
        found = plans(connection, lambda _: board.read(_hub(large)))
    ways = lines_of(found, "booking", "booking_delivery")
    assert any("ix_booking_start_id_end" in way for way in ways), found
    assert any("ix_booking_delivery_open" in way for way in ways), found
    assert not [way for way in ways if "Seq Scan" in way or way.startswith("SCAN")], found


def test_what_came_of_a_tap_is_found_by_it(large: World) -> None:
    taps: list[Any] = [type("Row", (), {"tap": f"t{n}", "door_id": 1, "at": NOW}) for n in range(3)]
    with database.writing(large.engine) as connection:
        said = {"door_id": 1, "device_id": 1, "at": NOW, "received_at": NOW}
        rows = [said | {"kind": "no_entry", "tap": f"t{n}"} for n in range(2, 40_000)]
        connection.execute(insert(table(models.DoorEvent)), rows)
        if connection.dialect.name == "postgresql":
            connection.execute(text("ANALYZE"))
        found = plans(connection, lambda asked: events.entries(asked, taps))
        assert "ix_door_event_tap" in lines_of(found, "door_event")[0], found
        assert list(events.entries(connection, taps)) == ["t2"]
