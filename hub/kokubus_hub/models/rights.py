"""Who may enter: members, their badges and standing rights. Bookings are in `bookings`."""

from __future__ import annotations

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kokubus_hub.models.base import At, Base, Json, Key, Slug, to


class Member(Base):
    """A person. Outside the people feature only ``slug`` (``m-xxxxxxxx``) is known of them.

    ``status`` is ``active`` or ``suspended``; ``start`` and ``end`` bound the membership.
    ``kind`` is ``member``, or ``guest`` for somebody known by a booking alone.
    """

    __tablename__ = "member"
    id: Mapped[Key]
    slug: Mapped[Slug]
    kind: Mapped[str] = mapped_column(String(16), default="member", server_default="member")
    name: Mapped[str]
    email: Mapped[str | None] = mapped_column(String(254), unique=True)
    language: Mapped[str] = mapped_column(String(8), default="de")
    status: Mapped[str] = mapped_column(String(16), default="active")
    start: Mapped[At | None]
    end: Mapped[At | None]


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


class Entitlement(Base):
    """A standing right to a room, or to all of a site's, within its weekly schedule.

    ``schedule`` has the shape of `Site.opening`; None means the site's opening hours.
    """

    __tablename__ = "entitlement"
    id: Mapped[Key]
    member_id: Mapped[int] = mapped_column(to("member"), index=True)
    site_id: Mapped[int] = mapped_column(to("site"), index=True)
    room_id: Mapped[int | None] = mapped_column(to("room"))
    schedule: Mapped[Json | None]
    start: Mapped[At | None]
    end: Mapped[At | None]
