"""Signs what goes down to devices outside the listener's answers."""

from __future__ import annotations

import os

from kokubus import wire
from kokubus.downlinks import Downlink
from kokubus.ids import uuid7
from kokubus.messages import Instant
from kokubus_hub.keys import Keyring


class Seal:
    """Makes policy messages for devices: signed, worthless after ``life_ms``."""

    def __init__(self, keyring: Keyring, life_ms: int) -> None:
        self._keyring = keyring
        self._life_ms = life_ms

    def __call__(
        self, message: Downlink, device: str, now: Instant, life_ms: int | None = None
    ) -> tuple[str, bytes]:
        """(topic, payload) of a message; ``life_ms`` where the device's site has its own."""
        payload = wire.encode_down(
            message,
            device=device,
            message_id=uuid7(now, os.urandom(10)),
            at=now,
            expires_at=now + (life_ms or self._life_ms),
            kid=self._keyring.kid,
            signer=self._keyring.signing,
        )
        return wire.down_topic(device, message.kind), payload
