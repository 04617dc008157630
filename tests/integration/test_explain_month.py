"""Every decision of a simulated month is told again from what was known when it was made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import httpx
import pytest
from tests.hub.intake_world import World, furnish
from tests.hub.intake_world import world as small_world
from tests.hub.web_world import staging
from tests.integration.month import Month
from tests.integration.pg_server import emptied, running
from tests.loopback import asking

from kokubus.messages import By
from kokubus_hub import database, models
from kokubus_hub.app import create_app
from kokubus_hub.explain.service import Explainer
from kokubus_hub.settings import Settings


@pytest.fixture(params=["sqlite", "postgresql"])
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "sqlite":
        with small_world(tmp_path) as made:
            yield made
        return
    with running() as server, emptied(server) as engine:
        database.migrate(engine)
        yield furnish(engine)


pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@contextmanager
def served(hub: World, settings: Settings) -> Iterator[httpx.Client]:
    """The hub's API, on the story's own clock."""
    app = create_app(settings, hub.engine, hub.keyring, None, lambda: hub.now)
    with staging() as stage, asking(stage.address) as client:
        stage.app = app
        yield client


def test_every_decision_of_a_month_is_told_again(hub: World, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, retention_days=60)
    with served(hub, settings) as client:
        Month(hub, settings, Random(20260921), client).tell()
    taps = [row["tap"] for row in hub.rows(models.AccessEvent)]
    reasons: Counter[tuple[By, str]] = Counter()
    with database.reading(hub.engine) as connection:
        explainer = Explainer(connection, settings, hub.now)
        for tap in taps:
            for told in explainer.tap(tap):
                assert told.stored is not None
                assert told.reproduced, (told.stored, told.decision)
                reasons[told.by, told.stored.reason] += 1
    assert len(taps) > 300
    at_hub = {reason for by, reason in reasons if by is By.HUB}
    at_door = {reason for by, reason in reasons if by is By.EDGE}
    assert at_hub >= set(_AT_HUB), set(_AT_HUB) - at_hub
    assert at_door >= set(_AT_DOOR), set(_AT_DOOR) - at_door


_AT_HUB = (
    *("booked", "entitled", "keyholder", "free_passage", "lockdown", "closed", "already_inside"),
    *("room_full", "badge_unknown", "badge_blocked", "member_suspended"),
    *("too_early", "too_late", "wrong_place", "no_booking"),
)
_AT_DOOR = ("booked", "policy_stale", "clock_untrusted")
