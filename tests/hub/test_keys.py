"""The hub's keys: what devices seal opens, and nothing else does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kokubus import credential
from kokubus.credential import Credential
from kokubus.errors import KokubusError, WireError
from kokubus_hub.files import FilesError
from kokubus_hub.keys import Keyring, KeysError, kid_of

BADGE = Credential("mfrc522", "04A3C6CAE26180")


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keys")


def _sealed(keyring: Keyring, tap: str, device: X25519PrivateKey) -> str:
    hub = X25519PublicKey.from_public_bytes(keyring.sealing_public)
    key = credential.session_key(device.exchange(hub))
    return credential.seal(BADGE, tap, key, device.public_key().public_bytes_raw(), os.urandom(12))


def test_what_a_device_sealed_opens_again_and_again(keyring: Keyring) -> None:
    device = X25519PrivateKey.generate()
    assert keyring.unseal(_sealed(keyring, "t1", device), "t1") == BADGE.text
    assert keyring.unseal(_sealed(keyring, "t2", device), "t2") == BADGE.text


def test_it_opens_for_its_own_tap_only(keyring: Keyring) -> None:
    with pytest.raises(WireError, match="not sealed for this tap"):
        keyring.unseal(_sealed(keyring, "t1", X25519PrivateKey.generate()), "t2")


@pytest.mark.parametrize("sealed", ["", "!!", "AAAA", "A" * 400])
def test_anything_else_is_one_kind_of_error(keyring: Keyring, sealed: str) -> None:
    with pytest.raises(WireError):
        keyring.unseal(sealed, "t")


def test_keys_are_the_same_after_loading(keyring: Keyring, tmp_path: Path) -> None:
    again = Keyring.load(tmp_path / "keys")
    assert again.kid == keyring.kid == kid_of(keyring.verifying)
    assert again.lookup(BADGE.text) == keyring.lookup(BADGE.text)
    assert again.open(keyring.seal(b"secret", "badge"), "badge") == b"secret"
    again.verifying.verify(keyring.signing.sign(b"x"), b"x")


def test_signatures_are_those_of_the_standard(keyring: Keyring, tmp_path: Path) -> None:
    """RFC 8032 leaves no choice: whoever signs, the bytes are the same."""
    held = load_pem_private_key((tmp_path / "keys" / "signing.pem").read_bytes(), None)
    assert isinstance(held, Ed25519PrivateKey)
    for said in (b"", b"x", bytes(range(256)) * 8):
        assert keyring.signing.sign(said) == held.sign(said)


def test_two_hubs_look_badges_up_differently(keyring: Keyring, tmp_path: Path) -> None:
    other = Keyring.create(tmp_path / "other")
    assert other.lookup(BADGE.text) != keyring.lookup(BADGE.text)
    with pytest.raises(KeysError, match="other keys"):
        other.open(keyring.seal(b"secret", "badge"), "badge")


@pytest.mark.parametrize("damaged", [b"", b"short", bytes(80)])
def test_what_was_damaged_or_meant_otherwise_stays_shut(keyring: Keyring, damaged: bytes) -> None:
    with pytest.raises(KeysError):
        keyring.open(damaged, "badge")
    with pytest.raises(KeysError):
        keyring.open(keyring.seal(b"secret", "badge"), "device:x")


def test_keys_are_never_made_over_keys(keyring: Keyring, tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="there are keys already"):
        Keyring.create(tmp_path / "keys")
    assert Keyring.load(tmp_path / "keys").kid == keyring.kid


@pytest.mark.parametrize("name", ["signing.pem", "sealing.pem", "pepper", "storage"])
def test_only_their_owner_may_read_them(keyring: Keyring, tmp_path: Path, name: str) -> None:
    path = tmp_path / "keys" / name
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(FilesError, match=f"chmod 600 .*{name}"):
        Keyring.load(tmp_path / "keys")


@pytest.mark.parametrize("name", ["signing.pem", "sealing.pem", "pepper", "storage"])
def test_an_error_names_the_file_that_is_damaged(
    keyring: Keyring, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "keys" / name
    path.write_bytes(b"nonsense")
    with pytest.raises(KeysError, match=name):
        Keyring.load(tmp_path / "keys")
    path.unlink()
    with pytest.raises(KokubusError, match=name):
        Keyring.load(tmp_path / "keys")


def test_swapped_files_are_noticed(keyring: Keyring, tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    (folder / "sealing.pem").write_bytes((folder / "signing.pem").read_bytes())
    with pytest.raises(KeysError, match="swapped"):
        Keyring.load(folder)
