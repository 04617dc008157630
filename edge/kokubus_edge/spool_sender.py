"""Sends again what has no receipt, and the backlog at the pace of the hub."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kokubus.messages import BadgeTapped
from kokubus.wire import up_topic
from kokubus_edge.spool_flights import Flight, Flights, Letter
from kokubus_edge.spool_orders import Setting
from kokubus_edge.spool_pace import Pace

Source = Callable[[int, int], list[tuple[int, Letter]]]
"""(key, count) -> up to ``count`` facts behind the key, each with its own key (0: none)."""

_REFUSED_MS = 50
_PASS_MS = 5_000
_SILENCE_MS = 10_000
_ANSWER_MS = 400


class Sender:
    """While linked, keeps a window of facts under way, oldest first.

    A cursor runs through the backlog once a connection; whatever it passed and is still there
    (the link refused it, or too much was under way) is found by another pass, 5 s later.
    While somebody who has just tapped waits for the answer, nothing of the backlog is sent.
    """

    def __init__(self, setting: Setting) -> None:
        self._device = setting.device
        self._put = setting.send
        self._mono = setting.clock.mono
        self._sizes = setting.sizes
        self._pace = Pace(self._sizes.least, self._sizes.window)
        self._flights = Flights(self._pace.window)
        self._asked: Letter | None = None
        self._asked_until = 0
        self._linked = False
        self._cursor = 0
        self._hold_until = 0
        self._passed_at = self._filled_at = self._received_at = 0

    def linked(self, up: bool) -> None:
        """What was under way on the connection before is backlog again."""
        self._linked = up
        self._pace = Pace(self._sizes.least, self._sizes.window)
        self._flights.window = self._pace.window
        self.rewind()
        self._flights.clear()

    def rewind(self) -> None:
        """Look at the backlog from its beginning."""
        self._cursor = self._hold_until = 0

    def sent(self, letter: Letter) -> None:
        """The link has just taken this one from the agent."""
        if not self._linked:
            return
        now = self._mono()
        self._flights.add(letter, now)
        if letter.kind == BadgeTapped.kind:
            self._asked, self._asked_until = letter, now + _ANSWER_MS

    def received(self, epoch: str, pairs: Sequence[tuple[int, int]]) -> None:
        """The hub has these; after a silence that means: it is back."""
        now = self._mono()
        if now - self._received_at > _SILENCE_MS:
            self._flights.hasten(now)
        self._received_at = now
        self._pass(self._flights.land(epoch, pairs), now)

    def work(self, source: Source, wanted: Callable[[Letter], bool]) -> None:
        """Send what is due, then from the backlog; ``wanted`` says what still lacks a receipt."""
        if self._linked:
            self._resend()
            self._fill(source, wanted)

    def next_at(self, pending: int) -> int | None:
        """When to work again, ``pending`` facts lacking a receipt; None: when something comes."""
        if not self._linked:
            return None
        due = self._flights.next_due
        if pending <= len(self._flights):
            return due
        held = max(self._hold_until, self._asked_until if self._asked else 0)
        look = held if held > self._filled_at else self._filled_at + _PASS_MS
        return look if due is None else min(look, due)

    def under_way(self) -> list[Letter]:
        """What was sent and has no receipt."""
        return self._flights.letters()

    def _pass(self, landed: Sequence[Flight], now: int) -> None:
        """What a receipt says about the pace, and about whoever waits at the door."""
        waits = [now - flight.since for flight in landed if flight.tries == 1]
        if waits:
            self._pace.landed(len(waits), max(waits), now)
            self._flights.window = self._pace.window
        if self._asked and self._asked.key not in self._flights:
            self._asked = None

    def _resend(self) -> None:
        now = self._mono()
        for flight in self._flights.due(now):
            if self._send(flight.letter):
                self._flights.again(flight, now)
            else:
                self._flights.postpone(flight, now + _REFUSED_MS)

    def _fill(self, source: Source, wanted: Callable[[Letter], bool]) -> None:
        now = self._filled_at = self._mono()
        if self._asked and now < self._asked_until:
            return
        self._asked = None
        while now >= self._hold_until and (room := self._flights.room) > 0:
            letters = self._backlog(source, room)
            if not letters:
                return
            for key, letter in letters:
                if letter.key not in self._flights and wanted(letter):
                    if not self._send(letter):
                        self._hold_until = now + _REFUSED_MS
                        return
                    self._flights.add(letter, now)
                self._cursor = max(self._cursor, key)

    def _backlog(self, source: Source, room: int) -> list[tuple[int, Letter]]:
        found = source(self._cursor, room)
        if any(key > self._cursor or letter.key not in self._flights for key, letter in found):
            return found
        if not self._cursor or self._filled_at - self._passed_at <= _PASS_MS:
            return []
        self._cursor, self._passed_at = 0, self._filled_at
        return source(0, room)

    def _send(self, letter: Letter) -> bool:
        return self._put(up_topic(self._device, letter.kind), letter.payload)
