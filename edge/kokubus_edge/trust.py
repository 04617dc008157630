"""Whom the device believes and how it proves itself, as both change: certificate and hub key.

The certificate is renewed for the same key long before it ends, over the connection that it
still makes. A new signing key of the hub is believed because the old one has signed it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kokubus.downlinks import CertificateIssued, HubKeyAnnounced
from kokubus.errors import KokubusError
from kokubus.messages import CertificateWanted, HubKeyKept, Instant
from kokubus_edge.atomic import write_atomically
from kokubus_edge.certificate import Certificate, read_certificate
from kokubus_edge.hub_keys import HubKeys, public_key
from kokubus_edge.identity import Identity
from kokubus_edge.inbox import Say

if TYPE_CHECKING:
    from cryptography import x509

log = structlog.get_logger(__name__)

RENEW_FROM = 1 / 3
"""A certificate is renewed when less than this part of its life is left."""
ASK_EVERY_MS = 6 * 3_600_000


class Trust:
    """Keeps the identity folder up to date; ``disk`` runs all that waits, with one worker."""

    def __init__(
        self,
        identity: Identity,
        keys: HubKeys,
        *,
        tell: Callable[[Say], None],
        send: Callable[[CertificateWanted], bool],
        now: Callable[[], Instant],
        disk: Executor,
    ) -> None:
        self._identity = identity
        self._folder = identity.certificate.parent
        self._keys = keys
        self._tell = tell
        self._send = send
        self._now = now
        self._disk = disk
        self._ask_at: Instant = 0

    def take(self, message: CertificateIssued | HubKeyAnnounced) -> None:
        """What the hub has signed; never waits."""
        self._disk.submit(self._guarded, lambda: self._take(message))

    def look(self) -> None:
        """Ask for another certificate when it is time to; never waits. Call it now and then."""
        self._disk.submit(self._guarded, self._look)

    def promoted(self, kid: str) -> None:
        """The hub signs with its new key: after a restart no other is believed."""
        self._disk.submit(self._guarded, lambda: self._promote(kid))

    def _take(self, message: CertificateIssued | HubKeyAnnounced) -> None:
        if isinstance(message, CertificateIssued):
            self._renew(message.certificate.encode())
        else:
            self._keep(message)

    def _look(self) -> None:
        now = self._now()
        lately = now < self._ask_at <= now + ASK_EVERY_MS  # else the clock was put back
        if lately or not self._identity.certificate.exists():
            return
        if not due(read_certificate(self._identity.certificate), now):
            return
        from kokubus_edge.enrolling import request_for  # noqa: PLC0415 - see `certificate`

        csr = request_for(_key(self._identity.key), self._identity.device)
        if self._send(CertificateWanted(at=now, csr=csr)):
            log.info("certificate_wanted")
            self._ask_at = now + ASK_EVERY_MS

    def _renew(self, pem: bytes) -> None:
        """Takes effect with the next connection; a wrong one would lock the device out."""
        from cryptography import x509  # noqa: PLC0415 - see `certificate`

        fresh = x509.load_pem_x509_certificate(pem)
        held = certificate_of(self._identity.certificate)
        fresh.verify_directly_issued_by(_authority(self._identity))
        same = fresh.public_key() == held.public_key() and fresh.subject == held.subject
        if not same or fresh.not_valid_after_utc <= held.not_valid_after_utc:
            raise KokubusError("the hub's new certificate is not for this device, or no newer")
        write_atomically(self._identity.certificate, pem)
        log.info("certificate_renewed", until=fresh.not_valid_after_utc.isoformat())

    def _keep(self, message: HubKeyAnnounced) -> None:
        key = public_key(message.key)
        if message.kid != self._keys.kid:
            self._write(next={"kid": message.kid, "signing_key": message.key})
            self._keys.announce(message.kid, key)
        log.info("hub_key_kept", kid=message.kid)
        self._tell(Say(HubKeyKept, {"kid": message.kid}))

    def _promote(self, kid: str) -> None:
        raw = json.loads((self._folder / "identity.json").read_bytes())
        following = raw.pop("next", {})
        if following.get("kid") == kid:
            self._write(**following, next=None)
            log.info("hub_key_promoted", kid=kid)

    def _write(self, **changed: object) -> None:
        path = self._folder / "identity.json"
        raw = json.loads(path.read_bytes()) | changed
        kept = {name: value for name, value in raw.items() if value is not None}
        write_atomically(path, json.dumps(kept, indent=2).encode() + b"\n")

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:
            log.warning("trust_not_changed", why=f"{type(error).__name__}: {error}"[:300])


def due(certificate: Certificate, now: Instant) -> bool:
    """Whether so little of its life is left that another one is wanted."""
    return certificate.end - now < (certificate.end - certificate.begin) * RENEW_FROM


def certificate_of(path: Path) -> x509.Certificate:
    """The certificate in a file; OSError or ValueError if there is none."""
    from cryptography import x509  # noqa: PLC0415 - see `certificate`

    return x509.load_pem_x509_certificate(path.read_bytes())


def _authority(identity: Identity) -> x509.Certificate:
    from cryptography import x509  # noqa: PLC0415 - see `certificate`

    if isinstance(identity.ca, str):
        return x509.load_pem_x509_certificate(identity.ca.encode())
    return x509.load_der_x509_certificate(identity.ca)


def _key(path: Path) -> EllipticCurvePrivateKey:
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise KokubusError(f"{path}: no P-256 key; enrol this device again")
    return key
