"""Plain lines of a calendar are taken apart at once: as the library would have."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar.parser import Contentline

from kokubus_hub.imports.lines import _Line, needed

FILES = sorted((Path(__file__).parent.parent / "data").rglob("*.ics"))
PARTS = st.text(alphabet='aB1ö :;,="\\%^.@/+-_\t\x7fTZID', max_size=12)
ODD = (
    "",
    "X",
    ":",
    "SUMMARY",
    "SUMMARY:",
    "SUMMARY;:x",
    "SUMMARY;CN=:x",
    "SUMMARY;=a:x",
    "SUMMARY;CN= a:x",
    "SUMMARY;CN=a :x",
    "SUMMARY;CN=a%2Cb:x",
    "SUMMARY;CN=a^nb:x",
    "SUMMARY;CN=a;CN=b:x",
    "SUMMARY;cn=Max Müller:a\\, b",
    'SUMMARY;CN="a:b":x',
    "DTSTART;TZID=Europe/Berlin:20261025T023000",
    "ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;CN=a@b.example;X-NUM=0:x:y",
)


def told(line: Contentline) -> object:
    try:
        name, parameters, value = line.parts()
    except ValueError as error:
        return str(error)
    return name, dict(parameters), value


@pytest.mark.parametrize("line", ODD)
def test_an_odd_line(line: str) -> None:
    assert told(_Line(line)) == told(Contentline(line))


@given(st.tuples(PARTS, PARTS, PARTS, PARTS))
def test_any_line(parts: tuple[str, ...]) -> None:
    line = "N{};P{}={}:{}".format(*parts)
    assert told(_Line(line)) == told(Contentline(line))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_lines_of_real_programs(file: Path) -> None:
    lines = needed(file.read_bytes())
    assert lines
    assert [told(line) for line in lines] == [told(Contentline(line)) for line in lines]
