"""Seals credentials for the hub with a key that lives an hour, in memory only."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kokubus.credential import Credential, lookup, seal, session_key

KEY_LIFE_MS = 3_600_000
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class _Key:
    public: bytes
    box: AESGCM
    until: int


class Sealer:
    """What a reader needs to say about a badge: sealed for the hub, a lookup for the door.

    ``hub`` is the hub's published sealing key, ``lookup_key`` this device's secret, ``mono``
    monotonic milliseconds. The private half is forgotten as soon as the key is agreed, so
    what was sealed cannot be opened on the device. Threads may share a sealer.
    """

    def __init__(self, hub: X25519PublicKey, lookup_key: bytes, mono: Callable[[], int]) -> None:
        self._hub = hub
        self._lookup_key = lookup_key
        self._mono = mono
        self._lock = Lock()
        self._key: _Key | None = None

    def seal(self, credential: Credential, tap: str) -> str:
        """The credential for the hub alone, bound to this tap's id."""
        key = self._current()
        return seal(credential, tap, key.box, key.public, os.urandom(_NONCE_BYTES))

    def lookup(self, credential: Credential) -> str:
        """How this device's policies name the badge."""
        return lookup(credential.text, self._lookup_key)

    def _current(self) -> _Key:
        with self._lock:
            now = self._mono()
            if self._key is None or now >= self._key.until:
                self._key = self._agree(now)
            return self._key

    def _agree(self, now: int) -> _Key:
        private = X25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        return _Key(public, session_key(private.exchange(self._hub)), now + KEY_LIFE_MS)
