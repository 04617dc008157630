"""A day in the life of the members: they come, work, step out for a moment, go home, come again.

Only they are sped up, by ``speed``; doors, bookings and clocks take their own time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from time import monotonic

from kokubus_cli.demo.cast import Person
from kokubus_cli.demo.village import Village
from kokubus_edge.simulate.asking import ControlError

log = logging.getLogger(__name__)
FIRST_WAVE_S = 120.0
"""Within this time everybody has come for the first time, in real seconds at most."""
MORNING_S = 20 * 60.0
"""The same in the members' own time."""
DOORWAY_S = 2.0


@dataclass(frozen=True, slots=True)
class Habit:
    """Mean seconds of a member's own time."""

    stay: float = 150 * 60
    work: float = 14 * 60
    pause: float = 5 * 60
    away: float = 30 * 60
    retry: float = 25 * 60
    """Who was not let in tries again after this."""


class Member(threading.Thread):
    """One member's life, as a thread that mostly sleeps."""

    def __init__(
        self, person: Person, village: Village, speed: float, first: float, ending: threading.Event
    ) -> None:
        super().__init__(name=person.badge, daemon=True)
        self._person = person
        self._village = village
        self._speed = speed
        self._first = first
        self._ending = ending
        self._random = Random(person.tree)  # noqa: S311 - habits, no secrets
        self._habit = Habit()

    def run(self) -> None:
        """Live until the demo ends."""
        self._ending.wait(self._first)
        while not self._ending.is_set():
            try:
                self._visit()
            except ControlError as error:
                if not self._ending.is_set():
                    log.warning("%s: %s", self.name, error)
                self._pass(self._habit.pause)

    def _visit(self) -> None:
        if not self._enter():
            self._pass(self._habit.retry)
            return
        left = self._random.expovariate(1 / self._habit.stay)
        while left > 0 and not self._ending.is_set():
            left -= self._pass(self._habit.work)
            if left > 0:
                self._step_out()
        self._leave("goes home, out")
        self._pass(self._habit.away)

    def _step_out(self) -> None:
        """For a call, or for air; the door is nobody's to hold open, so they tap again."""
        self._leave("steps out")
        self._pass(self._habit.pause)
        while not self._ending.is_set():
            if self._enter():
                return
            self._pass(self._habit.retry)

    def _enter(self) -> bool:
        entered = self._village.enter(self._person.uid, self._person.room)
        log.info("%s %s %s", self.name, "is in" if entered else "is not let in", self._person.room)
        return entered

    def _leave(self, how: str) -> None:
        log.info("%s %s of %s", self.name, how, self._person.room)
        self._village.leave(self._person.room)

    def _pass(self, mean: float) -> float:
        """Let about ``mean`` seconds of one's own time go by; how many they were."""
        seconds = mean * self._random.uniform(0.4, 1.6)
        self._ending.wait(seconds / self._speed)
        return seconds


class People:
    """Everybody. The first comes at once, so that there is something to see."""

    def __init__(self, cast: Iterable[Person], village: Village, speed: float) -> None:
        self._ending = threading.Event()
        everybody = tuple(cast)
        wave = min(FIRST_WAVE_S, MORNING_S / speed)
        order = Random("arrivals").sample(range(len(everybody)), len(everybody))  # noqa: S311 - no secrets
        self._members = [
            Member(person, village, speed, wave * order[i] / len(everybody), self._ending)
            for i, person in enumerate(everybody)
        ]

    def start(self) -> None:
        """Begin to live."""
        for member in self._members:
            member.start()

    def stop(self) -> None:
        """Stay where you are, all of you; whoever is in a doorway has a moment to leave it."""
        self._ending.set()
        until = monotonic() + DOORWAY_S
        for member in self._members:
            member.join(max(0.0, until - monotonic()))
