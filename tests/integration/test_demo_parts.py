"""The demo's own parts: its directory, its processes, its networks and its people."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from kokubus.credential import Credential
from kokubus.enrolment import enrollable
from kokubus.site import Site, read_site
from kokubus_cli.demo import watchdog
from kokubus_cli.demo.cast import DENIED, GRANTED, everybody
from kokubus_cli.demo.folder import DemoError, Folder, taken
from kokubus_cli.demo.prepare import SITES, around_the_clock
from kokubus_cli.demo.processes import Ended, Processes
from kokubus_cli.demo.village import Village
from kokubus_cli.demo.weather import Weather
from kokubus_cli.demo.welcome import DOOR, ROOM, SITE
from kokubus_edge.simulate.asking import ControlError

PATIENCE_S = 60
SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True);"
    " time.sleep(600)",
]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s in vain"
        time.sleep(0.02)


# -- the directory


def test_the_directory_is_emptied_unless_kept(tmp_path: Path) -> None:
    here = Folder(tmp_path / "run")
    with taken(here, keep=False):
        (here.root / "hub").mkdir()
        (here.log / "old.log").touch()
    with taken(here, keep=True):
        assert (here.log / "old.log").exists()
    with taken(here, keep=False):
        assert not (here.root / "hub").exists()
        assert list(here.log.iterdir()) == []


def test_somebody_elses_directory_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with (
        pytest.raises(DemoError, match="is no demo's directory"),
        taken(Folder(tmp_path), keep=False),
    ):
        pass
    assert (tmp_path / "thesis.txt").exists()


def test_one_demo_a_directory(tmp_path: Path) -> None:
    with (
        taken(Folder(tmp_path), keep=False),
        pytest.raises(DemoError, match="runs here already"),
        taken(Folder(tmp_path), keep=True),
    ):
        pass


def test_a_directory_too_long_for_sockets_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(DemoError, match="too long"),
        taken(Folder(tmp_path / ("x" * 99)), keep=False),
    ):
        pass


# -- the processes


@pytest.fixture
def signals() -> Iterator[None]:
    """`Processes` listens to Ctrl-C; afterwards pytest does again."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def processes(signals: None, tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path) as made:
        yield made


