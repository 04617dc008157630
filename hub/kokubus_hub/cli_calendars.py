"""``kokubus hub calendar`` and ``platform``: where bookings come from."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Connection

from kokubus.messages import Instant
from kokubus_hub import database
from kokubus_hub.calendars import feeds, hooks
from kokubus_hub.cli_admin import Commands, opened
from kokubus_hub.keys import Keyring
from kokubus_hub.settings import Settings

MINUTE_MS = 60_000
Do = Callable[[Connection, argparse.Namespace, Settings, Instant], None]


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the sub-commands of this module."""
    calendar = _group(commands, "calendar", "calendars on the web that rooms follow")
    follow = _command(calendar, "follow", "follow a calendar from now on", _follow)
    follow.add_argument("room")
    follow.add_argument("url", help="https://... of an .ics")
    follow.add_argument("--every", type=int, default=5, metavar="MINUTES")
    follow.add_argument("--events", action="store_true", help="its events hold their doors open")
    _command(calendar, "list", "how they are", _list)
    text = "let a calendar that lost more than half of its bookings cancel them"
    _command(calendar, "confirm", text, _confirm).add_argument("room")
    text = "follow it no longer; its bookings stay"
    _command(calendar, "forget", text, _forget).add_argument("room")
    platform = _group(commands, "platform", "booking platforms that push by webhook")
    text = "let a platform push; prints its secret once, a new one if it had one"
    added = _command(platform, "add", text, _add)
    added.add_argument("platform", help="a short name, such as cobot")
    added.add_argument("--municipality", help="it may book there alone")
    _command(platform, "list", "which there are", _platforms)
    _command(platform, "revoke", "take its secret back", _revoke).add_argument("platform")


def _group(
    commands: Commands[argparse.ArgumentParser], name: str, text: str
) -> Commands[argparse.ArgumentParser]:
    group = commands.add_parser(name, help=text, description=text)
    return group.add_subparsers(required=True, metavar="COMMAND")


def _command(
    group: Commands[argparse.ArgumentParser], name: str, text: str, do: Do
) -> argparse.ArgumentParser:
    command = group.add_parser(name, help=text, description=text)
    command.set_defaults(run=_run, do=do)
    return command


def _run(given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    with opened(settings) as engine, database.writing(engine) as connection:
        given.do(connection, given, settings, now)
    return 0


def _follow(
    connection: Connection, given: argparse.Namespace, settings: Settings, now: Instant
) -> None:
    wanted = feeds.Wanted(
        room=given.room, url=given.url, every_ms=given.every * MINUTE_MS, events=given.events
    )
    feeds.follow(connection, Keyring.load(settings.keys_dir), wanted, now)
    print(f"{given.room}: followed; `kokubus hub calendar list` says what was found")


def _list(
    connection: Connection, _given: argparse.Namespace, _settings: Settings, _now: Instant
) -> None:
    for row in feeds.find(connection):
        at = row.imported_at and datetime.fromtimestamp(row.imported_at / 1000, UTC)
        since = at.isoformat(" ", "seconds") if at else "never"
        print(row.room, row.state, f"imported {since}", row.detail, sep="\t")


def _confirm(
    connection: Connection, given: argparse.Namespace, _settings: Settings, now: Instant
) -> None:
    feeds.confirm(connection, given.room, now)
    print(f"{given.room}: what is no longer in it is cancelled within seconds")


def _forget(
    connection: Connection, given: argparse.Namespace, _settings: Settings, now: Instant
) -> None:
    feeds.forget(connection, feeds.by_room(connection, given.room).room_id, now)
    print(f"{given.room}: no calendar; its bookings stay")


def _add(
    connection: Connection, given: argparse.Namespace, settings: Settings, now: Instant
) -> None:
    keyring = Keyring.load(settings.keys_dir)
    secret = hooks.add(connection, keyring, given.platform, given.municipality, now)
    print(f"{given.platform} signs with this secret, shown this once: {secret}")


def _platforms(
    connection: Connection, _given: argparse.Namespace, _settings: Settings, _now: Instant
) -> None:
    for row in hooks.find(connection):
        print(row.slug, "revoked" if row.revoked_at else "may push", sep="\t")


def _revoke(
    connection: Connection, given: argparse.Namespace, _settings: Settings, now: Instant
) -> None:
    hooks.revoke(connection, given.platform, now)
    print(f"{given.platform}: revoked")
