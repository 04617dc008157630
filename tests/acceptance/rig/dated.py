"""A house on any day of the calendar: the hub's intake, and what its doors' policies say.

Where hours and holidays are what a case is about nobody can wait for them, so here the instant
is passed in; rights reach the doors' policies as the worker builds them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Engine
from tests.hub.intake_world import BACK, UID, World, furnish
from tests.hub.intake_world import world as on_sqlite
from tests.integration.pg_server import copied

from kokubus import access, credential
from kokubus.credential import Credential
from kokubus.decision import Moment, State, Tap
from kokubus.messages import Side
from kokubus.policy import content_of
from kokubus.rights import Policy
from kokubus_hub import database, models, policies
from kokubus_hub.keys import Keyring
from kokubus_hub.policies import Known

BERLIN = ZoneInfo("Europe/Berlin")
HORIZON_MS = 7 * 86_400_000
GRANTED = ("booked", "entitled")
DATABASES = ("sqlite", "postgresql")


def at(text: str) -> int:
    """An instant by the clock on the wall: ``2026-06-04 10:00``."""
    return int(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()) * 1000


class House:
    """The house of `intake_world`; both devices have their lookup keys."""

    def __init__(self, hub: World) -> None:
        self.hub = hub
        self._keys = {1: os.urandom(32), 2: os.urandom(32)}
        for number, key in self._keys.items():
            slug = f"dorf-{number}"
            hub.set(models.Device, slug, lookup_key=hub.keyring.seal(key, f"device:{slug}"))

    def answers(
        self, when: str | int, door: str, uid: str = UID, side: Side = Side.IN
    ) -> tuple[str, str]:
        """What a tap is answered (by the hub, by the door's own policy)."""
        self.hub.now = at(when) if isinstance(when, str) else when
        device = self.hub.other if door == BACK else self.hub.device
        tap = device.tap(uid, door, at=self.hub.now, side=side)
        return self.hub.ask(tap).reason, self._at_the_door(door, uid, side)

    def answer(self, when: str | int, door: str, uid: str = UID, side: Side = Side.IN) -> str:
        """The hub's answer. The door grants and denies alike, though what it knows of a denial
        reaches back four hours only.
        """
        by_hub, by_door = self.answers(when, door, uid, side)
        assert (by_hub in GRANTED) == (by_door in GRANTED), (by_hub, by_door)
        return by_hub

    def _at_the_door(self, door: str, uid: str, side: Side) -> str:
        device, now = (2 if door == BACK else 1), self.hub.now
        with database.reading(self.hub.engine) as connection:
            known = Known(self.hub.keyring)
            document = policies.build_all(connection, [device], now, HORIZON_MS, known)[device]
        lookup = credential.lookup(Credential("mfrc522", uid).text, self._keys[device])
        held = Policy(content_of(document), max_age_ms=HORIZON_MS)
        tap = Tap(door=door, badge=lookup, side=side)
        return str(access.decide(held, State(), tap, Moment(at=now)).reason)


@contextmanager
def house(name: str, folder: Path, server: Callable[[], Path]) -> Iterator[House]:
    """The house on one of `DATABASES`; ``server`` is asked if it is needed."""
    if name == "sqlite":
        with on_sqlite(folder) as hub:
            yield House(hub)
        return
    with copied(server(), _furnished) as engine:
        yield House(World(engine, Keyring.create(folder / "keys")))


def _furnished(engine: Engine) -> None:
    database.migrate(engine)
    furnish(engine)
