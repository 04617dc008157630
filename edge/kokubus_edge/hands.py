"""The agent's hands, as far as its loop needs them: none of them keeps it waiting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from kokubus_edge.codes import Codes
from kokubus_edge.minding import Minding
from kokubus_edge.orders import Orders
from kokubus_edge.site_file import SiteFile
from kokubus_edge.spool import Spool
from kokubus_edge.trust import Trust


class Wires(Protocol):
    """The hardware."""

    def perform(self, door: str, deed: Any) -> None: ...

    def refresh(self) -> None: ...


class Sender(Protocol):
    """The link."""

    @property
    def up(self) -> bool: ...

    def send(self, topic: str, payload: bytes, *, bulk: bool = False) -> bool: ...

    def fetch_policy(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """All of them tell the agent's inbox, so they are made after it."""

    wires: Wires
    link: Sender
    spool: Spool
    codes: Codes
    minding: Minding
    orders: Orders
    trust: Trust
    site: SiteFile
