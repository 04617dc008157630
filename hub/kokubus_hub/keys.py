"""The hub's keys, one file each, readable for their owner alone.

``signing.pem``   Ed25519: signs what goes down to the doors
``signing-next.pem``  the one it will sign with, while devices are told (`devices.rotation`)
``sealing.pem``   X25519: opens the credentials devices seal (`kokubus.credential`)
``pepper``        32 bytes: key of the hub's badge lookups
``storage``       32 bytes: AES-256-GCM key of what is sealed in the database
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from nacl.bindings import crypto_sign, crypto_sign_BYTES

from kokubus import credential, joining
from kokubus.errors import KokubusError, WireError
from kokubus_hub.files import private_dir, read_secret, write_secret

_CACHED = 4096
_NONCE = 12
_SIGNING, _NEXT = "signing.pem", "signing-next.pem"


class KeysError(KokubusError):
    """A key is missing, damaged or does not fit what it should open."""


class Signing:
    """Signs with an Ed25519 key by libsodium: every answer at a door waits for it.

    The signature is the one that `Ed25519PrivateKey.sign` makes (RFC 8032 leaves no choice), in
    little more than half the time.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._secret = key.private_bytes_raw() + key.public_key().public_bytes_raw()

    def sign(self, data: bytes, /) -> bytes:
        """The 64 bytes."""
        return crypto_sign(data, self._secret)[:crypto_sign_BYTES]


class Keyring:
    """The hub's keys, loaded. ``kid`` names the signing key on the wire."""

    def __init__(
        self, signing: Ed25519PrivateKey, sealing: X25519PrivateKey, pepper: bytes, storage: bytes
    ) -> None:
        self._sign_with(signing)
        self.sealing_public = sealing.public_key().public_bytes_raw()
        self._folder: Path | None = None
        self._seen = (0, 0)
        self._sealing = sealing
        self._pepper = pepper
        self._storage = AESGCM(storage)
        self._session_key = lru_cache(maxsize=_CACHED)(self._agree)

    @classmethod
    def create(cls, folder: Path) -> Keyring:
        """Make all keys in ``folder``; KeysError if there are any already."""
        private_dir(folder)
        if any(folder.iterdir()):
            raise KeysError(f"{folder}: there are keys already; doors trust them, so they stay")
        write_secret(folder / "signing.pem", _pem(Ed25519PrivateKey.generate()))
        write_secret(folder / "sealing.pem", _pem(X25519PrivateKey.generate()))
        write_secret(folder / "pepper", os.urandom(32))
        write_secret(folder / "storage", os.urandom(32))
        return cls.load(folder)

    @classmethod
    def load(cls, folder: Path) -> Keyring:
        """The keys in ``folder``; an error names the file that is missing or damaged."""
        seen = _stamp(folder / _SIGNING)
        signing, sealing = _signing(folder / _SIGNING), _private(folder / "sealing.pem")
        if not isinstance(sealing, X25519PrivateKey):
            raise KeysError(f"{folder}: signing.pem is Ed25519 and sealing.pem X25519; swapped?")
        made = cls(signing, sealing, _raw(folder / "pepper"), _raw(folder / "storage"))
        made._folder, made._seen = folder, seen
        return made

    @staticmethod
    def following(folder: Path) -> Ed25519PrivateKey | None:
        """The key that is to come, while the hub changes it."""
        path = folder / _NEXT
        return _signing(path) if path.exists() else None

    @staticmethod
    def begin_change(folder: Path) -> None:
        """Make the next key; nothing is done if there is one already."""
        if not (folder / _NEXT).exists():
            write_secret(folder / _NEXT, _pem(Ed25519PrivateKey.generate()))

    def promote(self, folder: Path) -> None:
        """Sign with the next key from now on; the one before is gone for good."""
        (folder / _NEXT).replace(folder / _SIGNING)
        self.refresh()

    def refresh(self) -> None:
        """See that another process has changed the key. To be called every second or so."""
        if self._folder is None:
            return
        stamp = _stamp(self._folder / _SIGNING)
        if stamp != self._seen:
            self._sign_with(_signing(self._folder / _SIGNING))
            self._seen = stamp

    def _sign_with(self, key: Ed25519PrivateKey) -> None:
        self.signing = Signing(key)
        self.verifying: Ed25519PublicKey = key.public_key()
        self.kid = kid_of(self.verifying)

    def unseal(self, sealed: str, tap: str) -> bytes:
        """The ``tech|UID`` of a tap's credential; WireError if it was not sealed for us."""
        public, box = credential.split(sealed)
        return credential.unseal(box, tap, self._session_key(public))

    def open_request(self, sealed: str) -> joining.Request:
        """What a device that enrols sealed for us; JoinError if it did not."""
        return joining.open_request(sealed, self._sealing)

    def lookup(self, text: bytes) -> str:
        """The hub's lookup of a ``tech|UID``: `Badge.lookup`."""
        return credential.lookup(text, self._pepper)

    def seal(self, plain: bytes, purpose: str) -> bytes:
        """Seal for the database; ``purpose`` (``badge``, ``device:<slug>``) must match to open."""
        nonce = os.urandom(_NONCE)
        return nonce + self._storage.encrypt(nonce, plain, purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """What `seal` sealed; KeysError if it was damaged or sealed by other keys."""
        try:
            return self._storage.decrypt(sealed[:_NONCE], sealed[_NONCE:], purpose.encode())
        except (InvalidTag, ValueError) as error:
            raise KeysError(
                f"{purpose}: sealed by other keys; restore keys and database together"
            ) from error

    def _agree(self, public: bytes) -> AESGCM:
        try:
            shared = self._sealing.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError as error:
            raise WireError("sealed credential: no X25519 public key") from error
        return credential.session_key(shared)


def kid_of(key: Ed25519PublicKey) -> str:
    """A signing key's name: the first 16 hex digits of its SHA-256."""
    digest = Hash(SHA256())
    digest.update(key.public_bytes_raw())
    return digest.finalize().hex()[:16]


def _pem(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _private(path: Path) -> object:
    try:
        return load_pem_private_key(read_secret(path), None)
    except (ValueError, TypeError) as error:
        raise KeysError(f"{path}: no private key; restore it from the backup") from error


def _signing(path: Path) -> Ed25519PrivateKey:
    key = _private(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise KeysError(f"{path}: signing.pem is Ed25519 and sealing.pem X25519; swapped?")
    return key


def _stamp(path: Path) -> tuple[int, int]:
    """Tells one file of this name from the next."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns


def _raw(path: Path) -> bytes:
    content = read_secret(path)
    if len(content) != 32:
        raise KeysError(f"{path}: {len(content)} bytes instead of 32; restore it from the backup")
    return content
