"""Believes what the hub signed, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from kokubus.errors import UnknownKindError, WireError
from kokubus.wire import Down, Verifier, decode_down

log = structlog.get_logger(__name__)

_WORDS = 200


@dataclass(frozen=True, slots=True)
class HubSaid:
    """A message the hub signed for this device; its expiry is still to be judged."""

    down: Down


class Ear:
    """Takes (topic, payload) from the link and tells `HubSaid`; what is not signed, nobody.

    Made for the link's thread, so that the agent's loop never verifies or parses. ``used`` hears
    whose signature held.
    """

    def __init__(
        self,
        device: str,
        keys: Mapping[str, Verifier],
        tell: Callable[[HubSaid], None],
        used: Callable[[str], None] = lambda _kid: None,
    ) -> None:
        self._device = device
        self._used = used
        self._keys = keys
        self._tell = tell

    def __call__(self, topic: str, payload: bytes) -> None:
        try:
            down = decode_down(payload, device=self._device, keys=self._keys)
        except UnknownKindError as error:
            log.info("downlink_unknown", topic=topic[-_WORDS:], why=str(error)[:_WORDS])
        except WireError as error:
            log.warning("downlink_refused", topic=topic[-_WORDS:], why=str(error)[:_WORDS])
        else:
            self._used(down.kid)
            self._tell(HubSaid(down))
