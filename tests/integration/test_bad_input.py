"""What a broken door or a stranger says to the hub: nothing is lost, no door opens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from tests.acceptance.rig.network import MakeNetwork, Network, networks, prepare
from tests.acceptance.rig.peer import Peer
from tests.acceptance.rig.village import FIRST, FRONT, SECOND, SIDE, now
from tests.acceptance.rig.waiting import wait_until

from kokubus import wire
from kokubus.credential import Credential
from kokubus.downlinks import Receipt
from kokubus.messages import (
    BadgeTapped,
    Clock,
    ContactChanged,
    Fact,
    PassageSeen,
    Stamp,
)
from kokubus_edge.sealing import Sealer
from kokubus_hub import models

MEMBER = "04A3C6CAE26180"
EPOCH = "0190c000-0000-7000-8000-000000000001"
RECEIPTS = wire.down_topic(SECOND, Receipt.kind)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder)
    return folder


@pytest.fixture(scope="module")
def make_network(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Iterator[MakeNetwork]:
    with networks(tmp_path_factory.mktemp("bad-input"), prepared) as make:
        yield make


Lie: TypeAlias = Callable[["Liar"], tuple[str, bytes]]


class Liar:
    """The second device, in bad hands: what it says, and what the hub answers it."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.durable: set[int] = set()
        self.rejected: set[int] = set()
        self.seq = 0
        self.stranger = network.impostor("dorf-9")
        self._peer: Peer = network.impostor(SECOND, self._hear, RECEIPTS)

    def say(self, topic: str, payload: bytes) -> None:
        """Publish on ``kokubus/v1/dorf-2/up/<topic>``."""
        self._peer.publish(wire.up_topic(SECOND, topic), payload)

    def stamp(self) -> dict[str, Any]:
        """The stamp of its next fact, as JSON."""
        self.seq += 1
        stamp = Stamp(epoch=EPOCH, seq=self.seq, boot="b", uptime_ms=1, clock=Clock.SYNCED)
        return {"epoch": EPOCH, "seq": stamp.seq, "boot": "b", "uptime_ms": 1, "clock": "synced"}

    def fact(self, fact: Fact) -> bytes:
        """A well-formed fact."""
        self.seq += 1
        stamp = Stamp(epoch=EPOCH, seq=self.seq, boot="b", uptime_ms=1, clock=Clock.SYNCED)
        return wire.encode_up(fact, stamp)

    def good(self) -> int:
        """Say something true, and wait for its receipt: all said before is dealt with then."""
        fact = ContactChanged(id=f"good-{self.seq}", at=now(), door=SIDE, open=False)
        self.say(fact.kind, self.fact(fact))
        seq = self.seq
        wait_until(lambda: seq in self.durable, "the receipt of a good fact")
        return seq

    def _hear(self, _topic: str, payload: bytes) -> None:
        keys = {self.network.keyring.kid: self.network.keyring.verifying}
        receipt = wire.decode_down(payload, device=SECOND, keys=keys).message
        assert isinstance(receipt, Receipt)
        for first, last in receipt.ranges:
            self.durable.update(range(first, last + 1))
        self.rejected.update(receipt.rejected)


@pytest.fixture(scope="module")
def liar(make_network: MakeNetwork) -> Liar:
    """Beside a good agent, whose member may enter."""
    network = make_network(pulse_ms=100)
    network.start(FIRST)
    network.village.member(MEMBER)
    return Liar(network)


