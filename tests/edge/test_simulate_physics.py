"""The simulated air: a mass balance that holds, and sensors that see what is there."""

from __future__ import annotations

from itertools import pairwise

import pytest

from kokubus_edge.simulate.physics import (
    OUTDOOR_PPM,
    SENSING,
    Air,
    Room,
    breathe,
    motion_chance,
    quantity,
    settled,
)

HALL = Room(volume_m3=190.0)
HOUR_S = 3600.0


def test_each_person_breathes_out_eighteen_litres_an_hour() -> None:
    sealed = Room(volume_m3=180.0, air_changes=1e-9)
    after = breathe(Air(), sealed, 3, HOUR_S)
    # 3 people, 18 l each, into 180,000 l
    assert after.co2 - OUTDOOR_PPM == pytest.approx(300.0, rel=1e-3)


def test_an_occupied_room_settles_where_breath_and_fresh_air_balance() -> None:
    # 5 * 18 l/h over 0.8 * 190 m3/h
    assert settled(HALL, 5).co2 == pytest.approx(OUTDOOR_PPM + 90_000 / 152, rel=1e-6)
    assert settled(HALL, 0) == Air()


def test_air_clears_by_its_air_changes() -> None:
    stale = Air(co2=OUTDOOR_PPM + 1000)
    later = breathe(stale, HALL, 0, HOUR_S)
    assert later.co2 == pytest.approx(OUTDOOR_PPM + 1000 * 2.718281828**-0.8)


@pytest.mark.parametrize("people", [0, 1, 12])
def test_many_small_steps_are_one_long_one(people: int) -> None:
    air = Air(co2=700.0, celsius=24.0, humidity=50.0)
    for _ in range(60):
        air = breathe(air, HALL, people, 60.0)
    whole = breathe(Air(co2=700.0, celsius=24.0, humidity=50.0), HALL, people, HOUR_S)
    for name in ("co2", "temperature", "humidity"):
        assert quantity(air, name) == pytest.approx(quantity(whole, name))


def test_people_make_a_room_warmer_and_damper_but_not_a_sauna() -> None:
    empty, full = settled(HALL, 0), settled(HALL, 12)
    assert empty.celsius < full.celsius < empty.celsius + 3
    assert empty.humidity < full.humidity < 60


def test_motion_is_likelier_with_more_people_and_longer_looks() -> None:
    chances = [motion_chance(people, 10.0) for people in range(8)]
    assert chances[0] == pytest.approx(0.01)
    assert all(fewer < more for fewer, more in pairwise(chances))
    assert motion_chance(3, 20.0) == pytest.approx(1 - (1 - motion_chance(3, 10.0)) ** 2)
    assert motion_chance(3, 0.0) == 0.0


def test_a_sensor_rounds_to_its_step_and_carries_its_noise() -> None:
    co2 = SENSING["co2"]
    assert co2.measured(612.4, 0.0) == 612.0
    assert co2.measured(612.4, 1.0) == 618.0
    assert SENSING["temperature"].measured(21.237, 0.0) == 21.24


def test_only_what_air_has_can_be_measured() -> None:
    with pytest.raises(KeyError):
        quantity(Air(), "pir")
