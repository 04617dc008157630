"""A building with three doors and two devices, and the intake that takes what they say."""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog.testing
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from sqlalchemy import Engine, delete, event, insert, select, update
from tests.hub.migrated import migrated

from kokubus import credential, wire
from kokubus.credential import Credential
from kokubus.downlinks import AccessDecided, Receipt
from kokubus.ids import uuid7
from kokubus.messages import (
    BadgeTapped,
    Clock,
    PassageSeen,
    Reading,
    SensorsRead,
    Side,
    Stamp,
    Uplink,
)
from kokubus.ranges import Ranges
from kokubus_hub import changes, database, models
from kokubus_hub.intake import Intake
from kokubus_hub.keys import Keyring
from kokubus_hub.models import Base, table
from kokubus_hub.reply import Reply
from kokubus_hub.sorting import Letter

NOW = 1_790_000_000_000
"""2026-09-21 14:13:20 UTC, a Monday: 16:13 at the site."""
HOUR_MS = 3_600_000
HALL, STUDIO = 1, 2
FRONT, INNER, BACK = "dorf-front", "dorf-inner", "dorf-back"
CO2, PIR, AIR = "dorf-co2", "dorf-pir", "dorf-air"
UID, OTHER_UID = "04A3C6CAE26180", "04A3C6FFFFFF80"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALWAYS = {day: ["00:00-24:00"] for day in DAYS}


class Device:
    """A device's end of the wire: seals credentials and numbers facts."""

    def __init__(self, slug: str, keyring: Keyring, *, epoch: str = "", made: int = 0) -> None:
        self.slug = slug
        self.epoch = epoch or f"epoch-of-{slug}"
        self.seq = 0
        self.clock = Clock.SYNCED
        self._made = made
        private = X25519PrivateKey.generate()
        hub = X25519PublicKey.from_public_bytes(keyring.sealing_public)
        self._key = credential.session_key(private.exchange(hub))
        self._public = private.public_key().public_bytes_raw()

    def id(self) -> str:
        self._made += 1
        return uuid7(NOW, self._made.to_bytes(2) + self.slug.encode().ljust(8)[-8:])

    def stamp(self) -> Stamp:
        self.seq += 1
        return Stamp(epoch=self.epoch, seq=self.seq, boot="boot", uptime_ms=1, clock=self.clock)

    def say(self, fact: Uplink) -> Letter:
        stamp = self.stamp() if fact.kind in wire.FACTS else None
        return Letter(wire.up_topic(self.slug, fact.kind), wire.encode_up(fact, stamp))

    def fact(self, cls: type[Any], **fields: Any) -> Letter:
        """The device's next fact; at now if it is not said when."""
        return self.say(cls(**({"id": self.id(), "at": NOW} | fields)))

    def tapped(
        self, uid: str = UID, door: str = FRONT, tech: str = "mfrc522", **fields: Any
    ) -> BadgeTapped:
        tap = self.id()
        card = Credential(tech, uid)
        sealed = credential.seal(card, tap, self._key, self._public, os.urandom(12))
        told: dict[str, Any] = {"id": tap, "at": NOW, "door": door, "sealed": sealed}
        return BadgeTapped(**(told | fields))

    def tap(self, uid: str = UID, door: str = FRONT, **fields: Any) -> Letter:
        return self.say(self.tapped(uid, door, **fields))

    def passage(self, at: int = NOW, door: str = FRONT, **fields: Any) -> Letter:
        return self.fact(PassageSeen, at=at, door=door, **({"side": Side.IN} | fields))

    def read(self, sensor: str, value: float, at: int = NOW) -> Letter:
        quantity = {CO2: "co2", PIR: "pir"}.get(sensor, "temperature")
        reading = Reading(sensor=sensor, quantity=quantity, at=at, value=value)
        return self.fact(SensorsRead, at=at, readings=(reading,))


