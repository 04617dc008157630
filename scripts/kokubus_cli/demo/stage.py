"""The whole network, from nothing to people at its doors."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, bindparam, func, select

from kokubus.messages import Instant
from kokubus.site import Site
from kokubus_cli.demo import prepare
from kokubus_cli.demo.cast import Person
from kokubus_cli.demo.folder import DemoError, Folder
from kokubus_cli.demo.processes import Processes
from kokubus_cli.demo.proxy import Networks
from kokubus_cli.ports import free_ports
from kokubus_edge.simulate.asking import ask
from kokubus_hub import database, models
from kokubus_hub.models import table
from kokubus_hub.settings import Settings

if TYPE_CHECKING:
    from kokubus_cli.demo.filling import Filled

HOST = "127.0.0.1"
WEB_PORT = 8080
BROKER_S, HUB_S, DOORS_S = 20.0, 40.0, 60.0
_DEVICE = table(models.Device)
_READY = select(func.count()).where(
    _DEVICE.c.online.is_(True), _DEVICE.c.applied_change >= bindparam("change")
)
_KNOWN = ("/usr/sbin", "/usr/local/sbin")
"""Debian keeps the broker off an ordinary user's PATH."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A network that is up."""

    here: Folder
    settings: Settings
    engine: Engine
    sites: Sequence[Site]
    processes: Processes

    def ask(self, device: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Ask a device's simulation; ControlError if it does not answer."""
        return ask(self.here.control(device), request)

    @property
    def devices(self) -> dict[str, str]:
        """The device of each door."""
        return {door.id: door.device for site in self.sites for door in site.doors}


@contextmanager
def raised(
    here: Folder, cast: Sequence[Person], port: int | None, clock: Callable[[], Instant]
) -> Iterator[tuple[Stage, str]]:
    """Bring up broker, hub, networks and agents; with a token that signs the operator in once.

    `DemoError` says what did not come up.
    """
    _need_mosquitto()
    ports = _free_ports(port)
    with ExitStack() as stack:
        sites = prepare.lay_out_sites(here)
        # entered first to be left last: agents say good-bye over it
        targets = {site.id: ports.devices for site in sites}
        networks = stack.enter_context(Networks(targets, here.orders))
        processes = stack.enter_context(Processes(here.log))
        settings = prepare.lay_out_hub(here, ports, clock())
        _start_broker(here, processes)
        engine = database.engine(settings.database)
        stack.callback(engine.dispose)
        prepare.lay_out_places(engine, sites, clock())
        _start_hub(here, processes)
        stage = Stage(here, settings, engine, sites, processes)
        _start_agents(stage, networks.ports, clock())
        prepare.register(here, sites, cast)
        filled = _fill(stage, cast, clock)
        _await(stage, ports, filled.change)
        yield stage, filled.token


def _start_broker(here: Folder, processes: Processes) -> None:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_KNOWN])
    processes.start(
        "broker", [str(here.broker / "config" / "run"), str(here.broker)], {"PATH": path}
    )


def _start_hub(here: Folder, processes: Processes) -> None:
    processes.start("hub", [*_kokubus(), "hub", "--data-dir", str(here.hub), "run"], {})


def _start_agents(stage: Stage, ports: Mapping[str, int], now: Instant) -> None:
    for site in stage.sites:
        for device in site.devices:
            prepare.enrol(stage.here, stage.settings, stage.engine, device, site.id, now)
            config = prepare.tell_agent(stage.here, device, ports[site.id])
            argv = [*_kokubus(), "edge", "run", "--config", str(config)]
            stage.processes.start(device, argv, {"GPIOZERO_PIN_FACTORY": "mock"})


def _fill(stage: Stage, cast: Sequence[Person], clock: Callable[[], Instant]) -> Filled:
    from kokubus_cli.demo.filling import fill  # noqa: PLC0415 - loads while hub and agents do

    return fill(stage.settings, stage.engine, cast, clock)


def _await(stage: Stage, ports: prepare.Ports, change: int) -> None:
    wait = stage.processes.wait
    wait(lambda: _listens(ports.devices) and _listens(ports.hub), BROKER_S, "the broker")
    wait(lambda: _listens(ports.web), HUB_S, "the hub")
    number = len({device for site in stage.sites for device in site.devices})
    wait(lambda: _ready(stage.engine, change) == number, DOORS_S, "the doors' first policies")


def _ready(engine: Engine, change: int) -> int:
    """How many devices are connected and have policies up to ``change`` on their disks."""
    with database.reading(engine) as connection:
        return int(connection.execute(_READY, {"change": change}).scalar_one())


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def _kokubus() -> list[str]:
    """The command, from the environment this very process runs in."""
    return [str(Path(sys.executable).parent / "kokubus")]


def _free_ports(web: int | None) -> prepare.Ports:
    devices, hub, other = free_ports(3)
    return prepare.Ports(_web_port(web, other), devices, hub)


def _web_port(wanted: int | None, other: int) -> int:
    for port in [WEB_PORT, other] if wanted is None else [wanted or other]:
        try:
            _bound(port).close()
        except OSError:
            continue
        return port
    raise DemoError(f"port {wanted} is taken; choose another by --port, or 0 for any")


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, port))
    except OSError:
        bound.close()
        raise
    return bound


def _need_mosquitto() -> None:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_KNOWN])
    if shutil.which("mosquitto", path=path) is None:
        raise DemoError(
            "Mosquitto is not installed; run this line, then the demo again:\n"
            "  sudo apt-get install -y --no-install-recommends mosquitto"
        )


def wall_clock() -> Instant:
    """Milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000
