"""The control socket of a simulated device, and the command that taps through it."""

from __future__ import annotations

import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.edge.simulated_device import (
    CO2,
    FRONT,
    GUEST,
    STRANGER,
    STUDIO,
    WALKED_IN,
    WALKED_OUT,
    Device,
    device,
)

from kokubus.decision import Reason
from kokubus_edge.cli import main
from kokubus_edge.simulate.asking import ControlError, ask
from kokubus_edge.simulate.control import Control
from kokubus_edge.simulate.register import (
    KnownBadge,
    Register,
    read_register,
    write_register,
)
from kokubus_edge.simulate.tapping import SENTENCES, told

HERE = {"door": FRONT}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Device]:
    with device(tmp_path) as made:
        control = Control(made.simulation, made.settings.control)
        yield made
        control.close()
        assert not made.settings.control.exists()


@pytest.fixture
def register(house: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Register:
    badges = {"KK-01": KnownBadge(GUEST, "Mitglied Ahorn")}
    made = Register({FRONT: house.settings.control}, badges)
    write_register(tmp_path, made)
    monkeypatch.setenv("KOKUBUS_RUN", str(tmp_path))
    return made


def test_the_socket_is_its_owners_alone(house: Device) -> None:
    assert stat.S_IMODE(house.settings.control.stat().st_mode) == 0o600


def test_a_tap_is_answered_and_its_holder_walks_in(house: Device) -> None:
    reply = ask(house.settings.control, {"do": "tap", "uid": GUEST} | HERE)
    with house.simulation.at(FRONT):  # whoever stands here next has waited for that walk
        assert house.of(FRONT) == WALKED_IN
    assert {key: reply[key] for key in ("granted", "reason", "by", "opened")} == {
        "granted": True,
        "reason": "booked",
        "by": "hub",
        "opened": True,
    }
    assert (reply["name"], reply["site"], reply["help"]) == ("Haustür", "Dorf", "+49 30 23125 099")


def test_somebody_may_tap_and_stay_outside(house: Device) -> None:
    ask(house.settings.control, {"do": "tap", "uid": GUEST, "walk": False} | HERE)
    with house.simulation.at(FRONT):
        assert len(house.of(FRONT)) == 1


def test_several_requests_may_share_a_connection(house: Device) -> None:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(house.settings.control))
        asking.sendall(
            json.dumps({"do": "readings", "values": {CO2: 700}}).encode() + b'\n{"do": "state"}\n'
        )
        with asking.makefile() as answers:
            assert json.loads(answers.readline()) == {"ok": True}
            assert json.loads(answers.readline())["sensors"] == {CO2: 700.0}


def test_people_leave_and_force_doors(house: Device) -> None:
    ask(house.settings.control, {"do": "exit", "seconds": 1.0} | HERE)
    assert house.of(FRONT) == WALKED_OUT
    ask(house.settings.control, {"do": "force", "door": STUDIO, "seconds": 1.0})
    assert house.of(STUDIO) == WALKED_IN


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nonsense", "no such request"),
        ("[]", "no such request"),
        ("{}", "one of tap, type, exit, force, readings, state"),
        ('{"do": "dance"}', "no such request"),
        ('{"do": "tap", "door": "dorf-front"}', "uid: Field required"),
        ('{"do": "state", "more": 1}', "more: Extra inputs"),
        ('{"do": "exit", "door": "dorf-front", "seconds": -1}', "seconds:"),
        ('{"do": "exit", "door": "other"}', "no door 'other'"),
        ('{"do": "readings", "values": {"other": 1}}', "no sensor 'other'"),
        ('{"do": "tap", "door": "dorf-front", "uid": "04A3"}', "hex digits"),
        ('{"do": "type", "door": "dorf-front", "keys": "1#"}', "no keypad on side in"),
    ],
)
def test_a_bad_request_gets_a_sentence_and_no_more(house: Device, line: str, said: str) -> None:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(house.settings.control))
        asking.sendall(f"{line}\n".encode())
        with asking.makefile() as answers:
            reply = json.loads(answers.readline())
    assert reply["ok"] is False
    assert said in reply["error"]
    assert ask(house.settings.control, {"do": "state"})["ok"] is True


def test_nobody_at_the_socket_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="nobody answers"):
        ask(tmp_path / "absent.sock", {"do": "state"})


def test_the_register_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = Register({FRONT: tmp_path / "a.sock"}, {"KK-01": KnownBadge(GUEST, "Mitglied Ahorn")})
    write_register(tmp_path, made)
    assert read_register(tmp_path) == made
    assert stat.S_IMODE((tmp_path / "doors.json").stat().st_mode) == 0o600


def test_a_badge_has_a_number_a_holder_and_a_uid() -> None:
    known = KnownBadge(GUEST, "Mitglied Ahorn")
    register = Register({}, {"KK-01": known})
    assert register.badge("kk-01") == register.badge("mitglied ahorn") == known
    assert register.badge(GUEST.lower()) == known
    assert register.badge(STRANGER.lower()).uid == STRANGER
    with pytest.raises(ControlError, match="neither a UID in hex nor one of the badges: KK-01"):
        register.badge("KK-02")


@pytest.mark.parametrize("content", [None, "", "[]", '{"doors": {}}', '{"doors": 1, "badges": {}}'])
def test_without_a_register_the_command_says_what_to_do(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "doors.json").write_text(content)
    with pytest.raises(ControlError, match=r"scripts/demo|start the demo again"):
        read_register(tmp_path)


def test_the_command_says_what_the_door_did(
    register: Register, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tap", FRONT, "KK-01"]) == 0
    assert main(["tap", FRONT, STRANGER]) == 1
    opened, locked = capsys.readouterr().out.splitlines()
    assert opened.startswith("Dorf, Haustür: opened for Mitglied Ahorn after ")
    assert opened.endswith("The hub decided: there is a booking (booked).")
    assert locked.startswith("Dorf, Haustür: stays locked for somebody unknown, after ")
    assert locked.endswith(
        "there is no booking for this place (no_booking). Help: +49 30 23125 099"
    )


def test_the_command_names_the_doors_there_are(
    register: Register, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tap", "other", "KK-01"]) == 2
    assert f"there are: {FRONT}" in capsys.readouterr().err


def test_every_reason_has_a_sentence() -> None:
    assert set(SENTENCES) == set(Reason)


def test_a_door_that_decided_alone_says_so() -> None:
    done: dict[str, Any] = {"site": "Dorf", "name": "Tür", "granted": True, "reason": "booked"}
    said = told(done | {"by": "edge", "ms": 412, "help": ""}, "Mitglied Ahorn")
    assert "The door decided by itself, by the rights stored in it: there is a booking" in said
