"""Why: any instant is decided again by what was known then, each step a code and a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.hub.intake_world import (
    ALWAYS,
    BACK,
    FRONT,
    HALL,
    HOUR_MS,
    INNER,
    NOW,
    OTHER_UID,
    STUDIO,
    UID,
    World,
    world,
)
from tests.hub.web_world import Stage, staging
from tests.loopback import asking

from kokubus.messages import By, Enforced
from kokubus_hub import cli, database, models
from kokubus_hub.context import Hub
from kokubus_hub.explain.words import PASSED
from kokubus_hub.people import service as people
from kokubus_hub.settings import Settings
from kokubus_hub.times import iso

DAY_MS = 24 * HOUR_MS


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staging() as made:
        yield made


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


@pytest.fixture
def api(hub: World, stage: Stage, tmp_path: Path) -> Iterator[httpx.Client]:
    served = Hub(Settings(data_dir=tmp_path), hub.engine, hub.keyring, lambda: hub.now, None)
    stage.enter(served)
    with database.session_writing(hub.engine) as session:
        operator = people.add_operator(session, "Olga Probe", "olga@example.org", NOW)
        token = people.make_token(session, operator.id, "test", NOW)
    headers = {"Authorization": f"Bearer {token}"}
    with asking(f"{stage.address}/api/v1", headers=headers) as client:
        yield client


def why(api: httpx.Client, **asked: Any) -> dict[str, Any]:
    """The one explanation of a badge, 1 at the front door if nothing else is said."""
    if "tap" not in asked:
        asked = {"badge": "1", "door": FRONT} | asked
    for name in ("at", "known_at"):
        if name in asked:
            asked[name] = iso(asked[name])
    answer = api.get("explain", params=asked)
    assert answer.status_code == 200, answer.text
    (told,) = answer.json()
    return dict(told)


def test_somebody_without_a_booking_learns_every_step(hub: World, api: httpx.Client) -> None:
    hub.member()
    told = why(api, lang="en")
    assert (told["granted"], told["reason"], told["status"]) == (False, "no_booking", "explained")
    assert told["sentence"] == "Not let in: there is no booking."
    assert [step["rule"] for step in told["steps"]] == [*PASSED, "nearest"]
    assert [step["finding"] for step in told["steps"]] == [*["passed"] * 12, "denied"]
    assert all(step["sentence"] for step in told["steps"])
    assert (told["stored"], told["reproduced"]) == (None, None)


def test_the_sentences_are_in_the_language_asked_for(hub: World, api: httpx.Client) -> None:
    hub.member()
    assert why(api, lang="de")["sentence"].startswith("Nicht eingelassen")
    german = [step["sentence"] for step in why(api, lang="de")["steps"]]
    english = [step["sentence"] for step in why(api, lang="en")["steps"]]
    assert not set(german) & set(english)


def test_a_question_about_saturday(hub: World, api: httpx.Client) -> None:
    saturday = NOW + 5 * DAY_MS
    hub.book(hub.member(), HALL, saturday)
    assert why(api, at=saturday - HOUR_MS)["reason"] == "too_early"
    told = why(api, at=saturday + HOUR_MS)
    assert (told["reason"], told["right"]) == ("booked", "b1")
    assert why(api, at=saturday + HOUR_MS, door=INNER)["reason"] == "wrong_place"


def test_what_was_known_then_and_not_what_is_known_now(hub: World, api: httpx.Client) -> None:
    member = hub.member()
    hub.now = NOW + HOUR_MS
    booking = hub.book(member, HALL, NOW)
    hub.now = NOW + 2 * HOUR_MS
    hub.set_id(models.Booking, booking, status="cancelled")
    hub.set_id(models.Badge, 1, status="lost")
    assert why(api, at=NOW + 1)["reason"] == "no_booking"
    assert why(api, at=NOW + HOUR_MS + 1)["reason"] == "booked"
    assert why(api, at=NOW + 2 * HOUR_MS)["reason"] == "badge_blocked"
    assert why(api, at=NOW + 1, known_at=NOW + HOUR_MS)["reason"] == "booked"


def test_a_badge_that_changed_hands(hub: World, api: httpx.Client) -> None:
    hub.book(hub.member())
    other = hub.member(OTHER_UID)
    hub.now = NOW + 1_000
    hub.set_id(models.Badge, 1, member_id=other)
    assert why(api, at=NOW)["reason"] == "booked"
    assert why(api)["reason"] == "no_booking"


def test_a_party_of_a_booking(hub: World, api: httpx.Client) -> None:
    """Whoever comes along has the booker's right, where the listener says so, too."""
    booking = hub.book(hub.member(OTHER_UID))
    friend = hub.member()
    hub.add(models.BookingHolder, booking_id=booking, member_id=friend)
    assert why(api, badge="2")["reason"] == hub.reason()


def test_a_recorded_tap_is_told_as_it_was(hub: World, api: httpx.Client) -> None:
    hub.entitle(hub.member(), schedule=ALWAYS)
    hub.set(models.Door, INNER, anti_passback="flag")
    tapped = hub.device.tapped(UID, INNER)
    assert hub.ask(hub.device.say(tapped)).granted
    hub.now = NOW + HOUR_MS
    hub.set_id(models.Badge, 1, status="blocked")
    told = why(api, tap=tapped.id, lang="en")
    assert (told["reason"], told["reproduced"], told["stored"]["reason"]) == (
        *("entitled", True, "entitled"),
    )
    assert [flag["flag"] for flag in told["flags"]] == ["passback_unknown"]
    assert why(api, at=NOW, door=INNER) == told | why(api, at=NOW, door=INNER)
    assert why(api, at=NOW, door=INNER)["reproduced"] is True


