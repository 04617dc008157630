"""What the hub commanded and is not on the disk yet: nothing is done before it is."""

from __future__ import annotations

from kokubus.downlinks import Order, UnlockDoor
from kokubus.messages import Instant

Command = UnlockDoor | Order


class Commands:
    """Commands between their arrival and `CommandKept`."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[Command, Instant]] = {}

    def heard(self, command: Command, expires_at: Instant) -> tuple[str, Instant]:
        """Remember it; its id and expiry, for the disk."""
        name = command.order if isinstance(command, Order) else command.command
        self._waiting[name] = command, expires_at
        return name, expires_at

    def kept(self, name: str) -> tuple[Command | None, Instant]:
        """The command whose id is on the disk now, and its expiry."""
        return self._waiting.pop(name, (None, 0))
