"""Fold evidence into beliefs, in the transaction that records it.

Evidence that is older than what a room's belief already includes is not folded: the room is
marked dirty from that instant, and `replay` does it once, in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kokubus.messages import Instant
from kokubus.occupancy import Belief, Evidence, fold, fold_all, initial, wants
from kokubus_hub import models
from kokubus_hub.batch import Batch
from kokubus_hub.counting import predicted
from kokubus_hub.models import table
from kokubus_hub.occupancy import history
from kokubus_hub.occupancy.evidence import order
from kokubus_hub.places import Places, RoomPlace
from kokubus_hub.spools import SpoolMovedError

SNAPSHOT_EVERY_MS = 60_000
WINDOW_MS = 30 * 60_000
"""What is later than this is never replayed (`replay`), so that it makes no room dirty either: a
backlog of days must not keep what is a second late from being put right."""
LONG_MS = 86_400_000
"""A silence longer than this is shortened to what a belief can remember (`predicted`)."""

_BELIEF, _SNAPSHOT = table(models.Belief), table(models.BeliefSnapshot)
_VERSIONS = (
    select(_BELIEF.c.room_id, _BELIEF.c.version, _BELIEF.c.dirty_since)
    .where(_BELIEF.c.room_id.in_(bindparam("rooms", expanding=True)))
    .order_by(_BELIEF.c.room_id)
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


def _begin(dialect_insert: Any) -> Any:
    return dialect_insert(_BELIEF).on_conflict_do_nothing().returning(_BELIEF.c.room_id)


def _keep(dialect_insert: Any) -> Any:
    made = dialect_insert(_SNAPSHOT)
    same = ["room_id", "at"]
    return made.on_conflict_do_update(index_elements=same, set_={"state": made.excluded.state})


_BEGIN = {"sqlite": _begin(sqlite.insert), "postgresql": _begin(postgresql.insert)}
_KEEP = {"sqlite": _keep(sqlite.insert), "postgresql": _keep(postgresql.insert)}


def folded(known: Places, place: RoomPlace, belief: Belief, evidence: Evidence) -> Belief:
    """The belief with the evidence in it, opening hours by opening hours."""
    if evidence.at - belief.at > LONG_MS:
        belief = predicted(known, place, belief, evidence.at)
    hours = known.timetable(place.site_id, belief.at, evidence.at)
    return fold(place.model, belief, hours, evidence)


def followed(
    known: Places, place: RoomPlace, belief: Belief, evidence: Sequence[Evidence]
) -> tuple[Belief, list[history.EstimateRow]]:
    """(the belief with all evidence in it, the estimates of the marks passed), in order.

    What lies before the next mark is folded in one go: nothing has to be written there.
    """
    rows: list[history.EstimateRow] = []
    place_at, end = 0, len(evidence)
    while place_at < end:
        mark = history.next_mark(belief.at)
        upto = place_at
        while upto < end and evidence[upto].at <= mark:
            upto += 1
        hours = known.timetable(place.site_id, belief.at, mark)
        belief = fold_all(place.model, belief, hours, evidence[place_at:upto])
        while upto < end and not wants(belief, evidence[upto]):
            upto += 1
        if upto < end:
            rows += history.rows(known, place, belief, evidence[upto].at)
            belief = folded(known, place, belief, evidence[upto])
        place_at = upto + 1
    return belief, rows


@dataclass(slots=True)
class _Room:
    """One room's belief while a batch is folded into it."""

    place: RoomPlace
    belief: Belief
    version: int
    dirty_since: Instant | None
    snapshot_at: Instant
    changed: bool = False
    began_at: Instant = 0
    estimates: list[history.EstimateRow] = field(default_factory=list)

    def begin(self) -> None:
        """Another batch: nothing of it is folded yet."""
        self.changed, self.began_at, self.estimates = False, self.belief.at, []

    def fold(self, known: Places, evidence: Evidence, now: Instant) -> None:
        if evidence.at < self.belief.at:
            self._lack(evidence.at, now - WINDOW_MS)
        elif wants(self.belief, evidence):
            self.estimates += history.rows(known, self.place, self.belief, evidence.at)
            self.belief = folded(known, self.place, self.belief, evidence)
            self.changed = True

    def _lack(self, at: Instant, oldest: Instant) -> None:
        if at < oldest:
            return
        since = self.dirty_since
        self.dirty_since = at if since is None or since < oldest else min(since, at)
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
        for room_id, evidence in sorted(wanted, key=lambda pair: order(pair[1])):
            room = rooms[room_id]
            room.fold(batch.places, evidence, batch.now)
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
            room = self._current(batch, room_id, rows.get(room_id))
            room.begin()
            self._known[room_id] = room
        return {room_id: self._known[room_id] for room_id in ids}

    def _current(self, batch: Batch, room_id: int, row: Any) -> _Room:
        place, known = batch.places.rooms[room_id], self._known.get(room_id)
        if row is None:
            return _first(batch, place)
        if known and known.version == row.version and known.place.model == place.model:
            return known
        belief = _read(batch, place)
        snapshot_at = belief.at - SNAPSHOT_EVERY_MS
        return _Room(place, belief, row.version, row.dirty_since, snapshot_at)

    def _write(self, batch: Batch, rooms: list[_Room]) -> None:
        for room in rooms:
            state = room.belief.to_json()
            room.version += 1
            since = room.belief.at - room.snapshot_at
            if since >= SNAPSHOT_EVERY_MS or since == 0:  # more of a snapshot's own instant
                room.snapshot_at = room.belief.at
                _keep_snapshot(batch, room, state)
            moved = (room.began_at, room.belief.at)
            history.write(batch.connection, room.place.id, *moved, room.estimates)
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
    row = {"room_id": place.id, "at": belief.at, "state": belief.to_json(), "version": 0}
    if batch.connection.scalar(_BEGIN[batch.connection.dialect.name], row) is None:
        raise SpoolMovedError("a room's belief was begun by another listener")
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
    """One snapshot a room and instant: the last belief of that instant."""
    row = {"room_id": room.place.id, "at": room.belief.at, "state": state}
    batch.connection.execute(_KEEP[batch.connection.dialect.name], row)


def _locks(batch: Batch) -> bool:
    return batch.connection.dialect.name == "postgresql"
