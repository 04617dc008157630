"""Whom a device believes, and how it proves itself, while both change under it."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from tests.edge.running_agent import enrolled

from kokubus.downlinks import CertificateIssued, HubKeyAnnounced
from kokubus.messages import CertificateWanted, HubKeyKept
from kokubus_edge.hub_keys import LAST_WORDS_MS, HubKeys
from kokubus_edge.identity import read_identity
from kokubus_edge.inbox import Say
from kokubus_edge.trust import ASK_EVERY_MS, Trust, certificate_of

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 300
DAY_MS = 86_400_000


class AtOnce(Executor):
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        fn(*args, **kwargs)
        return Future()


def at(days: float) -> int:
    return int((BEGIN + timedelta(days=days)).timestamp() * 1000)


def certificate(
    key: ec.EllipticCurvePrivateKey,
    issuer: ec.EllipticCurvePrivateKey,
    *,
    name: str = "dorf-1",
    begin: float = 0,
) -> bytes:
    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    made = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named("ca"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGIN + timedelta(days=begin))
        .not_valid_after(BEGIN + timedelta(days=begin + DAYS))
        .sign(issuer, SHA256())
    )
    return made.public_bytes(Encoding.PEM)


@dataclass
class Device:
    """A device with a certificate of a CA, at a time that a test chooses."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    ca: ec.EllipticCurvePrivateKey
    now: int = at(0)
    linked: bool = True
    said: list[Say] = field(default_factory=list)
    sent: list[CertificateWanted] = field(default_factory=list)
    mono: int = 0

    def __post_init__(self) -> None:
        self.settings = enrolled(self.folder)
        self.identity_folder = self.settings.identity
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self.identity_folder / "device.key").write_bytes(pem)
        self.path.write_bytes(certificate(self.key, self.ca))
        raw = self.raw() | {
            "ca": urlsafe_b64encode(certificate(self.ca, self.ca, name="ca")).decode()
        }
        (self.identity_folder / "identity.json").write_text(json.dumps(raw))
        self.restart()

    def restart(self) -> None:
        identity = read_identity(self.settings)
        self.keys = HubKeys(identity.kid, identity.signing_key, lambda: self.mono, self.promote)
        if identity.following:
            self.keys.announce(*identity.following)
        self.trust = Trust(
            identity,
            self.keys,
            tell=self.said.append,
            send=self._send,
            now=lambda: self.now,
            disk=AtOnce(),
        )

    def promote(self, kid: str) -> None:
        self.trust.promoted(kid)

    @property
    def path(self) -> Path:
        return self.identity_folder / "device.crt"

    def raw(self) -> dict[str, Any]:
        raw: dict[str, Any] = json.loads((self.identity_folder / "identity.json").read_text())
        return raw

    def issued(self, pem: bytes) -> None:
        self.trust.take(CertificateIssued(certificate=pem.decode()))

    def _send(self, wish: CertificateWanted) -> bool:
        self.sent.append(wish)
        return self.linked


@pytest.fixture
def device(tmp_path: Path) -> Device:
    made = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    return Device(tmp_path, *made)


def test_a_certificate_is_renewed_when_a_third_of_its_life_is_left(device: Device) -> None:
    device.now = at(199)
    device.trust.look()
    assert device.sent == []
    device.now = at(201)
    device.trust.look()
    device.trust.look()
    [wish] = device.sent
    assert x509.load_pem_x509_csr(wish.csr.encode()).public_key() == device.key.public_key()


def test_it_asks_again_after_a_while_and_at_once_if_nobody_took_it(device: Device) -> None:
    device.now, device.linked = at(250), False
    device.trust.look()
    device.linked = True
    device.trust.look()
    assert len(device.sent) == 2
    device.now += ASK_EVERY_MS
    device.trust.look()
    assert len(device.sent) == 3


def test_a_clock_that_was_put_back_asks_again(device: Device) -> None:
    """It asked by a battery clock that said 2099; now it knows the time."""
    device.now = at(27_000)
    device.trust.look()
    device.now = at(250)
    device.trust.look()
    assert [wish.at for wish in device.sent] == [at(27_000), at(250)]


def test_the_new_certificate_takes_the_place_of_the_old(device: Device) -> None:
    device.issued(certificate(device.key, device.ca, begin=250))
    held = certificate_of(device.path)
    assert held.not_valid_before_utc == BEGIN + timedelta(days=250)
    device.now = at(260)
    device.trust.look()
    assert device.sent == []


@pytest.mark.parametrize("wrong", ["key", "name", "issuer", "older", "damaged"])
def test_one_that_would_lock_the_device_out_is_not_taken(device: Device, wrong: str) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    pems = {
        "key": certificate(other, device.ca, begin=250),
        "name": certificate(device.key, device.ca, name="dorf-2", begin=250),
        "issuer": certificate(device.key, other, begin=250),
        "older": certificate(device.key, device.ca, begin=-10),
        "damaged": b"-----BEGIN CERTIFICATE-----",
    }
    before = device.path.read_bytes()
    device.issued(pems[wrong])
    assert device.path.read_bytes() == before


def announced(kid: str) -> tuple[HubKeyAnnounced, Ed25519PrivateKey]:
    key = Ed25519PrivateKey.generate()
    text = urlsafe_b64encode(key.public_key().public_bytes_raw()).decode()
    return HubKeyAnnounced(kid=kid, key=text), key


def test_the_hubs_next_key_is_kept_before_it_is_acknowledged(device: Device) -> None:
    message, key = announced("k2")
    device.trust.take(message)
    assert device.said == [Say(HubKeyKept, {"kid": "k2"})]
    assert set(device.keys) == {"k", "k2"}
    assert device.raw()["kid"] == "k"
    device.restart()
    assert device.keys["k2"] == key.public_key()


def test_once_it_is_used_the_old_one_is_believed_for_minutes_only(device: Device) -> None:
    device.trust.take(announced("k2")[0])
    device.keys.used("k")
    assert device.raw()["kid"] == "k"
    device.keys.used("k2")
    assert device.raw()["kid"] == "k2"
    assert "next" not in device.raw()
    device.mono = LAST_WORDS_MS - 1
    assert device.keys.get("k") is not None
    device.mono = LAST_WORDS_MS
    assert device.keys.get("k") is None
    assert device.keys.get("k2") is not None
    device.restart()
    assert set(device.keys) == {"k2"}


def test_another_announcement_takes_the_place_of_the_first(device: Device) -> None:
    device.trust.take(announced("k2")[0])
    device.trust.take(announced("k3")[0])
    assert set(device.keys) == {"k", "k3"}
    device.keys.used("k2")  # which no message can hold under any more


def test_the_key_in_use_announced_again_is_only_acknowledged(device: Device) -> None:
    device.trust.take(announced("k")[0])
    assert device.said == [Say(HubKeyKept, {"kid": "k"})]
    assert set(device.keys) == {"k"}


def test_a_key_that_is_none_changes_nothing(device: Device) -> None:
    before = device.raw()
    device.trust.take(HubKeyAnnounced(kid="k2", key="!" * 44))
    assert device.raw() == before
    assert device.said == []


def test_a_third_key_does_not_put_the_one_in_use_out(device: Device) -> None:
    """Two changes within minutes: the second is announced by the first one's key."""
    device.trust.take(announced("k2")[0])
    device.keys.used("k2")
    device.trust.take(announced("k2")[0])  # once more, as it is until every device has said so
    device.trust.take(announced("k3")[0])
    assert set(device.keys) == {"k2", "k3"}
    assert device.raw()["kid"] == "k2"
    device.restart()
    assert set(device.keys) == {"k2", "k3"}
