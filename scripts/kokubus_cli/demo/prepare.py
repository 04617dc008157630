"""What an administrator would do by hand, once: hub, broker, sites and devices.

Everything goes through the hub's own functions, as `kokubus hub init`, `apply` and `device add`
use them. Done again in a directory that was kept, it adds what is missing.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, insert, select

from kokubus.messages import Instant
from kokubus.site import Site
from kokubus_cli.broker import lay_out
from kokubus_cli.demo.cast import Person
from kokubus_cli.demo.folder import Folder
from kokubus_edge.simulate.register import KnownBadge, Register, write_register
from kokubus_hub import database, enrolment, models
from kokubus_hub.models import table
from kokubus_hub.settings import Settings, load
from kokubus_hub.sites.apply import apply, read_sites

SITES = Path(__file__).resolve().parents[3] / "firmware_configs" / "sites"
READINGS_EVERY_S = 5
OPEN = "".join(
    f'{day} = ["00:00-24:00"]\n' for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
)
_SETTING = table(models.Setting)
_HUB_TOML = """\
# Written by the demo at each start.
mqtt_host = "127.0.0.1"
mqtt_port = {hub_port}
mqtt_ca = "mosquitto/tls/ca.crt"
mqtt_cert = "hub.crt"
mqtt_key = "hub.key"
listen_host = "127.0.0.1"
listen_port = {web_port}
"""
_AGENT_TOML = """\
# Written by the demo at each start: a real agent whose reader chip, pins and people are simulated.
device = "{device}"
site = "site.toml"
control = "{control}"
simulated = true
readings_every_s = {every}

[hub]
host = "127.0.0.1"
port = {port}
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports on loopback, chosen at each start."""

    web: int
    devices: int
    hub: int


def lay_out_sites(here: Folder) -> list[Site]:
    """The network's sites, open around the clock: the demo has to work at any hour."""
    for path in sorted(SITES.glob("*.toml")):
        text = path.read_text("utf-8")
        note = "# The demo's copy: open around the clock, so that it works at any hour.\n"
        (here.sites / path.name).write_text(note + around_the_clock(text), "utf-8")
    return read_sites(here.sites)


def around_the_clock(text: str) -> str:
    """A site's TOML with its opening hours replaced."""
    return re.sub(r"(?m)^\[opening\]\n(?:(?!^\[).*\n)*", f"[opening]\n{OPEN}\n", text)


def lay_out_hub(here: Folder, ports: Ports, now: Instant) -> Settings:
    """The hub's directory with keys, CA and the broker's configuration on these ports."""
    here.hub.mkdir(mode=0o700, exist_ok=True)
    toml = _HUB_TOML.format(hub_port=ports.hub, web_port=ports.web)
    (here.hub / "hub.toml").write_text(toml, "utf-8")
    shutil.rmtree(here.broker / "config", ignore_errors=True)
    lay_out(here.broker, device_port=ports.devices, hub_port=ports.hub)
    settings = load({}, here.hub)
    enrolment.set_up(settings, now)
    return settings


def lay_out_places(engine: Engine, sites: Sequence[Site], now: Instant) -> None:
    """The database's tables, the sites in them, and the word "simulated" for the page."""
    database.migrate(engine)
    with database.writing(engine) as connection:
        apply(connection, sites, now)
        if connection.execute(select(_SETTING).where(_SETTING.c.key == "demo")).first() is None:
            connection.execute(insert(_SETTING).values(key="demo", value="1"))


def enrol(
    here: Folder, settings: Settings, engine: Engine, device: str, site: str, now: Instant
) -> None:
    """A device's identity, unless it was kept."""
    folder = here.device(device)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copy(here.sites / f"{site}.toml", folder / "site.toml")
    if not (folder / "identity" / "identity.json").exists():
        identity = folder / "identity"
        enrolment.enrol(settings, engine, device, site, identity, now, again=True)


def tell_agent(here: Folder, device: str, port: int) -> Path:
    """The device's agent.toml, which finds the broker at ``port``."""
    path = here.device(device) / "agent.toml"
    toml = _AGENT_TOML.format(
        device=device, control=here.control(device), every=READINGS_EVERY_S, port=port
    )
    path.write_text(toml, "utf-8")
    return path


def register(here: Folder, sites: Iterable[Site], cast: Iterable[Person]) -> Register:
    """Make known which door listens where, and whose badges there are."""
    made = Register(
        {door.id: here.control(door.device) for site in sites for door in site.doors},
        {person.badge: KnownBadge(person.uid, person.name) for person in cast},
    )
    write_register(here.root, made)
    return made
