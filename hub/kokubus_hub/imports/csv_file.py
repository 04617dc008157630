"""Tables as German Excel writes them, and as everybody else does.

Encodings: UTF-8 with or without byte order mark, UTF-16 with one ("Unicode text"), else
Windows-1252. Separators: ``;``, ``,`` or tab, whichever the header line has most of, or what
a first line ``sep=;`` says.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from kokubus.messages import Instant
from kokubus_hub.imports.problems import ImportFileError, Problem

SIZE_LIMIT = 50 * 1024 * 1024
_LAST = date.max - timedelta(days=1)
Columns = Mapping[str, Sequence[str]]
"""Field -> the headers it goes by, in small letters."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row: the number of its first line in the file, and its fields, stripped."""

    number: int
    fields: Mapping[str, str]

    def get(self, name: str) -> str:
        """The field's text; empty if the file has no such column."""
        return self.fields.get(name, "")


@dataclass(frozen=True, slots=True)
class Sheet:
    """All rows of a file, and the headers nothing was made of."""

    lines: tuple[Line, ...]
    unused: tuple[str, ...]


def read(name: str, content: bytes, columns: Columns) -> Sheet:
    """The rows of a table; ``ImportFileError`` if it is none or a header occurs twice."""
    if len(content) > SIZE_LIMIT:
        raise ImportFileError({name: [Problem(0, f"over {SIZE_LIMIT >> 20} MB; split the file")]})
    try:
        rows = list(_rows(_text(content)))
    except (UnicodeDecodeError, ValueError) as error:
        raise ImportFileError({name: [Problem(0, f"no table of text: {error}")]}) from error
    if not rows:
        raise ImportFileError({name: [Problem(0, "empty; the first line names the columns")]})
    number, header = rows[0]
    fields = _fields(name, number, header, columns)
    return Sheet(tuple(_lines(name, rows[1:], fields, len(header))), _unused(header, fields))


def day_start(text: str, zone: ZoneInfo) -> Instant:
    """The first instant of ``31.12.2026`` or ``2026-12-31``; ValueError says what is wrong."""
    return _instant(_day(text), zone)


def day_end(text: str, zone: ZoneInfo) -> Instant:
    """The first instant after that day: an end that includes the day it names.

    31.12.9999, by which many programs mean "for ever", is the last day that can be said.
    """
    return _instant(min(_day(text), _LAST) + timedelta(days=1), zone)


def _text(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    if "\0" in text:
        raise ValueError(f"line {text.count(chr(10), 0, text.index(chr(0))) + 1} holds a zero byte")
    first, _, rest = text.partition("\n")
    said = first.strip().lower()
    hinted = said.startswith("sep=") and len(said) == 5
    mark = said[4] if hinted else max(";,\t", key=first.count)
    # the csv module wants line ends as they are, so that a quoted one stays within its cell
    lines = io.StringIO(rest if hinted else text, newline="")
    reader = csv.reader(lines, delimiter=mark, strict=True)
    number = 2 if hinted else 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield number, [cell.strip() for cell in row]
            number = reader.line_num + (2 if hinted else 1)
    except csv.Error as error:
        # a quote that is never closed would take all rows after it for one name
        raise ValueError(f"line {number}: a quote that does not fit ({error})") from error


def _fields(name: str, number: int, header: list[str], columns: Columns) -> dict[int, str]:
    names = {alias: field for field, aliases in columns.items() for alias in aliases}
    fields = {
        place: names[known]
        for place, head in enumerate(header)
        if (known := " ".join(head.casefold().replace("_", " ").split())) in names
    }
    if not fields:
        wanted = ", ".join(aliases[0] for aliases in columns.values())
        raise ImportFileError({name: [Problem(number, f"no known column; expected: {wanted}")]})
    if twice := sorted({f for f in fields.values() if list(fields.values()).count(f) > 1}):
        raise ImportFileError({name: [Problem(number, f"two columns for {twice[0]!r}; keep one")]})
    return fields


def _lines(
    name: str, rows: Sequence[tuple[int, list[str]]], fields: Mapping[int, str], width: int
) -> Iterator[Line]:
    if long := [number for number, row in rows if any(row[width:])]:
        text = "more columns than the header; is a separator inside a text without quotes?"
        raise ImportFileError({name: [Problem(number, text) for number in long]})
    for number, row in rows:
        yield Line(number, {f: row[at] for at, f in fields.items() if at < len(row)})


def _unused(header: list[str], fields: Mapping[int, str]) -> tuple[str, ...]:
    return tuple(head for place, head in enumerate(header) if head and place not in fields)


def _day(text: str) -> date:
    for form in ("%d.%m.%Y", "%Y-%m-%d"):
        try:
            parsed = datetime.strptime(text, form)  # noqa: DTZ007 - a day, its zone comes after
        except ValueError:
            continue
        if parsed.year >= 2000:
            return parsed.date()
    raise ValueError(f"{text[:40]!r} is no day; write it as 31.12.2026")


def _instant(day: date, zone: ZoneInfo) -> Instant:
    return int(datetime.combine(day, time(), zone).timestamp() * 1000)
