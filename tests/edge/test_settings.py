"""agent.toml and the identity folder: read whole, or refused with a sentence to act on."""

from __future__ import annotations

import json
import sys
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from kokubus.errors import SettingsError, SiteError
from kokubus_edge.identity import read_identity
from kokubus_edge.pin_factory import pin_factory
from kokubus_edge.settings import Settings, read_settings
from kokubus_edge.simulate.pins import SimulatedPins

SITES = Path(__file__).parents[2] / "firmware_configs" / "sites"
DEVICE = "ettmannsweiler-1"
AGENT = f'device = "{DEVICE}"\n[hub]\nhost = "hub.example.org"\n'
FACTORY = "GPIOZERO_PIN_FACTORY"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "agent.toml").write_text(AGENT)
    site = SITES / "ettmannsweiler.toml"
    (tmp_path / "site.toml").write_text(site.read_text("utf-8"), "utf-8")
    return tmp_path


def read(folder: Path, agent: str = AGENT) -> Settings:
    (folder / "agent.toml").write_text(agent)
    return read_settings(folder / "agent.toml")


def test_what_is_left_out_has_the_usual_value(folder: Path) -> None:
    settings = read(folder)
    assert (settings.hub.host, settings.hub.port, settings.hub.tls) == (
        "hub.example.org",
        8883,
        True,
    )
    assert settings.spool_limit == 1_000_000
    assert settings.simulated is False
    assert settings.identity == folder / "identity"
    assert settings.control == folder / "data" / "control.sock"
    assert [door.id for door in settings.doors] == [
        "ettmannsweiler-front",
        "ettmannsweiler-meeting-door",
    ]
    assert len(settings.sensors) == 3


def test_paths_are_relative_to_agent_toml_or_absolute(folder: Path) -> None:
    text = f'data = "../state"\ncontrol = "/run/kokubus/c.sock"\n{AGENT}'
    settings = read(folder, text)
    assert settings.data == folder / "../state"
    assert settings.control == Path("/run/kokubus/c.sock")


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ("", "agent.toml: device: is missing"),
        ("", "agent.toml: hub: is missing"),
        (
            AGENT.replace("host", "hots"),
            "agent.toml: hub.hots: is no key here; did you mean 'host'",
        ),
        (AGENT + "port = 70000\n", "agent.toml: hub.port: is 70000"),
        (AGENT + 'tls = "yes"\n', 'agent.toml: hub.tls: is "yes"'),
        ("spool_limit = 3\n" + AGENT, "agent.toml: spool_limit: is 3"),
        ("readings_every_s = inf\n" + AGENT, "agent.toml: readings_every_s: is"),
        (AGENT.replace("ler-1", "ler-2"), "its devices are: ettmannsweiler-1"),
        (AGENT.replace("ler-1", "ler/#"), "agent.toml: device: 'ettmannsweiler/#' is none"),
        ("device = ", "cannot be read as TOML"),
        ('site = "gone.toml"\n' + AGENT, "gone.toml: cannot be read: No such file"),
        (f'control = "{"c" * 120}"\n{AGENT}', "agent.toml: control: "),
    ],
)
def test_a_wrong_setting_is_named(folder: Path, agent: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(folder, agent)
    assert said in str(caught.value)


def test_a_wrong_site_is_told_as_the_site_files_mistake(folder: Path) -> None:
    (folder / "site.toml").write_text("[site]\n")
    with pytest.raises(SiteError, match=r"site\.toml: site\.id: is missing"):
        read(folder)


def test_a_file_that_is_not_utf8_is_told(folder: Path) -> None:
    (folder / "site.toml").write_bytes('name = "Tür"'.encode("cp1252"))
    with pytest.raises(SettingsError, match="byte 9 is not UTF-8"):
        read(folder)


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def certificate(name: str, key: EllipticCurvePrivateKey) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    first = datetime(2025, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(first).not_valid_after(first + timedelta(days=36_500))
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def enrol(folder: Path, **changes: Any) -> None:
    identity = folder / "identity"
    identity.mkdir()
    key = generate_private_key(SECP256R1())
    pem = certificate(DEVICE, key)
    content = {
        "device": DEVICE,
        "kid": "k1",
        "signing_key": b64(Ed25519PrivateKey.generate().public_key().public_bytes_raw()),
        "sealing_key": b64(X25519PrivateKey.generate().public_key().public_bytes_raw()),
        "lookup_key": b64(bytes(range(32))),
        "ca": b64(pem),
    }
    (identity / "identity.json").write_text(json.dumps(content | changes))
    (identity / "device.crt").write_bytes(pem)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (identity / "device.key").write_bytes(secret)


def test_an_identity_holds_the_keys_and_shows_no_secret(folder: Path) -> None:
    enrol(folder)
    identity = read_identity(read(folder))
    assert identity.device == DEVICE
    assert identity.lookup_key == bytes(range(32))
    assert [identity.kid] == ["k1"]
    assert isinstance(identity.ca, str)
    assert "lookup_key" not in repr(identity)


def test_a_ca_in_der_is_kept_as_bytes(folder: Path) -> None:
    pem = certificate("ca", generate_private_key(SECP256R1()))
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    enrol(folder, ca=b64(der))
    assert read_identity(read(folder)).ca == der


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"device": "ebhausen-1"}, "is for 'ebhausen-1', but agent.toml says"),
        ({"kid": ""}, "kid: is missing"),
        ({"lookup_key": None}, "lookup_key: is missing"),
        ({"lookup_key": b64(b"short")}, "lookup_key: has 5 bytes, not 32"),
        ({"signing_key": "ä"}, "signing_key: is not base64url"),
        ({"ca": b64(b"nonsense")}, "certificate, key and ca do not fit"),
    ],
)
def test_a_wrong_identity_is_refused(folder: Path, changes: dict[str, Any], said: str) -> None:
    enrol(folder, **changes)
    with pytest.raises(SettingsError) as caught:
        read_identity(read(folder))
    assert said in str(caught.value)


