"""A web server for all tests of the hub's web, and a fresh network behind it for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from tests.hub import one_dialect
from tests.hub.web_world import Stage, World, staging, web_world
from tests.loopback import asking

from kokubus_hub import database
from kokubus_hub.people import service


@pytest.fixture(scope="session", autouse=True)
def real_hasher() -> Iterator[PasswordHasher]:
    """A password's hash takes its time on purpose, but for one test not in ours."""
    real = service._HASHER
    with pytest.MonkeyPatch.context() as here:
        quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
        here.setattr(service, "_HASHER", quick)
        here.setattr(service, "_NOBODY", quick.hash("nobody"))
        yield real


@pytest.fixture(scope="session", autouse=True)
def _compiled_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as here:
        here.setattr(database, "create_engine", one_dialect.create_engine)
        yield


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    with staging() as made:
        yield made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with web_world(tmp_path) as made:
        yield made


@pytest.fixture
def anybody(world: World, stage: Stage) -> Iterator[httpx.Client]:
    """A client without any right."""
    stage.enter(world.hub())
    with asking(stage.address) as client:
        yield client


@pytest.fixture
def api(world: World, anybody: httpx.Client) -> httpx.Client:
    """A client with an operator's API token."""
    anybody.headers["Authorization"] = f"Bearer {world.token(world.operator())}"
    return anybody
