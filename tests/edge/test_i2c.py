"""SCD41, SCD30 and BH1750: their own drivers, unmodified, on a fake bus."""

from __future__ import annotations

from typing import Any

import pytest
from tests.edge.fake_i2c import Bh1750Chip, FakeBus, Scd30Chip, Scd41Chip, crc8

from kokubus.site import Sensor
from kokubus_edge.i2c import chip_sources, open_linux_bus
from kokubus_edge.readings import Source

AIR = ("co2", "temperature", "humidity")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The drivers wait out what a real sensor needs; a fake one needs nothing."""
    monkeypatch.setattr("time.sleep", lambda _seconds: None)


def sensors(kind: str, *quantities: str, **more: Any) -> tuple[Sensor, ...]:
    about = {"room": "dorf-hall", "device": "dorf-1", "kind": kind} | more
    return tuple(
        Sensor.model_validate({"id": f"dorf-{kind}-{name}", "quantity": name, **about})
        for name in quantities
    )


def source(bus: FakeBus, told: tuple[Sensor, ...]) -> Source:
    (made,) = chip_sources(told, lambda: bus)
    return made


def test_the_fake_sensor_checks_its_words_as_the_data_sheet_says() -> None:
    assert crc8(b"\xbe\xef") == 0x92


def test_an_scd41_says_co2_temperature_and_humidity() -> None:
    asked = source(FakeBus(x62=Scd41Chip()), sensors("scd41", *AIR)).read()
    assert asked == {
        "dorf-scd41-co2": 612,
        "dorf-scd41-temperature": pytest.approx(21.5, abs=0.01),
        "dorf-scd41-humidity": pytest.approx(44.0, abs=0.01),
    }


def test_only_what_the_site_names_is_said() -> None:
    asked = source(FakeBus(x62=Scd41Chip()), sensors("scd41", "co2"))
    assert asked.read().keys() == asked.sensors == {"dorf-scd41-co2"}


def test_one_that_still_measures_for_a_killed_agent_is_stopped_first() -> None:
    chip = Scd41Chip(measuring=True)
    assert source(FakeBus(x62=chip), sensors("scd41", "co2")).read()
    assert chip.log[:2] == [0x3F86, 0x21B1]


def test_nothing_new_is_nothing_said() -> None:
    chip = Scd41Chip(ready=False)
    asked = source(FakeBus(x62=chip), sensors("scd41", "co2"))
    assert asked.read() == {}
    chip.ready = True
    assert asked.read() == {"dorf-scd41-co2": 612}
    assert chip.log.count(0x21B1) == 1


def test_a_damaged_word_is_no_value_and_the_sensor_is_started_anew() -> None:
    chip = Scd41Chip(broken_crc=True)
    asked = source(FakeBus(x62=chip), sensors("scd41", "co2"))
    with pytest.raises(Exception, match=r"(?i)crc|checksum"):
        asked.read()
    chip.broken_crc = False
    assert asked.read() == {"dorf-scd41-co2": 612}
    assert chip.log.count(0x21B1) == 2


def test_an_unplugged_sensor_raises_and_comes_back_by_itself() -> None:
    bus = FakeBus(x62=Scd41Chip())
    asked = source(bus, sensors("scd41", "co2"))
    assert asked.read()
    bus.chips.clear()
    for _ in range(2):
        with pytest.raises(Exception, match=r"."):
            asked.read()
    bus.chips[0x62] = Scd41Chip(co2=800)
    assert asked.read() == {"dorf-scd41-co2": 800}


def test_an_scd30_says_the_same() -> None:
    chip = Scd30Chip()
    asked = source(FakeBus(x61=chip), sensors("scd30", *AIR)).read()
    assert asked == {
        "dorf-scd30-co2": 700.0,
        "dorf-scd30-temperature": 20.0,
        "dorf-scd30-humidity": 50.0,
    }
    assert chip.interval == 5


@pytest.mark.parametrize("address", [0x23, 0x5C])
def test_a_bh1750_says_lux_at_either_address(address: int) -> None:
    bus = FakeBus(**{f"{address:x}": Bh1750Chip()})
    asked = source(bus, sensors("bh1750", "light", address=address))
    assert asked.read() == {"dorf-bh1750-light": 240.0}
    bus.chips.clear()
    with pytest.raises(OSError, match="Remote"):
        asked.read()


def test_chips_share_a_bus_that_is_opened_when_first_needed() -> None:
    opened: list[FakeBus] = []

    def open_bus() -> FakeBus:
        opened.append(FakeBus(x62=Scd41Chip(), x23=Bh1750Chip()))
        return opened[-1]

    made = chip_sources(sensors("scd41", *AIR) + sensors("bh1750", "light"), open_bus)
    assert (len(made), opened) == (2, [])
    for one in made:
        assert one.read()
    assert len(opened) == 1


def test_without_i2c_a_sentence_says_what_to_do(tmp_path: Any) -> None:
    with pytest.raises(OSError, match="switch I2C on"):
        open_linux_bus(str(tmp_path / "i2c-1"))
    asked = chip_sources(sensors("scd41", "co2"), lambda: open_linux_bus("/nowhere"))[0]
    for _ in range(2):
        with pytest.raises(OSError, match="raspi-config"):
            asked.read()


def test_a_site_without_such_sensors_needs_no_bus() -> None:
    assert chip_sources(sensors("esphome", "co2", topic="a/b"), lambda: 1 / 0) == []
