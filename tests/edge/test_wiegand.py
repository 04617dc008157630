"""A Wiegand reader and keypad on two pins: badges, PINs, damage and a pulled plug."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.edge.wiegand_wires import DATA0, Wires, badge, bits, key

from kokubus.credential import NUMBER, PIN, UID, Credential
from kokubus.keypad import MORE_MS
from kokubus_edge.health import Health
from kokubus_edge.mfrc522 import ReaderDownError
from kokubus_edge.reader import Code, Misread
from kokubus_edge.wiegand import FRAME_END_S, FRAME_GAP_S, FrameError, Frames, card_number, key_of

FOUR = bytes.fromhex("1E034A5B")


@pytest.fixture
def wires() -> Iterator[Wires]:
    made = Wires()
    yield made
    made.reader.close()


def test_a_badge_of_34_bits_is_its_whole_uid(wires: Wires) -> None:
    assert wires.send(badge(FOUR)) == [Credential(UID, "1E034A5B")]
    assert wires.wait(1) == []


def test_what_is_cut_or_not_known_to_be_whole_is_no_uid() -> None:
    wires = Wires(whole_uid=False)
    assert wires.send(badge(FOUR)) == [Credential(NUMBER, "1E034A5B")]
    assert wires.send(badge(FOUR[1:])) == [Credential(NUMBER, "034A5B")]
    wires = Wires(whole_uid=True)
    assert wires.send(badge(FOUR[1:])) == [Credential(NUMBER, "034A5B")]
    cascade = bytes.fromhex("8804A3C6")
    assert wires.send(badge(cascade)) == [Credential(NUMBER, "8804A3C6")]


def test_the_order_of_bytes_can_be_set() -> None:
    assert Wires(reverse=True).send(badge(FOUR[::-1])) == [Credential(UID, "1E034A5B")]


@pytest.mark.parametrize("long", [False, True])
def test_keys_of_four_and_of_eight_bits_are_pins_and_codes(wires: Wires, *, long: bool) -> None:
    assert wires.type("12*471108#", long=long) == [Credential(PIN, "471108")]
    assert wires.type("12345678#", long=long) == [Code("12345678")]


def test_a_pin_of_agreed_length_needs_no_hash() -> None:
    wires = Wires(pin_length=6)
    assert wires.type("471108") == []
    assert wires.wait(MORE_MS / 1000) == [Credential(PIN, "471108")]


@given(
    number=st.binary(min_size=3, max_size=4).filter(lambda data: len(data) in {3, 4}),
    place=st.integers(0, 33),
)
def test_one_wrong_bit_is_never_another_badge(number: bytes, place: int) -> None:
    frame = badge(number)
    assert card_number(frame) == number
    frame[place % len(frame)] ^= 1
    with pytest.raises(FrameError):
        card_number(frame)


@given(st.lists(st.integers(0, 1), min_size=1, max_size=60))
def test_any_bits_are_a_frame_or_refused(frame: list[int]) -> None:
    wires = Wires()
    for seen in wires.send(frame):
        assert isinstance(seen, Misread | Credential)
    wires.reader.close()


def test_a_damaged_frame_is_misread_and_the_next_is_read(wires: Wires) -> None:
    frame = badge(FOUR)
    frame[5] ^= 1
    (seen,) = wires.send(frame)
    assert isinstance(seen, Misread)
    assert "1E034A5B" not in repr(seen)
    assert wires.send(badge(FOUR)) == [Credential(UID, "1E034A5B")]


def test_a_key_that_is_none_is_refused() -> None:
    for frame in ([1, 1, 0, 0], bits(0x33, 8), [0, 1, 0]):
        with pytest.raises(FrameError):
            key_of(frame)
    assert key_of(key("#", long=True)) == "#"


def test_bits_are_cut_by_silence_on_the_wire_not_by_a_busy_machine() -> None:
    frames = Frames()
    frames.add(1, ticks=0.0, arrived=0.0)
    frames.add(0, ticks=FRAME_GAP_S, arrived=0.9)  # handed over late
    assert frames.take(0.9 + FRAME_END_S) == []
    frames.add(1, ticks=3 * FRAME_GAP_S, arrived=0.91)  # a second key at once after it
    assert frames.take(2.0) == [(1, 0), (1,)]
    assert frames.take(3.0) == []


def test_a_reader_without_power_is_down_until_it_has_some(wires: Wires) -> None:
    assert wires.reader.health() == Health(ok=True)
    wires.unplug()
    assert wires.wait(0) == []  # a pulse is no pulled plug
    health = wires.reader.health()
    assert not health.ok
    assert "data0 and data1" in health.problem
    with pytest.raises(ReaderDownError, match="check its plug"):
        wires.wait(1)
    wires.plug_in()
    assert wires.wait(1) == []
    assert wires.send(badge(FOUR)) == [Credential(UID, "1E034A5B")]


def test_one_cut_wire_is_noticed_too(wires: Wires) -> None:
    wires.pins.pin(DATA0).wire(high=False, at=wires.now)
    wires.wait(0)
    with pytest.raises(ReaderDownError, match="data0 of"):
        wires.wait(1)


def test_the_pins_are_given_back(wires: Wires) -> None:
    wires.reader.close()
    assert wires.pins.pin(DATA0).when_changed is None
