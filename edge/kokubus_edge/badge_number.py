"""When a number that some reader gives of a badge is the badge's UID, and when it is less."""

from __future__ import annotations

from kokubus.credential import NUMBER, UID, Credential
from kokubus_edge.iso14443 import CASCADE_TAG

WHOLE = frozenset({7, 10})


def badge_number(number: bytes, *, whole_uid: bool) -> Credential:
    """Seven and ten bytes are a UID; four are one where the reader is known to give it whole.

    Else the number may have been cut from a longer UID and be that of two badges, so it is
    kept apart from UIDs. 88 is the cascade tag, with which no whole UID begins.
    """
    four = whole_uid and len(number) == 4 and number[0] != CASCADE_TAG
    tech = UID if four or len(number) in WHOLE else NUMBER
    return Credential(tech, number.hex().upper())
