"""Rooms follow calendars on the web, and nothing that is wrong there revokes anything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.hub.ics_server import Says, serving
from tests.hub.small_hub import NOW, add_member, rows, small_hub
from tests.hub.test_import_ics import MEETING, WEEKLY, at, calendar, event, local

from kokubus_hub import database, models
from kokubus_hub.bookings import service
from kokubus_hub.bookings.wanted import Wanted
from kokubus_hub.calendars import feeds
from kokubus_hub.calendars.polling import Poller
from kokubus_hub.imports import fetch, ics
from kokubus_hub.keys import Keyring
from kokubus_hub.problems import ProblemError

MINUTE_MS = 60_000
ROOM = "dorf-hall"
ONLY_FIRST = (
    "EXDATE;TZID=Europe/Berlin:"
    "20261009T180000,20261016T180000,20261023T180000,20261030T180000,20261106T180000,"
    "20261113T180000,20261120T180000,20261127T180000,20261204T180000\r\nRRULE"
)


class Following:
    """A hub that follows one calendar, and a clock."""

    def __init__(self, engine: Engine, keyring: Keyring, says: Says) -> None:
        self.engine, self.keyring, self.says, self.now = engine, keyring, says, NOW
        self.private: tuple[str, ...] = ("localhost",)

    def follow(self, **more: Any) -> None:
        wanted = feeds.Wanted(room=ROOM, url=self.says.url, **more)
        with database.writing(self.engine) as connection:
            feeds.follow(connection, self.keyring, wanted, self.now)

    def poll(self, after_ms: int = feeds.EVERY_MS) -> dict[str, Any]:
        """Look at it when it is due again."""
        self.now += after_ms
        Poller(self.engine, self.keyring, lambda: self.now, self.private, read=ics.read).turn()
        return self.state()

    def state(self) -> dict[str, Any]:
        (feed,) = rows(self.engine, models.Feed)
        return feed

    def confirm(self) -> None:
        with database.writing(self.engine) as connection:
            feeds.confirm(connection, ROOM, self.now)

    def in_force(self) -> int:
        booked = rows(self.engine, models.Booking)
        return sum(row["status"] == "confirmed" for row in booked)

    def alarms(self) -> list[str]:
        found = rows(self.engine, models.Alarm)
        return [row["kind"] for row in found if row["cleared_at"] is None]


@pytest.fixture
def following(tmp_path: Path) -> Iterator[Following]:
    with small_hub(tmp_path) as engine, serving() as says:
        add_member(engine, "Anna", "m-aaaaaaaa")
        says.content = calendar(MEETING, WEEKLY)
        made = Following(engine, Keyring.create(tmp_path / "keys"), says)
        made.follow()
        yield made


def test_its_events_become_bookings(following: Following) -> None:
    assert following.poll(0)["state"] == "ok"
    assert following.in_force() == 4
    assert following.alarms() == []
    assert following.state()["next_at"] == NOW + feeds.EVERY_MS


def test_its_address_is_kept_sealed(following: Following) -> None:
    assert b"hunter2" not in following.state()["url"]
    following.says.status = 404
    assert "hunter2" not in following.poll(0)["detail"]


def test_what_did_not_change_is_not_loaded_again(following: Following) -> None:
    following.poll(0)
    changes = len(rows(following.engine, models.Change))
    following.poll()
    assert "If-None-Match" in following.says.asked[1]
    assert following.state()["state"] == "ok"
    assert len(rows(following.engine, models.Change)) == changes


def test_it_is_looked_at_when_it_is_due(following: Following) -> None:
    following.poll(0)
    following.poll(feeds.EVERY_MS - 1)
    assert len(following.says.asked) == 1
    following.poll(1)
    assert len(following.says.asked) == 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"status": 500}, "500"),
        ({"status": 404}, "404"),
        ({"content": b""}, "no calendar"),
        ({"content": b"<html>Wartungsarbeiten</html>"}, "no calendar"),
        ({"content": calendar(MEETING)[:-20]}, "not complete"),
        ({"missing": 20}, "the rest is missing"),
        ({"endless": True}, "over 10 MB"),
        ({"status": 302, "location": "file:///etc/passwd"}, "cannot be fetched"),
        ({"content": calendar(event("x", *at("20200101T0900"), "RRULE:FREQ=MINUTELY"))}, ""),
    ],
)
def test_whatever_is_wrong_revokes_nothing_and_warns(
    following: Following, wrong: dict[str, Any], said: str
) -> None:
    following.poll(0)
    before = rows(following.engine, models.Booking)
    good = following.says.content
    for name, value in wrong.items():
        setattr(following.says, name, value)
    following.says.etag = False
    state = following.poll()
    assert state["state"] == "failing"
    assert said in state["detail"]
    assert rows(following.engine, models.Booking) == before
    assert following.alarms() == ["calendar_failed"]
    following.says.status, following.says.content, following.says.missing = 200, good, 0
    following.says.endless = False
    assert following.poll()["state"] == "ok"
    assert following.alarms() == []


def test_a_server_that_is_too_slow(following: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    following.poll(0)
    monkeypatch.setattr(fetch, "TIMEOUT_S", 0.05)
    following.says.wait_s = 0.5
    assert following.poll()["state"] == "failing"
    assert following.in_force() == 4


def test_while_it_fails_it_is_asked_less_and_less(following: Following) -> None:
    following.says.status = 503
    waits = []
    for _ in range(12):
        state = following.poll(max(0, following.state()["next_at"] - following.now))
        waits.append((state["next_at"] - following.now) // MINUTE_MS)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]


def test_one_that_lost_more_than_half_waits_for_somebody(following: Following) -> None:
    following.poll(0)
    following.says.content = calendar(MEETING)
    state = following.poll()
    assert (state["state"], following.alarms()) == ("shrunk", ["calendar_shrunk"])
    assert "3 of 4" in state["detail"]
    assert following.in_force() == 4
    following.poll()
    assert following.in_force() == 4, "saying it again is no confirmation"
    following.confirm()
    following.says.content = calendar()
    following.poll()
    assert following.in_force() == 4, "it shrank further than what was confirmed"
    following.says.content = calendar(MEETING)
    assert following.poll()["state"] == "ok"
    assert (following.in_force(), following.alarms()) == (1, [])
    with pytest.raises(ProblemError, match="does not wait"):
        following.confirm()


FRIDAYS = event("f", *at("20261002T180000"), "RRULE:FREQ=WEEKLY;COUNT=10")


def test_a_series_that_lost_its_rule_waits_too(following: Following) -> None:
    """Its event is still there, nine of its ten occurrences are not."""
    following.says.content = calendar(FRIDAYS)
    following.poll(0)
    following.says.content = calendar(event("f", *at("20261002T180000")))
    state = following.poll()
    assert (state["state"], following.in_force()) == ("shrunk", 10)
    following.confirm()
    assert (following.poll()["state"], following.in_force()) == ("ok", 1)


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (("RRULE", ONLY_FIRST), 1),
        (("20261002", "20261003"), 10),
        (("COUNT=10", "COUNT=6"), 6),
    ],
)
def test_a_series_may_be_changed(following: Following, change: tuple[str, str], left: int) -> None:
    """By naming what does not take place, by another day of the week, by a little less."""
    following.says.content = calendar(FRIDAYS)
    following.poll(0)
    following.says.content = calendar(FRIDAYS.replace(*change))
    assert (following.poll()["state"], following.in_force()) == ("ok", left)


def test_one_that_is_whole_again_waits_no_longer(following: Following) -> None:
    """Its server says that it is what was imported: nothing has to be confirmed."""
    following.poll(0)
    whole, following.says.content = following.says.content, calendar(MEETING)
    assert following.poll()["state"] == "shrunk"
    following.says.content = whole
    assert following.poll()["state"] == "ok"
    assert (following.in_force(), following.alarms()) == (4, [])
    with pytest.raises(ProblemError, match="does not wait"):
        following.confirm()


def test_who_waits_for_a_seat_gets_it_though_the_calendar_is_the_same(following: Following) -> None:
    member = add_member(following.engine, "Bea", "m-bbbbbbbb")
    span = (times(2026, 9, 22, 9), times(2026, 9, 22, 10))
    wanted = Wanted(room=ROOM, member="m-bbbbbbbb", span=span)
    with database.writing(following.engine) as connection:
        first = service.make(connection, wanted, NOW)
    assert first.member_id == member
    following.says.content = calendar(MEETING)
    following.poll(0)
    mine = rows(following.engine, models.Booking)[1]
    assert (mine["external_uid"], mine["status"]) == ("a", "conflict")
    with database.writing(following.engine) as connection:
        service.cancel(connection, first.id, following.now)
    following.poll()
    assert rows(following.engine, models.Booking)[1]["status"] == "confirmed"
    asked = len(following.says.asked)
    following.poll()
    assert "If-None-Match" in following.says.asked[asked]


def times(*when: int) -> datetime:
    return datetime.fromtimestamp(local(*when) / 1000, UTC)


def test_an_empty_calendar_revokes_nothing(following: Following) -> None:
    following.poll(0)
    following.says.content = calendar()
    assert following.poll()["state"] == "shrunk"
    assert following.in_force() == 4


def test_what_is_said_to_be_cancelled_needs_nobody(following: Following) -> None:
    following.poll(0)
    gone = "STATUS:CANCELLED\r\nEND:V"
    following.says.content = calendar(MEETING.replace("END:V", gone), WEEKLY.replace("END:V", gone))
    assert following.poll()["state"] == "ok"
    assert following.in_force() == 0


def test_private_networks_are_not_for_calendars(following: Following) -> None:
    following.private = ()
    state = following.poll(0)
    assert "private network" in state["detail"]
    assert following.says.asked == []


def test_a_redirect_into_a_private_network_is_refused(following: Following) -> None:
    following.says.status = 302
    following.says.location = f"http://127.0.0.1:{following.says.port}/"
    state = following.poll(0)
    assert "127.0.0.1 is in a private network" in state["detail"]
    assert len(following.says.asked) == 1


PRIVATE = """127.0.0.1 10.1.2.3 192.168.0.1 169.254.169.254 100.64.0.1 0.0.0.0 ::1 fe80::1%eth0
fd00::1 ::ffff:10.0.0.1 2002:0a00:0001:: 64:ff9b::a00:1 224.0.0.1 ::"""


@pytest.mark.parametrize("number", PRIVATE.split())
def test_numbers_that_are_not_public(number: str) -> None:
    assert not fetch._public(number)
    assert fetch._public("93.184.215.14")
    assert fetch._public("2606:2800:220:1::1")
    assert fetch._public("64:ff9b::5db8:d70e")


def test_following_no_longer_leaves_the_bookings(following: Following) -> None:
    following.poll(0)
    following.says.status = 500
    following.poll()
    with database.writing(following.engine) as connection:
        feeds.forget(connection, 1, following.now)
    assert rows(following.engine, models.Feed) == []
    assert (following.in_force(), following.alarms()) == (4, [])
