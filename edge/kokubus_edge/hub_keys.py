"""The keys the hub signs with: the one in use, and for a while the one before or after it."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LAST_WORDS_MS = 600_000
"""What the old key signed may still be under way so long after the new one was first used."""


class HubKeys(Mapping[str, Ed25519PublicKey]):
    """By ``kid``; `next` is believed as soon as it is set, the old one not for long after it.

    Read by the link's thread, set by another: each step replaces a whole dictionary.
    """

    def __init__(
        self,
        kid: str,
        key: Ed25519PublicKey,
        mono: Callable[[], int],
        promoted: Callable[[str], None] = lambda _kid: None,
    ) -> None:
        self.kid = kid
        self._keys = {kid: key}
        self._mono = mono
        self._promoted = promoted
        self._until: int | None = None

    def announce(self, kid: str, key: Ed25519PublicKey) -> None:
        """A key that the hub will use; another one announced before and not used is forgotten."""
        if kid in self._keys:
            return
        if self._until is not None:
            self._go_on()
        self._keys = {self.kid: self._keys[self.kid], kid: key}

    def used(self, kid: str) -> None:
        """A message held under this key: once that is the new one, the old one is going."""
        if kid != self.kid and self._until is None:
            self._until = self._mono() + LAST_WORDS_MS
            self._promoted(kid)

    def __getitem__(self, kid: str) -> Ed25519PublicKey:
        if self._until is not None and self._mono() >= self._until:
            self._go_on()
        return self._keys[kid]

    def _go_on(self) -> None:
        """The key in use is the only one from now on."""
        self._keys = {one: key for one, key in self._keys.items() if one != self.kid}
        self.kid, self._until = next(iter(self._keys)), None

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def public_key(text: str) -> Ed25519PublicKey:
    """A key as it travels, base64url; ValueError if it is none."""
    return Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(text))
