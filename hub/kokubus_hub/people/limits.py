"""How often somebody may try to sign in."""

from __future__ import annotations

from collections import OrderedDict, deque
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Lock

from kokubus.errors import KokubusError
from kokubus.messages import Instant

WINDOW_MS = 15 * 60_000
PER_NAME, PER_ADDRESS = 5, 20
_KNOWN = 10_000


class TooManyAttemptsError(KokubusError):
    """Wait until ``retry_at`` before the next attempt."""

    def __init__(self, retry_at: Instant) -> None:
        super().__init__("too many failed attempts; wait a quarter of an hour")
        self.retry_at = retry_at


class SignInLimits:
    """Failed attempts of the last 15 minutes: at most 5 a name and 20 an address, or as told.

    Held in the one process that serves the web, of bounded size; safe to use from threads.
    An IPv6 address counts by its /64, which is what one household has.
    """

    def __init__(self, per_name: int = PER_NAME, per_address: int = PER_ADDRESS) -> None:
        self._bounds = per_name, per_address
        self._failures: OrderedDict[str, deque[Instant]] = OrderedDict()
        self._lock = Lock()

    def check(self, name: str, address: str, now: Instant) -> None:
        """Raise `TooManyAttemptsError` if this name or address has to wait."""
        with self._lock:
            for key, limit in zip(_keys(name, address), self._bounds, strict=True):
                recent = self._recent(key, now)
                if len(recent) >= limit:
                    raise TooManyAttemptsError(recent[-limit] + WINDOW_MS)

    def failed(self, name: str, address: str, now: Instant) -> None:
        """Count a failed attempt."""
        with self._lock:
            for key, limit in zip(_keys(name, address), self._bounds, strict=True):
                recent = self._recent(key, now)
                self._failures[key] = deque([*recent, now], maxlen=limit)
                self._failures.move_to_end(key)
            while len(self._failures) > _KNOWN:
                self._failures.popitem(last=False)

    def succeeded(self, name: str) -> None:
        """Forget a name's failures; its address's stay, or one account would hide guesses."""
        with self._lock:
            self._failures.pop(_name(name), None)

    def _recent(self, key: str, now: Instant) -> deque[Instant]:
        recent = self._failures.get(key, deque())
        while recent and recent[0] <= now - WINDOW_MS:
            recent.popleft()
        return recent


def _keys(name: str, address: str) -> tuple[str, str]:
    return _name(name), f"address {_network(address)}"


def _name(name: str) -> str:
    return f"name {name.strip().lower()[:254]}"


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, IPv6Address):
        return str(ip_network((int(parsed), 64), strict=False))
    return str(parsed)
