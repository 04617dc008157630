"""Who takes a site's changed file by itself, and by which file each device runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, update
from tests.hub.migrated import migrated
from tests.hub.web_world import NOW, SITES

from kokubus.site import read_site
from kokubus.site.given import fingerprint
from kokubus_hub import database, models
from kokubus_hub.cli import main
from kokubus_hub.devices.site_states import Reception, states
from kokubus_hub.models import table
from kokubus_hub.sites.apply import apply

TEXT = (SITES / "ettmannsweiler.toml").read_text()
LONGER = TEXT.replace('name = "', 'name = "Neues ', 1)
DEVICE = "ettmannsweiler-1"
HELD = fingerprint(read_site(TEXT, "site.toml"), DEVICE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "kokubus.db").write_bytes(migrated())
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "ettmannsweiler.toml").write_text(TEXT)
    return tmp_path


@pytest.fixture
def engine(folder: Path) -> Iterator[Engine]:
    made = database.engine(database.sqlite_url(folder / "hub" / "kokubus.db"))
    with database.writing(made) as connection:
        apply(connection, [read_site(TEXT, "site.toml")], NOW)
    device(made, online=True, lookup_key=b"x", site_number=NOW, site_sha256=HELD)
    yield made
    made.dispose()


def device(engine: Engine, **values: object) -> None:
    with database.writing(engine) as connection:
        connection.execute(update(table(models.Device)).values(values))


def run(folder: Path, *words: str) -> int:
    return main(["--data-dir", str(folder / "hub"), *words])


@pytest.mark.parametrize(
    ("about", "reception", "said"),
    [
        ({"online": True}, Reception.TAKES_IT, "takes it by itself, once nobody"),
        ({"online": False}, Reception.OFFLINE, "is offline: takes it by itself"),
        ({"online": None, "site_number": None}, Reception.UNHEARD, "has not connected yet"),
        ({"site_number": None}, Reception.OLDER_RELEASE, "runs a release that takes none"),
        ({"lookup_key": None}, Reception.NOT_ENROLLED, "is not enrolled"),
        ({"revoked_at": NOW}, Reception.REVOKED, ""),
    ],
)
def test_who_takes_a_changed_file(
    engine: Engine,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    about: dict[str, object],
    reception: Reception,
    said: str,
) -> None:
    device(engine, **about)
    (folder / "sites" / "ettmannsweiler.toml").write_text(LONGER)
    assert run(folder, "apply", str(folder / "sites"), "--yes") == 0
    lines = capsys.readouterr().out.splitlines()
    told = lines[lines.index("applied: ettmannsweiler") + 1 :]
    head = ["the file of ettmannsweiler has changed; of its devices"] if said else []
    assert told[:-1] == head
    assert told[-1:] == [] if not said else told[-1].startswith(f"  {DEVICE} {said}")
    with database.reading(engine) as connection:
        assert [one.reception for one in states(connection)] == [reception]


def test_nothing_is_said_of_a_file_that_has_not_changed(
    engine: Engine, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "apply", str(folder / "sites"), "--yes") == 0
    assert capsys.readouterr().out == "nothing to change\n"


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"online": True}, f"online\tsite file {NOW}: up to date"),
        ({"site_number": 0}, "online\tsite file written by hand: up to date"),
        ({"site_number": 0, "site_sha256": "0"}, "by hand: a newer one is under way"),
        ({"site_number": 5, "site_sha256": "0", "online": False}, "5: a newer one waits for it"),
        ({"site_number": NOW + 1, "site_sha256": "0"}, "later than the hub's; apply the sites"),
        ({"site_number": None}, "site file: has not said"),
    ],
)
def test_the_list_names_the_file_each_runs_by(
    engine: Engine,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    about: dict[str, object],
    said: str,
) -> None:
    device(engine, **about)
    assert run(folder, "device", "list") == 0
    assert said in capsys.readouterr().out


def test_a_device_that_no_file_names_or_whose_file_cannot_be_read(engine: Engine) -> None:
    with database.writing(engine) as connection:
        connection.execute(insert(table(models.Device)).values(slug="old-1", site_id=1))
        assert [one.reception for one in states(connection)] == [
            Reception.CURRENT,
            Reception.NOT_NAMED,
        ]
        connection.execute(update(table(models.SiteFile)).values(text="[site]"))
        assert {one.reception for one in states(connection)} == {Reception.NO_FILE}
