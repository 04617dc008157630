"""What the two-colour LED and the buzzer of a door say, and the thread that says it.

====== ========================== =========================
says   light                      sound
====== ========================== =========================
idle   dark
waits  amber, 5 s at most
grant  green, 5 s                 one short beep
denial red, three blinks          two long beeps
held   red, blinking until closed five beeps, a second apart
free   green, a short blink a second
lock   red and amber in turn      one beep of 1.5 s
====== ========================== =========================

``lock``: the keypad listens to nobody for a while.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, cycle
from typing import Protocol

from kokubus.happenings import Pattern

_log = logging.getLogger(__name__)
Step = tuple[float, tuple[bool, ...]]
"""(seconds, which lines are on)."""

RED, GREEN, AMBER, DARK = (True, False), (False, True), (True, True), (False, False)
LOUD, QUIET = (True,), (False,)
RESTING = frozenset({Pattern.IDLE, Pattern.HELD, Pattern.FREE})
"""Patterns that stay, and to which a door returns after any other."""

LIGHTS: Mapping[Pattern, tuple[Step, ...]] = {
    Pattern.IDLE: (),
    Pattern.WAITING: ((5.0, AMBER),),
    Pattern.GRANTED: ((5.0, GREEN),),
    Pattern.DENIED: ((0.3, RED), (0.3, DARK)) * 3,
    Pattern.HELD: ((0.5, RED), (0.5, DARK)),
    Pattern.FREE: ((0.2, GREEN), (0.8, DARK)),
    Pattern.LOCKED_OUT: ((0.25, RED), (0.25, AMBER)) * 4,
}
SOUNDS: Mapping[Pattern, tuple[Step, ...]] = {
    Pattern.GRANTED: ((0.1, LOUD),),
    Pattern.DENIED: ((0.5, LOUD), (0.2, QUIET), (0.5, LOUD)),
    Pattern.HELD: ((0.2, LOUD), (0.8, QUIET)) * 5,
    Pattern.LOCKED_OUT: ((1.5, LOUD),),
}


class Line(Protocol):
    """`gpiozero.OutputDevice`, as far as a player needs it."""

    value: float

    def close(self) -> None: ...


class Player:
    """Plays steps on lines, in a thread of its own; a new pattern replaces the one that plays."""

    def __init__(self, lines: Sequence[Line | None], name: str) -> None:
        self._lines = lines
        self._changed = threading.Condition()
        self._steps: Iterator[Step] = iter(())
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def play(self, steps: Sequence[Step], then: Sequence[Step] = ()) -> None:
        """Play ``steps`` once, then ``then`` again and again; dark and quiet if that is empty."""
        with self._changed:
            self._steps = chain(steps, cycle(then))
            self._changed.notify()

    def close(self) -> None:
        """Fall dark and quiet, then give the lines back."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()
        for line in self._lines:
            if line is not None:
                line.close()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                seconds, on = next(self._steps, (None, ()))
                self._show(on)
                self._changed.wait(seconds)
            self._show(())

    def _show(self, on: Sequence[bool]) -> None:
        try:
            for number, line in enumerate(self._lines):
                if line is not None:
                    line.value = float(number < len(on) and on[number])
        except Exception:  # a lamp that fails must not take the door with it
            _log.exception("%s: does not light up; check the wiring", self._thread.name)
