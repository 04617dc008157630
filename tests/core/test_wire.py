"""The wire: what goes out comes in, and whatever else comes in raises one family of errors."""

from __future__ import annotations

import json
import sys
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core import strategies as some
from tests.core.strategies import trying

from kokubus import messages as m
from kokubus import wire
from kokubus.downlinks import AccessDecided, Downlink, PolicySnapshot, Receipt, UnlockDoor
from kokubus.errors import KokubusError, SignatureError, UnknownKindError, WireError
from kokubus.messages import Clock, Stamp

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = {"k1": KEY.public_key()}
STAMP = Stamp(epoch="e1", seq=7, boot="b1", uptime_ms=5, clock=Clock.SYNCED)
WHOLE_STAMP = wire.dump(STAMP)
TAPPED = m.BadgeTapped(id="t1", at=1_790_000_000_000, door="front", sealed="c2VhbGVk")
TOPIC = wire.up_topic("dorf-1", "badge_tapped")
ANSWER = AccessDecided(tap="t1", granted=True, reason="booked", epoch="e1", seq=7)


def signed(message: Downlink = ANSWER, device: str = "dorf-1", kid: str = "k1") -> bytes:
    return wire.encode_down(
        message,
        device=device,
        message_id="m1",
        at=1_790_000_000_000,
        expires_at=1_790_000_060_000,
        kid=kid,
        signer=KEY,
    )


def read(payload: bytes, device: str = "dorf-1") -> wire.Down:
    return wire.decode_down(payload, device=device, keys=KEYS)


def tapped(**fields: Any) -> bytes:
    whole = json.loads(wire.encode_up(TAPPED, STAMP)) | fields
    return json.dumps({key: value for key, value in whole.items() if value is not ...}).encode()


# --- there and back ----------------------------------------------------------------------


@pytest.mark.parametrize("cls", get_args(m.Uplink), ids=lambda cls: cls.kind)
@settings(trying, max_examples=15)
@given(st.data())
def test_an_uplink_comes_back_as_it_went(cls: type, data: st.DataObject) -> None:
    message = data.draw(some.message_of(cls))
    stamp = data.draw(some.stamps) if message.kind in wire.FACTS else None
    topic = wire.up_topic("dorf-1", message.kind)
    assert wire.decode_up(topic, wire.encode_up(message, stamp)) == wire.Up(
        "dorf-1", message, stamp
    )


@pytest.mark.parametrize("cls", get_args(Downlink), ids=lambda cls: cls.kind)
@settings(trying, max_examples=15)
@given(st.data())
def test_a_downlink_comes_back_as_it_went(cls: type, data: st.DataObject) -> None:
    message = data.draw(some.message_of(cls))
    down = read(signed(message))
    assert down == wire.Down("m1", 1_790_000_000_000, 1_790_000_060_000, message)


def test_the_largest_facts_that_are_allowed_fit_the_limit() -> None:
    top = 2**52
    lost = m.Dropped(id="i" * 64, at=top, ranges=((top, top),) * 2000, lost="x" * 64)
    reading = m.Reading(sensor="s" * 64, quantity="q" * 32, at=top, value=-123456.7890123)
    readings = m.SensorsRead(id="i" * 64, at=top, readings=(reading,) * 200)
    for fact in (lost, readings):
        payload = wire.encode_up(fact, STAMP)
        assert wire.decode_up(wire.up_topic("dorf-1", fact.kind), payload).message == fact


def test_a_stamp_belongs_to_facts_and_to_nothing_else() -> None:
    with pytest.raises(WireError, match="badge_tapped needs a stamp"):
        wire.encode_up(TAPPED)
    with pytest.raises(WireError, match="status has no stamp"):
        wire.encode_up(m.DeviceStatus(online=True, at=1), STAMP)


def test_what_json_cannot_say_is_an_error_of_ours() -> None:
    lone = m.DeviceAlarmed(id="i", at=1, alarm="disk_full", active=True, detail="\ud800")
    with pytest.raises(WireError, match="cannot be said in JSON"):
        wire.encode_up(lone, STAMP)


def test_live_messages_are_those_without_a_number() -> None:
    assert wire.is_live(m.DeviceStatus(online=True, at=1))
    assert wire.is_live(m.PolicyWanted(at=1))
    assert not wire.is_live(TAPPED)


# --- topics ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "kokubus/v1/dorf-1/up",
        "kokubus/v1/dorf-1/up/badge_tapped/more",
        "kokubus/v1/dorf-1/down/badge_tapped",
        "kokubus/v2/dorf-1/up/badge_tapped",
        "other/v1/dorf-1/up/badge_tapped",
        "kokubus/v1//up/badge_tapped",
        "kokubus/v1/-dorf/up/badge_tapped",
        "kokubus/v1/DORF/up/badge_tapped",
        "kokubus/v1/dörf/up/badge_tapped",
        "kokubus/v1/" + "d" * 64 + "/up/badge_tapped",
        "kokubus/v1/+/up/badge_tapped",
        "kokubus/v1/dorf-1/up/status",
        "x" * 70_000,
    ],
)
def test_a_wrong_topic_is_refused(topic: str) -> None:
    with pytest.raises(WireError) as caught:
        wire.decode_up(topic, wire.encode_up(TAPPED, STAMP))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["a", "dorf-1", "0", "d" * 63])
