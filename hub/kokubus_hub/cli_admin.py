"""Setting up: the database, keys, operators, API tokens and devices."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from kokubus.messages import Instant
from kokubus_hub import cli_devices, database, enrolment, restored
from kokubus_hub.devices import codes
from kokubus_hub.devices.site_states import Reception, SiteState, states
from kokubus_hub.models import Device, Operator
from kokubus_hub.people import service as people
from kokubus_hub.people.service import PeopleError
from kokubus_hub.settings import Settings

Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it

DEEDS = ("add", "code", "revoke", "list", *cli_devices.TEXTS)
"""What can be done with a device; `kokubus hub device NAME code` says it as people do."""


_FILE_STATES = {
    Reception.CURRENT: "up to date",
    Reception.TAKES_IT: "a newer one is under way",
    Reception.OFFLINE: "a newer one waits for it",
    Reception.AHEAD: "later than the hub's; apply the sites again",
    Reception.NOT_NAMED: "its site's file does not name it",
}


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the sub-commands of this module."""
    text = "make the database, keys and certificates that are missing"
    init = commands.add_parser("init", help=text, description=text)
    init.add_argument("--data-dir", type=Path, default=argparse.SUPPRESS, help="where it all is")
    init.add_argument("--operator", metavar="NAME", help="make an operator, who may sign in")
    init.add_argument("--email", help="the operator's e-mail address")
    init.set_defaults(run=_init)
    text = "bring the database's tables to this release's"
    commands.add_parser("migrate", help=text, description=text).set_defaults(run=_migrate)
    text = "after a restore from a backup: issue every policy anew, above what doors hold"
    commands.add_parser("restored", help=text, description=text).set_defaults(run=_restored)
    _add_people(commands)
    _add_devices(commands)


def _add_people(commands: Commands[argparse.ArgumentParser]) -> None:
    operators = group(commands, "operator", "who may sign in")
    adding = operators.add_parser("add", help="make an operator and a link to sign in once")
    adding.add_argument("name")
    adding.add_argument("--email", required=True)
    adding.set_defaults(run=_operator_add)
    link = operators.add_parser("link", help="a new link to sign in once")
    link.add_argument("email")
    link.set_defaults(run=_operator_link)
    tokens = group(commands, "token", "programs that may use the API")
    token = tokens.add_parser("add", help="make an API token")
    token.add_argument("name", help="what the token is for")
    token.add_argument("--operator", metavar="EMAIL", required=True, help="who answers for it")
    token.set_defaults(run=_token_add)


def _add_devices(commands: Commands[argparse.ArgumentParser]) -> None:
    devices = group(commands, "device", "the computers at the doors")
    adding = devices.add_parser("add", help="give a device its identity")
    adding.add_argument("device", help="its name, e.g. ettmannsweiler-1")
    adding.add_argument("--site", help="where it stands; not needed if the hub knows it")
    adding.add_argument("--out", "--into", type=Path, required=True, help="a folder, kept secret")
    adding.add_argument("--again", action="store_true", help="replace and revoke what it had")
    adding.set_defaults(run=_device_add)
    coding = devices.add_parser("code", help="a code that lets a device enrol once")
    coding.add_argument("device", help="its name, e.g. ettmannsweiler-1")
    coding.add_argument("--site", help="where it stands; not needed if the hub knows it")
    coding.add_argument("--hours", type=int, default=72, help="how long it lasts (72)")
    coding.set_defaults(run=_device_code)
    revoking = devices.add_parser("revoke", help="a device was stolen: take its identity away")
    revoking.add_argument("device")
    revoking.set_defaults(run=_device_revoke)
    listing = devices.add_parser("list", help="all devices and what is known of them")
    listing.set_defaults(run=_device_list)
    cli_devices.add_orders(devices)


def group(
    commands: Commands[argparse.ArgumentParser], name: str, text: str
) -> Commands[argparse.ArgumentParser]:
    """A sub-command with sub-commands of its own."""
    parser = commands.add_parser(name, help=text, description=text)
    return parser.add_subparsers(required=True, metavar="COMMAND")


