"""What goes over the wire, for test fixtures: as it was, but for what nobody may keep.

Sealed credentials and lookups of badges become names that mean nothing outside the recording
(the same one each time within it), certificates, keys, signatures and reports are left out.
"""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hmac import digest
from queue import Empty, Full, Queue
from typing import Any

_WAITING = 10_000
_LEFT_OUT = frozenset({"csr", "certificate", "key", "report"})
_NAMED = frozenset({"sealed", "lookup"})
_BADGES = frozenset({"badges"})
"""Tables of a policy whose keys are lookups."""


class Recorder:
    """Hands every message to whoever listens; costs nothing while nobody does."""

    def __init__(self) -> None:
        self._listening: tuple[Callable[[str, bytes], None], ...] = ()

    def hear(self, topic: str, payload: bytes) -> None:
        """A message was sent or came; from any thread, never waits."""
        for listener in self._listening:
            listener(topic, payload)

    @contextmanager
    def listen(self) -> Iterator[Iterator[dict[str, Any]]]:
        """Redacted messages ``{"topic", "message"}``, and ``{}`` each second without one."""
        waiting: Queue[tuple[str, bytes]] = Queue(_WAITING)

        def put(topic: str, payload: bytes) -> None:
            try:
                waiting.put_nowait((topic, payload))
            except Full:
                return  # a listener that does not keep up misses some; the door does not wait

        self._listening = (*self._listening, put)
        try:
            yield _messages(waiting, os.urandom(32))
        finally:
            self._listening = tuple(one for one in self._listening if one is not put)


def redacted(payload: bytes, salt: bytes) -> Any:
    """The message without signature and without what identifies a badge, a key or a person."""
    try:
        return _without(json.loads(payload.partition(b"\n")[0]), salt)
    except (ValueError, RecursionError):
        return {"damaged": len(payload)}


def _messages(waiting: Queue[tuple[str, bytes]], salt: bytes) -> Iterator[dict[str, Any]]:
    while True:
        try:
            topic, payload = waiting.get(timeout=1)
        except Empty:
            yield {}
        else:
            yield {"topic": topic, "message": redacted(payload, salt)}


def _without(value: Any, salt: bytes, key: str = "") -> Any:
    if key in _LEFT_OUT:
        return "(left out)"
    if key in _NAMED and isinstance(value, str):
        return _name(value, salt)
    if isinstance(value, list):
        return [_name(one, salt) if key in _BADGES else _without(one, salt) for one in value]
    if isinstance(value, dict):
        return {_renamed(key, name, salt): _without(one, salt, name) for name, one in value.items()}
    return value


def _renamed(table: str, name: str, salt: bytes) -> str:
    return _name(name, salt) if table in _BADGES else name


def _name(value: object, salt: bytes) -> str:
    return urlsafe_b64encode(digest(salt, str(value).encode(), "sha256")[:16]).decode().rstrip("=")