def test_a_device_id_is_what_a_certificate_may_carry(name: str) -> None:
    assert wire.valid_device(name)
    assert wire.device_of(wire.up_topic(name, "status")) == name
    assert wire.down_topic(name, "policy") == f"kokubus/v1/{name}/down/policy"


# --- damage ------------------------------------------------------------------------------


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


@settings(trying, max_examples=80)
@given(some.facts, st.data())
def test_a_mutated_fact_reads_or_raises_one_family(fact: Any, data: st.DataObject) -> None:
    payload = bytearray(wire.encode_up(fact, STAMP))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(payload) - 1))
        cut = data.draw(st.integers(0, 3))
        payload[place : place + cut] = data.draw(st.binary(max_size=3))
    _reads_or_refuses(wire.up_topic("dorf-1", fact.kind), bytes(payload))


@settings(trying, max_examples=80)
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


# --- signatures --------------------------------------------------------------------------


def test_any_flipped_bit_breaks_the_signature() -> None:
    whole = signed()
    for bit in range(8 * len(whole)):
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SignatureError):
            read(bytes(broken))


@pytest.mark.parametrize(
    "payload",
    [
        signed(device="dorf-2"),
        signed(kid="k2"),
        signed().rpartition(b"\n")[0],
        signed().rpartition(b"\n")[0] + b"\n",
        signed() + b"\n",
        signed() + b"A",
        signed()[:-1],
        signed()[:-2],
        signed().replace(b"\n", b"\n\n"),
        signed().replace(b'"kid":"k1"', b'"kid":["k1"]'),
        signed().replace(b'"kid":"k1"', b'"kid":' + b"9" * 4000),
        signed(UnlockDoor(command="c", door="front"))[:80] + signed()[80:],
    ],
)
def test_what_the_hub_did_not_sign_for_this_door_is_nothing(payload: bytes) -> None:
    with pytest.raises(SignatureError) as caught:
        read(payload)
    assert len(str(caught.value)) < 300


def test_an_unknown_key_is_said_to_be_unknown() -> None:
    with pytest.raises(SignatureError, match="a key this door does not know"):
        read(signed(kid="k2"))


def test_a_whole_message_is_refused_when_it_is_too_long() -> None:
    with pytest.raises(WireError, match="over the limit"):
        wire.decode_up(TOPIC, wire.encode_up(TAPPED, STAMP) + b" " * wire.UPLINK_LIMIT)
    with pytest.raises(SignatureError, match="over the limit"):
        read(b" " * wire.DOWNLINK_LIMIT + signed())


def test_a_signature_of_another_key_of_the_same_name_is_none() -> None:
    other = {"k1": Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()}
    with pytest.raises(SignatureError, match="does not hold"):
        wire.decode_down(signed(), device="dorf-1", keys=other)


def _signed_raw(**fields: Any) -> bytes:
    whole = json.loads(signed().rpartition(b"\n")[0]) | fields
    body = json.dumps({key: value for key, value in whole.items() if value is not ...}).encode()
    return body + b"\n" + wire.urlsafe_b64encode(KEY.sign(body))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"kind": "dance"}, UnknownKindError),
        ({"v": 2}, UnknownKindError),
        ({"expires_at": "soon"}, WireError),
        ({"expires_at": ...}, WireError),
        ({"id": ""}, WireError),
        ({"body": ...}, WireError),
        ({"body": []}, WireError),
        ({"body": {"tap": "t1"}}, WireError),
        ({"device": ["dorf-1"]}, SignatureError),
    ],
)
def test_even_a_signed_message_must_be_whole(
    fields: dict[str, Any], error: type[WireError]
) -> None:
    with pytest.raises(error) as caught:
        read(_signed_raw(**fields))
    assert type(caught.value) is error


@pytest.mark.parametrize("granted", ["true", 1, "yes", None])
def test_a_grant_is_true_and_nothing_like_it(granted: Any) -> None:
    body = {"tap": "t1", "granted": granted, "reason": "booked", "epoch": "e1", "seq": 7}
    with pytest.raises(WireError, match="granted"):
        read(_signed_raw(body=body))


def test_a_policy_of_many_rights_comes_through() -> None:
    rights = {f"r{n}": {"member": f"m{n}", "rooms": ["hall"]} for n in range(2000)}
    snapshot = PolicySnapshot(
        number=m.PolicyNumber(1, 2), sha256="0" * 64, issued_at=1, content={"rights": rights}
    )
    assert read(signed(snapshot)).message == snapshot


def test_the_canonical_encoding_is_one() -> None:
    assert wire.canonical({"b": [1, "ü"], "a": None}) == '{"a":null,"b":[1,"ü"]}'.encode()
    with pytest.raises(ValueError, match="JSON"):
        wire.canonical({"a": float("nan")})


def test_every_error_of_the_wire_is_one_of_ours() -> None:
    assert issubclass(SignatureError, WireError)
    assert issubclass(UnknownKindError, WireError)
    assert issubclass(WireError, KokubusError)
