"""``kokubus hub mode``, ``closure`` and ``explain``: what holds at doors, and why."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from kokubus.errors import KokubusError
from kokubus.messages import Instant, Side
from kokubus_hub import database, models
from kokubus_hub.cli_admin import Commands, group, opened
from kokubus_hub.models import table
from kokubus_hub.settings import Settings
from kokubus_hub.times import iso

_SITE, _DOOR = table(models.Site), table(models.Door)
_ZONE = "Europe/Berlin"
_WHEN = "ISO 8601; without an offset it is the site's time, e.g. 2026-12-24T18:00"


class RuleError(KokubusError):
    """What was typed cannot be done; the sentence says why."""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the sub-commands of this module."""
    _add_modes(group(commands, "mode", "lockdown and free passage"))
    _add_closures(group(commands, "closure", "times at which a site is closed"))
    text = "why a badge may or may not open a door, now or at any other time"
    why = commands.add_parser("explain", help=text, description=text)
    why.add_argument("--badge", help="its number or printed label")
    why.add_argument("--door")
    why.add_argument("--at", help=f"default: now; {_WHEN}")
    why.add_argument("--known-at", help="by what was known then")
    why.add_argument("--side", choices=[str(side) for side in Side], default=str(Side.IN))
    why.add_argument("--tap", help="a recorded tap's id, instead of badge and door")
    why.add_argument("--lang", choices=["de", "en"], default="en")
    why.set_defaults(run=_explain)


def _add_modes(modes: Commands[argparse.ArgumentParser]) -> None:
    for kind in ("lockdown", "free-passage"):
        begin = modes.add_parser(kind, help=f"begin {kind} at a door, a site or everywhere")
        where = begin.add_mutually_exclusive_group(required=True)
        where.add_argument("--door")
        where.add_argument("--site")
        where.add_argument("--everywhere", action="store_true")
        begin.add_argument("--until", required=kind != "lockdown", help=_WHEN)
        begin.add_argument("--reason", required=True)
        begin.set_defaults(run=_mode_begin, kind=kind.replace("-", "_"))
    ending = modes.add_parser("end", help="take a mode back")
    ending.add_argument("mode", type=int)
    ending.set_defaults(run=_mode_end)
    listing = modes.add_parser("list", help="modes in force or to come, and the doors that know")
    listing.set_defaults(run=_mode_list)


def _add_closures(closures: Commands[argparse.ArgumentParser]) -> None:
    closing = closures.add_parser("add", help="close a site, after a look at the bookings it hits")
    closing.add_argument("site")
    closing.add_argument("--from", dest="start", required=True, help=_WHEN)
    closing.add_argument("--until", required=True, help=_WHEN)
    closing.add_argument("--reason", default="")
    closing.add_argument("--yes", action="store_true", help="do not ask")
    closing.set_defaults(run=_closure_add)
    opening = closures.add_parser("end", help="take a closure back")
    opening.add_argument("closure", type=int)
    opening.set_defaults(run=_closure_end)
    listing = closures.add_parser("list", help="closures of a site")
    listing.add_argument("site")
    listing.set_defaults(run=_closure_list)


