"""Every fact exactly once: numbered, kept on disk, sent again until the hub's receipt."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread

import structlog

from kokubus.ids import uuid7
from kokubus.messages import Dropped, Fact, Instant, Stamp
from kokubus.wire import UPLINK_LIMIT, encode_up
from kokubus_edge.clock import Timepiece
from kokubus_edge.spool_flights import Letter
from kokubus_edge.spool_numbers import Numbers
from kokubus_edge.spool_orders import (
    Executing,
    Kept,
    Linked,
    Order,
    Received,
    Send,
    Setting,
    Sizes,
    Tell,
    Thrown,
)
from kokubus_edge.spool_thinning import spare
from kokubus_edge.spool_worker import Worker
from kokubus_edge.trouble import Trouble

log = structlog.get_logger(__name__)

_OPENING_S = 2.0
_STALLED_MS = 2_000
_FOR_EVER_MS = 2**52
_ORDERS_A_COMMIT = 1_000
_BREATH_S = 0.2


class Spool:
    """The record of a device: one thread owns the file, nothing here waits for it.

    ``send(topic, payload)`` is called from that thread to send something again; False refuses.
    ``tell`` gets `CommandKept` and `Trouble` from any thread.

    A fact is recorded in four steps, the quick ones first::

        stamp = spool.stamp()
        payload = wire.encode_up(fact, stamp)
        sent = link.send(wire.up_topic(device, fact.kind), payload)
        spool.keep(fact, stamp, payload, sent=sent)
    """

    def __init__(
        self,
        path: Path,
        *,
        device: str,
        clock: Timepiece,
        send: Send,
        tell: Tell,
        sizes: Sizes | None = None,
    ) -> None:
        sizes = sizes or Sizes()
        self._clock = clock
        self._tell = tell
        self._memory = sizes.memory
        self._stalled = False
        self._numbers = Numbers()
        self._thrown = Thrown()
        setting = Setting(
            path=path,
            device=device,
            clock=clock,
            send=send,
            tell=tell,
            declare=self._declare,
            sizes=sizes,
        )
        self._worker = Worker(setting, self._numbers, self._thrown)
        self._orders: SimpleQueue[Order | None] = SimpleQueue()
        self._opened = Event()
        self._thread = Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()
        self._opened.wait(_OPENING_S)

    def stamp(self) -> Stamp:
        """The next fact's place in the record; each stamp must be kept."""
        return self._stamped(*self._numbers.take())

    def keep(self, fact: Fact, stamp: Stamp, payload: bytes, *, sent: bool) -> None:
        """Spool the encoded fact; ``sent`` says whether the link has just taken it.

        Never waits. Where the disk has taken nothing for long and memory is full, readings and
        then everything is thrown away, and declared once the disk is back. So is, at once, what
        is larger than the hub takes (`wire.UPLINK_LIMIT`): it would never be receipted.
        """
        letter = Letter(stamp.epoch, stamp.seq, fact.kind, payload)
        if len(payload) > UPLINK_LIMIT:
            self._refuse(letter)
            return
        waiting = self._orders.qsize() + self._worker.in_memory
        if waiting >= self._memory or (waiting >= self._memory // 2 and spare(fact.kind)):
            self._thrown.add(letter)
        else:
            self._orders.put(Kept(letter, sent))
        self.watch()

    def receipt(
        self, epoch: str, ranges: Sequence[tuple[int, int]], rejected: Sequence[int] = ()
    ) -> None:
        """The hub has exactly these for good; ``rejected`` ones it will never take."""
        if rejected:
            log.warning("facts_rejected", epoch=epoch, numbers=list(rejected[:20]))
        self._orders.put(Received(epoch, [*ranges, *((seq, seq) for seq in rejected)]))

    def linked(self, *, up: bool) -> None:
        """The link came up (the backlog starts at once) or went down."""
        self._orders.put(Linked(up))

    def keep_command(self, command: str, expires_at: Instant) -> None:
        """Remember a command on disk; then, and only then, `CommandKept` is told.

        While the disk refuses, nothing is told: judge the command's expiry at `CommandKept`.
        """
        self._orders.put(Executing(command, expires_at))

    def watch(self) -> None:
        """Report a card that blocks one write for 2 s, and its end; call it now and then."""
        stalled = self.stalled_ms > _STALLED_MS
        if stalled != self._stalled:
            self._stalled = stalled
            self._tell(Trouble("disk_stalled", stalled, "the card blocks writes" * stalled))

    @property
    def stalled_ms(self) -> int:
        """How long the write now under way has been waiting for the disk."""
        since = self._worker.writing_since
        return 0 if since is None else self._clock.mono() - since

    @property
    def standing_ms(self) -> int:
        """How long its thread has not come further; for ever if it has ended."""
        return self.stalled_ms if self._thread.is_alive() else _FOR_EVER_MS

    @property
    def pending(self) -> int:
        """Facts the hub has not receipted."""
        return self._worker.pending + self._orders.qsize()

    def close(self, timeout_s: float = 5.0) -> bool:
        """Write what is left and close the file; False if the disk did not let it in time."""
        self._orders.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _refuse(self, letter: Letter) -> None:
        size, told = len(letter.payload), "the hub takes no fact so large: it is dropped"
        log.error("fact_too_large", kind=letter.kind, seq=letter.seq, bytes=size, why=told)
        self._thrown.add(letter)
        self._orders.put(Received(letter.epoch, ()))  # the thread wakes up and declares it

    def _stamped(self, epoch: str, seq: int) -> Stamp:
        clock = self._clock
        return Stamp(
            epoch=epoch, seq=seq, boot=clock.boot, uptime_ms=clock.mono(), clock=clock.trust()
        )

    def _declare(
        self, epoch: str, seq: int, ranges: Sequence[tuple[int, int]], lost: str
    ) -> Letter:
        at = self._clock.now()
        fact = Dropped(id=uuid7(at, os.urandom(10)), at=at, ranges=tuple(ranges), lost=lost)
        return Letter(epoch, seq, fact.kind, encode_up(fact, self._stamped(epoch, seq)))

    def _run(self) -> None:
        self._cycle([])
        self._opened.set()
        while True:
            orders = self._collect()
            self._cycle([order for order in orders if order is not None])
            if None in orders:
                self._worker.close()
                return

    def _cycle(self, orders: list[Order]) -> None:
        try:
            self._worker.cycle(orders)
        except Exception:
            log.exception("spool_cycle_failed")
            time.sleep(_BREATH_S)

    def _collect(self) -> list[Order | None]:
        """Whatever has come in: one commit serves all of it."""
        orders: list[Order | None] = []
        with suppress(Empty):
            orders.append(self._orders.get(timeout=self._worker.wait_s()))
            while len(orders) < _ORDERS_A_COMMIT:
                orders.append(self._orders.get_nowait())
        return orders
