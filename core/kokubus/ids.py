"""Names that sort by time, made from a clock and randomness that are passed in."""

from __future__ import annotations

from uuid import UUID

from kokubus.messages import Instant


def uuid7(at: Instant, noise: bytes) -> str:
    """UUID version 7 (RFC 9562 section 5.7) of an instant and 10 random bytes, as text."""
    number = (at & (2**48 - 1)) << 80 | int.from_bytes(noise[:10], "big")
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=number))
