"""The field above an antenna: who is in it, and what their answers add up to."""

from __future__ import annotations

from threading import Lock
from typing import NamedTuple

from kokubus_edge.emulator.bits import Bits
from kokubus_edge.emulator.card import Card
from kokubus_edge.emulator.noise import Noise


class Answer(NamedTuple):
    """What the antenna hears; `collision` is the 0-based place of the first collided bit."""

    bits: Bits
    collision: int | None


class Field:
    """Cards come and go from any thread while a chip talks to those present."""

    def __init__(self, noise: Noise | None = None) -> None:
        self.noise = noise
        self._cards: list[Card] = []
        self._powered = False
        self._lock = Lock()

    def put(self, card: Card) -> None:
        """Bring a card into the field; it wakes up idle."""
        with self._lock:
            if card not in self._cards:
                card.reset()
                self._cards.append(card)

    def remove(self, card: Card) -> None:
        """Take a card away; nothing happens if it is not there."""
        with self._lock:
            if card in self._cards:
                self._cards.remove(card)

    def clear(self) -> None:
        """Take every card away."""
        with self._lock:
            self._cards.clear()

    def power(self, on: bool) -> None:
        """Switch the field; cards without power forget their state."""
        with self._lock:
            if not on:
                for card in self._cards:
                    card.reset()
            self._powered = on

    def exchange(self, frame: Bits) -> Answer | None:
        """Let every card hear one frame; None if all stay silent."""
        with self._lock:
            if not self._powered:
                return None
            heard = self._disturbed(frame)
            answers = [answer for card in self._cards if (answer := card.hear(heard))]
        if not answers:
            return None
        joined, collision = _superposed(answers)
        return Answer(self._disturbed(joined), collision)

    def _disturbed(self, frame: Bits) -> Bits:
        return self.noise.through(frame) if self.noise else frame


def _superposed(answers: list[Bits]) -> tuple[Bits, int | None]:
    """All answers at once: where they differ both halves of the bit are modulated."""
    first = answers[0]
    value, differs = first.value, 0
    for answer in answers[1:]:
        value |= answer.value
        differs |= answer.value ^ first.value
    collision = (differs & -differs).bit_length() - 1 if differs else None
    return Bits(value, max(answer.count for answer in answers)), collision
