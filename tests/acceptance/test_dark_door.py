"""A code read out by phone opens a door without network or clock, once; both sides know of it."""

from __future__ import annotations

import pytest
from tests.acceptance.rig.agent import Agent
from tests.acceptance.rig.network import Network
from tests.acceptance.rig.village import SECOND, SIDE, Village
from tests.acceptance.rig.waiting import wait_until

from kokubus_hub import cli, models

pytestmark = pytest.mark.slow
OF_1970 = {"wall_ms": 3_600_000, "boot": "no-clock"}


@pytest.fixture
def dark(hub: Network) -> Agent:
    """The agent of the side door: no battery clock, no network since its power came back."""
    agent = hub.agents[SECOND]
    agent.start()
    hub.give_policies(SECOND)
    agent.wire.cut()
    agent.power_cut(**OF_1970)
    return agent


def read_out(capsys: pytest.CaptureFixture[str], why: str = "stands in the rain") -> str:
    """What the coordinator reads to the caller."""
    assert cli.main(["code", SIDE, "--reason", why]) == 0
    said = capsys.readouterr().out
    return said.splitlines()[0].replace(" ", "")


def tried(agent: Agent, keys: str) -> str:
    """Type at the keypad; what the door made of it."""
    before = len(agent.spooled("code_tried"))
    agent.ask(do="type", door=SIDE, keys=f"{keys}#")
    told = wait_until(lambda: agent.spooled("code_tried")[before:], "the door to have read it")
    return str(told[0]["outcome"])


def codes(village: Village) -> list[tuple[int, bool]]:
    return [(one.counter, one.used_at is not None) for one in village.rows(models.OneTimeCode)]


def test_it_opens_once_and_is_in_both_records(
    hub: Network, dark: Agent, capsys: pytest.CaptureFixture[str]
) -> None:
    code = read_out(capsys)
    wrong = str((int(code) + 1) % 10**8).zfill(8)
    assert tried(dark, wrong) == "wrong"
    assert dark.pulses(SIDE) == 0
    assert tried(dark, code) == "accepted"
    wait_until(lambda: dark.pulses(SIDE) == 1, "the bolt to be drawn")
    assert tried(dark, code) == "wrong"
    assert codes(hub.village) == [(0, False)]
    assert code not in dark.process.log.read_text("utf-8")

    dark.wire.restore()
    wait_until(lambda: codes(hub.village) == [(0, True)], "the hub to know that it is used")
    wait_until(lambda: len(told(hub.village)) == 3, "the hub to have every try")
    assert [(one["outcome"], one["counter"]) for one in told(hub.village)] == [
        ("wrong", None),
        ("accepted", 0),
        ("wrong", None),
    ]
    [row] = hub.village.rows(models.OneTimeCode)
    assert row.reason == "stands in the rain"
    assert row.by.endswith("(command line)")
    assert dark.pulses(SIDE) == 1


def test_one_that_was_never_typed_opens_no_more_after_a_later_one(
    dark: Agent, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = read_out(capsys), read_out(capsys, "could not read the first one")
    assert tried(dark, second) == "accepted"
    wait_until(lambda: dark.pulses(SIDE) == 1, "the bolt to be drawn")
    assert tried(dark, first) == "wrong"
    assert dark.pulses(SIDE) == 1


def told(village: Village) -> list[dict[str, object]]:
    events = village.rows(models.DoorEvent, kind="code_tried")
    return [one.detail for one in sorted(events, key=lambda one: one.at)]
