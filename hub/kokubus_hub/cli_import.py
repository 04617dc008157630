"""``kokubus hub import``: members, badges and bookings from files."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from kokubus.messages import Instant
from kokubus_hub.cli_admin import Commands, opened
from kokubus_hub.imports import fetch
from kokubus_hub.imports.bookings import import_bookings
from kokubus_hub.imports.members import File, import_members
from kokubus_hub.imports.problems import ImportFileError, Problem, Result
from kokubus_hub.keys import Keyring
from kokubus_hub.settings import Settings

_TEXT = "import members and badges (CSV), or a room's bookings (.ics file or address)"
_USES = """
  kokubus hub import members.csv [badges.csv]
  kokubus hub import bookings calendar.ics --room ROOM
  kokubus hub import bookings https://example.org/calendar.ics --room ROOM --complete

A file is imported whole or not at all; every mistake in it is listed with its line.
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the sub-command ``import``."""
    raw = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser(
        "import", help=_TEXT, description=_TEXT, epilog=_USES, formatter_class=raw
    )
    command.add_argument("files", nargs="+", metavar="FILE", help="see below")
    command.add_argument("--room", help="whose bookings they are")
    command.add_argument("--complete", action="store_true", help="cancel what is not in the file")
    command.set_defaults(run=_import)


def _import(given: argparse.Namespace, settings: Settings, _now: Instant) -> int:
    if given.files[0] == "bookings" or given.room:
        result = _bookings(given, settings)
    else:
        result = _members(given, settings)
    _print(result)
    return 0


def _bookings(given: argparse.Namespace, settings: Settings) -> Result:
    places = given.files[1:] if given.files[0] == "bookings" else given.files
    if len(places) != 1 or not given.room:
        raise _wrong("bookings", "give one .ics file or address, and --room ROOM")
    content = fetch.load(places[0])
    with opened(settings) as engine:
        return import_bookings(
            engine, places[0], content, given.room, _clock, complete=given.complete
        )


def _members(given: argparse.Namespace, settings: Settings) -> Result:
    places = given.files[1:] if given.files[0] == "members" else given.files
    if len(places) not in (1, 2):
        raise _wrong("members", "give a members file and, if you like, a badges file")
    files = [_file(place) for place in places]
    keyring = Keyring.load(settings.keys_dir)
    with opened(settings) as engine:
        badges = files[1] if len(files) > 1 else None
        return import_members(engine, keyring, files[0], badges, _clock)


def _file(place: str) -> File:
    try:
        return place, Path(place).read_bytes()
    except OSError as error:
        raise _wrong(place, f"cannot be read: {error.strerror}") from error


def _print(result: Result) -> None:
    for note in result.notes:
        print(note)
    counts = f"{result.added} new, {result.changed} changed, {result.unchanged} as they were"
    print(f"{counts}, {result.cancelled} cancelled")


def _wrong(name: str, text: str) -> ImportFileError:
    return ImportFileError({name: [Problem(0, text)]})


def _clock() -> Instant:
    return time.time_ns() // 1_000_000
