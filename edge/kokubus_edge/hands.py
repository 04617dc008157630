"""What the agent's loop needs of the parts that act for it."""

from __future__ import annotations

from typing import Any, Protocol


class Wires(Protocol):
    """The hardware, as far as the loop needs it."""

    def perform(self, door: str, deed: Any) -> None: ...

    def refresh(self) -> None: ...


class Sender(Protocol):
    """The link, as far as the loop needs it."""

    @property
    def up(self) -> bool: ...

    def send(self, topic: str, payload: bytes, *, bulk: bool = False) -> bool: ...

    def fetch_policy(self) -> None: ...
