"""``kokubus hub alarms`` lists what stands, and tells monitoring by its exit code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, update
from tests.hub.small_hub import NOW, small_hub

from kokubus_hub import cli, cli_alarms, database, models
from kokubus_hub.models import table

PAGE = Path(__file__).parents[2] / "docs/operate/alarms.md"
ALARM = table(models.Alarm)


def asked(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    (folder / "hub.toml").write_text(f'database_url = "sqlite:///{folder / "hub.db"}"\n')
    return cli.main(["--data-dir", str(folder), "alarms", *words]), capsys.readouterr().out


def raised(engine: Engine, **values: object) -> None:
    with database.writing(engine) as connection:
        connection.execute(insert(ALARM).values({"site_id": 1, "at": NOW} | values))


def test_nothing_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_hub(tmp_path):
        assert asked(tmp_path, capsys) == (0, "")


def test_what_stands_is_told_oldest_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_hub(tmp_path) as engine:
        with database.writing(engine) as connection:
            device = {"slug": "dorf-1", "site_id": 1}
            connection.execute(insert(table(models.Device)).values(device))
        raised(engine, kind="door_forced", at=NOW + 1_000)
        raised(engine, kind="facts_dropped", device_id=1, detail={"lost": "reading", "count": 3})
        code, said = asked(tmp_path, capsys)
        assert code == 1
        assert said.splitlines() == [
            "2026-09-21 14:13:20+00:00\tfacts_dropped\tdorf\tdorf-1\tlost reading, count 3",
            "2026-09-21 14:13:21+00:00\tdoor_forced\tdorf\t-\t",
        ]


def test_what_was_cleared_stands_no_longer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_hub(tmp_path) as engine:
        raised(engine, kind="door_held")
        with database.writing(engine) as connection:
            connection.execute(update(ALARM).values(cleared_at=NOW))
        assert asked(tmp_path, capsys) == (0, "")


def test_what_was_seen_is_cleared_if_nothing_else_clears_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_hub(tmp_path) as engine:
        raised(engine, kind="keyholder_used")
        raised(engine, kind="door_forced")
        assert asked(tmp_path, capsys, "--seen") == (0, "1 cleared\n")
        code, said = asked(tmp_path, capsys)
        assert (code, [line.split("\t")[1] for line in said.splitlines()]) == (1, ["door_forced"])


def test_those_that_the_page_marks_can_be_cleared_by_hand_and_no_others() -> None:
    marked = re.findall(r"^\| `(\w+)` \* \|", PAGE.read_text(), re.MULTILINE)
    assert set(marked) == set(cli_alarms._LASTING)
