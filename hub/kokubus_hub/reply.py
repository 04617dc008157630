"""What the listener publishes after a commit: signed answers and receipts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kokubus import wire
from kokubus.downlinks import AccessDecided, Downlink, Receipt, TimeTold
from kokubus.ids import uuid7
from kokubus.messages import BadgeTapped, Instant, Stamp
from kokubus.ranges import Ranges
from kokubus_hub.keys import Keyring

ANSWER_LIFE_MS = 5_000
RECEIPT_LIFE_MS = 600_000
MAX_RANGES = 1_000


@dataclass(frozen=True, slots=True)
class Reply:
    """A message to publish at QoS 0, not retained: see docs/decisions/0009."""

    topic: str
    payload: bytes


class Replies:
    """Signs what one batch has to say."""

    def __init__(self, keyring: Keyring, now: Instant) -> None:
        self._keyring = keyring
        self._now = now
        self.all: list[Reply] = []

    def answer(
        self, device: str, tap: BadgeTapped, stamp: Stamp, decision: Any, recorded: bool = True
    ) -> None:
        """The answer to a tap; ``decision`` is a `Decision` or the stored row of one."""
        decided = AccessDecided(
            tap=tap.id,
            granted=bool(decision.granted),
            reason=str(decision.reason),
            detail=decision.detail or {},
            recorded=recorded,
            epoch=stamp.epoch,
            seq=stamp.seq,
        )
        self._say(device, decided, ANSWER_LIFE_MS)

    def receipts(
        self,
        durable: Mapping[tuple[str, str], Ranges],
        rejected: Mapping[tuple[str, str], list[int]],
    ) -> None:
        """One receipt a device and epoch, naming exact ranges and what was refused for good."""
        for device, epoch in durable.keys() | rejected.keys():
            ranges = tuple(durable.get((device, epoch), ()))[:MAX_RANGES]
            refused = tuple(rejected.get((device, epoch), ()))
            receipt = Receipt(epoch=epoch, ranges=ranges, rejected=refused)
            self._say(device, receipt, RECEIPT_LIFE_MS)

    def time(self, device: str, nonce: str) -> None:
        """What time it is, for the one that asked just now."""
        self._say(device, TimeTold(nonce=nonce), ANSWER_LIFE_MS)

    def _say(self, device: str, message: Downlink, life_ms: int) -> None:
        payload = wire.encode_down(
            message,
            device=device,
            message_id=uuid7(self._now, os.urandom(10)),
            at=self._now,
            expires_at=self._now + life_ms,
            kid=self._keyring.kid,
            signer=self._keyring.signing,
        )
        self.all.append(Reply(wire.down_topic(device, message.kind), payload))
