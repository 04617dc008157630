"""Answer taps: decide each by the shared rule and record tap and answer in one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, select

from kokubus.access import decide
from kokubus.decision import Decision, Moment, Reason, State, Tap
from kokubus.messages import BadgeTapped, Clock, Instant, Stamp
from kokubus.rights import Policy
from kokubus_hub import models, store
from kokubus_hub.batch import Batch
from kokubus_hub.keys import Keyring
from kokubus_hub.models import table
from kokubus_hub.places import DevicePlace, Held
from kokubus_hub.store import Asked

LATE_TOLERANCE_MS = 1_000
"""How far a door's synced clock may be off before its taps look late."""

_EVENT, _ENFORCEMENT = table(models.AccessEvent), table(models.Enforcement)
_STORED = select(_EVENT.c.tap, _EVENT.c.granted, _EVENT.c.reason, _EVENT.c.detail).where(
    _EVENT.c.tap.in_(bindparam("taps", expanding=True))
)


@dataclass(frozen=True, slots=True)
class Tapped:
    """A tap with its stamp, its device, and the credential already opened.

    ``text`` is ``tech|UID``: it is kept out of every log.
    """

    device: DevicePlace
    tap: BadgeTapped
    stamp: Stamp
    lookup: str
    text: bytes = field(repr=False)


def opened(keyring: Keyring, device: DevicePlace, tap: BadgeTapped, stamp: Stamp) -> Tapped:
    """The tap with its credential opened; WireError if it was not sealed for this tap."""
    text = keyring.unseal(tap.sealed, tap.id)
    return Tapped(device, tap, stamp, keyring.lookup(text), text)


def authorise(batch: Batch, taps: Sequence[Tapped]) -> dict[str, Decision]:
    """Decide these taps and collect their rows; a late tap is recorded, never decided."""
    asked = [_asked(batch, one) for one in taps]
    known = store.policy_and_state_for(batch, asked)
    enforced = {row["tap"] for row in batch.rows.get(_ENFORCEMENT, ())}
    decisions: dict[str, Decision] = {}
    moment = Moment(at=batch.now)
    for one, question in zip(taps, asked, strict=True):
        late = one.tap.id in enforced or is_late(one, batch.now)
        state = known.state(question, batch.places)
        decision = None if late else _decide(known.policy, state, question, one, moment)
        if decision:
            decisions[one.tap.id] = decision
        row = _row(batch, known.held[one.lookup], question, one, decision)
        row["state"] = {"inside": state.inside, "free_places": state.free_places}
        batch.rows[_EVENT].append(row)
    return decisions


def is_late(one: Tapped, now: Instant) -> bool:
    """Whether the door has long decided by itself; an untrusted clock cannot say."""
    limit = one.tap.deadline_ms + LATE_TOLERANCE_MS
    return one.stamp.clock is not Clock.UNTRUSTED and now - one.tap.at > limit


def stored_answers(batch: Batch, taps: Sequence[str]) -> Mapping[str, Any]:
    """The answers given before to taps that arrived again."""
    rows = batch.connection.execute(_STORED, {"taps": list(taps)}) if taps else ()
    return {row.tap: row for row in rows}


def cannot_record() -> Decision:
    """What is said when nothing can be written: the door then asks its own policy."""
    return Decision(granted=False, reason=Reason.HUB_CANNOT_RECORD)


def _asked(batch: Batch, one: Tapped) -> Asked:
    door = batch.places.doors.get(one.tap.door)
    mine = door if door and door.device_id == one.device.id else None
    return Asked(one.tap.id, one.lookup, mine, one.tap.side)


def _decide(policy: Policy, state: State, asked: Asked, one: Tapped, moment: Moment) -> Decision:
    tap = Tap(
        door=asked.door.slug if asked.door else "",
        badge=one.lookup,
        side=one.tap.side,
        assurance=one.tap.assurance,
    )
    return decide(policy, state, tap, moment)


def _row(
    batch: Batch, held: Held, asked: Asked, one: Tapped, decision: Decision | None
) -> dict[str, Any]:
    return {
        "tap": one.tap.id,
        "device_id": one.device.id,
        "door_id": asked.door.id if asked.door else None,
        "at": one.tap.at,
        "received_at": batch.now,
        "epoch": one.stamp.epoch,
        "seq": one.stamp.seq,
        "boot": one.stamp.boot,
        "uptime_ms": one.stamp.uptime_ms,
        "clock": one.stamp.clock,
        "side": one.tap.side,
        "assurance": one.tap.assurance,
        "badge_id": held.badge_id,
        "member_id": held.member_id,
        "granted": decision.granted if decision else None,
        "reason": decision.reason if decision else None,
        "detail": _detail(one, asked, decision),
        "flags": (list(decision.flags) or None) if decision else None,
        "right": decision.right if decision else None,
        "change_id": batch.places.change,
        "policy_epoch": None,
        "policy_n": None,
        "decided_at": batch.now if decision else None,
        "late": decision is None,
    }


def _detail(one: Tapped, asked: Asked, decision: Decision | None) -> dict[str, Any] | None:
    """What the reason needs, and the name of a door that has no row."""
    detail: dict[str, Any] = dict(decision.detail) if decision else {}
    if asked.door is None:
        detail["door"] = one.tap.door
    return detail or None
