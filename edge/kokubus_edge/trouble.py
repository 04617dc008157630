"""What the parts of an agent report when they need somebody."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trouble:
    """Begins (``active``) or ends an alarm of the device; becomes a `DeviceAlarmed`.

    ``alarm`` is one of ``disk_full``, ``disk_stalled``, ``spool_corrupt``, ``spool_full``,
    ``policy_damaged``, ``policy_not_stored``, ``codes_damaged``.
    """

    alarm: str
    active: bool
    detail: str = ""
