"""Badge readers: what turns cards in a field into sightings, one for each time a card comes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Protocol, TypeAlias

from kokubus.credential import UID, Credential
from kokubus.errors import ReaderError
from kokubus_edge.health import Health
from kokubus_edge.iso14443 import TypeA
from kokubus_edge.mfrc522 import Mfrc522, ReaderDownError, RegisterBus

TECH = UID
GONE_MS = 200
POLL_MS = 60
RECOVER_MS = 500
MAX_CARDS = 8


@dataclass(frozen=True, slots=True)
class Code:
    """Eight digits typed at a keypad: a one-time code."""

    digits: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Misread:
    """A badge or key arrived damaged: whoever holds it may try again."""

    why: str


Sighting: TypeAlias = Credential | Code | Misread
ReaderHappening: TypeAlias = Sighting | Health
"""A `Health` says that the reader began to work or stopped."""


class BadgeReader(Protocol):
    """Anything that sees badges, or to which PINs and codes are typed."""

    def poll(self, now_ms: int) -> Sequence[Sighting]:
        """What came since the last poll, at monotonic `now_ms`.

        Raises `ReaderError` while the reader does not work; poll on, it may recover.
        """

    def health(self) -> Health:
        """How it is right now; only for the thread that polls."""

    def close(self) -> None:
        """Give the hardware back."""


class Presence:
    """Which cards lie on the reader.

    A card has left once it was looked for in vain over `gone_ms`; missing it for shorter, as at
    the rim of the field, does not make it a new one, nor does a pause between polls.
    """

    def __init__(self, gone_ms: int = GONE_MS) -> None:
        self._gone_ms = gone_ms
        self._missed_since: dict[bytes, int | None] = {}

    def cards(self, now_ms: int) -> list[bytes]:
        """UIDs of the cards that may still be there."""
        self._missed_since = {
            uid: since
            for uid, since in self._missed_since.items()
            if since is None or now_ms - since < self._gone_ms
        }
        return list(self._missed_since)

    def observe(self, seen: Iterable[bytes], now_ms: int) -> list[bytes]:
        """Note what one poll saw; the UIDs that have newly come."""
        known = self.cards(now_ms)
        here = dict.fromkeys(seen)
        for uid in known:
            if uid not in here and self._missed_since[uid] is None:
                self._missed_since[uid] = now_ms
        self._missed_since.update(here)
        return [uid for uid in here if uid not in known]


class Mfrc522Reader:
    """An MFRC522 on SPI; opens it anew after each failure.

    `open_bus` is tried at every poll until it succeeds, e.g. `MfrcPackageBus.open`.
    """

    def __init__(
        self,
        open_bus: Callable[[], RegisterBus],
        *,
        sleep: Callable[[float], None] = time.sleep,
        gone_ms: int = GONE_MS,
    ) -> None:
        self._open_bus = open_bus
        self._sleep = sleep
        self._presence = Presence(gone_ms)
        self._bus: RegisterBus | None = None
        self._chip: Mfrc522 | None = None

    def poll(self, now_ms: int) -> list[Credential]:
        """See `BadgeReader.poll`."""
        try:
            air = TypeA(self._ready())
            arrived = self._presence.observe(self._look(air, now_ms), now_ms)
        except ReaderDownError:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise ReaderDownError(
                f"the SPI bus of the badge reader fails ({error}): check /dev/spidev and its cable"
            ) from error
        return [Credential(TECH, uid.hex().upper()) for uid in arrived]

    def health(self) -> Health:
        """Asks the chip for its version, and sets it up if it lost its power."""
        try:
            self._ready()
        except (ReaderError, OSError) as error:
            self.close()
            return Health(ok=False, problem=str(error))
        return Health(ok=True)

    def close(self) -> None:
        """Give the SPI bus back; the next poll opens it again."""
        bus, self._bus, self._chip = self._bus, None, None
        if bus is not None:
            with contextlib.suppress(OSError):
                bus.close()

    def _ready(self) -> Mfrc522:
        if self._chip is not None:
            self._chip.check()
            return self._chip
        self._bus = self._open_bus()
        chip = Mfrc522(self._bus, sleep=self._sleep)
        chip.start()
        self._chip = chip
        return chip

    def _look(self, air: TypeA, now_ms: int) -> list[bytes]:
        """UIDs in the field now: those just come, and those known that are still there."""
        come = _newcomers(air)
        known = self._presence.cards(now_ms)
        return come + [uid for uid in known if uid not in come and air.is_present(uid)]


def _newcomers(air: TypeA) -> list[bytes]:
    """Every card that is not halted; each is halted once read, so that the next one is heard."""
    come: list[bytes] = []
    for _ in range(MAX_CARDS):
        card = air.activate()
        if card is None:
            break
        air.halt()
        come.append(card.uid)
        if card.alone:
            break
    return come


class ScriptedReader:
    """A reader fed from code: for tests, and for doors without hardware."""

    def __init__(self) -> None:
        self._taps: SimpleQueue[Credential] = SimpleQueue()
        self._failure: str | None = None

    def tap(self, uid: str, *, tech: str = TECH, assurance: int = 0) -> None:
        """Hold a badge to the reader for a moment; from any thread."""
        self._taps.put(Credential(tech, uid.upper(), assurance))

    def fail(self, detail: str = "unplugged by the script") -> None:
        """From now on the reader does not work; taps wait."""
        self._failure = detail

    def recover(self) -> None:
        """The reader works again."""
        self._failure = None

    def poll(self, now_ms: int) -> list[Credential]:  # noqa: ARG002 - a script needs no time
        """See `BadgeReader.poll`."""
        if self._failure is not None:
            raise ReaderDownError(self._failure)
        taps = []
        with contextlib.suppress(Empty):
            while True:
                taps.append(self._taps.get_nowait())
        return taps

    def health(self) -> Health:
        """What the script says."""
        return Health(self._failure is None, self._failure or "")

    def close(self) -> None:
        """Nothing to give back."""


def monotonic_ms() -> int:
    """Milliseconds of the monotonic clock."""
    return time.monotonic_ns() // 1_000_000


class ReaderThread:
    """Polls a reader every ``poll_ms`` and puts each happening into `put`.

    A reader that stops or starts working is one `Health` each, the first poll's included;
    while it does not work it is tried every 500 ms.
    """

    def __init__(
        self,
        reader: BadgeReader,
        put: Callable[[ReaderHappening], None],
        *,
        clock: Callable[[], int] = monotonic_ms,
        name: str = "reader",
        poll_ms: int = POLL_MS,
    ) -> None:
        self._reader = reader
        self._put = put
        self._clock = clock
        self._poll_ms = poll_ms
        self._stopping = Event()
        self._health: Health | None = None
        self._polled = clock()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    @property
    def standing_ms(self) -> int:
        """Since a poll last ended: a bus may hang for good, which no reader's answer shows."""
        return self._clock() - self._polled

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()

    def stop(self) -> None:
        """End polling, wait for the thread and close the reader."""
        self._stopping.set()
        self._thread.join()

    @property
    def health(self) -> Health:
        """How the reader was when it was last polled; from any thread."""
        return self._health or Health(ok=False, problem="the reader was not looked at yet")

    def step(self) -> None:
        """One poll, as the thread does it."""
        try:
            sightings = self._reader.poll(self._clock())
        except ReaderError as error:
            self._report(Health(ok=False, problem=str(error)))
        except Exception as error:  # a fault of ours must show as a dead reader, not as silence
            fault = type(error).__name__  # its text might quote a UID
            self._report(Health(ok=False, problem=f"fault in the reader's program: {fault}"))
        else:
            self._report(Health(ok=True))
            for sighting in sightings:
                self._put(sighting)

    def _run(self) -> None:
        with contextlib.closing(self._reader):
            while not self._stopping.is_set():
                self.step()
                self._polled = self._clock()
                healthy = self._health is not None and self._health.ok
                self._stopping.wait((self._poll_ms if healthy else RECOVER_MS) / 1000)

    def _report(self, health: Health) -> None:
        if self._health is None or health.ok != self._health.ok:
            self._put(health)
        self._health = health
