"""Case 11: a calendar's weekly Friday, its exceptions, the clocks, and servers that fail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import update
from tests.acceptance.rig.dated import House, at
from tests.hub.ics_server import Says, serving
from tests.hub.intake_world import BACK, FRONT
from tests.hub.test_import_ics import calendar, event

from kokubus_hub import database, models
from kokubus_hub.calendars import feeds
from kokubus_hub.calendars.polling import Poller
from kokubus_hub.imports import ics
from kokubus_hub.models import table

ADA = "ORGANIZER:mailto:ada@example.org"
FRIDAY = "TZID=Europe/Berlin:20261016T180000"
WEEKLY = event("w", f"DTSTART;{FRIDAY}", "DURATION:PT2H", "RRULE:FREQ=WEEKLY;COUNT=12", who=ADA)

pytestmark = pytest.mark.slow


class Calendar:
    """The hall follows a calendar; the clock is the house's."""

    def __init__(self, house: House, says: Says) -> None:
        self.house, self.says = house, says
        house.hub.member(name="Ada Probe", email="ada@example.org")
        wanted = feeds.Wanted(room="dorf-hall", url=says.url)
        house.hub.now = at("2026-10-12 08:00")
        with database.writing(house.hub.engine) as connection:
            feeds.follow(connection, house.hub.keyring, wanted, house.hub.now)

    def holds(self, *events: str) -> None:
        """What it holds from now on, and it is looked at."""
        self.says.content = calendar(*events)
        assert self.poll() == "ok", self.house.hub.rows(models.Feed)[0]["detail"]

    def poll(self) -> str:
        hub = self.house.hub
        hub.now = at("2026-10-12 08:00")
        with database.writing(hub.engine) as connection:
            connection.execute(update(table(models.Feed)).values(next_at=0))
        Poller(hub.engine, hub.keyring, lambda: hub.now, {"localhost"}, read=ics.read).turn()
        return str(hub.rows(models.Feed)[0]["state"])

    def starts(self) -> list[str]:
        booked = self.house.hub.rows(models.Booking)
        times = sorted(row["start"] for row in booked if row["status"] == "confirmed")
        return [f"{datetime.fromtimestamp(one / 1000, UTC):%Y-%m-%dT%H:%MZ}" for one in times]


@pytest.fixture
def held(dated: House) -> Iterator[Calendar]:
    with serving() as says:
        yield Calendar(dated, says)


def test_six_in_the_evening_is_six_in_the_evening(held: Calendar) -> None:
    held.holds(WEEKLY)
    assert held.starts()[1:3] == ["2026-10-23T16:00Z", "2026-10-30T17:00Z"]
    for day in ("2026-10-23", "2026-10-30"):
        assert held.house.answer(f"{day} 17:44", FRONT) == "too_early"
        assert held.house.answer(f"{day} 17:45", FRONT) == "booked"
        assert held.house.answer(f"{day} 20:14", BACK) == "booked"
        assert held.house.answer(f"{day} 20:15", BACK) == "too_late"


def test_what_is_excluded_moved_or_cancelled_opens_nothing(held: Calendar) -> None:
    held.holds(WEEKLY)
    excluded = WEEKLY.replace("END:V", "EXDATE;TZID=Europe/Berlin:20261023T180000\r\nEND:V")
    moved = event(
        "w",
        "RECURRENCE-ID;TZID=Europe/Berlin:20261030T180000",
        "DTSTART;TZID=Europe/Berlin:20261031T100000",
        "DURATION:PT1H",
        who=ADA,
    )
    gone = event(
        "w",
        "RECURRENCE-ID;TZID=Europe/Berlin:20261106T180000",
        "DTSTART;TZID=Europe/Berlin:20261106T180000",
        "DURATION:PT2H",
        "STATUS:CANCELLED",
        who=ADA,
    )
    held.holds(excluded, moved, gone)
    found = {
        day: held.house.answer(f"{day} {time}", FRONT)
        for day, time in (
            ("2026-10-23", "18:30"),
            ("2026-10-30", "18:30"),
            ("2026-10-31", "10:30"),
            ("2026-11-06", "18:30"),
            ("2026-11-13", "18:30"),
        )
    }
    assert [day for day, answer in found.items() if answer == "booked"] == [
        "2026-10-31",
        "2026-11-13",
    ]


def test_half_past_two_as_the_clocks_change(held: Calendar) -> None:
    """Of two the first; one that does not exist by the offset before it (RFC 5545, 3.3.5)."""
    night = [
        event(f"n{day}", f"DTSTART;TZID=Europe/Berlin:{day}T023000", "DURATION:PT1H", who=ADA)
        for day in ("20261025", "20270328")
    ]
    held.holds(*night)
    assert held.starts() == ["2026-10-25T00:30Z", "2027-03-28T01:30Z"]


@pytest.mark.parametrize("how", ["500", "slow", "nothing", "no events", "cut off"])
def test_a_server_that_fails_takes_no_right_away(
    held: Calendar, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.holds(WEEKLY)
    held.says.etag = False
    if how == "500":
        held.says.status = 500
    elif how == "slow":
        monkeypatch.setattr("kokubus_hub.imports.fetch.TIMEOUT_S", 0.05)
        held.says.wait_s = 0.5
    else:
        whole = held.says.content
        held.says.content = {"nothing": b"", "no events": calendar()}.get(how, whole[:-30])
    assert held.poll() == ("shrunk" if how == "no events" else "failing")
    assert held.house.answer("2026-10-23 18:30", FRONT) == "booked"
    (alarm,) = held.house.hub.rows(models.Alarm)
    kind = "calendar_shrunk" if how == "no events" else "calendar_failed"
    assert (alarm["kind"], alarm["cleared_at"]) == (kind, None)
