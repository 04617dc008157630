"""A site's file from the hub: taken once, tried, undone; what is older or does not fit refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.edge.agent_parts import ADA, FRONT, Rig, policy
from tests.edge.policy_bench import AtOnce
from tests.edge.simulated_device import SITE

from kokubus.downlinks import SiteGiven
from kokubus.happenings import ContactClosed, ContactOpened, Ticked
from kokubus.messages import SiteHeld
from kokubus.site import read_site
from kokubus.site.given import fingerprint, number_of, numbered
from kokubus_edge import site_file
from kokubus_edge.agent import Stop
from kokubus_edge.settings import read_settings, site_and_data
from kokubus_edge.site_file import STARTS, SiteFile
from kokubus_edge.trouble import Trouble

OTHER = SITE.replace("pin = 4", "pin = 16")
SAME = f"# somebody's comment\n{SITE}"
NUMBER = 1_790_000_000_000


class Device:
    """A device's folder and its site file, as one agent after the other sees them."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "agent.toml"
        self.config.write_text('device = "dorf-1"\n[hub]\nhost = "127.0.0.1"\n')
        self.file = folder / "site.toml"
        self.file.write_text(SITE)
        self.said: list[Any] = []
        self.start()

    def start(self) -> None:
        """What `kokubus edge run` does with it; SettingsError and the like where it fails."""
        site_file.begin(*site_and_data(self.config))
        settings = read_settings(self.config)
        self.site = SiteFile(settings, tell=self.said.append, disk=AtOnce())
        self.said.clear()
        self.site.started()

    def give(self, text: str, number: int = NUMBER) -> None:
        self.said.clear()
        self.site.take(SiteGiven(number=number, text=numbered(text, number)))

    def held(self) -> list[tuple[int, str]]:
        told = [one.fields for one in self.said if getattr(one, "fact", None) is SiteHeld]
        return [(one["number"], one["sha256"]) for one in told]

    def cleared(self) -> bool:
        return Trouble("site_refused", active=False) in self.said

    def refused(self) -> list[str]:
        troubles = [one for one in self.said if isinstance(one, Trouble) and one.active]
        return [one.detail for one in troubles if one.alarm == "site_refused"]


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def of(text: str) -> str:
    return fingerprint(read_site(text, "site.toml"), "dorf-1")


def test_at_its_start_it_says_by_which_file_it_runs(device: Device) -> None:
    assert device.held() == [(0, of(SITE))]


def test_a_changed_file_waits_for_the_next_start(device: Device) -> None:
    device.give(OTHER)
    assert device.site.wants_restart
    assert device.held() == []
    device.start()
    assert device.held() == [(NUMBER, of(OTHER))]
    assert not device.site.wants_restart
    assert device.refused() == []


def test_one_that_says_the_same_is_only_kept(device: Device) -> None:
    device.give(SAME)
    assert not device.site.wants_restart
    assert device.held() == [(NUMBER, of(SITE))]
    assert number_of(device.file.read_text()) == NUMBER


@pytest.mark.parametrize("number", [NUMBER, NUMBER - 1, 0])
def test_one_that_is_not_newer_is_refused(device: Device, number: int) -> None:
    device.give(SAME)
    before = device.file.read_text()
    device.give(OTHER, number)
    assert (device.file.read_text(), device.site.wants_restart) == (before, False)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[site", "TOML"),
        (SITE.replace('"dorf-1"', '"dorf-9"'), "dorf-9"),
        (SITE.replace("contact = 27", "contact = 17"), "17"),
        (SITE.replace("[[room]]", "[[rooms]]", 1), "rooms"),
    ],
)
def test_one_that_does_not_fit_is_refused_with_a_reason(
    device: Device, text: str, why: str
) -> None:
    device.give(text)
    [said] = device.refused()
    assert why in said
    assert (device.file.read_text(), device.site.wants_restart) == (SITE, False)
    device.give(OTHER, NUMBER)  # the same number is not tried twice
    assert not device.site.wants_restart
    device.give(OTHER, NUMBER + 1)
    device.start()
    assert (device.refused(), device.cleared()) == ([], True)


def test_the_alarm_also_ends_with_a_file_that_changes_nothing(device: Device) -> None:
    device.give("[site")
    device.give(SAME, NUMBER + 1)
    assert device.cleared()
    device.start()
    assert device.refused() == []


