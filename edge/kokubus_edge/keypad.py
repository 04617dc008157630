"""A keypad's keys become PINs and one-time codes."""

from __future__ import annotations

from kokubus.credential import PIN, Credential
from kokubus.happenings import CODE_DIGITS
from kokubus.keypad import Typing, paused, press
from kokubus_edge.reader import Code, Sighting


class Keypad:
    """What is being typed at one keypad; ``pin_length`` if all PINs of the site have one."""

    def __init__(self, pin_length: int | None = None) -> None:
        self._pin_length = pin_length
        self._typing = Typing()

    def press(self, key: str, now_ms: int) -> list[Sighting]:
        """One of the keys ``0`` to ``9``, ``*`` and ``#``."""
        self._typing, number = press(self._typing, key, now_ms)
        return _sightings(number)

    def paused(self, now_ms: int) -> list[Sighting]:
        """No key was pressed until now."""
        self._typing, number = paused(self._typing, self._pin_length, now_ms)
        return _sightings(number)


def _sightings(number: str | None) -> list[Sighting]:
    if number is None:
        return []
    return [Code(number) if len(number) == CODE_DIGITS else Credential(PIN, number)]
