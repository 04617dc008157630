"""Weekly hours as instants: over midnight, over the change of the clocks, against a slow model."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kokubus.errors import SiteError
from kokubus_hub.hours import (
    DAYS,
    always,
    expand,
    hours_of,
    is_holiday,
    last_reset,
    merge,
    schedule_key,
)

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


@pytest.mark.parametrize("hours", ["8-18", "08:00-25:00", "24:00-08:00", "08:00-18:00 ", "1"])
def test_unreadable_hours_name_what_is_wrong(hours: str) -> None:
    with pytest.raises(SiteError, match=r"opening hours: .* write them as 07:00-20:00"):
        expand({"mon": [hours]}, BERLIN, at("2026-09-21"), at("2026-09-22"))


def test_hours_that_end_as_they_begin_are_refused() -> None:
    with pytest.raises(SiteError, match="the whole day is 00:00-24:00"):
        expand({"mon": ["08:00-08:00"]}, BERLIN, at("2026-09-21"), at("2026-09-22"))


FRONLEICHNAM, HEILIGABEND = date(2026, 6, 4), date(2026, 12, 24)
"""Both are Thursdays; Fronleichnam is a holiday in Baden-Württemberg, not in Berlin."""
THURSDAYS = {"wed": ["22:00-02:00"], "thu": ["08:00-18:00"]}


def test_a_holiday_is_a_day_like_any_other_unless_its_hours_are_named() -> None:
    hours = (at("2026-06-04T06:00"), at("2026-06-04T16:00"))
    assert hours_of(THURSDAYS, BERLIN, FRONLEICHNAM) == (hours,)
    assert hours_of(THURSDAYS | {"holiday": []}, BERLIN, FRONLEICHNAM) == ()
    noon = {"holiday": ["10:00-12:00"]}
    assert hours_of(THURSDAYS | noon, BERLIN, FRONLEICHNAM) == (
        (at("2026-06-04T08:00"), at("2026-06-04T10:00")),
    )
    week_later = date(2026, 6, 11)
    assert hours_of(THURSDAYS | noon, BERLIN, week_later) != ()


def test_the_evening_before_runs_into_the_holiday() -> None:
    weekly = THURSDAYS | {"holiday": []}
    found = expand(weekly, BERLIN, at("2026-06-03T22:00"), at("2026-06-04T22:00"))
    assert found == ((at("2026-06-03T20:00"), at("2026-06-04T00:00")),)


@pytest.mark.parametrize(
    ("now", "reset"),
    [
        ("2026-09-21T01:59", "2026-09-20T02:00"),
        ("2026-09-21T02:00", "2026-09-21T02:00"),
        ("2026-09-21T22:30", "2026-09-21T02:00"),  # 00:30 of the next day in Berlin
        ("2026-10-25T03:00", "2026-10-25T03:00"),  # winter time
        ("2026-10-25T02:59", "2026-10-24T02:00"),
    ],
)
def test_the_last_reset_is_todays_or_yesterdays(now: str, reset: str) -> None:
    assert last_reset("04:00", BERLIN, at(now)) == at(reset)


def test_a_date_is_before_holiday_and_weekday() -> None:
    weekly = THURSDAYS | {"2026-12-24": ["08:00-12:00"], "2026-12-25": ["09:00-10:00"]}
    assert hours_of(weekly, BERLIN, HEILIGABEND) == (
        (at("2026-12-24T07:00"), at("2026-12-24T11:00")),
    )
    weekly |= {"holiday": []}
    assert hours_of(weekly, BERLIN, date(2026, 12, 25)) == (
        (at("2026-12-25T08:00"), at("2026-12-25T09:00")),
    )
    assert hours_of(weekly | {"2026-12-24": []}, BERLIN, HEILIGABEND) == ()


def test_a_place_that_closes_on_holidays_is_not_always_open() -> None:
    week = {day: ["00:00-24:00"] for day in DAYS}
    assert not always(week | {"holiday": []})
    assert not always(week | {"2026-12-24": ["00:00-12:00"]})
    assert always(week | {"holiday": ["00:00-24:00"]})


def test_the_holidays_are_those_of_baden_wuerttemberg() -> None:
    """Feiertagsgesetz (FTG) § 1: twelve days; Easter and Whit Sunday are not among them."""
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    assert [f"{day:%m-%d}" for day in days if is_holiday(day)] == [
        *("01-01", "01-06", "04-03", "04-06", "05-01", "05-14", "05-25", "06-04"),
        *("10-03", "11-01", "12-25", "12-26"),
    ]


@pytest.mark.parametrize("day", ["monday", "2026-13-01", "20261224", "holidays"])
def test_an_unknown_day_is_refused(day: str) -> None:
    with pytest.raises(SiteError, match=day):
        expand({day: ["08:00-18:00"]}, BERLIN, at("2026-09-21"), at("2026-09-22"))


def test_an_unknown_timezone_is_refused() -> None:
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
    st.sampled_from(DAYS),
    st.lists(st.tuples(minutes, minutes).filter(lambda span: span[0] != span[1]), max_size=2),
    max_size=7,
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
