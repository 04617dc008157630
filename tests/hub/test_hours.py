"""Weekly hours as instants: over midnight, over the change of the clocks, against a slow model."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kokubus.errors import SiteError
from kokubus_hub.hours import DAYS, always, expand, hours_of, merge, schedule_key

BERLIN = "Europe/Berlin"
HOUR_MS = 3_600_000


def at(text: str) -> int:
    """An instant of UTC, written without its seconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def test_hours_of_a_summer_day_are_two_hours_before_utc() -> None:
    found = expand({"mon": ["08:00-18:00"]}, BERLIN, at("2026-09-21"), at("2026-09-22"))
    assert found == ((at("2026-09-21T06:00"), at("2026-09-21T16:00")),)


def test_hours_past_midnight_belong_to_the_day_they_begin_on() -> None:
    weekly = {"fri": ["22:00-02:00"]}
    saturday = at("2026-09-25T23:30")  # 01:30 on Saturday in Berlin
    window = (at("2026-09-25T20:00"), at("2026-09-26T00:00"))
    assert expand(weekly, BERLIN, saturday, saturday + 1) == (window,)
    assert hours_of(weekly, BERLIN, date(2026, 9, 25)) == (window,)
    assert hours_of(weekly, BERLIN, date(2026, 9, 26)) == ()


def test_a_window_that_ends_at_the_beginning_of_the_range_is_not_in_it() -> None:
    weekly = {"mon": ["08:00-18:00"]}
    end = at("2026-09-21T16:00")
    assert expand(weekly, BERLIN, end, end + 1) == ()
    assert expand(weekly, BERLIN, end - 1, end) != ()


def test_touching_hours_are_one_window() -> None:
    weekly = {"mon": ["08:00-12:00", "12:00-24:00"], "tue": ["00:00-06:00"]}
    found = expand(weekly, BERLIN, at("2026-09-21T05:00"), at("2026-09-22T05:00"))
    assert found == ((at("2026-09-21T06:00"), at("2026-09-22T04:00")),)


@pytest.mark.parametrize(
    ("hours", "opens", "closes"),
    [
        # 2026-10-25: 03:00 summer time is 02:00 again; 02:30 comes twice and means the first
        ("02:30-05:00", "2026-10-25T00:30", "2026-10-25T04:00"),
        ("00:00-02:30", "2026-10-24T22:00", "2026-10-25T00:30"),
        ("00:00-24:00", "2026-10-24T22:00", "2026-10-25T23:00"),
    ],
)
def test_the_night_with_an_hour_twice(hours: str, opens: str, closes: str) -> None:
    assert hours_of({"sun": [hours]}, BERLIN, date(2026, 10, 25)) == ((at(opens), at(closes)),)


@pytest.mark.parametrize(
    ("hours", "opens", "closes"),
    [
        # 2027-03-28: 02:00 is 03:00 at once; 02:30 counts as if the clocks had not changed
        ("02:30-05:00", "2027-03-28T01:30", "2027-03-28T03:00"),
        ("00:00-02:30", "2027-03-27T23:00", "2027-03-28T01:30"),
        ("00:00-24:00", "2027-03-27T23:00", "2027-03-28T22:00"),
    ],
)
def test_the_night_that_lacks_an_hour(hours: str, opens: str, closes: str) -> None:
    assert hours_of({"sun": [hours]}, BERLIN, date(2027, 3, 28)) == ((at(opens), at(closes)),)


def test_hours_that_vanish_in_the_gap_are_closed() -> None:
    assert hours_of({"sun": ["02:30-03:00"]}, BERLIN, date(2027, 3, 28)) == ()


@pytest.mark.parametrize("hours", ["8-18", "08:00", "08:00-25:00", "24:00-08:00", "08:00-18:00 "])
def test_unreadable_hours_name_what_is_wrong(hours: str) -> None:
    with pytest.raises(SiteError, match="write them as 08:00-18:00"):
        expand({"mon": [hours]}, BERLIN, at("2026-09-21"), at("2026-09-22"))


def test_an_unknown_day_or_timezone_is_refused() -> None:
    with pytest.raises(SiteError, match="monday"):
        expand({"monday": ["08:00-18:00"]}, BERLIN, at("2026-09-21"), at("2026-09-22"))
    with pytest.raises(SiteError, match="Europe/Kalw"):
        expand({}, "Europe/Kalw", at("2026-09-21"), at("2026-09-22"))


def test_always_is_every_day_from_end_to_end() -> None:
    week = {day: ["00:00-24:00"] for day in DAYS}
    assert always(week)
    assert not always(week | {"sun": ["00:00-23:59"]})
    assert not always({})


def test_a_schedules_name_tells_hours_and_timezones_apart() -> None:
    monday = {"mon": ["08:00-18:00"]}
    assert schedule_key(monday, BERLIN) == schedule_key({"mon": ("08:00-18:00",)}, BERLIN)
    assert schedule_key(monday, BERLIN) != schedule_key(monday, "Europe/Zurich")
    assert schedule_key(monday, BERLIN) != schedule_key({"tue": ["08:00-18:00"]}, BERLIN)


minutes = st.integers(0, 24 * 60 - 1)
weeks = st.dictionaries(
    st.sampled_from(DAYS), st.lists(st.tuples(minutes, minutes), max_size=2), max_size=7
)


@given(weeks, st.integers(0, 400 * 24 * 60))
def test_an_instant_is_open_as_the_clock_on_the_wall_says(
    week: dict[str, list[tuple[int, int]]], minute: int
) -> None:
    """Away from the two nights on which the wall's clock is changed."""
    local = datetime(2026, 1, 1, tzinfo=ZoneInfo(BERLIN)) + timedelta(minutes=minute)
    if local.month in {3, 10} and local.day >= 24:
        return
    weekly = {
        day: [f"{_clock(opens)}-{_clock(closes)}" for opens, closes in hours]
        for day, hours in week.items()
    }
    instant = int(local.timestamp()) * 1000
    open_ = bool(expand(weekly, BERLIN, instant, instant + 1))
    assert open_ == _wall_says(week, local)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _wall_says(week: dict[str, list[tuple[int, int]]], local: datetime) -> bool:
    minute = local.hour * 60 + local.minute
    today = week.get(DAYS[local.weekday()], [])
    yesterday = week.get(DAYS[local.weekday() - 1], [])
    now = any(opens <= minute < (closes if closes > opens else 1440) for opens, closes in today)
    return now or any(minute < closes <= opens for opens, closes in yesterday)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), max_size=8))
def test_merged_windows_cover_the_same_instants_without_touching(
    pairs: list[tuple[int, int]],
) -> None:
    windows = [(start, start + length) for start, length in pairs if length]
    merged = merge(windows)
    inside = {instant for start, end in windows for instant in range(start, end)}
    assert {instant for start, end in merged for instant in range(start, end)} == inside
    assert all(first[1] < second[0] for first, second in pairwise(merged))
