"""A Wiegand reader's two wires on mock pins, and frames as a reader sends them."""

from __future__ import annotations

from typing import Any

from kokubus_edge.keypad import Keypad
from kokubus_edge.readers import _wired
from kokubus_edge.simulate.pins import SimulatedPins
from kokubus_edge.wiegand import WiegandReader

DATA0, DATA1 = 23, 24


def bits(value: int, count: int) -> list[int]:
    return [value >> place & 1 for place in reversed(range(count))]


def badge(number: bytes) -> list[int]:
    """26 or 34 bits: even parity, the number, odd parity."""
    data = bits(int.from_bytes(number, "big"), 8 * len(number))
    half = len(data) // 2
    return [sum(data[:half]) % 2, *data, 1 - sum(data[half:]) % 2]


def key(name: str, *, long: bool = False) -> list[int]:
    value = "0123456789*#".index(name)
    return bits((value ^ 0xF) << 4 | value, 8) if long else bits(value, 4)


class Wires:
    """A reader with power, at the pins of a `WiegandReader` whose clock is ours."""

    def __init__(self, **how: Any) -> None:
        self.pins = SimulatedPins([])
        self.now = 1_000.0
        order = {"reverse": how.pop("reverse", False), "whole_uid": how.pop("whole_uid", True)}
        self.reader = WiegandReader(
            DATA0,
            DATA1,
            self.pins,
            number=lambda number: _wired(number, **order),
            keypad=Keypad(how.pop("pin_length", None)),
            seconds=lambda: self.now,
        )
        self.plug_in()

    def plug_in(self) -> None:
        for pin in (DATA0, DATA1):
            self.pins.pin(pin).wire(high=True, at=self.now)

    def unplug(self) -> None:
        for pin in (DATA0, DATA1):
            self.pins.pin(pin).wire(high=False, at=self.now)

    def send(self, frame: list[int]) -> list[Any]:
        """One frame and the silence after it; what the reader made of it."""
        for bit in frame:
            pin = self.pins.pin(DATA1 if bit else DATA0)
            pin.wire(high=False, at=self.now)
            pin.wire(high=True, at=self.now)
        return self.wait(0.1)

    def wait(self, seconds: float) -> list[Any]:
        self.now += seconds
        return list(self.reader.poll(round(self.now * 1000)))

    def type(self, keys: str, *, long: bool = False) -> list[Any]:
        return [seen for name in keys for seen in self.send(key(name, long=long))]
