"""Where things are: municipalities, sites, rooms, devices and doors."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from kokubus_hub.models.base import At, Base, Json, Key, Slug, to


class Municipality(Base):
    """A village or town a site stands in."""

    __tablename__ = "municipality"
    id: Mapped[Key]
    slug: Mapped[Slug]
    name: Mapped[str]


class Site(Base):
    """A building or a container. ``opening`` is as `kokubus_hub.hours` reads it.

    Times are of the site's ``timezone``; at ``daily_reset`` (``HH:MM``) nobody counts as inside.
    A booking is released ``no_show_ms`` after its start if nobody came, and ends
    ``early_end_ms`` after the last of its people went out; None: never. How far ahead its
    doors know rights, and how long they use them without the hub: None is the hub's setting.
    """

    __tablename__ = "site"
    id: Mapped[Key]
    slug: Mapped[Slug]
    name: Mapped[str]
    kind: Mapped[str] = mapped_column(String(16), default="building")
    timezone: Mapped[str] = mapped_column(String(64), default="Europe/Berlin")
    help_phone: Mapped[str] = mapped_column(default="")
    lead_ms: Mapped[int] = mapped_column(default=900_000)
    grace_ms: Mapped[int] = mapped_column(default=900_000)
    no_show_ms: Mapped[int | None]
    early_end_ms: Mapped[int | None]
    opens_without_clock: Mapped[bool] = mapped_column(default=False)
    opening: Mapped[Json] = mapped_column(default=dict)
    daily_reset: Mapped[str] = mapped_column(String(5), default="04:00")
    policy_horizon_ms: Mapped[int | None]
    policy_expiry_ms: Mapped[int | None]


class Closure(Base):
    """A site is closed from ``start`` to ``end``, whatever is booked."""

    __tablename__ = "closure"
    __table_args__ = (CheckConstraint('"start" < "end"', name="order"),)
    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("site"), index=True)
    start: Mapped[At]
    end: Mapped[At]
    reason: Mapped[str] = mapped_column(default="")


class Placement(Base):
    """A site stands at a municipality's address; a building's has no ``end``.

    ``latitude`` and ``longitude`` are degrees (WGS 84), None where nobody said.
    """

    __tablename__ = "placement"
    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("site"), index=True)
    municipality_id: Mapped[int] = mapped_column(to("municipality"), index=True)
    address: Mapped[str] = mapped_column(default="")
    start: Mapped[At]
    end: Mapped[At | None]
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]


class Room(Base):
    """A room people may book or work in; ``volume_m3`` is what the CO2 filter needs.

    ``desks`` can be booked one by one; None: the room is booked as a whole.
    ``reserve`` of its places are kept from flexible rights.
    """

    __tablename__ = "room"
    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("site"), index=True)
    slug: Mapped[Slug]
    name: Mapped[str]
    capacity: Mapped[int]
    desks: Mapped[int | None]
    reserve: Mapped[int] = mapped_column(default=0)
    purpose: Mapped[str] = mapped_column(default="")
    volume_m3: Mapped[float | None]


class Device(Base):
    """A Raspberry Pi. ``lookup_key`` is sealed under the hub's storage key (`keys.Keyring`).

    ``online`` is None until it was first heard of. ``applied_*`` is the policy the device has
    reported to be on its disk; ``applied_change`` the `Change` up to which that policy goes;
    ``kid`` the hub's signing key it has reported to have kept beside the one it knows;
    ``site_*`` the file of its site that it runs by, None before it has said so.
    """

    __tablename__ = "device"
    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("site"), index=True)
    slug: Mapped[Slug]
    lookup_key: Mapped[bytes | None]
    online: Mapped[bool | None]
    status_at: Mapped[At | None]
    boot: Mapped[str] = mapped_column(String(64), default="")
    version: Mapped[str] = mapped_column(String(32), default="")
    applied_epoch: Mapped[int | None]
    applied_n: Mapped[int | None]
    applied_sha256: Mapped[str | None] = mapped_column(String(64))
    applied_at: Mapped[At | None]
    applied_change: Mapped[int | None]
    revoked_at: Mapped[At | None]
    kid: Mapped[str | None] = mapped_column(String(16))
    site_number: Mapped[int | None] = mapped_column(BigInteger)
    site_sha256: Mapped[str | None] = mapped_column(String(64))


class Door(Base):
    """A door from ``from_room_id`` (None: outside) into ``room_id``, driven by a device.

    ``contact`` is ``open``, ``closed`` or None where there is no contact or it is unknown;
    ``held_since`` and ``forced_at`` are None unless the door is held or forced now;
    ``code_counter`` is that of the next one-time code.
    """

    __tablename__ = "door"
    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("site"), index=True)
    device_id: Mapped[int | None] = mapped_column(to("device"), index=True)
    room_id: Mapped[int] = mapped_column(to("room"), index=True)
    from_room_id: Mapped[int | None] = mapped_column(to("room"))
    slug: Mapped[Slug]
    name: Mapped[str]
    deadline_ms: Mapped[int] = mapped_column(default=400)
    pulse_ms: Mapped[int] = mapped_column(default=5_000)
    anti_passback: Mapped[str] = mapped_column(String(8), default="off")
    reads_both_sides: Mapped[bool] = mapped_column(default=False)
    min_assurance: Mapped[int] = mapped_column(default=0)
    continuous_duty: Mapped[bool] = mapped_column(default=False)
    free_passage: Mapped[bool] = mapped_column(default=False)
    has_contact: Mapped[bool] = mapped_column(default=True)
    contact: Mapped[str | None] = mapped_column(String(8))
    contact_at: Mapped[At | None]
    held_since: Mapped[At | None]
    forced_at: Mapped[At | None]
    code_counter: Mapped[int] = mapped_column(default=0)


class DoorMode(Base):
    """``free_passage`` or ``lockdown``; without ``end`` until it is taken back.

    At one door, at all of a site (``site_id``), or everywhere (neither). Free passage holds
    only at doors that may stand open. ``booking_id`` names the event booking it
    belongs to and lives with.
    """

    __tablename__ = "door_mode"
    __table_args__ = (Index(None, "door_id", "end"),)
    id: Mapped[Key]
    door_id: Mapped[int | None] = mapped_column(to("door"))
    site_id: Mapped[int | None] = mapped_column(to("site"), index=True)
    operator_id: Mapped[int | None] = mapped_column(to("operator"))
    change_id: Mapped[int | None]
    created_at: Mapped[At] = mapped_column(default=0)
    kind: Mapped[str] = mapped_column(String(16))
    start: Mapped[At]
    end: Mapped[At | None]
    reason: Mapped[str] = mapped_column(default="")
    booking_id: Mapped[int | None] = mapped_column(to("booking"), index=True)


class Sensor(Base):
    """One quantity measured in one room, by a device of ours or by a third party's."""

    __tablename__ = "sensor"
    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("site"), index=True)
    room_id: Mapped[int] = mapped_column(to("room"), index=True)
    device_id: Mapped[int | None] = mapped_column(to("device"), index=True)
    slug: Mapped[Slug]
    quantity: Mapped[str] = mapped_column(String(32))
