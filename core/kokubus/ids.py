"""Names that sort by time, made from a clock and randomness that are passed in."""

from __future__ import annotations

from kokubus.messages import Instant


def uuid7(at: Instant, noise: bytes) -> str:
    """UUID version 7 (RFC 9562 section 5.7) of an instant and 10 random bytes, as text."""
    number = (at & (2**48 - 1)) << 80 | int.from_bytes(noise[:10], "big")
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
