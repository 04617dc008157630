"""How many the hub believes to be in a room, and what it ought to believe."""

from __future__ import annotations

from sqlalchemy import insert
from tests.acceptance.rig.village import Village, now

from kokubus.messages import Side
from kokubus.occupancy import (
    Belief,
    ClosingReset,
    Estimate,
    Passage,
    RoomModel,
    Sensor,
    estimate,
    initial,
    update,
)
from kokubus_hub import models
from kokubus_hub.database import reading, writing
from kokubus_hub.models import table
from kokubus_hub.places import load


def model_of(village: Village, room: str) -> RoomModel:
    """The room as the filter knows it."""
    with reading(village.engine) as connection:
        return load(connection, 0).rooms[village.room(room)].model


def empty_now(village: Village, room: str) -> None:
    """Somebody has looked: nobody is in the room. Before the listener starts."""
    model, at = model_of(village, room), now()
    belief = update(model, initial(model, at), ClosingReset(at), open_=True)
    row = {"room_id": village.room(room), "at": at, "state": belief.to_json(), "version": 0}
    with writing(village.engine) as connection:
        connection.execute(insert(table(models.Belief)).values(row))


def believed(village: Village, room: str) -> Belief | None:
    """The room's belief; None if there is none yet, or evidence came late and waits."""
    rows = village.rows(models.Belief, room_id=village.room(room))
    if not rows or rows[0].dirty_since is not None:
        return None
    return Belief.from_json(rows[0].state)


def folded(village: Village, room: str, begin: Belief | None = None) -> Belief:
    """What each recorded passage of a badge, taken once and in order, makes of ``begin``."""
    model = model_of(village, room)
    passages = sorted(village.rows(models.Passage), key=lambda p: p.at)
    belief = begin or initial(model, passages[0].at)
    for passage in passages:
        seen = Passage(passage.at, Sensor.BADGE, Side(passage.side))
        belief = update(model, belief, seen, open_=True)
    return belief


def counted(village: Village, room: str, belief: Belief) -> Estimate:
    """The estimate a belief gives."""
    return estimate(model_of(village, room), belief, belief.at, open_=True)
