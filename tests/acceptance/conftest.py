"""The fixture: a real little network a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.rig.network import MakeNetwork, Network, networks, prepare
from tests.acceptance.rig.village import FIRST


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys, certificates and an empty database, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("prepared")
    prepare(folder)
    return folder


@pytest.fixture
def make_network(tmp_path: Path, prepared: Path) -> Iterator[MakeNetwork]:
    """Make a network of this test's own."""
    with networks(tmp_path, prepared) as make:
        yield make


@pytest.fixture
def network(make_network: MakeNetwork) -> Network:
    """One that runs, with its first agent, where the hub has all the time it needs."""
    made = make_network()
    made.start(FIRST)
    return made
