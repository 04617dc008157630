"""Who may enter: members, their badges and standing rights. Bookings are in `bookings`."""

from __future__ import annotations

from sqlalchemy import Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from kokubus_hub.models.base import At, Base, Json, Key, Slug, to


class Member(Base):
    """A person. Outside the people feature only ``slug`` (``m-xxxxxxxx``) is known of them.

    ``status`` is ``active`` or ``suspended``; ``start`` and ``end`` bound the membership.
    ``kind`` is ``member``, or ``guest`` for somebody known by a booking alone.
    ``postcode_band`` are the first digits of the postcode they would else have driven to, if
    they said so: reports put a distance to it, for five people of a band at least.
    """

    __tablename__ = "member"
    __table_args__ = (Index("ix_member_name", "status", text("lower(name)"), "id"),)
    id: Mapped[Key]
    slug: Mapped[Slug]
    kind: Mapped[str] = mapped_column(String(16), default="member", server_default="member")
    name: Mapped[str]
    email: Mapped[str | None] = mapped_column(String(254), unique=True)
    language: Mapped[str] = mapped_column(String(8), default="de")
    status: Mapped[str] = mapped_column(String(16), default="active")
    start: Mapped[At | None]
    end: Mapped[At | None]
    postcode_band: Mapped[str | None] = mapped_column(String(3))


class Badge(Base):
    """A card or tag: ``active``, ``blocked``, ``lost`` or ``replaced``.

    ``lookup`` is `kokubus.credential.lookup` under the pepper; ``sealed_uid`` is ``tech|UID``
    under the hub's storage key, so that each device's own lookups can be computed.
    """

    __tablename__ = "badge"
    id: Mapped[Key]
    member_id: Mapped[int | None] = mapped_column(to("member"), index=True)
    lookup: Mapped[str] = mapped_column(String(32), unique=True)
    sealed_uid: Mapped[bytes]
    tech: Mapped[str] = mapped_column(String(32), default="mfrc522")
    label: Mapped[str | None] = mapped_column(String(64), unique=True)
    status: Mapped[str] = mapped_column(String(16), default="active")
    start: Mapped[At | None]
    end: Mapped[At | None]
    assurance: Mapped[int] = mapped_column(default=0)
    override_lockdown: Mapped[bool] = mapped_column(default=False)


class Keyholder(Base):
    """A badge that opens a site's doors whatever else holds; at most three a site."""

    __tablename__ = "keyholder"
    __table_args__ = (UniqueConstraint("site_id", "badge_id"),)
    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("site"))
    badge_id: Mapped[int] = mapped_column(to("badge"), index=True)


class Plan(Base):
    """What a membership (``plan``) or a function (``role``) entitles to, for whoever has it.

    ``schedule`` has the shape of `Site.opening`; None means each site's opening hours.
    """

    __tablename__ = "plan"
    id: Mapped[Key]
    slug: Mapped[Slug]
    name: Mapped[str]
    kind: Mapped[str] = mapped_column(String(8), default="plan")
    schedule: Mapped[Json | None]


class PlanPlace(Base):
    """A site a plan is for, or one room of it."""

    __tablename__ = "plan_place"
    __table_args__ = (UniqueConstraint("plan_id", "site_id", "room_id"),)
    id: Mapped[Key]
    plan_id: Mapped[int] = mapped_column(to("plan"))
    site_id: Mapped[int] = mapped_column(to("site"))
    room_id: Mapped[int | None] = mapped_column(to("room"))


class Subscription(Base):
    """A member has a plan or role, from ``start`` to ``end``."""

    __tablename__ = "subscription"
    __table_args__ = (UniqueConstraint("member_id", "plan_id"),)
    id: Mapped[Key]
    member_id: Mapped[int] = mapped_column(to("member"))
    plan_id: Mapped[int] = mapped_column(to("plan"), index=True)
    start: Mapped[At | None]
    end: Mapped[At | None]


class Entitlement(Base):
    """A standing right to a room, or to all of a site's, within its weekly schedule.

    ``schedule`` has the shape of `Site.opening`; None means the site's opening hours. What a
    plan gives has its ``subscription_id`` and follows it; what was given by hand has none.
    """

    __tablename__ = "entitlement"
    id: Mapped[Key]
    member_id: Mapped[int] = mapped_column(to("member"), index=True)
    site_id: Mapped[int] = mapped_column(to("site"), index=True)
    room_id: Mapped[int | None] = mapped_column(to("room"))
    schedule: Mapped[Json | None]
    start: Mapped[At | None]
    end: Mapped[At | None]
    subscription_id: Mapped[int | None] = mapped_column(to("subscription"), index=True)


class UnknownBadge(Base):
    """A badge that was tapped and is nobody's: kept for some days, so that it can be claimed.

    ``sealed_uid`` is ``tech|UID`` under the hub's storage key, as a `Badge` has it. PINs never
    come here.
    """

    __tablename__ = "unknown_badge"
    id: Mapped[Key]
    lookup: Mapped[str] = mapped_column(String(32), unique=True)
    sealed_uid: Mapped[bytes]
    door_id: Mapped[int] = mapped_column(to("door"))
    first_at: Mapped[At]
    last_at: Mapped[At] = mapped_column(index=True)
    taps: Mapped[int] = mapped_column(default=1)


class GuestPass(Base):
    """How somebody without a badge gets in for one booking: a PIN, and a link that shows it.

    The PIN is a `Badge` of tech ``pin``, the same for all current bookings of its holder.
    ``token_hash`` is the SHA-256 of the link's token, ``sealed_token`` the token itself
    under the hub's storage key, so that it can be told again.
    ``change_id`` is what doors must have confirmed before the PIN opens.
    """

    __tablename__ = "guest_pass"
    __table_args__ = (UniqueConstraint("booking_id", "member_id"),)
    id: Mapped[Key]
    booking_id: Mapped[int] = mapped_column(to("booking"))
    member_id: Mapped[int] = mapped_column(to("member"), index=True)
    badge_id: Mapped[int] = mapped_column(to("badge"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    sealed_token: Mapped[bytes]
    change_id: Mapped[int]
    created_at: Mapped[At]
