"""A recording holds what was said, and nothing that opens a door or names a badge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.contract.samples import DOWNLINKS, UPLINKS, encoded_down, encoded_up

from kokubus_edge import desk_client
from kokubus_edge.desk import Desk
from kokubus_edge.recording import Recorder, redacted

SALT = bytes(32)
SECRETS = ("c2VhbGVkIGZvciB0aGUgaHViIGFsb25l", "bG9va3Vw", "-----BEGIN", "A" * 43)


@pytest.mark.parametrize("message", UPLINKS, ids=lambda one: one.kind)
def test_an_uplink_is_as_it_was_but_for_secrets(message: object) -> None:
    payload = encoded_up(message)  # type: ignore[arg-type]  # each is one
    said = redacted(payload, SALT)
    text = json.dumps(said)
    assert not any(secret in text for secret in SECRETS)
    was = json.loads(payload)
    assert said.keys() == was.keys()
    assert said["kind"] == was["kind"]


@pytest.mark.parametrize("message", DOWNLINKS, ids=lambda one: one.kind)
def test_a_downlink_is_without_its_signature_and_its_lookups(message: object) -> None:
    payload = encoded_down(message)  # type: ignore[arg-type]  # same
    text = json.dumps(redacted(payload, SALT))
    signature = payload.rpartition(b"\n")[2].decode()
    assert not any(secret in text for secret in (*SECRETS, signature))


def test_one_badge_is_one_name_within_a_recording_and_another_in_the_next() -> None:
    policy = encoded_down(next(one for one in DOWNLINKS if one.kind == "policy"))
    delta = encoded_down(next(one for one in DOWNLINKS if one.kind == "policy_delta"))
    first, second = redacted(policy, SALT), redacted(delta, SALT)
    [badge] = first["body"]["content"]["badges"]
    assert list(second["body"]["put"]["badges"]) == [badge]
    assert list(redacted(policy, bytes([1] * 32))["body"]["content"]["badges"]) != [badge]


def test_what_is_no_message_is_only_measured() -> None:
    assert redacted(b"garbage", SALT) == {"damaged": 7}


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder()


def test_the_desk_tells_how_the_agent_is(tmp_path: Path, recorder: Recorder) -> None:
    desk = Desk(tmp_path, lambda: {"linked": True}, recorder)
    try:
        assert desk_client.status(tmp_path) == {"ok": True, "linked": True}
    finally:
        desk.close()
    with pytest.raises(desk_client.DeskError, match="is the agent running"):
        desk_client.status(tmp_path)


def test_the_desk_hands_on_what_is_said(tmp_path: Path, recorder: Recorder) -> None:
    desk = Desk(tmp_path, dict, recorder)
    try:
        heard = desk_client._answers(tmp_path, "record")
        assert next(heard) == {"ok": True}
        recorder.hear("kokubus/v1/dorf-1/up/enforced", b'{"kind": "enforced"}')
        said = next(one for one in heard if one)
        assert said["message"] == {"kind": "enforced"}
        heard.close()
    finally:
        desk.close()


def test_a_desk_that_cannot_be_made_does_not_stop_the_agent(
    tmp_path: Path, recorder: Recorder
) -> None:
    deep = tmp_path / ("x" * 120)
    Desk(deep, dict, recorder).close()


def test_nonsense_at_the_desk_is_refused(tmp_path: Path, recorder: Recorder) -> None:
    desk = Desk(tmp_path, dict, recorder)
    try:
        assert next(desk_client._answers(tmp_path, "dance"))["ok"] is False
    finally:
        desk.close()
