"""What the API does is what its OpenAPI says, whatever it is asked: schemathesis asks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode, HookContext, checks
from schemathesis.core.failures import FailureGroup
from schemathesis.schemas import APIOperation, BaseSchema
from tests.hub.web_world import HOUR_MS, NOW, World, web_world
from tests.integration import pg_server
from tests.trying import examples

from kokubus_hub import database
from kokubus_hub.keys import Keyring
from kokubus_hub.problems import MEDIA_TYPE
from kokubus_hub.settings import Settings

pytestmark = pytest.mark.slow
DOOR, ROOM, SITE = "ettmannsweiler-front", "ettmannsweiler-meeting", "ettmannsweiler"
THERE = {"site": SITE, "room": ROOM, "door": DOOR, "member": "m-00000001"}
"""Names that exist, of which generated ones know nothing."""
CHECKED = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
ASKED = settings(
    max_examples=examples(10),
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with web_world(tmp_path) as made:
        member = made.member("Ada Beispiel")
        made.book(member, ROOM, NOW, NOW + HOUR_MS)
        made.enforced(made.tap(DOOR, member, "booked", granted=True), DOOR, "booked", granted=True)
        made.passed(DOOR, side="in", member_id=member)
        yield made


def test_every_operation_answers_as_documented(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.token(world.operator())}"}
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", world.app())
    schema.hook(map_path_parameters)
    said = {
        f"{operation.label} ({mode.value})": _wrong(operation, mode, headers)
        for operation in _operations(schema)
        for mode in GenerationMode
    }
    assert len(said) > 100
    wrong = [f"{label}\n{what}" for label, what in said.items() if what]
    assert not wrong, "\n\n".join(wrong)


def map_path_parameters(
    _context: HookContext, given: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Every other generated name becomes one that exists: rows begin at 1."""
    if given is None:
        return None
    return {name: _there(name, value) for name, value in given.items()}


def _there(name: str, value: Any) -> Any:
    there = 1 if isinstance(value, int) else THERE.get(name, value)
    return there if len(str(value)) % 2 else value


def _operations(schema: BaseSchema) -> Iterator[APIOperation[Any, Any, Any]]:
    for found in schema.get_all_operations():
        yield found.ok()


def _wrong(
    operation: APIOperation[Any, Any, Any], mode: GenerationMode, headers: dict[str, str]
) -> str:
    """What was wrong with an operation's answers; empty if nothing was."""

    @ASKED
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        case.call_and_validate(headers=headers, checks=CHECKED)

    try:
        ask()
    except Unsatisfiable:  # nothing wrong can be said to an operation that takes anything
        assert mode is GenerationMode.NEGATIVE
    except FailureGroup as found:  # every operation is asked before any is told
        return str(found)
    return ""


def test_what_postgresql_cannot_hold_is_refused(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with pg_server.running() as server, pg_server.emptied(server) as engine:
        database.migrate(engine)
        world = World(engine, Keyring.create(settings.keys_dir), settings)
        ask = partial(_ask, world.app(), world.token(world.operator()))
        answers = [
            ask("GET", "/api/v1/members/m-%00"),
            ask("GET", "/api/v1/bookings?site=%00"),
            ask("POST", "/api/v1/members", {"name": "Ada\0"}),
        ]
        assert [answer.status_code for answer in answers] == [422] * 3
        assert {answer.headers["Content-Type"] for answer in answers} == {MEDIA_TYPE}
        assert ask("GET", "/api/v1/members").json()["items"] == []


def _ask(app: FastAPI, token: str, method: str, address: str, said: Any = None) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            client.headers["Authorization"] = f"Bearer {token}"
            return await client.request(method, address, json=said)

    return asyncio.run(asked())
