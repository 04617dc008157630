"""Case 2: a badge is its whole number, and nothing else is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.acceptance.rig.network import Network
from tests.acceptance.rig.village import FIRST, FRONT
from tests.acceptance.rig.waiting import wait_until

from kokubus_hub import models

WHOLE = "04A3C6CAE26180"
CUT = "8804A3C6"
"""What the first cascade level alone would give (ISO/IEC 14443-3, 6.5.3.3): the cascade tag and
three bytes of the number."""
COUSIN = "04A3C611223344"
LONG = "04A3C6CAE261800102EE"


def test_a_seven_byte_number_is_read_whole(network: Network) -> None:
    taps: dict[str, str] = {}

    def hear(_topic: str, payload: bytes) -> None:
        """A fact may be sent again before its receipt comes."""
        tap = json.loads(payload)
        taps[tap["id"]] = tap["sealed"]

    network.peer(hear, "kokubus/v1/+/up/badge_tapped")
    network.village.member(WHOLE)
    for uid in (WHOLE, COUSIN, LONG):
        network.agents[FIRST].tap(FRONT, uid)
    wait_until(lambda: len(taps) == 3, "three taps to be sent")
    read = [network.keyring.unseal(sealed, tap) for tap, sealed in taps.items()]
    assert read == [f"mfrc522|{uid}".encode() for uid in (WHOLE, COUSIN, LONG)]


def test_tags_that_share_their_first_bytes_are_different_badges(network: Network) -> None:
    """Nor does a badge answer to what a careless reader makes of its number."""
    village, agent = network.village, network.agents[FIRST]
    village.member(CUT)
    before = agent.tap(FRONT, WHOLE)
    assert (before["granted"], before["reason"]) == (False, "badge_unknown")

    whole = village.member(WHOLE)
    answers = {uid: agent.tap(FRONT, uid) for uid in (COUSIN, WHOLE, LONG)}
    said = {uid: (answer["granted"], answer["reason"]) for uid, answer in answers.items()}
    assert said == {
        COUSIN: (False, "badge_unknown"),
        WHOLE: (True, "booked"),
        LONG: (False, "badge_unknown"),
    }
    recorded = {event.tap: event.badge_id for event in village.rows(models.AccessEvent)}
    assert recorded.pop(answers[WHOLE]["tap"]) == whole.badge
    assert list(recorded.values()) == [None] * 3
    assert agent.pulses() == 1


def test_a_damaged_check_byte_is_no_event(network: Network) -> None:
    """The tap before it and the one after it show that the reader was at work."""
    agent = network.agents[FIRST]
    first = agent.tap(FRONT, WHOLE)
    agent.ask(do="put", door=FRONT, uids=[WHOLE, COUSIN], damaged=True)
    _beside(network)
    agent.ask(do="take", door=FRONT)
    agent.ask(do="put", door=FRONT, uids=["1E034A5B"], damaged=True)
    _beside(network)
    agent.ask(do="take", door=FRONT)
    last = agent.tap(FRONT, COUSIN)
    wait_until(lambda: len(network.village.rows(models.AccessEvent)) >= 6, "all of them")
    events = network.village.rows(models.AccessEvent)
    assert [event.tap for event in events if event.side == "in"] == [first["tap"], last["tap"]]
    assert len(events) == 6


def _beside(network: Network) -> None:
    """Two badges at the other reader of the same thread: between them it has looked at this one."""
    for uid in ("1E034A5B", "2E034A5B"):
        network.agents[FIRST].tap(FRONT, uid, side="out")


@pytest.mark.parametrize("uid", ["08A1B2C3", "08 a1 b2 c3", "08:00:00:01"])
def test_a_random_number_cannot_be_enrolled(prepared: Path, tmp_path: Path, uid: str) -> None:
    members, badges = tmp_path / "members.csv", tmp_path / "badges.csv"
    members.write_text("Name;E-Mail\nErika Muster;erika@example.org\n", "utf-8")
    badges.write_text(f"UID;E-Mail\n04A3C6CAE26180;\n{uid};erika@example.org\n", "utf-8")
    command = [str(Path(sys.executable).parent / "kokubus"), "hub", "import"]
    environ = os.environ | {"KOKUBUS_HUB_DATA_DIR": str(prepared / "hub")}
    done = subprocess.run(
        [*command, str(members), str(badges)],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stdout
    assert "badges.csv" in done.stderr
    assert "line 3" in done.stderr
    assert "another random number at every tap" in done.stderr
    assert "give this person another badge" in done.stderr
    assert uid not in done.stderr