class World:
    """The hub's database, its intake, and devices to speak to it."""

    def __init__(
        self, engine: Engine, keyring: Keyring, logs: Sequence[MutableMapping[str, Any]] = ()
    ) -> None:
        self.logs = logs
        self.engine = engine
        self.keyring = keyring
        self.intake = Intake(engine, keyring)
        self.device = Device("dorf-1", keyring)
        self.other = Device("dorf-2", keyring)
        self.now = NOW

    # -- what the hub knows

    def add(self, model: type[Base], **values: Any) -> int:
        """A row, and the change that everything the hub decides by is written with."""
        with database.writing(self.engine) as connection:
            added = connection.execute(insert(table(model)).values(values))
            changes.record(connection, self.now, "test")
            key = (added.inserted_primary_key or (0,))[0]
            return key if isinstance(key, int) else 0

    def set(self, model: type[Base], slug: str, **values: Any) -> None:
        held = table(model)
        with database.writing(self.engine) as connection:
            connection.execute(update(held).where(held.c.slug == slug).values(values))
            changes.record(connection, self.now, "test")

    def set_id(self, model: type[Base], row: int, **values: Any) -> None:
        held = table(model)
        with database.writing(self.engine) as connection:
            connection.execute(update(held).where(held.c.id == row).values(values))
            changes.record(connection, self.now, "test")

    def clear(self, model: type[Base]) -> None:
        with database.writing(self.engine) as connection:
            connection.execute(delete(table(model)))

    def member(self, uid: str = UID, *, badge: dict[str, Any] | None = None, **values: Any) -> int:
        """A member with a badge; of each, the fields given."""
        slug = f"m-{uid[-8:].lower()}"
        member = self.add(models.Member, **({"slug": slug, "name": "Ada Probe"} | values))
        self.badge(uid, member_id=member, **(badge or {}))
        return member

    def badge(self, uid: str = UID, **values: Any) -> int:
        text = Credential("mfrc522", uid).text
        sealed = self.keyring.seal(text, "badge")
        row = {"lookup": self.keyring.lookup(text), "sealed_uid": sealed}
        return self.add(models.Badge, **(row | values))

    def book(self, member: int, room: int = HALL, start: int = NOW - HOUR_MS, **values: Any) -> int:
        row = {"room_id": room, "member_id": member, "start": start, "end": start + 2 * HOUR_MS}
        row |= {"created_at": NOW, "changed_at": NOW}
        return self.add(models.Booking, **(row | values))

    def entitle(self, member: int, **values: Any) -> int:
        return self.add(models.Entitlement, **({"member_id": member, "site_id": 1} | values))

    def rows(self, model: type[Base]) -> list[dict[str, Any]]:
        held = table(model)
        with database.reading(self.engine) as connection:
            key = next(iter(held.primary_key.columns))
            return [dict(row) for row in connection.execute(select(held).order_by(key)).mappings()]

    def row(self, model: type[Base], slug: str) -> dict[str, Any]:
        return next(row for row in self.rows(model) if row["slug"] == slug)

    # -- what it is told, and says

    def take(self, *letters: Letter) -> list[Reply]:
        return self.intake.take(letters, self.now)

    def heard(self, replies: Sequence[Reply]) -> list[Any]:
        """The messages in replies, as their device reads them."""
        keys = {self.keyring.kid: self.keyring.verifying}
        return [
            wire.decode_down(reply.payload, device=reply.topic.split("/")[2], keys=keys).message
            for reply in replies
        ]

    def ask(self, letter: Letter) -> AccessDecided:
        """The one answer to a tap."""
        (answer,) = self.heard(self.take(letter))
        assert isinstance(answer, AccessDecided)
        return answer

    def reason(self, uid: str = UID, door: str = FRONT, **fields: Any) -> str:
        """What a tap is answered now."""
        return self.ask(self.device.tap(uid, door, at=self.now, **fields)).reason

    def receipted(self, replies: Sequence[Reply]) -> tuple[Ranges, list[int]]:
        """(durable, rejected) numbers that replies receipt, taps' answers included."""
        durable = Ranges()
        rejected: list[int] = []
        for message in self.heard(replies):
            if isinstance(message, Receipt):
                for first, last in message.ranges:
                    durable.add_range(first, last)
                rejected += message.rejected
            elif message.recorded:
                durable.add(message.seq)
        return durable, rejected


@contextmanager
def world(folder: Path) -> Iterator[World]:
    (folder / "hub.db").write_bytes(_furnished())
    engine = _engine(folder / "hub.db")
    try:
        with structlog.testing.capture_logs() as logs:
            yield World(engine, _keyring(), logs)
    finally:
        engine.dispose()


def _engine(path: Path) -> Engine:
    """As the hub's, but it does not wait for the disk."""
    engine = database.engine(database.sqlite_url(path))

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA synchronous = OFF").close()

    return engine


@cache
def _keyring() -> Keyring:
    with TemporaryDirectory() as folder:
        return Keyring.create(Path(folder) / "keys")


@cache
def _furnished() -> bytes:
    """The database every test begins with, made once."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "hub.db"
        path.write_bytes(migrated())
        engine = _engine(path)
        furnish(engine)
        engine.dispose()  # the last one to leave brings what is in the WAL into the file
        return path.read_bytes()


def furnish(engine: Engine) -> World:
    """Hall and studio; into the hall a front door and, of another device, a back door."""
    made = World(engine, _keyring())
    made.add(models.Municipality, slug="dorf", name="Dorf")
    made.add(models.Site, slug="dorf", name="Dorf", opening=ALWAYS)
    for slug, capacity in (("dorf-hall", 8), ("dorf-studio", 2)):
        made.add(models.Room, site_id=1, slug=slug, name=slug, capacity=capacity, volume_m3=90.0)
    for slug in ("dorf-1", "dorf-2"):
        made.add(models.Device, site_id=1, slug=slug)
    _add_door(made, FRONT, device_id=1, room_id=HALL)
    _add_door(made, INNER, device_id=1, room_id=STUDIO, from_room_id=HALL)
    _add_door(made, BACK, device_id=2, room_id=HALL, has_contact=False)
    for slug, quantity in ((CO2, "co2"), (PIR, "pir"), (AIR, "temperature")):
        row = {"site_id": 1, "room_id": HALL, "device_id": 1, "slug": slug}
        made.add(models.Sensor, **row, quantity=quantity)
    return made


def _add_door(made: World, slug: str, **values: Any) -> None:
    made.add(models.Door, site_id=1, slug=slug, name=slug, **values)