def test_a_record_that_the_rules_would_not_make_is_said_to_be_one(
    hub: World, api: httpx.Client
) -> None:
    tapped = hub.device.tapped()
    hub.ask(hub.device.say(tapped))
    event = hub.rows(models.AccessEvent)[0]
    hub.set_id(models.AccessEvent, event["id"], granted=True, reason="booked")
    told = why(api, tap=tapped.id)
    assert (told["granted"], told["stored"]["granted"], told["reproduced"]) == (False, True, False)


def test_what_a_door_decided_by_itself(hub: World, api: httpx.Client) -> None:
    """It had no policy the hub knows of: its word stands, and nobody can say why."""
    hub.book(hub.member())
    tapped = hub.device.tapped(at=NOW - DAY_MS)
    enforced = {"tap": tapped.id, "door": FRONT, "by": By.EDGE, "granted": False}
    enforced |= {"reason": "hub_unreachable", "at": NOW - DAY_MS}
    hub.take(hub.device.say(tapped), hub.device.fact(Enforced, **enforced))
    told = why(api, tap=tapped.id)
    assert (told["by"], told["status"]) == ("edge", "forgotten")
    assert told["stored"]["reason"] == "hub_unreachable"


def test_a_tap_that_nobody_has_decided(hub: World, api: httpx.Client) -> None:
    tapped = hub.device.tapped(at=NOW - DAY_MS)
    hub.take(hub.device.say(tapped))
    answer = api.get("explain", params={"tap": tapped.id})
    assert (answer.status_code, answer.json()["status"]) == (409, 409)


def test_after_the_retention_time_it_is_forgotten(hub: World, api: httpx.Client) -> None:
    hub.book(hub.member())
    tapped = hub.device.tapped()
    hub.ask(hub.device.say(tapped))
    hub.now = NOW + 30 * DAY_MS
    assert why(api, tap=tapped.id)["status"] == "explained"
    hub.now += 1
    for told in (why(api, tap=tapped.id, lang="en"), why(api, at=NOW - 1, lang="en")):
        assert (told["status"], told["granted"], told["steps"]) == ("forgotten", None, [])
        assert told["sentence"].startswith("Nobody can say any more")


def test_before_the_history_began_nothing_is_known(hub: World, api: httpx.Client) -> None:
    hub.member()
    with database.writing(hub.engine) as connection:
        held = models.Setting.__table__
        connection.execute(held.update().where(held.c.key == "history_since").values(value="999"))
    assert why(api)["status"] == "forgotten"


def test_who_is_inside_is_known_of_now_alone(hub: World, api: httpx.Client) -> None:
    hub.set(models.Door, INNER, anti_passback="deny", reads_both_sides=True)
    hub.entitle(hub.member(), schedule=ALWAYS)
    hub.add(models.Presence, badge_id=1, room_id=STUDIO, inside=True, at=NOW)
    assert why(api, door=INNER)["reason"] == "already_inside"
    later = why(api, door=INNER, at=NOW + HOUR_MS)
    assert (later["reason"], later["flags"][0]["flag"]) == ("entitled", "passback_unknown")


def test_some_badges_override_a_lockdown(hub: World, api: httpx.Client) -> None:
    hub.book(hub.member())
    api.post("modes", json={"kind": "lockdown", "reason": "a test", "site": "dorf"})
    assert why(api)["reason"] == hub.reason() == "lockdown"
    changed = api.patch("badges/1", json={"override_lockdown": True})
    assert changed.json()["override_lockdown"] is True
    assert why(api)["reason"] == hub.reason() == "booked"
    assert why(api, badge="1", at=NOW - 1)["reason"] != "lockdown"


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 422),
        ({"badge": "1"}, 422),
        ({"badge": "1", "door": FRONT, "tap": "x"}, 422),
        ({"badge": "7", "door": FRONT}, 404),
        ({"badge": "１", "door": FRONT}, 404),
        ({"badge": "1", "door": "nowhere"}, 404),
        ({"tap": "unknown"}, 404),
        ({"badge": "1", "door": FRONT, "at": "yesterday"}, 422),
        ({"badge": "1", "door": FRONT, "side": "up"}, 422),
    ],
)
def test_what_cannot_be_asked(
    hub: World, api: httpx.Client, asked: dict[str, str], status: int
) -> None:
    hub.member()
    answer = api.get("explain", params=asked)
    assert (answer.status_code, answer.headers["Content-Type"]) == (
        *(status, "application/problem+json"),
    )


def test_only_operators_may_ask(api: httpx.Client) -> None:
    assert httpx.get(f"{api.base_url}explain", timeout=60).status_code == 401


def test_a_badge_is_also_known_by_its_printed_label(hub: World, api: httpx.Client) -> None:
    hub.member(badge={"label": "K-0042"})
    assert why(api, badge="K-0042")["badge"] == 1


def test_on_the_command_line(
    hub: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.book(hub.member())
    settings = f'database_url = "sqlite:///{tmp_path / "hub.db"}"\nretention_days = 36500\n'
    (tmp_path / "hub.toml").write_text(settings)
    ask = ["--data-dir", str(tmp_path), "explain", "--badge", "1", "--door", BACK]
    assert cli.main([*ask, "--at", iso(NOW + 1_000)]) == 0
    said = capsys.readouterr().out
    assert f"{BACK}, 2026-09-21T14:13:21.000Z, the hub: booked" in said
    assert "booked\tgranted\tLet in: has a booking." in said
    assert cli.main([*ask, "--at", "2026-09-21T16:13:21", "--lang", "de"]) == 0
    assert "14:13:21" in capsys.readouterr().out
    assert cli.main([*ask, "--at", "tomorrow"]) == 2
    assert "write it as 2026-12-24T18:00" in capsys.readouterr().err
