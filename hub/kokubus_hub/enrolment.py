"""Setting a hub up, and giving a device its identity or taking it away.

An identity folder holds ``identity.json`` (as `kokubus_edge.identity` reads it), ``device.crt``
and ``device.key``. It is secret: who has it is that device.
"""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, insert, select, update

from kokubus import wire
from kokubus.errors import KokubusError
from kokubus.messages import Instant
from kokubus_hub import changes
from kokubus_hub.ca import Authority
from kokubus_hub.certificates import own_certificate
from kokubus_hub.database import writing
from kokubus_hub.files import alone, private_dir, replace, write_secret
from kokubus_hub.keys import Keyring
from kokubus_hub.models import Device, Site, table
from kokubus_hub.settings import Settings

HUB = "hub"
"""The hub's own name at the broker; no device may have it."""
_DEVICE, _SITE = table(Device), table(Site)


class EnrolmentError(KokubusError):
    """A device cannot be given an identity; the sentence says what to do."""


def set_up(settings: Settings, now: Instant) -> list[str]:
    """Make whatever is missing of keys, CA and the broker's certificates; what was made."""
    private_dir(settings.data_dir)
    made = []
    if not settings.keys_dir.exists():
        Keyring.create(settings.keys_dir)
        made.append(f"keys in {settings.keys_dir}: back them up together with the database")
    if not settings.ca_dir.exists():
        Authority.create(settings.ca_dir, now)
        made.append(f"certificate authority in {settings.ca_dir}")
    if not (settings.broker_tls / "server.crt").exists():
        _equip_broker(settings, Authority.load(settings.ca_dir), now)
        made.append(f"the broker's certificates in {settings.broker_tls}")
    return made


def enrol(
    settings: Settings,
    engine: Engine,
    device: str,
    site: str | None,
    folder: Path,
    now: Instant,
    *,
    again: bool = False,
) -> None:
    """Write a device's identity into ``folder`` and make it known at ``site`` (slugs).

    ``site`` may be None for a device the hub knows. A device that has an identity gets a new
    one only ``again``: its old certificate is then revoked and its old lookups are void. Where
    ``folder`` holds the identity it has, nothing is done.
    """
    keyring, authority = Keyring.load(settings.keys_dir), Authority.load(settings.ca_dir)
    key = os.urandom(32)
    with writing(engine) as connection:
        held = place(connection, device, site)
        if not again and _has(folder, keyring, device, held.lookup_key):
            return
        if held.lookup_key is not None and not again:
            raise EnrolmentError(f"{device} has an identity; --again replaces and revokes it")
        _refuse_full(folder, again=again)
        if held.lookup_key is not None:
            withdraw(settings, authority, device, now)
        fresh = {"lookup_key": keyring.seal(key, f"device:{device}"), "revoked_at": None}
        fresh |= {"online": None, "status_at": None}
        connection.execute(update(_DEVICE).where(_DEVICE.c.id == held.id).values(fresh))
        changes.record(connection, now, f"device {device} enrolled", held.site_id)
        authority.issue_device(device, now).save(folder, "device")
        said = json.dumps(identity_of(device, keyring, authority, key), indent=2)
        write_secret(folder / "identity.json", said.encode() + b"\n")


def revoke(settings: Settings, engine: Engine, device: str, now: Instant) -> None:
    """Take a device's identity away: its certificate is on the broker's list from now on.

    The broker reads the list again when it is replaced; a connection that is open stays until
    `cutting.cut` ends it.
    """
    authority = Authority.load(settings.ca_dir)
    with writing(engine) as connection:
        held = held_device(connection, device)
        if held is None:
            raise EnrolmentError(f"there is no device {device!r}; see `kokubus hub device list`")
        taken = update(_DEVICE).where(_DEVICE.c.id == held.id)
        gone = {"revoked_at": now, "lookup_key": None, "online": False, "status_at": now}
        connection.execute(taken.values(gone))
        changes.record(connection, now, f"device {device} revoked", held.site_id)
        withdraw(settings, authority, device, now)


def _equip_broker(settings: Settings, authority: Authority, now: Instant) -> None:
    names = [name.strip() for name in settings.broker_names.split(",") if name.strip()]
    folder = private_dir(settings.broker_tls)
    (folder / "ca.crt").write_bytes(authority.pem)
    replace(folder / "crl.pem", authority.crl)
    if not (settings.data_dir / "hub.key").exists():
        own_certificate(HUB, now).save(settings.data_dir, "hub")
    (folder / "hub-ca.crt").write_bytes((settings.data_dir / "hub.crt").read_bytes())
    (folder / "server.key").unlink(missing_ok=True)  # of an attempt that was cut short
    authority.issue_server(names or ["localhost"], now).save(folder, "server")


def place(connection: Connection, device: str, site: str | None) -> Row[Any]:
    """The device's row, made at ``site`` if the hub does not know it yet."""
    if not wire.valid_device(device) or device == HUB:
        raise EnrolmentError(f"{device!r}: a device's name is 1 to 63 of a-z, 0-9 and '-'")
    held = held_device(connection, device)
    if held is None:
        values = {"slug": device, "site_id": _site(connection, device, site)}
        connection.execute(insert(_DEVICE).values(values))
        held = held_device(connection, device)
    elif site is not None and held.site_id != _site(connection, device, site):
        raise EnrolmentError(f"{device} stands at another site than {site}; leave --site out")
    assert held is not None  # noqa: S101 - inserted just above, in this transaction
    return held


def held_device(connection: Connection, device: str) -> Row[Any] | None:
    """The row of a device the hub knows."""
    return connection.execute(select(_DEVICE).where(_DEVICE.c.slug == device)).one_or_none()


def _site(connection: Connection, device: str, site: str | None) -> int:
    known = {str(row.slug): int(row.id) for row in connection.execute(select(_SITE))}
    if site is None:
        raise EnrolmentError(f"{device} is new: say at which site it stands with --site")
    if site not in known:
        there_are = ", ".join(sorted(known)) or "none yet; import a site's TOML first"
        raise EnrolmentError(f"there is no site {site!r}; known: {there_are}")
    return known[site]


def _has(folder: Path, keyring: Keyring, device: str, sealed: bytes | None) -> bool:
    """Whether ``folder`` holds the very identity that the hub knows the device by."""
    files = [folder / name for name in ("identity.json", "device.crt", "device.key")]
    if sealed is None or not all(file.exists() for file in files):
        return False
    return _text(keyring.open(sealed, f"device:{device}")).encode() in files[0].read_bytes()


def _refuse_full(folder: Path, *, again: bool) -> None:
    names = ("identity.json", "device.key")
    if any((folder / name).exists() for name in names) and not again:
        raise EnrolmentError(f"{folder} holds an identity already; choose an empty folder")
    for name in names:
        (folder / name).unlink(missing_ok=True)


def withdraw(settings: Settings, authority: Authority, device: str, now: Instant) -> None:
    """Put all of a device's certificates on the broker's list."""
    with alone(settings.broker_tls):  # else an older list could come to lie over a newer one
        authority.revoke(device, now)
        replace(settings.broker_tls / "crl.pem", authority.crl)


def identity_of(device: str, keyring: Keyring, authority: Authority, key: bytes) -> dict[str, str]:
    """What a device keeps in ``identity.json``; ``key`` is for its lookups."""
    return {
        "device": device,
        "kid": keyring.kid,
        "signing_key": _text(keyring.verifying.public_bytes_raw()),
        "sealing_key": _text(keyring.sealing_public),
        "lookup_key": _text(key),
        "ca": _text(authority.pem),
    }


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode()
