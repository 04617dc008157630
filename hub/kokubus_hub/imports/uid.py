"""Badge UIDs as people bring them, and how spreadsheets spoil them."""

from __future__ import annotations

import re

from kokubus.credential import UID, Credential
from kokubus.enrolment import NotEnrollableError, enrollable

TECH = UID
"""What the badges of a file are known by."""
_SCIENTIFIC = re.compile(r"\d+([.,]\d+)?E\+\d+|\d+[.,]\d+E-?\d+")
_SEPARATORS = str.maketrans("", "", " :-\u00a0")
_AS_TEXT = "format the column as text and enter it again from the badge"


def canonical(text: str) -> str:
    """The UID as upper-case hex of 4, 7 or 10 bytes (ISO 14443-3 section 6.5.4).

    Raises ValueError with the remedy for anything else; the sentence never quotes a UID.
    """
    plain = text.strip().upper()
    if _SCIENTIFIC.fullmatch(plain):
        raise ValueError(f"UID {plain} was turned into a number by the spreadsheet; {_AS_TEXT}")
    plain = plain.translate(_SEPARATORS).removeprefix("0X")
    if not plain:
        raise ValueError("UID is missing")
    if not re.fullmatch(r"[0-9A-F]+", plain):
        raise ValueError("UID holds something other than the digits 0-9 and letters A-F")
    if len(plain) % 2:
        raise ValueError(f"UID has {len(plain)} digits: a leading zero was lost; {_AS_TEXT}")
    if len(plain) not in (8, 14, 20):
        raise ValueError(f"UID has {len(plain)} digits instead of 8, 14 or 20; {_AS_TEXT}")
    return _usable(plain)


def tells(label: str | None, uid: str) -> bool:
    """Whether a printed number is the badge's own: as it is, backwards, or as a decimal number.

    Whoever sees such a badge knows how to copy it.
    """
    plain = "".join(filter(str.isalnum, (label or "").upper())).removeprefix("0X")
    forms = {uid}
    if len(uid) % 2 == 0 and uid.isalnum():  # a PIN may have an odd number of digits, or be over
        raw = bytes.fromhex(uid)
        forms |= {raw[::-1].hex().upper()}
        forms |= {str(int.from_bytes(raw, order)) for order in ("big", "little")}
    return bool(plain) and (plain in forms or plain.lstrip("0") in forms)


def _usable(uid: str) -> str:
    if len(uid) == 8 and uid.startswith("88"):
        raise ValueError("UID is cut off: 88 stands before the rest of a longer one; read it again")
    try:
        enrollable(Credential(TECH, uid))
    except NotEnrollableError as error:
        raise ValueError(str(error)) from error
    return uid
