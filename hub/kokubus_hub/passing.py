"""Passages, once it is known whose taps they followed: rows, presence and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update

from kokubus.messages import Clock, Instant, Side
from kokubus.occupancy import Passage, Sensor
from kokubus_hub import models
from kokubus_hub.answer import Tapped
from kokubus_hub.batch import Batch
from kokubus_hub.bulk import among, insert_rows, listed, run
from kokubus_hub.models import table

Row = dict[str, Any]
_EVENT, _PASSAGE = table(models.AccessEvent), table(models.Passage)
_TAPS = among(
    select(_EVENT.c.tap, _EVENT.c.badge_id, _EVENT.c.member_id, _EVENT.c.side),
    _EVENT.c.tap,
    "taps",
)
_WAITING = among(
    select(
        _PASSAGE.c.id,
        _PASSAGE.c.tap,
        _PASSAGE.c.door_id,
        _PASSAGE.c.at,
        _PASSAGE.c.side,
        _PASSAGE.c.untimed_boot,
    ).where(_PASSAGE.c.member_id.is_(None)),
    _PASSAGE.c.tap,
    "taps",
)
_PROMPT_MS = 1_000


def settle(batch: Batch, taps: Sequence[Tapped]) -> None:
    """Insert the batch's passages, and give older ones the tap that arrived only now."""
    _late_taps(batch, [one.tap.id for one in taps if _may_be_late(one, batch.now)])
    if not batch.passed:
        return
    known = _known(batch, [row["tap"] for row in batch.passed if row["tap"]])
    for row in batch.passed:
        tap = known.get(row["tap"])
        row["side"] = row["side"] or (tap.side if tap else None)
        row["member_id"] = tap.member_id if tap else None
        if row["tap"] and row["side"]:
            _observe(batch, row)
    insert_rows(batch.connection, _PASSAGE, batch.passed)
    _remember(batch, batch.passed, known)


def _may_be_late(one: Tapped, now: Instant) -> bool:
    """Whether its door may have opened, and told of it, before this tap arrived."""
    waited = now - one.tap.at
    prompt = 0 <= waited < min(one.tap.deadline_ms, _PROMPT_MS)
    return not prompt or one.stamp.clock is not Clock.SYNCED


def _known(batch: Batch, taps: list[str]) -> dict[str, Any]:
    if not taps:
        return {}
    query = _TAPS[batch.connection.dialect.name]
    return {row.tap: row for row in run(batch.connection, query, {"taps": listed(taps)})}


def _late_taps(batch: Batch, taps: list[str]) -> None:
    """A passage may arrive before its tap, when the tap had to be sent again."""
    if not taps:
        return
    query = _WAITING[batch.connection.dialect.name]
    found = run(batch.connection, query, {"taps": listed(taps)})
    rows = [dict(row) for row in found.mappings()]
    known = _known(batch, [row["tap"] for row in rows])
    for row in rows:
        tap, told = known[row["tap"]], row["side"]
        row["side"] = told or tap.side
        batch.connection.execute(
            update(_PASSAGE)
            .where(_PASSAGE.c.id == row["id"])
            .values(member_id=tap.member_id, side=row["side"])
        )
        if told is None:  # else it was counted when it came
            _observe(batch, row)
    _remember(batch, rows, known)


def _observe(batch: Batch, row: Row) -> None:
    """A passage is evidence as soon as its side is known, and its time."""
    if row["untimed_boot"] is not None:
        return
    door = batch.places.doors[batch.places.door_slugs[row["door_id"]]]
    for room, way in door.ways(Side(row["side"])):
        batch.observe(room, Passage(row["at"], Sensor.BADGE, way))


def _remember(batch: Batch, rows: Sequence[Row], known: dict[str, Any]) -> None:
    present: list[Row] = []
    for row in rows:
        tap = known.get(row["tap"])
        if tap is None or tap.badge_id is None:
            continue
        door = batch.places.doors[batch.places.door_slugs[row["door_id"]]]
        at = batch.now if row["untimed_boot"] is not None else batch.past(row["at"])
        seen = {"badge_id": tap.badge_id, "at": at}
        present += [
            seen | {"room_id": room, "inside": way is Side.IN}
            for room, way in door.ways(Side(row["side"]))
        ]
    batch.present(present)
