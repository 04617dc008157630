import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from kokubus_edge.emulator import Card, EmulatorError, Mfrc522Chip, install, installed, uninstall
from kokubus_edge.iso14443 import crc_a
from kokubus_edge.mfrc522 import Register


@pytest.fixture
def chip() -> Mfrc522Chip:
    return Mfrc522Chip()


@pytest.fixture
def driver(chip: Mfrc522Chip) -> Iterator[Any]:
    """The unmodified package's own driver object."""
    with installed(chip):
        import mfrc522  # noqa: PLC0415 - it can be loaded only while the stand-ins are there

        yield mfrc522.MFRC522(pin_mode=11, pin_rst=25)


def test_the_package_reads_a_four_byte_uid(chip: Mfrc522Chip, driver: Any) -> None:
    chip.field.put(Card("1E034A5B"))
    assert driver.MFRC522_Request(driver.PICC_REQIDL) == (driver.MI_OK, 0x10)
    status, number = driver.MFRC522_Anticoll()
    assert status == driver.MI_OK
    assert bytes(number).hex() == "1e034a5b" + "0c"
    assert driver.MFRC522_SelectTag(number) == 0x08


def test_the_package_computes_its_crc_on_the_chip(driver: Any) -> None:
    assert bytes(driver.CalulateCRC([0x12, 0x34])) == crc_a(b"\x12\x34")


def test_the_package_cuts_longer_uids_which_is_why_it_only_drives_registers(
    chip: Mfrc522Chip, driver: Any
) -> None:
    chip.field.put(Card("04A3C6CAE26180"))
    driver.MFRC522_Request(driver.PICC_REQIDL)
    assert bytes(driver.MFRC522_Anticoll()[1]).hex() == "8804a3c6e9"


def test_the_package_spins_on_an_empty_field(chip: Mfrc522Chip, driver: Any) -> None:
    before = chip.transfers
    assert driver.MFRC522_Request(driver.PICC_REQIDL)[0] == driver.MI_ERR
    assert chip.transfers - before > 2000


def test_the_package_cannot_authenticate_a_card_without_crypto1(
    chip: Mfrc522Chip, driver: Any
) -> None:
    chip.field.put(Card("1E034A5B"))
    driver.MFRC522_Request(driver.PICC_REQIDL)
    number = driver.MFRC522_Anticoll()[1]
    driver.MFRC522_SelectTag(number)
    assert driver.MFRC522_Auth(driver.PICC_AUTHENT1A, 11, [0xFF] * 6, number) != driver.MI_OK


def test_stand_ins_leave_no_trace(chip: Mfrc522Chip) -> None:
    install(chip)
    install(chip)
    uninstall()
    uninstall()
    assert not {"spidev", "RPi", "RPi.GPIO", "mfrc522"} & sys.modules.keys()


def test_real_modules_are_never_replaced(
    chip: Mfrc522Chip, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ModuleType("spidev")
    monkeypatch.setitem(sys.modules, "spidev", real)
    with pytest.raises(EmulatorError, match="the real spidev"):
        install(chip)
    uninstall()
    assert sys.modules["spidev"] is real


def test_a_pin_numbering_is_chosen_once(chip: Mfrc522Chip) -> None:
    with installed(chip) as pins:
        pins.setmode(pins.BCM)
        with pytest.raises(ValueError, match="different mode"):
            pins.setmode(pins.BOARD)


def test_a_closed_spi_device_refuses(chip: Mfrc522Chip, driver: Any) -> None:
    driver.spi.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        driver.Read_MFRC522(Register.VERSION)


def test_the_packages_own_close_would_let_go_of_every_pin(chip: Mfrc522Chip) -> None:
    with installed(chip) as pins:
        import mfrc522  # noqa: PLC0415 - it can be loaded only while the stand-ins are there

        mfrc522.MFRC522(pin_mode=11, pin_rst=25).Close_MFRC522()
        assert ("cleanup", ()) in pins.calls
