"""How much of a backlog is under way."""

from __future__ import annotations

from kokubus_edge.spool_pace import Pace


def play(pace: Pace, base_ms: float, per_fact_ms: float, turns: int, now: int = 0) -> int:
    """A path that takes ``base_ms`` and a hub that takes ``per_fact_ms`` a fact; the time after."""
    for _ in range(turns):
        waited = int(base_ms + pace.window * per_fact_ms)
        now += waited
        pace.landed(pace.window, waited, now)
    return now


def test_it_opens_until_the_backlog_adds_a_noticeable_wait() -> None:
    pace = Pace(16, 200)
    play(pace, base_ms=5, per_fact_ms=0.3, turns=500)
    assert 16 < pace.window < 100  # 20 ms are seventy facts


def test_a_long_way_is_no_wait() -> None:
    pace = Pace(16, 200)
    play(pace, base_ms=80, per_fact_ms=0.01, turns=500)
    assert pace.window == 200


def test_a_slow_uplink_gets_no_more_than_the_least() -> None:
    pace = Pace(16, 200)
    play(pace, base_ms=80, per_fact_ms=0.01, turns=500)
    play(pace, base_ms=80, per_fact_ms=5, turns=50, now=1_000_000)
    assert pace.window == 16


def test_one_late_receipt_says_nothing() -> None:
    pace = Pace(16, 200)
    now = play(pace, base_ms=5, per_fact_ms=0.01, turns=100)
    before = pace.window
    pace.landed(10, 500, now + 500)
    assert pace.window >= before


def test_a_way_that_became_longer_is_learned() -> None:
    pace = Pace(16, 200)
    now = play(pace, base_ms=5, per_fact_ms=0.01, turns=200)
    now = play(pace, base_ms=150, per_fact_ms=0.01, turns=200, now=now)
    assert pace.window == 16
    play(pace, base_ms=150, per_fact_ms=0.01, turns=2_000, now=now + 120_000)
    assert pace.window > 100


def test_a_bound_below_the_least_holds() -> None:
    pace = Pace(16, 4)
    play(pace, base_ms=5, per_fact_ms=0.01, turns=50)
    assert pace.window == 4
