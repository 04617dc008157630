"""One-time codes that count (RFC 4226): they need neither a network nor a clock.

Door and hub derive a door's secret from what both have shared since the device was enrolled,
so it never travels: HKDF-SHA256 (RFC 5869) of the device's lookup key, bound to the door.
"""

from __future__ import annotations

from hmac import compare_digest, digest

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kokubus.happenings import CODE_DIGITS

LOOK_AHEAD = 50
"""Codes in a row a door compares with: so many may have been read out and never typed."""
_INFO = b"kokubus/code/v1/"


def door_secret(lookup_key: bytes, door: str) -> bytes:
    """The 32 bytes a door's codes are made of; another identity of its device has others."""
    return HKDF(SHA256(), 32, None, _INFO + door.encode()).derive(lookup_key)


def hotp(secret: bytes, counter: int, digits: int = CODE_DIGITS) -> str:
    """The code of a counter: RFC 4226, section 5.3, with HMAC-SHA-1 as it is there."""
    mac = digest(secret, counter.to_bytes(8), "sha1")
    place = mac[-1] & 0xF
    number = int.from_bytes(mac[place : place + 4]) & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}}"


def find(secret: bytes, code: str, first: int) -> int | None:
    """The counter from ``first`` on, within `LOOK_AHEAD`, whose code this is; None if none."""
    typed = code.encode()
    counters = range(first, first + LOOK_AHEAD)
    found = [n for n in counters if compare_digest(hotp(secret, n).encode(), typed)]
    return found[0] if found else None
