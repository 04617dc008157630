"""One-time codes at the hub: read out with who and why, and used up when the door says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update
from tests.hub.intake_world import FRONT, HOUR_MS, World
from tests.hub.intake_world import world as intake_world
from tests.hub.small_hub import rows
from tests.hub.web_world import NOW
from tests.hub.web_world import World as Web

from kokubus.hotp import LOOK_AHEAD, door_secret, hotp
from kokubus.messages import CodeOutcome, CodeTried, Instant
from kokubus_hub import cli, database, models, restored
from kokubus_hub.doors.codes import Asked, Code, read_out
from kokubus_hub.models import table
from kokubus_hub.policies import Known, build_all
from kokubus_hub.problems import ProblemError

WEB_DOOR = "ettmannsweiler-front"
REASON = {"reason": "Der Akku am Router ist leer"}
KEY = bytes(range(32))


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with intake_world(tmp_path) as made:
        sealed = made.keyring.seal(KEY, "device:dorf-1")
        made.set(models.Device, "dorf-1", lookup_key=sealed)
        yield made


def ask(hub: World, at: Instant = NOW, door: str = FRONT) -> Code:
    with database.writing(hub.engine) as connection:
        return read_out(connection, hub.keyring, Asked(door, "Regen", "Olga"), at)


def floor(hub: World, now: Instant) -> int:
    """From which counter on the door's policy lets codes in."""
    with database.reading(hub.engine) as connection:
        document = build_all(connection, [1], now, 7 * 24 * HOUR_MS, Known(hub.keyring))[1]
    return int(document["doors"][FRONT].get("code_from", 0))


def tried(hub: World, outcome: CodeOutcome, counter: int | None = None) -> None:
    hub.take(hub.device.fact(CodeTried, door=FRONT, outcome=outcome, counter=counter))


def test_door_and_hub_compute_the_same_codes_each_once(hub: World) -> None:
    secret = door_secret(KEY, FRONT)
    read = [ask(hub) for _ in range(3)]
    assert [one.code for one in read] == [hotp(secret, counter) for counter in range(3)]
    kept = rows(hub.engine, models.OneTimeCode)
    assert [(row["counter"], row["by"], row["reason"], row["at"]) for row in kept] == [
        (counter, "Olga", "Regen", NOW) for counter in range(3)
    ]
    assert not any(one.code in str(kept) for one in read)
    assert read[0].code not in repr(read[0])


def test_the_doors_word_uses_a_code_up(hub: World) -> None:
    ask(hub)
    tried(hub, CodeOutcome.WRONG)
    tried(hub, CodeOutcome.ACCEPTED, 0)
    assert rows(hub.engine, models.OneTimeCode)[0]["used_at"] == NOW
    said = [row["detail"]["outcome"] for row in rows(hub.engine, models.DoorEvent)]
    assert said == ["wrong", "accepted"]
    assert floor(hub, NOW) == 1


def test_a_door_that_is_ahead_is_believed(hub: World) -> None:
    tried(hub, CodeOutcome.ACCEPTED, 41)
    assert ask(hub).counter == 42


def test_a_code_that_nobody_typed_lapses(hub: World) -> None:
    ask(hub)
    assert floor(hub, NOW + HOUR_MS) == 0
    assert floor(hub, NOW + 6 * HOUR_MS) == 1


def test_not_more_are_read_out_than_the_door_looks_ahead(hub: World) -> None:
    for _ in range(LOOK_AHEAD):
        ask(hub)
    with pytest.raises(ProblemError, match="none was used"):
        ask(hub)
    tried(hub, CodeOutcome.ACCEPTED, 3)
    assert ask(hub).counter == LOOK_AHEAD


def test_once_the_door_has_heard_that_they_lapsed_new_ones_are_read_out(hub: World) -> None:
    for _ in range(LOOK_AHEAD):
        ask(hub)
    later = NOW + 24 * HOUR_MS
    hub.set(models.Device, "dorf-1", applied_at=later)
    assert ask(hub, later).counter == LOOK_AHEAD


def test_a_hub_restored_from_a_backup_skips_what_may_be_used_up(hub: World) -> None:
    ask(hub)
    with database.writing(hub.engine) as connection:
        restored.begin_epoch(connection, NOW)
    assert ask(hub).counter == 1 + LOOK_AHEAD // 2


def test_a_door_without_an_enrolled_device_has_no_codes(hub: World) -> None:
    hub.set(models.Device, "dorf-1", lookup_key=None)
    with pytest.raises(ProblemError, match="enrol"):
        ask(hub)
    with pytest.raises(ProblemError, match="no door"):
        ask(hub, door="nowhere")


def test_the_api_reads_out_and_names_who_and_why(world: Web, api: httpx.Client) -> None:
    sealed = world.keyring.seal(KEY, "device:ettmannsweiler-1")
    device = table(models.Device)
    with database.writing(world.engine) as connection:
        which = update(device).where(device.c.slug == "ettmannsweiler-1")
        connection.execute(which.values(lookup_key=sealed))
    answer = api.post(f"/api/v1/doors/{WEB_DOOR}/code", json=REASON)
    assert answer.status_code == 201
    assert answer.json()["code"] == hotp(door_secret(KEY, WEB_DOOR), 0)
    [kept] = api.get(f"/api/v1/doors/{WEB_DOOR}/codes").json()
    assert (kept["by"], kept["reason"], kept["used_at"]) == (
        "Olga Probe",
        REASON["reason"],
        None,
    )
    assert answer.json()["code"] not in str(kept)


def test_nobody_gets_a_code_without_a_reason_or_unasked_for(world: Web, api: httpx.Client) -> None:
    assert api.post(f"/api/v1/doors/{WEB_DOOR}/code", json={"reason": " "}).status_code == 422
    asked = f"{api.base_url}/api/v1/doors/{WEB_DOOR}/code"
    assert httpx.post(asked, json=REASON, timeout=60).status_code == 401
    assert rows(world.engine, models.OneTimeCode) == []


def test_the_command_line_says_what_it_cannot_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = ["--data-dir", str(tmp_path)]
    assert cli.main([*there, "init"]) == 0
    assert cli.main([*there, "code", "nowhere", "--reason", "Regen"]) == 2
    assert "no door 'nowhere'" in capsys.readouterr().err
