"""Passages, once it is known whose taps they followed: rows, presence and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from kokubus.messages import Side
from kokubus.occupancy import Passage, Sensor
from kokubus_hub import models
from kokubus_hub.answer import Tapped
from kokubus_hub.batch import Batch
from kokubus_hub.models import table

Row = dict[str, Any]
_EVENT, _PASSAGE = table(models.AccessEvent), table(models.Passage)
_TAPS = select(_EVENT.c.tap, _EVENT.c.badge_id, _EVENT.c.member_id, _EVENT.c.side).where(
    _EVENT.c.tap.in_(bindparam("taps", expanding=True))
)
_WAITING = select(_PASSAGE.c.id, _PASSAGE.c.tap, _PASSAGE.c.door_id, _PASSAGE.c.at).where(
    _PASSAGE.c.tap.in_(bindparam("taps", expanding=True)), _PASSAGE.c.member_id.is_(None)
)


def settle(batch: Batch, taps: Sequence[Tapped]) -> None:
    """Insert the batch's passages, and give older ones the tap that arrived only now."""
    _late_taps(batch, [one.tap.id for one in taps if one.tap.at < batch.now - 1_000])
    if not batch.passed:
        return
    known = _known(batch, [row["tap"] for row in batch.passed if row["tap"]])
    for row in batch.passed:
        tap = known.get(row["tap"])
        row["side"] = row["side"] or (tap.side if tap else None)
        row["member_id"] = tap.member_id if tap else None
        if tap is not None:
            batch.evidence += _evidence(batch, row)
    batch.connection.execute(insert(_PASSAGE), batch.passed)
    _remember(batch, batch.passed, known)


def _known(batch: Batch, taps: list[str]) -> dict[str, Any]:
    if not taps:
        return {}
    return {row.tap: row for row in batch.connection.execute(_TAPS, {"taps": taps})}


def _late_taps(batch: Batch, taps: list[str]) -> None:
    """A passage may arrive before its tap, when the tap had to be sent again."""
    if not taps:
        return
    known = _known(batch, taps)
    rows = [dict(row._mapping) for row in batch.connection.execute(_WAITING, {"taps": taps})]  # noqa: SLF001 - SQLAlchemy's documented name
    for row in rows:
        tap = known[row["tap"]]
        row["side"] = tap.side
        batch.connection.execute(
            update(_PASSAGE)
            .where(_PASSAGE.c.id == row["id"])
            .values(member_id=tap.member_id, side=tap.side)
        )
        batch.evidence += _evidence(batch, row)
    _remember(batch, rows, known)


def _evidence(batch: Batch, row: Row) -> list[tuple[int, Passage]]:
    door = batch.places.doors[batch.places.door_slugs[row["door_id"]]]
    side = Side(row["side"])
    return [(room, Passage(row["at"], Sensor.BADGE, way)) for room, way in door.ways(side)]


def _remember(batch: Batch, rows: Sequence[Row], known: dict[str, Any]) -> None:
    present: list[Row] = []
    for row in rows:
        tap = known.get(row["tap"])
        if tap is None or tap.badge_id is None:
            continue
        door = batch.places.doors[batch.places.door_slugs[row["door_id"]]]
        present += [
            {"badge_id": tap.badge_id, "room_id": room, "inside": way is Side.IN, "at": row["at"]}
            for room, way in door.ways(Side(row["side"]))
        ]
    batch.present(present)
