"""The door's policy: applied only if it fits, reported only once on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.edge.policy_bench import LIFE_MS, NEW, OLD, Door, stored

from kokubus.downlinks import PolicyRenewed, PolicySnapshot
from kokubus.happenings import PolicyChanged
from kokubus.messages import PolicyNumber
from kokubus.policy import fingerprint
from kokubus.wire import Down
from kokubus_edge.policy_store import PolicyMissing


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path / "data")


def test_a_door_without_a_policy_says_so(door: Door) -> None:
    assert (door.store.policy, door.store.have, door.store.age_ms()) == (None, None, 0)
    assert door.told == []


def test_a_snapshot_is_used_stored_and_still_there_after_a_restart(door: Door) -> None:
    changed, on_disk = door.snapshot(3, NEW)
    assert on_disk == stored(3, NEW)
    assert changed == PolicyChanged(door.store.policy)
    policy = door.restart().store.policy
    assert policy is not None
    assert (policy.number, policy.max_age_ms) == (PolicyNumber(1, 3), LIFE_MS)
    assert policy.content.badges["abc"].member == "m-1"


def test_each_policy_is_one_line_of_the_log_and_names_no_badge(door: Door) -> None:
    rights = {"b1": {"member": "m-1", "rooms": ["hall"]}}
    with structlog.testing.capture_logs() as logs:
        door.snapshot(1, NEW)
        door.snapshot(1, NEW)  # the one it has
        door.delta(1, 2, NEW, NEW | {"rights": rights})
        door.renewed(2, NEW | {"rights": rights})
        door.snapshot(3, {"doors": 7})
        door.restart()
    lines = [line for line in logs if line["event"] == "policy_in_force"]
    assert [(one["epoch"], one["n"], one["rights"], one["through"]) for one in lines] == [
        (1, 1, 0, "policy"),
        (1, 2, 1, "policy_delta"),
        (1, 2, 1, "file"),
    ]
    assert "abc" not in str(lines)


def test_a_delta_builds_on_what_is_there(door: Door) -> None:
    door.snapshot(1)
    assert door.delta(1, 2)[-1] == stored(2, NEW)
    assert door.delta(2, 3, NEW, OLD)[-1] == stored(3, OLD)
    again = door.restart().store
    assert again.have == PolicyNumber(1, 3)
    assert again.policy is not None
    assert again.policy.content.badges == {}


@pytest.mark.parametrize("base", [0, 2])
def test_a_delta_on_something_else_is_a_gap(door: Door, base: int) -> None:
    door.snapshot(1)
    assert door.delta(base, 3) == [PolicyMissing(PolicyNumber(1, 1))]
    assert door.store.have == PolicyNumber(1, 1)


def test_a_delta_without_a_policy_is_a_gap(door: Door) -> None:
    assert door.delta(1, 2) == [PolicyMissing(None)]


def test_a_delta_whose_result_has_another_hash_is_a_gap(door: Door) -> None:
    door.snapshot(1, NEW)
    missing = PolicyMissing(PolicyNumber(1, 1))
    assert door.delta(1, 2, OLD, OLD | {"rights": {}}) == [stored(1, NEW), missing]


def test_a_snapshot_with_another_hash_is_refused(door: Door) -> None:
    door.snapshot(1)
    wrong = PolicySnapshot(
        number=PolicyNumber(1, 2), sha256="0" * 64, issued_at=door.clock.now(), content=NEW
    )
    assert door.take(wrong) == [PolicyMissing(PolicyNumber(1, 1))]
    assert door.restart().store.have == PolicyNumber(1, 1)


def test_a_snapshot_that_cannot_be_read_is_refused(door: Door) -> None:
    assert door.snapshot(1, OLD | {"rights": {"r": {"member": 7}}}) == [PolicyMissing(None)]


def test_older_numbers_are_refused_and_a_higher_epoch_wins(door: Door) -> None:
    """What is held is said again: a hub restored from a backup has to learn of it."""
    door.snapshot(5)
    assert door.snapshot(4, NEW) == [stored(5, OLD)]
    assert door.delta(3, 4) == [stored(5, OLD)]
    assert door.snapshot(1, NEW, epoch=2)[-1] == stored(1, NEW, epoch=2)
    assert door.snapshot(6) == [stored(1, NEW, epoch=2)]
    assert door.renewed(5) == [stored(1, NEW, epoch=2)]
    assert door.store.have == PolicyNumber(2, 1)


def test_the_same_policy_again_is_reported_again(door: Door) -> None:
    door.snapshot(1)
    assert door.snapshot(1) == [stored(1, OLD)]


def test_a_renewal_makes_it_young_and_survives_a_restart(door: Door) -> None:
    door.snapshot(1)
    door.clock.pass_ms(1_000_000)
    assert door.store.age_ms() == 1_000_000
    assert door.renewed() == []
    assert door.store.age_ms() == 0
    door.clock.pass_ms(5_000)
    assert door.restart().store.age_ms() == 5_000


@pytest.mark.parametrize(("n", "content"), [(2, OLD), (1, NEW)])
def test_a_renewal_of_something_else_is_a_gap(door: Door, n: int, content: Any) -> None:
    door.snapshot(1)
    door.clock.pass_ms(1_000)
    clash = [stored(1, OLD)] if n == 1 else []  # a restored hub has used the number again
    assert door.renewed(n, content) == [*clash, PolicyMissing(PolicyNumber(1, 1))]
    assert door.store.age_ms() == 1_000


def test_an_old_renewal_heard_again_makes_nothing_younger(door: Door) -> None:
    door.snapshot(1)
    said_at = door.clock.now() + 1_000
    door.clock.pass_ms(2_000)
    door.renewed(issued_at=said_at)
    assert door.store.age_ms() == 1_000
    door.clock.pass_ms(9_000)
    door.renewed(issued_at=said_at)
    assert door.store.age_ms() == 10_000


def test_a_renewal_may_change_how_long_it_holds(door: Door) -> None:
    door.snapshot(1)
    door.clock.pass_ms(1_000)
    at = door.clock.now()
    renewed = PolicyRenewed(number=PolicyNumber(1, 1), sha256=fingerprint(OLD), issued_at=at)
    door.store.take(Down("id", at, at + 7_000, renewed))
    assert door.told[-1] == PolicyChanged(door.store.policy)
    assert door.store.policy is not None
    assert door.store.policy.max_age_ms == 7_000
    again = door.restart().store.policy
    assert again is not None
    assert again.max_age_ms == 7_000


def test_what_expires_before_it_was_issued_is_refused(door: Door) -> None:
    at = door.clock.now()
    message = PolicySnapshot(
        number=PolicyNumber(1, 1), sha256=fingerprint(OLD), issued_at=at, content=OLD
    )
    door.store.take(Down("id", at, at, message))
    assert door.told == [PolicyMissing(None)]
