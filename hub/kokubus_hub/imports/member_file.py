"""What the lines of a members file and a badges file say, checked one by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from zoneinfo import ZoneInfo

from kokubus.messages import Instant
from kokubus_hub.imports import csv_file, uid
from kokubus_hub.imports.csv_file import Columns, Line
from kokubus_hub.imports.problems import Problem

_WHEN: Columns = {
    "start": ("gültig ab", "gueltig ab", "von", "ab", "valid from", "from", "start"),
    "end": ("gültig bis", "gueltig bis", "bis", "valid until", "until", "to", "end"),
}
_WHO: Columns = {
    "email": ("e-mail", "email", "mail", "e-mail-adresse", "emailadresse", "e-mail address"),
    "member": ("kennung", "mitglied", "member", "member id"),
}
MEMBER_COLUMNS: Columns = {
    "name": ("name",),
    "first": ("vorname", "first name", "firstname", "given name"),
    "last": ("nachname", "familienname", "last name", "lastname", "surname"),
    **_WHO,
    "language": ("sprache", "language"),
    "status": ("status",),
    **_WHEN,
}
BADGE_COLUMNS: Columns = {
    "uid": ("uid", "karten-uid", "ausweis-uid", "badge uid", "card uid"),
    "label": ("nummer", "ausweisnummer", "kartennummer", "number", "label", "badge number"),
    **_WHO,
    "status": ("status",),
    **_WHEN,
}
_MEMBER_STATUS = {
    "aktiv": "active",
    "active": "active",
    "gesperrt": "suspended",
    "suspended": "suspended",
}
_BADGE_STATUS = {
    "aktiv": "active",
    "active": "active",
    "gesperrt": "blocked",
    "blocked": "blocked",
    "verloren": "lost",
    "lost": "lost",
    "ersetzt": "replaced",
    "replaced": "replaced",
}
_LANGUAGES = {
    "de": "de",
    "deutsch": "de",
    "german": "de",
    "en": "en",
    "englisch": "en",
    "english": "en",
}
_EMAIL = re.compile(r"[^\s@,;<>]+@[^\s@,;<>]+\.[^\s@,;<>]+")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLine:
    """A member as a file has them; None where it says nothing."""

    line: int
    name: str
    email: str | None
    slug: str | None
    language: str | None
    status: str | None
    start: Instant | None
    end: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BadgeLine:
    """A badge as a file has it; holder by ``email`` or ``slug``, or by neither."""

    line: int
    uid: str
    label: str | None
    email: str | None
    slug: str | None
    status: str | None
    start: Instant | None
    end: Instant | None

    def __repr__(self) -> str:
        return f"BadgeLine(line={self.line}, uid=...)"


class _Checks:
    """Reads fields of one line and collects what is wrong with them."""

    def __init__(self, line: Line, problems: list[Problem]) -> None:
        self._line = line
        self._problems = problems
        self._before = len(problems)

    @property
    def good(self) -> bool:
        return len(self._problems) == self._before

    def wrong(self, text: str) -> None:
        self._problems.append(Problem(self._line.number, text))

    def read(self, name: str, parse: Callable[[str], T]) -> T | None:
        text = self._line.get(name)
        try:
            return parse(text) if text else None
        except ValueError as error:
            self.wrong(str(error))
            return None

    def period(self, zone: ZoneInfo) -> tuple[Instant | None, Instant | None]:
        start = self.read("start", lambda text: csv_file.day_start(text, zone))
        end = self.read("end", lambda text: csv_file.day_end(text, zone))
        if start is not None and end is not None and end <= start:
            self.wrong("valid until a day before valid from; swap them")
        return start, end


def member_line(line: Line, zone: ZoneInfo, problems: list[Problem]) -> MemberLine | None:
    """The member on this line; None if ``problems`` were added."""
    checks = _Checks(line, problems)
    name = line.get("name") or f"{line.get('first')} {line.get('last')}".strip()
    email, slug = checks.read("email", _email), line.get("member") or None
    if not name:
        checks.wrong("name is missing")
    if checks.good and not email and not slug:
        checks.wrong("e-mail address is missing; it is what members are recognised by")
    language = checks.read("language", lambda text: _word(text, _LANGUAGES, "language"))
    status = checks.read("status", lambda text: _word(text, _MEMBER_STATUS, "member's status"))
    start, end = checks.period(zone)
    made = MemberLine(
        line=line.number,
        name=name[:200],
        email=email,
        slug=slug,
        language=language,
        status=status,
        start=start,
        end=end,
    )
    return made if checks.good else None


def badge_line(line: Line, zone: ZoneInfo, problems: list[Problem]) -> BadgeLine | None:
    """The badge on this line; None if ``problems`` were added."""
    checks = _Checks(line, problems)
    found = checks.read("uid", uid.canonical)
    if not line.get("uid"):
        checks.wrong("UID is missing")
    if found and uid.tells(line.get("label"), found):
        checks.wrong("the number is the badge's own UID; print one on it that does not tell it")
    if len(line.get("label")) > 64:
        checks.wrong("badge number is longer than 64 characters")
    email = checks.read("email", _email)
    status = checks.read("status", lambda text: _word(text, _BADGE_STATUS, "badge's status"))
    start, end = checks.period(zone)
    made = BadgeLine(
        line=line.number,
        uid=found or "",
        label=line.get("label") or None,
        email=email,
        slug=line.get("member") or None,
        status=status,
        start=start,
        end=end,
    )
    return made if checks.good else None


def _email(text: str) -> str:
    address = text.removeprefix("mailto:").lower()
    if not _EMAIL.fullmatch(address) or len(address) > 254:
        raise ValueError(f"{text[:60]!r} is no e-mail address")
    return address


def _word(text: str, known: Mapping[str, str], what: str) -> str:
    try:
        return known[text.casefold()]
    except KeyError as error:
        raise ValueError(f"{text[:40]!r} is no {what}; known: {', '.join(known)}") from error
