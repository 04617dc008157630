"""TLS with the pinned CA, with and without a clock to believe."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from paho.mqtt.client import MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from tests.broker import PATIENCE_S, start_mosquitto
from tests.edge.link_bench import DEVICE, Agent, linked, wait_for

from kokubus import packets
from kokubus_edge.link_client import BufferedSocket, DoorClient
from kokubus_edge.link_tls import tls_context

pytestmark = pytest.mark.slow

NOW = dt.datetime.now(dt.UTC)
HANDSHAKES = 8


class Authority:
    """Issues certificates into a folder: ``NAME.crt`` and ``NAME.key``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = _name("ca")
        self.certificate = self._sign(self._name, self._key, NOW + dt.timedelta(days=9), ca=True)
        (folder / "ca.crt").write_text(self.certificate)

    def issue(self, name: str, until: dt.datetime = NOW + dt.timedelta(days=9)) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        (self.folder / f"{name}.crt").write_text(self._sign(_name(name), key, until, ca=False))
        (self.folder / f"{name}.key").write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )

    def client(self, *, dates: bool = True) -> ssl.SSLContext:
        certificate, key = self.folder / f"{DEVICE}.crt", self.folder / f"{DEVICE}.key"
        return tls_context(self.certificate, certificate, key, dates=dates)

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.crt", self.folder / "server.key")
        context.load_verify_locations(self.folder / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _sign(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, until: dt.datetime, *, ca: bool
    ) -> str:
        public, number = key.public_key(), x509.random_serial_number()
        begin = min(NOW, until) - dt.timedelta(days=1)
        loopback = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
        certificate = (
            x509.CertificateBuilder(self._name, name, public, number, begin, until)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(loopback, critical=False)
            .sign(self._key, SHA256())
        )
        return certificate.public_bytes(Encoding.PEM).decode()


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "tls")
    made.issue(DEVICE)
    made.issue("server")
    return made


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """Both ends in memory; `ssl.SSLError` if they do not agree."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    device = client.wrap_bio(down, up, server_hostname="127.0.0.1")
    broker = server.wrap_bio(up, down, server_side=True)
    waiting = [device, broker]
    for _ in range(HANDSHAKES):
        for end in list(waiting):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(end)
    assert waiting == []


def test_the_pinned_authority_is_believed(authority: Authority) -> None:
    shake_hands(authority.client(), authority.server())


def test_an_expired_certificate_is_refused_unless_dates_are_not_judged(
    authority: Authority,
) -> None:
    authority.issue("server", NOW - dt.timedelta(days=2))
    with pytest.raises(ssl.SSLError, match="expired"):
        shake_hands(authority.client(), authority.server())
    shake_hands(authority.client(dates=False), authority.server())


def test_without_dates_another_authority_is_still_refused(
    authority: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other")
    other.issue("server")
    with pytest.raises(ssl.SSLError, match="verify failed"):
        shake_hands(authority.client(dates=False), other.server())


def test_a_device_connects_with_its_certificate(authority: Authority, tmp_path: Path) -> None:
    folder = authority.folder
    lines = (
        f"cafile {folder}/ca.crt\ncertfile {folder}/server.crt\nkeyfile {folder}/server.key\n"
        "require_certificate true\nuse_identity_as_username true\nuse_username_as_clientid true"
    )
    agent = Agent()
    with (
        start_mosquitto(tmp_path, extra=lines) as broker,
        linked(broker.port, agent, tls=authority.client) as link,
    ):
        assert link.up


def test_over_tls_nothing_is_left_in_a_record(authority: Authority) -> None:
    """Select sees what has come, not what was decrypted: one record holds many messages."""
    said = [
        packets.publish("t", bytes([n % 256]) * (1 + n * 97 % 20_000), n) for n in range(1, 200)
    ]
    heard: list[bytes] = []
    ours, theirs = socket.socketpair()
    with ThreadPoolExecutor(1) as there:
        made = there.submit(authority.server().wrap_socket, theirs, server_side=True)
        device = authority.client().wrap_socket(ours, server_hostname="127.0.0.1")
        device.setblocking(False)  # noqa: FBT003 - Python's own way
        client: Any = DoorClient(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        client._sock = BufferedSocket(device)
        client.heard = lambda _topic, payload: heard.append(payload)
        with made.result() as broker:
            sent = there.submit(broker.sendall, b"".join(said))
            wait_for(lambda: client.turn(0.1) or len(heard) == len(said), "all of them")
            sent.result()
            broker.settimeout(PATIENCE_S)
            acked = b""
            while len(acked) < 4 * len(said):
                client.turn(0)
                acked += broker.recv(4_096)
        client.release()
    assert heard == [packets.deliveries(one, 0, 1)[0][0].payload for one in said]
    assert acked == b"".join(packets.puback(n) for n in range(1, 200))
