"""Opaque names of members."""

from __future__ import annotations

import secrets

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def new_slug() -> str:
    """An opaque member id, ``m-`` and eight characters nobody confuses."""
    return "m-" + "".join(secrets.choice(_ALPHABET) for _ in range(8))
