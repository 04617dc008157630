"""The hub's tables, one word per thing. Instants are integers: milliseconds UTC."""

from __future__ import annotations

from kokubus_hub.models.base import Base, table
from kokubus_hub.models.bookings import Booking, BookingDelivery, BookingHolder, Claim
from kokubus_hub.models.calendars import (
    CalendarLink,
    Doubt,
    EmailAlias,
    Feed,
    HookSeen,
    Platform,
)
from kokubus_hub.models.events import (
    AccessEvent,
    Command,
    DeadLetter,
    DoorEvent,
    Enforcement,
    Passage,
    Spool,
)
from kokubus_hub.models.house import (
    Alarm,
    ApiToken,
    Change,
    History,
    MetricCursor,
    Operator,
    Policy,
    Session,
    Setting,
    SignInLink,
)
from kokubus_hub.models.occupancy import Belief, BeliefSnapshot, Estimate, Presence, Reading
from kokubus_hub.models.places import (
    Closure,
    Device,
    Door,
    DoorMode,
    Municipality,
    Placement,
    Room,
    Sensor,
    Site,
)
from kokubus_hub.models.rights import Badge, Entitlement, Keyholder, Member

__all__ = [
    "AccessEvent",
    "Alarm",
    "ApiToken",
    "Badge",
    "Base",
    "Belief",
    "BeliefSnapshot",
    "Booking",
    "BookingDelivery",
    "BookingHolder",
    "CalendarLink",
    "Change",
    "Claim",
    "Closure",
    "Command",
    "DeadLetter",
    "Device",
    "Door",
    "DoorEvent",
    "DoorMode",
    "Doubt",
    "EmailAlias",
    "Enforcement",
    "Entitlement",
    "Estimate",
    "Feed",
    "History",
    "HookSeen",
    "Keyholder",
    "Member",
    "MetricCursor",
    "Municipality",
    "Operator",
    "Passage",
    "Placement",
    "Platform",
    "Policy",
    "Presence",
    "Reading",
    "Room",
    "Sensor",
    "Session",
    "Setting",
    "SignInLink",
    "Site",
    "Spool",
    "table",
]
