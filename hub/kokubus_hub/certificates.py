"""What certificates are made of (X.509, RFC 5280); who gets one is `kokubus_hub.ca`'s to say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kokubus.messages import Instant
from kokubus_hub.files import private_dir, write_secret

CA_DAYS = 20 * 365
SLACK = timedelta(days=1)
"""A device's clock may lag; its certificate is valid from a day before it was issued."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes

    def save(self, folder: Path, name: str) -> None:
        """Write ``<name>.crt`` and ``<name>.key``; FileExistsError if the key is there."""
        private_dir(folder)
        write_secret(folder / f"{name}.key", self.key)
        (folder / f"{name}.crt").write_bytes(self.certificate)


def own_certificate(name: str, now: Instant) -> Issued:
    """A client certificate that signs itself: who trusts it trusts nobody else.

    The broker's listener for the hub does, since the CA's devices must not get in there.
    """
    key = generate_private_key(SECP256R1())
    until = moment(now) + timedelta(days=CA_DAYS)
    builder = begun(named(name), named(name), key.public_key(), moment(now), until)
    builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)  # noqa: FBT003 - "is no CA"
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    certificate = builder.add_extension(usage, critical=False).sign(key, SHA256())
    return Issued(certificate.public_bytes(Encoding.PEM), key_pem(key))


def self_signed(key: EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    """A CA's own certificate, for devices to pin; it signs no other CA."""
    name = named("kokubus hub CA")
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        begun(name, name, key.public_key(), now, now + timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(True, 0), critical=True)  # noqa: FBT003 - "is a CA"
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, SHA256())
    )


def begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: EllipticCurvePublicKey,
    now: datetime,
    until: datetime,
) -> x509.CertificateBuilder:
    """A certificate that lacks its extensions and its signature."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SLACK)
        .not_valid_after(until)
    )


def signed_by(key: EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    """By which a reader finds the CA that has signed."""
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def revocation(serial: int, now: Instant) -> x509.RevokedCertificate:
    """A line of the revocation list."""
    builder = x509.RevokedCertificateBuilder().serial_number(serial)
    return builder.revocation_date(moment(now)).build()


def named(common: str) -> x509.Name:
    """The name of whom a certificate is for."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def common_name(certificate: x509.Certificate) -> str:
    """The CN a certificate was issued to."""
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def spki(one: x509.Certificate | x509.CertificateSigningRequest) -> bytes:
    """The public key, to compare it: DER, SubjectPublicKeyInfo."""
    return one.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def alternative(name: str) -> x509.GeneralName:
    """A host name or an IP address, as a client checks it."""
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def moment(at: Instant) -> datetime:
    """Certificates know whole seconds."""
    return datetime.fromtimestamp(at / 1000, UTC).replace(microsecond=0)


def key_pem(key: EllipticCurvePrivateKey) -> bytes:
    """A private key as it lies in its file."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
