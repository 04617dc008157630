"""Enrolment by code: making one, and giving a device that shows it an identity of its own.

The private key is made on the device and stays there; the hub signs the public one. What the
device had before is revoked with the code's first use: whoever replaces a broken or stolen Pi
needs nothing but a new code.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from kokubus import joining
from kokubus.errors import KokubusError
from kokubus.messages import Instant
from kokubus_hub import changes, enrolment, models
from kokubus_hub.ca import Authority
from kokubus_hub.database import writing
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table
from kokubus_hub.settings import Settings
from kokubus_hub.sites import files

HOURS = 72
HOUR_MS = 3_600_000
_CODE, _DEVICE = table(models.EnrolmentCode), table(models.Device)


class WrongCodeError(KokubusError):
    """The code is unknown, over or used; counted, so that nobody can try them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A device that has its identity now; ``replaced`` if an older one was revoked for it."""

    device: str
    answer: dict[str, Any]
    replaced: bool


def make(
    settings: Settings, engine: Engine, device: str, site: str | None, now: Instant, hours: int
) -> str:
    """A code for ``device``, in the place of one it has; EnrolmentError names what is missing."""
    if not 1 <= hours <= 24 * 31:
        raise enrolment.EnrolmentError("a code lasts from 1 hour to 31 days")
    keyring = Keyring.load(settings.keys_dir)
    code = joining.make_code(os.urandom(joining.SECRET), keyring.sealing_public)
    with writing(engine) as connection:
        held = enrolment.place(connection, device, site)
        _refuse_unapplied(connection, held, device)
        connection.execute(delete(_CODE).where(_CODE.c.device_id == held.id))
        row = {"device_id": held.id, "lookup": _lookup(keyring, code), "created_at": now}
        row |= {"expires_at": now + hours * HOUR_MS}
        connection.execute(insert(_CODE).values(row))
    return code


def redeem(
    settings: Settings, engine: Engine, keyring: Keyring, request: joining.Request, now: Instant
) -> Joined:
    """An identity for the device that shows a code.

    Raises `WrongCodeError`, or `AuthorityError` for a request that is none. The same key may ask
    again while the code lasts and gets the same: its first answer may have been lost.
    """
    authority, asking = Authority.load(settings.ca_dir), _key_of(request.csr)
    with writing(engine) as connection:
        held = _device(connection, keyring, request, asking, now)
        again = held.key_sha256 == asking
        replaced = not again and authority.knows(held.slug)
        if again and held.lookup_key:
            key = keyring.open(held.lookup_key, f"device:{held.slug}")
        else:
            key = _equip(settings, connection, authority, keyring, held, now)
        certificate = authority.certify(held.slug, request.csr, now)
        used = update(_CODE).where(_CODE.c.id == held.code_id)
        connection.execute(used.values(used_at=now, key_sha256=asking))
        answer = {
            "identity": enrolment.identity_of(held.slug, keyring, authority, key),
            "certificate": certificate.decode(),
            "hub": hub_address(settings),
            "site": files.part_for(connection, held.site_id, held.slug),
        }
    return Joined(device=held.slug, answer=answer, replaced=replaced)


def hub_address(settings: Settings) -> dict[str, Any]:
    """``[hub]`` of a device's ``agent.toml``."""
    host = settings.door_host or settings.broker_names.split(",")[0].strip()
    return {"host": host, "port": settings.door_port, "transport": settings.door_transport}


def _equip(
    settings: Settings,
    connection: Connection,
    authority: Authority,
    keyring: Keyring,
    held: Row[Any],
    now: Instant,
) -> bytes:
    """A fresh secret for the device's lookups; whatever it had before is revoked."""
    key = os.urandom(32)
    if authority.knows(held.slug):
        enrolment.withdraw(settings, authority, held.slug, now)
    fresh = {"lookup_key": keyring.seal(key, f"device:{held.slug}"), "revoked_at": None}
    fresh |= {"online": None, "status_at": None, "kid": None}
    connection.execute(update(_DEVICE).where(_DEVICE.c.id == held.id).values(fresh))
    changes.record(connection, now, f"device {held.slug} enrolled", held.site_id)
    return key


def _device(
    connection: Connection, keyring: Keyring, request: joining.Request, asking: str, now: Instant
) -> Row[Any]:
    row = connection.execute(
        select(_DEVICE, _CODE.c.id.label("code_id"), _CODE.c.expires_at, _CODE.c.key_sha256)
        .join_from(_CODE, _DEVICE)
        .where(_CODE.c.lookup == _lookup(keyring, request.code))
    ).one_or_none()
    if row is None or now >= row.expires_at:
        raise WrongCodeError(
            "this code is unknown or over; on the hub, `kokubus hub device NAME code` makes one"
        )
    if row.key_sha256 not in (None, asking):
        raise WrongCodeError(
            "this code was used already, by another card or device; if that was not you, revoke "
            f"{row.slug} on the hub; `kokubus hub device {row.slug} code` makes a new one"
        )
    return row


def _refuse_unapplied(connection: Connection, held: Row[Any], device: str) -> None:
    if files.part_for(connection, held.site_id, device) is None:
        raise enrolment.EnrolmentError(
            f"the hub holds no file of its site that names {device}: `kokubus hub apply FOLDER` "
            "first, so that the device can be given its doors"
        )


def _lookup(keyring: Keyring, code: str) -> str:
    return keyring.lookup(f"enrolment|{code}".encode())


def _key_of(csr: str) -> str:
    try:
        key = x509.load_pem_x509_csr(csr.encode()).public_key()
    except ValueError as error:
        raise WrongCodeError("the request for a certificate is damaged; enrol again") from error
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(spki).hexdigest()
