# ruff: noqa: A005 - a benchmark's name is its metric's, and nothing here imports the other
"""A calendar of 5,000 events: read, expanded over a year, compared with what is booked.

Every tenth event repeats weekly, so that a year has some 28,000 occurrences of it, less than
what a room's calendar may hold; times of three programs' styles. It is read in the process of its
own that a stranger's file is given, and compared with the bookings of the import before.
"""

from __future__ import annotations

import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, insert

from benchmarks.rig import Metric, metric
from kokubus_hub import database, models
from kokubus_hub.imports import apart, bookings
from kokubus_hub.imports.bookings import HORIZON_MS, File
from kokubus_hub.models import table

EVENTS, REPEATING, MEMBERS = 5_000, 20, 200
NOW = 1_790_000_000_000
_HEAD = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//\r\n"


def run(quick: bool) -> list[Metric]:
    """Measure; ``quick`` does it once."""
    content = calendar()
    with TemporaryDirectory() as folder:
        engine = database.engine(database.sqlite_url(Path(folder) / "hub.db"))
        try:
            _fill(engine)
            spent = min(_spent(engine, content) for _ in range(1 if quick else 3))
            began = time.perf_counter()
            bookings.import_bookings(engine, "bench", content, "hall", lambda: NOW, complete=True)
            imported = time.perf_counter() - began
            again = min(_spent(engine, content, same=True) for _ in range(1 if quick else 3))
        finally:
            engine.dispose()
    raw = _raw(content)
    return [
        metric("calendar", "parse_expand_diff_s", max(spent, again), "s", 5.0),
        metric("calendar", "read_raw_s", raw, "s"),
        metric("calendar", "imported_s", imported, "s"),
    ]


def calendar() -> bytes:
    """5,000 events of the year to come."""
    noise = Random(7)
    return (_HEAD + "".join(_event(noise, n) for n in range(EVENTS)) + "END:VCALENDAR\r\n").encode()


def _event(noise: Random, number: int) -> str:
    day, hour = noise.randrange(300), 6 + noise.randrange(12)
    month, first = 10 + day // 28, 1 + day % 28
    year, month = (2026, month) if month <= 12 else (2027, month - 12)
    at = f"{year:04}{month:02}{first:02}T{hour:02}0000"
    lines = [
        "BEGIN:VEVENT",
        f"UID:{number}@bench.example",
        "DTSTAMP:20260901T000000Z",
        f"DTSTART;TZID=Europe/Berlin:{at}",
        "DURATION:PT1H",
        f"SUMMARY:Termin {number}",
        f"ORGANIZER;CN=Person:mailto:person-{number % MEMBERS}@example.org",
        f"ATTENDEE;CN=Gast:mailto:person-{(number + 7) % MEMBERS}@example.org",
    ]
    if number % (EVENTS // REPEATING) == 0:
        lines.append("RRULE:FREQ=WEEKLY;COUNT=40")
    return "\r\n".join([*lines, "END:VEVENT", ""])


def _spent(engine: Engine, content: bytes, *, same: bool = False) -> float:
    file = File(name="bench", content=content, room="hall", complete=True)
    began = time.perf_counter()
    planned = bookings.plan(engine, file, NOW)
    spent = time.perf_counter() - began
    found = planned.result
    assert (found.unchanged if same else found.added) > EVENTS
    return spent


def _raw(content: bytes) -> float:
    """Reading alone: what the parser and the expansion cost."""
    began = time.perf_counter()
    apart.read("bench", content, ZoneInfo("Europe/Berlin"), NOW, NOW + HORIZON_MS)
    return time.perf_counter() - began


def _fill(engine: Engine) -> None:
    database.migrate(engine)
    with database.writing(engine) as connection:
        connection.execute(insert(table(models.Site)).values(id=1, slug="site", name=""))
        room = {"id": 1, "site_id": 1, "slug": "hall", "name": "", "capacity": 500, "desks": 500}
        connection.execute(insert(table(models.Room)).values(room))
        people = [
            {"slug": f"m-{n:08x}", "name": "", "email": f"person-{n}@example.org"}
            for n in range(MEMBERS)
        ]
        connection.execute(insert(table(models.Member)), people)
