"""The content lines of a calendar (RFC 5545, 3.1) as its parser is given them: few, and quick.

The library walks through a line character by character, which is most of the time that a large
calendar takes. A line without quotes and backslashes needs no such care.
"""

from __future__ import annotations

import re

from icalendar.parser import Contentline, Contentlines, Parameters

_FOLD = re.compile(rb"(?:\r\n?|\n)[ \t]")
_NAME = re.compile(rb"[A-Za-z0-9-]+(?=[;:])")
_WORDS = frozenset(
    b"BEGIN END UID DTSTART DTEND DURATION RRULE RDATE EXDATE RECURRENCE-ID SUMMARY STATUS "
    b"ORGANIZER ATTENDEE CATEGORIES".split()
)
_SAID = r"[\w.@/+-]++(?: [\w.@/+-]++)*+"
_PLAIN = re.compile(rf"([A-Za-z0-9-]++)((?:;[A-Za-z0-9-]++={_SAID})*+):([^\\]*+)")
_PARAMETER = re.compile(rf";([A-Za-z0-9-]+)=({_SAID})")


class _Line(Contentline):
    """A line that is taken apart at once where it is plain."""

    def parts(self) -> tuple[str, Parameters, str]:
        """(name, parameters, value), as the library finds them."""
        plain = _PLAIN.fullmatch(self)
        if plain is None:
            return super().parts()
        name, said, value = plain.groups()
        return name, Parameters(_PARAMETER.findall(said)), value


def needed(content: bytes) -> Contentlines:
    """The lines that say what we ask for: a description may be long, and reading is slow.

    Lines are unfolded first. Time zones stay as they are; alarms, tasks and whatever else stands
    in or beside an event go.
    """
    kept = Contentlines()
    within: list[bytes] = []
    for line in _FOLD.sub(b"", content).splitlines():
        name = _NAME.match(line)
        word = name[0].upper() if name else b""
        if word == b"BEGIN":
            within.append(line[6:].strip().upper())
        blocks = within[1:2]
        zone, event = blocks == [b"VTIMEZONE"], within[1:] == [b"VEVENT"]
        if len(within) < 2 or zone or (event and (word in _WORDS or not word)):
            kept.append(_Line(line))  # type: ignore[no-untyped-call]  # icalendar's
        if word == b"END" and within:
            within.pop()
    return kept
