"""How many people are in each room and site at this moment, from the stored beliefs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, select

from kokubus.messages import Instant
from kokubus.occupancy import Belief, Level, level, predict
from kokubus.occupancy.estimating import Estimate, of_posterior
from kokubus_hub import models, places, rules
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
            counted = self._counted(row, room, known.sites[room.site_id], now) if room else None
            if counted is not None:
                found[row.room_id] = counted.crowd
        return found

    def _counted(self, row: Any, room: RoomPlace, site: Row[Any], now: Instant) -> _Counted | None:
        known = self._known.get(room.id)
        same = known is not None and known.version == row.version
        if known and same and 0 <= now - known.crowd.at < _PREDICTED_EVERY_MS:
            return known
        belief = known.belief if known and same else _read(row.state)
        if belief is None or len(belief.posterior) != room.model.places + 1:
            return None  # damaged, or of another capacity: the listener begins it anew
        belief = predicted(room, site, belief, now)
        crowd = Crowd(belief.at, room.capacity, belief.posterior, belief.drift > 0)
        self._known[room.id] = counted = _Counted(row.version, belief, crowd)
        return counted


def predicted(room: RoomPlace, site: Row[Any], belief: Belief, now: Instant) -> Belief:
    """The belief at ``now``, opening hours by opening hours."""
    end = max(now, belief.at)  # a door's clock may be a little ahead of ours
    if end - belief.at > _FORGOTTEN_MS:
        belief = predict(room.model, belief, end - _FORGOTTEN_MS, open_=False)
    windows = rules.expand(site.opening, site.timezone, belief.at, end + 1)
    edges = {edge for window in windows for edge in window if belief.at < edge < end}
    for start, until in pairwise([belief.at, *sorted(edges), end]):
        open_ = any(first <= start < last for first, last in windows)
        belief = predict(room.model, belief, until, open_)
    return belief


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
