"""What a request finds: the hub's parts, handed to every endpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Protocol, cast

from fastapi import Depends, Path, Query, Request
from sqlalchemy import Engine

from kokubus.messages import Instant
from kokubus_hub.counting import Counting
from kokubus_hub.keys import Keyring
from kokubus_hub.people.limits import SignInLimits
from kokubus_hub.settings import Settings

GUESSES, GUESSES_OF_ONE = 30, 10
"""Wrong enrolment codes a quarter of an hour, of all and of one address: of 2**25 codes."""


class Publisher(Protocol):
    """Who takes messages to the broker (`kokubus_hub.publisher`), or raises a KokubusError.

    ``life_s`` is how long the broker keeps a message for a device that is away.
    """

    def publish(
        self, topic: str, payload: bytes, retain: bool = False, life_s: int | None = None
    ) -> object:
        """Publish at QoS 1."""
        ...


@dataclass(frozen=True, slots=True)
class Hub:
    """The serving role's parts. ``publisher`` is None where there is no broker."""

    settings: Settings
    engine: Engine
    keyring: Keyring
    now: Callable[[], Instant]
    publisher: Publisher | None = None
    limits: SignInLimits = field(default_factory=SignInLimits)
    guesses: SignInLimits = field(default_factory=SignInLimits)
    joining: SignInLimits = field(default_factory=lambda: SignInLimits(GUESSES, GUESSES_OF_ONE))
    counting: Counting = field(default_factory=Counting)


def hub_of(request: Request) -> Hub:
    """The hub this app serves."""
    return cast("Hub", request.app.state.hub)


HubOf = Annotated[Hub, Depends(hub_of)]
RowId = Annotated[int, Path(ge=0, le=2**53)]
Cursor = Annotated[int, Query(ge=0, le=2**53, description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=500)]
