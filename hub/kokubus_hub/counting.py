"""How many people are in each room and site at this moment, from the stored beliefs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from kokubus.messages import Instant
from kokubus.occupancy import Belief, Level, level, predict, through
from kokubus.occupancy.estimating import Estimate, of_posterior
from kokubus_hub import models, places
from kokubus_hub.models import table
from kokubus_hub.places import Places, RoomPlace

_BELIEF = table(models.Belief)
_STATES = select(_BELIEF.c.room_id, _BELIEF.c.version, _BELIEF.c.state)
_PREDICTED_EVERY_MS = 5_000
_FORGOTTEN_MS = 7 * 86_400_000
"""After a week of silence nothing is left of a belief but its rates."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """What is believed of a room, or of several together: P(n) for n = 0, 1, ..."""

    at: Instant
    capacity: int
    posterior: tuple[float, ...]
    drift: bool = False

    @property
    def estimate(self) -> Estimate:
        """The count with its 90 % interval; contributions belong to rooms and are left out."""
        return of_posterior(self.at, self.posterior, {}, drift=self.drift)

    @property
    def level(self) -> Level:
        """What whoever is not signed in may know."""
        return level(self.estimate, self.capacity)


@dataclass(frozen=True, slots=True)
class _Counted:
    version: int
    belief: Belief
    crowd: Crowd


class Counting:
    """The rooms' crowds, predicted anew when a belief changed or some seconds went by."""

    def __init__(self) -> None:
        self._places: Places | None = None
        self._known: dict[int, _Counted] = {}

    def crowds(self, connection: Connection, now: Instant) -> dict[int, Crowd]:
        """The crowd of every room that was ever observed, by room id."""
        self._places = known = places.current(connection, self._places)
        found: dict[int, Crowd] = {}
        for row in connection.execute(_STATES):
            room = known.rooms.get(row.room_id)
            counted = self._counted(row, room, known, now) if room else None
            if counted is not None:
                found[row.room_id] = counted.crowd
        return found

    def _counted(self, row: Any, room: RoomPlace, known: Places, now: Instant) -> _Counted | None:
        last = self._known.get(room.id)
        same = last is not None and last.version == row.version
        if last and same and 0 <= now - last.crowd.at < _PREDICTED_EVERY_MS:
            return last
        belief = last.belief if last and same else _read(row.state)
        if belief is None or len(belief.posterior) != room.model.places + 1:
            return None  # damaged, or of another capacity: the listener begins it anew
        belief = predicted(known, room, belief, now)
        crowd = Crowd(belief.at, room.capacity, belief.posterior, belief.drift > 0)
        self._known[room.id] = counted = _Counted(row.version, belief, crowd)
        return counted


def predicted(known: Places, room: RoomPlace, belief: Belief, now: Instant) -> Belief:
    """The belief at ``now``, opening hours by opening hours."""
    end = max(now, belief.at)  # a door's clock may be a little ahead of ours
    if end - belief.at > _FORGOTTEN_MS:
        belief = predict(room.model, belief, end - _FORGOTTEN_MS, open_=False)
    return through(room.model, belief, known.timetable(room.site_id, belief.at, end), end)


def together(crowds: Iterable[Crowd]) -> Crowd | None:
    """Several rooms as one, taken as independent; None if there is none."""
    known = list(crowds)
    if not known:
        return None
    total = np.ones(1)
    for crowd in known:
        total = np.convolve(total, np.array(crowd.posterior))
    capacity = sum(crowd.capacity for crowd in known)
    drift = any(crowd.drift for crowd in known)
    return Crowd(max(crowd.at for crowd in known), capacity, tuple(total.tolist()), drift)


def of_rooms(crowds: Mapping[int, Crowd], rooms: Iterable[int]) -> Crowd | None:
    """The rooms' crowd, as far as they were ever observed."""
    return together(crowds[room] for room in rooms if room in crowds)


def _read(state: str) -> Belief | None:
    try:
        return Belief.from_json(state)
    except ValueError:
        return None
