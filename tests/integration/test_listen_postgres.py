"""The same intake on a real PostgreSQL, where several listeners share the load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from threading import Barrier, Thread

import pytest
import structlog.testing
from sqlalchemy import Engine, text
from tests.hub.bulk_rows import ROWS, both_ways
from tests.hub.intake_stories import (
    Teller,
    begin_again,
    believed,
    doors,
    number_of,
    numbers_in,
    recorded,
)
from tests.hub.intake_world import (
    AIR,
    CO2,
    FRONT,
    INNER,
    NOW,
    OTHER_UID,
    STUDIO,
    Device,
    World,
    furnish,
)
from tests.integration.pg_server import another, emptied, running

from kokubus.messages import Side
from kokubus_hub import database, models
from kokubus_hub.models import Base
from kokubus_hub.sorting import Letter

STORY = [
    (what, more)
    for more in range(6)
    for what in ("entry", "inner", "back", "unused", "forced", "measured", "lost", "bad", "fresh")
]
LETTERS_A_BATCH = 5


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    with running() as folder:
        yield folder


@pytest.fixture(scope="module")
def furnished(server: Path) -> Iterator[World]:
    with emptied(server) as engine:
        database.migrate(engine)
        made = furnish(engine)
        made.book(made.member())
        made.entitle(made.member(OTHER_UID))
        yield made


@pytest.fixture
def hub(furnished: World) -> Iterator[World]:
    begin_again(furnished)
    with structlog.testing.capture_logs():
        yield furnished


class Listening(Thread):
    """One listener, given letters until each is receipted, as spools would send them."""

    def __init__(self, engine: Engine, hub: World, letters: Sequence[Letter], go: Barrier) -> None:
        super().__init__()
        self._hub = World(engine, hub.keyring)
        self._letters = list(letters)
        self._go = go
        self.rounds = 0

    def run(self) -> None:
        self._go.wait()
        waiting = self._letters
        while waiting and self.rounds < 50:
            self.rounds += 1
            told: set[tuple[str, int]] = set()
            for start in range(0, len(waiting), LETTERS_A_BATCH):
                batch = waiting[start : start + LETTERS_A_BATCH]
                told |= numbers_in(self._hub, self._hub.take(*batch))
            waiting = [letter for letter in waiting if number_of(letter) not in told]
        self._letters = waiting

    @property
    def left(self) -> list[Letter]:
        return self._letters


def at_once(hub: World, *shares: Sequence[Letter]) -> None:
    """Each share to a listener of its own, all of them begun together."""
    go = Barrier(len(shares))
    threads = [Listening(hub.engine, hub, letters, go) for letters in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [thread.left for thread in threads] == [[] for _ in shares]


@pytest.mark.parametrize("model", ROWS)
def test_rows_inserted_in_bulk_are_the_same(hub: World, model: type[Base]) -> None:
    ours, theirs = both_ways(hub.engine, model)
    assert ours == theirs
    assert len(ours) == len(ROWS[model])


def test_a_tap_is_answered_by_its_rights(hub: World) -> None:
    assert hub.ask(hub.device.tap()).reason == "booked"
    assert hub.ask(hub.device.tap(OTHER_UID)).reason == "entitled"
    assert hub.ask(hub.device.tap(door="dorf-attic")).reason == "door_unknown"


def test_a_full_room_and_who_is_inside(hub: World) -> None:
    for number in range(2):
        uid = f"04AAAAAAAAAA{number:02X}"
        hub.entitle(hub.member(uid))
        tap = hub.device.tapped(uid, INNER)
        hub.take(hub.device.say(tap), hub.device.passage(door=INNER, tap=tap.id))
    inside = {(row["room_id"], row["inside"]) for row in hub.rows(models.Presence)}
    assert inside == {(STUDIO, True), (1, False)}
    assert hub.ask(hub.device.tap(OTHER_UID, INNER)).reason == "room_full"


@pytest.mark.parametrize("seed", range(3))
def test_two_listeners_that_are_told_the_same_record_it_once(hub: World, seed: int) -> None:
    letters = Teller(hub).tell(STORY)
    for start in range(0, len(letters), LETTERS_A_BATCH):
        hub.take(*letters[start : start + LETTERS_A_BATCH])
    before, stood, beliefs = recorded(hub), doors(hub), believed(hub)
    begin_again(hub)
    noise = Random(seed)
    at_once(hub, *(noise.sample(letters, len(letters)) for _ in range(2)))
    assert recorded(hub) == before
    assert doors(hub) == stood
    again = believed(hub)
    for room, belief in beliefs.items():
        assert again[room].posterior == pytest.approx(belief.posterior, abs=1e-9)


def test_the_first_word_of_a_device_at_two_listeners(hub: World) -> None:
    """Nobody has a row for it yet, nor for its room; both try to begin one."""
    for number in range(8):
        begin_again(hub)
        device = Device("dorf-1", hub.keyring, epoch=f"card-{number}", made=100 * number)
        letters = [device.read(CO2, 600.0), device.tap(), device.passage(NOW, FRONT)]
        others = [device.read(AIR, 1.0), device.passage(NOW - 5, side=Side.OUT)]
        at_once(hub, letters[:1] + others, letters[::-1], letters)
        counts = [len(hub.rows(m)) for m in (models.Reading, models.AccessEvent, models.Passage)]
        assert counts == [2, 1, 2]
        assert hub.rows(models.DeadLetter) == []
        assert [row["received"] for row in hub.rows(models.Spool)] == ["[[1,5]]"]


def test_a_connection_that_the_server_cut_is_made_again(hub: World, server: Path) -> None:
    assert hub.ask(hub.device.tap()).granted
    with another(server) as engine, database.reading(engine) as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        )
    answer = hub.ask(hub.device.tap())
    assert (answer.granted, answer.recorded) == (True, True)
