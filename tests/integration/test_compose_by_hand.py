"""The commands and environments of docker-compose.yml make a system that opens a door."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, make_url, select
from tests.integration.by_hand import HOSTS, LEFT_OUT, PORTS, SERVICES, STOOD_IN_FOR, Stack
from tests.integration.waiting import wait_until

from kokubus_edge.simulate.asking import ask
from kokubus_hub import database, models
from kokubus_hub.models import table
from kokubus_hub.settings import load

DEVICE, DOOR, ROOM = "ettmannsweiler-1", "ettmannsweiler-front", "ettmannsweiler-hall"
UID = "04A3C6CAE26180"
WHO = "ahorn@example.org"
_DEVICE, _EVENT = table(models.Device), table(models.AccessEvent)
_ENFORCED, _MEMBER, _POLICY, _OWED = (
    table(models.Enforcement),
    table(models.Member),
    table(models.Policy),
    table(models.BookingDelivery),
)
ONCE = [name for name, service in SERVICES.items() if service.get("restart") == "no"]
LASTING = [name for name in SERVICES if name not in {*ONCE, *STOOD_IN_FOR, *LEFT_OUT}]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A system that is up. Not in pytest's folder: sockets need short names, postgres access."""
    folder = Path(tempfile.mkdtemp(prefix="kokubus-"))
    folder.chmod(0o711)
    made = Stack(folder)
    try:
        try:
            made.up()
            yield made
        finally:
            ended = made.down()
        assert ended == dict.fromkeys(ended, 0)
    finally:
        shutil.rmtree(folder)


@contextmanager
def looking(stack: Stack) -> Iterator[Connection]:
    """The stack's PostgreSQL, found as the hub finds it."""
    url = make_url(load(stack.environment("serve")).database).set(port=int(stack.ports["5432"]))
    engine = database.engine(url.render_as_string(hide_password=False))
    try:
        with database.reading(engine) as connection:
            yield connection
    finally:
        engine.dispose()


def device(stack: Stack) -> Any:
    with looking(stack) as connection:
        return connection.execute(select(_DEVICE).where(_DEVICE.c.slug == DEVICE)).one()


def confirmed(stack: Stack) -> bool:
    """Whether the door has reported the newest policy there is for it."""
    newest = select(_POLICY.c.sha256, _POLICY.c.n).order_by(_POLICY.c.n.desc()).limit(1)
    with looking(stack) as connection:
        policy = connection.execute(newest).first()
    held = device(stack)
    return policy is not None and policy == (held.applied_sha256, held.applied_n)


def on_the_door(stack: Stack) -> bool:
    """Whether each door on the way has confirmed the booking."""
    with looking(stack) as connection:
        states = set(connection.execute(select(_OWED.c.state)).scalars())
    return states == {"on_the_door"}


def tap(stack: Stack) -> dict[str, Any]:
    socket = Path(stack.here("agent", "/var/lib/kokubus/control.sock"))
    return ask(socket, {"do": "tap", "door": DOOR, "uid": UID, "walk": False})


