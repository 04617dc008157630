"""A site's changed file reaches its devices without anybody going there.

Each device says by which file it runs. Whose part has changed since is sent it, signed, when it
is online; it takes the file, or says why not, and starts again by itself once nobody is at its
doors. A device that holds a higher number than ours is sent nothing: our database was restored,
and the files are to be applied again.
"""

from __future__ import annotations

from typing import Any

import structlog
from sqlalchemy import Connection, Engine, select

from kokubus.downlinks import SiteGiven
from kokubus.errors import KokubusError
from kokubus.messages import Instant
from kokubus.site import read_site
from kokubus.site.given import fingerprint
from kokubus_hub import models
from kokubus_hub.database import reading
from kokubus_hub.devices.renewals import Send
from kokubus_hub.models import table
from kokubus_hub.sites import files

AGAIN_MS = 3_600_000
"""A device that was told and runs by another file all the same has refused it, or is busy."""
SETTLED_MS = 3_000
"""Who has just connected is about to say by which file it runs: that may be this one by now."""
_FILE, _DEVICE = table(models.SiteFile), table(models.Device)
_BEHIND = (
    select(
        _DEVICE.c.slug,
        _DEVICE.c.site_id,
        _DEVICE.c.site_sha256,
        _DEVICE.c.status_at,
        _FILE.c.number,
    )
    .join_from(_DEVICE, _FILE, _FILE.c.site_id == _DEVICE.c.site_id)
    .where(
        _DEVICE.c.online.is_(True),
        _DEVICE.c.revoked_at.is_(None),
        _DEVICE.c.lookup_key.is_not(None),
        _DEVICE.c.site_number < _FILE.c.number,  # never true before a device has said its own
    )
)
log = structlog.get_logger()


class SiteFiles:
    """Sends each device its part when it has changed, and again after a while or a return."""

    def __init__(self, engine: Engine, send: Send) -> None:
        self._engine = engine
        self._send = send
        self._told: dict[str, tuple[Instant, tuple[int, Instant]]] = {}

    def turn(self, now: Instant) -> None:
        """Look who is behind; one that cannot be told now is at the next turn."""
        with reading(self._engine) as connection:
            behind = [row for row in connection.execute(_BEHIND) if self._due(row, now)]
            parts = {row: self._part(connection, row, now) for row in behind}
        for row, text in parts.items():
            if text is not None:
                self._tell(row, text, now)

    def _part(self, connection: Connection, row: Any, now: Instant) -> str | None:
        """What the device lacks; one site that this release cannot read stops no other."""
        try:
            part = files.part_for(connection, row.site_id, row.slug)
        except KokubusError as error:
            log.warning("site_not_given", device=row.slug, error=str(error))
            part = None
        if part is None:
            self._told[row.slug] = now, (row.number, row.status_at)
        return part

    def _due(self, row: Any, now: Instant) -> bool:
        if now - row.status_at < SETTLED_MS:
            return False
        at, about = self._told.get(row.slug, (0, (0, 0)))
        return about != (row.number, row.status_at) or now - at >= AGAIN_MS

    def _tell(self, row: Any, text: str, now: Instant) -> None:
        if fingerprint(read_site(text, row.slug), row.slug) != row.site_sha256:
            try:
                self._send(row.slug, SiteGiven(number=row.number, text=text), now)
            except KokubusError as error:
                log.warning("site_not_given", device=row.slug, error=str(error))
                return
            log.info("site_given", device=row.slug, number=row.number)
        self._told[row.slug] = now, (row.number, row.status_at)
