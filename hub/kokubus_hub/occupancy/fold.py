"""Fold evidence into beliefs, in the transaction that records it.

Evidence that is older than what a room's belief already includes is not folded: the room is
marked dirty from that instant, and `replay` does it once, in order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from kokubus.messages import Instant
from kokubus.occupancy import Belief, Evidence, initial, wants
from kokubus.occupancy import update as updated
from kokubus_hub import models, places
from kokubus_hub.batch import Batch
from kokubus_hub.models import table
from kokubus_hub.places import RoomPlace

SNAPSHOT_EVERY_MS = 60_000

_BELIEF, _SNAPSHOT = table(models.Belief), table(models.BeliefSnapshot)
_VERSIONS = select(_BELIEF.c.room_id, _BELIEF.c.version, _BELIEF.c.dirty_since).where(
    _BELIEF.c.room_id.in_(bindparam("rooms", expanding=True))
)
_STATE = select(_BELIEF.c.state).where(_BELIEF.c.room_id == bindparam("room"))
_WRITE = (
    update(_BELIEF)
    .where(_BELIEF.c.room_id == bindparam("room"))
    .values(
        at=bindparam("new_at"),
        state=bindparam("new_state"),
        version=bindparam("new_version"),
        dirty_since=bindparam("new_dirty"),
    )
)


@dataclass(slots=True)
class _Room:
    """One room's belief while a batch is folded into it."""

    place: RoomPlace
    belief: Belief
    version: int
    dirty_since: Instant | None
    snapshot_at: Instant
    changed: bool = False

    def fold(self, evidence: Evidence, open_: bool) -> None:
        if evidence.at < self.belief.at:
            self.dirty_since = min(self.dirty_since or evidence.at, evidence.at)
            self.changed = True
        elif wants(self.belief, evidence):
            self.belief = updated(self.place.model, self.belief, evidence, open_=open_)
            self.changed = True


class Fold:
    """The beliefs of one listener; a copy in memory counts only while its version stands."""

    def __init__(self) -> None:
        self._known: dict[int, _Room] = {}

    def forget(self) -> None:
        """After a rollback: what is in memory is no longer what the database holds."""
        self._known.clear()

    def take(self, batch: Batch) -> None:
        """Fold the batch's evidence, in the order of its instants."""
        wanted = [pair for pair in batch.evidence if self._may_matter(*pair)]
        if not wanted:
            return
        rooms = self._rooms(batch, {room for room, _ in wanted})
        for room_id, evidence in sorted(wanted, key=lambda pair: pair[1].at):
            room = rooms[room_id]
            site = batch.places.sites[room.place.site_id]
            room.fold(evidence, places.is_open(site, evidence.at))
        self._write(batch, [room for room in rooms.values() if room.changed])

    def _may_matter(self, room_id: int, evidence: Evidence) -> bool:
        """Cheaply: a reading too close to the last one counted changes no belief."""
        room = self._known.get(room_id)
        return room is None or evidence.at < room.belief.at or wants(room.belief, evidence)

    def _rooms(self, batch: Batch, ids: Iterable[int]) -> dict[int, _Room]:
        ids = list(ids)
        query = _VERSIONS.with_for_update() if _locks(batch) else _VERSIONS
        rows = {row.room_id: row for row in batch.connection.execute(query, {"rooms": ids})}
        for room_id in ids:
            self._known[room_id] = self._current(batch, room_id, rows.get(room_id))
        return {room_id: self._known[room_id] for room_id in ids}

    def _current(self, batch: Batch, room_id: int, row: Any) -> _Room:
        place, known = batch.places.rooms[room_id], self._known.get(room_id)
        if row is None:
            return _first(batch, place)
        if known and known.version == row.version and known.place.model == place.model:
            known.changed = False
            return known
        belief = _read(batch, place)
        snapshot_at = belief.at - SNAPSHOT_EVERY_MS
        return _Room(place, belief, row.version, row.dirty_since, snapshot_at)

    def _write(self, batch: Batch, rooms: list[_Room]) -> None:
        for room in rooms:
            state = room.belief.to_json()
            room.version += 1
            if room.belief.at - room.snapshot_at >= SNAPSHOT_EVERY_MS:
                room.snapshot_at = room.belief.at
                _keep_snapshot(batch, room, state)
            batch.connection.execute(
                _WRITE,
                {
                    "room": room.place.id,
                    "new_at": room.belief.at,
                    "new_state": state,
                    "new_version": room.version,
                    "new_dirty": room.dirty_since,
                },
            )


def _first(batch: Batch, place: RoomPlace) -> _Room:
    """A room nobody knows anything of yet."""
    belief = initial(place.model, min(e.at for room, e in batch.evidence if room == place.id))
    batch.connection.execute(
        insert(_BELIEF).values(
            room_id=place.id, at=belief.at, state=belief.to_json(), dirty_since=None, version=0
        )
    )
    return _Room(place, belief, 0, None, belief.at - SNAPSHOT_EVERY_MS)


def _read(batch: Batch, place: RoomPlace) -> Belief:
    """The stored belief; one of another capacity, or damaged, begins anew."""
    state = batch.connection.execute(_STATE, {"room": place.id}).scalar_one()
    try:
        belief = Belief.from_json(state)
    except ValueError:
        return initial(place.model, batch.now)
    fits = len(belief.posterior) == place.model.places + 1
    return belief if fits else initial(place.model, belief.at)


def _keep_snapshot(batch: Batch, room: _Room, state: str) -> None:
    """One snapshot a room and instant; a second belief of the same instant needs none."""
    there = select(func.count()).where(
        _SNAPSHOT.c.room_id == room.place.id, _SNAPSHOT.c.at == room.belief.at
    )
    if not batch.connection.execute(there).scalar_one():
        batch.connection.execute(
            insert(_SNAPSHOT).values(room_id=room.place.id, at=room.belief.at, state=state)
        )


def _locks(batch: Batch) -> bool:
    return batch.connection.dialect.name == "postgresql"
