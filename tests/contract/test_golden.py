"""The bytes on the wire are a contract between releases: golden files, one a kind.

If a test here fails, the wire has changed. `tests.contract.remake` says what to do then.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode

import pytest
from tests.contract.samples import (
    AT,
    DEVICE,
    DOWNLINKS,
    GOLDEN,
    ID,
    KEY,
    KID,
    STAMP,
    UPLINKS,
    encoded_down,
    encoded_up,
    golden,
)

from kokubus import wire
from kokubus.downlinks import Downlink
from kokubus.messages import Uplink

KEYS = {KID: KEY.public_key()}


def kind(message: Uplink | Downlink) -> str:
    return message.kind


def stored(message: Uplink) -> bytes:
    return (GOLDEN / "up" / f"{message.kind}.json").read_bytes()


def stored_down(message: Downlink) -> bytes:
    return (GOLDEN / "down" / f"{message.kind}.signed").read_bytes()


def test_every_kind_has_its_sample_and_every_file_its_kind() -> None:
    assert {message.kind for message in UPLINKS} == set(wire.UPLINKS)
    assert {message.kind for message in DOWNLINKS} == set(wire.DOWNLINKS)
    assert {path for path in GOLDEN.rglob("*") if path.is_file()} == set(golden())


@pytest.mark.parametrize("message", UPLINKS, ids=kind)
def test_an_uplink_is_written_as_ever_and_reads(message: Uplink) -> None:
    assert encoded_up(message) == stored(message)
    up = wire.decode_up(wire.up_topic(DEVICE, message.kind), stored(message))
    assert up == wire.Up(DEVICE, message, STAMP if message.kind in wire.FACTS else None)


@pytest.mark.parametrize("message", DOWNLINKS, ids=kind)
def test_a_downlink_is_signed_as_ever_and_reads(message: Downlink) -> None:
    assert encoded_down(message) == stored_down(message)
    down = wire.decode_down(stored_down(message), device=DEVICE, keys=KEYS)
    assert down == wire.Down(ID, AT, AT + 60_000, message)


@pytest.mark.parametrize("message", UPLINKS, ids=kind)
def test_an_uplink_with_a_field_of_a_later_release_still_reads(message: Uplink) -> None:
    later = json.loads(stored(message)) | {"mood": {"of": ["a", "later", "release"]}}
    if "stamp" in later:
        later["stamp"]["phase"] = "full"
    up = wire.decode_up(wire.up_topic(DEVICE, message.kind), json.dumps(later).encode())
    assert up.message == message


@pytest.mark.parametrize("message", DOWNLINKS, ids=kind)
def test_a_downlink_with_a_field_of_a_later_release_still_reads(message: Downlink) -> None:
    later = json.loads(stored_down(message).rpartition(b"\n")[0]) | {"mood": "later"}
    later["body"]["colour"] = "green"
    body = json.dumps(later).encode()
    payload = body + b"\n" + urlsafe_b64encode(KEY.sign(body))
    assert wire.decode_down(payload, device=DEVICE, keys=KEYS).message == message


def test_nothing_golden_holds_a_line_of_its_own() -> None:
    """An editor that adds a newline at the end of a file would break every signature."""
    for path in (path for path in GOLDEN.rglob("*") if path.is_file()):
        assert path.read_bytes().count(b"\n") == (path.suffix == ".signed"), path.name
