"""``kokubus demo start``: the network comes up, people come, and all of it goes at Ctrl-C."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager

from kokubus_cli.demo.cast import everybody
from kokubus_cli.demo.folder import Folder
from kokubus_cli.demo.people import People
from kokubus_cli.demo.processes import Ended
from kokubus_cli.demo.stage import Stage, raised, wall_clock
from kokubus_cli.demo.village import Village
from kokubus_cli.demo.weather import Weather
from kokubus_cli.demo.welcome import welcome
from kokubus_hub.cli_admin import sign_in_url

REST_S = 3600.0


def show(here: Folder, given: argparse.Namespace, began: float, *, prefix: str) -> int:
    """Show it until it is to end; 0. ``began``: monotonic seconds, of the very start."""
    print("Starting broker, hub and five agents ...", flush=True)
    try:
        with raised(here, everybody(), given.port, wall_clock) as (stage, token):
            took_s = time.monotonic() - began
            link = sign_in_url(stage.settings, token)
            said = welcome(here, stage.settings, link, took_s, prefix=prefix, speed=given.speed)
            with _life(stage, given):
                print(said, flush=True)
                _rest(stage, given.duration)
    except Ended:
        pass
    print("Ended.", flush=True)
    return 0


def _rest(stage: Stage, duration: float | None) -> None:
    if duration is not None:
        stage.processes.rest(duration)
        return
    while True:
        stage.processes.rest(REST_S)


@contextmanager
def _life(stage: Stage, given: argparse.Namespace) -> Iterator[None]:
    """Air in every room, and people unless nobody is to come by themselves."""
    doors = stage.devices
    village = Village(stage.sites, lambda door, request: stage.ask(doors[door], request))
    cast = [] if given.quiet_people else [one for one in everybody() if not one.yours]
    weather = Weather(stage.sites, village.people, stage.ask, given.speed)
    people = People(cast, village, given.speed)
    weather.start()
    people.start()
    try:
        yield
    finally:
        people.stop()
        weather.stop()
