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
    text = "Grafana's dashboards"
    boards = commands.add_parser("dashboards", help=text, description=text)
    actions = boards.add_subparsers(required=True, metavar="COMMAND")
    text = "put the dashboards of a folder into Grafana, in the place of older versions"
    upload = actions.add_parser("upload", help=text, description=text)
    upload.add_argument("folder", type=Path, help="where the *.json are, e.g. dashboards/")
    upload.add_argument("--grafana", metavar="URL", required=True)
    upload.add_argument("--token-file", type=Path, required=True, help="a service account's token")
    upload.set_defaults(run=_upload)


def _rebuild(_given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    metrics = import_module("kokubus_hub.metrics")  # every other command does without its client
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