def test_the_agent_that_fails_with_it_gets_the_old_one_back(device: Device) -> None:
    device.give(OTHER)
    for _ in range(STARTS):
        device.start()  # and it ends before it has proved anything
        assert device.held() == [(NUMBER, of(OTHER))]
    device.start()
    assert device.held() == [(0, of(SITE))]
    assert device.refused() == [f"the agent did not run with it in {STARTS} starts"]
    device.give(OTHER, NUMBER)
    assert not device.site.wants_restart


def test_once_proved_no_start_undoes_it(device: Device) -> None:
    device.give(OTHER)
    device.site.proved()  # by the agent that still runs with the old one: that proves nothing
    device.start()
    device.site.proved()
    for _ in range(STARTS + 1):
        device.start()
        assert device.held() == [(NUMBER, of(OTHER))]


def test_what_comes_before_the_first_is_proved_goes_back_to_what_was(device: Device) -> None:
    device.give(OTHER)
    device.start()
    device.give(SITE.replace("pin = 4", "pin = 12"), NUMBER + 1)
    for _ in range(STARTS + 1):
        device.start()
    assert device.held() == [(0, of(SITE))]


def test_the_same_by_a_later_number_is_refused_with_it(device: Device) -> None:
    """Else it would be tried, undone and given again for ever."""
    device.give(OTHER)
    device.start()
    device.give(f"# somebody's comment\n{OTHER}", NUMBER + 1)
    for _ in range(STARTS):
        device.start()
    assert device.held() == [(0, of(SITE))]
    device.give(OTHER, NUMBER + 1)
    assert not device.site.wants_restart


@pytest.mark.parametrize("damage", [b"\xff\xfe", None])
def test_a_file_that_is_damaged_or_gone_is_undone_too(device: Device, damage: bytes | None) -> None:
    device.give(OTHER)
    device.file.unlink() if damage is None else device.file.write_bytes(damage)
    for _ in range(STARTS):
        site_file.begin(*site_and_data(device.config))
    device.start()
    assert device.held() == [(0, of(SITE))]


def test_a_card_that_takes_nothing_keeps_no_agent_from_starting(device: Device) -> None:
    device.give(OTHER)
    (device.config.parent / "data" / ".site-trial.json.new").mkdir()
    for _ in range(STARTS + 2):
        device.start()
        assert device.held() == [(NUMBER, of(OTHER))]


def test_a_hub_that_gives_an_older_one_is_told_by_which_it_runs(device: Device) -> None:
    """What it says at its start may have come to the hub out of its order, or be lost to it."""
    device.give(SAME)
    for number in (NUMBER, NUMBER - 1):
        device.give(OTHER, number)
        assert device.held() == [(NUMBER, of(SITE))]
    device.give(OTHER, NUMBER + 1)
    device.give(OTHER, NUMBER + 1)  # it waits for the next start
    assert device.held() == []


def test_a_power_cut_before_the_file_is_there_is_harmless(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(path: Path, data: bytes, *, mode: int = 0o600) -> None:
        if path == device.file:
            raise SystemExit
        real(path, data, mode=mode)

    real = site_file.write_atomically
    with monkeypatch.context() as moment:
        moment.setattr(site_file, "write_atomically", cut)
        with pytest.raises(SystemExit):
            device.give(OTHER)
    device.start()
    assert device.held() == [(0, of(SITE))]
    device.site.proved()
    device.give(OTHER)
    device.start()
    assert device.held() == [(NUMBER, of(OTHER))]


def test_the_agent_ends_once_nobody_is_at_its_doors() -> None:
    rig = Rig(policy())
    rig.site.wants_restart = True
    rig(ContactOpened(FRONT))
    rig.tap(ADA)
    rig.answer()
    rig.inbox = rig.agent._inbox
    for _ in range(3):
        rig(Ticked(), after=1_000)
    assert rig.inbox.empty()
    rig(ContactClosed(FRONT))
    for _ in range(30):
        rig(Ticked(), after=1_000)
    assert isinstance(rig.inbox.get_nowait(), Stop)


def test_the_loop_hands_it_on_unless_it_is_old_or_time_is_unknown() -> None:
    rig = Rig()
    given = SiteGiven(number=NUMBER, text=SITE)
    with structlog.testing.capture_logs() as logs:
        rig.hear(given, expires_in=-1)
    assert rig.site.taken == []
    assert [line["event"] for line in logs] == ["site_not_taken"]
    rig.hear(given)
    assert rig.site.taken == [(given,)]
