"""What the hub alone can open, and the door's own name for a badge."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from tests.edge.fake_clock import FakeClock

from kokubus.credential import Credential, lookup, session_key, split, unseal
from kokubus.errors import WireError
from kokubus.messages import BadgeTapped, Stamp
from kokubus.wire import decode_up, encode_up, up_topic
from kokubus_edge.sealing import KEY_LIFE_MS, Sealer

HUB = X25519PrivateKey.generate()
BADGE = Credential("mfrc522", "04A3C6CAE26180")


def sealer(clock: FakeClock | None = None) -> Sealer:
    return Sealer(HUB.public_key(), b"k" * 32, (clock or FakeClock()).mono)


def opened(sealed: str, tap: str, hub: X25519PrivateKey = HUB) -> bytes:
    public, box = split(sealed)
    return unseal(box, tap, session_key(hub.exchange(X25519PublicKey.from_public_bytes(public))))


@given(uid=st.binary(min_size=4, max_size=10), tap=st.uuids())
def test_the_hub_opens_what_was_sealed(uid: bytes, tap: object) -> None:
    badge = Credential("mfrc522", uid.hex().upper())
    assert opened(sealer().seal(badge, str(tap)), str(tap)) == badge.text


def test_nobody_else_opens_it_and_not_for_another_tap() -> None:
    sealed = sealer().seal(BADGE, "tap-1")
    with pytest.raises(WireError):
        opened(sealed, "tap-1", X25519PrivateKey.generate())
    with pytest.raises(WireError):
        opened(sealed, "tap-2")


def test_the_same_badge_never_looks_the_same() -> None:
    it = sealer()
    assert len({it.seal(BADGE, "tap") for _ in range(50)}) == 50
    assert BADGE.uid not in it.seal(BADGE, "tap")


def test_a_key_lives_an_hour() -> None:
    clock = FakeClock()
    it = sealer(clock)

    def public() -> bytes:
        return split(it.seal(BADGE, "tap"))[0]

    first = public()
    clock.pass_ms(KEY_LIFE_MS - 1)
    assert public() == first
    clock.pass_ms(1)
    assert public() != first


def test_two_devices_share_no_key() -> None:
    assert split(sealer().seal(BADGE, "t"))[0] != split(sealer().seal(BADGE, "t"))[0]


def test_the_lookup_is_this_devices_own() -> None:
    assert sealer().lookup(BADGE) == lookup(BADGE.text, b"k" * 32)
    other = Sealer(HUB.public_key(), b"o" * 32, FakeClock().mono)
    assert other.lookup(BADGE) != sealer().lookup(BADGE)


def test_it_fits_into_a_tap() -> None:
    longest = Credential("mfrc522", "F" * 20)
    stamp = Stamp(epoch="e", seq=1, boot="b", uptime_ms=1, clock=FakeClock.believed)
    tap = BadgeTapped(id="t", at=1, door="d", sealed=sealer().seal(longest, "t"))
    topic = up_topic("d-1", tap.kind)
    assert decode_up(topic, encode_up(tap, stamp)).message == tap
