"""Which badges can be given to a person: one rule for the import and for a reader at the desk."""

from __future__ import annotations

from kokubus.credential import Credential
from kokubus.errors import KokubusError


class NotEnrollableError(KokubusError):
    """This badge cannot identify anybody; the sentence says why and what to take instead."""


def enrollable(credential: Credential) -> None:
    """Raise `NotEnrollableError` for a UID that is not one, or that changes at every tap.

    Four bytes that begin with 08 are a random number (ISO/IEC 14443-3, 6.5.4).
    """
    if len(credential.uid) not in {8, 14, 20} or set(credential.uid) - set("0123456789ABCDEF"):
        raise NotEnrollableError(
            "this is no badge number: it has 8, 14 or 20 digits 0-9 and A-F; "
            "read the badge at a reader instead of typing it"
        )
    if len(credential.uid) == 8 and credential.uid.startswith("08"):
        raise NotEnrollableError(
            "this badge shows another random number at every tap (its number begins with 08), "
            "as telephones and some identity cards do: give this person another badge"
        )
