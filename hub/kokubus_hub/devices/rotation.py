"""The hub's signing key is changed without anybody going to a door.

The next key is made beside the one in use and announced to every device, signed by the latter.
Once all have said that they keep it, it takes the other's place; the listener and the web see
that within seconds (`Keyring.refresh`). A device that was away for all of that time still has
the announcement coming, so nothing is changed before it has been back, or was revoked.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable

import structlog
from sqlalchemy import Connection, Engine, or_, select

from kokubus.downlinks import HubKeyAnnounced
from kokubus.errors import KokubusError
from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.database import reading
from kokubus_hub.devices.renewals import Send
from kokubus_hub.keys import Keyring, kid_of
from kokubus_hub.models import table
from kokubus_hub.settings import Settings

AGAIN_MS = 60_000
_DEVICE = table(models.Device)
log = structlog.get_logger()


def waiting_for(connection: Connection, kid: str) -> list[tuple[str, bool]]:
    """(device, whether it is online) of those that have not said that they keep this key."""
    rows = connection.execute(
        select(_DEVICE.c.slug, _DEVICE.c.online)
        .where(
            _DEVICE.c.lookup_key.is_not(None),
            _DEVICE.c.revoked_at.is_(None),
            or_(_DEVICE.c.kid.is_(None), _DEVICE.c.kid != kid),
        )
        .order_by(_DEVICE.c.slug)
    )
    return [(row.slug, bool(row.online)) for row in rows]


class Rotation:
    """One turn announces where it has to, and changes the key when nobody is waited for.

    ``changed`` is called after it: what is retained at the broker must be signed anew.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        keyring: Keyring,
        send: Send,
        changed: Callable[[], None],
    ) -> None:
        self._folder = settings.keys_dir
        self._engine = engine
        self._keyring = keyring
        self._send = send
        self._changed = changed
        self._told_at: dict[str, Instant] = {}

    def turn(self, now: Instant) -> None:
        """Go on with a change of key, if one was begun."""
        self._keyring.refresh()
        following = Keyring.following(self._folder)
        if following is None:
            self._told_at.clear()
            return
        kid = kid_of(following.public_key())
        with reading(self._engine) as connection:
            waiting = waiting_for(connection, kid)
        if not waiting:
            self._keyring.promote(self._folder)
            log.info("signing_key_changed", kid=self._keyring.kid)
            self._changed()
            return
        key = urlsafe_b64encode(following.public_key().public_bytes_raw()).decode()
        message = HubKeyAnnounced(kid=kid, key=key)
        for device, online in waiting:
            if online and now - self._told_at.get(device, -AGAIN_MS) >= AGAIN_MS:
                self._announce(device, message, now)

    def _announce(self, device: str, message: HubKeyAnnounced, now: Instant) -> None:
        try:
            self._send(device, message, now)
        except KokubusError as error:
            log.warning("key_not_announced", device=device, error=str(error))
        else:
            self._told_at[device] = now
