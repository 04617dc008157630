"""Instants in JSON: ISO 8601 in UTC outside, milliseconds inside."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import AwareDatetime, PlainSerializer, WithJsonSchema

from kokubus.messages import Instant

_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def iso(at: Instant) -> str:
    """``2026-01-31T12:00:00.000Z``."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def instant(given: datetime) -> Instant:
    """Milliseconds of an aware datetime."""
    return round(given.timestamp() * 1000)


Time = Annotated[
    int,
    PlainSerializer(iso, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""An instant on its way out."""

TimeIn = Annotated[AwareDatetime, Ge(_FIRST), Le(_LAST)]
"""A date and time with its offset, on its way in; `instant` makes milliseconds of it."""
