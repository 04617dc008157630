"""Orders to a device from afar: recorded, signed, sent; its answer is in ``device_order``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, Protocol

from sqlalchemy import Engine, insert, select

from kokubus import wire
from kokubus.downlinks import Downlink, Order
from kokubus.errors import KokubusError
from kokubus.ids import uuid7
from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.database import reading, writing
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table

EXPIRES_MS = 60_000
LAST = frozenset({"done", "failed", "expired", "refused"})
WORDS = {
    "sent": "no answer: it is offline, or did not get it; look at `kokubus hub device list`",
    "started": "began, and has not said yet how it ended",
    "expired": "it came too late, so nothing was done; the device's or the hub's clock is wrong",
}
_ORDER, _DEVICE = table(models.DeviceOrder), table(models.Device)


class Publishes(Protocol):
    """`kokubus_hub.publisher.Publisher`, as far as it is needed here."""

    def publish(
        self, topic: str, payload: bytes, retain: bool = False, life_s: int | None = None
    ) -> object:
        """Publish at QoS 1, or raise a KokubusError."""
        ...


class OrderError(KokubusError):
    """A device cannot be ordered anything; the sentence says why."""


def give(
    engine: Engine,
    keyring: Keyring,
    publisher: Publishes,
    device: str,
    what: str,
    argument: str,
    now: Instant,
) -> str:
    """Record an order and send it; its id. OrderError if the device is none or was revoked."""
    order = uuid7(now, os.urandom(10))
    with writing(engine) as connection:
        held = connection.execute(select(_DEVICE).where(_DEVICE.c.slug == device)).one_or_none()
        if held is None or held.lookup_key is None:
            raise OrderError(f"{device} has no identity; see `kokubus hub device list`")
        row = {"id": order, "device_id": held.id, "what": what, "argument": argument}
        times = {"sent_at": now, "expires_at": now + EXPIRES_MS, "outcome": "sent"}
        connection.execute(insert(_ORDER).values(row | times))
    send(keyring, publisher, device, Order(order=order, what=what, argument=argument), now)
    return order


def send(
    keyring: Keyring,
    publisher: Publishes,
    device: str,
    message: Downlink,
    now: Instant,
    life_ms: int = EXPIRES_MS,
) -> None:
    """Sign a message for a device and publish it; a KokubusError if the broker is away."""
    payload = wire.encode_down(
        message,
        device=device,
        message_id=uuid7(now, os.urandom(10)),
        at=now,
        expires_at=now + life_ms,
        kid=keyring.kid,
        signer=keyring.signing,
    )
    topic = wire.down_topic(device, message.kind)
    publisher.publish(topic, payload, life_s=life_ms // 1000)


def awaited(
    engine: Engine,
    order: str,
    wait_s: float,
    *,
    until: frozenset[str] = LAST,
    sleep: Callable[[float], None] = time.sleep,
) -> Any:
    """The order's row (``outcome``, ``report``) once settled, or as it is after ``wait_s``."""
    end = time.monotonic() + wait_s
    while True:
        with reading(engine) as connection:
            row = connection.execute(select(_ORDER).where(_ORDER.c.id == order)).one()
        if row.outcome in until or time.monotonic() >= end:
            return row
        sleep(0.2)
