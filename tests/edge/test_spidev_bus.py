"""The chip through spidev and gpiozero, as on a Raspberry Pi 5."""

from __future__ import annotations

import sys

import pytest
from gpiozero.pins.mock import MockFactory
from tests.core.small_site import SMALL

from kokubus.site import Mfrc522, read_site
from kokubus_edge.emulator import Card, Mfrc522Chip, installed
from kokubus_edge.health import Health
from kokubus_edge.mfrc522 import ReaderDownError
from kokubus_edge.reader import Mfrc522Reader
from kokubus_edge.readers import make_reader
from kokubus_edge.spidev_bus import SpidevBus

BADGE = "04A3C6CAE26180"


def reader_of(driver: str, pins: MockFactory) -> Mfrc522Reader:
    text = SMALL.replace('"mfrc522"', f'"mfrc522"\ndriver = "{driver}"')
    (door,) = read_site(text, "dorf.toml").doors
    (told,) = door.reader
    assert isinstance(told, Mfrc522)
    made = make_reader(told, door, pins)
    assert isinstance(made, Mfrc522Reader)
    return made


@pytest.mark.parametrize("driver", ["spidev", "package"])
def test_both_drivers_read_the_same_badge(driver: str) -> None:
    chip, pins = Mfrc522Chip(), MockFactory()
    with installed(chip) as rpi:
        reader = reader_of(driver, pins)
        chip.field.put(Card(BADGE))
        assert [seen.uid for seen in reader.poll(0)] == [BADGE]
        assert reader.health() == Health(ok=True)
        assert bool(rpi.calls) == (driver == "package")
        reader.close()


def test_the_reset_line_is_gpiozeros_and_given_back() -> None:
    pins = MockFactory()
    with installed(Mfrc522Chip()):
        reader = reader_of("spidev", pins)
        reader.poll(0)
        assert (pins.pin(25).function, pins.pin(25).state) == ("output", 1)
        reader.close()
        reader.poll(60)  # it can be taken again
        reader.close()


@pytest.mark.parametrize("floating", [0x00, 0xFF])
def test_an_unplugged_chip_says_so_and_comes_back(floating: int) -> None:
    chip, pins = Mfrc522Chip(), MockFactory()
    with installed(chip):
        reader = reader_of("spidev", pins)
        reader.poll(0)
        chip.unplug(floating)
        with pytest.raises(ReaderDownError, match="does not answer"):
            reader.poll(60)
        health = reader.health()
        assert (health.ok, "VersionReg" in health.problem) == (False, True)
        chip.plug_in()
        chip.field.put(Card(BADGE))
        assert [seen.uid for seen in reader.poll(120)] == [BADGE]
        assert reader.health() == Health(ok=True)
        reader.close()


def test_without_spi_or_its_package_a_sentence_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pins = MockFactory()
    with installed(Mfrc522Chip()):
        for _ in range(2):  # the reset pin is free again after each
            with pytest.raises(ReaderDownError, match="switch SPI on"):
                SpidevBus.open(1, reset_pin=26, factory=pins)
    monkeypatch.setitem(sys.modules, "spidev", None)
    with pytest.raises(ReaderDownError, match=r"kokubus\[edge,pi\]"):
        SpidevBus.open(0, reset_pin=26, factory=pins)