def _init(given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    if bool(given.operator) != bool(given.email):
        raise PeopleError("an operator needs both --operator NAME and --email ADDRESS")
    for made in enrolment.set_up(settings, now):
        print(f"made {made}")
    with opened(settings) as engine:
        database.migrate(engine)
        print("the database is up to date")
        if given.operator:
            _first_operator(settings, engine, given, now)
    return 0


def _first_operator(
    settings: Settings, engine: Engine, given: argparse.Namespace, now: Instant
) -> None:
    with database.session_writing(engine) as session:
        known = people.operator_by_email(session, given.email)
        if known is None:
            known = people.add_operator(session, given.operator, given.email, now)
        _print_link(settings, session, known, now)


def _migrate(_given: argparse.Namespace, settings: Settings, _now: Instant) -> int:
    with opened(settings) as engine:
        database.migrate(engine)
    return 0


def _restored(_given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    with opened(settings) as engine, database.writing(engine) as connection:
        epoch = restored.begin_epoch(connection, now)
    print(f"policies are issued anew, in epoch {epoch}")
    return 0


def _operator_add(given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    with opened(settings) as engine, database.session_writing(engine) as session:
        made = people.add_operator(session, given.name, given.email, now)
        _print_link(settings, session, made, now)
    return 0


def _operator_link(given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    with opened(settings) as engine, database.session_writing(engine) as session:
        _print_link(settings, session, _operator(session, given.email), now)
    return 0


def _token_add(given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    with opened(settings) as engine, database.session_writing(engine) as session:
        operator = _operator(session, given.operator)
        token = people.make_token(session, operator.id, given.name, now)
    print(token)
    return 0


def _operator(session: Session, email: str) -> Operator:
    found = people.operator_by_email(session, email)
    if found is None:
        raise PeopleError(f"no operator has the address {email!r}; `kokubus hub operator add`")
    return found


def _print_link(settings: Settings, session: Session, operator: Operator, now: Instant) -> None:
    token = people.make_link(session, operator.id, now)
    print(f"{operator.name} signs in once, within a day: {sign_in_url(settings, token)}")


def sign_in_url(settings: Settings, token: str) -> str:
    """Where a one-time link leads."""
    return f"{settings.address}/sign-in/{token}"


def _device_add(given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    with opened(settings) as engine:
        enrolment.enrol(
            settings, engine, given.device, given.site, given.out, now, again=given.again
        )
    print(f"{given.device}: copy {given.out} to the device, then delete it here")
    if given.again:
        _cut(settings, given.device)
    return 0


def _device_code(given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    with opened(settings) as engine:
        code = codes.make(settings, engine, given.device, given.site, now, given.hours)
    print(f"{given.device} enrols once, within {given.hours} hours, with the code {code}")
    print(f"  on the device:  kokubus edge enrol --hub URL --code {code}")
    print("  or as kokubus-enrol.toml on the boot partition of its card, beside config.txt:")
    print(f'hub = "URL"\ncode = "{code}"')
    print("URL is the hub's web as the device reaches it, such as https://hub.example.org")
    return 0


def _device_revoke(given: argparse.Namespace, settings: Settings, now: Instant) -> int:
    with opened(settings) as engine:
        enrolment.revoke(settings, engine, given.device, now)
    _cut(settings, given.device)
    return 0


def _cut(settings: Settings, device: str) -> None:
    print(f"{device}: revoked what it had; waiting until its connection is cut", flush=True)
    cutting = import_module("kokubus_hub.cutting")  # every other command does without MQTT
    cutting.cut(cutting.Broker.of(settings), device)
    print(f"{device}: cut")


def _device_list(_given: argparse.Namespace, settings: Settings, _now: Instant) -> int:
    with opened(settings) as engine, database.session_reading(engine) as session:
        known = {one.device: one for one in states(session.connection())}
        for device in session.scalars(select(Device).order_by(Device.slug)):
            print(f"{device.slug}\t{_state(device)}\t{_site_file(known[device.slug])}")
    return 0


def _site_file(state: SiteState) -> str:
    """By which file of its site it runs, and whether that is the newest."""
    if state.number is None:
        return "site file: has not said"
    name = f"site file {state.number}" if state.number else "site file written by hand"
    return f"{name}: {_FILE_STATES.get(state.reception, 'is not compared')}"


def _state(device: Device) -> str:
    if device.revoked_at is not None:
        return "revoked"
    if device.lookup_key is None:
        return "without identity"
    return {None: "never heard of", True: "online", False: "offline"}[device.online]


@contextmanager
def opened(settings: Settings) -> Iterator[Engine]:
    """The settings' database, closed at the end."""
    engine = database.engine(settings.database)
    try:
        yield engine
    finally:
        engine.dispose()
