"""The fixture: a real little network a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest
from tests.acceptance.rig.dated import DATABASES, House, house
from tests.acceptance.rig.network import MakeNetwork, Network, networks, prepare
from tests.acceptance.rig.village import FIRST
from tests.integration.pg_server import emptied, running, url_of

AsHub: TypeAlias = Callable[[Network], Network]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys, certificates and an empty database, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder)
    return folder


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Path]:
    """A PostgreSQL for all cases; started when the first asks for it."""
    with running() as server:
        yield server


@pytest.fixture(params=DATABASES)
def dated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """A house on any day of the calendar, on either database."""
    name = str(request.param)
    with house(name, tmp_path, lambda: request.getfixturevalue("postgresql")) as made:
        yield made


@pytest.fixture
def make_network(tmp_path: Path, prepared: Path) -> Iterator[MakeNetwork]:
    """Make a network of this test's own."""
    with networks(tmp_path, prepared) as make:
        yield make


@pytest.fixture
def on_postgresql(tmp_path: Path, postgresql: Path) -> Iterator[MakeNetwork]:
    """Make a network of this test's own, on PostgreSQL; one a test."""
    with emptied(postgresql):
        prepare(tmp_path / "prepared", url=url_of(postgresql))
        with networks(tmp_path, tmp_path / "prepared") as make:
            yield partial(make, url=url_of(postgresql))


@pytest.fixture(params=DATABASES)
def on_either(request: pytest.FixtureRequest) -> MakeNetwork:
    """Make a network of this test's own, on either database."""
    name = "make_network" if request.param == "sqlite" else "on_postgresql"
    made: MakeNetwork = request.getfixturevalue(name)
    return made


@pytest.fixture
def network(make_network: MakeNetwork) -> Network:
    """One that runs, with its first agent, where the hub has all the time it needs."""
    made = make_network()
    made.start(FIRST)
    return made


@pytest.fixture
def hub(network: Network, as_hub: AsHub) -> Network:
    """The network that runs, with this process as the hub's command line."""
    return as_hub(network)


@pytest.fixture
def as_hub(monkeypatch: pytest.MonkeyPatch) -> AsHub:
    """Make this process the command line of a network's hub."""

    def become(network: Network) -> Network:
        monkeypatch.setattr("kokubus.logs.configure", lambda _stream: None)
        for name, value in network.listener.environ.items():
            if name.startswith("KOKUBUS_HUB_"):
                monkeypatch.setenv(name, value)
        return network

    return become
