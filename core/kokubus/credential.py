"""How a badge's credential travels and is looked up without its UID ever being readable.

A device keeps an X25519 key pair in memory for at most an hour, agrees on a key with the
hub's published one (RFC 7748), stretches it with HKDF-SHA256 (RFC 5869) and seals each
credential with AES-256-GCM, bound to the tap's id. Neither the spool, nor the broker, nor a
stolen device can open what was sealed; only the hub's private key can.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hmac import digest

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from kokubus.errors import WireError

UID = "mfrc522"
"""`Credential.tech` of a whole ISO 14443 UID, whichever reader read it: the first one's name."""
NUMBER = "number"
"""`Credential.tech` of what a reader leaves of a UID: some of its bytes."""
PIN = "pin"
"""`Credential.tech` of digits typed at a keypad."""
_INFO = b"kokubus/credential/v1"
_PUBLIC, _NONCE, _TAG = 32, 12, 16


@dataclass(frozen=True, slots=True)
class Credential:
    """What a reader read: technology, full upper-case hex UID, how sure it is (0: a UID)."""

    tech: str
    uid: str
    assurance: int = 0

    def __repr__(self) -> str:
        return f"Credential(tech={self.tech!r}, uid=..., assurance={self.assurance})"

    @property
    def text(self) -> bytes:
        """What is sealed and looked up: ``tech|UID``."""
        return f"{self.tech}|{self.uid}".encode()


def session_key(shared: bytes) -> AESGCM:
    """The sealing key of an X25519 shared secret of 32 bytes."""
    return AESGCM(HKDF(SHA256(), 32, None, _INFO).derive(shared))


def seal(credential: Credential, tap: str, key: AESGCM, public: bytes, nonce: bytes) -> str:
    """base64url of ``public (32) | nonce (12) | ciphertext``; a nonce is used once per key."""
    sealed = key.encrypt(nonce, credential.text, tap.encode())
    return urlsafe_b64encode(public + nonce + sealed).decode()


def split(sealed: str) -> tuple[bytes, bytes]:
    """(device's public key, nonce and ciphertext); WireError if it is neither."""
    try:
        raw = urlsafe_b64decode(sealed)
    except ValueError as error:
        raise WireError("sealed credential: not base64url") from error
    if len(raw) <= _PUBLIC + _NONCE + _TAG:
        raise WireError("sealed credential: too short")
    return raw[:_PUBLIC], raw[_PUBLIC:]


def unseal(box: bytes, tap: str, key: AESGCM) -> bytes:
    """The ``tech|UID`` of a credential sealed for this tap; WireError if it was not."""
    try:
        return key.decrypt(box[:_NONCE], box[_NONCE:], tap.encode())
    except (InvalidTag, ValueError) as error:
        raise WireError("sealed credential: not sealed for this tap and hub") from error


def lookup(text: bytes, key: bytes) -> str:
    """128 bits of HMAC-SHA256(key, ``tech|UID``) as 22 characters of base64url."""
    return urlsafe_b64encode(digest(key, text, "sha256")[:16]).rstrip(b"=").decode()
