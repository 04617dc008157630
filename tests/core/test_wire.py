"""The wire: what goes out comes in, signed for one device."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core import strategies as some
from tests.core.post import KEY, STAMP, TAPPED, TOPIC, read, signed
from tests.core.strategies import trying
from tests.trying import examples

from kokubus import messages as m
from kokubus import wire
from kokubus.downlinks import Downlink, PolicySnapshot, UnlockDoor
from kokubus.errors import KokubusError, SignatureError, UnknownKindError, WireError


@pytest.mark.parametrize("cls", get_args(m.Uplink), ids=lambda cls: cls.kind)
@settings(trying, max_examples=examples(15))
@given(st.data())
def test_an_uplink_comes_back_as_it_went(cls: type, data: st.DataObject) -> None:
    message = data.draw(some.message_of(cls))
    stamp = data.draw(some.stamps) if message.kind in wire.FACTS else None
    topic = wire.up_topic("dorf-1", message.kind)
    assert wire.decode_up(topic, wire.encode_up(message, stamp)) == wire.Up(
        "dorf-1", message, stamp
    )


@pytest.mark.parametrize("cls", get_args(Downlink), ids=lambda cls: cls.kind)
@settings(trying, max_examples=examples(15))
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
