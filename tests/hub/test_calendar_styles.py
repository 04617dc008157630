"""Calendars as four programs write them, and as somebody would who means harm."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.hub.small_hub import NOW
from tests.hub.test_import_ics import ANNA, MEETING, at, calendar, event
from tests.trying import examples

from kokubus_hub.imports import apart, ics
from kokubus_hub.imports.problems import ImportFileError
from kokubus_hub.imports.slots import Slot

DATA = Path(__file__).parents[1] / "data" / "calendars"
BERLIN = ZoneInfo("Europe/Berlin")
END = NOW + 400 * 86_400_000


def read(content: bytes) -> list[Slot]:
    return ics.read("a.ics", content, BERLIN, NOW, END).slots


def local(slot: Slot) -> str:
    return slot.date or f"{datetime.fromtimestamp(slot.start / 1000, BERLIN):%m-%d %H:%M}"


def said(program: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """(when, what, who) of each occurrence."""
    slots = read((DATA / f"{program}.ics").read_bytes())
    names = (tuple(one.email.partition("@")[0] for one in slot.people) for slot in slots)
    return [(local(slot), slot.title, who) for slot, who in zip(slots, names, strict=True)]


def test_nextcloud() -> None:
    choir = "Probe des Gesangvereins, großer Saal"
    both = ("anna", "bea")
    assert said("nextcloud") == [
        ("10-16 18:00", choir, both),
        ("10-23 18:00", choir, both),
        ("11-07 10:00", "Probe des Gesangvereins, Samstag", ("anna",)),
        ("11-13 18:00", choir, both),
    ]


def test_google() -> None:
    organizer = "c_0123456789abcdef"
    assert said("google") == [
        ("10-05 09:00", "Planung", (organizer, "anna")),
        ("10-12 09:00", "Jour fixe", ("bea",)),
        ("2026-10-20", "Klausur", ("anna",)),
        ("2026-10-21", "Klausur", ("anna",)),
        ("10-26 09:00", "Jour fixe", ("bea",)),
        ("11-02 09:00", "Jour fixe", ("bea",)),
    ]


def test_outlook_with_the_time_zones_of_windows() -> None:
    council, both = "Gemeinderat", ("anna", "bea")
    assert said("outlook") == [
        ("10-13 19:00", council, both),
        ("10-27 16:00", "Bürgersprechstunde", ("anna",)),
        ("2026-11-01", "Wahl", ()),
        ("11-10 19:00", council, both),
        ("12-08 19:00", council, both),
    ]
    slots = read((DATA / "outlook.ics").read_bytes())
    assert [slot.title for slot in slots if slot.event] == ["Bürgersprechstunde"]
    assert slots[0].people[1].name == "Muster, Bea (Hauptamt)"


def test_thunderbird() -> None:
    assert said("thunderbird") == [
        ("10-10 14:00", "Nähtreff", ("bea",)),
        ("10-24 14:00", "Nähtreff", ("bea",)),
        ("2026-10-26", "Ferienprogramm", ("anna",)),
        ("2026-10-27", "Ferienprogramm", ("anna",)),
        ("2026-10-29", "Ferienprogramm", ("anna",)),
        ("2026-10-30", "Ferienprogramm", ("anna",)),
        ("10-31 14:00", "Nähtreff", ("bea",)),
    ]


@pytest.mark.slow
def test_the_process_apart_reads_the_same() -> None:
    for path in DATA.glob("*.ics"):
        content = path.read_bytes()
        assert apart.read("a", content, BERLIN, NOW, END) == ics.read(
            "a", content, BERLIN, NOW, END
        )


@pytest.mark.parametrize(
    ("start", "instant"),
    [
        ("DTSTART:20261025T023000", "2026-10-25T00:30"),
        ("DTSTART;TZID=Europe/Berlin:20261025T023000", "2026-10-25T00:30"),
        ("DTSTART;TZID=Europe/Berlin:20270328T023000", "2027-03-28T01:30"),
        ("DTSTART:20261025T003000Z", "2026-10-25T00:30"),
    ],
)
def test_half_past_two_as_the_clocks_change(start: str, instant: str) -> None:
    """RFC 5545, 3.3.5: twice is the first; a time that does not exist, the offset before it."""
    for rule in ((), ("RRULE:FREQ=DAILY;COUNT=1",)):
        slots = read(calendar(event("a", start, "DURATION:PT1H", *rule)))
        assert f"{datetime.fromtimestamp(slots[0].start / 1000, UTC):%Y-%m-%dT%H:%M}" == instant
        assert slots[0].end - slots[0].start == 3_600_000, "an hour is an hour"


HOSTILE = {
    "minutely for ten years": event(
        "m", *at("20200101T090000"), "RRULE:FREQ=MINUTELY;UNTIL=20300101T000000Z"
    ),
    "minutes of a day": event(
        "m",
        *at("19000101T090000"),
        f"RRULE:FREQ=DAILY;BYHOUR={','.join(map(str, range(24)))};"
        f"BYMINUTE={','.join(map(str, range(60)))}",
    ),
    "an unknown zone": event("z", "DTSTART;TZID=Mars/Olympus:20261010T100000", "DURATION:PT1H"),
    "many dates": event(
        "r", *at("20261001T090000"), "RDATE:" + ",".join(["20261002T090000Z"] * 3_000)
    ),
    "a rule that is none": event("n", *at("20261001T090000"), "RRULE:FREQ=SOMETIMES"),
    "a rule that stands still": event("s", *at("20261001T090000"), "RRULE:FREQ=DAILY;INTERVAL=0"),
    "a rule of nothing": event("n", *at("20261001T090000"), "RRULE:"),
    "reversed": event("b", "DTSTART:20261010T100000Z", "DTEND:20261009T100000Z"),
    "a negative duration": event("d", "DTSTART:20261010T100000Z", "DURATION:-PT1H"),
    "a year that is none": event("y", "DTSTART:99991231T235959Z", "DTEND:99999999T000000Z"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_means_harm_is_refused_and_said(name: str) -> None:
    with pytest.raises(ImportFileError) as caught:
        read(calendar(MEETING, HOSTILE[name]))
    assert "nothing was imported" in str(caught.value)


def test_what_circles_in_itself_ends() -> None:
    """Exceptions that move each other's occurrences about, and one of a series that is none."""
    one, two = "20261012T090000", "20261013T090000"

    def moved(was: str, to: str, uid: str = "c") -> str:
        return event(uid, f"RECURRENCE-ID;TZID=Europe/Berlin:{was}", *at(to))

    series = event("c", *at(one), "RRULE:FREQ=DAILY;COUNT=2")
    slots = read(calendar(series, moved(one, two), moved(two, one), moved(one, two, "alone")))
    assert [(local(slot), slot.uid) for slot in slots] == [
        ("10-12 09:00", "c"),
        ("10-13 09:00", "alone"),
        ("10-13 09:00", "c"),
    ]


