"""Orders from the hub to the device itself: doctor, logs, restart, update. Each is done once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import TypeAlias

import structlog

from kokubus.downlinks import Order
from kokubus.errors import KokubusError
from kokubus.happenings import Now
from kokubus.messages import Instant, OrderDone
from kokubus_edge.inbox import Say

log = structlog.get_logger(__name__)

REPORT_LIMIT = 60_000
WITHOUT_CLOCK = frozenset({"doctor", "logs"})
"""Harmless to repeat, and what one wants to ask a device whose clock is wrong."""
Deed: TypeAlias = Callable[[str, str], tuple[str, str]]
"""(order's id, argument) -> (outcome, report); KokubusError says why it failed."""


class Orders:
    """Obeys in a thread of its own; what became of it is told as an `OrderDone`."""

    def __init__(
        self, deeds: Mapping[str, Deed], *, tell: Callable[[Say], None], thread: Executor
    ) -> None:
        self._deeds = deeds
        self._tell = tell
        self._thread = thread

    def take(self, order: Order, expires_at: Instant, now: Now, *, fresh: bool) -> None:
        """Obey, unless it was obeyed before, comes too late or is not known here; never waits."""
        refusal = self._refusal(order, expires_at, now, fresh=fresh)
        if refusal:
            self.say(order.order, *refusal)
        else:
            self._thread.submit(self._obey, order)

    def say(self, order: str, outcome: str, report: str) -> None:
        """What became of an order."""
        log.info("order", what=order, outcome=outcome)
        told = {"order": order, "outcome": outcome, "report": report[-REPORT_LIMIT:]}
        self._tell(Say(OrderDone, told))

    def _refusal(
        self, order: Order, expires_at: Instant, now: Now, *, fresh: bool
    ) -> tuple[str, str] | None:
        if not fresh:
            return "repeated", ""
        if order.what not in self._deeds:
            return "refused", f"this release does not know {order.what!r}; update the device"
        if not now.trusted and order.what not in WITHOUT_CLOCK:
            return "refused", "the device does not know the time, so an order may be an old one"
        if now.trusted and now.at >= expires_at:
            return "expired", ""
        return None

    def _obey(self, order: Order) -> None:
        try:
            outcome, report = self._deeds[order.what](order.order, order.argument)
        except KokubusError as error:
            outcome, report = "failed", str(error)
        except Exception as error:
            log.exception("order_failed", what=order.what)
            outcome, report = "failed", f"fault in the device's program: {type(error).__name__}"
        self.say(order.order, outcome, report)