def _mode_begin(given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    modes = import_module("kokubus_hub.doors.modes")
    with opened(settings) as engine, database.writing(engine) as connection:
        zone = _zone(connection, given.site, given.door)
        wanted = modes.Wanted(
            kind=given.kind,
            reason=given.reason,
            door=given.door,
            site=given.site,
            end=_instant(given.until, zone),
        )
        made = modes.begin(connection, wanted, now, None)
    print(f"mode {made.row.id}: {given.kind} at {', '.join(made.doors) or 'no door'}")
    return 0


def _mode_end(given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    modes = import_module("kokubus_hub.doors.modes")
    with opened(settings) as engine, database.writing(engine) as connection:
        modes.end(connection, given.mode, None, now, None)
    print(f"mode {given.mode}: taken back")
    return 0


def _mode_list(_given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    modes = import_module("kokubus_hub.doors.modes")
    with opened(settings) as engine, database.reading(engine) as connection:
        for mode in modes.in_force(connection, now):
            row, has = mode.row, f"{len(mode.delivered)} of {len(mode.doors)} doors have it"
            where = row.door or row.site or "everywhere"
            until = iso(row.end) if row.end else "until it is taken back"
            print(row.id, row.kind, where, iso(row.start), until, has, row.reason, sep="\t")
    return 0


def _closure_add(given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    closures = import_module("kokubus_hub.sites.closures")
    with opened(settings) as engine:
        with database.reading(engine) as connection:
            site, zone = closures.site_id(connection, given.site), _zone(connection, given.site)
            start, end = _instant(given.start, zone), _instant(given.until, zone)
            hit = closures.hits(connection, site, start, end)
        for row in hit:
            print(row.id, row.room, row.member or "-", iso(row.start), iso(row.end), sep="\t")
        if hit and not given.yes and not _agreed(len(hit)):
            print("nothing was changed")
            return 1
        with database.writing(engine) as connection:
            wanted = closures.Wanted(
                site=given.site, start=start, end=end, reason=given.reason, confirmed=True
            )
            made = closures.make(connection, wanted, now, None)
    print(f"closure {made.id}: {given.site} is closed from {iso(start)} to {iso(end)}")
    return 0


def _closure_end(given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    closures = import_module("kokubus_hub.sites.closures")
    with opened(settings) as engine, database.writing(engine) as connection:
        closures.take_back(connection, given.closure, now, None)
    print(f"closure {given.closure}: taken back")
    return 0


def _closure_list(given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    closures = import_module("kokubus_hub.sites.closures")
    with opened(settings) as engine, database.reading(engine) as connection:
        for row in closures.of_site(connection, given.site, now):
            print(row.id, iso(row.start), iso(row.end), row.reason, sep="\t")
    return 0


def _explain(given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    asking = import_module("kokubus_hub.explain.asking")
    with opened(settings) as engine, database.reading(engine) as connection:
        zone = _zone(connection, None, given.door)
        question = asking.Question(
            tap=given.tap,
            badge=given.badge,
            door=given.door,
            at=_instant(given.at, zone),
            known_at=_instant(given.known_at, zone),
            side=Side(given.side),
        )
        for told in asking.answer(connection, settings, question, now, given.lang):
            _tell(told)
    return 0


def _tell(told: Any) -> None:
    who = "the hub" if told.by == "hub" else "the door by itself"
    print(f"{told.door}, {iso(told.at)}, {who}: {told.reason or told.status}")
    print(f"  {told.sentence}")
    for step in told.steps:
        print(f"    {step.rule}\t{step.finding}\t{step.sentence}")
    for flag in told.flags:
        print(f"    {flag.flag}\t{flag.sentence}")
    if told.reproduced is False:
        print(f"  but then it was decided: {told.stored.reason}")


def _zone(connection: Connection, site: str | None, door: str | None = None) -> ZoneInfo:
    wanted = select(_SITE.c.timezone)
    if site is not None:
        wanted = wanted.where(_SITE.c.slug == site)
    elif door is not None:
        wanted = wanted.join_from(_SITE, _DOOR).where(_DOOR.c.slug == door)
    return ZoneInfo(connection.execute(wanted.limit(1)).scalar() or _ZONE)


def _instant(text: str | None, zone: ZoneInfo) -> Any:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise RuleError(f"{text!r} is no time; write it as 2026-12-24T18:00") from error
    return round((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp() * 1000)


def _agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        print("not a terminal to ask at; --yes does it unasked", file=sys.stderr)
        return False
    asked = f"These {count} bookings fall into it and will open no door. Close? [y/N] "
    return input(asked).strip().lower() in ("y", "yes", "j", "ja")
