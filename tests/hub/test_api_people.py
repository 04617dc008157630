"""Members and badges: a UID comes in and never goes out."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.hub.small_hub import rows
from tests.hub.web_world import World

from kokubus.credential import Credential
from kokubus_hub import models

UID = "04A3C6CAE26180"


def add(api: httpx.Client, name: str = "Ada Beispiel", **more: Any) -> dict[str, Any]:
    answer = api.post("/api/v1/members", json={"name": name, **more})
    assert answer.status_code == 201
    return dict(answer.json())


def enrol(api: httpx.Client, uid: str = UID, **more: Any) -> httpx.Response:
    return api.post("/api/v1/badges", json={"uid": uid, **more})


def changes(world: World) -> int:
    return len(rows(world.engine, models.Change))


def test_a_member_gets_an_opaque_id(api: httpx.Client) -> None:
    made = add(api, email="Ada@Example.org", start="2026-09-01T00:00:00+02:00")
    assert made["id"].startswith("m-")
    assert made["email"] == "ada@example.org"
    assert made["start"] == "2026-08-31T22:00:00.000Z"
    assert api.get(f"/api/v1/members/{made['id']}").json() == made


def test_who_wants_to_gives_the_first_digits_of_a_postcode(api: httpx.Client) -> None:
    assert add(api)["postcode_band"] is None
    made = add(api, postcode_band="752")
    path = f"/api/v1/members/{made['id']}"
    for exact in ("75365", "7", "75a", "DE-75"):
        assert api.patch(path, json={"postcode_band": exact}).status_code == 422
    assert api.get(path).json()["postcode_band"] == "752"
    assert api.patch(path, json={"postcode_band": None}).json()["postcode_band"] is None


def test_an_address_belongs_to_one_member(world: World, api: httpx.Client) -> None:
    add(api, email="ada@example.org")
    before = changes(world)
    answer = api.post("/api/v1/members", json={"name": "Zwei", "email": "ADA@example.org"})
    assert answer.status_code == 409
    assert changes(world) == before


def test_a_member_is_suspended_and_the_doors_are_to_learn_of_it(
    world: World, api: httpx.Client
) -> None:
    made, before = add(api), changes(world)
    changed = api.patch(f"/api/v1/members/{made['id']}", json={"status": "suspended"}).json()
    assert changed == made | {"status": "suspended"}
    assert changes(world) == before + 1


def test_a_change_without_anything_changes_nothing(world: World, api: httpx.Client) -> None:
    made, before = add(api), changes(world)
    assert api.patch(f"/api/v1/members/{made['id']}", json={}).json() == made
    assert changes(world) == before


def test_a_name_cannot_be_taken_away(api: httpx.Client) -> None:
    made = add(api)
    answer = api.patch(f"/api/v1/members/{made['id']}", json={"name": " "})
    assert answer.status_code == 422


def test_validity_begins_before_it_ends(api: httpx.Client) -> None:
    made = add(api, start="2026-09-02T00:00:00Z")
    for body in ({"end": "2026-09-01T00:00:00Z"}, {"end": "2026-09-02T00:00:00Z"}):
        assert api.patch(f"/api/v1/members/{made['id']}", json=body).status_code == 422


def test_members_are_paged(api: httpx.Client) -> None:
    names = [add(api, f"Mitglied {number}")["name"] for number in range(5)]
    seen: list[str] = []
    after: int | None = 0
    while after is not None:
        page = api.get("/api/v1/members", params={"limit": 2, "after": after}).json()
        seen += [one["name"] for one in page["items"]]
        after = page["next"]
    assert seen == names


def test_members_of_an_import_under_way_are_not_shown(world: World, api: httpx.Client) -> None:
    world.insert(models.Member, slug="m-staged01", name="Noch Nicht", status="staged:active")
    assert api.get("/api/v1/members").json()["items"] == []
    assert api.get("/api/v1/members/m-staged01").status_code == 404


def test_a_badge_is_looked_up_as_a_tap_is(world: World, api: httpx.Client) -> None:
    member = add(api)["id"]
    made = enrol(api, "04 a3:c6 ca e2 61 80", member=member, label="17").json()
    [row] = rows(world.engine, models.Badge)
    text = Credential("mfrc522", UID).text
    assert row["lookup"] == world.keyring.lookup(text)
    assert world.keyring.open(row["sealed_uid"], "badge") == text
    assert (made["member"], made["label"], made["status"]) == (member, "17", "active")


def test_no_answer_ever_holds_a_uid(api: httpx.Client) -> None:
    enrolled = enrol(api)
    answers = [
        enrolled,
        enrol(api),
        enrol(api, UID + "0"),
        enrol(api, UID + "XY"),
        enrol(api, UID * 6),
        api.get("/api/v1/badges"),
        api.get(f"/api/v1/badges/{enrolled.json()['id']}"),
        api.patch(f"/api/v1/badges/{enrolled.json()['id']}", json={"status": "lost"}),
    ]
    assert [answer.status_code for answer in answers] == [201, 409, 422, 422, 422, 200, 200, 200]
    assert all(UID not in answer.text.upper() for answer in answers)


def test_a_random_uid_cannot_be_enrolled(world: World, api: httpx.Client) -> None:
    answer = enrol(api, "08A1B2C3")
    assert answer.status_code == 422
    assert "random" in answer.json()["detail"]
    assert not rows(world.engine, models.Badge)


def test_a_badge_is_enrolled_once(api: httpx.Client) -> None:
    first = enrol(api).json()["id"]
    again = enrol(api, UID.lower())
    assert again.status_code == 409
    assert str(first) in again.json()["detail"]


def test_a_printed_number_stands_on_one_badge(api: httpx.Client) -> None:
    enrol(api, label="17")
    answer = enrol(api, "04B3C6CAE26180", label="17")
    assert answer.status_code == 409
    assert "number" in answer.json()["detail"]


def test_a_badge_for_nobody_we_know_is_refused(world: World, api: httpx.Client) -> None:
    assert enrol(api, member="m-nobody00").status_code == 404
    assert not rows(world.engine, models.Badge)


def test_a_badge_is_handed_over_and_blocked(world: World, api: httpx.Client) -> None:
    one, two = add(api)["id"], add(api, "Bruno Muster")["id"]
    badge = enrol(api, member=one).json()["id"]
    before = changes(world)
    assert api.patch(f"/api/v1/badges/{badge}", json={"member": two}).json()["member"] == two
    assert api.patch(f"/api/v1/badges/{badge}", json={"member": None}).json()["member"] is None
    blocked = api.patch(f"/api/v1/badges/{badge}", json={"status": "blocked"}).json()
    assert blocked["status"] == "blocked"
    assert changes(world) == before + 3


@pytest.mark.parametrize("path", ["members/m-nobody00", "badges/99"])
def test_what_is_not_there_is_said_so(api: httpx.Client, path: str) -> None:
    assert api.get(f"/api/v1/{path}").status_code == 404
    assert api.patch(f"/api/v1/{path}", json={}).status_code == 404


@pytest.mark.parametrize("number", ["-1", str(2**70), "x"])
def test_a_number_no_badge_can_have_is_refused(api: httpx.Client, number: str) -> None:
    assert api.get(f"/api/v1/badges/{number}").status_code == 422


@pytest.mark.parametrize(("tech", "number"), [("pin", "4711082"), ("number", "034a5b")])
def test_a_pin_and_a_readers_number_are_looked_up_as_they_are_typed(
    world: World, api: httpx.Client, tech: str, number: str
) -> None:
    made = enrol(api, number, tech=tech, label="17")
    assert (made.status_code, made.json()["tech"]) == (201, tech)
    [row] = rows(world.engine, models.Badge)
    assert row["lookup"] == world.keyring.lookup(Credential(tech, number.upper()).text)
    assert number not in made.text


@pytest.mark.parametrize(
    ("tech", "number"), [("pin", "471108"), ("number", "034a5b"), ("mfrc522", UID)]
)
def test_no_badge_is_labelled_afterwards_with_what_opens_the_door(
    api: httpx.Client, tech: str, number: str
) -> None:
    made = enrol(api, number, tech=tech).json()["id"]
    answer = api.patch(f"/api/v1/badges/{made}", json={"label": number})
    assert answer.status_code == 422
    assert api.patch(f"/api/v1/badges/{made}", json={"label": "17"}).status_code == 200


@pytest.mark.parametrize("pin", ["12345678", "123456", "471", "47110x"])
def test_what_is_no_pin_is_refused_and_not_quoted(api: httpx.Client, pin: str) -> None:
    answer = enrol(api, pin, tech="pin")
    assert answer.status_code == 422
    assert pin not in answer.text
