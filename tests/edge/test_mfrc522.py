import sys
from collections.abc import Iterator

import pytest

from kokubus_edge.emulator import Bits, Card, Field, Mfrc522Chip, Noise, Pins, installed
from kokubus_edge.iso14443 import FrameError, Reply, TypeA
from kokubus_edge.mfrc522 import (
    MAX_POLLS,
    Mfrc522,
    MfrcPackageBus,
    ReaderDownError,
    Register,
)


@pytest.fixture
def chip() -> Mfrc522Chip:
    return Mfrc522Chip()


@pytest.fixture
def pins(chip: Mfrc522Chip) -> Iterator[Pins]:
    with installed(chip) as pins:
        yield pins


@pytest.fixture
def bus(pins: Pins) -> MfrcPackageBus:
    return MfrcPackageBus.open()


@pytest.fixture
def reader(chip: Mfrc522Chip, bus: MfrcPackageBus) -> Mfrc522:
    reader = Mfrc522(bus, sleep=chip.sleep)
    reader.start()
    return reader


class EverWrong(Noise):
    """Flips one bit of every answer: parity notices."""

    def __init__(self) -> None:
        self.frames = 0

    def through(self, frame: Bits) -> Bits:
        self.frames += 1
        answer = self.frames % 2 == 0
        return Bits(frame.value ^ 1, frame.count, parity_ok=False) if answer else frame


def test_only_the_reset_pin_is_taken_and_nothing_is_cleaned_up(
    bus: MfrcPackageBus, pins: Pins
) -> None:
    bus.close()
    assert pins.calls == [("setup", (25, 0)), ("output", (25, 1))]
    assert pins.mode == 11


def test_a_pin_in_use_is_refused_before_it_moves(pins: Pins) -> None:
    with pytest.raises(ReaderDownError, match="reset_pin 17"):
        MfrcPackageBus.open(reset_pin=17, taken_pins={17, 27})
    assert pins.calls == []


def test_pins_counted_otherwise_are_left_alone(pins: Pins) -> None:
    pins.setmode(pins.BOARD)
    with pytest.raises(ReaderDownError, match="different mode"):
        MfrcPackageBus.open()
    assert pins.calls == []


def test_a_missing_spi_device_says_what_to_do(pins: Pins) -> None:
    with pytest.raises(ReaderDownError, match=r"SPI 0\.7 .*raspi-config"):
        MfrcPackageBus.open(7)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mfrc522", None)
    with pytest.raises(ReaderDownError, match=r"kokubus\[edge,pi\]"):
        MfrcPackageBus.open()


def test_registers_are_read_in_one_transfer(bus: MfrcPackageBus, chip: Mfrc522Chip) -> None:
    bus.write_fifo(b"\x01\x02\x03")
    before = chip.transfers
    values = bus.read_many([Register.VERSION, Register.FIFO_LEVEL, *[Register.FIFO_DATA] * 3])
    assert values == [0x92, 3, 1, 2, 3]
    assert chip.transfers == before + 1


def test_silence_ends_with_the_chips_timer(reader: Mfrc522, chip: Mfrc522Chip) -> None:
    before, began = chip.transfers, chip.now_us
    assert reader.exchange(b"\x26", last_bits=7) is None
    assert chip.now_us - began > 1000
    assert chip.transfers - before < 20


def test_an_answer_comes_whole(reader: Mfrc522, chip: Mfrc522Chip) -> None:
    chip.field.put(Card("1E034A5B"))
    assert reader.exchange(b"\x26", last_bits=7) == Reply(b"\x04\x00")


@pytest.mark.parametrize("floating", [0x00, 0xFF])
def test_an_unplugged_chip_is_named(reader: Mfrc522, chip: Mfrc522Chip, floating: int) -> None:
    chip.unplug(floating)
    with pytest.raises(ReaderDownError, match=f"VersionReg 0x{floating:02X}"):
        reader.check()
    with pytest.raises(ReaderDownError, match="VersionReg"):
        reader.start()


def test_a_chip_that_lost_its_settings_gets_them_again(reader: Mfrc522, chip: Mfrc522Chip) -> None:
    chip.field.put(Card("1E034A5B"))
    chip.brown_out()
    reader.check()
    assert TypeA(reader).activate() is not None


def test_a_chip_whose_timer_stands_still_is_down(
    reader: Mfrc522, bus: MfrcPackageBus, chip: Mfrc522Chip
) -> None:
    bus.write(Register.T_MODE, 0)
    before = chip.transfers
    with pytest.raises(ReaderDownError, match="hangs"):
        reader.exchange(b"\x26", last_bits=7)
    assert chip.transfers - before < MAX_POLLS + 10


def test_a_chip_that_never_wakes_is_down(chip: Mfrc522Chip, bus: MfrcPackageBus) -> None:
    with pytest.raises(ReaderDownError, match="wake"):
        Mfrc522(_Asleep(bus), sleep=chip.sleep).start()


class _Asleep(MfrcPackageBus):
    def __init__(self, awake: MfrcPackageBus) -> None:
        super().__init__(awake._driver)

    def read(self, register: int) -> int:
        return super().read(register) | (0x10 if register == Register.COMMAND else 0)


def test_a_parity_error_is_damage(chip: Mfrc522Chip, reader: Mfrc522) -> None:
    chip.field.put(Card("1E034A5B"))
    chip.field.noise = EverWrong()
    with pytest.raises(FrameError, match="parity"):
        reader.exchange(b"\x26", last_bits=7)


class _Talker(Card):
    def on_active(self, data: bytes) -> bytes:
        return bytes(data[0])


def test_an_answer_may_fill_the_fifo_and_no_more(chip: Mfrc522Chip, reader: Mfrc522) -> None:
    chip.field.put(_Talker("1E034A5B"))
    air = TypeA(reader)
    assert air.activate() is not None
    assert air.transceive(b"\x3e") == bytes(62)
    with pytest.raises(FrameError, match="64 bytes"):
        air.transceive(b"\x3f")


def test_two_readers_hear_only_their_own_field() -> None:
    inside, outside = Mfrc522Chip(), Mfrc522Chip(Field())
    outside.field.put(Card("1E034A5B"))
    with installed(inside, outside):
        for device, chip in enumerate((inside, outside)):
            reader = Mfrc522(MfrcPackageBus.open(device), sleep=chip.sleep)
            reader.start()
            assert (TypeA(reader).activate() is not None) == (chip is outside)
