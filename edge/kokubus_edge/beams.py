"""A pair of light beams on two pins."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gpiozero import DigitalInputDevice

from kokubus.beam import Beam, Crossing, beam_changed, is_blocked
from kokubus.messages import Side
from kokubus.site import Sensor
from kokubus_edge.inputs import BOUNCE_S, Input, now_ms

SETTLE_MS = 10
"""Somebody who runs breaks the second beam some 30 ms after the first, 10 cm further on."""


class BeamPair:
    """Both beams of one sensor; each closes to ground while it is whole: a cut wire is broken."""

    def __init__(self, sensor: Sensor, crossed: Callable[[str, Side], None], factory: Any) -> None:
        self._name, self._crossed = sensor.id, crossed
        self._lock = threading.Lock()
        self._crossing = Crossing()
        wires = {Beam.OUTER: sensor.pin, Beam.INNER: sensor.inner_pin}
        self.inputs = [self._input(beam, pin, factory) for beam, pin in wires.items()]

    def at_work(self) -> Mapping[str, float]:
        """0 while the beams see; `OSError` if something stands in them or a wire is cut."""
        if self.blocked():
            raise OSError("something stands in the light beams, or their wire is cut")
        return {self._name: 0.0}

    def blocked(self) -> bool:
        """Whether something stands in the beams, or a wire is cut."""
        with self._lock:
            return is_blocked(self._crossing, now_ms())

    def close(self) -> None:
        """Give the pins back."""
        for each in self.inputs:
            each.close()

    def _input(self, beam: Beam, pin: int | None, factory: Any) -> Input:
        device = DigitalInputDevice(pin, pull_up=True, bounce_time=BOUNCE_S, pin_factory=factory)
        return Input(device, partial(self._changed, beam), SETTLE_MS)

    def _changed(self, beam: Beam, whole: bool) -> None:
        with self._lock:
            self._crossing, side = beam_changed(self._crossing, beam, now_ms(), broken=not whole)
        if side is not None:
            self._crossed(self._name, side)
