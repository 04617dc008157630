"""The fixture: a real little network a test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.acceptance.rig.network import Network, prepare

MakeNetwork = Callable[..., Network]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys, certificates and an empty database, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder)
    return folder


@pytest.fixture
def make_network(tmp_path: Path, prepared: Path) -> Iterator[MakeNetwork]:
    """Make a network whose doors have this ``deadline_ms`` and ``pulse_ms``."""
    made: list[Network] = []

    def make(*, deadline_ms: int = 5_000, pulse_ms: int = 1_500) -> Network:
        folder = tmp_path / f"network-{len(made)}"
        made.append(Network(folder, prepared, deadline_ms=deadline_ms, pulse_ms=pulse_ms))
        return made[-1]

    try:
        yield make
    finally:
        for network in made:
            network.close()
            for name, said in network.logs():  # shown by pytest where the test has failed
                sys.stdout.write(f"\n--- {name}\n{said}")


@pytest.fixture
def network(make_network: MakeNetwork) -> Network:
    """One that runs, with both agents, where the hub has all the time it needs."""
    made = make_network()
    made.start()
    return made
