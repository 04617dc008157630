"""A building with a hall and a desk room behind it, a door and a device to each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert, update
from tests.hub.migrated import migrated

from kokubus import access, credential, wire
from kokubus.credential import Credential
from kokubus.decision import Decision, Moment, State, Tap
from kokubus.policy import Document, content_of
from kokubus.rights import Policy
from kokubus_hub import changes, database, models, policies
from kokubus_hub.keys import Keyring
from kokubus_hub.models import Base, table
from kokubus_hub.publisher import PublishError

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NOW = 1_790_000_000_000
"""2026-09-21 14:13:20 UTC, a Monday: 16:13 at the sites."""
HORIZON_MS = 7 * DAY_MS
OPENING = {day: ["08:00-20:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
UID = "04A3C6CAE26180"


@dataclass
class Broker:
    """Stands for the publisher: what was published, by device and kind, as it is read there."""

    keyring: Keyring
    connected: bool = True
    connections: int = 1
    heard: list[tuple[str, wire.Down, bool]] = field(default_factory=list)

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> Future[None]:
        if not self.connected:
            raise PublishError("away")
        device = topic.split("/")[2]
        keys = {self.keyring.kid: self.keyring.verifying}
        self.heard.append((device, wire.decode_down(payload, device=device, keys=keys), retain))
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def take(self, device: str | None = None) -> list[Any]:
        """The messages since last asked."""
        heard, self.heard = self.heard, []
        return [down.message for of, down, _ in heard if device in (None, of)]


@dataclass
class World:
    """The hub's rows; every method writes some, with the change that follows them."""

    engine: Engine
    keyring: Keyring
    key: bytes

    def add(self, model: type[Base], **values: Any) -> int:
        with database.writing(self.engine) as connection:
            added = connection.execute(insert(table(model)).values(values))
            return int(added.inserted_primary_key[0])

    def set(self, model: type[Base], row: int, **values: Any) -> None:
        with database.writing(self.engine) as connection:
            held = table(model)
            connection.execute(update(held).where(held.c.id == row).values(values))

    def change(self, what: str = "test", site: int | None = 1) -> int:
        with database.writing(self.engine) as connection:
            return changes.record(connection, NOW, what, site)

    def member(self, uid: str, **values: Any) -> int:
        number = int(uid, 16) % 2**32
        member = self.add(models.Member, slug=f"m-{number:08x}", name="Somebody", **values)
        text = Credential("mfrc522", uid).text
        self.add(
            models.Badge,
            member_id=member,
            lookup=self.keyring.lookup(text),
            sealed_uid=self.keyring.seal(text, "badge"),
        )
        return member

    def book(self, member: int, start: int, end: int, room: int = 2, **values: Any) -> int:
        row = {"room_id": room, "member_id": member, "start": start, "end": end}
        row |= {"created_at": NOW, "changed_at": NOW}
        return self.add(models.Booking, **(row | values))

    def document(self, device: int, now: int = NOW) -> Document:
        with database.reading(self.engine) as connection:
            return policies.build(connection, device, now, HORIZON_MS, self.keyring)

    def decide(self, door: str, uid: str = UID, now: int = NOW) -> Decision:
        """What the door itself decides, from its device's document."""
        device = 1 if door == "dorf-front" else 2
        policy = Policy(content_of(self.document(device, now)), max_age_ms=HORIZON_MS)
        lookup = credential.lookup(Credential("mfrc522", uid).text, self.key)
        return access.decide(policy, State(), Tap(door=door, badge=lookup), Moment(at=now))


@contextmanager
def world(folder: Path) -> Iterator[World]:
    (folder / "hub.db").write_bytes(migrated())
    engine = database.engine(database.sqlite_url(folder / "hub.db"))
    try:
        yield furnished(engine, Keyring.create(folder / "keys"))
    finally:
        engine.dispose()


def furnished(engine: Engine, keyring: Keyring) -> World:
    """The building in a database that has been migrated and is empty."""
    made = World(engine, keyring, os.urandom(32))
    _furnish(made)
    return made


def _furnish(made: World) -> None:
    made.add(models.Municipality, slug="dorf", name="Dorf")
    made.add(models.Site, slug="dorf", name="Dorf", opening=OPENING)
    for slug in ("dorf-hall", "dorf-desks"):
        made.add(models.Room, site_id=1, slug=slug, name=slug, capacity=8)
    for number, door in ((1, "dorf-front"), (2, "dorf-inner")):
        device = f"dorf-{number}"
        key = made.keyring.seal(made.key, f"device:{device}")
        made.add(models.Device, site_id=1, slug=device, lookup_key=key)
        made.add(
            models.Door,
            site_id=1,
            device_id=number,
            room_id=number,
            from_room_id=None if number == 1 else 1,
            slug=door,
            name=door,
        )
