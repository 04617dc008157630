"""The only place that knows topics, JSON and signatures.

A payload up is one JSON object: ``v``, ``kind``, the message's own fields and, for a fact,
its ``stamp``. A payload down is such an object, a newline, and the base64url Ed25519
signature (RFC 8032) over exactly the bytes before the newline; what is signed names the
device, so a message for one door is worth nothing at another.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import SchemaValidator, from_json, to_json

from kokubus.downlinks import Downlink
from kokubus.errors import SignatureError, UnknownKindError, WireError
from kokubus.messages import At, Fact, Instant, Name, Stamp, Uplink

VERSION = 1
ROOT = f"kokubus/v{VERSION}"
UPLINK_LIMIT = 96 * 1024
DOWNLINK_LIMIT = 8 * 1024 * 1024
FACTS: Mapping[str, type] = {fact.kind: fact for fact in get_args(Fact)}
UPLINKS: Mapping[str, type] = {kind.kind: kind for kind in get_args(Uplink)}
DOWNLINKS: Mapping[str, type] = {kind.kind: kind for kind in get_args(Downlink)}
_DEVICE = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}
_READERS: dict[Any, SchemaValidator] = {}
_PLAIN = frozenset({"bool", "float", "int", "str"})
T = TypeVar("T")


class Signer(Protocol):
    """`Ed25519PrivateKey`, as far as the wire needs it."""

    def sign(self, data: bytes, /) -> bytes: ...


class Verifier(Protocol):
    """`Ed25519PublicKey`: raises any exception when the signature does not hold."""

    def verify(self, signature: bytes, data: bytes, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Up:
    """A message as it arrived: from which device, with its stamp if it is a fact."""

    device: str
    message: Uplink
    stamp: Stamp | None


@dataclass(frozen=True, slots=True)
class Down:
    """A verified message from the hub."""

    id: str
    at: Instant
    expires_at: Instant
    message: Downlink
    kid: str = field(default="", compare=False)


def up_topic(device: str, kind: str) -> str:
    """Where a device publishes ``kind``."""
    return f"{ROOT}/{device}/up/{kind}"


def down_topic(device: str, kind: str) -> str:
    """Where the hub publishes ``kind`` for a device."""
    return f"{ROOT}/{device}/down/{kind}"


def valid_device(name: str) -> bool:
    """1-63 of a-z, 0-9 and '-', not beginning with '-'."""
    return 0 < len(name) < 64 and name[0] != "-" and _DEVICE.issuperset(name)


def device_of(topic: str) -> str:
    """The device that published on an up topic; WireError for any other topic."""
    parts = topic.split("/")
    if len(parts) != 5 or "/".join(parts[:2]) != ROOT or parts[3] != "up":
        raise WireError(f"topic {topic[:120]!r} is none of a device's; expected {ROOT}/<device>/up")
    if not valid_device(parts[2]):
        raise WireError(f"topic {topic[:120]!r} names no valid device")
    return parts[2]


def encode_up(message: Uplink, stamp: Stamp | None = None) -> bytes:
    """JSON bytes of a message; a fact needs its stamp, nothing else may have one."""
    if (message.kind in FACTS) != (stamp is not None):
        raise WireError(f"{message.kind} {'needs a' if stamp is None else 'has no'} stamp")
    head: dict[str, Any] = {"v": VERSION, "kind": message.kind}
    if stamp is not None:
        head["stamp"] = _dump(stamp)
    return _bytes(head | _dump(message))


def decode_up(topic: str, payload: bytes) -> Up:
    """Read what a device published.

    Raises `WireError` for anything malformed or oversized and `UnknownKindError` for a kind or
    version of another release; the sentence names the device and the field.
    """
    device = device_of(topic)
    fields = _object(payload, UPLINK_LIMIT, device)
    cls = _kind(fields, UPLINKS, device)
    if not topic.endswith(f"/{fields['kind']}"):
        raise WireError(f"{device}: a {fields['kind']} on topic {topic[:120]!r}")
    place = f"{device}: stamp"
    stamp = _check(Stamp, fields.get("stamp"), place) if cls.kind in FACTS else None
    return Up(device, _check(cls, fields, device), stamp)


def encode_down(
    message: Downlink,
    *,
    device: str,
    message_id: str,
    at: Instant,
    expires_at: Instant,
    kid: str,
    signer: Signer,
) -> bytes:
    """Signed bytes of a message for one device, worthless from ``expires_at`` on."""
    head = {
        "v": VERSION,
        "kind": message.kind,
        "device": device,
        "kid": kid,
        "id": message_id,
        "at": at,
        "expires_at": expires_at,
    }
    body = _bytes(head | {"body": _dump(message)})
    return body + b"\n" + urlsafe_b64encode(signer.sign(body))


def decode_down(payload: bytes, *, device: str, keys: Mapping[str, Verifier]) -> Down:
    """Verify and read what the hub sent; expiry is for the caller's clock to judge.

    Raises `SignatureError` if the bytes were not signed by one of ``keys`` for this device,
    else `WireError` or `UnknownKindError`. Nothing is read before the signature holds but
    the key's name.
    """
    body, mark, signature = payload.rpartition(b"\n")
    if not mark:
        raise SignatureError(f"{device}: a message from the hub without a signature")
    fields = _unproven(body, device)
    _verify(body, signature, keys.get(str(fields.get("kid"))), device)
    if fields.get("device") != device:
        raise SignatureError(f"{device}: a message signed for {str(fields.get('device'))[:64]!r}")
    cls = _kind(fields, DOWNLINKS, device)
    head = _check(_Head, fields, device)
    message = _check(cls, fields.get("body"), device)
    return Down(head.id, head.at, head.expires_at, message, str(fields["kid"]))


@dataclass(frozen=True, slots=True)
class _Head:
    id: Name
    at: At
    expires_at: At


def dump(value: Any) -> Any:
    """A dataclass of ours as plain JSON values, defaults left out."""
    return _adapter(type(value)).dump_python(value, mode="json", exclude_defaults=True)


def dump_each(cls: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """`dump` of each value, all of them ``cls``: a third of its cost for many."""
    each: dict[str, Any] = _adapter(dict[str, cls]).dump_python(  # type: ignore[valid-type]
        values, mode="json", exclude_defaults=True
    )
    return each


def load(cls: type[T], value: Any, where: str) -> T:
    """Plain JSON values as ``cls``; WireError names ``where`` and the field."""
    return _check(cls, value, where)


def canonical(value: Any) -> bytes:
    """The one JSON encoding two ends can hash alike: sorted keys, no spaces, UTF-8."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _verify(body: bytes, signature: bytes, key: Verifier | None, device: str) -> None:
    if key is None:
        raise SignatureError(f"{device}: a message signed with a key this door does not know")
    try:
        proof = urlsafe_b64decode(signature)
        key.verify(proof, body)
    except Exception as error:
        raise SignatureError(f"{device}: a message whose signature does not hold") from error
    if urlsafe_b64encode(proof) != signature:
        raise SignatureError(f"{device}: a signature that was written over")


