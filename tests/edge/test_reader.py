from collections.abc import Iterator
from random import Random

import pytest

from kokubus.credential import Credential
from kokubus.enrolment import NotEnrollableError, enrollable
from kokubus_edge.emulator import Card, Field, Mfrc522Chip, Noise, installed
from kokubus_edge.mfrc522 import MfrcPackageBus, ReaderDownError
from kokubus_edge.reader import (
    GONE_MS,
    POLL_MS,
    Mfrc522Reader,
    Presence,
)

BADGE = "04A3C6CAE26180"


class Door:
    """A reader polled by hand at the thread's rate, in virtual time."""

    def __init__(self, chip: Mfrc522Chip) -> None:
        self.chip = chip
        self.now_ms = 0
        self.reader = Mfrc522Reader(MfrcPackageBus.open, sleep=chip.sleep)

    def poll(self) -> list[str]:
        self.now_ms += POLL_MS
        return [credential.uid for credential in self.reader.poll(self.now_ms)]

    def poll_for(self, ms: int) -> list[str]:
        return [uid for _ in range(ms // POLL_MS) for uid in self.poll()]


@pytest.fixture
def door() -> Iterator[Door]:
    chip = Mfrc522Chip()
    with installed(chip):
        yield Door(chip)


@pytest.mark.parametrize("uid", [BADGE, "1E034A5B", "01E34A5B", "04A3C605010203040506"])
def test_a_tap_is_one_sighting_with_the_whole_uid(door: Door, uid: str) -> None:
    assert door.poll() == []
    door.chip.field.put(Card(uid))
    assert door.poll() == [uid]


def test_a_sighting_says_how_it_was_read_and_hides_the_uid(door: Door) -> None:
    door.chip.field.put(Card(BADGE))
    sighting = door.reader.poll(0)[0]
    assert sighting == Credential("mfrc522", BADGE, assurance=0)
    assert BADGE not in repr(sighting)


def test_lost_zeros_make_another_badge(door: Door) -> None:
    door.chip.field.put(Card("01E34A5B"))
    assert door.poll() != ["1E034A5B"]


def test_a_card_held_for_ten_seconds_is_one_sighting(door: Door) -> None:
    door.chip.field.put(Card(BADGE))
    assert door.poll_for(10_000) == [BADGE]


def test_a_card_that_comes_back_is_a_new_sighting(door: Door) -> None:
    card = Card(BADGE)
    for _ in range(3):
        door.chip.field.put(card)
        assert door.poll_for(600) == [BADGE]
        door.chip.field.remove(card)
        assert door.poll_for(GONE_MS + 2 * POLL_MS) == []


def test_a_card_at_the_rim_of_the_field_is_one_sighting(door: Door) -> None:
    card = Card(BADGE)
    seen = []
    for _ in range(20):
        door.chip.field.put(card)
        seen += door.poll()
        door.chip.field.remove(card)
        seen += door.poll()
    assert seen == [BADGE]


def test_two_badges_at_once_are_both_seen_once(door: Door) -> None:
    door.chip.field.put(Card(BADGE))
    door.chip.field.put(Card("04A3C6FFFFFFFF"))
    assert sorted(door.poll()) == [BADGE, "04A3C6FFFFFFFF"]
    assert door.poll_for(3000) == []


def test_a_heap_of_badges_is_seen_at_one_poll_and_then_rests(door: Door) -> None:
    uids = ["11000000", "22000000", "33000000", "04A3C6CAE26180", "04A3C6FFFFFFFF"]
    for uid in uids:
        door.chip.field.put(Card(uid))
    assert sorted(door.poll()) == sorted(uids)
    assert door.poll_for(1000) == []


def test_a_second_badge_beside_a_held_one_is_seen(door: Door) -> None:
    held, second = Card(BADGE), Card("1E034A5B")
    door.chip.field.put(held)
    assert door.poll() == [BADGE]
    door.chip.field.put(second)
    assert door.poll() == ["1E034A5B"]
    door.chip.field.remove(second)
    assert door.poll_for(1000) == []
    door.chip.field.put(second)
    assert door.poll() == ["1E034A5B"]


def test_a_badge_swapped_for_another_between_polls_is_seen(door: Door) -> None:
    first, second = Card(BADGE), Card("1E034A5B")
    door.chip.field.put(first)
    assert door.poll() == [BADGE]
    door.chip.field.remove(first)
    door.chip.field.put(second)
    assert door.poll_for(1000) == ["1E034A5B"]


class _WrongBcc(Card):
    def __init__(self, uid: str) -> None:
        super().__init__(uid)
        self.levels[-1] = self.levels[-1][:4] + bytes((self.levels[-1][4] ^ 0xFF,))


def test_a_card_with_a_wrong_bcc_is_no_sighting_and_no_fault(door: Door) -> None:
    broken = _WrongBcc(BADGE)
    door.chip.field.put(broken)
    assert door.poll_for(600) == []
    door.chip.field.remove(broken)
    door.chip.field.put(Card("1E034A5B"))
    assert door.poll() == ["1E034A5B"]


def _uid(random: Random) -> str:
    uid = bytearray(random.randbytes(random.choice((4, 7, 10))))
    uid[0] = 0x04
    uid[3] &= 0x7F
    return uid.hex().upper()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25))
