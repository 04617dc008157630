"""What was believed of each room, every five minutes: the table `kokubus_hub.models.Estimate`.

Whoever moves a belief writes the marks it passes, in the same transaction: the listener as
evidence comes, a replay as it is put right. `linger` writes those at which nothing happened.
An estimate therefore always says what all evidence up to its instant says.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, func, select

from kokubus.messages import Instant
from kokubus.occupancy import Belief
from kokubus.occupancy.estimating import reading_of
from kokubus_hub import models, places
from kokubus_hub.bulk import insert_rows
from kokubus_hub.counting import predicted
from kokubus_hub.models import table
from kokubus_hub.places import Places, RoomPlace

EVERY_MS = 300_000
LONGEST_MS = 86_400_000
"""Of a longer silence only the last day is written: by then a belief has forgotten its start."""
PATIENCE_MS = 60_000
"""How long a mark waits for evidence before it is written as one at which nothing happened."""

_BELIEF, _ESTIMATE = table(models.Belief), table(models.Estimate)
_LAST = (
    select(func.max(_ESTIMATE.c.at))
    .where(_ESTIMATE.c.room_id == _BELIEF.c.room_id)
    .correlate(_BELIEF)
    .scalar_subquery()
)
_BELIEFS = select(_BELIEF.c.room_id, _BELIEF.c.at, _LAST.label("written")).where(
    _BELIEF.c.dirty_since.is_(None)
)
"""Each room's last estimate is looked up in the index: grouped, years of all would be read."""
_STATE = select(_BELIEF.c.state, _BELIEF.c.at)

EstimateRow = dict[str, Any]


def marks(start: Instant, end: Instant) -> range:
    """The instants of estimates with ``start <= at < end``; at most a day's."""
    first = max(start, end - LONGEST_MS)
    return range(next_mark(first), end, EVERY_MS)


def next_mark(at: Instant) -> Instant:
    """The first mark that is not before ``at``."""
    return -(-at // EVERY_MS) * EVERY_MS


def rows(known: Places, place: RoomPlace, belief: Belief, until: Instant) -> list[EstimateRow]:
    """An estimate for each mark from the belief's instant to before ``until``."""
    found = []
    for mark in marks(belief.at, until):
        belief = predicted(known, place, belief, mark)
        found.append(_row(place, belief))
    return found


def write(
    connection: Connection, room: int, since: Instant, upto: Instant, found: list[EstimateRow]
) -> None:
    """Put estimates in the place of all that were made without what is known now.

    ``since`` and ``upto`` are where the belief stood before and stands now. What was written
    for later instants (`linger`) goes as well and is made anew by it.
    """
    if found or upto % EVERY_MS == 0 or _is_past(connection, room, since):
        gone = delete(_ESTIMATE).where(_ESTIMATE.c.room_id == room, _ESTIMATE.c.at >= since)
        connection.execute(gone)
        insert_rows(connection, _ESTIMATE, found)


def replace(
    connection: Connection, room: int, since: Instant, upto: Instant, found: list[EstimateRow]
) -> None:
    """Put estimates in the place of those from ``since`` to before ``upto``, and only those."""
    gone = delete(_ESTIMATE).where(
        _ESTIMATE.c.room_id == room, _ESTIMATE.c.at >= since, _ESTIMATE.c.at < upto
    )
    connection.execute(gone)
    insert_rows(connection, _ESTIMATE, found)


def _is_past(connection: Connection, room: int, since: Instant) -> bool:
    later = select(_ESTIMATE.c.id).where(_ESTIMATE.c.room_id == room, _ESTIMATE.c.at >= since)
    return connection.execute(later.limit(1)).first() is not None


def silent_rooms(connection: Connection, now: Instant) -> list[int]:
    """Ids of the rooms that have a mark behind them at which nothing happened."""
    end = now - PATIENCE_MS
    return [
        row.room_id
        for row in connection.execute(_BELIEFS)
        if marks(max(row.at, -1 if row.written is None else row.written + 1), end)
    ]


def linger(connection: Connection, room_id: int, now: Instant) -> None:
    """Write a room's marks up to a minute ago, as its belief predicts them."""
    query = _STATE.where(_BELIEF.c.room_id == room_id)
    if connection.dialect.name == "postgresql":
        query = query.with_for_update()
    row = connection.execute(query).first()
    known = places.current(connection, None)
    place = known.rooms.get(room_id)
    if row is None or place is None or (belief := _fitting(row.state, place)) is None:
        return
    last = select(func.max(_ESTIMATE.c.at)).where(_ESTIMATE.c.room_id == room_id)
    written = connection.execute(last).scalar()
    start = max(belief.at, -1 if written is None else written + 1)
    belief = predicted(known, place, belief, start)
    found = rows(known, place, belief, now - PATIENCE_MS)
    insert_rows(connection, _ESTIMATE, found)


def forget(connection: Connection, before: Instant, most: int = 5_000) -> int:
    """Delete estimates of before this instant, at most so many; how many.

    Facts stay, so `kokubus hub rebuild-occupancy` can work them out again. To be called again
    while it deletes ``most``. Room by room, as the table's index has them.
    """
    old = (
        select(_ESTIMATE.c.id)
        .where(_ESTIMATE.c.room_id.in_(select(table(models.Room).c.id)), _ESTIMATE.c.at < before)
        .limit(most)
    )
    return connection.execute(delete(_ESTIMATE).where(_ESTIMATE.c.id.in_(old))).rowcount


def _fitting(state: str, place: RoomPlace) -> Belief | None:
    try:
        belief = Belief.from_json(state)
    except ValueError:
        return None  # the listener begins it anew
    return belief if len(belief.posterior) == place.model.places + 1 else None


def _row(place: RoomPlace, belief: Belief) -> EstimateRow:
    said = reading_of(belief)
    return {
        "room_id": place.id,
        "at": said.at,
        "median": said.median,
        "mean": round(said.mean, 4),
        "variance": round(said.variance, 4),
        "low": said.low,
        "high": said.high,
        "presence": round(said.presence, 6),
        "capacity": place.capacity,
        "drift": said.drift,
        "weights": {str(sensor): round(weight, 3) for sensor, weight in said.contributions.items()},
    }