def _unproven(body: bytes, device: str) -> dict[str, Any]:
    """The fields of a message nobody has answered for yet."""
    try:
        return _object(body, DOWNLINK_LIMIT, device)
    except WireError as error:
        raise SignatureError(f"{error}, and nobody has signed it") from error


def _object(payload: bytes, limit: int, device: str) -> dict[str, Any]:
    if len(payload) > limit:
        raise WireError(f"{device}: {len(payload)} bytes, over the limit of {limit}")
    try:
        fields = from_json(payload, allow_inf_nan=False)
    except ValueError as error:
        raise WireError(f"{device}: not JSON: {error}") from error
    if b"\\u0000" in payload:
        raise WireError(f"{device}: a text with a NUL in it, which no database takes")
    if not isinstance(fields, dict):
        raise WireError(f"{device}: JSON, but no object")
    return fields


def _kind(fields: dict[str, Any], known: Mapping[str, type], device: str) -> Any:
    version, kind = fields.get("v"), fields.get("kind")
    spoken = type(version) is int and version == VERSION
    if not (spoken and isinstance(kind, str) and kind in known):
        told = f"kind {str(kind)[:60]!r} of version {str(version)[:60]!r}"
        raise UnknownKindError(f"{device}: {told}")
    return known[kind]


def _check(cls: type[T], value: Any, device: str) -> T:
    try:
        checked: T = _reader(cls).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part)[:60] for part in first["loc"]) or "the message"
        raise WireError(f"{device}: {where}: {first['msg']}") from error
    return checked


def _bytes(value: Any) -> bytes:
    try:
        return to_json(value)
    except ValueError as error:
        raise WireError(f"cannot be said in JSON: {error}") from error


def _dump(value: Any) -> dict[str, Any]:
    fields: dict[str, Any] = _adapter(type(value)).dump_python(value, mode="json")
    return fields


def _adapter(cls: Any) -> TypeAdapter[Any]:
    if cls not in _ADAPTERS:
        _ADAPTERS[cls] = TypeAdapter(cls)
    return _ADAPTERS[cls]


def _reader(cls: Any) -> SchemaValidator:
    if cls not in _READERS:
        _READERS[cls] = SchemaValidator(_strictly(_adapter(cls).core_schema))
    return _READERS[cls]


def _strictly(schema: Any) -> Any:
    """The schema with "1" and 1.0 no integers and "yes" not true; a list is still a tuple."""
    if isinstance(schema, list | tuple):
        return type(schema)(_strictly(part) for part in schema)
    if not isinstance(schema, dict):
        return schema
    strict = {"strict": True} if schema.get("type") in _PLAIN else {}
    return {key: _strictly(part) for key, part in schema.items()} | strict
