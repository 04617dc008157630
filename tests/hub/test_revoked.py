"""A door without network lets in a badge that was revoked meanwhile: flagged and alarmed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.hub.intake_world import FRONT, HOUR_MS, NOW, OTHER_UID, UID, World, world
from tests.hub.small_hub import rows

from kokubus.messages import By, Enforced
from kokubus_hub import models
from kokubus_hub.sorting import Letter

TAPPED = NOW - 2 * HOUR_MS


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        made.member(UID)
        yield made


def revoke(hub: World, at: int, model: type[models.Base] = models.Badge, **values: Any) -> None:
    """As an operator does it at ``at``; what the database then knows of before and after."""
    before, hub.now = hub.now, at
    changed = hub.add(models.Change, at=at, what="revoked")
    kind = model.__tablename__
    told = values or {"status": "blocked"}
    for data, change in (({"status": "active"}, 1), (told, changed)):
        hub.add(models.History, entity=kind, row_id=1, change_id=change, data=data)
    hub.set_id(model, 1, **told)
    hub.now = before


def granted(hub: World, uid: str = UID, **how: Any) -> list[Letter]:
    tap = hub.device.tapped(uid, at=TAPPED)
    told: dict[str, Any] = {"by": By.EDGE, "granted": True, "reason": "booked", "at": TAPPED} | how
    return [hub.device.say(tap), hub.device.fact(Enforced, tap=tap.id, door=FRONT, **told)]


def flags(hub: World) -> list[Any]:
    return [row["flags"] for row in rows(hub.engine, models.AccessEvent)]


def alarms(hub: World) -> list[dict[str, Any]]:
    return [row for row in rows(hub.engine, models.Alarm) if row["kind"] == "revoked_granted"]


def test_a_blocked_badge_that_was_let_in(hub: World) -> None:
    revoke(hub, TAPPED - 1)
    hub.take(*granted(hub))
    assert flags(hub) == [["revoked_meanwhile"]]
    [alarm] = alarms(hub)
    assert (alarm["door_id"], alarm["member_id"], alarm["at"]) == (1, 1, TAPPED)
    assert alarm["detail"]["revoked_at"] == TAPPED - 1


def test_a_suspended_member(hub: World) -> None:
    revoke(hub, TAPPED - 1, models.Member, status="suspended")
    hub.take(*granted(hub))
    assert flags(hub) == [["revoked_meanwhile"]]


@pytest.mark.parametrize("first", [0, 1])
def test_whatever_comes_first(hub: World, first: int) -> None:
    revoke(hub, TAPPED - 1)
    letters = granted(hub)
    hub.take(letters[first])
    hub.take(letters[1 - first])
    assert flags(hub) == [["revoked_meanwhile"]]
    assert len(alarms(hub)) == 1


def test_who_was_let_in_before_it_was_revoked_was_let_in_rightly(hub: World) -> None:
    revoke(hub, TAPPED + 1)
    hub.take(*granted(hub))
    assert (flags(hub), alarms(hub)) == ([None], [])


@pytest.mark.parametrize(
    "how",
    [{"granted": False, "reason": "policy_stale"}, {"reason": "free_passage"}, {"by": By.HUB}],
)
def test_what_the_door_did_not_grant_by_itself_to_this_badge_is_nothing(
    hub: World, how: dict[str, Any]
) -> None:
    revoke(hub, TAPPED - 1)
    hub.take(*granted(hub, **how))
    assert alarms(hub) == []


def test_a_badge_the_hub_does_not_even_know(hub: World) -> None:
    hub.take(*granted(hub, OTHER_UID))
    assert flags(hub) == [["revoked_meanwhile"]]
    assert len(alarms(hub)) == 1


def test_a_badge_that_holds_is_let_in_in_peace(hub: World) -> None:
    hub.take(*granted(hub))
    assert (flags(hub), alarms(hub)) == ([None], [])