@pytest.fixture(autouse=True)
def the_good_door_goes_on(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each lie the other door still asks and is answered, and has opened once more."""
    yield
    if "liar" not in request.fixturenames:
        return
    network = request.getfixturevalue("liar").network
    agent = network.agents[FIRST]
    before = agent.pulses()
    answer = agent.tap(FRONT, MEMBER)
    assert (answer["granted"], answer["by"]) == (True, "hub")
    wait_until(lambda: agent.pulses() > before, "the good door to open")
    assert agent.pulses() == before + 1
    assert network.listener.alive


def _letters(network: Network) -> list[Any]:
    return network.village.rows(models.DeadLetter)


DEEP = b"[" * 50_000 + b"]" * 50_000


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\x00tap", "not JSON"),
        (b'{"v":1,"kind":"badge_tapped"', "not JSON"),
        (b'{"v":1,"kind":"badge_tapped","at":NaN}', "not JSON"),
        (b"[1,2,3]", "no object"),
        (b"null", "no object"),
        (DEEP, "over the limit"),
        (DEEP[: 90 * 1024], "not JSON"),
        (b'{"v":1,"kind":"badge_tapped"}', "dorf-2: stamp: "),
        (b'{"v":1,"kind":"badge_tapped","stamp":{"epoch":"","seq":0}}', "dorf-2: stamp: epoch: "),
        (b'{"v":1,"kind":"badge_tapped","id":"\\u0000"}', "NUL"),
        (b'{"pad":"' + b"x" * wire.UPLINK_LIMIT + b'"}', "over the limit"),
    ],
    ids=lambda value: value[:24].decode("latin-1") if isinstance(value, bytes) else value,
)
def test_what_cannot_be_read_is_a_dead_letter(liar: Liar, payload: bytes, why: str) -> None:
    """As it came, with its device and the reason, in the table and in the log."""
    before = len(_letters(liar.network))
    logged = liar.network.listener.said("dead_letter")
    liar.say(BadgeTapped.kind, payload)
    liar.good()
    letters = _letters(liar.network)
    assert len(letters) == before + 1
    assert letters[-1].device == SECOND
    assert letters[-1].topic == wire.up_topic(SECOND, BadgeTapped.kind)
    assert letters[-1].payload == payload[: wire.UPLINK_LIMIT]
    assert why in letters[-1].error
    assert liar.network.listener.said("dead_letter") == logged + 1


def _wrong_field(liar: Liar) -> tuple[str, bytes]:
    said = {"v": 1, "kind": "badge_tapped", "stamp": liar.stamp(), "id": "t", "at": "noon"}
    return BadgeTapped.kind, json.dumps(said).encode()


def _wrong_topic(liar: Liar) -> tuple[str, bytes]:
    fact = ContactChanged(id="c", at=now(), door=SIDE, open=True)
    return PassageSeen.kind, liar.fact(fact)


def _deeper_topic(liar: Liar) -> tuple[str, bytes]:
    fact = ContactChanged(id="c", at=now(), door=SIDE, open=True)
    return f"more/{fact.kind}", liar.fact(fact)


def _sealed_for_nobody(liar: Liar) -> tuple[str, bytes]:
    fact = BadgeTapped(id="t-nobody", at=now(), door=SIDE, sealed="A" * 120)
    return fact.kind, liar.fact(fact)


def _anothers_door(liar: Liar) -> tuple[str, bytes]:
    fact = PassageSeen(id="p", at=now(), door=FRONT)
    return fact.kind, liar.fact(fact)


def _no_such_door(liar: Liar) -> tuple[str, bytes]:
    fact = PassageSeen(id="p", at=now(), door="elsewhere")
    return fact.kind, liar.fact(fact)


@pytest.mark.parametrize(
    "lie",
    [
        _wrong_field,
        _wrong_topic,
        _deeper_topic,
        _sealed_for_nobody,
        _anothers_door,
        _no_such_door,
    ],
)
def test_what_cannot_be_true_is_rejected_alone(
    liar: Liar, lie: Callable[[Liar], tuple[str, bytes]]
) -> None:
    """The device is told not to send it again; what it says next is taken."""
    before = len(_letters(liar.network))
    topic, payload = lie(liar)
    seq = liar.seq
    liar.say(topic, payload)
    good = liar.good()
    wait_until(lambda: seq in liar.rejected, "the rejection")
    assert seq not in liar.durable
    assert good not in liar.rejected
    letters = _letters(liar.network)
    assert len(letters) == before + 1
    assert letters[-1].payload == payload


def test_a_rejected_fact_sent_again_is_no_second_dead_letter(liar: Liar) -> None:
    topic, payload = _no_such_door(liar)
    liar.say(topic, payload)
    liar.good()
    before = len(_letters(liar.network))
    liar.say(topic, payload)
    liar.good()
    assert len(_letters(liar.network)) == before


@pytest.mark.parametrize(("version", "kind"), [(1, "weather_seen"), (2, "badge_tapped")])
def test_another_releases_kind_is_logged_and_kept_by_its_device(
    liar: Liar, version: int, kind: str
) -> None:
    """No receipt and no rejection: a newer hub will know what to do with it."""
    before, logged = len(_letters(liar.network)), liar.network.listener.said("unknown_kind")
    said = {"v": version, "kind": kind, "stamp": liar.stamp()}
    seq = liar.seq
    liar.say(kind, json.dumps(said).encode())
    liar.good()
    assert seq not in liar.durable | liar.rejected
    assert len(_letters(liar.network)) == before
    assert liar.network.listener.said("unknown_kind") == logged + 1


def test_a_device_nobody_knows_is_logged_and_not_answered(liar: Liar) -> None:
    """Its certificate is genuine; should it be made known later, its spool has it all."""
    network = liar.network
    before, logged = len(_letters(network)), network.listener.said("unknown_device")
    fact = ContactChanged(id="c", at=now(), door=SIDE, open=True)
    topic = wire.up_topic("dorf-9", fact.kind)
    liar.stranger.publish(topic, liar.fact(fact))
    liar.good()
    assert len(_letters(network)) == before
    assert network.listener.said("unknown_device") == logged + 1
    assert {row.device_id for row in network.village.rows(models.Spool)} <= {
        row.id for row in network.village.rows(models.Device)
    }


def test_a_badge_at_anothers_door_opens_none(liar: Liar) -> None:
    """A member's own badge, sealed by a stolen device, at a door that is not its own."""
    network = liar.network
    public = X25519PublicKey.from_public_bytes(network.keyring.sealing_public)
    sealer = Sealer(public, bytes(32), lambda: 0)
    sealed = sealer.seal(Credential("mfrc522", MEMBER), "t-stolen")
    fact = BadgeTapped(id="t-stolen", at=now(), door=FRONT, sealed=sealed, deadline_ms=60_000)
    before = network.agents[FIRST].pulses()
    liar.say(fact.kind, liar.fact(fact))
    liar.good()
    event = network.village.rows(models.AccessEvent, tap="t-stolen")[0]
    assert (event.granted, event.reason, event.door_id) == (False, "door_unknown", None)
    assert network.agents[FIRST].pulses() == before
