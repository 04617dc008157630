"""A badge's credential: opened by the hub for its own tap, and readable nowhere else."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import asdict

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import trying

from kokubus.credential import Credential, lookup, seal, session_key, split, unseal
from kokubus.errors import WireError

UID = "04A3C6CAE26180"
CARD = Credential("mfrc522", UID)
HUB = X25519PrivateKey.from_private_bytes(bytes(range(32)))
DEVICE = X25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
PUBLIC = DEVICE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
AT_DEVICE = session_key(DEVICE.exchange(HUB.public_key()))
AT_HUB = session_key(HUB.exchange(DEVICE.public_key()))
NONCE = bytes(12)


def sealed(tap: str = "t1") -> str:
    return seal(CARD, tap, AT_DEVICE, PUBLIC, NONCE)


def test_the_hub_opens_what_the_device_sealed() -> None:
    public, box = split(sealed())
    assert public == PUBLIC
    assert unseal(box, "t1", AT_HUB) == b"mfrc522|" + UID.encode()


def test_what_was_sealed_for_another_tap_does_not_open() -> None:
    _, box = split(sealed("t1"))
    with pytest.raises(WireError, match="not sealed for this tap"):
        unseal(box, "t2", AT_HUB)


def test_another_hub_cannot_open_it() -> None:
    stranger = X25519PrivateKey.from_private_bytes(bytes(32))
    _, box = split(sealed())
    with pytest.raises(WireError, match="not sealed for this tap"):
        unseal(box, "t1", session_key(stranger.exchange(DEVICE.public_key())))


def test_any_changed_byte_of_the_box_is_noticed() -> None:
    _, box = split(sealed())
    for place in range(len(box)):
        broken = bytearray(box)
        broken[place] ^= 1
        with pytest.raises(WireError):
            unseal(bytes(broken), "t1", AT_HUB)


@pytest.mark.parametrize(
    "text", ["", "x", "ü", "====", "A" * 20, urlsafe_b64encode(bytes(60))[:-1].decode()]
)
def test_what_is_no_box_is_refused(text: str) -> None:
    with pytest.raises(WireError, match="sealed credential"):
        split(text)


@pytest.mark.parametrize("length", [0, 5, 12, 20])
def test_a_cut_box_is_refused(length: int) -> None:
    _, box = split(sealed())
    with pytest.raises(WireError, match="not sealed"):
        unseal(box[:length], "t1", AT_HUB)


@trying
@given(st.text(max_size=120))
def test_any_text_is_refused_or_does_not_open(text: str) -> None:
    with pytest.raises(WireError):
        unseal(split(text)[1], "t1", AT_HUB)


def test_the_uid_is_in_no_repr_and_no_sealed_text() -> None:
    assert repr(CARD) == "Credential(tech='mfrc522', uid=..., assurance=0)"
    assert UID not in f"{CARD} {CARD!r} {[CARD]} {CARD!s}"
    raw = urlsafe_b64decode(sealed())
    assert UID not in sealed()
    assert UID.encode() not in raw
    assert bytes.fromhex(UID) not in raw


def test_no_error_carries_the_uid() -> None:
    for broken in (sealed() + "A", sealed()[:-4], UID):
        with pytest.raises(WireError) as caught:
            unseal(split(broken)[1], "t2", AT_HUB)
        assert UID not in str(caught.value)


def test_a_lookup_is_128_bits_that_depend_on_key_technology_and_every_digit() -> None:
    text = CARD.text
    found = lookup(text, b"key")
    assert found == lookup(text, b"key")
    assert len(urlsafe_b64decode(found + "==")) == 16
    others = [
        lookup(text, b"other"),
        lookup(Credential("ntag424", UID).text, b"key"),
        lookup(Credential("mfrc522", UID[:-2] + "81").text, b"key"),
        lookup(Credential("mfrc522", UID[:8]).text, b"key"),
    ]
    assert len({found, *others}) == 5


def test_a_lookup_is_hmac_sha256_of_rfc_4231() -> None:
    """RFC 4231 test case 2, its first 128 bits."""
    expected = bytes.fromhex("5bdcc146bf60754e6a042426089575c7")
    assert urlsafe_b64decode(lookup(b"what do ya want for nothing?", b"Jefe") + "==") == expected


def test_assurance_is_no_part_of_what_is_looked_up() -> None:
    assert Credential("mfrc522", UID, assurance=2).text == CARD.text
    assert asdict(CARD)["assurance"] == 0
