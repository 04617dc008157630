"""For any rights and any instant, hub and door with the same policy decide the same.

The hub's side is what the listener reads for one tap; the door's is the document the worker
makes, over the wire and into the door's book. Rights, closures, modes and badges are drawn at
random, and so are the instants, many of them at the very edges of something.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import delete
from tests.hub.policy_world import HORIZON_MS, HOUR_MS, NOW, World, world

from kokubus import credential
from kokubus.access import decide
from kokubus.credential import Credential
from kokubus.decision import Decision, Moment, Reason, State, Tap
from kokubus.messages import Side
from kokubus.policy_book import read
from kokubus.rights import Policy
from kokubus_hub import changes, database, models, places, store
from kokubus_hub.batch import Batch
from kokubus_hub.models import table
from kokubus_hub.store import Asked

UIDS = [f"04A3C6CAE261{number:02X}" for number in range(6)]
DOORS = {"dorf-front": 1, "dorf-inner": 2}
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEK_MS = 7 * 24 * HOUR_MS
QUARTER_MS = HOUR_MS // 4
_DRAWN = (models.Entitlement, models.Booking, models.Closure, models.DoorMode, models.Keyholder)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        for uid in UIDS:
            made.member(uid)
        yield made


def draw(hub: World, random: Random) -> list[int]:
    """New rights for everybody; the instants at which something begins or ends."""
    edges: list[int] = []
    with database.writing(hub.engine) as connection:
        for model in _DRAWN:
            connection.execute(delete(table(model)))
        changes.record(connection, NOW, "drawn")
    for _ in range(12):
        edges += _booking(hub, random)
    for _ in range(6):
        edges += _entitlement(hub, random)
    edges += _closure(hub, random) + _mode(hub, random)
    for badge in range(1, len(UIDS) + 1):
        status = random.choice(["active"] * 4 + ["blocked", "lost"])
        hub.set(models.Badge, badge, status=status, start=None, end=_some_end(random))
        member = random.choice(["active"] * 5 + ["suspended"])
        hub.set(models.Member, badge, status=member)
    hub.add(models.Keyholder, site_id=1, badge_id=random.randint(1, len(UIDS)))
    hub.set(models.Site, 1, opens_without_clock=random.random() < 0.5)
    hub.change()
    return edges


def _span(random: Random, most_h: int) -> tuple[int, int]:
    start = NOW - 24 * HOUR_MS + random.randrange(8 * 24 * 4) * QUARTER_MS
    return start, start + random.randint(1, most_h * 4) * QUARTER_MS


def _booking(hub: World, random: Random) -> list[int]:
    start, end = _span(random, 30)
    more: dict[str, Any] = {"status": random.choice(["confirmed"] * 4 + ["cancelled"])}
    if random.random() < 0.3:
        day = datetime.fromtimestamp(start / 1000, UTC).replace(hour=0, minute=0, second=0)
        start = int(day.timestamp()) * 1000 - 2 * HOUR_MS
        end = start + int(timedelta(days=1).total_seconds()) * 1000
        more |= {"whole_day": True, "date": day.date().isoformat()}
    hub.book(random.randint(1, len(UIDS)), start, end, random.randint(1, 2), **more)
    return [start, end, start - 900_000, end + 900_000]


def _entitlement(hub: World, random: Random) -> list[int]:
    hours = [None, {day: ["07:30-12:00", "13:00-02:00"] for day in random.sample(DAYS, 4)}]
    hub.add(
        models.Entitlement,
        member_id=random.randint(1, len(UIDS)),
        site_id=1,
        room_id=random.choice([None, 1, 2]),
        schedule=random.choice(hours),
        start=random.choice([None, NOW - 3 * HOUR_MS]),
        end=_some_end(random),
    )
    return []


def _some_end(random: Random) -> int | None:
    return random.choice([None, None, NOW + random.randrange(WEEK_MS // QUARTER_MS) * QUARTER_MS])


def _closure(hub: World, random: Random) -> list[int]:
    start, end = _span(random, 20)
    hub.add(models.Closure, site_id=1, start=start, end=end)
    return [start, end]


def _mode(hub: World, random: Random) -> list[int]:
    start, end = _span(random, 8)
    kind = random.choice(["free_passage", "lockdown"])
    hub.add(models.DoorMode, door_id=random.randint(1, 2), kind=kind, start=start, end=end)
    return [start, end]


def at_the_door(hub: World, built: int) -> dict[str, Policy]:
    """Each door's policy as its device holds it."""
    found = {}
    for door, device in DOORS.items():
        document = json.loads(json.dumps(hub.document(device, built)))
        found[door] = read(document, max_age_ms=HORIZON_MS).policy
    return found


def at_the_hub(hub: World, uid: str, door: str, side: Side, at: int) -> Decision:
    """What the listener would answer at this instant."""
    lookup = hub.keyring.lookup(Credential("mfrc522", uid).text)
    with database.reading(hub.engine) as connection:
        batch = Batch(connection, places.current(connection, None), at)
        asked = Asked("tap", lookup, batch.places.doors[door], side)
        known = store.policy_and_state_for(batch, [asked])
    return decide(known.policy, State(), Tap(door=door, badge=lookup, side=side), Moment(at=at))


@pytest.mark.parametrize("seed", range(6))
def test_hub_and_door_decide_the_same(hub: World, seed: int) -> None:
    random, reasons = Random(seed), Counter[str]()
    edges = draw(hub, random)
    policies = at_the_door(hub, NOW)
    for _ in range(120):
        at = random.choice(edges) + random.choice([-1, 0, 1, QUARTER_MS])
        if not NOW <= at < NOW + HORIZON_MS:
            at = NOW + random.randrange(HORIZON_MS)
        uid, side = random.choice([*UIDS, "04FFFFFFFFFF80"]), random.choice(list(Side))
        door = random.choice(list(DOORS))
        lookup = credential.lookup(Credential("mfrc522", uid).text, hub.key)
        tap = Tap(door=door, badge=lookup, side=side)
        here = decide(policies[door], State(), tap, Moment(at=at))
        there = at_the_hub(hub, uid, door, side, at)
        assert here.granted == there.granted, (here, there)
        assert (here.right is None) == (there.right is None)
        known = lookup in policies[door].content.badges  # only who has rights there is
        if known and here.steps[-1].rule != "nearest":
            assert (here.reason, here.detail) == (there.reason, there.detail)
        assert here.reason is not Reason.RULE_ERROR
        reasons[here.reason] += 1
    assert {"booked"} & reasons.keys()
    assert len(reasons) >= 5, reasons
