"""What the device's certificate says, without loading what reads certificates.

That takes 3 MB of a small machine's memory, for an answer that changes a few times a year: it
is kept beside the certificate, with its hash.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from kokubus.errors import WireError
from kokubus.messages import Instant
from kokubus.wire import load
from kokubus_edge.atomic import write_atomically


@dataclass(frozen=True, slots=True)
class Certificate:
    """Whose it is (its common name), and from when until when it is valid."""

    sha256: str
    name: str
    begin: Instant
    end: Instant


def read_certificate(path: Path) -> Certificate:
    """The certificate in a file; OSError or ValueError if there is none in it."""
    pem, kept = path.read_bytes(), path.with_name("certificate.json")
    digest = sha256(pem).hexdigest()
    with suppress(OSError, ValueError, WireError):
        known = load(Certificate, json.loads(kept.read_bytes()), kept.name)
        if known.sha256 == digest:
            return known
    found = _read(pem, digest)
    with suppress(OSError):  # a full card: it is read again
        write_atomically(kept, json.dumps(asdict(found)).encode())
    return found


def _read(pem: bytes, digest: str) -> Certificate:
    from cryptography import x509  # noqa: PLC0415 - see above

    found = x509.load_pem_x509_certificate(pem)
    names = found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    if not names:
        raise ValueError("a certificate without a common name")
    begin, end = found.not_valid_before_utc, found.not_valid_after_utc
    return Certificate(digest, str(names[0].value), _ms(begin.timestamp()), _ms(end.timestamp()))


def _ms(seconds: float) -> Instant:
    return int(seconds * 1000)
