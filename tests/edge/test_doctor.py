"""The doctor: each part well, or what is wrong and what to do; never ill itself."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.edge.running_agent import enrolled

from kokubus import logs
from kokubus_cli.ports import free_port
from kokubus_edge import cli, doctor, rtc
from kokubus_edge.doctor import Finding
from kokubus_edge.rtc import Rtc, RtcState
from kokubus_edge.settings import HubAddress, Settings

HOUR_MS = 3_600_000
WELL: Mapping[str, Any] = {
    "version": "0.1.0",
    "up_ms": 600_000,
    "boot": "b",
    "stuck": [],
    "linked": True,
    "clock": "synced",
    "pending": 3,
    "stalled_ms": 0,
    "locks_failed": [],
    "readers": {"dorf-front mfrc522 in": {"ok": True, "problem": ""}},
    "policy": {"epoch": 1, "n": 7, "age_ms": 60_000, "max_age_ms": 72 * HOUR_MS},
}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(rtc, "look", lambda: Rtc(RtcState.OK, "the battery clock keeps the time"))
    made = enrolled(tmp_path)
    made.data.mkdir(exist_ok=True)
    return made


def found(settings: Settings, part: str, **different: Any) -> Finding:
    """The last word about a part of an agent that is well but for this."""
    findings = doctor.examine(settings, {**WELL, **different})
    return [one for one in findings if one.part == part][-1]


def test_a_healthy_door_needs_nothing(settings: Settings) -> None:
    findings = doctor.examine(settings, WELL)
    assert [one for one in findings if not one.ok] == []
    assert {one.part for one in findings} >= {"agent", "reader", "clock", "policy", "disk", "spool"}


@pytest.mark.parametrize(
    ("part", "different", "said", "remedy"),
    [
        ("agent", {"stuck": ["spool"]}, "does not get on: spool", "systemctl restart"),
        (
            "reader",
            {"readers": {"front": {"ok": False, "problem": "no answer"}}},
            "front: no answer",
            "check its cable",
        ),
        ("clock", {"clock": "untrusted"}, "not believed", "give it network"),
        ("policy", {"policy": None}, "no rights yet", "it comes by itself"),
        (
            "policy",
            {"policy": {"epoch": 1, "n": 7, "age_ms": 25 * HOUR_MS, "max_age_ms": 72 * HOUR_MS}},
            "confirmed 25.0 h ago",
            "bring its network back",
        ),
        ("spool", {"pending": 1_001}, "1001 facts wait", "they go by themselves"),
        ("spool", {"stalled_ms": 9_000}, "blocks writes for 9 s", "replace it"),
    ],
)
def test_each_trouble_is_named_with_its_remedy(
    settings: Settings, part: str, different: dict[str, Any], said: str, remedy: str
) -> None:
    one = found(settings, part, **different)
    assert said in one.said
    assert remedy in one.remedy
    assert not one.ok


def test_a_lock_that_cannot_be_moved_is_named(settings: Settings) -> None:
    findings = doctor.examine(settings, {**WELL, "locks_failed": ["dorf-front"]})
    assert any("dorf-front: its lock cannot be moved" in one.said for one in findings)


def test_a_flat_cell_of_the_battery_clock_is_a_problem(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtc, "look", lambda: Rtc(RtcState.FLAT, "its cell is flat"))
    findings = [one for one in doctor.examine(settings, WELL) if one.part == "clock"]
    assert any("coin cell" in one.remedy for one in findings)


def test_a_full_disk_is_a_problem(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 5_000_000, "used": 95, "total": 100})
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage)
    assert "5 MB free" in found(settings, "disk").said
    assert not found(settings, "disk").ok


def test_a_network_that_lets_nothing_through_is_told_from_a_broken_name(
    settings: Settings,
) -> None:
    """Nobody listens at the port of these settings."""
    one = found(settings, "broker", linked=False)
    assert "cannot be reached" in one.said
    assert "or have the hub offer port 443" in one.remedy
    lost = replace(settings, hub=HubAddress("no-such-name.invalid", free_port(), tls=False))
    assert "its name is not found" in found(lost, "broker", linked=False).said


def test_a_broker_that_can_be_reached_and_an_agent_that_is_not_connected(
    settings: Settings,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = replace(settings, hub=HubAddress("127.0.0.1", server.getsockname()[1], tls=False))
        one = found(there, "broker", linked=False)
        assert "but the agent is not connected" in one.said
        alone = [f for f in doctor.examine(there, {}) if f.part == "broker"]
    assert alone == [Finding("broker", f"127.0.0.1:{there.hub.port}: can be reached")]


def test_a_device_without_identity_is_told_to_enrol(settings: Settings) -> None:
    (settings.identity / "identity.json").unlink()
    assert "kokubus edge enrol" in found(settings, "certificate").remedy


def test_without_an_agent_it_says_where_to_look(settings: Settings) -> None:
    findings = doctor.examine(settings, {})
    assert findings[0].part == "agent"
    assert "journalctl" in findings[0].remedy


def test_the_doctor_does_not_fall_ill(settings: Settings) -> None:
    one = found(settings, "spool", pending=None)
    assert one.said.startswith("cannot be looked at: TypeError")


def test_lines_for_people_and_rows_for_programs(settings: Settings) -> None:
    findings = [Finding("disk", "9 MB free", "delete"), Finding("spool", "0 facts wait")]
    lines = doctor.told(findings).splitlines()
    assert lines[0] == "PROBLEM  disk         9 MB free"
    assert lines[1].endswith("-> delete")
    assert lines[2] == "ok       spool        0 facts wait"
    assert json.loads(doctor.as_json(findings))[0]["ok"] is False


def test_the_command_says_by_its_exit_code_whether_somebody_has_to_act(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logs, "configure", lambda _stream: None)
    made = enrolled(tmp_path)
    monkeypatch.setattr("kokubus_edge.cli_doctor.read_settings", lambda _path: made)
    made.data.mkdir(exist_ok=True)
    assert cli.main(["doctor"]) == 1
    assert "PROBLEM  agent" in capsys.readouterr().out
    monkeypatch.setattr("kokubus_edge.cli_doctor.status_of", lambda _settings: dict(WELL))
    monkeypatch.setattr(rtc, "look", lambda: Rtc(RtcState.OK, "it keeps the time"))
    assert cli.main(["doctor", "--json"]) == 0
    assert all(row["ok"] for row in json.loads(capsys.readouterr().out))
