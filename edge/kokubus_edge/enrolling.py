"""``kokubus edge enrol``: from a code to a device that knows its hub, its site and its doors.

The private key is made here and never leaves. All that comes back is looked at before anything
is changed; what the device was before is then replaced at once.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from kokubus import joining
from kokubus.errors import KokubusError
from kokubus.site import Site, read_site
from kokubus_edge.asking_hub import HubWeb
from kokubus_edge.atomic import sync_folder, write_atomically
from kokubus_edge.certificate import read_certificate
from kokubus_edge.codes import CODES
from kokubus_edge.identity import ca_of
from kokubus_edge.settings import read_settings

_CODE = "code.sha256"
_AGENT = """# Written by `kokubus edge enrol`; enrolling again writes it anew.
device = {device}

[hub]
host = {host}
port = {port}
transport = {transport}
"""


class EnrolError(KokubusError):
    """This device cannot be enrolled like this; the sentence says what to do."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What a device became."""

    device: str
    site: Site

    def __str__(self) -> str:
        doors = ", ".join(door.name for door in self.site.doors_of(self.device)) or "no door"
        return f"enrolled as {self.device} at {self.site.name}: {doors}"


def enrol(config: Path, web: HubWeb, code: str) -> Enrolled:
    """Make this device the one that ``code`` is for; ``config`` is its ``agent.toml`` to write.

    Raises `JoinError` or `EnrolError`; `HubAwayError` if trying again later may help. Until the
    hub has answered nothing is changed but the folder ``identity.new``, whose key makes the hub
    know us again; it becomes the identity last of all, so whatever cuts it short is made good
    by the same code. A code that has made this identity is not asked with again.
    """
    code = joining.read_code(code)
    folder = config.parent
    fresh, identity = folder / "identity.new", folder / "identity"
    if not _made_by(identity, code):
        key = _key_in(fresh)
        answer = _ask(web, code, key)
        _site(answer, _fitting(answer, key))
        _write(fresh, answer, code)
        write_atomically(folder / "site.toml", str(answer["site"]).encode(), mode=0o644)
        write_atomically(config, _agent(answer).encode(), mode=0o644)
        _hand_over(folder, fresh)
        _swap(fresh, identity)
        # its counters are of the identity before; damaged, they would let none in for ever
        (read_settings(config).data / CODES).unlink(missing_ok=True)
    settings = read_settings(config)
    return Enrolled(settings.device, settings.site)


def request_for(key: ec.EllipticCurvePrivateKey, device: str = "new") -> str:
    """A certificate signing request (PEM); the hub takes nothing from it but the public key."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, device)])
    signed = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, SHA256())
    return signed.public_bytes(Encoding.PEM).decode()


def _ask(web: HubWeb, code: str, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    """Compare the hub's key with the code, and only then show it the code."""
    hub_key = web.sealing_key()
    if not joining.names(code, hub_key):
        raise joining.JoinError(
            f"{web.address} is not the hub that made this code: check the code and the address; "
            "if both are right, somebody is in between: use another network and tell who runs it"
        )
    answer_key = os.urandom(32)
    request = joining.Request(code=code, csr=request_for(key), answer_key=answer_key)
    sealed = joining.seal_request(request, hub_key, X25519PrivateKey.generate())
    return joining.open_answer(web.join(sealed), answer_key)


def _key_in(fresh: Path) -> ec.EllipticCurvePrivateKey:
    """The key of an attempt that was cut short, so that the hub knows us again; or a new one."""
    path = fresh / "device.key"
    try:
        held = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError):
        held = None
    if isinstance(held, ec.EllipticCurvePrivateKey):
        return held
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _attempt(lambda: _private(fresh), fresh)
    _attempt(lambda: write_atomically(path, pem), path)
    return key


def _private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _fitting(answer: Mapping[str, Any], key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """The certificate, if it is for our key and the CA that came with it has signed it."""
    try:
        certificate = x509.load_pem_x509_certificate(answer["certificate"].encode())
        authority = x509.load_pem_x509_certificate(ca_of(answer["identity"]))
        certificate.verify_directly_issued_by(authority)
    except Exception as error:
        raise EnrolError(
            "the hub's answer holds no certificate of its own CA; update it"
        ) from error
    if certificate.public_key() != key.public_key():
        raise EnrolError("the hub's certificate is for another key; enrol again")
    return certificate


def _site(answer: Mapping[str, Any], certificate: x509.Certificate) -> Site:
    device = str(answer["identity"]["device"])
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    if [name.value for name in names] != [device]:
        raise EnrolError(f"the hub's certificate is not for {device}; enrol again")
    return read_site(str(answer["site"]), "the site's file")


def _made_by(identity: Path, code: str) -> bool:
    """Whether this very code was used for it: nobody could tell the hub so in time."""
    with suppress(OSError):
        return (identity / _CODE).read_text() == _digest(code)
    return False


def _digest(code: str) -> str:
    return sha256(code.encode()).hexdigest()


def _write(fresh: Path, answer: Mapping[str, Any], code: str) -> None:
    said = json.dumps(answer["identity"], indent=2) + "\n"
    files = {"identity.json": said, "device.crt": str(answer["certificate"])}
    for name, content in (files | {_CODE: _digest(code)}).items():
        path = fresh / name
        _attempt(lambda path=path, text=content: write_atomically(path, text.encode()), path)  # type: ignore[misc]  # a lambda's defaults have no types
    read_certificate(fresh / "device.crt")  # which keeps beside it what the agent asks


def _swap(fresh: Path, identity: Path) -> None:
    """The old identity is worth nothing any more: the hub has revoked it."""
    if identity.exists():
        shutil.rmtree(identity)
    fresh.rename(identity)
    sync_folder(identity.parent)


def _agent(answer: Mapping[str, Any]) -> str:
    hub = answer["hub"]
    named = {"device": answer["identity"]["device"], "host": hub["host"]}
    told = {name: json.dumps(value) for name, value in named.items()}  # as TOML quotes it too
    transport = json.dumps(hub["transport"])
    return _AGENT.format(**told, port=int(hub["port"]), transport=transport)


def _hand_over(folder: Path, fresh: Path) -> None:
    """Enrolled by root, the files belong to whom the folder belongs: the agent's user."""
    if os.geteuid() != 0:
        return
    owner = folder.stat()
    for path in (folder / "agent.toml", folder / "site.toml", *_all(fresh)):
        if path.exists():
            os.chown(path, owner.st_uid, owner.st_gid)


def _all(folder: Path) -> list[Path]:
    return [folder, *folder.iterdir()]


def _attempt(act: Callable[[], None], path: Path) -> None:
    try:
        act()
    except OSError as error:
        said = f"{path}: cannot be written: {error.strerror}; run it as root, or as user kokubus"
        raise EnrolError(said) from error
