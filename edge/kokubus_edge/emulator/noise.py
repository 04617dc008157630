"""Interference: frames that arrive other than they were sent."""

from __future__ import annotations

from random import Random

from kokubus_edge.emulator.bits import Bits


class Noise:
    """Damages each frame with `probability`, drawing from `random`; counts what it damaged.

    One to eight bits flip. The parity bits are left alone, so two flips in a byte go unnoticed by
    parity: only BCC and CRC_A can tell.
    """

    def __init__(self, probability: float, random: Random) -> None:
        self._probability = probability
        self._random = random
        self.damaged = 0

    def through(self, frame: Bits) -> Bits:
        """The frame as it arrives."""
        if self._random.random() >= self._probability:
            return frame
        self.damaged += 1
        flips = 0
        for _ in range(self._random.randint(1, 8)):
            flips |= 1 << self._random.randrange(frame.count)
        return Bits(frame.value ^ flips, frame.count, _even_in_each_byte(flips))


def _even_in_each_byte(flips: int) -> bool:
    data = flips.to_bytes((flips.bit_length() + 7) // 8, "little")
    return not any(byte.bit_count() % 2 for byte in data)
