"""A generated network to measure with: places, members, badges, bookings, all from one seed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Engine, insert

from kokubus import credential, wire
from kokubus.credential import Credential
from kokubus.ids import uuid7
from kokubus.messages import BadgeTapped, Clock, Reading, SensorsRead, Stamp
from kokubus_hub import changes, database, models
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table

HOUR_MS = 3_600_000
CHUNK = 20_000
LONGEST_DEADLINE_MS = 60_000
"""A tap that was made before the clock started must not look late to the hub."""
OPENING = {day: ["00:00-24:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}


@dataclass(frozen=True, slots=True)
class Network:
    """What was generated: an engine, its keys, and how to ask about it."""

    engine: Engine
    keyring: Keyring
    members: int
    doors: int
    bookings: int
    now: int

    def uid(self, member: int) -> str:
        """The UID of a member's badge."""
        return f"04{member:012X}"

    def expects(self, member: int, door: int) -> bool:
        """Whether this member has a booking behind this door now: every other one has."""
        return member % 2 == 0 and door == member % self.doors


class Caller:
    """A device's end of the wire: seals credentials and stamps facts."""

    def __init__(self, network: Network, door: int, noise: Random | None = None) -> None:
        self.device = f"device-{door}"
        self.door = f"door-{door}"
        self._noise = noise or Random(door)
        private = X25519PrivateKey.generate()
        hub = X25519PublicKey.from_public_bytes(network.keyring.sealing_public)
        self._key: AESGCM = credential.session_key(private.exchange(hub))
        self._public = private.public_key().public_bytes_raw()
        self._epoch = uuid7(network.now, self._noise.randbytes(10))
        self._seq = 0

    def stamp(self) -> Stamp:
        """The next number of this device's record."""
        self._seq += 1
        return Stamp(epoch=self._epoch, seq=self._seq, boot="boot", uptime_ms=1, clock=Clock.SYNCED)

    def tap(self, uid: str, at: int) -> tuple[str, str, bytes]:
        """(tap id, topic, payload) of a badge held to this door now."""
        tap = uuid7(at, self._noise.randbytes(10))
        card = Credential("mfrc522", uid)
        sealed = credential.seal(card, tap, self._key, self._public, os.urandom(12))
        fact = BadgeTapped(
            id=tap, at=at, door=self.door, sealed=sealed, deadline_ms=LONGEST_DEADLINE_MS
        )
        payload = wire.encode_up(fact, self.stamp())
        return tap, wire.up_topic(self.device, fact.kind), payload

    def readings(self, at: int, count: int) -> tuple[str, bytes]:
        """(topic, payload) of one message with ``count`` readings."""
        values = tuple(
            Reading(
                sensor=f"{self.device}-temperature",
                quantity="temperature",
                at=at,
                value=20.0 + 0.01 * index,
            )
            for index in range(count)
        )
        fact = SensorsRead(id=uuid7(at, self._noise.randbytes(10)), at=at, readings=values)
        return wire.up_topic(self.device, fact.kind), wire.encode_up(fact, self.stamp())


def generate(
    folder: Path, *, members: int, doors: int, bookings: int, now: int, url: str | None = None
) -> Network:
    """Fill a fresh database; every door has its own device, room and site."""
    keyring = Keyring.create(folder / "keys")
    engine = database.engine(url or database.sqlite_url(folder / "kokubus.db"))
    database.migrate(engine)
    network = Network(engine, keyring, members, doors, bookings, now)
    with database.writing(engine) as connection:
        _places(connection, network)
        _people(connection, network)
        for rows in _bookings(network):
            connection.execute(insert(table(models.Booking)), rows)
        changes.record(connection, now, "generated")
    return network


def _places(connection: Connection, network: Network) -> None:
    ids = range(1, network.doors + 1)
    _add(connection, models.Municipality, [{"id": 1, "slug": "village", "name": "Village"}])
    _add(connection, models.Site, [_site(number) for number in ids])
    _add(connection, models.Placement, [_placement(number) for number in ids])
    _add(connection, models.Room, [_room(number) for number in ids])
    _add(connection, models.Device, [_device(network, number) for number in ids])
    _add(connection, models.Door, [_door(number) for number in ids])
    _add(connection, models.Sensor, [_sensor(number) for number in ids])


def _site(number: int) -> dict[str, Any]:
    return {"id": number, "slug": f"site-{number}", "name": f"Site {number}", "opening": OPENING}


def _placement(number: int) -> dict[str, Any]:
    return {"site_id": number, "municipality_id": 1, "address": "", "start": 0, "end": None}


def _room(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "site_id": number,
        "slug": f"room-{number}",
        "name": f"Room {number}",
        "capacity": 12,
        "volume_m3": 150.0,
    }


def _device(network: Network, number: int) -> dict[str, Any]:
    slug = f"device-{number - 1}"
    sealed = network.keyring.seal(os.urandom(32), f"device:{slug}")
    return {"id": number, "site_id": number, "slug": slug, "lookup_key": sealed}


def _door(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "site_id": number,
        "device_id": number,
        "room_id": number,
        "slug": f"door-{number - 1}",
        "name": f"Door {number}",
        "anti_passback": "flag",
    }


def _sensor(number: int) -> dict[str, Any]:
    slug = f"device-{number - 1}-temperature"
    return {
        "site_id": number,
        "room_id": number,
        "device_id": number,
        "slug": slug,
        "quantity": "temperature",
    }


def _people(connection: Connection, network: Network) -> None:
    for span in _chunks(range(network.members)):
        _add(connection, models.Member, [_member(member) for member in span])
        _add(connection, models.Badge, [_badge(network, member) for member in span])


def _member(member: int) -> dict[str, Any]:
    return {"id": member + 1, "slug": f"m-{member:08x}", "name": f"Member {member}"}


def _badge(network: Network, member: int) -> dict[str, Any]:
    text = Credential("mfrc522", network.uid(member)).text
    return {
        "id": member + 1,
        "member_id": member + 1,
        "lookup": network.keyring.lookup(text),
        "sealed_uid": network.keyring.seal(text, "badge"),
    }


def _bookings(network: Network) -> Iterator[list[dict[str, Any]]]:
    """Every even member one booking around now; the rest spread over a year, none now."""
    if not network.bookings:
        return
    noise = Random(1)
    now = network.now
    rows = [
        _booking(network, member, now - HOUR_MS, now + HOUR_MS)
        for member in range(0, network.members, 2)
    ]
    yield rows
    left = network.bookings - len(rows)
    for span in _chunks(range(left)):
        starts = [noise.choice((-1, 1)) * noise.randint(12, 24 * 180) * HOUR_MS for _ in span]
        yield [
            _booking(network, noise.randrange(network.members), now + at, now + at + 2 * HOUR_MS)
            for at in starts
        ]


def _booking(network: Network, member: int, start: int, end: int) -> dict[str, Any]:
    return {
        "room_id": member % network.doors + 1,
        "member_id": member + 1,
        "start": start,
        "end": end,
        "created_at": network.now,
        "changed_at": network.now,
    }


def _add(connection: Connection, model: type[models.Base], rows: list[dict[str, Any]]) -> None:
    connection.execute(insert(table(model)), rows)


def _chunks(span: range) -> Iterator[Sequence[int]]:
    for start in range(0, len(span), CHUNK):
        yield span[start : start + CHUNK]
