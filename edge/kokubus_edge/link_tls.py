"""The TLS context of a device."""

from __future__ import annotations

import ssl
from pathlib import Path

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL's x509_vfy.h; the ssl module has no name for it."""


def tls_context(
    ca: str | bytes, certificate: Path, key: Path, *, dates: bool = True
) -> ssl.SSLContext:
    """Trusts ``ca`` (PEM text or DER) alone and shows the device's certificate.

    ``dates`` False skips the validity dates: a clock before ``notBefore`` would never get the
    time it needs. The broker still has to hold a key the pinned CA vouches for. OSError or
    `ssl.SSLError` if the files cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=ca)
    context.load_cert_chain(certificate, key)
    if not dates:
        context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    return context
