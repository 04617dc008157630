"""Certificates renewed over the connection that a device still makes, and the hub's own key.

The listener notes what devices ask; `work` signs and answers, so that no tap waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, delete, insert, select, update

from kokubus.downlinks import CertificateIssued, Downlink
from kokubus.errors import KokubusError
from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.ca import Authority
from kokubus_hub.database import reading, writing
from kokubus_hub.models import table
from kokubus_hub.settings import Settings

WHAT = "certificate"
_ORDER, _DEVICE = table(models.DeviceOrder), table(models.Device)
_WANTED = (
    select(_ORDER.c.id, _ORDER.c.argument, _DEVICE.c.slug)
    .join_from(_ORDER, _DEVICE)
    .where(
        _ORDER.c.what == WHAT,
        _ORDER.c.outcome == "wanted",
        _DEVICE.c.revoked_at.is_(None),
        _DEVICE.c.lookup_key.is_not(None),
    )
)
LIFE_MS = 3_600_000
Send = Callable[[str, Downlink, Instant], None]
"""Publishes a signed message for a device, or raises a KokubusError."""
log = structlog.get_logger()


def note(connection: Connection, device: int, csr: str, now: Instant) -> None:
    """A device wants another certificate; only its last wish counts."""
    name = f"{WHAT}-{device}"
    connection.execute(delete(_ORDER).where(_ORDER.c.id == name))
    row = {"id": name, "device_id": device, "what": WHAT, "argument": csr, "sent_at": now}
    connection.execute(insert(_ORDER).values(row | {"expires_at": now, "outcome": "wanted"}))


class Renewals:
    """Answers what was noted."""

    def __init__(self, settings: Settings, engine: Engine, send: Send) -> None:
        self._settings = settings
        self._engine = engine
        self._send = send
        self._unsent: dict[str, tuple[str, bytes]] = {}

    def turn(self, now: Instant) -> None:
        """Sign and send; what cannot be sent now is tried again at the next turn."""
        with reading(self._engine) as connection:
            wanted = connection.execute(_WANTED).all()
        if not wanted:
            return
        authority = Authority.load(self._settings.ca_dir)
        for row in wanted:
            self._answer(authority, row, now)

    def _answer(self, authority: Authority, row: Any, now: Instant) -> None:
        try:
            pem = self._made(authority, row, now)
        except KokubusError as error:
            log.warning("certificate_refused", device=row.slug, error=str(error))
            self._settle(row.id, "refused", now)
            return
        try:
            self._send(row.slug, CertificateIssued(certificate=pem.decode()), now)
        except KokubusError as error:
            log.warning("certificate_not_sent", device=row.slug, error=str(error))
            return
        del self._unsent[row.id]
        log.info("certificate_renewed", device=row.slug)
        self._settle(row.id, "done", now)

    def _made(self, authority: Authority, row: Any, now: Instant) -> bytes:
        """One certificate a wish, however often it has to be sent."""
        asked, pem = self._unsent.get(row.id, ("", b""))
        if asked != row.argument:
            pem = authority.renew(row.slug, row.argument, now)
            self._unsent[row.id] = row.argument, pem
        return pem

    def _settle(self, order: str, outcome: str, now: Instant) -> None:
        done = update(_ORDER).where(_ORDER.c.id == order)
        with writing(self._engine) as connection:
            connection.execute(done.values(outcome=outcome, outcome_at=now, argument=""))
