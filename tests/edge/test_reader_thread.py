from queue import SimpleQueue
from threading import Event

import pytest

from kokubus.credential import Credential
from kokubus.site import Hid, Mfrc522
from kokubus_edge.emulator import Card, Mfrc522Chip, installed
from kokubus_edge.health import Health
from kokubus_edge.mfrc522 import MfrcPackageBus, ReaderDownError
from kokubus_edge.reader import (
    POLL_MS,
    BadgeReader,
    Mfrc522Reader,
    ReaderHappening,
    ReaderThread,
    ScriptedReader,
)
from kokubus_edge.readers import poll_ms

BADGE = "04A3C6CAE26180"


def test_the_scripted_reader_taps_fails_and_recovers() -> None:
    reader = ScriptedReader()
    reader.tap("1e034a5b")
    reader.fail("cable cut")
    with pytest.raises(ReaderDownError, match="cable cut"):
        reader.poll(0)
    reader.recover()
    assert [credential.uid for credential in reader.poll(0)] == ["1E034A5B"]
    assert reader.poll(0) == []
    reader.close()


class Faulty(ScriptedReader):
    """A reader with a fault of its own."""

    def poll(self, now_ms: int) -> list[Credential]:
        raise ZeroDivisionError(now_ms)


WORKS = Health(ok=True)


def happenings(reader: BadgeReader) -> tuple[ReaderThread, list[ReaderHappening]]:
    inbox: list[ReaderHappening] = []
    return ReaderThread(reader, inbox.append, clock=lambda: 0), inbox


def test_health_is_reported_when_it_changes() -> None:
    reader = ScriptedReader()
    thread, inbox = happenings(reader)
    thread.step()
    thread.step()
    reader.fail("cable cut")
    thread.step()
    thread.step()
    reader.recover()
    thread.step()
    assert inbox == [WORKS, Health(ok=False, problem="cable cut"), WORKS]


class Once(Event):
    """Lets a thread run one turn, and keeps how long it would have waited."""

    waited: float | None = None

    def wait(self, timeout: float | None = None) -> bool:
        self.waited = timeout
        self.set()
        return True


def test_a_reader_is_asked_as_often_as_it_needs() -> None:
    """A keyboard's events are lost beyond 64: three a key stroke, one a millisecond at most."""
    typing = Hid(kind="hid", path="/dev/input/by-id/usb-reader")
    assert 3 * poll_ms(typing) < 64
    assert poll_ms(Mfrc522(kind="mfrc522")) == POLL_MS
    thread = ReaderThread(ScriptedReader(), [].append, poll_ms=15)
    thread._stopping = pause = Once()
    thread._run()
    assert pause.waited == 0.015


def test_a_fault_of_the_reader_is_not_silence() -> None:
    thread, inbox = happenings(Faulty())
    thread.step()
    thread.step()
    assert inbox == [Health(ok=False, problem="fault in the reader's program: ZeroDivisionError")]


def test_the_thread_puts_sightings_and_ends_when_told() -> None:
    chip = Mfrc522Chip()
    inbox: SimpleQueue[ReaderHappening] = SimpleQueue()
    with installed(chip):
        thread = ReaderThread(Mfrc522Reader(MfrcPackageBus.open), inbox.put)
        thread.start()
        try:
            assert inbox.get(timeout=30) == WORKS
            chip.field.put(Card(BADGE))
            assert inbox.get(timeout=30) == Credential("mfrc522", BADGE)
            chip.unplug()
            health = inbox.get(timeout=30)
            assert isinstance(health, Health)
            assert not health.ok
            chip.plug_in()
            assert inbox.get(timeout=30) == WORKS
        finally:
            thread.stop()
