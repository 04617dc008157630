"""What an administrator would do by hand, once: hub, sites, devices, members, bookings.

Everything goes through the hub's own functions, as `kokubus hub init`, `apply`, `device add` and
`import` use them. Done again in a directory that was kept, it adds what is missing.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, insert, select

from kokubus.messages import Instant
from kokubus.site import Site
from kokubus_cli.broker import lay_out
from kokubus_cli.demo.cast import EMAIL, Person
from kokubus_cli.demo.folder import Folder
from kokubus_edge.simulate.register import KnownBadge, Register, write_register
from kokubus_hub import changes, database, enrolment, models
from kokubus_hub.bookings.service import Wanted, make
from kokubus_hub.imports.members import import_members
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table
from kokubus_hub.people import service as people
from kokubus_hub.problems import ProblemError
from kokubus_hub.settings import Settings, load
from kokubus_hub.sites.apply import apply, read_sites

SITES = Path(__file__).resolve().parents[3] / "firmware_configs" / "sites"
QUARTER_MS = 15 * 60_000
MINUTE_MS = 60_000
READINGS_EVERY_S = 5
OPEN = "".join(
    f'{day} = ["00:00-24:00"]\n' for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
)
_MEMBER, _BADGE = table(models.Member), table(models.Badge)
_SITE, _SETTING = table(models.Site), table(models.Setting)
_KEYHOLDER, _ENTITLEMENT = table(models.Keyholder), table(models.Entitlement)
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


def fill(
    settings: Settings,
    engine: Engine,
    sites: Sequence[Site],
    cast: Sequence[Person],
    clock: Callable[[], Instant],
) -> str:
    """Tables, sites, members and bookings; a token that signs the operator in once."""
    database.migrate(engine)
    with database.writing(engine) as connection:
        apply(connection, sites, clock())
        if connection.execute(select(_SETTING).where(_SETTING.c.key == "demo")).first() is None:
            connection.execute(insert(_SETTING).values(key="demo", value="1"))
    keyring = Keyring.load(settings.keys_dir)
    import_members(engine, keyring, _members(cast), _badges(cast), clock)
    with database.writing(engine) as connection:
        give_rights(connection, cast, clock())
    with database.session_writing(engine) as session:
        operator = people.operator_by_email(session, EMAIL)
        operator = operator or people.add_operator(session, "Demo", EMAIL, clock())
        return people.make_link(session, operator.id, clock())


def give_rights(connection: Connection, cast: Iterable[Person], now: Instant) -> None:
    """Bookings around ``now``, standing rights and keys; those there are already stay."""
    for person in cast:
        row = connection.execute(select(_MEMBER).where(_MEMBER.c.email == person.email)).one()
        _book(connection, person, row.slug, now)
        if person.plan is not None:
            right = {"member_id": row.id, "site_id": _site(connection, person.plan)}
            _once(connection, _ENTITLEMENT, right)
        if person.key is not None:
            badge = select(_BADGE.c.id).where(_BADGE.c.member_id == row.id)
            key = {"badge_id": connection.execute(badge).scalar_one()}
            _once(connection, _KEYHOLDER, key | {"site_id": _site(connection, person.key)})
    changes.record(connection, now, "demo: rights")


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


def _book(connection: Connection, person: Person, member: str, now: Instant) -> None:
    if person.booking is None:
        return
    zero = now - now % QUARTER_MS
    start, end = (
        datetime.fromtimestamp((zero + minutes * MINUTE_MS) / 1000, UTC)
        for minutes in (person.booking.start, person.booking.end)
    )
    try:
        make(connection, Wanted(room=person.booking.room, member=member, span=(start, end)), now)
    except ProblemError as error:
        if error.status != 409:  # a kept directory has it from the last time
            raise


def _once(connection: Connection, target: Table, values: dict[str, int]) -> None:
    same = [target.c[key] == value for key, value in values.items()]
    if connection.execute(select(target.c.id).where(*same)).first() is None:
        connection.execute(insert(target).values(**values))


def _site(connection: Connection, slug: str) -> int:
    return int(connection.execute(select(_SITE.c.id).where(_SITE.c.slug == slug)).scalar_one())


def _members(cast: Iterable[Person]) -> tuple[str, bytes]:
    rows = [
        (person.name, person.email, "gesperrt" if person.suspended else "aktiv") for person in cast
    ]
    return _sheet("members.csv", ("Name", "E-Mail", "Status"), rows)


def _badges(cast: Iterable[Person]) -> tuple[str, bytes]:
    rows = [
        (person.uid, person.badge, person.email, "gesperrt" if person.blocked else "aktiv")
        for person in cast
    ]
    return _sheet("badges.csv", ("UID", "Nummer", "E-Mail", "Status"), rows)


def _sheet(name: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> tuple[str, bytes]:
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows([head, *rows])
    return name, text.getvalue().encode()
