"""A number typed at a keypad becomes a sealed credential, or a one-time code."""

from __future__ import annotations

from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from tests.edge.fake_clock import FakeClock

from kokubus import credential
from kokubus.credential import PIN, Credential
from kokubus.happenings import BadgeSeen, CodeEntered
from kokubus.keypad import MORE_MS
from kokubus.messages import Side
from kokubus_edge.keypad import Keypad
from kokubus_edge.reader import Code, Sighting
from kokubus_edge.running import Running
from kokubus_edge.sealing import Sealer

PIN_TYPED, CODE = "471108", "12345678"


def test_a_pin_is_a_credential_and_eight_digits_are_a_code() -> None:
    keypad = Keypad()
    seen: list[Sighting] = []
    for at, key in enumerate(f"{PIN_TYPED}#{CODE}#"):
        seen += keypad.press(key, at * 100)
    assert seen == [Credential(PIN, PIN_TYPED), Code(CODE)]
    assert PIN_TYPED not in repr(seen)
    assert CODE not in repr(seen)


def test_a_pin_of_the_agreed_length_is_taken_after_a_moment() -> None:
    keypad = Keypad(pin_length=6)
    assert [keypad.press(key, 0) for key in PIN_TYPED] == [[]] * 6
    assert keypad.paused(MORE_MS) == [Credential(PIN, PIN_TYPED)]
    assert keypad.paused(2 * MORE_MS) == []


def saw(sighting: Sighting) -> tuple[Any, X25519PrivateKey]:
    """What the agent's inbox gets of a sighting at the reader outside."""
    hub = X25519PrivateKey.generate()
    sealer = Sealer(hub.public_key(), bytes(32), lambda: 0)
    inbox: SimpleQueue[object] = SimpleQueue()
    agent: Any = SimpleNamespace(inbox=inbox, clock=FakeClock())
    Running._saw(agent, sealer, "front", Side.OUT, "wiegand out", sighting)
    return inbox.get_nowait(), hub


def test_a_pin_becomes_a_sealed_tap_with_this_devices_lookup() -> None:
    seen, hub = saw(Credential(PIN, PIN_TYPED))
    assert isinstance(seen, BadgeSeen)
    assert (seen.typed, seen.side) == (True, Side.OUT)
    assert seen.lookup == credential.lookup(f"pin|{PIN_TYPED}".encode(), bytes(32))
    public, box = credential.split(seen.sealed)
    shared = hub.exchange(X25519PublicKey.from_public_bytes(public))
    opened = credential.unseal(box, seen.tap, credential.session_key(shared))
    assert opened == f"pin|{PIN_TYPED}".encode()
    assert PIN_TYPED not in repr(seen)


def test_a_code_becomes_a_happening_of_its_own() -> None:
    entered, _ = saw(Code(CODE))
    assert entered == CodeEntered(door="front", digits=CODE, side=Side.OUT)
    assert CODE not in repr(entered)


def test_a_badge_is_not_typed() -> None:
    seen, _ = saw(Credential("mfrc522", "1E034A5B"))
    assert seen.typed is False