def test_a_swapped_card_is_noticed_by_its_certificate(folder: Path) -> None:
    enrol(folder)
    other = certificate("ebhausen-1", generate_private_key(SECP256R1()))
    (folder / "identity" / "device.crt").write_bytes(other)
    with pytest.raises(SettingsError, match="is for 'ebhausen-1', not for 'ettmannsweiler-1'"):
        read_identity(read(folder))


def test_a_certificate_without_its_key_is_refused(folder: Path) -> None:
    enrol(folder)
    own = certificate(DEVICE, generate_private_key(SECP256R1()))
    (folder / "identity" / "device.crt").write_bytes(own)
    with pytest.raises(SettingsError, match="do not fit"):
        read_identity(read(folder))


def test_without_tls_no_certificate_is_asked_for(folder: Path) -> None:
    enrol(folder)
    (folder / "identity" / "device.crt").unlink()
    assert read_identity(read(folder, AGENT + "tls = false\n")).device == DEVICE
    with pytest.raises(SettingsError, match=r"device\.crt: cannot be read"):
        read_identity(read(folder))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_damaged_identity_is_told(folder: Path, content: bytes) -> None:
    enrol(folder)
    (folder / "identity" / "identity.json").write_bytes(content)
    with pytest.raises(SettingsError, match=r"identity\.json: is n"):
        read_identity(read(folder))


def test_an_agent_that_was_never_enrolled_is_told_how(folder: Path) -> None:
    with pytest.raises(SettingsError, match="kokubus hub device NAME code"):
        read_identity(read(folder))


def test_simulated_pins_must_be_asked_for_twice(folder: Path) -> None:
    real, simulated = read(folder), read(folder, "simulated = true\n" + AGENT)
    assert isinstance(pin_factory(simulated, {FACTORY: "mock"}), SimulatedPins)
    for settings, environ in ((real, {FACTORY: "mock"}), (simulated, {})):
        with pytest.raises(SettingsError, match="go together"):
            pin_factory(settings, environ)


@pytest.mark.parametrize("name", ["native", "pigpio", "nonsense"])
def test_other_drivers_are_refused(folder: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="name lgpio or rpigpio"):
        pin_factory(read(folder), {FACTORY: name})


@pytest.mark.parametrize("environ", [{}, {FACTORY: "lgpio"}, {FACTORY: "rpigpio"}])
def test_without_pins_the_agent_says_what_to_do(
    folder: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for driver in ("lgpio", "RPi"):  # also where this runs on a Raspberry Pi
        monkeypatch.setitem(sys.modules, driver, None)
    for module in ("gpiozero.pins.lgpio", "gpiozero.pins.rpigpio", "kokubus_edge.quiet_pins"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(SettingsError, match=r"install kokubus\[edge,pi\]"):
        pin_factory(read(folder), environ)
