"""Files of sites are numbered, and sent to whoever runs by another one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import Engine, insert, select, update
from tests.hub.migrated import migrated
from tests.hub.web_world import MINUTE_MS, NOW, SITES

from kokubus.downlinks import Downlink, SiteGiven
from kokubus.errors import KokubusError
from kokubus.site import read_site
from kokubus.site.given import fingerprint, number_of
from kokubus_hub import database, models
from kokubus_hub.devices.site_files import AGAIN_MS, SETTLED_MS, SiteFiles
from kokubus_hub.models import table
from kokubus_hub.sites import files
from kokubus_hub.sites.apply import apply

TEXT = (SITES / "ettmannsweiler.toml").read_text()
LONGER = TEXT.replace('name = "', 'name = "Neues ', 1)
DEVICE = "ettmannsweiler-1"


class Hub:
    """A hub with one site, and whom it sent something."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.sent: list[tuple[str, int]] = []
        self.broken = False
        self.step = SiteFiles(engine, self.send)
        self.apply(TEXT)
        self.device(online=True, lookup_key=b"enrolled", status_at=NOW - MINUTE_MS)

    def send(self, device: str, message: Downlink, _now: int) -> None:
        if self.broken:
            raise KokubusError("the broker does not answer")
        assert isinstance(message, SiteGiven)
        assert number_of(message.text) == message.number
        assert read_site(message.text, device).devices == (device,)
        self.sent.append((device, message.number))

    def apply(self, text: str, now: int = NOW) -> int:
        """The number the file has then."""
        with database.writing(self.engine) as connection:
            apply(connection, [read_site(text, "site.toml")], now)
            return connection.execute(select(table(models.SiteFile).c.number)).scalar_one()

    def device(self, **values: object) -> None:
        with database.writing(self.engine) as connection:
            connection.execute(update(table(models.Device)).values(values))

    def holds(self, text: str, number: int = 0) -> None:
        sha256 = fingerprint(read_site(text, "site.toml"), DEVICE)
        self.device(site_number=number, site_sha256=sha256)

    def turn(self, now: int = NOW) -> list[tuple[str, int]]:
        before = len(self.sent)
        self.step.turn(now)
        return self.sent[before:]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    path = tmp_path / "hub.db"
    path.write_bytes(migrated())
    engine = database.engine(database.sqlite_url(path))
    yield Hub(engine)
    engine.dispose()


def test_each_changed_file_has_a_higher_number(hub: Hub) -> None:
    assert hub.apply(TEXT, NOW + 1) == NOW
    assert hub.apply(LONGER, NOW - MINUTE_MS) == NOW + 1
    hub.device(site_number=NOW + 500)
    assert hub.apply(TEXT, NOW) == NOW + 501


def test_the_part_of_a_device_carries_the_number(hub: Hub) -> None:
    with database.reading(hub.engine) as connection:
        part = files.part_for(connection, 1, DEVICE)
    assert part is not None
    assert number_of(part) == NOW


def test_who_runs_by_what_holds_is_sent_nothing(hub: Hub) -> None:
    hub.holds(f"# by hand\n{TEXT}")
    assert hub.turn() == []


def test_whose_file_has_changed_is_sent_it_once(hub: Hub) -> None:
    hub.holds(TEXT)
    number = hub.apply(LONGER, NOW + 5)
    assert hub.turn() == [(DEVICE, number)]
    assert hub.turn(NOW + MINUTE_MS) == []
    assert hub.turn(NOW + AGAIN_MS) == [(DEVICE, number)]
    back = NOW + AGAIN_MS + 1
    hub.device(status_at=back)  # it was away, or has started again
    assert hub.turn(back + SETTLED_MS - 1) == []  # it may say at once that it runs by it
    assert hub.turn(back + SETTLED_MS) == [(DEVICE, number)]
    hub.holds(LONGER, number)
    assert hub.turn(NOW + 3 * AGAIN_MS) == []


def test_what_could_not_be_sent_is_sent_at_the_next_turn(hub: Hub) -> None:
    hub.holds(TEXT)
    number = hub.apply(LONGER, NOW + 5)
    hub.broken = True
    assert hub.turn() == []
    hub.broken = False
    assert hub.turn() == [(DEVICE, number)]


def other_device(hub: Hub, slug: str, site: int) -> None:
    """Another device that is behind."""
    row = {"slug": slug, "site_id": site, "online": True, "lookup_key": b"x"}
    with database.writing(hub.engine) as connection:
        connection.execute(
            insert(table(models.Device)).values(
                row | {"status_at": 0, "site_number": 0, "site_sha256": ""}
            )
        )


def test_a_device_that_the_file_no_longer_names_is_sent_none(hub: Hub) -> None:
    """It would be one without a door: refused, and an alarm."""
    hub.holds(TEXT)
    other_device(hub, "ettmannsweiler-0", 1)
    number = hub.apply(LONGER, NOW + 5)
    assert hub.turn() == [(DEVICE, number)]


def test_a_site_that_this_release_cannot_read_stops_no_other(hub: Hub) -> None:
    hub.holds(TEXT)
    number = hub.apply(LONGER, NOW + 5)
    with database.writing(hub.engine) as connection:
        row = {"slug": "alt", "name": "Alt", "kind": "building", "timezone": "Europe/Berlin"}
        site = connection.execute(
            insert(table(models.Site)).values(row | {"help_phone": "0"}).returning(models.Site.id)
        ).scalar_one()
        old = {"site_id": site, "text": "[site]\nid = 7", "number": NOW}
        connection.execute(insert(table(models.SiteFile)).values(old))
    other_device(hub, "a-first-by-name", site)
    with structlog.testing.capture_logs() as logs:
        assert hub.turn() == [(DEVICE, number)]
        assert hub.turn(NOW + MINUTE_MS) == []
    assert [log["event"] for log in logs].count("site_not_given") == 1


@pytest.mark.parametrize(
    "about",
    [
        {"online": False},
        {"revoked_at": NOW},
        {"lookup_key": None},
        {"site_number": None},
        {"site_number": NOW + 6},
    ],
)
def test_nobody_else_is_sent_anything(hub: Hub, about: dict[str, object]) -> None:
    """Who is away, is none of ours, is of an older release, or knows a later file than we do."""
    hub.holds(TEXT)
    hub.apply(LONGER, NOW + 5)
    hub.device(**about)
    assert hub.turn() == []
