"""Case 7: whatever the hub does wrong, an unknown badge is denied, and the door says why."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.acceptance.rig.agent import Agent
from tests.acceptance.rig.network import MakeNetwork, Network
from tests.acceptance.rig.peer import Peer, signed
from tests.acceptance.rig.village import FIRST, FRONT, SECOND, now
from tests.acceptance.rig.waiting import wait_until

from kokubus import wire
from kokubus.downlinks import AccessDecided, Downlink
from kokubus.messages import BadgeTapped, Stamp
from kokubus_hub.keys import Keyring

UNKNOWN, MEMBER = "1E034A5B", "04A3C6CAE26180"
DEADLINE_MS = 700
TOPIC = wire.down_topic(FIRST, AccessDecided.kind)
Answer: TypeAlias = Callable[[Keyring, BadgeTapped, Stamp], bytes]


def yes(tap: BadgeTapped, stamp: Stamp, *, of: str = "") -> Downlink:
    return AccessDecided(
        tap=of or tap.id, granted=True, reason="booked", epoch=stamp.epoch, seq=stamp.seq
    )


def genuine(keyring: Keyring, tap: BadgeTapped, stamp: Stamp) -> bytes:
    return signed(keyring, FIRST, yes(tap, stamp))


def noise(_keyring: Keyring, _tap: BadgeTapped, _stamp: Stamp) -> bytes:
    return bytes(range(256))


def nothing(_keyring: Keyring, _tap: BadgeTapped, _stamp: Stamp) -> bytes:
    return b""


def unsigned(keyring: Keyring, tap: BadgeTapped, stamp: Stamp) -> bytes:
    return genuine(keyring, tap, stamp).partition(b"\n")[0]


def of_another_key(keyring: Keyring, tap: BadgeTapped, stamp: Stamp) -> bytes:
    """It claims to be signed with the hub's key."""
    at = now()
    return wire.encode_down(
        yes(tap, stamp),
        device=FIRST,
        message_id=tap.id,
        at=at,
        expires_at=at + 60_000,
        kid=keyring.kid,
        signer=Ed25519PrivateKey.generate(),
    )


def of_an_unknown_key(keyring: Keyring, tap: BadgeTapped, stamp: Stamp) -> bytes:
    return genuine(keyring, tap, stamp).replace(keyring.kid.encode(), b"0123456789abcdef")


def altered(keyring: Keyring, tap: BadgeTapped, stamp: Stamp) -> bytes:
    """A genuine denial, made a grant on its way."""
    denial = AccessDecided(
        tap=tap.id, granted=False, reason="no_booking", epoch=stamp.epoch, seq=stamp.seq
    )
    payload = signed(keyring, FIRST, denial)
    assert b'"granted":false' in payload
    return payload.replace(b'"granted":false', b'"granted":true ')


def for_another_device(keyring: Keyring, tap: BadgeTapped, stamp: Stamp) -> bytes:
    return signed(keyring, SECOND, yes(tap, stamp))


def for_another_tap(keyring: Keyring, tap: BadgeTapped, stamp: Stamp) -> bytes:
    return signed(keyring, FIRST, yes(tap, stamp, of="01900000-0000-7000-8000-000000000000"))


def expired(keyring: Keyring, tap: BadgeTapped, stamp: Stamp) -> bytes:
    return signed(keyring, FIRST, yes(tap, stamp), at=now() - 600_000, life_ms=5_000)


BAD: tuple[Answer, ...] = (
    noise,
    nothing,
    unsigned,
    of_another_key,
    of_an_unknown_key,
    altered,
    for_another_device,
    for_another_tap,
    expired,
)


class Impostor:
    """Answers taps in the hub's place, with what it was told to say."""

    def __init__(self, network: Network) -> None:
        self._keyring = network.keyring
        self.say: Answer = nothing
        self.answered: set[str] = set()
        self._peer: Peer = network.peer(self._hear, wire.up_topic(FIRST, BadgeTapped.kind))

    def _hear(self, topic: str, payload: bytes) -> None:
        up = wire.decode_up(topic, payload)
        if isinstance(up.message, BadgeTapped) and up.stamp is not None:
            self._peer.answer(TOPIC, self.say(self._keyring, up.message, up.stamp))
            self.answered.add(up.message.id)


@pytest.fixture
def alone(make_network: MakeNetwork) -> Network:
    """A broker and an agent, and no hub."""
    network = make_network(deadline_ms=DEADLINE_MS)
    network.broker.start()
    network.agents[FIRST].start()
    return network


@pytest.mark.parametrize("policy", [False, True], ids=["without a policy", "with a policy"])
def test_a_hub_that_hangs_opens_no_door(make_network: MakeNetwork, policy: bool) -> None:
    network = make_network(deadline_ms=DEADLINE_MS)
    network.start(FIRST)
    agent = network.agents[FIRST]
    network.village.member(MEMBER)
    if policy:
        network.give_policies(FIRST)
    network.listener.send(signal.SIGSTOP)
    answer = agent.tap(FRONT, UNKNOWN)
    assert not answer["granted"]
    assert (answer["by"], answer["reason"]) == ("edge", _reason(policy))
    assert agent.pulses() == 0


@pytest.mark.parametrize("policy", [False, True], ids=["without a policy", "with a policy"])
def test_an_answer_that_is_not_the_hubs_opens_no_door(alone: Network, policy: bool) -> None:
    agent, impostor = alone.agents[FIRST], Impostor(alone)
    alone.village.member(MEMBER)
    if policy:
        alone.give_policies(FIRST)
    said = {}
    for impostor.say in BAD:
        answer = wait_until(lambda: tapped(agent, impostor), "the impostor to be in time")
        said[impostor.say.__name__] = (answer["granted"], answer["by"], answer["reason"])
    assert said == {bad.__name__: (False, "edge", _reason(policy)) for bad in BAD}
    assert agent.pulses() == 0


def tapped(agent: Agent, impostor: Impostor) -> dict[str, Any] | None:
    """What the door did about a tap that the impostor had answered by then; else None."""
    answer = agent.tap(FRONT, UNKNOWN)
    return answer if answer["tap"] in impostor.answered else None


def test_only_the_impostors_words_were_wrong(make_network: MakeNetwork) -> None:
    """The same way of answering opens the door if the hub's key has signed it."""
    network = make_network()
    network.broker.start()
    agent, impostor = network.agents[FIRST], Impostor(network)
    agent.start()
    impostor.say = genuine
    answer = agent.tap(FRONT, UNKNOWN)
    assert (answer["granted"], answer["by"]) == (True, "hub")
    wait_until(lambda: agent.pulses() == 1, "the bolt to be drawn")


def _reason(policy: bool) -> str:
    return "badge_unknown" if policy else "hub_unreachable"
