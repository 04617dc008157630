"""Site TOML into the database: said first, done once, and nothing lost that events refer to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from tests.hub.migrated import migrated

from kokubus.errors import SiteError
from kokubus.site import Site, read_site
from kokubus_hub import changes, database, models
from kokubus_hub.cli import main
from kokubus_hub.models import table
from kokubus_hub.sites.apply import Applied, apply, read_sites

SITES = Path(__file__).resolve().parents[2] / "firmware_configs" / "sites"
NOW = 1_790_000_000_000
DORF = """
[site]
id = "dorf"
name = "Dorf"
kind = "container"
help_phone = "+49 30 23125 099"
lead_min = 20
[[placement]]
municipality = "musterdorf"
municipality_name = "Musterdorf"
address = "Musterweg 1"
from = 2026-10-20
until = 2026-11-20
[opening]
mon = ["07:00-20:00"]
[[room]]
id = "dorf-hall"
name = "Saal"
capacity = 8
volume_m3 = 90.0
[[room]]
id = "dorf-studio"
name = "Studio"
capacity = 2
[[door]]
id = "dorf-front"
name = "Haustür"
room = "dorf-hall"
device = "dorf-1"
pins = { lock = 17, contact = 27 }
[[door]]
id = "dorf-inner"
name = "Studiotür"
room = "dorf-studio"
from = "dorf-hall"
device = "dorf-1"
pulse_ms = 3000
pins = { lock = 23 }
[[sensor]]
id = "dorf-co2"
room = "dorf-hall"
quantity = "co2"
kind = "scd41"
device = "dorf-2"
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    path = tmp_path / "kokubus.db"
    path.write_bytes(migrated())
    made = database.engine(database.sqlite_url(path))
    yield made
    made.dispose()


def dorf(text: str = DORF) -> Site:
    return read_site(text, "dorf.toml")


def put(engine: Engine, *sites: Site) -> Applied:
    with database.writing(engine) as connection:
        return apply(connection, sites, NOW)


def rows(engine: Engine, model: type[models.Base]) -> dict[str, Any]:
    with database.reading(engine) as connection:
        found = list(connection.execute(select(table(model))))
    return {getattr(row, "slug", getattr(row, "address", "")): row for row in found}


def newest_change(engine: Engine) -> int:
    with database.reading(engine) as connection:
        return changes.latest(connection)


def test_a_site_becomes_rows(engine: Engine) -> None:
    done = put(engine, dorf())
    assert done.changed
    assert done.sites == ("dorf",)
    assert "+ door dorf-front" in done.lines
    site = rows(engine, models.Site)["dorf"]
    assert (site.kind, site.lead_ms, site.grace_ms) == ("container", 1_200_000, 900_000)
    assert site.opening == {"mon": ["07:00-20:00"]}
    assert set(rows(engine, models.Device)) == {"dorf-1", "dorf-2"}
    assert rows(engine, models.Municipality)["musterdorf"].name == "Musterdorf"


def test_doors_lead_from_room_to_room(engine: Engine) -> None:
    put(engine, dorf())
    rooms, doors = rows(engine, models.Room), rows(engine, models.Door)
    front, inner = doors["dorf-front"], doors["dorf-inner"]
    assert (front.from_room_id, front.room_id) == (None, rooms["dorf-hall"].id)
    assert (inner.from_room_id, inner.room_id) == (rooms["dorf-hall"].id, rooms["dorf-studio"].id)
    assert (front.has_contact, inner.has_contact) == (True, False)
    assert (front.pulse_ms, inner.pulse_ms) == (5_000, 3_000)
    assert front.device_id == rows(engine, models.Device)["dorf-1"].id
    sensor = rows(engine, models.Sensor)["dorf-co2"]
    assert sensor.device_id == rows(engine, models.Device)["dorf-2"].id
    assert sensor.room_id == rooms["dorf-hall"].id


def test_a_placement_lasts_from_midnight_to_midnight_where_it_stands(engine: Engine) -> None:
    put(engine, dorf())
    [placement] = rows(engine, models.Placement).values()
    # 2026-10-20 is still summer time (UTC+2), 2026-11-20 is not
    assert placement.start == 1_792_447_200_000
    assert placement.end == 1_795_129_200_000


def test_the_same_again_changes_nothing(engine: Engine) -> None:
    put(engine, dorf())
    before = newest_change(engine)
    again = put(engine, dorf())
    assert (again.lines, again.sites, again.changed) == ((), (), False)
    assert newest_change(engine) == before


def test_what_differs_is_said_and_wakes_the_policies(engine: Engine) -> None:
    put(engine, dorf())
    before = newest_change(engine)
    changed = put(engine, dorf(DORF.replace("pulse_ms = 3000", "pulse_ms = 9000")))
    assert changed.lines == ("~ door dorf-inner: pulse_ms 3000 -> 9000",)
    assert rows(engine, models.Door)["dorf-inner"].pulse_ms == 9_000
    assert newest_change(engine) > before


def test_a_container_moves(engine: Engine) -> None:
    put(engine, dorf())
    moved = DORF.replace("Musterweg 1", "Musterplatz 2").replace("until = 2026-11-20", "")
    done = put(engine, dorf(moved))
    assert done.lines == (
        "- placement of dorf: Musterweg 1",
        "+ placement of dorf: Musterplatz 2, 2026-10-20 to None",
    )
    [placement] = rows(engine, models.Placement).values()
    assert (placement.address, placement.end) == ("Musterplatz 2", None)


