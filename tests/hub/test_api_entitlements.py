"""Plans, roles and standing rights: what members may enter without booking."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.hub.small_hub import rows
from tests.hub.test_api_people import add
from tests.hub.web_world import World

from kokubus_hub import models

SITE, HALL, MEETING = "ettmannsweiler", "ettmannsweiler-hall", "ettmannsweiler-meeting"
FLEX = {
    "id": "flex-10",
    "name": "Flex 10",
    "schedule": {"mon": ["08:00-18:00"], "holiday": []},
    "places": [{"site": SITE}, {"site": "ostelsheim"}],
}


def plan(api: httpx.Client, **changed: Any) -> dict[str, Any]:
    answer = api.post("/api/v1/plans", json=FLEX | changed)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def rights(api: httpx.Client, member: str) -> list[dict[str, Any]]:
    return list(api.get(f"/api/v1/members/{member}/entitlements").json())


def subscribe(api: httpx.Client, member: str, slug: str = "flex-10", **dates: str) -> None:
    answer = api.put(f"/api/v1/members/{member}/plans/{slug}", json=dates)
    assert answer.status_code == 200, answer.text


def test_a_plan_gives_its_members_a_right_at_each_of_its_places(api: httpx.Client) -> None:
    made, ada = plan(api), add(api)["id"]
    assert (made["kind"], made["members"]) == ("plan", 0)
    assert rights(api, ada) == []
    subscribe(api, ada, start="2026-09-01T00:00:00+02:00")
    given = rights(api, ada)
    assert [(one["site"], one["room"], one["plan"]) for one in given] == [
        (SITE, None, "flex-10"),
        ("ostelsheim", None, "flex-10"),
    ]
    assert given[0]["schedule"] == FLEX["schedule"]
    assert given[0]["start"] == "2026-08-31T22:00:00.000Z"
    assert api.get("/api/v1/plans/flex-10").json()["members"] == 1
    assert [one["plan"] for one in api.get(f"/api/v1/members/{ada}/plans").json()] == ["flex-10"]


def test_whoever_has_a_plan_follows_its_changes(world: World, api: httpx.Client) -> None:
    plan(api)
    ada, bob = add(api)["id"], add(api, "Bob Beispiel")["id"]
    subscribe(api, ada)
    subscribe(api, bob)
    kept = rights(api, ada)[0]["id"]
    changed = FLEX | {"schedule": None, "places": [{"site": SITE}, {"site": SITE, "room": HALL}]}
    before = world.change()
    assert api.put("/api/v1/plans/flex-10", json=changed).status_code == 200
    assert world.change() > before
    for member in (ada, bob):
        assert [(one["site"], one["room"], one["schedule"]) for one in rights(api, member)] == [
            (SITE, None, None),
            (SITE, HALL, None),
        ]
    assert rights(api, ada)[0]["id"] == kept  # events name it


def test_a_plan_taken_back_takes_what_it_gave_and_nothing_else(api: httpx.Client) -> None:
    plan(api)
    ada = add(api)["id"]
    by_hand = {"member": ada, "site": SITE, "room": MEETING}
    assert api.post("/api/v1/entitlements", json=by_hand).status_code == 201
    subscribe(api, ada)
    assert api.delete("/api/v1/plans/flex-10").status_code == 409
    assert api.delete(f"/api/v1/members/{ada}/plans/flex-10").status_code == 204
    assert [one["room"] for one in rights(api, ada)] == [MEETING]
    assert api.delete(f"/api/v1/members/{ada}/plans/flex-10").status_code == 404
    assert api.delete("/api/v1/plans/flex-10").status_code == 204
    assert api.get("/api/v1/plans").json() == []


def test_new_dates_replace_the_old_ones(world: World, api: httpx.Client) -> None:
    plan(api)
    ada = add(api)["id"]
    subscribe(api, ada)
    subscribe(api, ada, end="2026-12-31T00:00:00Z")
    assert {one["end"] for one in rights(api, ada)} == {"2026-12-31T00:00:00.000Z"}
    assert len(rows(world.engine, models.Subscription)) == 1


def test_a_right_by_hand_is_taken_back_and_a_plans_is_not(api: httpx.Client) -> None:
    plan(api)
    ada = add(api)["id"]
    subscribe(api, ada)
    given = api.post("/api/v1/entitlements", json={"member": ada, "site": SITE}).json()
    assert api.delete(f"/api/v1/entitlements/{given['id']}").status_code == 204
    assert api.delete(f"/api/v1/entitlements/{given['id']}").status_code == 404
    answer = api.delete(f"/api/v1/entitlements/{rights(api, ada)[0]['id']}")
    assert answer.status_code == 409
    assert "plan" in answer.json()["detail"]


def test_all_rights_are_listed_page_by_page(api: httpx.Client) -> None:
    plan(api)
    for number in range(3):
        subscribe(api, add(api, f"Mitglied {number}")["id"])
    first = api.get("/api/v1/entitlements", params={"limit": 4}).json()
    rest = api.get("/api/v1/entitlements", params={"limit": 4, "after": first["next"]}).json()
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (4, 2, None)


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"id": "Flex"}, 422, "pattern"),
        ({"schedule": {"monday": []}}, 422, "no day"),
        ({"schedule": {"mon": ["8-18"]}}, 422, "no hours"),
        ({"places": [{"site": "nowhere"}]}, 404, "nowhere"),
        ({"places": [{"site": SITE, "room": "cellar"}]}, 404, "cellar"),
        ({"places": [{"site": "ostelsheim", "room": HALL}]}, 422, "not one of the site"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_kept(
    world: World, api: httpx.Client, changed: dict[str, Any], status: int, said: str
) -> None:
    answer = api.post("/api/v1/plans", json=FLEX | changed)
    assert answer.status_code == status
    assert said in answer.text
    assert rows(world.engine, models.Plan) == []


def test_a_plan_has_one_id_and_a_member_needs_to_exist(api: httpx.Client) -> None:
    plan(api)
    assert api.post("/api/v1/plans", json=FLEX).status_code == 409
    assert api.put("/api/v1/members/m-nobody/plans/flex-10", json={}).status_code == 404
    ada = add(api)["id"]
    assert api.put(f"/api/v1/members/{ada}/plans/none", json={}).status_code == 404
    backwards = {"start": "2026-12-31T00:00:00Z", "end": "2026-12-30T00:00:00Z"}
    assert api.put(f"/api/v1/members/{ada}/plans/flex-10", json=backwards).status_code == 422


def test_nobody_else_sees_or_changes_rights(anybody: httpx.Client) -> None:
    assert anybody.get("/api/v1/plans").status_code == 401
    assert anybody.post("/api/v1/plans", json=FLEX).status_code == 401
    assert anybody.get("/api/v1/entitlements").status_code == 401
