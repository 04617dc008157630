"""Readings: what is worth saying, and a thread that goes on asking."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, get_args

import pytest
import structlog.testing
from hypothesis import given
from hypothesis import strategies as st
from tests.edge.fake_clock import FakeClock
from tests.edge.simulated_device import CO2, PIR, SITE

from kokubus.messages import Reading
from kokubus.site import Sensor, read_site
from kokubus.site.sensors import CHANGE, QUIET_S
from kokubus_edge.health import Health
from kokubus_edge.readings import Sampler, Source, Thinner

SENSORS = read_site(SITE, "dorf.toml").sensors
T0 = 1_790_000_000_000
PATIENCE_S = 60


def told(thinner: Thinner, sensor: str, *values: tuple[int, float]) -> list[float]:
    """Of (seconds, value), the values that are said."""
    said = []
    for after, value in values:
        at = T0 + 1_000 * after
        said += [reading.value for reading in thinner.thin({sensor: value}, at)]
    return said


def test_a_reading_says_what_was_measured_and_when() -> None:
    (reading,) = Thinner(SENSORS).thin({CO2: 612.5}, T0)
    assert reading == Reading(sensor=CO2, quantity="co2", at=T0, value=612.5)


def test_every_quantity_a_site_may_name_has_its_threshold() -> None:
    assert set(get_args(Sensor.model_fields["quantity"].annotation)) == CHANGE.keys()


def test_a_change_is_said_at_once_and_a_tremble_is_not() -> None:
    values = [(0, 600.0), (1, 619.9), (2, 620.0), (3, 601.0), (4, 600.0), (5, 600.1)]
    assert told(Thinner(SENSORS), CO2, *values) == [600.0, 620.0, 600.0]


def test_a_drift_is_measured_from_what_was_said_last() -> None:
    values = [(n, 600.0 + 7 * n) for n in range(7)]
    assert told(Thinner(SENSORS), CO2, *values) == [600.0, 621.0, 642.0]


def test_motion_and_its_end_are_news() -> None:
    values = [(n, float(n in {2, 3})) for n in range(6)]
    assert told(Thinner(SENSORS), PIR, *values) == [0.0, 1.0, 0.0]


def test_silence_is_no_reading() -> None:
    quiet = QUIET_S["co2"]
    values = [(0, 600.0), (quiet - 1, 600.0), (quiet, 600.0), (quiet + 1, 600.0)]
    assert told(Thinner(SENSORS), CO2, *values) == [600.0, 600.0]


def sensor(**told: Any) -> Sensor:
    about = {"id": CO2, "room": "dorf-hall", "quantity": "co2", "kind": "scd41", "device": "d"}
    return Sensor.model_validate(about | told)


def test_a_site_says_what_is_news_and_how_often_at_most_and_at_least() -> None:
    thinner = Thinner([sensor(change=5.0, at_most_s=10, at_least_s=60)])
    values = [(0, 600.0), (9, 700.0), (10, 604.9), (11, 605.0), (70, 605.0), (71, 605.0)]
    assert told(thinner, CO2, *values) == [600.0, 605.0, 605.0]
    assert told(thinner, CO2, (72, 605.0)) == []
    assert told(thinner, CO2, (131, 605.0)) == [605.0]


@given(
    st.lists(st.tuples(st.integers(1, 40), st.floats(0, 5_000)), min_size=1, max_size=80),
    st.integers(1, 20),
    st.integers(20, 90),
)
def test_never_more_often_and_never_more_seldom_than_said(
    steps: list[tuple[int, float]], at_most: int, at_least: int
) -> None:
    thinner, at, said = Thinner([sensor(at_most_s=at_most, at_least_s=at_least)]), 0, [0]
    asked = [0]
    thinner.thin({CO2: 600.0}, T0)
    for gap, value in steps:
        at += gap
        asked.append(at)
        said += [at] if thinner.thin({CO2: value}, T0 + 1_000 * at) else []
    assert all(later - earlier >= at_most for earlier, later in pairwise(said))
    for earlier, later in pairwise([*said, at]):
        due = [one for one in asked if earlier + at_least <= one < later]
        assert not due


def test_a_clock_that_was_set_back_is_a_reason_to_say_it_again() -> None:
    assert told(Thinner(SENSORS), CO2, (0, 600.0), (-1, 600.0), (0, 600.0)) == [600.0, 600.0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_no_reading(value: float) -> None:
    """The hub would refuse the whole message for it."""
    assert Thinner(SENSORS).thin({CO2: value, PIR: 1.0}, T0) == (
        Reading(sensor=PIR, quantity="pir", at=T0, value=1.0),
    )


def test_sensors_the_site_does_not_name_are_not_said() -> None:
    assert Thinner(SENSORS).thin({"dorf-attic": 1.0}, T0) == ()


class Sampling:
    """A sampler and what it put and told; what each source names is missed."""

    def __init__(self, *sources: Source) -> None:
        self.clock = FakeClock()
        self.put: list[tuple[Reading, ...]] = []
        self.told: list[tuple[str, Health]] = []
        self.sampler = Sampler(
            SENSORS,
            sources,
            self.put.append,
            lambda sensor, health: self.told.append((sensor, health)),
            clock=self.clock,
            every_s=0.01,
        )

    def after(self, seconds: float) -> list[tuple[str, Health]]:
        """One round, so much later; what it told."""
        self.clock.pass_ms(round(1_000 * seconds))
        before = len(self.told)
        self.sampler.step()
        return self.told[before:]


def asked(values: Mapping[str, float], *missed: str) -> Source:
    return Source(frozenset(missed), lambda: values)


def broken() -> Mapping[str, float]:
    raise OSError("i2c: remote I/O error")


def test_one_round_is_one_group() -> None:
    sampling = Sampling(asked({CO2: 500.0}), asked({PIR: 1.0}))
    sampling.sampler.step()
    assert [[r.sensor for r in group] for group in sampling.put] == [[CO2, PIR]]
    sampling.sampler.step()
    assert len(sampling.put) == 1


def test_a_sensor_that_fails_costs_only_its_own_readings() -> None:
    sampling = Sampling(Source(frozenset({CO2}), broken), asked({PIR: 1.0}))
    with structlog.testing.capture_logs() as logs:
        sampling.sampler.step()
    assert [[r.sensor for r in group] for group in sampling.put] == [[PIR]]
    assert [log["event"] for log in logs] == ["sensor_failed"]


def test_the_thread_goes_on_whatever_a_source_gives() -> None:
    asked = threading.Semaphore(0)

    def odd() -> Mapping[str, float]:
        asked.release()
        return {CO2: None}  # type: ignore[dict-item]

    sampling = Sampling(Source(frozenset({CO2}), odd))
    with structlog.testing.capture_logs() as logs:
        sampling.sampler.start()
        try:
            for _ in range(3):
                assert asked.acquire(timeout=PATIENCE_S)
        finally:
            sampling.sampler.stop()
    assert logs[0]["event"] == "sensor_failed"
    assert sampling.put == []
    assert "readings" not in [thread.name for thread in threading.enumerate()]


def test_a_sensor_that_stops_is_told_once_and_so_is_its_return() -> None:
    values = {CO2: 500.0}
    sampling = Sampling(asked(values, CO2))
    assert sampling.after(0) == [(CO2, Health(ok=True))]
    values.clear()
    assert sampling.after(119) == []
    ((sensor, health),) = sampling.after(1)
    assert (sensor, health.ok) == (CO2, False)
    assert "check its power" in health.problem
    assert sampling.after(3_600) == []
    values[CO2] = 510.0
    assert sampling.after(1) == [(CO2, Health(ok=True))]
    assert sampling.sampler.health() == {CO2: Health(ok=True)}


def test_one_that_never_spoke_is_missed_and_the_reason_is_told() -> None:
    sampling = Sampling(Source(frozenset({CO2}), broken))
    with structlog.testing.capture_logs():
        assert sampling.after(0) == []
        ((_, health),) = sampling.after(120)
    assert "i2c: remote I/O error" in health.problem


@pytest.mark.parametrize("value", [0.0, -5.0, 65_535.0, float("nan"), float("inf")])
def test_a_value_that_cannot_be_is_not_said_and_is_missed(value: float) -> None:
    sampling = Sampling(asked({CO2: value}, CO2))
    assert sampling.after(0) == []
    ((_, health),) = sampling.after(120)
    assert "which cannot be" in health.problem
    assert sampling.put == []


def test_what_nobody_can_miss_is_not_watched() -> None:
    sampling = Sampling(asked({PIR: 0.0}))
    assert sampling.after(0) == sampling.after(10_000) == []
    assert sampling.sampler.health() == {}
