"""How a new device and its hub come to trust each other over any network, by one short code.

A code is eight letters, ``XXXX-XXXX``: five (25 bits) only the hub and the technician know,
three (15 bits) are a fingerprint of the hub's sealing key, salted with those five. The device
asks for the key, compares, and only then seals its request for that key (X25519, RFC 7748;
HKDF-SHA256, RFC 5869; AES-256-GCM). Somebody in between sees nothing that depends on the code,
so one guess in 32,768 is all they have, and a wrong one is seen. The request carries a key for
the answer: only the hub can have read it. TLS around it is welcome and not relied upon.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kokubus.errors import KokubusError

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U, which people mistake for others."""
SECRET = 5
KEY_PATH, JOIN_PATH = "/api/v1/enrolment/key", "/api/v1/enrolment"
_MEANT = str.maketrans("ILO", "110")
_SALT = b"kokubus/enrolment/v1|"
_NONCE = 12
_ANSWER = b"answer"


class JoinError(KokubusError):
    """A code, a request or an answer that does not hold; the sentence says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a device asks with: its code, a certificate request (PEM), a key for the answer."""

    code: str = field(repr=False)
    csr: str
    answer_key: bytes = field(repr=False)


def make_code(secret: bytes, hub_key: bytes) -> str:
    """A code ``XXXX-XXXX`` of at least 5 random bytes and the hub's sealing key (32 bytes)."""
    letters = "".join(LETTERS[byte % 32] for byte in secret[:SECRET])
    code = letters + _fingerprint(letters, hub_key)
    return f"{code[:4]}-{code[4:]}"


def read_code(text: str) -> str:
    """A code as a person typed it, in its one form; JoinError if it is none."""
    letters = "".join(text.upper().split()).replace("-", "").translate(_MEANT)
    if len(letters) != 8 or set(letters) - set(LETTERS):
        raise JoinError(
            "this is no enrolment code: it has eight letters and digits, such as 7K3M-Q0XD; "
            "`kokubus hub device NAME code` makes one"
        )
    return f"{letters[:4]}-{letters[4:]}"


def names(code: str, hub_key: bytes) -> bool:
    """Whether ``code`` (as `read_code` gives it) was made by the hub with this sealing key."""
    letters = code.replace("-", "")
    return letters[SECRET:] == _fingerprint(letters[:SECRET], hub_key)


def seal_request(request: Request, hub_key: bytes, private: X25519PrivateKey) -> str:
    """The request for the hub alone; ``private`` was made for it and is forgotten after it."""
    public = private.public_key().public_bytes_raw()
    box = _box(private.exchange(X25519PublicKey.from_public_bytes(hub_key)))
    said = {"code": request.code, "csr": request.csr, "answer_key": _text(request.answer_key)}
    # the key is used once, so its nonce may be anything
    return _text(public + box.encrypt(bytes(_NONCE), json.dumps(said).encode(), public))


def open_request(sealed: str, private: X25519PrivateKey) -> Request:
    """What `seal_request` sealed for us; JoinError if it was not, or says something else."""
    raw = _raw(sealed, "request")
    try:
        box = _box(private.exchange(X25519PublicKey.from_public_bytes(raw[:32])))
        said = json.loads(box.decrypt(bytes(_NONCE), raw[32:], raw[:32]))
        request = Request(
            code=read_code(said["code"]), csr=str(said["csr"]), answer_key=_raw(said["answer_key"])
        )
    except (InvalidTag, ValueError, KeyError, TypeError, AttributeError) as error:
        raise JoinError("request: not sealed for this hub, or damaged; enrol again") from error
    if len(request.answer_key) != 32:
        raise JoinError("request: its answer key is not 32 bytes; enrol with a newer release")
    return request


def seal_answer(answer: Mapping[str, Any], key: bytes, nonce: bytes) -> str:
    """The hub's answer (JSON) under the request's key; ``nonce`` is 12 random bytes."""
    return _text(nonce + AESGCM(key).encrypt(nonce, json.dumps(answer).encode(), _ANSWER))


def open_answer(sealed: str, key: bytes) -> dict[str, Any]:
    """What the hub answered; JoinError if anybody else wrote it."""
    raw = _raw(sealed, "answer")
    try:
        answer: dict[str, Any] = json.loads(
            AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], _ANSWER)
        )
    except (InvalidTag, ValueError) as error:
        raise JoinError(
            "the answer did not come from the hub that made the code: somebody is in between, "
            "or the line is bad; try another network"
        ) from error
    return answer


def _fingerprint(letters: str, hub_key: bytes) -> str:
    number = int.from_bytes(sha256(_SALT + letters.encode() + b"|" + hub_key).digest()[:2])
    return "".join(LETTERS[number >> shift & 31] for shift in (10, 5, 0))


def _box(shared: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), 32, None, _SALT).derive(shared))


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode()


def _raw(text: object, what: str = "key") -> bytes:
    try:
        return urlsafe_b64decode(str(text))
    except ValueError as error:
        raise JoinError(f"{what}: is not base64url; enrol again") from error