def enrol_somebody(stack: Stack) -> None:
    """A member with a badge, and a booking around now."""
    (stack.folder / "members.csv").write_text(f"Name;E-Mail\nMitglied Ahorn;{WHO}\n")
    (stack.folder / "badges.csv").write_text(f"UID;E-Mail\n{UID};{WHO}\n")
    now = datetime.now(UTC)
    start, end = (f"{now + timedelta(hours=hours):%Y%m%dT%H%M%SZ}" for hours in (-1, 3))
    (stack.folder / "hall.ics").write_text(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\nBEGIN:VEVENT\nUID:one\n"
        f"DTSTART:{start}\nDTEND:{end}\nORGANIZER:mailto:{WHO}\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    stack.once("serve", "hub", "import", "members.csv", "badges.csv")
    stack.once("serve", "hub", "import", "bookings", "hall.ics", "--room", ROOM)


def test_every_service_is_started_or_accounted_for(stack: Stack) -> None:
    assert {*LASTING, *ONCE} == SERVICES.keys() - STOOD_IN_FOR - LEFT_OUT
    assert {"serve", "listen", "work", "agent", "mosquitto", "postgres"} <= {*LASTING}


@pytest.mark.parametrize("name", [*ONCE, *LASTING])
def test_only_hosts_ports_and_paths_were_replaced(stack: Stack, name: str) -> None:
    environment = stack.environment(name)
    given = SERVICES[name].get("environment", {})
    assert given.keys() <= environment.keys()
    foreign = re.compile(rf"(?:^|[@,]|//)(?:{'|'.join(HOSTS)})\b|\b(?:{'|'.join(PORTS)})\b")
    for said in [*stack.command(name), *(environment[key] for key in given)]:
        rest = said.replace(str(stack.folder / name), "")
        assert not foreign.search(rest), said
        assert rest != said or not re.search(r"(?<![\w.:/-])/[a-z]", said), said


@pytest.mark.parametrize("name", LASTING)
def test_each_says_that_it_is_well(stack: Stack, name: str) -> None:
    stack.await_health(name)


@pytest.mark.parametrize("name", ONCE)
def test_what_is_done_once_may_be_done_again(stack: Stack, name: str) -> None:
    stack.once(name)


def test_a_booked_badge_opens_the_door(stack: Stack) -> None:
    enrol_somebody(stack)
    wait_until(lambda: device(stack).online, "the door to be heard of")
    wait_until(lambda: on_the_door(stack), "the booking to be on the door")
    wait_until(lambda: confirmed(stack), "the door to confirm its policy")

    def decided_by_the_hub() -> bool:
        told = tap(stack)
        assert (told["granted"], told["reason"]) == (True, "booked")
        return bool(told["by"] == "hub")

    wait_until(decided_by_the_hub, "the hub to answer within the door's deadline")
    enforced = select(_ENFORCED.c.granted, _MEMBER.c.email)
    enforced = enforced.join_from(_ENFORCED, _EVENT, _EVENT.c.tap == _ENFORCED.c.tap)
    enforced = enforced.join(_MEMBER, _MEMBER.c.id == _EVENT.c.member_id)

    def recorded() -> bool:
        with looking(stack) as connection:
            return (True, WHO) in [tuple(row) for row in connection.execute(enforced)]

    wait_until(recorded, "the opening to stand in the database")
    wait_until(lambda: projected(stack), "the opening to reach InfluxDB")


def projected(stack: Stack) -> bool:
    """Whether a point of it came, to the bucket and with the token InfluxDB was set up with."""
    asked = stack.environment("influxdb")
    token = Path(asked["DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE"]).read_text()
    key = (
        asked["DOCKER_INFLUXDB_INIT_ORG"],
        asked["DOCKER_INFLUXDB_INIT_BUCKET"],
        f"Token {token}",
    )
    org, bucket, secret = key
    assert stack.influx.lines.keys() <= {key, (org, f"{bucket}/long", secret)}
    points = stack.influx.lines.get(key, [])
    return any(line.startswith("enforced,") and f"door={DOOR}" in line for line in points)


def test_a_revoked_door_is_cut(stack: Stack) -> None:
    """And comes back once it was given another identity."""
    wait_until(lambda: device(stack).online, "the door to be heard of")
    assert f"{DEVICE}: cut" in stack.once("serve", "hub", "device", "revoke", DEVICE)
    wait_until(lambda: "link_down" in stack.log("agent"), "the door to notice")
    wait_until(lambda: not device(stack).online, "the hub to hear that it is gone")
    stack.once("enrol", *SERVICES["enrol"]["command"], "--again")
    stack.restart("agent")
    wait_until(lambda: device(stack).online, "the door to be back")


def test_nothing_complains(stack: Stack) -> None:
    for name in ("serve", "listen", "work", "agent"):
        assert not re.search(r"level='(error|critical)'|Traceback", stack.log(name))