def told(engine: Engine) -> int:
    """A week of the only placement is in reports; the placement's id."""
    [placement] = rows(engine, models.Placement).values()
    week = {"start": placement.start, "end": placement.start + 7 * 86_400_000, "weeks": 1.0}
    block = week | {"site_id": placement.site_id, "placement_id": placement.id, "made_at": NOW}
    with database.writing(engine) as connection:
        connection.execute(table(models.ReportBlock).insert().values(level="week", **block))
    return int(placement.id)


def test_a_placement_of_which_reports_were_told_is_put_right_where_it_stands(
    engine: Engine,
) -> None:
    put(engine, dorf())
    before = told(engine)
    longer = DORF.replace("Musterweg 1", "Musterweg 1a").replace("2026-11-20", "2026-11-27")
    assert put(engine, dorf(longer)).lines == (
        "- placement of dorf: Musterweg 1",
        "+ placement of dorf: Musterweg 1a, 2026-10-20 to 2026-11-27",
    )
    [placement] = rows(engine, models.Placement).values()
    assert (placement.id, placement.address) == (before, "Musterweg 1a")
    again = "\n[[placement]]\nmunicipality = 'musterstadt'\nmunicipality_name = 'Musterstadt'"
    again += "\naddress = 'Platz 3'\nfrom = 2026-12-01\n[opening]"
    put(engine, dorf(longer.replace("\n[opening]", again)))
    assert [row.id == before for row in rows(engine, models.Placement).values()] == [True, False]


def test_a_placement_of_which_reports_were_told_does_not_go(engine: Engine) -> None:
    put(engine, dorf())
    before = told(engine)
    later = dorf(DORF.replace("from = 2026-10-20", "from = 2026-10-21"))
    with pytest.raises(SiteError, match=r"'Musterweg 1' were told: keep .* from = 2026-10-20"):
        put(engine, later)
    [placement] = rows(engine, models.Placement).values()
    assert placement.id == before


def test_what_a_file_no_longer_names_stays_and_is_said_to(engine: Engine) -> None:
    put(engine, dorf())
    before = newest_change(engine)
    without = put(engine, dorf(DORF[: DORF.index("[[sensor]]")]))
    assert without.lines == (
        "~ file of dorf: what only its devices need",
        "= device dorf-2 stays, though its file does not name it",
        "= sensor dorf-co2 stays, though its file does not name it",
    )
    assert "dorf-co2" in rows(engine, models.Sensor)
    again = put(engine, dorf(DORF[: DORF.index("[[sensor]]")]))
    assert again.lines == without.lines[1:]
    assert not again.changed
    assert newest_change(engine) == before + 1


def test_a_rolled_back_transaction_has_only_asked(engine: Engine) -> None:
    with database.reading(engine) as connection:
        asked = apply(connection, [dorf()], NOW)
    assert asked.changed
    assert rows(engine, models.Site) == {}


def test_the_five_sites_of_the_network_apply(engine: Engine) -> None:
    sites = read_sites(SITES)
    put(engine, *sites)
    assert set(rows(engine, models.Site)) == {site.id for site in sites}
    assert len(sites) == 5
    assert put(engine, *sites).lines == ()


def test_every_problem_of_every_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(DORF.replace('kind = "container"', 'kind = "tent"'), "utf-8")
    (tmp_path / "b.toml").write_text("[site", "utf-8")
    (tmp_path / "c.toml").write_bytes(b"\xff")
    with pytest.raises(SiteError) as caught:
        read_sites(tmp_path)
    said = str(caught.value).splitlines()
    assert [line.partition(":")[0].rpartition("/")[2] for line in said] == [
        "a.toml",
        "b.toml",
        "c.toml",
    ]


def test_a_site_may_stand_in_one_file_only(tmp_path: Path) -> None:
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text(DORF, "utf-8")
    with pytest.raises(SiteError, match=r"b\.toml: site\.id: 'dorf' stands in another file too"):
        read_sites(tmp_path)


def test_an_empty_folder_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"no \*\.toml there"):
        read_sites(tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "hub"
    assert main(["init", "--data-dir", str(folder)]) == 0
    return folder


@pytest.fixture
def hub(tmp_path: Path, made: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "hub"))


def test_the_command_says_then_does(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    apply_it = ["--data-dir", str(hub), "apply", str(SITES)]
    assert main([*apply_it, "--yes"]) == 0
    assert "+ door ettmannsweiler-front" in capsys.readouterr().out
    assert main(apply_it) == 0
    assert capsys.readouterr().out == "nothing to change\n"


def test_the_command_asks_first_and_does_nothing_where_nobody_can_answer(
    hub: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data-dir", str(hub), "apply", str(SITES)]) == 1
    said = capsys.readouterr()
    assert said.out.endswith("nothing was changed\n")
    assert "--yes" in said.err


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("ja", 0), ("", 1), ("no", 1)])
def test_the_command_does_what_it_is_told(
    hub: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert main(["--data-dir", str(hub), "apply", str(SITES)]) == code


def test_the_command_names_the_mistake(hub: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = hub / "keys"
    assert main(["--data-dir", str(hub), "apply", str(empty)]) == 2
    assert "no *.toml there" in capsys.readouterr().err
