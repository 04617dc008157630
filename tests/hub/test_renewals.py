"""A device's wish for another certificate: answered once, refused for a key that is not its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificateSigningRequestBuilder
from sqlalchemy import Engine, select, update
from tests.hub.migrated import migrated
from tests.hub.web_world import NOW, SITES

from kokubus.downlinks import CertificateIssued, Downlink
from kokubus.errors import KokubusError
from kokubus.site import read_site
from kokubus_hub import database, models
from kokubus_hub.ca import Authority
from kokubus_hub.certificates import named
from kokubus_hub.devices import renewals
from kokubus_hub.devices.renewals import Renewals
from kokubus_hub.models import table
from kokubus_hub.settings import Settings
from kokubus_hub.sites.apply import apply

DEVICE = "ettmannsweiler-1"
_ORDER = table(models.DeviceOrder)


def request() -> str:
    key = generate_private_key(SECP256R1())
    csr = CertificateSigningRequestBuilder().subject_name(named(DEVICE)).sign(key, SHA256())
    return csr.public_bytes(Encoding.PEM).decode()


class Hub:
    """A hub with one device that has a certificate, and what it was sent."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.engine, self.settings = engine, settings
        self.authority = Authority.create(settings.ca_dir, NOW)
        self.csr, self.sent, self.broken = request(), list[x509.Certificate](), False
        self.authority.certify(DEVICE, self.csr, NOW)
        with database.writing(engine) as connection:
            site = read_site((SITES / "ettmannsweiler.toml").read_text(), "site.toml")
            apply(connection, [site], NOW)
            connection.execute(update(table(models.Device)).values(lookup_key=b"enrolled"))
        self.step = Renewals(settings, engine, self.send)

    def send(self, device: str, message: Downlink, _now: int) -> None:
        if self.broken:
            raise KokubusError("the broker does not answer")
        assert isinstance(message, CertificateIssued)
        assert device == DEVICE
        self.sent.append(x509.load_pem_x509_certificate(message.certificate.encode()))

    def wish(self, csr: str) -> None:
        with database.writing(self.engine) as connection:
            renewals.note(connection, 1, csr, NOW)

    def outcomes(self) -> list[Any]:
        with database.reading(self.engine) as connection:
            return list(connection.execute(select(_ORDER.c.outcome)).scalars())

    def issued(self) -> int:
        return len(list((self.settings.ca_dir / "issued").iterdir()))


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    (tmp_path / "kokubus.db").write_bytes(migrated())
    settings = Settings(data_dir=tmp_path)
    engine = database.engine(settings.database)
    yield Hub(settings, engine)
    engine.dispose()


def test_a_wish_is_answered_once(hub: Hub) -> None:
    hub.wish(hub.csr)
    hub.step.turn(NOW + 1)
    hub.step.turn(NOW + 2)
    assert (len(hub.sent), hub.outcomes()) == (1, ["done"])


def test_a_key_that_is_not_its_own_gets_none(hub: Hub) -> None:
    hub.wish(request())
    hub.step.turn(NOW + 1)
    assert (hub.sent, hub.outcomes()) == ([], ["refused"])


def test_while_the_broker_is_away_no_more_than_one_is_made(hub: Hub) -> None:
    """A turn a second, for as long as it is away: each would be valid for two years."""
    hub.broken = True
    hub.wish(hub.csr)
    for turn in range(5):
        hub.step.turn(NOW + turn)
    assert (hub.issued(), hub.outcomes()) == (2, ["wanted"])
    hub.broken = False
    hub.step.turn(NOW + 9)
    assert (hub.issued(), hub.outcomes(), len(hub.sent)) == (2, ["done"], 1)


def test_one_that_was_revoked_meanwhile_gets_none(hub: Hub) -> None:
    hub.wish(hub.csr)
    hub.authority.revoke(DEVICE, NOW)
    hub.step.turn(NOW + 1)
    assert (hub.sent, hub.outcomes()) == ([], ["refused"])
