"""Inputs: bounces are nothing, and whatever stands for 400 ms is seen, whatever edges are lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kokubus_edge.inputs import LOOK_MS, SETTLE_MS, Settled

SURE_MS = 400
LATE_MS = 100
"""How late a busy machine looks, on top of `LOOK_MS`."""


def watched(
    stretches: list[tuple[int, bool]], heard: list[bool], late: list[int]
) -> list[tuple[int, bool]]:
    """(when, level) of each report; ``heard``: which edges arrive, ``late``: how late each look."""
    settled, reports, now = Settled(), list[tuple[int, bool]](), 0
    ends, at = [], 0
    for duration, level in stretches:
        at += duration
        ends.append((at, level))
    settled.begin(ends[0][1], 0)
    edges = {begin: heard[n % len(heard)] for n, (begin, _) in enumerate(ends[:-1])}
    looks = 0
    due = LOOK_MS
    for now in range(ends[-1][0]):
        level = next(level for end, level in ends if now < end)
        if edges.get(now):
            settled.saw(level, now)
            soonest = settled.due
            due = due if soonest is None else min(due, soonest)
        if now >= due:
            news = settled.news(level, now)
            reports += [] if news is None else [(now, news)]
            looks += 1
            due = now + LOOK_MS + late[looks % len(late)]
            if settled.due is not None:
                due = min(due, max(now + 1, settled.due + late[looks % len(late)]))
    return reports


LEVELS = st.lists(
    st.one_of(st.integers(1, SETTLE_MS - 1), st.integers(SURE_MS + 1, 900)), min_size=2, max_size=12
)


@given(
    LEVELS,
    st.lists(st.booleans(), min_size=1, max_size=7),
    st.lists(st.integers(0, LATE_MS), min_size=1, max_size=7),
)
def test_what_stands_for_400_ms_is_seen_and_no_level_is_reported_twice(
    durations: list[int], heard: list[bool], late: list[int]
) -> None:
    stretches = [(duration, bool(n % 2)) for n, duration in enumerate([SURE_MS + 1, *durations])]
    reports = watched(stretches, heard, late)
    levels = [level for _, level in reports]
    assert all(a != b for a, b in zip([False, *levels], levels, strict=False))
    reported, at = False, 0
    for duration, level in stretches:
        within = [one for when, one in reports if at <= when < at + duration]
        reported = within[-1] if within else reported
        if duration > SURE_MS:
            assert reported == level, (stretches, reports)
        at += duration


@given(st.lists(st.integers(1, SETTLE_MS - 1), min_size=1, max_size=20))
def test_a_bouncing_contact_whose_edges_arrive_is_one_change(bounces: list[int]) -> None:
    bouncing = bounces if len(bounces) % 2 else bounces[:-1]
    stretches = [(200, False), *((ms, n % 2 == 0) for n, ms in enumerate(bouncing))]
    end = [(600, stretches[-1][1])] if len(bouncing) else []
    reports = watched([*stretches, *end], [True], [0])
    assert [level for _, level in reports] == [True]


def test_a_spark_is_nothing() -> None:
    assert watched([(300, False), (SETTLE_MS - 10, True), (600, False)], [True], [0]) == []
