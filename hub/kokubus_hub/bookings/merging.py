"""What a source says now, against what it said before and what was changed by hand since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Said: TypeAlias = Mapping[str, Any]
"""Parts of a booking that are changed as one: ``when``, ``who``, ``title`` ..."""


def merged(before: Said | None, ours: Said, theirs: Said) -> tuple[dict[str, Any], list[str]]:
    """(the booking as it is to be, the parts that both changed and that stay as they are).

    A part that the source did not change stays as it is; one that only the source changed is
    the source's. Without a ``before`` all is the source's.
    """
    fresh: dict[str, Any] = {}
    both: list[str] = []
    for part, said in theirs.items():
        base = before.get(part) if before is not None else ours[part]
        if said == base and before is not None:
            fresh[part] = ours[part]
        elif ours[part] in (base, said):
            fresh[part] = said
        else:
            fresh[part] = ours[part]
            both.append(part)
    return fresh, both
