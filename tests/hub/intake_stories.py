"""A story that devices tell, to be told again, in pieces, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from tests.hub.intake_world import (
    AIR,
    BACK,
    CO2,
    FRONT,
    INNER,
    NOW,
    OTHER_UID,
    PIR,
    UID,
    Device,
    World,
)

from kokubus.messages import (
    By,
    ContactChanged,
    DoorForced,
    DoorHeld,
    Dropped,
    Enforced,
    ExitRequested,
    NoEntry,
    Side,
)
from kokubus.occupancy import Belief
from kokubus_hub import database, models
from kokubus_hub.models import Base, table
from kokubus_hub.occupancy import replay
from kokubus_hub.reply import Reply
from kokubus_hub.sorting import Letter, sender, stamp_of

STEP_MS = 30_000
RECORDED: tuple[type[Base], ...] = (
    models.AccessEvent, models.Enforcement, models.Passage, models.DoorEvent, models.Reading,
    models.DeadLetter, models.Alarm, models.Presence, models.Spool,
)  # fmt: skip
_ASIDE = frozenset({"id", "version", "state", "flags"})
"""Keys, and what a decision found: that depends on who was heard first, and may."""

stories = st.lists(
    st.tuples(
        st.sampled_from(
            ["fresh", "entry", "inner", "back", "unused", "forced", "measured", "lost", "bad"]
        ),
        st.integers(0, 9),
    ),
    max_size=8,
)


class Teller:
    """Letters of a story; each step begins half a minute after the last one."""

    def __init__(self, hub: World) -> None:
        self._front = Device("dorf-1", hub.keyring)
        self._back = Device("dorf-2", hub.keyring)
        self._at = 0

    def tell(self, story: list[tuple[str, int]]) -> list[Letter]:
        letters: list[Letter] = []
        for number, (what, more) in enumerate(story):
            self._at = NOW - STEP_MS * (len(story) - number) + more
            letters += getattr(self, f"tell_{what}")(more)
        return letters

    def tell_fresh(self, more: int) -> list[Letter]:
        return [self._front.tap(UID if more % 2 else OTHER_UID)]

    def tell_entry(self, more: int, door: str = FRONT) -> list[Letter]:
        side, uid = (Side.OUT if more > 6 else Side.IN), (UID if more % 3 else OTHER_UID)
        tap = self._front.tapped(uid, door, at=self._at, side=side)
        told = {"tap": tap.id, "by": By.EDGE, "granted": True, "reason": "keyholder"}
        return [
            self._front.say(tap),
            self._fact(Enforced, 400, door, **told),
            self._fact(ContactChanged, 900, door, open=True),
            self._front.passage(self._at + 900, door, tap=tap.id, side=side),
            self._fact(ContactChanged, 2_000, door, open=False),
        ]

    def tell_inner(self, more: int) -> list[Letter]:
        return self.tell_entry(more, INNER)

    def tell_back(self, more: int) -> list[Letter]:
        """The door without a contact."""
        tap = self._back.tapped(UID, BACK, at=self._at)
        told = {"tap": tap.id, "door": BACK, "by": By.HUB, "granted": more > 2, "reason": "x"}
        return [self._back.say(tap), self._back.fact(Enforced, at=self._at + 10, **told)]

    def tell_unused(self, more: int) -> list[Letter]:
        return [
            self._fact(NoEntry, tap=f"t{more}"),
            self._fact(ExitRequested, 500),
            self._front.passage(self._at + 600, side=Side.OUT, exit_requested=True),
        ]

    def tell_forced(self, more: int) -> list[Letter]:
        closed = [self._fact(ContactChanged, 20_000, open=False)] if more > 3 else []
        return [
            self._fact(ContactChanged, 0, open=True),
            self._fact(DoorForced, 0),
            self._fact(DoorHeld, 15_000, since=self._at),
            *closed,
        ]

    def tell_measured(self, more: int) -> list[Letter]:
        values = {AIR: 20.0 + more, PIR: float(more % 2), CO2: 500.0 + 50 * more}
        return [self._front.read(sensor, value, self._at) for sensor, value in values.items()]

    def tell_lost(self, more: int) -> list[Letter]:
        first = self._front.seq + 1
        self._front.seq += 1 + more
        gone = ((first, self._front.seq),)
        return [self._front.fact(Dropped, at=self._at, ranges=gone, lost="unused")]

    def tell_bad(self, more: int) -> list[Letter]:
        spoiled = self._front.read(AIR, 1.0, self._at)
        broken = Letter(spoiled.topic, spoiled.payload.replace(b'"value"', b'"worth"'))
        return [broken, self._fact(NoEntry, door=BACK, tap=f"t{more}")]

    def _fact(self, cls: type[Any], after: int = 0, door: str = FRONT, **fields: Any) -> Letter:
        return self._front.fact(cls, at=self._at + after, door=door, **fields)


def recorded(hub: World) -> dict[str, list[str]]:
    """All that was recorded, in no order."""
    return {model.__tablename__: sorted(map(str, _rows(hub, model))) for model in RECORDED}


def believed(hub: World) -> dict[int, Belief]:
    """What is believed of each room once late evidence is folded in."""
    with database.writing(hub.engine) as connection:
        for room in replay.dirty_rooms(connection):
            replay.replay(connection, room, hub.now)
    return {row["room_id"]: Belief.from_json(row["state"]) for row in hub.rows(models.Belief)}


def number_of(letter: Letter) -> tuple[str, int]:
    """(device, number) of a fact."""
    stamp = stamp_of(letter.payload)
    assert stamp
    return sender(letter.topic), stamp.seq


def numbers_in(hub: World, replies: Sequence[Reply]) -> set[tuple[str, int]]:
    """(device, number) of all that replies receipt, durable or rejected."""
    found: set[tuple[str, int]] = set()
    for reply in replies:
        durable, rejected = hub.receipted([reply])
        every = [n for first, last in durable for n in range(first, last + 1)]
        found |= {(sender(reply.topic), number) for number in every + rejected}
    return found


def doors(hub: World) -> list[dict[str, Any]]:
    """How the doors stand."""
    return hub.rows(models.Door)


def begin_again(hub: World) -> None:
    """Forget all that was heard."""
    calm = {"contact": None, "contact_at": None, "held_since": None, "forced_at": None}
    heard: tuple[type[Base], ...] = (*RECORDED, models.Belief, models.BeliefSnapshot)
    with database.writing(hub.engine) as connection:
        for model in heard:
            connection.execute(delete(table(model)))
        connection.execute(update(table(models.Door)).values(calm))
    hub.intake._forget()


def _rows(hub: World, model: type[Base]) -> list[dict[str, Any]]:
    columns = [column for column in table(model).c if column.name not in _ASIDE]
    with database.reading(hub.engine) as connection:
        return [dict(row) for row in connection.execute(select(*columns)).mappings()]
