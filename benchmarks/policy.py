"""How long policies take to build: 50 doors, 1,000 members, 20,000 bookings in four weeks.

Each member books five times a week, and policies look a week ahead. Ten sites of a front door
and four rooms each, every door with its own device, so that most bookings stand in two policies.
Built from nothing, as after a restart, and for one device after one booking was made, its
difference and fingerprint included. The best of some runs counts: the rest is other programs.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection, Engine, insert

from kokubus import policy, wire
from kokubus.credential import Credential
from kokubus_hub import database, models
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table
from kokubus_hub.policies import Known, build_all

SITES, ROOMS, MEMBERS, BOOKINGS = 10, 5, 1_000, 20_000
HOUR_MS = 3_600_000
HORIZON_MS = 168 * HOUR_MS
NOW = 1_790_000_000_000
OPENING = {day: ["08:00-20:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat")}


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure; ``quick`` repeats less."""
    with TemporaryDirectory() as folder:
        keyring = Keyring.create(Path(folder) / "keys")
        engine = database.engine(database.sqlite_url(Path(folder) / "hub.db"))
        try:
            database.migrate(engine)
            with database.writing(engine) as connection:
                _fill(connection, keyring)
            return _measure(engine, keyring, repeats=5 if quick else 20)
        finally:
            engine.dispose()


def _measure(engine: Engine, keyring: Keyring, *, repeats: int) -> list[dict[str, Any]]:
    built = [_build_all(engine, keyring) for _ in range(repeats)]
    known = Known(keyring)
    with database.reading(engine) as connection:
        documents = build_all(connection, [1], NOW, HORIZON_MS, known)
    text = wire.canonical(documents[1]).decode()
    changes = [_one_change(engine, known, text, number) for number in range(repeats)]
    rights = sum(len(wire.canonical(right)) + 12 for right in documents[1]["rights"].values())
    return [
        _line("build_50_doors_ms", min(built), "ms", 500),
        _line("one_change_ms", min(changes), "ms", 20),
        _line("bytes_per_right", rights / len(documents[1]["rights"]), "bytes", 150),
    ]


def _build_all(engine: Engine, keyring: Keyring) -> float:
    start = perf_counter()
    with database.reading(engine) as connection:
        devices = range(1, SITES * ROOMS + 1)
        documents = build_all(connection, devices, NOW, HORIZON_MS, Known(keyring))
    for document in documents.values():
        policy.fingerprint(document)
    spent = 1000 * (perf_counter() - start)
    assert sum(len(document["rights"]) for document in documents.values()) > BOOKINGS // 4
    return spent


def _one_change(engine: Engine, known: Known, text: str, number: int) -> float:
    with database.writing(engine) as connection:
        row = _booking(Random(number), room=2)
        row |= {"id": BOOKINGS + number + 1, "start": NOW, "end": NOW + HOUR_MS}
        connection.execute(insert(table(models.Booking)), row)
    start = perf_counter()
    with database.reading(engine) as connection:
        document = build_all(connection, [1], NOW, HORIZON_MS, known)[1]
    policy.fingerprint(document)
    put, _ = policy.diff(from_json(text), document)
    spent = 1000 * (perf_counter() - start)
    assert len(put["rights"]) == number + 1
    return spent


def _fill(connection: Connection, keyring: Keyring) -> None:
    for site in range(1, SITES + 1):
        _add(connection, models.Site, [_site(site)])
        numbers = range((site - 1) * ROOMS + 1, site * ROOMS + 1)
        _add(connection, models.Room, [_room(number, site) for number in numbers])
        _add(connection, models.Device, [_device(number, site, keyring) for number in numbers])
        _add(connection, models.Door, [_door(number, site, numbers[0]) for number in numbers])
    _add(connection, models.Member, [_member(number) for number in range(1, MEMBERS + 1)])
    _add(connection, models.Badge, [_badge(number, keyring) for number in range(1, MEMBERS + 1)])
    noise = Random(1)
    rooms = [1 + number % (SITES * ROOMS) for number in range(BOOKINGS)]
    _add(connection, models.Booking, [_booking(noise, room) for room in rooms])


def _add(connection: Connection, model: type[models.Base], rows: list[dict[str, Any]]) -> None:
    connection.execute(insert(table(model)), rows)


def _site(site: int) -> dict[str, Any]:
    return {"id": site, "slug": f"site-{site}", "name": "", "opening": OPENING}


def _room(number: int, site: int) -> dict[str, Any]:
    slug = f"site-{site}-room-{number}"
    return {"id": number, "site_id": site, "slug": slug, "name": "", "capacity": 12}


def _device(number: int, site: int, keyring: Keyring) -> dict[str, Any]:
    key = keyring.seal(os.urandom(32), f"device:device-{number}")
    return {"id": number, "site_id": site, "slug": f"device-{number}", "lookup_key": key}


def _door(number: int, site: int, hall: int) -> dict[str, Any]:
    return {
        "id": number,
        "site_id": site,
        "device_id": number,
        "room_id": number,
        "from_room_id": None if number == hall else hall,
        "slug": f"door-{number}",
        "name": "",
    }


def _member(number: int) -> dict[str, Any]:
    return {"id": number, "slug": f"m-{number:08x}", "name": ""}


def _badge(number: int, keyring: Keyring) -> dict[str, Any]:
    text = Credential("mfrc522", f"04{number:012X}").text
    return {
        "id": number,
        "member_id": number,
        "lookup": keyring.lookup(text),
        "sealed_uid": keyring.seal(text, "badge"),
    }


def _booking(noise: Random, room: int) -> dict[str, Any]:
    start = NOW + noise.randrange(-2 * 168, 2 * 168) * HOUR_MS
    return {
        "room_id": room,
        "member_id": noise.randrange(MEMBERS) + 1,
        "start": start,
        "end": start + 2 * HOUR_MS,
        "created_at": NOW,
        "changed_at": NOW,
    }


def _line(metric: str, value: float, unit: str, bar: float) -> dict[str, Any]:
    value = round(value, 1)
    return {
        "bench": "policy",
        "metric": metric,
        "value": value,
        "unit": unit,
        "bar": bar,
        "ok": value <= bar,
    }
