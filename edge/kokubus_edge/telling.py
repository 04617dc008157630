"""What the agent tells the hub: facts, which are kept until it has them, and questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import structlog

from kokubus import messages, wire
from kokubus.messages import DeviceAlarmed, Fact, PolicyWanted, TimeWanted
from kokubus_edge.hands import Sender
from kokubus_edge.spool import Spool

_DEEDS = (
    messages.Enforced,
    messages.PassageSeen,
    messages.NoEntry,
    messages.DoorForced,
    messages.DoorHeld,
    messages.DoorHeldClear,
    messages.CodeTried,
    messages.CommandDone,
    messages.DeviceAlarmed,
)
"""What has its line in the log, where somebody reads what a door did. No badge is in them."""
log = structlog.get_logger(__name__)


class Telling:
    """Called by the agent's loop alone; ``overhear`` gets every fact as it is recorded."""

    def __init__(
        self, device: str, link: Sender, spool: Spool, overhear: Callable[[Fact], None] | None
    ) -> None:
        self._device = device
        self._link = link
        self._spool = spool
        self._overhear = overhear

    def record(self, fact: Fact) -> None:
        """Number a fact, keep it, and send it if the network takes it now."""
        stamp = self._spool.stamp()
        payload = wire.encode_up(fact, stamp)
        sent = not self._waits(fact) and self._sent(fact.kind, payload)
        self._spool.keep(fact, stamp, payload, sent=sent)
        if isinstance(fact, _DEEDS):
            log.info(fact.kind, **_said(fact))
        if self._overhear is not None:
            self._overhear(fact)

    def ask(self, question: PolicyWanted | TimeWanted) -> None:
        """Ask the hub, if it can be reached; nobody waits for the answer."""
        self._link.send(wire.up_topic(self._device, question.kind), wire.encode_up(question))

    def _waits(self, fact: Fact) -> bool:
        """Whether it is not to overtake the backlog: an alarm's end must not come before it."""
        return isinstance(fact, DeviceAlarmed) and not fact.active and self._spool.pending > 0

    def _sent(self, kind: str, payload: bytes) -> bool:
        """Whether the network has taken it; a fact that it fails on is kept like any other."""
        topic = wire.up_topic(self._device, kind)
        try:
            return len(payload) <= wire.UPLINK_LIMIT and self._link.send(topic, payload)
        except Exception:
            log.exception("send_failed", kind=kind)
            return False


def _said(fact: Any) -> dict[str, str | int | bool]:
    """What a fact says, but for its id and its time, which the line has its own of."""
    told = {one.name: getattr(fact, one.name) for one in fields(fact)}
    return {
        name: value if isinstance(value, bool | int) else str(value)
        for name, value in told.items()
        if name not in {"id", "at"} and value not in (None, "")
    }
