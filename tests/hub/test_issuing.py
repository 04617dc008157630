"""Numbers of policies: above all that was issued and all that a door has reported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from tests.hub.policy_world import NOW, World, world

from kokubus import policy, wire
from kokubus.errors import SignatureError
from kokubus.messages import PolicyNumber
from kokubus_hub import database, issuing, models
from kokubus_hub.issuing import KEPT, Issued
from kokubus_hub.models import table
from kokubus_hub.seal import Seal

POLICY, DEVICE = table(models.Policy), table(models.Device)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def document(right: int) -> dict[str, dict[str, Any]]:
    return {"rights": {f"b{right}": {"member": "m"}}}


def issue(hub: World, right: int, change: int = 1) -> Issued | None:
    text = policy.encoded(document(right)).decode()
    with database.writing(hub.engine) as connection:
        return issuing.issue(connection, 1, text, change, NOW)


def number(issued: Issued | None) -> tuple[int, int]:
    assert issued is not None
    return issued.number.epoch, issued.number.n


def rows(hub: World, of: Any) -> list[Any]:
    with database.reading(hub.engine) as connection:
        return list(connection.execute(select(of).order_by(of.c.id)))


def report(hub: World, issued: Issued | None) -> None:
    assert issued is not None
    hub.set(
        models.Device,
        1,
        applied_epoch=issued.number.epoch,
        applied_n=issued.number.n,
        applied_sha256=issued.sha256,
    )


def test_numbers_rise_by_one(hub: World) -> None:
    assert [number(issue(hub, right)) for right in (1, 2, 3)] == [(1, 1), (1, 2), (1, 3)]


def test_the_fingerprint_is_the_documents(hub: World) -> None:
    issued = issue(hub, 1)
    assert issued is not None
    assert issued.sha256 == policy.fingerprint(document(1))


def test_a_document_that_says_the_same_goes_up_to_the_newer_change(hub: World) -> None:
    assert issue(hub, 1, change=4) is not None
    assert issue(hub, 1, change=9) is None
    assert issue(hub, 1, change=7) is None
    assert [(row.n, row.change_id) for row in rows(hub, POLICY)] == [(1, 9)]


def test_a_number_is_above_what_the_door_has_reported(hub: World) -> None:
    issue(hub, 1)
    hub.set(models.Device, 1, applied_epoch=1, applied_n=41)
    assert number(issue(hub, 1)) == (1, 42), "also where the document says the same"


def test_a_new_epoch_begins_anew_and_makes_the_same_document_new(hub: World) -> None:
    issue(hub, 1)
    with database.writing(hub.engine) as connection:
        connection.execute(insert(table(models.Setting)).values(key="policy_epoch", value="2"))
    assert number(issue(hub, 1)) == (2, 1)
    assert number(issue(hub, 2)) == (2, 2)


def test_a_door_of_a_later_epoch_is_followed(hub: World) -> None:
    hub.set(models.Device, 1, applied_epoch=3, applied_n=8)
    assert number(issue(hub, 1)) == (3, 9)


def test_a_number_is_taken_once(hub: World) -> None:
    issue(hub, 1)
    row = {"device_id": 1, "epoch": 1, "n": 1, "sha256": "0" * 64}
    with pytest.raises(IntegrityError):
        hub.add(models.Policy, **row, document="", change_id=1, issued_at=NOW)


def test_old_documents_are_forgotten_their_numbers_stay(hub: World) -> None:
    for right in range(KEPT + 3):
        issue(hub, right)
    kept = [bool(row.document) for row in rows(hub, POLICY)]
    assert kept == [False] * 3 + [True] * KEPT
    assert all(row.sha256 for row in rows(hub, POLICY))


def test_a_delta_turns_the_policy_before_into_this_one(hub: World) -> None:
    issue(hub, 1)
    issued = issue(hub, 2)
    assert issued is not None
    delta = issued.delta(NOW)
    assert delta is not None
    assert (delta.base, delta.number) == (PolicyNumber(1, 1), PolicyNumber(1, 2))
    assert policy.patch(document(1), delta.put, delta.drop) == document(2)
    assert issued.snapshot(NOW).content == document(2)


def test_the_first_policy_has_no_delta(hub: World) -> None:
    issued = issue(hub, 1)
    assert issued is not None
    assert issued.delta(NOW) is None


def test_the_latest_is_what_renewals_name(hub: World) -> None:
    with database.reading(hub.engine) as connection:
        assert issuing.latest(connection, 1) is None
    issue(hub, 1)
    second = issue(hub, 2)
    with database.reading(hub.engine) as connection:
        latest = issuing.latest(connection, 1)
    assert latest is not None
    assert second is not None
    renewed = latest.renewed(NOW)
    assert (renewed.number, renewed.sha256) == (second.number, second.sha256)


def applied_change(hub: World) -> int | None:
    with database.writing(hub.engine) as connection:
        issuing.catch_up(connection)
    found: int | None = rows(hub, DEVICE)[0].applied_change
    return found


def test_a_door_with_the_policy_in_force_has_all_its_changes(hub: World) -> None:
    issued = issue(hub, 1, change=4)
    assert applied_change(hub) is None
    report(hub, issued)
    assert applied_change(hub) == 4
    issue(hub, 1, change=9)
    assert applied_change(hub) == 9
    issue(hub, 2, change=12)
    assert applied_change(hub) == 9, "the door has not reported that one"


def test_a_door_with_other_bytes_has_nothing(hub: World) -> None:
    report(hub, issue(hub, 1))
    hub.set(models.Device, 1, applied_sha256="0" * 64)
    assert applied_change(hub) is None


def test_who_has_not_confirmed(hub: World) -> None:
    def unconfirmed() -> list[int]:
        with database.reading(hub.engine) as connection:
            return [row.id for row in issuing.unconfirmed(connection)]

    assert unconfirmed() == [], "nothing was asked of anybody"
    first = issue(hub, 1)
    assert unconfirmed() == [1]
    report(hub, first)
    assert unconfirmed() == []
    issue(hub, 2)
    assert unconfirmed() == [1]


def test_what_is_sealed_for_one_device_is_nothing_to_another(hub: World) -> None:
    issued = issue(hub, 1)
    assert issued is not None
    topic, payload = Seal(hub.keyring, 1000)(issued.renewed(NOW), "dorf-1", NOW)
    keys = {hub.keyring.kid: hub.keyring.verifying}
    down = wire.decode_down(payload, device="dorf-1", keys=keys)
    assert (topic, down.expires_at) == ("kokubus/v1/dorf-1/down/policy_renewed", NOW + 1000)
    with pytest.raises(SignatureError):
        wire.decode_down(payload, device="dorf-2", keys=keys)
