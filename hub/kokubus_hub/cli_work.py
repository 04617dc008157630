"""What an administrator types about metrics and dashboards."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from kokubus.errors import SettingsError
from kokubus.messages import Instant
from kokubus_hub import database
from kokubus_hub.settings import Settings, secret_in

Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the sub-commands of this module."""
    text = "project every fact to InfluxDB once more; nothing there is counted twice"
    again = commands.add_parser("rebuild-metrics", help=text, description=text)
    again.set_defaults(run=_rebuild)
    _add_metrics(commands)
    text = "work out every past estimate of occupancy once more, from recorded facts"
    past = commands.add_parser("rebuild-occupancy", help=text, description=text)
    past.add_argument("room", nargs="*", help="which rooms; all of them without")
    past.set_defaults(run=_rebuild_occupancy)
    text = "Grafana's dashboards"
    boards = commands.add_parser("dashboards", help=text, description=text)
    actions = boards.add_subparsers(required=True, metavar="COMMAND")
    _add_push(actions)
    text = "write the dashboards' files again, after a change of their source"
    make = actions.add_parser("make", help=text, description=text)
    make.add_argument("folder", type=Path, help="where they lie, e.g. dashboards/")
    make.add_argument("--docs", type=Path, help="write dashboards.md and its drawings there too")
    make.set_defaults(run=_make)


def _add_push(actions: Commands[argparse.ArgumentParser]) -> None:
    text = "put data source, folders, dashboards and alerts into Grafana, over older versions"
    push = actions.add_parser("push", help=text, description=text)
    push.add_argument("folder", type=Path, help="where de/ and en/ are, e.g. dashboards/")
    push.add_argument("--grafana", metavar="URL", required=True)
    push.add_argument("--token-file", type=Path, required=True, help="a service account's token")
    push.add_argument("--influx", metavar="URL", help="as Grafana reaches it; sets the data source")
    push.add_argument("--influx-user", default="grafana", help="who may read; default: grafana")
    push.add_argument("--influx-password-file", type=Path, help="that user's password")
    push.set_defaults(run=_push)


def _add_metrics(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "the InfluxDB that metrics are projected to"
    parser = commands.add_parser("metrics", help=text, description=text)
    actions = parser.add_subparsers(required=True, metavar="COMMAND")
    text = "make its buckets, and set how long they keep what is in them"
    actions.add_parser("init", help=text, description=text).set_defaults(run=_init)
    text = "how far the projection is, and what InfluxDB refused"
    actions.add_parser("status", help=text, description=text).set_defaults(run=_status)


def _init(_given: argparse.Namespace, settings: Settings, _now: Instant) -> int:
    for sentence in import_module("kokubus_hub.metrics.setup").prepare(settings):
        print(sentence)
    return 0


def _status(_given: argparse.Namespace, settings: Settings, _now: Instant) -> int:
    progress = import_module("kokubus_hub.metrics.progress")
    engine = database.engine(settings.database)
    try:
        with database.reading(engine) as connection:
            for line in progress.report(connection):
                print(line)
    finally:
        engine.dispose()
    return 0


def _rebuild(_given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    metrics = import_module(
        "kokubus_hub.metrics.projector"
    )  # every other command does without its client
    engine = database.engine(settings.database)
    try:
        print(f"{metrics.rebuild(engine, settings, now)} points written")
    finally:
        engine.dispose()
    return 0


def _rebuild_occupancy(given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    occupancy = import_module("kokubus_hub.occupancy.rebuild")  # same
    engine = database.engine(settings.database)
    try:
        for done in occupancy.rebuild(engine, now, given.room or None):
            print(f"{done.room}: {done.evidence} facts, {done.estimates} estimates")
    finally:
        engine.dispose()
    return 0


def _push(given: argparse.Namespace, settings: Settings, _now: Instant) -> int:
    pushing = import_module("kokubus_hub.boards.pushing")  # same
    token = secret_in(given.token_file, "--token-file")
    influx = None
    if given.influx:
        if given.influx_password_file is None:
            raise SettingsError("--influx: Grafana needs --influx-password-file to read it")
        password = secret_in(given.influx_password_file, "--influx-password-file")
        influx = pushing.Influx(given.influx, settings.influx_bucket, given.influx_user, password)
    for sentence in pushing.push(given.folder, given.grafana, token, influx):
        print(sentence)
    return 0


def _make(given: argparse.Namespace, _settings: Settings, _now: Instant) -> int:
    shipped = import_module("kokubus_hub.boards.shipped")
    changed = shipped.write(given.folder, shipped.files())
    if given.docs:
        changed += shipped.write(given.docs, shipped.documents())
    for path in changed:
        print(f"written: {path}")
    return 0