def test_a_calendar_of_a_hundred_megabytes_is_not_even_read() -> None:
    with pytest.raises(ImportFileError, match="over 10 MB"):
        read(b"BEGIN:VCALENDAR\r\n" + b"X" * 100_000_000)


@pytest.mark.slow
def test_what_exhausts_its_process_exhausts_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "WALL_S", 3)
    events = [
        event(f"e{n}", *at("00010101T090000"), "RRULE:FREQ=DAILY;BYDAY=MO;BYSETPOS=-1")
        for n in range(2_000)
    ]
    with pytest.raises(ImportFileError, match="takes too long"):
        apart.read("a", calendar(*events), BERLIN, NOW, END)


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, 2_500), st.binary(max_size=6))
def test_a_damaged_calendar_is_read_or_refused(place: int, put: bytes) -> None:
    content = (DATA / "google.ics").read_bytes()
    place %= len(content)
    damaged = content[:place] + put + content[place + len(put) :]
    try:
        slots = read(damaged)
    except ImportFileError:
        return
    assert all(slot.start < slot.end for slot in slots)


def test_who_is_named_like_nobody() -> None:
    (slot,) = read(calendar(event("a", *at("20261001T090000"), who=f"{ANNA}\r\nATTENDEE:tel:+49")))
    assert [one.email for one in slot.people] == ["anna@example.org"]
