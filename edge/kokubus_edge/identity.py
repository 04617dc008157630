"""Who a device is, and whom it believes.

The identity folder is written by ``kokubus edge enrol``: ``identity.json``, and for TLS
``device.crt`` and ``device.key``. The keys in ``identity.json`` are base64url, padded or not::

    {"device": "ettmannsweiler-1", "kid": "...",
     "signing_key": hub's Ed25519 public key, 32 bytes,
     "sealing_key": hub's X25519 public key, 32 bytes,
     "lookup_key": this device's secret for lookups, 32 bytes,
     "ca": the CA certificate, PEM or DER,
     "next": {"kid": ..., "signing_key": ...}, while the hub changes its key}
"""

from __future__ import annotations

import json
import ssl
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from kokubus.errors import SettingsError
from kokubus_edge.certificate import read_certificate
from kokubus_edge.settings import Settings

_REMEDY = "enrol this device again with a code of `kokubus hub device NAME code`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The keys of a device. ``ca`` as `ssl.SSLContext.load_verify_locations` takes cadata.

    ``certificate`` and ``key`` are files, for the TLS context to read.
    """

    device: str
    kid: str
    signing_key: Ed25519PublicKey
    sealing_key: X25519PublicKey
    lookup_key: bytes = field(repr=False)
    ca: str | bytes = field(repr=False)
    certificate: Path
    key: Path
    following: tuple[str, Ed25519PublicKey] | None = None


def read_identity(settings: Settings) -> Identity:
    """The identity in the settings' folder; SettingsError if it is not this device's, or broken.

    The certificate is looked at only where the link to the hub is to use it.
    """
    folder = settings.identity
    raw = _json(folder / "identity.json")
    if raw.get("device") != settings.device:
        said = f"is for {raw.get('device')!r}, but agent.toml says device = {settings.device!r}"
        raise SettingsError(f"{folder}/identity.json: {said}; copy the right folder here")
    identity = Identity(
        device=settings.device,
        kid=_text(raw, "kid", folder),
        signing_key=Ed25519PublicKey.from_public_bytes(_key(raw, "signing_key", folder)),
        sealing_key=X25519PublicKey.from_public_bytes(_key(raw, "sealing_key", folder)),
        lookup_key=_key(raw, "lookup_key", folder),
        ca=_certificate_data(_bytes(raw, "ca", folder)),
        certificate=folder / "device.crt",
        key=folder / "device.key",
        following=_following(raw, folder),
    )
    if settings.hub.tls:
        _refuse_unusable(identity)
    return identity


def ca_of(raw: Mapping[str, Any]) -> bytes:
    """The CA's certificate (PEM or DER) of an ``identity.json``; SettingsError if it has none."""
    return _bytes(raw, "ca", Path("the hub's answer"))


def _json(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}; {_REMEDY}") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: is not JSON; {_REMEDY}") from error
    if not isinstance(raw, dict):
        raise SettingsError(f"{path}: is no JSON object; {_REMEDY}")
    return raw


def _text(raw: Mapping[str, Any], name: str, folder: Path) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{folder}/identity.json: {name}: is missing; {_REMEDY}")
    return value


def _bytes(raw: Mapping[str, Any], name: str, folder: Path) -> bytes:
    text = _text(raw, name, folder)
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        said = f"{folder}/identity.json: {name}: is not base64url; {_REMEDY}"
        raise SettingsError(said) from error


def _key(raw: Mapping[str, Any], name: str, folder: Path) -> bytes:
    key = _bytes(raw, name, folder)
    if len(key) != 32:
        said = f"{name}: has {len(key)} bytes, not 32; {_REMEDY}"
        raise SettingsError(f"{folder}/identity.json: {said}")
    return key


def _following(raw: Mapping[str, Any], folder: Path) -> tuple[str, Ed25519PublicKey] | None:
    """(kid, key) that the hub has announced."""
    told = raw.get("next")
    if not isinstance(told, dict):
        return None
    key = Ed25519PublicKey.from_public_bytes(_key(told, "signing_key", folder))
    return _text(told, "kid", folder), key


def _certificate_data(ca: bytes) -> str | bytes:
    return ca.decode("ascii", "replace") if ca.startswith(b"-----BEGIN") else ca


def _refuse_unusable(identity: Identity) -> None:
    """A swapped SD card or a half-copied folder is noticed before the broker refuses it."""
    name = _common_name(identity.certificate)
    if name != identity.device:
        said = f"is for {name!r}, not for {identity.device!r}; copy the right folder here"
        raise SettingsError(f"{identity.certificate}: {said}")
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=identity.ca)
        context.load_cert_chain(identity.certificate, identity.key)
    except (OSError, ValueError) as error:
        said = f"{identity.certificate.parent}: certificate, key and ca do not fit: {error}"
        raise SettingsError(f"{said}; {_REMEDY}") from error


def _common_name(path: Path) -> str:
    try:
        return read_certificate(path).name
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}; {_REMEDY}") from error
    except ValueError as error:
        raise SettingsError(f"{path}: is no certificate of ours; {_REMEDY}") from error
