"""A new door's checklist: nothing is ticked off that was not seen, and power cycles are counted."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.edge.fake_clock import FakeClock
from tests.edge.running_agent import enrolled

from kokubus_edge import boots, commissioning, desk_client, doctor
from kokubus_edge.commissioning import POWER_CYCLES, steps, walk
from kokubus_edge.doctor import Finding
from kokubus_edge.settings import Settings


@dataclass
class Site:
    """A technician who does what is asked, as far as ``able``."""

    settings: Settings
    able: set[str] = field(default_factory=set)
    out: io.StringIO = field(default_factory=io.StringIO)

    def messages(self, _data: Path, _seconds: float) -> Iterator[dict[str, Any]]:
        said: list[dict[str, Any]] = []
        for door in self.settings.doors:
            said += [
                {"kind": "badge_tapped", "door": door.id, "side": side} for side in ("in", "out")
            ]
            said += [
                {"kind": "contact_changed", "door": door.id, "open": on} for on in (True, False)
            ]
            said += [{"kind": "enforced", "door": door.id, "by": by} for by in ("edge", "hub")]
            said.append({"kind": "exit_requested", "door": door.id})
        yield from ({"message": one} for one in said if one["kind"] in self.able)

    def walk(self, answers: str = "") -> int:
        self.out = io.StringIO()
        return walk(self.settings, dict, io.StringIO(answers), self.out)

    def boot(self, number: int) -> None:
        clock = FakeClock()
        clock.boot = f"boot-{number}"
        boots.note(self.settings.data, clock)


ALL = {"badge_tapped", "contact_changed", "enforced", "exit_requested"}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site(enrolled(tmp_path), set(ALL))
    made.settings.data.mkdir(exist_ok=True)
    monkeypatch.setattr(desk_client, "messages", made.messages)
    monkeypatch.setattr(doctor, "examine", lambda *_: [Finding("agent", "is well")])
    made.boot(0)
    return made


def test_every_door_is_tried_in_every_way_it_has(site: Site) -> None:
    names = [step.name for step in steps(site.settings)]
    assert len(names) == len(set(names))
    for door in site.settings.doors:
        assert f"{door.id} alone" in names
        assert f"{door.id} linked" in names


def test_a_problem_is_put_right_first(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    ill = [Finding("disk", "full", "delete")]
    monkeypatch.setattr(doctor, "examine", lambda *_: ill)
    assert site.walk() == 1
    assert "Put right what is a problem" in site.out.getvalue()


def test_what_is_not_seen_is_not_done(site: Site) -> None:
    site.able.discard("contact_changed")
    assert site.walk() == 1
    assert "not seen within" in site.out.getvalue()
    done = json.loads((site.settings.data / commissioning.NAME).read_bytes())
    assert not any(name.endswith(" open") for name in done)


def test_it_goes_on_where_it_was_left_through_five_power_cycles(site: Site) -> None:
    assert site.walk() == 1
    assert f"Power cycle 1 of {POWER_CYCLES}" in site.out.getvalue()
    site.able.clear()  # no step is asked for twice
    for number in range(1, POWER_CYCLES):
        site.boot(number)
        assert site.walk("n\n") == 1
        assert f"Power cycle {number + 1} of {POWER_CYCLES}" in site.out.getvalue()
    site.boot(POWER_CYCLES)
    assert site.walk("n\n") == 0
    assert "Commissioned" in site.out.getvalue()


def test_a_lock_that_clicks_while_the_power_comes_is_not_commissioned(site: Site) -> None:
    site.walk()
    site.boot(1)
    assert site.walk("y\n") == 1
    assert "A lock must stay quiet" in site.out.getvalue()
    assert site.walk("n\n") == 1  # asked again, since that boot did not count
    assert f"Power cycle 2 of {POWER_CYCLES}" in site.out.getvalue()


def test_starting_it_again_without_a_power_cycle_counts_nothing(site: Site) -> None:
    site.walk()
    assert site.walk() == 1
    assert f"Power cycle 1 of {POWER_CYCLES}" in site.out.getvalue()


def test_a_damaged_list_begins_anew(site: Site) -> None:
    (site.settings.data / commissioning.NAME).write_text("[")
    (site.settings.data / boots.NAME).write_text("[3]")
    assert site.walk() == 1
