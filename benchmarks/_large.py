"""A large network on a PostgreSQL of its own: places from `network`, the many rows made by SQL.

The million bookings and five million taps are drawn inside the server with ``generate_series``:
sent row by row they would take longer than what is measured.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Connection, text

from benchmarks.network import Network, generate
from kokubus_hub import database

DOORS, HOUR_MS, DAY_MS = 50, 3_600_000, 86_400_000
_SERVER = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows; ``events`` are taps, each with what the door did and half with a passage."""

    members: int
    bookings: int
    events: int

    def shared(self, by: int) -> Size:
        """One of so many parts."""
        return Size(self.members // by, self.bookings // by, self.events // by)


LARGE, SMALL = Size(50_000, 1_000_000, 5_000_000), Size(1_000, 20_000, 100_000)


@contextmanager
def server() -> Iterator[str]:
    """A running PostgreSQL's URL, as it is configured by default; the name of a database follows.

    Nothing is tuned but durability while rows are made: it listens on a socket alone.
    """
    folder = Path(tempfile.mkdtemp(prefix="kokubus-pg-"))
    if os.geteuid() == 0:
        os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
    data = str(folder / "data")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c max_wal_size=8GB"
    try:
        _ctl("-D", data, "-o", "-U kokubus -A trust -E UTF8 --no-sync", "initdb")
        _ctl("-D", data, "-l", str(folder / "log"), "-o", options, "-w", "start")
        try:
            yield f"postgresql://kokubus@/{{}}?host={folder}"
        finally:
            _ctl("-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


def fill(url: str, name: str, folder: Path, size: Size, now: int) -> Network:
    """A database of this name with so many rows, counted and vacuumed as autovacuum leaves it."""
    admin = database.engine(url.format("postgres"))
    with admin.connect() as connection:
        bare = connection.execution_options(isolation_level="AUTOCOMMIT")
        bare.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    folder.mkdir()
    made = generate(
        folder, members=size.members, doors=DOORS, bookings=0, now=now, url=url.format(name)
    )
    with database.writing(made.engine) as connection:
        _many(connection, size, now)
    with made.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))
    return made


def _many(connection: Connection, size: Size, now: int) -> None:
    named = {
        "members": size.members,
        "bookings": size.bookings,
        "events": size.events,
        "doors": DOORS,
        "now": now,
        "year": 365 * DAY_MS,
        "hour": HOUR_MS,
    }
    connection.execute(text("SELECT setseed(0.5)"))
    connection.execute(text("SET LOCAL session_replication_role = replica"))  # no history of these
    indexes = connection.execute(text(_INDEXES), {"filled": [*_FILLED]}).all()
    for index in indexes:
        connection.execute(text(f"DROP INDEX {index.indexname}"))
    for statement in (_BOOKINGS, _DELIVERIES, _TAPS, _ENFORCED, _PASSAGES, _RIGHTS, _UNKNOWN):
        connection.execute(text(statement), named)
    for index in indexes:  # sorting all rows once takes a fraction of inserting them one by one
        connection.execute(text(index.indexdef))
    for table in _FILLED[1:]:
        connection.execute(text(_SEQUENCE.format(table)))


_FILLED = ("booking", "booking_delivery", "access_event", "enforcement", "passage", "entitlement")
_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename = ANY(:filled) AND indexname LIKE 'ix\\_%'
"""
_SEQUENCE = "SELECT setval(pg_get_serial_sequence('{0}', 'id'), (SELECT max(id) FROM {0}))"
_BOOKINGS = """
INSERT INTO booking (room_id, member_id, start, "end", whole_day, status, kind, people, title,
                     source, external_uid, recurrence_id, change_id, created_at, changed_at)
SELECT 1 + m % :doors, m + 1, at, at + 2 * :hour, false,
       CASE WHEN random() < 0.05 THEN 'cancelled' ELSE 'confirmed' END,
       'booking', 1, '', 'push:portal', 'uid-' || n, '', 1, at - 24 * :hour, at - 24 * :hour
FROM (SELECT n, floor(random() * :members)::int AS m,
             :now - :year + :hour * floor(random() * 14 * 30 * 24)::bigint AS at
      FROM generate_series(1, :bookings) AS n) AS drawn
"""
"""A year back and two months ahead; who booked is drawn, and everybody has their own room."""
_DELIVERIES = """
INSERT INTO booking_delivery (booking_id, door_id, change_id, state, since, due, why)
SELECT id, room_id, 1, CASE WHEN start < :now + 168 * :hour THEN 'on_the_door' ELSE 'waiting' END,
       created_at, start, CASE WHEN start < :now + 168 * :hour THEN '' ELSE 'later' END
FROM booking
"""
_TAPS = """
INSERT INTO access_event (tap, device_id, door_id, at, received_at, epoch, seq, boot, uptime_ms,
                          clock, side, assurance, badge_id, member_id, granted, reason,
                          decided_at, late)
SELECT 'tap-' || n, 1 + m % :doors, 1 + m % :doors, at, at + 40, 'e', n, 'b', n, 'synced', 'in', 0,
       m + 1, m + 1, n % 9 <> 0, CASE WHEN n % 9 <> 0 THEN 'booked' ELSE 'no_booking' END,
       at + 41, false
FROM (SELECT n, floor(random() * :members)::int AS m,
             :now - :year + (CAST(:year AS numeric) * n / :events)::bigint AS at
      FROM generate_series(1, :events) AS n) AS drawn
"""
_ENFORCED = """
INSERT INTO enforcement (tap, door_id, at, by, granted, reason, policy_age_ms, received_at)
SELECT tap, door_id, at + 50, 'hub', granted, reason, 0, at + 90 FROM access_event
"""
_PASSAGES = """
INSERT INTO passage (door_id, at, received_at, side, tap, exit_requested, member_id)
SELECT door_id, at + 1500, at + 1600, 'in', tap, false, member_id FROM access_event
WHERE granted AND id % 2 = 0
"""
_RIGHTS = """
INSERT INTO entitlement (member_id, site_id) SELECT id, 1 + id % :doors FROM member
"""
_UNKNOWN = """
INSERT INTO unknown_badge (lookup, sealed_uid, door_id, first_at, last_at, taps)
SELECT 'unknown-' || n, (SELECT sealed_uid FROM badge WHERE id = 1 + n % :members), 1 + n % :doors,
       :now - n * 1000, :now - n * 1000, 1
FROM generate_series(1, 500) AS n
"""


def a_site(noise: Random) -> Mapping[str, Any]:
    """One of the network's, as a query names it."""
    return {"site": f"site-{noise.randrange(DOORS) + 1}"}


def a_room(noise: Random) -> Mapping[str, Any]:
    """One of the network's, as a query names it."""
    return {"room": f"room-{noise.randrange(DOORS) + 1}"}


def a_door(noise: Random) -> Mapping[str, Any]:
    """One of the network's, as a query names it."""
    return {"door": f"door-{noise.randrange(DOORS)}"}


def _ctl(*words: str) -> None:
    """Run pg_ctl as a user PostgreSQL accepts: it refuses to work for root."""
    if _SERVER is None:
        raise FileNotFoundError("PostgreSQL is missing: apt-get install postgresql")
    user = "postgres" if os.geteuid() == 0 else None
    environ = {"LC_ALL": "C", "PATH": f"{_SERVER}:/usr/bin:/bin"}
    command = [_SERVER / "pg_ctl", *words]
    subprocess.run(command, check=True, user=user, env=environ, stdout=subprocess.DEVNULL)
