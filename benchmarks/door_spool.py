"""A door's spool after a long absence, and how fast the hub could take it at best."""

from __future__ import annotations

import json
import os
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from random import Random

from sqlalchemy import select

from benchmarks.network import Caller, Network
from benchmarks.rig import Peer
from kokubus import wire
from kokubus.downlinks import Receipt
from kokubus.ids import uuid7
from kokubus.messages import (
    By,
    Clock,
    ContactChanged,
    Enforced,
    Fact,
    PassageSeen,
    Reading,
    SensorsRead,
    Side,
    Stamp,
)
from kokubus.ranges import Ranges
from kokubus_edge.spool_flights import Letter
from kokubus_edge.spool_store import Batch, Store
from kokubus_hub import database, models
from kokubus_hub.models import table

HOUR_MS = 3_600_000
WINDOW = 2_000
Where = tuple[str, str, str]
"""Device, door, sensor."""
_CHUNK = 5_000


class Absence:
    """What a door records while nobody listens: a visit every few seconds of three days.

    A visit is a tap, what the door did, a passage, the leaf opening and closing, and readings.
    """

    def __init__(self, network: Network, place: Where) -> None:
        self._caller = Caller(network, 0, Random(place[0]))
        self._caller.device, self._caller.door, self._sensor = place
        self._network = network
        self._at = network.now - 72 * HOUR_MS

    def letters(self, epoch: str) -> Iterator[Letter]:
        """Encoded facts, numbered from 1."""
        for seq, fact in enumerate(self._facts(), 1):
            stamp = Stamp(epoch=epoch, seq=seq, boot="b", uptime_ms=seq, clock=Clock.SYNCED)
            yield Letter(epoch, seq, fact.kind, wire.encode_up(fact, stamp))

    def _facts(self) -> Iterator[Fact]:
        member = 0
        while True:
            member = (member + 1) % self._network.members
            yield from self._visit(self._network.uid(member))

    def _visit(self, uid: str) -> Iterator[Fact]:
        caller, at = self._caller, self._next()
        tap, topic, payload = caller.tap(uid, at)
        tapped = wire.decode_up(topic, payload).message
        yield tapped  # type: ignore[misc]  # a tap is a fact
        done = {"tap": tap, "door": caller.door}
        yield Enforced(id=self._id(), at=at + 5, by=By.EDGE, granted=True, reason="booked", **done)  # type: ignore[arg-type]  # names
        yield PassageSeen(id=self._id(), at=at + 900, side=Side.IN, **done)  # type: ignore[arg-type]  # names
        for later, leaf in ((900, True), (3_000, False)):
            yield ContactChanged(id=self._id(), at=at + later, door=caller.door, open=leaf)
        yield self._readings(at + 4_000)

    def _readings(self, at: int) -> SensorsRead:
        names = ("co2", "temperature", "humidity")
        values = (
            Reading(sensor=self._sensor, quantity=name, at=at, value=number + 0.5)
            for number, name in enumerate(names, 400)
        )
        return SensorsRead(id=self._id(), at=at, readings=tuple(values))

    def _next(self) -> int:
        self._at += 5_000
        return self._at

    def _id(self) -> str:
        self._at += 1
        return uuid7(self._at, os.urandom(10))


def fill(network: Network, path: Path, place: Where, count: int) -> str:
    """Put ``count`` facts into a new spool; its epoch."""
    for old in path.parent.glob(f"{path.name}*"):
        old.unlink()
    store = Store(path, _declare_nothing, limit=2 * count, block=count)
    with closing(store):
        letters = Absence(network, place).letters(store.epoch)
        for first in range(1, count + 1, _CHUNK):
            last = min(count, first + _CHUNK - 1)
            seen = Ranges([(first, last)])
            some = list(islice(letters, last - first + 1))
            store.write(Batch(letters=some, seen={store.epoch: seen}))
        return store.epoch


def received(network: Network, epoch: str) -> int:
    """How many of an epoch's facts the hub has for good."""
    spool = table(models.Spool)
    with database.reading(network.engine) as connection:
        found = connection.execute(select(spool.c.received).where(spool.c.epoch == epoch))
        ranges = json.loads(found.scalar() or "[]")
    return sum(last - first + 1 for first, last in ranges)


def flood(network: Network, folder: Path, port: int, count: int) -> float:
    """The raw limit: the same facts from memory, 2,000 at a time; the hub's receipts a second."""
    device = "device-1"
    tls = ssl.create_default_context(cafile=folder / "mosquitto" / "tls" / "ca.crt")
    tls.load_cert_chain(folder / "hub.crt", folder / "hub.key")
    tls.check_hostname = False
    peer = Peer(port, wire.down_topic(device, Receipt.kind), tls, "hub:bench")
    with closing(peer):
        facts = Absence(network, (device, "door-1", f"{device}-temperature")).letters("raw")
        letters = list(islice(facts, count))
        return _flood(network, peer, device, letters)


def _flood(network: Network, peer: Peer, device: str, letters: list[Letter]) -> float:
    named = sent = 0
    began = time.perf_counter()
    while named < len(letters):
        while sent < len(letters) and sent - named < WINDOW:
            letter = letters[sent]
            peer.send(wire.up_topic(device, letter.kind), letter.payload)
            sent += 1
        peer.pump(lambda: bool(peer.received))
        named += sum(_named(network, device, bytes(m.payload)) for m in peer.received)
        peer.received.clear()
    return len(letters) / (time.perf_counter() - began)


def _named(network: Network, device: str, payload: bytes) -> int:
    keys = {network.keyring.kid: network.keyring.verifying}
    receipt = wire.decode_down(payload, device=device, keys=keys).message
    if not isinstance(receipt, Receipt) or receipt.rejected:
        raise ValueError(f"{device}: facts were not received: {receipt}")
    return sum(last - first + 1 for first, last in receipt.ranges)


def _declare_nothing(*_: object) -> Letter:
    raise AssertionError("a new spool has nothing to declare")
