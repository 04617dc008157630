"""The wire under damage: whatever comes in raises one family of errors."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core import strategies as some
from tests.core.post import STAMP, TAPPED, TOPIC, read, signed, tapped
from tests.core.strategies import trying
from tests.trying import examples

from kokubus import messages as m
from kokubus import wire
from kokubus.downlinks import Receipt
from kokubus.errors import SignatureError, UnknownKindError, WireError


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"at": "123"}, "at: "),
        ({"at": 1.0}, "at: "),
        ({"at": True}, "at: "),
        ({"at": -1}, "at: "),
        ({"at": 2**60}, "at: "),
        ({"at": 10**400}, "at: "),
        ({"at": None}, "at: "),
        ({"door": ""}, "door: "),
        ({"door": "d" * 65}, "door: "),
        ({"door": 5}, "door: "),
        ({"door": "front\0"}, "NUL"),
        ({"side": "up"}, "side: "),
        ({"sealed": ...}, "sealed: "),
        ({"id": ["t1"]}, "id: "),
        ({"assurance": "0"}, "assurance: "),
        ({"stamp": ...}, "dorf-1: "),
        ({"stamp": None}, "dorf-1: "),
        ({"stamp": []}, "dorf-1: "),
        ({"stamp": {"epoch": "e"}}, "seq: "),
        (
            {"stamp": {"epoch": "e", "seq": 0, "boot": "b", "uptime_ms": 1, "clock": "synced"}},
            "seq",
        ),
        ({"stamp": {"epoch": "e", "seq": 1, "boot": "b", "uptime_ms": 1, "clock": "x"}}, "clock"),
    ],
)
def test_a_wrong_field_is_refused_by_name(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(WireError, match=told) as caught:
        wire.decode_up(TOPIC, tapped(**fields))
    assert type(caught.value) is WireError
    assert "dorf-1" in str(caught.value)


@pytest.mark.parametrize("active", ["yes", 1, "true", None])
def test_nothing_but_true_is_true(active: Any) -> None:
    alarm = m.DeviceAlarmed(id="i", at=1, alarm="disk_full", active=True)
    payload = json.loads(wire.encode_up(alarm, STAMP)) | {"active": active}
    with pytest.raises(WireError, match="active"):
        wire.decode_up(wire.up_topic("dorf-1", "device_alarmed"), json.dumps(payload).encode())


def test_a_range_that_runs_backwards_is_refused() -> None:
    backwards: Any = ((9, 3),)
    payload = wire.encode_up(m.Dropped(id="i", at=1, ranges=backwards, lost="unused"), STAMP)
    with pytest.raises(WireError, match="ranges"):
        wire.decode_up(wire.up_topic("dorf-1", "dropped"), payload)
    with pytest.raises(WireError, match="ranges"):
        read(signed(Receipt(epoch="e", ranges=backwards)))


@pytest.mark.parametrize(
    "fields",
    [
        {"v": 2},
        {"v": "1"},
        {"v": True},
        {"v": 1.0},
        {"v": ...},
        {"v": int("9" * 4000)},
        {"kind": "badge_eaten"},
        {"kind": ...},
        {"kind": ["badge_tapped"]},
        {"kind": {}},
    ],
)
def test_another_releases_message_is_unknown_not_damage(fields: dict[str, Any]) -> None:
    with pytest.raises(UnknownKindError) as caught:
        wire.decode_up(TOPIC, tapped(**fields))
    assert len(str(caught.value)) < 300


def test_a_field_of_a_later_release_is_overlooked() -> None:
    assert wire.decode_up(TOPIC, tapped(colour="green")).message == TAPPED


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"5",
        b"{",
        b"\xff\xfe",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"v":' + b"9" * 5000 + b"}",
        b'"' + b"x" * 1000,
        b"[" * 50_000,
        b'{"v":1,"kind":"badge_tapped","id":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"a":"\\ud800"}',
        b" " * (wire.UPLINK_LIMIT + 1),
    ],
    ids=lambda payload: repr(payload[:12]),
)
def test_what_is_no_message_is_refused(payload: bytes) -> None:
    with pytest.raises(WireError) as caught:
        wire.decode_up(TOPIC, payload)
    assert len(str(caught.value)) < 300
    with pytest.raises(SignatureError):
        read(payload)
    with pytest.raises(SignatureError):
        read(payload + b"\n" + b"A" * 86 + b"==")


def test_deep_json_is_refused_however_little_stack_is_left() -> None:
    deep = b'{"v":1,"kind":"badge_tapped","id":' + b"[" * 150 + b"]" * 150 + b"}"
    depth = len(list(_frames()))

    def at_the_end_of(levels: int) -> None:
        if levels:
            at_the_end_of(levels - 1)
            return
        with pytest.raises(WireError):
            wire.decode_up(TOPIC, deep)

    at_the_end_of(sys.getrecursionlimit() - depth - 120)


def _frames() -> Any:
    frame: Any = sys._getframe()
    while frame:
        yield frame
        frame = frame.f_back


@trying
@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_one_family(payload: bytes) -> None:
    for decode in (lambda: wire.decode_up(TOPIC, payload), lambda: read(payload)):
        with pytest.raises(WireError):
            decode()


@settings(trying, max_examples=examples(80))
@given(some.facts, st.data())
def test_a_mutated_fact_reads_or_raises_one_family(fact: Any, data: st.DataObject) -> None:
    payload = bytearray(wire.encode_up(fact, STAMP))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(payload) - 1))
        cut = data.draw(st.integers(0, 3))
        payload[place : place + cut] = data.draw(st.binary(max_size=3))
    _reads_or_refuses(wire.up_topic("dorf-1", fact.kind), bytes(payload))


@settings(trying, max_examples=examples(80))
@given(some.facts, some.json_values, st.data())
def test_a_fact_with_any_field_replaced_reads_or_raises_one_family(
    fact: Any, value: Any, data: st.DataObject
) -> None:
    whole = json.loads(wire.encode_up(fact, STAMP))
    whole[data.draw(st.sampled_from(sorted(whole)))] = value
    _reads_or_refuses(wire.up_topic("dorf-1", fact.kind), json.dumps(whole).encode())


def _reads_or_refuses(topic: str, payload: bytes) -> None:
    try:
        up = wire.decode_up(topic, payload)
    except WireError:
        return
    assert up.stamp is not None
    assert wire.decode_up(topic, wire.encode_up(up.message, up.stamp)) == up
