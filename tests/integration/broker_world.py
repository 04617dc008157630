"""A real Mosquitto with the production rules, and the certificates it asks for."""

from __future__ import annotations

import datetime as dt
import queue
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import paho.mqtt.client as mqtt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion

from kokubus_cli.broker import lay_out
from kokubus_cli.ports import free_port

NOW = dt.datetime.now(dt.UTC)
PATIENCE_S = 60


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Issuer:
    """A certificate authority that writes ``NAME.crt`` and ``NAME.key`` into ``directory``."""

    def __init__(self, directory: Path, name: str) -> None:
        self.directory, self.key = directory, ec.generate_private_key(ec.SECP256R1())
        self.name = _named(name)
        self._write(name, self._certificate(self.name, self.key.public_key(), ca=True), self.key)

    def issue(self, name: str) -> x509.Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(_named(name), key.public_key(), ca=False)
        self._write(name, certificate, key)
        return certificate

    def revoke(self, *certificates: x509.Certificate) -> None:
        """Put a revocation list in the place of the old one by a rename, as the hub must."""
        builder = x509.CertificateRevocationListBuilder(
            issuer_name=self.name, last_update=NOW, next_update=NOW + dt.timedelta(days=30)
        )
        for certificate in certificates:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder(certificate.serial_number, NOW).build()
            )
        crl = builder.sign(self.key, hashes.SHA256())
        fresh = self.directory / "crl.new"
        fresh.write_bytes(crl.public_bytes(serialization.Encoding.PEM))
        fresh.replace(self.directory / "crl.pem")

    def _certificate(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, ca: bool
    ) -> x509.Certificate:
        loopback = [x509.IPAddress(IPv4Address("127.0.0.1"))]
        return (
            x509.CertificateBuilder(self.name, subject, key, x509.random_serial_number())
            .not_valid_before(NOW - dt.timedelta(days=1))
            .not_valid_after(NOW + dt.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(loopback), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def _write(
        self, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> None:
        pem = serialization.Encoding.PEM
        (self.directory / f"{name}.crt").write_bytes(certificate.public_bytes(pem))
        (self.directory / f"{name}.key").write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )


class Client:
    """A paho client; what happens to it arrives on ``heard`` as (what, detail)."""

    def __init__(self, tls: Path, identity: str | None, client_id: str) -> None:
        self.heard: queue.Queue[tuple[str, str]] = queue.Queue()
        self._paho = paho = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
        )
        paho.connect_timeout = PATIENCE_S
        certificate = str(tls / f"{identity}.crt") if identity else None
        paho.tls_set(str(tls / "ca.crt"), certificate, str(tls / f"{identity}.key"))
        paho.on_connect = lambda *a: self.heard.put(("connected", str(a[3])))
        paho.on_disconnect = lambda *_: self.heard.put(("lost", ""))
        paho.on_message = lambda *a: self.heard.put((a[2].topic, a[2].payload.decode()))
        paho.on_publish = lambda *a: self.heard.put(("acknowledged", str(a[3])))
        paho.on_subscribe = lambda *_: self.heard.put(("subscribed", ""))

    def open(self, port: int) -> None:
        """Connect; a refusal in the handshake is heard like one after it."""
        try:
            self._paho.connect("127.0.0.1", port)
        except (ssl.SSLError, ConnectionError):
            self.heard.put(("lost", ""))
            return
        self._paho.loop_start()

    def close(self) -> None:
        self._paho.disconnect()
        self._paho.loop_stop()

    def next(self) -> tuple[str, str]:
        return self.heard.get(timeout=PATIENCE_S)

    def subscribe(self, topic: str) -> None:
        self._paho.subscribe(topic, qos=1)
        assert self.next() == ("subscribed", "")

    def publish(self, topic: str, payload: str, *, retain: bool = False) -> str:
        """The reason code of the broker's acknowledgement."""
        self._paho.publish(topic, payload, qos=1, retain=retain)
        what, code = self.next()
        assert what == "acknowledged"
        return code


@dataclass
class World:
    """The broker of one test; clients are closed with it."""

    directory: Path
    issuer: Issuer
    device_port: int
    hub_port: int
    broker: subprocess.Popen[bytes]
    clients: list[Client]

    def attempt(self, identity: str | None, client_id: str, *, port: int = 0) -> Client:
        client = Client(self.directory / "tls", identity, client_id)
        self.clients.append(client)
        client.open(port or self.device_port)
        return client

    def device(self, name: str, client_id: str = "") -> Client:
        client = self.attempt(name, client_id or name)
        assert client.next() == ("connected", "Success")
        return client

    def hub(self, client_id: str = "hub") -> Client:
        client = self.attempt("hub", client_id, port=self.hub_port)
        assert client.next() == ("connected", "Success")
        return client

    def listening(self) -> bool:
        assert self.broker.poll() is None, "the broker ended"
        try:
            for port in (self.device_port, self.hub_port):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True


def _issue_all(tls: Path) -> Issuer:
    issuer = Issuer(tls, "ca")
    issuer.issue("server")
    issuer.revoke()
    Issuer(tls, "hub")
    (tls / "hub-ca.crt").write_bytes((tls / "hub.crt").read_bytes())
    return issuer


@contextmanager
def running(directory: Path) -> Iterator[World]:
    """Start the broker as production does, with config/run; end it and its clients."""
    ports = free_port(), free_port()
    lay_out(directory, device_port=ports[0], hub_port=ports[1])
    issuer = _issue_all(directory / "tls")
    with (directory / "broker.log").open("wb") as log:
        broker = subprocess.Popen(
            [directory / "config" / "run", directory], stdout=log, stderr=subprocess.STDOUT
        )
    world = World(directory, issuer, *ports, broker, [])
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not world.listening():
            assert time.monotonic() < deadline, (directory / "broker.log").read_text()
            time.sleep(0.02)
        yield world
    finally:
        for client in world.clients:
            client.close()
        broker.terminate()
        broker.wait(PATIENCE_S)
