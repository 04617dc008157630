"""Opening a door from afar."""

from __future__ import annotations

from threading import Timer
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from tests.hub.small_hub import rows
from tests.hub.web_world import NOW, World

from kokubus import wire
from kokubus.downlinks import UnlockDoor
from kokubus_hub import models
from kokubus_hub.database import writing
from kokubus_hub.models import table

DOOR = "ettmannsweiler-front"
REASON = {"reason": "Lieferung für den Arbeitssaal"}


def unlock(api: httpx.Client, **params: Any) -> dict[str, Any]:
    answer = api.post(f"/api/v1/doors/{DOOR}/unlock", json=REASON, params=params)
    assert answer.status_code == 202
    return dict(answer.json())


def settle(world: World, command: str, outcome: str) -> None:
    held = table(models.Command)
    with writing(world.engine) as connection:
        changed = update(held).where(held.c.id == command)
        connection.execute(changed.values(outcome=outcome, outcome_at=world.now))


def status(api: httpx.Client, command: str, **params: Any) -> str:
    return str(api.get(f"/api/v1/commands/{command}", params=params).json()["status"])


def test_a_command_is_signed_for_its_device_and_soon_worthless(
    world: World, api: httpx.Client
) -> None:
    command = unlock(api)
    [(topic, payload)] = world.publisher.messages
    assert topic == "kokubus/v1/ettmannsweiler-1/down/unlock"
    keys = {world.keyring.kid: world.keyring.verifying}
    down = wire.decode_down(payload, device="ettmannsweiler-1", keys=keys)
    assert down.message == UnlockDoor(command=command["id"], door=DOOR)
    assert (down.at, down.expires_at) == (NOW, NOW + 10_000)


def test_who_and_why_are_kept(world: World, api: httpx.Client) -> None:
    command = unlock(api)
    [row] = rows(world.engine, models.Command)
    assert (row["id"], row["reason"], row["operator_id"]) == (command["id"], REASON["reason"], 1)
    assert command["operator"] == "Olga Probe"
    assert command["status"] == "sent"


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  x "}, {"reason": "x" * 201}])
def test_no_door_opens_without_a_reason(
    world: World, api: httpx.Client, body: dict[str, str]
) -> None:
    answer = api.post(f"/api/v1/doors/{DOOR}/unlock", json=body)
    assert answer.status_code == 422
    assert "reason" in answer.json()["detail"]
    assert not world.publisher.messages
    assert not rows(world.engine, models.Command)


@pytest.mark.parametrize("outcome", ["opened", "no_entry", "refused", "expired"])
def test_what_the_door_says_is_the_status(world: World, api: httpx.Client, outcome: str) -> None:
    command = unlock(api)["id"]
    settle(world, command, outcome)
    assert status(api, command) == outcome


def test_a_silent_door_has_not_answered(world: World, api: httpx.Client) -> None:
    command = unlock(api)["id"]
    world.now += 11_000
    assert status(api, command) == "sent"
    world.now += 1_000
    assert status(api, command) == "no_answer"


def test_a_door_that_drew_its_bolt_may_take_longer(world: World, api: httpx.Client) -> None:
    command = unlock(api)["id"]
    settle(world, command, "started")
    world.now += 30_000
    assert status(api, command) == "sent"
    world.now += 10_000
    assert status(api, command) == "no_answer"


def test_waiting_ends_when_the_door_answers(world: World, api: httpx.Client) -> None:
    command = unlock(api)["id"]
    answering = Timer(0.05, settle, [world, command, "opened"])
    answering.start()
    try:
        assert status(api, command, wait=10) == "opened"
    finally:
        answering.join()


def test_waiting_is_bounded(api: httpx.Client) -> None:
    command = unlock(api)["id"]
    assert status(api, command, wait=0.1) == "sent"
    assert api.get(f"/api/v1/commands/{command}", params={"wait": 11}).status_code == 422


def test_without_a_broker_nothing_is_sent_and_that_is_said(world: World, api: httpx.Client) -> None:
    world.publisher.away = True
    answer = api.post(f"/api/v1/doors/{DOOR}/unlock", json=REASON)
    assert answer.status_code == 503
    assert "nothing was sent" in answer.json()["detail"]
    [row] = rows(world.engine, models.Command)
    assert row["outcome"] == "not_sent"


def test_a_door_that_no_device_drives_cannot_be_opened(world: World, api: httpx.Client) -> None:
    world.set(models.Door, DOOR, device_id=None)
    answer = api.post(f"/api/v1/doors/{DOOR}/unlock", json=REASON)
    assert answer.status_code == 409
    assert DOOR in answer.json()["detail"]
    assert not rows(world.engine, models.Command)


def test_an_unknown_door_is_said_so(api: httpx.Client) -> None:
    assert api.post("/api/v1/doors/nowhere/unlock", json=REASON).status_code == 404
