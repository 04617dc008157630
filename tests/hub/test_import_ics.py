"""Bookings from calendars: the same file again finds them, a broken one changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, insert, update
from tests.hub.small_hub import NOW, add_member, rows, small_hub

from kokubus_hub import database, models
from kokubus_hub.bookings import service
from kokubus_hub.imports import ics, staging
from kokubus_hub.imports.bookings import import_bookings
from kokubus_hub.imports.problems import ImportFileError, Result
from kokubus_hub.imports.slots import Calendar
from kokubus_hub.models import table

ANNA = "ORGANIZER;CN=Anna:mailto:Anna@example.org"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with small_hub(tmp_path) as made:
        add_member(made, "Anna", "m-aaaaaaaa")
        add_member(made, "Bea", "m-bbbbbbbb")
        yield made


def event(uid: str, *lines: str, who: str = ANNA) -> str:
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{uid}", *lines, who, "END:VEVENT", ""])


def calendar(*events: str) -> bytes:
    head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//\r\n"
    return (head + "".join(events) + "END:VCALENDAR\r\n").encode()


def at(time: str, length: str = "PT1H") -> tuple[str, str]:
    return f"DTSTART;TZID=Europe/Berlin:{time}", f"DURATION:{length}"


class Importer:
    def __init__(self, engine: Engine) -> None:
        self.engine, self.now = engine, NOW

    def __call__(self, *events: str, complete: bool = False) -> Result:
        return self.file(calendar(*events), complete=complete)

    def file(self, content: bytes, room: str = "dorf-hall", *, complete: bool = False) -> Result:
        clock = partial(getattr, self, "now")
        return import_bookings(
            self.engine, "room.ics", content, room, clock, complete=complete, read=ics.read
        )

    def refused(self, content: bytes, room: str = "dorf-hall") -> list[str]:
        with pytest.raises(ImportFileError) as caught:
            self.file(content, room)
        assert rows(self.engine, models.Booking) == []
        assert rows(self.engine, models.Change) == []
        *lines, last = str(caught.value).splitlines()
        assert last == "nothing was imported"
        return lines

    def bookings(self) -> list[dict[str, Any]]:
        return rows(self.engine, models.Booking)

    def in_force(self) -> list[int]:
        return [row["start"] for row in self.bookings() if row["status"] == "confirmed"]


@pytest.fixture
def importing(engine: Engine) -> Importer:
    return Importer(engine)


def local(*when: int) -> int:
    return int(datetime(*when, tzinfo=ZoneInfo("Europe/Berlin")).timestamp() * 1000)  # type: ignore[arg-type]


TUESDAY = local(2026, 9, 22)
MEETING = event("a", *at("20260922T090000"), "SUMMARY:Chor")
WEEKLY = event("w", *at("20261012T090000"), "RRULE:FREQ=WEEKLY;COUNT=3")
"""Three Mondays; between the second and the third the clocks go back."""


def test_a_booking_is_its_organizers(importing: Importer) -> None:
    assert importing(MEETING).added == 1
    (booking,) = importing.bookings()
    (change,) = rows(importing.engine, models.Change)
    expected = {
        "room_id": 1,
        "member_id": 1,
        "start": local(2026, 9, 22, 9),
        "end": local(2026, 9, 22, 10),
        "whole_day": False,
        "date": None,
        "status": "confirmed",
        "title": "Chor",
        "source": "ics:dorf-hall",
        "external_uid": "a",
        "recurrence_id": "",
        "change_id": change["id"],
    }
    assert expected.items() <= booking.items()
    assert (change["site_id"], change["what"]) == (1, "bookings of dorf-hall imported")


def test_the_same_file_again_changes_nothing(importing: Importer) -> None:
    importing(MEETING, WEEKLY)
    before = importing.bookings()
    result = importing(MEETING, WEEKLY)
    assert (result.added, result.changed, result.unchanged) == (0, 0, 4)
    assert importing.bookings() == before
    assert len(rows(importing.engine, models.Change)) == 1


def test_repetitions_keep_to_the_wall_clock(importing: Importer) -> None:
    importing(WEEKLY)
    starts = [local(2026, 10, day, 9) for day in (12, 19, 26)]
    assert importing.in_force() == starts
    assert starts[2] - starts[1] == (7 * 24 + 1) * 3_600_000


def test_a_moved_and_a_cancelled_occurrence(importing: Importer) -> None:
    importing(WEEKLY)
    moved = event("w", "RECURRENCE-ID;TZID=Europe/Berlin:20261019T090000", *at("20261020T110000"))
    gone = event(
        "w",
        "RECURRENCE-ID;TZID=Europe/Berlin:20261026T090000",
        *at("20261026T090000"),
        "STATUS:CANCELLED",
    )
    result = importing(WEEKLY, moved, gone)
    assert (result.changed, result.cancelled, result.unchanged) == (1, 1, 1)
    assert importing.in_force() == [local(2026, 10, 12, 9), local(2026, 10, 20, 11)]
    assert importing(WEEKLY, moved, gone).unchanged == 2


def test_an_excluded_occurrence_is_cancelled(importing: Importer) -> None:
    importing(WEEKLY)
    excluded = WEEKLY.replace("END:V", "EXDATE;TZID=Europe/Berlin:20261019T090000\r\nEND:V")
    assert importing(excluded).cancelled == 1
    assert importing.in_force() == [local(2026, 10, 12, 9), local(2026, 10, 26, 9)]
    assert importing(WEEKLY).changed == 1


def test_an_event_that_was_moved_moves_its_booking(importing: Importer) -> None:
    importing(MEETING)
    result = importing(event("a", *at("20260923T090000"), "SUMMARY:Chor"))
    assert (result.added, result.changed, result.cancelled) == (0, 1, 0)
    assert importing.in_force() == [local(2026, 9, 23, 9)]


def test_what_the_file_no_longer_holds_stays_unless_it_is_complete(importing: Importer) -> None:
    importing(MEETING, WEEKLY)
    result = importing(MEETING)
    assert result.cancelled == 0
    assert result.notes == [
        "3 bookings of earlier imports are not in this file and stay; --complete would cancel them"
    ]
    assert importing(MEETING, complete=True).cancelled == 3
    assert importing.in_force() == [local(2026, 9, 22, 9)]
    latest = max(row["id"] for row in rows(importing.engine, models.Change))
    assert {row["change_id"] for row in importing.bookings()} == {1, latest}


def test_whole_days(importing: Importer) -> None:
    one = event("d", "DTSTART;VALUE=DATE:20260922")
    three = event("e", "DTSTART;VALUE=DATE:20261024", "DTEND;VALUE=DATE:20261027")
    importing(one, three)
    bookings = importing.bookings()
    assert [row["date"] for row in bookings] == [
        "2026-09-22",
        "2026-10-24",
        "2026-10-25",
        "2026-10-26",
    ]
    assert {row["whole_day"] for row in bookings} == {True}
    assert (bookings[2]["start"], bookings[2]["end"]) == (
        local(2026, 10, 25),
        local(2026, 10, 26),
    )
    assert importing(one, three).unchanged == 4


def test_times_without_a_zone_are_the_sites(importing: Importer) -> None:
    importing(event("f", "DTSTART:20260922T090000", "DTEND:20260922T100000"))
    assert importing.in_force() == [local(2026, 9, 22, 9)]


def test_the_past_and_the_far_future_stay_out(importing: Importer) -> None:
    importing(event("y", *at("20200101T090000"), "RRULE:FREQ=YEARLY"))
    assert importing.in_force() == [local(2027, 1, 1, 9)]


def test_of_many_whole_days_those_come_that_are_ahead(importing: Importer) -> None:
    """An exhibition since January, for years: not a booking for each day of it."""
    importing(event("x", "DTSTART;VALUE=DATE:20260101", "DTEND;VALUE=DATE:20990101"))
    days = [row["date"] for row in importing.bookings()]
    assert (days[0], days[-1], len(days)) == ("2026-09-21", "2027-10-26", 401)
    assert importing(event("x", "DTSTART;VALUE=DATE:20260101")).changed == 0


def test_what_lies_on_the_road_waits_for_a_place_to_stand(importing: Importer) -> None:
    """A container between two placements: no bookings, whoever says so."""
    with database.writing(importing.engine) as connection:
        connection.execute(update(table(models.Site)).values(kind="container"))
        connection.execute(insert(table(models.Municipality)).values(slug="d", name="Dorf"))
        stands = {"site_id": 1, "municipality_id": 1, "address": "Platz"}
        connection.execute(insert(table(models.Placement)).values(start=0, end=TUESDAY, **stands))
    result = importing(MEETING)
    assert result.notes[-1].startswith("1 bookings find their seats taken")
    assert [row["status"] for row in importing.bookings()] == ["conflict"]
    (doubt,) = rows(importing.engine, models.Doubt)
    assert "in transit" in doubt["detail"]["detail"]
    assert importing(MEETING).unchanged == 1
    with database.writing(importing.engine) as connection:
        connection.execute(update(table(models.Placement)).values(end=None))
    assert importing(MEETING).changed == 1
    assert importing.in_force() == [local(2026, 9, 22, 9)]


def test_what_somebody_changes_while_the_calendar_is_read_stays(importing: Importer) -> None:
    importing(MEETING)

    def slowly(*asked: Any) -> Calendar:
        with database.writing(importing.engine) as connection:
            service.cancel(connection, 1, NOW)
        return ics.read(*asked)

    later = calendar(MEETING.replace("T0900", "T1000"))
    with pytest.raises(staging.ImportBusyError, match="changed meanwhile"):
        import_bookings(importing.engine, "room.ics", later, "dorf-hall", lambda: NOW, read=slowly)
    assert importing.bookings()[0]["status"] == "cancelled"
    assert importing.file(later).changed == 0
    (row,) = importing.bookings()
    assert (row["status"], row["start"]) == ("cancelled", local(2026, 9, 22, 10))


def test_what_is_over_is_not_cancelled_afterwards(importing: Importer) -> None:
    importing(MEETING)
    importing.now = local(2026, 9, 22, 12)
    assert importing(complete=True).cancelled == 0
    assert importing.in_force() == [local(2026, 9, 22, 9)]


def test_attendees_count_if_the_organizer_is_no_member(importing: Importer) -> None:
    who = (
        "ORGANIZER:mailto:office@example.org\r\n"
        "ATTENDEE;CN=B:MAILTO:bea@example.org\r\nATTENDEE:mailto:anna@example.org"
    )
    result = importing(event("a", *at("20260922T090000"), "SUMMARY:Chor", who=who))
    assert importing.bookings()[0]["member_id"] == 2
    assert [row["member_id"] for row in rows(importing.engine, models.BookingHolder)] == [1]
    assert result.notes == ["nobody is known as office@example.org: 'Chor', 22.09.2026 09:00"]


def test_who_is_nobody_we_know_is_listed(importing: Importer) -> None:
    stranger = event(
        "a", *at("20260922T090000"), "SUMMARY:Chor", who="ORGANIZER:mailto:x@example.org"
    )
    nobody = event("b", "DTSTART;VALUE=DATE:20260923", "SUMMARY:Fest", who="CLASS:PUBLIC")
    result = importing(stranger, nobody, MEETING.replace("UID:a", "UID:c").replace("T09", "T11"))
    assert result.added == 3
    assert [row["member_id"] for row in importing.bookings()] == [None, 1, None]
    assert result.notes == [
        "nobody is known as x@example.org: 'Chor', 22.09.2026 09:00",
        "names nobody, so it takes the room and opens nothing: 'Fest', 2026-09-23",
    ]
    doubts = {(one["kind"], one["about"]) for one in rows(importing.engine, models.Doubt)}
    assert doubts == {("nobody", "b"), ("unknown_person", "x@example.org")}


def test_a_booking_that_changes_hands_is_its_new_holders(importing: Importer) -> None:
    importing(MEETING)
    importing(MEETING.replace("Anna@", "bea@"))
    assert [row["member_id"] for row in importing.bookings()] == [2]
    assert importing(MEETING.replace("Anna@", "stranger@")).changed == 1
    assert [row["member_id"] for row in importing.bookings()] == [None]


def test_every_wrong_event_is_listed_at_once(importing: Importer) -> None:
    said = importing.refused(
        calendar(
            MEETING,
            event("1", "DTSTART:sometime", "DURATION:PT1H"),
            event("2", "DURATION:PT1H", "SUMMARY:Ohne Anfang"),
            event("3", "DTSTART:20260922T090000Z", "DTEND:20260921T090000Z"),
            event("4", "DTSTART:20260922T090000Z"),
            event("5", "DTSTART;TZID=Mars/Olympus:20260922T090000", "DURATION:PT1H"),
            event("6", "DTSTART:20260922T090000Z", "DTEND;VALUE=DATE:20260923"),
            event("7", *at("20200101T090000"), "RRULE:FREQ=SECONDLY"),
            MEETING.replace("UID:a\r\n", ""),
            event("8", *at("20260922T090000"), "DTSTART:20260923T090000"),
            event("9", "DTSTART;VALUE=DATE:PT1H"),
            event("10", "DTSTART:20260922T090000Z", "DURATION:20260922T100000Z"),
        )
    )
    expected = [
        "(1): DTSTART: ",
        "'Ohne Anfang' (2): DTSTART is missing",
        "(3): it ends before it begins",
        "(4): DTEND is missing",
        "(5): DTSTART: unknown time zone 'Mars/Olympus'",
        "(6): one of DTSTART and DTEND has a time",
        "(7): it repeats more often than daily",
        "(without UID): UID is missing",
        "(8): DTSTART stands there more than once",
        "(9): DTSTART says something of another kind",
        "(10): DURATION says something of another kind",
    ]
    assert len(said) == len(expected)
    for part in expected:
        assert any(part in line for line in said), part


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"<html></html>",
        b"BEGIN:VCALENDAR\r\nEND:VEVENT\r\n",
        calendar(MEETING)[:-30],
        calendar(MEETING)[:-15],
        calendar(MEETING).replace(b"Chor", b"Ch\0r"),
        b"\xff" * 100,
        calendar(MEETING).replace(b"TZID=Europe/Berlin", b"TZID=" + b"X" * 300),
    ],
)
def test_what_is_no_calendar(importing: Importer, content: bytes) -> None:
    (line,) = importing.refused(content)
    assert line.startswith("room.ics: no calendar")


def test_a_calendar_that_is_too_large(importing: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "over 10 MB" in importing.refused(b"x" * (ics.SIZE_LIMIT + 1))[0]
    monkeypatch.setattr(ics, "EXPANSION_LIMIT", 50)
    daily = event("d", *at("20260101T090000"), "RRULE:FREQ=DAILY")
    assert "more than 50 occurrences" in importing.refused(calendar(daily))[0]


def test_a_room_that_is_taken_for_ever_is_booked_for_the_days_that_count(
    importing: Importer,
) -> None:
    importing(event("e", "DTSTART;VALUE=DATE:20200101", "DTEND;VALUE=DATE:99991231"))
    days = [row["date"] for row in importing.bookings()]
    assert (days[0], len(days), len(set(days))) == ("2026-09-21", 401, 401)


def test_a_room_nobody_has(importing: Importer) -> None:
    (line,) = importing.refused(calendar(MEETING), "keller")
    assert line == "room.ics: there is no room 'keller'; known: dorf-hall"


def test_many_bookings_arrive_in_lots(importing: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "LOT", 7)
    importing(event("d", *at("20261001T090000"), "RRULE:FREQ=DAILY;COUNT=30"))
    bookings = importing.bookings()
    assert [row["status"] for row in bookings] == ["confirmed"] * 30
    assert {row["change_id"] for row in bookings} == {1}


def test_rooms_that_were_invited_and_people_who_declined_are_nobody(importing: Importer) -> None:
    who = (
        f"{ANNA}\r\nATTENDEE;CUTYPE=ROOM;CN=Saal:mailto:saal@example.org\r\n"
        "ATTENDEE;PARTSTAT=DECLINED:mailto:bea@example.org"
    )
    assert importing(event("a", *at("20260922T090000"), who=who)).notes == []
    assert rows(importing.engine, models.BookingHolder) == []


def test_what_people_changed_survives_the_next_import(importing: Importer) -> None:
    importing(MEETING)
    booked = table(models.Booking)
    with database.writing(importing.engine) as connection:
        connection.execute(update(booked).values(end=local(2026, 9, 22, 12)))
    assert importing(MEETING).unchanged == 1
    importing(MEETING.replace("Chor", "Probe"))
    (row,) = importing.bookings()
    assert (row["end"], row["title"]) == (local(2026, 9, 22, 12), "Probe")
    importing(MEETING.replace("Chor", "Probe").replace("T0900", "T1000"))
    (row,) = importing.bookings()
    assert row["end"] == local(2026, 9, 22, 12)
    (doubt,) = rows(importing.engine, models.Doubt)
    assert (doubt["kind"], doubt["detail"]["parts"]) == ("changed_twice", ["when"])
    assert importing("").unchanged == 0
    assert importing(complete=True).cancelled == 1


def test_who_comes_second_is_in_conflict_until_the_room_is_free(importing: Importer) -> None:
    """Two events of one room at one time: the calendar says so, the door cannot."""
    other = MEETING.replace("UID:a", "UID:b").replace("Anna@", "Bea@").replace("Chor", "Tanz")
    result = importing(MEETING, other)
    assert result.notes[-1].startswith("1 bookings find their seats taken")
    assert [row["status"] for row in importing.bookings()] == ["confirmed", "conflict"]
    assert importing(MEETING, other).unchanged == 2
    gone = MEETING.replace("END:V", "STATUS:CANCELLED\r\nEND:V")
    importing(gone, other)
    assert importing(gone, other).changed == 1
    assert [row["status"] for row in importing.bookings()] == ["cancelled", "confirmed"]
    (doubt,) = rows(importing.engine, models.Doubt)
    assert (doubt["kind"], doubt["settled"]) == ("conflict", "gone")


def test_two_events_may_change_places(importing: Importer) -> None:
    """A RECURRENCE-ID moved to another's slot, and that one to its: a circle."""
    importing(WEEKLY)

    def moved(was: str, to: str) -> str:
        return event("w", f"RECURRENCE-ID;TZID=Europe/Berlin:{was}", *at(to))

    first, second = "20261012T090000", "20261019T090000"
    result = importing(WEEKLY, moved(first, second), moved(second, first))
    assert (result.changed, result.unchanged) == (2, 1)
    assert {row["status"] for row in importing.bookings()} == {"confirmed"}
    assert sorted(importing.in_force()) == [local(2026, 10, day, 9) for day in (12, 19, 26)]
