"""The hub's own certificate authority: for the broker, the hub itself and every device.

Nothing is trusted because a public authority says so: a device pins this one. The broker
refuses what stands on the revocation list (RFC 5280).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from kokubus.errors import KokubusError
from kokubus.messages import Instant
from kokubus_hub.certificates import (
    SLACK,
    Issued,
    alternative,
    begun,
    common_name,
    key_pem,
    moment,
    named,
    revocation,
    self_signed,
    signed_by,
    spki,
)
from kokubus_hub.files import alone, private_dir, read_secret, replace, write_secret

ISSUED_DAYS, DEVICE_DAYS = 5 * 365, 2 * 365


class AuthorityError(KokubusError):
    """A certificate cannot be issued, found or revoked."""


class Authority:
    """A CA in a folder: ``ca.crt``, ``ca.key``, ``crl.pem`` and all it ``issued``.

    Renewing and revoking wait for each other, in whatever process: what is renewed just then is
    either refused or revoked with the rest, and no line of the list is lost.
    """

    def __init__(
        self, folder: Path, certificate: x509.Certificate, key: EllipticCurvePrivateKey
    ) -> None:
        self.folder = folder
        self.certificate = certificate
        self._key = key

    @classmethod
    def create(cls, folder: Path, now: Instant) -> Authority:
        """Make a new CA; AuthorityError if the folder has one."""
        if (folder / "ca.key").exists():
            raise AuthorityError(f"{folder}: there is a CA already; devices trust it, so it stays")
        private_dir(folder / "issued")
        key = generate_private_key(SECP256R1())
        certificate = self_signed(key, moment(now))
        write_secret(folder / "ca.key", key_pem(key))
        (folder / "ca.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
        made = cls(folder, certificate, key)
        made._write_crl([], now)
        return made

    @classmethod
    def load(cls, folder: Path) -> Authority:
        """The CA in ``folder``; an error names the file that is missing or damaged."""
        pem = read_secret(folder / "ca.key")
        try:
            key = load_pem_private_key(pem, None)
            certificate = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
        except (ValueError, OSError) as error:
            raise AuthorityError(f"{folder}: CA damaged ({error}); restore the backup") from error
        if not isinstance(key, EllipticCurvePrivateKey):
            raise AuthorityError(f"{folder}/ca.key: no P-256 key; restore the backup")
        return cls(folder, certificate, key)

    @property
    def pem(self) -> bytes:
        """The CA's certificate, as devices pin it."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def crl(self) -> bytes:
        """The revocation list, PEM, as the broker reads it."""
        return (self.folder / "crl.pem").read_bytes()

    def issue_server(self, names: Sequence[str], now: Instant, days: int = ISSUED_DAYS) -> Issued:
        """For a server reached under ``names`` (host names or IP addresses, at least one)."""
        alternatives = x509.SubjectAlternativeName([alternative(name) for name in names])
        return self._issue(names[0], ExtendedKeyUsageOID.SERVER_AUTH, now, days, alternatives)

    def issue_device(self, name: str, now: Instant, days: int = ISSUED_DAYS) -> Issued:
        """For a client whose common name is ``name``: its MQTT user and client id."""
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name)])
        return self._issue(name, ExtendedKeyUsageOID.CLIENT_AUTH, now, days, alternatives)

    def certify(self, name: str, csr: str, now: Instant, days: int = DEVICE_DAYS) -> bytes:
        """A certificate (PEM) for a device that made its own key; of ``csr`` the key alone counts.

        AuthorityError if the request is none, is not signed by its key, or the key is no P-256.
        """
        try:
            asked = x509.load_pem_x509_csr(csr.encode())
            key = asked.public_key()
            sound = asked.is_signature_valid and isinstance(key.curve, SECP256R1)  # type: ignore[union-attr]  # other keys have none
        except (ValueError, TypeError, AttributeError, UnsupportedAlgorithm) as error:
            raise AuthorityError(f"{name}: no request for a certificate; enrol again") from error
        if not sound or not isinstance(key, EllipticCurvePublicKey):
            raise AuthorityError(f"{name}: the request is not signed by its own key; enrol again")
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name)])
        return self._certify(name, key, ExtendedKeyUsageOID.CLIENT_AUTH, now, days, alternatives)

    def renew(self, name: str, csr: str, now: Instant) -> bytes:
        """Another certificate for a key that has one which is not revoked; AuthorityError else."""
        with alone(self.folder):
            return self._renew(name, csr, now)

    def _renew(self, name: str, csr: str, now: Instant) -> bytes:
        revoked = {entry.serial_number for entry in self._revoked()}
        held = [one for one in self._issued() if common_name(one) == name]
        keys = {spki(one) for one in held if one.serial_number not in revoked}
        try:
            asked = spki(x509.load_pem_x509_csr(csr.encode()))
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise AuthorityError(f"{name}: no request for a certificate; enrol again") from error
        if asked not in keys:
            raise AuthorityError(f"{name}: asks for a key that is not its own; enrol it again")
        return self.certify(name, csr, now)

    def knows(self, name: str) -> bool:
        """Whether a certificate was ever issued to ``name``."""
        return any(common_name(one) == name for one in self._issued())

    def revoke(self, name: str, now: Instant) -> int:
        """Revoke all certificates issued to ``name``; how many. Idempotent.

        AuthorityError if there were none. The broker must be told to read the list again.
        """
        with alone(self.folder):
            return self._revoke(name, now)

    def _revoke(self, name: str, now: Instant) -> int:
        serials = [one.serial_number for one in self._issued() if common_name(one) == name]
        if not serials:
            raise AuthorityError(f"{name}: no certificate was issued to that name")
        known = list(self._revoked())
        fresh = set(serials) - {entry.serial_number for entry in known}
        self._write_crl([*known, *(revocation(serial, now) for serial in sorted(fresh))], now)
        return len(fresh)

    def _issue(
        self,
        name: str,
        usage: x509.ObjectIdentifier,
        now: Instant,
        days: int,
        alternatives: x509.SubjectAlternativeName,
    ) -> Issued:
        key = generate_private_key(SECP256R1())
        pem = self._certify(name, key.public_key(), usage, now, days, alternatives)
        return Issued(pem, key_pem(key))

    def _certify(
        self,
        name: str,
        key: EllipticCurvePublicKey,
        usage: x509.ObjectIdentifier,
        now: Instant,
        days: int,
        alternatives: x509.SubjectAlternativeName,
    ) -> bytes:
        until = min(moment(now) + timedelta(days=days), self.certificate.not_valid_after_utc)
        builder = begun(named(name), self.certificate.subject, key, moment(now), until)
        builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)  # noqa: FBT003 - "is no CA"
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        builder = builder.add_extension(alternatives, critical=False)
        builder = builder.add_extension(signed_by(self._key), critical=False)
        certificate = builder.sign(self._key, SHA256())
        pem = certificate.public_bytes(Encoding.PEM)
        (self.folder / "issued" / f"{certificate.serial_number:x}.crt").write_bytes(pem)
        return pem

    def _issued(self) -> list[x509.Certificate]:
        files = sorted((self.folder / "issued").glob("*.crt"))
        return [x509.load_pem_x509_certificate(file.read_bytes()) for file in files]

    def _revoked(self) -> x509.CertificateRevocationList:
        return x509.load_pem_x509_crl(self.crl)

    def _write_crl(self, entries: Sequence[x509.RevokedCertificate], now: Instant) -> None:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(moment(now) - SLACK)
            # an expired list would lock every device out, so it lasts as long as the CA
            .next_update(self.certificate.not_valid_after_utc)
            .add_extension(signed_by(self._key), critical=False)
        )
        for entry in entries:
            builder = builder.add_revoked_certificate(entry)
        signed = builder.sign(self._key, SHA256())
        replace(self.folder / "crl.pem", signed.public_bytes(Encoding.PEM))
