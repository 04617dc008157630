"""Doors whose lock could not be moved: each is one alarm, until it can be again."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kokubus.happenings import Act, Beep, Judge, Light, Send
from kokubus_edge.minding import BYGONE_MS


class LockTroubles:
    """``say(door, active, detail)`` begins or ends the alarm ``lock_failed``.

    Doors whose bolts were not in vain since the agent's start say so once: their alarm may stand
    from before it.
    """

    def __init__(self, say: Callable[[str, bool, str], None]) -> None:
        self._say = say
        self._failed: set[str] = set()
        self._known: set[str] = set()
        self._since: int | None = None

    @property
    def doors(self) -> list[str]:
        """Those that cannot be moved now."""
        return sorted(self._failed)

    def failed(self, door: str, act: Act, detail: str) -> None:
        """An act was not done; only one that moves the bolt counts."""
        if _moves_bolt(act) and door not in self._failed:
            self._failed.add(door)
            self._known.add(door)
            self._say(door, True, detail)  # noqa: FBT003 - "it is active"

    def done(self, door: str, act: Act) -> None:
        """An act was done."""
        if door in self._failed and _moves_bolt(act):
            self._failed.discard(door)
            self._say(door, False, "")  # noqa: FBT003 - "it has ended"

    def look(self, doors: Iterable[str], mono: int) -> None:
        """To be called now and then, with monotonic milliseconds."""
        self._since = mono if self._since is None else self._since
        if mono - self._since < BYGONE_MS:
            return
        for door in doors:
            if door not in self._known:
                self._known.add(door)
                self._say(door, False, "")  # noqa: FBT003 - as above


def _moves_bolt(act: Act) -> bool:
    return not isinstance(act, Send | Judge | Light | Beep)