def test_noise_gives_no_wrong_uid_and_hides_few_taps(seed: int) -> None:
    random = Random(14443 + seed)
    chip = Mfrc522Chip(Field(Noise(0.15, random)))
    taps, read = 100, 0
    with installed(chip):
        door = Door(chip)
        for _ in range(taps):
            uid = _uid(random)
            card = Card(uid)
            chip.field.put(card)
            seen = door.poll() or door.poll() or door.poll()
            assert seen in ([], [uid])
            read += bool(seen)
            chip.field.remove(card)
            assert door.poll_for(GONE_MS + 2 * POLL_MS) == []
    assert chip.field.noise is not None
    assert chip.field.noise.damaged > taps
    assert read >= 0.99 * taps


def test_a_held_card_in_noise_is_one_sighting() -> None:
    chip = Mfrc522Chip(Field(Noise(0.15, Random(3))))
    with installed(chip):
        door = Door(chip)
        chip.field.put(Card(BADGE))
        assert door.poll_for(10_000) == [BADGE]


@pytest.mark.parametrize("floating", [0x00, 0xFF])
def test_an_unplugged_reader_says_so_and_recovers(door: Door, floating: int) -> None:
    door.poll()
    door.chip.unplug(floating)
    door.chip.field.put(Card(BADGE))
    for _ in range(3):
        with pytest.raises(ReaderDownError, match="does not answer"):
            door.poll()
    door.chip.plug_in()
    assert door.poll() == [BADGE]


def test_a_failing_bus_says_so_and_recovers(door: Door) -> None:
    door.poll()
    door.chip.break_bus()
    for _ in range(2):
        with pytest.raises(ReaderDownError):
            door.poll()
    door.chip.plug_in()
    door.chip.field.put(Card(BADGE))
    assert door.poll() == [BADGE]


def test_a_reader_that_lost_its_power_for_a_moment_reads_on(door: Door) -> None:
    door.poll()
    door.chip.brown_out()
    door.chip.field.put(Card(BADGE))
    assert door.poll() == [BADGE]


def test_presence_outlasts_a_pause_between_polls() -> None:
    presence = Presence(gone_ms=200)
    assert presence.observe([b"a"], 0) == [b"a"]
    assert presence.observe([b"a"], 5000) == []
    assert presence.observe([], 5060) == []
    assert presence.observe([b"a"], 5200) == []
    assert presence.observe([], 5300) == []
    assert presence.observe([b"a"], 5500) == [b"a"]


def test_presence_names_each_arrival_once() -> None:
    assert Presence().observe([b"a", b"b", b"a"], 0) == [b"a", b"b"]


@pytest.mark.parametrize("uid", [BADGE, "1E034A5B", "08A3C6CAE26180", "04A3C605010203040506"])
def test_a_real_number_can_be_enrolled(uid: str) -> None:
    enrollable(Credential("mfrc522", uid))


def test_a_random_number_cannot_be_enrolled() -> None:
    with pytest.raises(NotEnrollableError, match="random") as refusal:
        enrollable(Credential("mfrc522", "08A1B2C3"))
    assert "A1B2C3" not in str(refusal.value)


@pytest.mark.parametrize("uid", ["", "04A3C6", "8804A3C6E9", "04a3c6cae26180", "1E034A5G"])
def test_what_is_no_uid_cannot_be_enrolled(uid: str) -> None:
    with pytest.raises(NotEnrollableError, match="no badge number"):
        enrollable(Credential("mfrc522", uid))
