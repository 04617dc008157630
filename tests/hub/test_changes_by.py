"""Every change an operator asks for says whose it is; what the hub does by itself says nobody's."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.hub.small_hub import rows
from tests.hub.test_api_entitlements import FLEX
from tests.hub.web_world import HOUR_MS, NOW, World

from kokubus_hub import changes, database, models
from kokubus_hub.times import iso

SITE, HALL, MEMBER = "ettmannsweiler", "ettmannsweiler-hall", "m-00000001"
SPAN = {"start": iso(NOW), "end": iso(NOW + HOUR_MS)}
BOOKING: dict[str, Any] = {"room": HALL, "member": MEMBER} | SPAN
GUEST: dict[str, Any] = {"room": HALL, "booker": {"email": "gast@example.org"}} | SPAN
ASKED: list[list[tuple[str, str, Any]]] = [
    [
        ("POST", "bookings", BOOKING),
        ("PATCH", "bookings/1", {"end": iso(NOW + 2 * HOUR_MS)}),
        ("DELETE", "bookings/1", None),
    ],
    [("PUT", "bookings/by-uid/cobot/eins", GUEST), ("DELETE", "bookings/by-uid/cobot/eins", None)],
    [("POST", "members", {"name": "Neu"}), ("PATCH", f"members/{MEMBER}", {"name": "Anders"})],
    [
        ("POST", "badges", {"uid": "04A3C6CAE26180", "member": MEMBER}),
        ("PUT", f"sites/{SITE}/keyholders/1", None),
        ("DELETE", f"sites/{SITE}/keyholders/1", None),
        ("PATCH", "badges/1", {"status": "lost"}),
    ],
    [
        ("POST", "entitlements", {"member": MEMBER, "site": SITE}),
        ("DELETE", "entitlements/1", None),
    ],
    [
        ("POST", "plans", FLEX),
        ("PUT", f"members/{MEMBER}/plans/flex-10", {}),
        ("DELETE", f"members/{MEMBER}/plans/flex-10", None),
        ("DELETE", "plans/flex-10", None),
    ],
]


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked[0][1].partition("/")[0])
def test_what_an_operator_changes_is_theirs(
    world: World, api: httpx.Client, asked: list[tuple[str, str, Any]]
) -> None:
    world.member("Ada Beispiel")
    for method, path, said in asked:
        before = world.change()
        answer = api.request(method, f"/api/v1/{path}", json=said)
        assert answer.is_success, answer.text
        made = [row for row in rows(world.engine, models.Change) if row["id"] > before]
        assert made, f"{method} {path} recorded nothing"
        assert {row["operator_id"] for row in made} == {1}, made


def test_what_nobody_asked_for_is_nobodys(world: World) -> None:
    operator = world.operator()
    with database.writing(world.engine, operator) as connection:
        changes.record(connection, NOW, "somebody's")
    with database.writing(world.engine) as connection:
        changes.record(connection, NOW, "the hub's")
    theirs, own = rows(world.engine, models.Change)[-2:]
    assert (theirs["operator_id"], own["operator_id"]) == (operator, None)