def test_every_process_is_gone_at_the_end(signals: None, tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        for name in ("one", "two"):
            processes.start(name, SLEEPER, {})
        assert len(watchdog.marked(processes._mark)) == 2
    assert watchdog.marked(processes._mark) == set()


def test_a_process_that_will_not_hear_is_killed(
    signals: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kokubus_cli.demo.processes.PATIENCE_S", 0.2)
    with Processes(tmp_path) as processes:
        processes.start("deaf", STUBBORN, {})
        until(lambda: "deaf" in (tmp_path / "deaf.log").read_text())
    assert watchdog.marked(processes._mark) == set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_whatever_is_awaited(processes: Processes, number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    with pytest.raises(Ended):
        processes.rest(60)


def test_a_process_that_ends_by_itself_is_named_with_its_last_words(processes: Processes) -> None:
    processes.start("hub", [sys.executable, "-c", "raise SystemExit('no disk')"], {})
    with pytest.raises(DemoError, match=r"hub ended by itself with 1(.|\n)*no disk"):
        processes.rest(60)


def test_what_is_awaited_in_vain_is_named(processes: Processes) -> None:
    with pytest.raises(DemoError, match="the broker: waited 0 s in vain"):
        processes.wait(lambda: False, 0, "the broker")


def test_the_watchdog_ends_what_carries_its_mark_and_nothing_else() -> None:
    """Its stdin ends with whoever held the other end."""
    marked = {**os.environ, watchdog.VARIABLE: "the mark of this test"}
    theirs = subprocess.Popen(SLEEPER, env=marked, start_new_session=True)
    other = subprocess.Popen(SLEEPER, start_new_session=True)
    dog = subprocess.Popen(
        [sys.executable, str(watchdog.__file__), "the mark of this test"], stdin=subprocess.PIPE
    )
    assert dog.poll() is None
    dog.communicate(timeout=PATIENCE_S)
    assert theirs.wait(PATIENCE_S) == -signal.SIGTERM
    assert other.poll() is None
    other.kill()
    other.wait()


# -- the people


def network() -> list[Site]:
    return [
        read_site(around_the_clock(path.read_text("utf-8")), path.name)
        for path in sorted(SITES.glob("*.toml"))
    ]


def test_the_cast_is_fictional_distinct_and_at_home_in_the_network() -> None:
    cast = everybody()
    rooms = {room.id for site in network() for room in site.rooms}
    for person in cast:
        enrollable(Credential("mfrc522", person.uid))
        assert person.name.startswith("Mitglied ")
        assert person.email.endswith(".example")
        assert person.room in rooms
        assert person.plan is None or person.plan in {site.id for site in network()}
    for field in ("uid", "badge", "email"):
        assert len({getattr(person, field) for person in cast}) == len(cast)


def test_what_is_to_be_pasted_exists() -> None:
    yours = {person.badge: person for person in everybody() if person.yours}
    doors = {door.id: site.id for site in network() for door in site.doors}
    assert doors[DOOR] == SITE
    assert yours[GRANTED].booking is not None
    assert yours[GRANTED].booking.room == ROOM
    assert yours[DENIED].booking is None


def test_the_demos_sites_never_close() -> None:
    for site in network():
        assert len(site.opening) == 7
        assert set(site.opening.values()) == {("00:00-24:00",)}


class Doors:
    """Doors that open for everybody but ``refused``, and a record of what was asked of them."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.asked: list[tuple[str, str]] = []

    def __call__(self, door: str, request: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append((request["do"], door))
        return {"opened": door not in self.refused}


FRONT, INNER = "ettmannsweiler-front", "ettmannsweiler-meeting-door"
HALL, MEETING = "ettmannsweiler-hall", "ettmannsweiler-meeting"


def test_people_tap_their_way_in_and_leave_by_the_handles() -> None:
    doors = Doors()
    village = Village(network(), doors)
    assert village.enter("04A3", MEETING)
    assert (village.people(HALL), village.people(MEETING)) == (0, 1)
    village.leave(MEETING)
    assert (village.people(HALL), village.people(MEETING)) == (0, 0)
    assert doors.asked == [("tap", FRONT), ("tap", INNER), ("exit", INNER), ("exit", FRONT)]


def test_who_is_stopped_inside_goes_out_again() -> None:
    doors = Doors(INNER)
    village = Village(network(), doors)
    assert not village.enter("04A3", MEETING)
    assert (village.people(HALL), village.people(MEETING)) == (0, 0)
    assert doors.asked == [("tap", FRONT), ("tap", INNER), ("exit", FRONT)]


def test_who_is_stopped_outside_stays_there() -> None:
    doors = Doors(FRONT)
    assert not Village(network(), doors).enter("04A3", MEETING)
    assert doors.asked == [("tap", FRONT)]


def test_weather_shows_each_device_its_own_sensors_and_people_breathe() -> None:
    shown: dict[str, Mapping[str, float]] = {}

    def tell(device: str, request: Mapping[str, Any]) -> None:
        shown[device] = request["values"]

    crowd = {HALL: 8}
    weather = Weather(network(), lambda room: crowd.get(room, 0), tell, 1.0)
    weather.step(1800)
    assert set(shown) == {device for site in network() for device in site.devices}
    busy, calm = shown["ettmannsweiler-1"], shown["bad-liebenzell-1"]
    assert busy["ettmannsweiler-hall-co2"] > calm["bad-liebenzell-desks-co2"] + 100
    assert busy["ettmannsweiler-hall-pir"] == 1.0


def test_a_device_that_does_not_answer_costs_only_its_own_sensors() -> None:
    heard: list[str] = []

    def tell(device: str, request: Mapping[str, Any]) -> None:
        if device == "ettmannsweiler-1":
            raise ControlError("gone")
        heard.append(device)

    Weather(network(), lambda _: 0, tell, 1.0).step(1)
    assert len(heard) == 4
