"""What a device says to the hub: facts, in the past tense, and a few words about itself.

What the hub says is in `kokubus.downlinks`. Every instant is an
integer: milliseconds since 1970-01-01 UTC.
"""

from typing import TypeAlias

from kokubus.messages.devices import (
    CertificateWanted,
    DeviceAlarmed,
    DeviceStatus,
    Dropped,
    HubKeyKept,
    OrderDone,
    PolicyApplied,
    PolicyWanted,
    Reading,
    SensorsRead,
    SiteHeld,
    TimeWanted,
)
from kokubus.messages.doors import (
    BadgeTapped,
    CodeOutcome,
    CodeTried,
    CommandDone,
    ContactChanged,
    DoorForced,
    DoorHeld,
    DoorHeldClear,
    Enforced,
    ExitRequested,
    NoEntry,
    PassageSeen,
)
from kokubus.messages.words import (
    At,
    By,
    Clock,
    Count,
    Instant,
    Name,
    PolicyNumber,
    Range,
    Side,
    Stamp,
    Text,
)

__all__ = [
    "At",
    "BadgeTapped",
    "By",
    "CertificateWanted",
    "Clock",
    "CodeOutcome",
    "CodeTried",
    "CommandDone",
    "ContactChanged",
    "Count",
    "DeviceAlarmed",
    "DeviceStatus",
    "DoorForced",
    "DoorHeld",
    "DoorHeldClear",
    "Dropped",
    "Enforced",
    "ExitRequested",
    "Fact",
    "HubKeyKept",
    "Instant",
    "Name",
    "NoEntry",
    "OrderDone",
    "PassageSeen",
    "PolicyApplied",
    "PolicyNumber",
    "PolicyWanted",
    "Range",
    "Reading",
    "SensorsRead",
    "Side",
    "SiteHeld",
    "Stamp",
    "Text",
    "TimeWanted",
    "Uplink",
]

Fact: TypeAlias = (
    BadgeTapped
    | Enforced
    | PassageSeen
    | NoEntry
    | ContactChanged
    | DoorForced
    | DoorHeld
    | DoorHeldClear
    | ExitRequested
    | CodeTried
    | SensorsRead
    | PolicyApplied
    | CommandDone
    | Dropped
    | DeviceAlarmed
    | OrderDone
    | HubKeyKept
    | SiteHeld
)

Uplink: TypeAlias = Fact | DeviceStatus | PolicyWanted | TimeWanted | CertificateWanted
