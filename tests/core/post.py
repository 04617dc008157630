"""A device, a hub's key, and a message each way."""

from __future__ import annotations

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kokubus import messages as m
from kokubus import wire
from kokubus.downlinks import AccessDecided, Downlink
from kokubus.messages import Clock, Stamp

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = {"k1": KEY.public_key()}
STAMP = Stamp(epoch="e1", seq=7, boot="b1", uptime_ms=5, clock=Clock.SYNCED)
WHOLE_STAMP = wire.dump(STAMP)
TAPPED = m.BadgeTapped(id="t1", at=1_790_000_000_000, door="front", sealed="c2VhbGVk")
TOPIC = wire.up_topic("dorf-1", "badge_tapped")
ANSWER = AccessDecided(tap="t1", granted=True, reason="booked", epoch="e1", seq=7)


def signed(message: Downlink = ANSWER, device: str = "dorf-1", kid: str = "k1") -> bytes:
    return wire.encode_down(
        message,
        device=device,
        message_id="m1",
        at=1_790_000_000_000,
        expires_at=1_790_000_060_000,
        kid=kid,
        signer=KEY,
    )


def read(payload: bytes, device: str = "dorf-1") -> wire.Down:
    return wire.decode_down(payload, device=device, keys=KEYS)


def tapped(**fields: Any) -> bytes:
    whole = json.loads(wire.encode_up(TAPPED, STAMP)) | fields
    return json.dumps({key: value for key, value in whole.items() if value is not ...}).encode()
