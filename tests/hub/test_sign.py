"""The sheet at the door: every light that a door shows, phone and QR code, on one A5 page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.hub.web_world import World

from kokubus.happenings import Pattern
from kokubus_edge import signals
from kokubus_hub import cli, database
from kokubus_hub.problems import ProblemError
from kokubus_hub.settings import Settings
from kokubus_hub.sites.sign import LIGHTS, STAYING, printed, sign_of

_COLOURS = {signals.RED: "red", signals.GREEN: "green", signals.AMBER: "amber", signals.DARK: ""}


def _sheet(world: World, **told: str) -> str:
    settings = Settings(data_dir=world.settings.data_dir, **told)
    with database.reading(world.engine) as connection:
        return printed(sign_of(connection, settings, "ettmannsweiler"))


def test_every_light_a_door_shows_has_its_meaning() -> None:
    assert set(LIGHTS) == set(Pattern) - {Pattern.IDLE}


def test_the_lights_are_those_that_the_agent_shows() -> None:
    for pattern, (steps, _said) in LIGHTS.items():
        shown = [(seconds, _COLOURS[lines]) for seconds, lines in signals.LIGHTS[pattern]]
        assert shown == list(steps), pattern
    assert signals.RESTING - {Pattern.IDLE} == STAYING


def test_it_says_all_in_german_and_english(world: World) -> None:
    sheet = _sheet(world, public_url="https://kokubus.example.org/")
    for sentence in (
        "Einen Moment, bitte",
        "One moment, please",
        "+49 30 23125 010",
        "Alte Schule",
    ):
        assert sentence in sheet
    assert sheet.count('<span lang="de"') == sheet.count('<span lang="en"') == 14
    assert "size: A5" in sheet
    assert 'class="qr"' in sheet


def test_it_is_one_file_that_loads_nothing(world: World) -> None:
    sheet = _sheet(world, public_url="https://kokubus.example.org")
    assert not re.findall(r"(?:href|src)=", sheet)


def test_without_a_public_address_it_has_no_code(world: World) -> None:
    assert 'class="qr"' not in _sheet(world)


def test_a_site_that_is_not_there(world: World) -> None:
    with database.reading(world.engine) as connection, pytest.raises(ProblemError, match="nowhere"):
        sign_of(connection, world.settings, "nowhere")


def test_the_command_writes_it(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sign.html"
    told = ["--data-dir", str(world.settings.data_dir), "sign", "ettmannsweiler", "--out", str(out)]
    assert cli.main(told) == 0
    assert "Alte Schule Ettmannsweiler" in out.read_text()
    assert "PUBLIC_URL" in capsys.readouterr().out
    assert cli.main([*told[:3], "nowhere"]) == 2
