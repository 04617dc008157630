"""Sensors that cannot be believed are told from what they say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kokubus.occupancy.health import HOUR_MS, STUCK_MS, Fault, Lately, judge

NOW = 1_790_000_000_000
DAY_MS = 24 * HOUR_MS
AIR = Lately(
    quantity="co2", last_at=NOW - 30_000, hour_count=120, low=430.0, high=900.0, count=1_400,
    span_ms=STUCK_MS, week_low=425.0, week_high=1_100.0, week_span_ms=7 * DAY_MS, passages=80,
)  # fmt: skip
MOTION = replace(AIR, quantity="pir", low=0.0, high=1.0, week_low=0.0, week_high=1.0)


@pytest.mark.parametrize("lately", [AIR, MOTION])
def test_a_working_sensor_is_well(lately: Lately) -> None:
    assert judge(lately, NOW) is None


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"last_at": None}, Fault.SILENT),
        ({"last_at": NOW - 901_000}, Fault.SILENT),
        ({"hour_wrong": 61}, Fault.OUT_OF_RANGE),
        ({"hour_wrong": 60}, None),
        ({"low": 612.0, "high": 612.0}, Fault.STUCK),
        ({"low": 612.0, "high": 612.0, "count": 12}, None),
        ({"low": 612.0, "high": 612.0, "span_ms": 6 * HOUR_MS}, None),
        ({"week_low": 812.0}, Fault.DRIFTING),
        ({"week_low": 812.0, "week_span_ms": 3 * DAY_MS}, None),
        ({"low": 310.0, "high": 345.0}, Fault.DRIFTING),
    ],
)
def test_air(changed: dict[str, Any], fault: Fault | None) -> None:
    assert judge(replace(AIR, **changed), NOW) is fault


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"low": 1.0}, Fault.STUCK),
        ({"high": 0.0}, None),
        ({"high": 0.0, "week_high": 0.0}, Fault.STUCK),
        ({"high": 0.0, "week_high": 0.0, "passages": 3}, None),
        ({"hour_wrong": 100}, Fault.OUT_OF_RANGE),
    ],
)
def test_motion(changed: dict[str, Any], fault: Fault | None) -> None:
    assert judge(replace(MOTION, **changed), NOW) is fault


def test_light_may_rest_for_an_hour_and_stay_as_it_is_for_a_night() -> None:
    dark = replace(AIR, quantity="light", low=0.0, high=0.0, last_at=NOW - HOUR_MS + 1)
    assert judge(dark, NOW) is None
    assert judge(replace(dark, last_at=NOW - HOUR_MS - 1), NOW) is Fault.SILENT


def test_a_beam_speaks_only_when_it_is_crossed() -> None:
    assert judge(Lately(quantity="beam", last_at=None), NOW) is None
