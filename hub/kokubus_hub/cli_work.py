"""What an administrator types about metrics and dashboards."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

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
    text = "Grafana's dashboards"
    boards = commands.add_parser("dashboards", help=text, description=text)
    actions = boards.add_subparsers(required=True, metavar="COMMAND")
    text = "put the dashboards of a folder into Grafana, in the place of older versions"
    upload = actions.add_parser("upload", help=text, description=text)
    upload.add_argument("folder", type=Path, help="where the *.json are, e.g. dashboards/")
    upload.add_argument("--grafana", metavar="URL", required=True)
    upload.add_argument("--token-file", type=Path, required=True, help="a service account's token")
    upload.set_defaults(run=_upload)


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


def _upload(given: argparse.Namespace, _settings: Settings, _now: Instant) -> int:
    dashboards = import_module("kokubus_hub.dashboards")  # same
    token = secret_in(given.token_file, "--token-file")
    for title in dashboards.upload(given.folder, given.grafana, token):
        print(f"uploaded: {title}")
    return 0
