"""What the two-colour LED and the buzzer of a door say, and the thread that says it.

Each meaning has a rhythm of its own, in light as in sound, for people who do not tell red from
green and for doors with only one of both. docs/lights-and-sounds.md is made from this.
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
RESTING = frozenset(
    {Pattern.IDLE, Pattern.HELD, Pattern.FREE, Pattern.LOCKDOWN, Pattern.OUT_OF_ORDER}
)
"""Patterns that stay, and to which a door returns after any other."""

LIGHTS: Mapping[Pattern, tuple[Step, ...]] = {
    Pattern.IDLE: ((0.1, GREEN), (3.9, DARK)),
    Pattern.WAITING: ((5.0, AMBER),),
    Pattern.GRANTED: ((60.0, GREEN),),
    Pattern.DENIED: ((0.7, RED), (0.3, DARK)) * 2,
    Pattern.TRY_AGAIN: ((0.15, AMBER), (0.15, DARK)) * 3,
    Pattern.LOCKED_OUT: ((2.0, RED),),
    Pattern.HELD: ((0.25, RED), (0.25, DARK)),
    Pattern.FREE: ((0.5, GREEN), (0.5, DARK)),
    Pattern.LOCKDOWN: ((0.1, RED), (0.9, DARK)),
    Pattern.OUT_OF_ORDER: ((0.1, RED), (0.2, DARK), (0.1, RED), (2.6, DARK)),
}
SOUNDS: Mapping[Pattern, tuple[Step, ...]] = {
    Pattern.GRANTED: ((0.1, LOUD),),
    Pattern.DENIED: ((0.7, LOUD), (0.3, QUIET), (0.7, LOUD)),
    Pattern.TRY_AGAIN: ((0.15, LOUD), (0.15, QUIET)) * 3,
    Pattern.LOCKED_OUT: ((2.0, LOUD),),
    Pattern.HELD: ((0.25, LOUD), (0.75, QUIET)) * 5,
}
MEANINGS: Mapping[Pattern, str] = {
    Pattern.IDLE: "the reader waits for a badge",
    Pattern.WAITING: "the badge was read, the answer is on its way",
    Pattern.GRANTED: "come in: the door is unlocked for as long as the light shows",
    Pattern.DENIED: "no: the badge or PIN does not open this door now",
    Pattern.TRY_AGAIN: "not read, or nobody could decide: try once more",
    Pattern.LOCKED_OUT: "too many wrong numbers: the keypad listens again later, badges work",
    Pattern.HELD: "the door stands open too long: please close it",
    Pattern.FREE: "open to everybody for now",
    Pattern.LOCKDOWN: "locked down: only those who are called for come in",
    Pattern.OUT_OF_ORDER: "the reader does not work: please call the help number",
}
_COLOURS: Mapping[tuple[bool, ...], str] = {RED: "red", GREEN: "green", AMBER: "amber"}


def page() -> str:
    """docs/lights-and-sounds.md: what each pattern means, looks and sounds like."""
    lines = [_PREFACE, "| it means | light | sound |", "|---|---|---|"]
    for pattern, meaning in MEANINGS.items():
        lines.append(f"| {meaning} | {_shown(pattern)} | {_heard(pattern)} |")
    return "\n".join(lines) + "\n"


_PREFACE = """# What light and buzzer of a door say

Made from `kokubus_edge/signals.py`; a test keeps it so. Every meaning has its own rhythm, so
that it is understood in the dark, by ear, and without telling red from green. Durations are in
seconds.
"""


def _shown(pattern: Pattern) -> str:
    steps = LIGHTS[pattern]
    colour = next(_COLOURS[on] for _, on in steps if any(on))
    if len(steps) == 1:
        return f"{colour}, steady" + ("" if pattern is Pattern.GRANTED else f" for {steps[0][0]:g}")
    how = " until it ends" if pattern in RESTING else ""
    return f"{colour}, {_rhythm(steps, 'on', 'off')}{how}"


def _heard(pattern: Pattern) -> str:
    return _rhythm(SOUNDS[pattern], "beep", "pause") if pattern in SOUNDS else "silent"


def _rhythm(steps: Sequence[Step], on: str, off: str) -> str:
    """A rhythm in words, a repeated one said once."""
    for length in range(1, len(steps) + 1):
        times, rest = divmod(len(steps), length)
        if not rest and tuple(steps[:length]) * times == tuple(steps):
            break
    said = ", ".join(f"{seconds:g} {on if any(lit) else off}" for seconds, lit in steps[:length])
    return said if times == 1 else f"{times} times {said}"


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
