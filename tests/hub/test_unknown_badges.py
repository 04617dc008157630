"""Tap it, then say whose it is: unknown badges, replaced badges, printed numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.hub import intake_world
from tests.hub.intake_world import FRONT, OTHER_UID
from tests.hub.small_hub import rows
from tests.hub.test_api_people import UID, add, enrol
from tests.hub.web_world import HOUR_MS, World

from kokubus.credential import PIN, Credential
from kokubus_hub import database, models, unknown


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[intake_world.World]:
    with intake_world.world(tmp_path) as made:
        yield made


def seen(world: World, uid: str = UID, **more: int) -> int:
    """A badge that was tapped at a door, as the listener keeps it."""
    text = Credential("mfrc522", uid).text
    about = {"door_id": 1, "first_at": world.now, "last_at": world.now} | more
    return world.insert(
        models.UnknownBadge,
        lookup=world.keyring.lookup(text),
        sealed_uid=world.keyring.seal(text, "badge"),
        **about,
    )


# --- the listener ------------------------------------------------------------------------


def test_a_badge_nobody_holds_is_kept_once_and_its_uid_is_sealed(hub: intake_world.World) -> None:
    for _ in range(3):
        assert hub.reason(uid=OTHER_UID) == "badge_unknown"
    (kept,) = rows(hub.engine, models.UnknownBadge)
    assert kept["taps"] == 3
    assert OTHER_UID.encode() not in kept["sealed_uid"]
    assert hub.keyring.open(kept["sealed_uid"], "badge") == b"mfrc522|" + OTHER_UID.encode()


def test_a_wrong_pin_is_never_kept(hub: intake_world.World) -> None:
    tap = hub.device.tapped("4711", FRONT, tech=PIN)
    hub.take(hub.device.say(tap))
    assert len(rows(hub.engine, models.AccessEvent)) == 1
    assert rows(hub.engine, models.UnknownBadge) == []


def test_badges_nobody_claims_are_forgotten(world: World) -> None:
    seen(world, last_at=world.now - unknown.KEPT_MS - 1)
    kept = seen(world, OTHER_UID)
    with database.writing(world.engine) as connection:
        unknown.forget(connection, world.now)
    assert [row["id"] for row in rows(world.engine, models.UnknownBadge)] == [kept]


def test_somebody_who_plays_with_cards_fills_no_disk(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unknown, "MOST", 2)
    numbers = [seen(world, f"04{n:012X}", last_at=world.now + n) for n in range(4)]
    with database.writing(world.engine) as connection:
        unknown.forget(connection, world.now)
    assert [row["id"] for row in rows(world.engine, models.UnknownBadge)] == numbers[2:]


# --- the inbox ---------------------------------------------------------------------------


def test_tap_it_then_say_whose_it_is(world: World, api: httpx.Client) -> None:
    first = seen(world)
    seen(world, OTHER_UID, last_at=world.now + HOUR_MS)
    listed = api.get("/api/v1/unknown-badges").json()
    assert [one["id"] for one in listed] == [first + 1, first]
    assert UID not in str(listed)
    ada, before = add(api)["id"], world.change()
    claim = {"member": ada, "label": "K-017"}
    made = api.post(f"/api/v1/unknown-badges/{first}/claim", json=claim)
    assert made.status_code == 201
    assert (made.json()["member"], made.json()["label"]) == (ada, "K-017")
    assert world.change() > before
    assert [one["id"] for one in api.get("/api/v1/unknown-badges").json()] == [first + 1]
    assert api.post(f"/api/v1/unknown-badges/{first}/claim", json=claim).status_code == 404
    text = Credential("mfrc522", UID).text
    assert rows(world.engine, models.Badge)[0]["lookup"] == world.keyring.lookup(text)


def test_a_badge_with_a_random_number_cannot_be_claimed(world: World, api: httpx.Client) -> None:
    phone = seen(world, "08A1B2C3")
    assert api.get("/api/v1/unknown-badges").json()[0]["enrollable"] is False
    answer = api.post(f"/api/v1/unknown-badges/{phone}/claim", json={"member": add(api)["id"]})
    assert answer.status_code == 422
    assert "another random number" in answer.json()["detail"]


def test_enrolling_a_badge_takes_it_out_of_the_inbox(world: World, api: httpx.Client) -> None:
    seen(world)
    assert enrol(api).status_code == 201
    assert api.get("/api/v1/unknown-badges").json() == []


# --- replaced badges, printed numbers ----------------------------------------------------


def test_a_replacement_takes_over_what_the_old_badge_opened(
    world: World, api: httpx.Client
) -> None:
    ada = add(api)["id"]
    old = enrol(api, member=ada, label="K-001").json()
    world.insert(models.Keyholder, site_id=1, badge_id=old["id"])
    new = {"uid": OTHER_UID, "label": "K-002"}
    made = api.post(f"/api/v1/badges/{old['id']}/replacement", json=new)
    assert made.status_code == 201
    assert (made.json()["member"], made.json()["status"]) == (ada, "active")
    assert api.get(f"/api/v1/badges/{old['id']}").json()["status"] == "replaced"
    (keys,) = rows(world.engine, models.Keyholder)
    assert keys["badge_id"] == made.json()["id"]
    again = api.post(
        f"/api/v1/badges/{old['id']}/replacement", json=new | {"uid": "04AABBCCDDEEFF"}
    )
    assert again.status_code == 409


def test_a_replacement_that_fails_leaves_the_old_badge(world: World, api: httpx.Client) -> None:
    old = enrol(api, member=add(api)["id"]).json()
    refused = api.post(f"/api/v1/badges/{old['id']}/replacement", json={"uid": UID})
    assert refused.status_code == 409
    assert api.get(f"/api/v1/badges/{old['id']}").json()["status"] == "active"


@pytest.mark.parametrize("label", [UID, UID.lower(), "04:A3:C6:CA:E2:61:80", "8061E2CAC6A304"])
def test_a_printed_number_never_tells_the_uid(api: httpx.Client, label: str) -> None:
    assert enrol(api, label=label).status_code == 422
    made = enrol(api, label="K-001").json()
    changed = api.patch(f"/api/v1/badges/{made['id']}", json={"label": label})
    assert changed.status_code == 422
    assert "does not tell its UID" in changed.json()["detail"]


@pytest.mark.parametrize("label", ["505627995", "0505627995", "1531257630"])
def test_nor_as_the_decimal_number_that_some_readers_show(api: httpx.Client, label: str) -> None:
    assert enrol(api, "1E23455B", label=label).status_code == 422


def test_a_readers_number_is_claimed_as_what_it_is(world: World, api: httpx.Client) -> None:
    """A Wiegand reader's four bytes are no UID: the badge opens there, and another's UID not."""
    text = Credential("number", "1E034A5B").text
    world.insert(
        models.UnknownBadge,
        lookup=world.keyring.lookup(text),
        sealed_uid=world.keyring.seal(text, "badge"),
        door_id=1,
        first_at=1,
        last_at=1,
        taps=1,
    )
    [waiting] = api.get("/api/v1/unknown-badges").json()
    assert waiting["enrollable"]
    answer = api.post(
        f"/api/v1/unknown-badges/{waiting['id']}/claim", json={"member": add(api)["id"]}
    )
    assert (answer.status_code, answer.json()["tech"]) == (201, "number")
