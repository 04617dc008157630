"""Where bookings come from and go to: calendars, platforms, and what somebody has to look at."""

from __future__ import annotations

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kokubus_hub.models.base import At, Base, Json, Key, to


class Feed(Base):
    """A calendar on the web whose events are bookings of a room.

    ``url`` may hold a secret, so it is sealed under the hub's storage key. ``etag`` and
    ``modified`` are what its server said of the version that was imported. ``state`` is
    ``new``, ``ok``, ``failing`` or ``shrunk``: then ``shrunk_to`` is the fingerprint of the
    events that wait for somebody to confirm them, and ``confirmed`` what was confirmed.
    """

    __tablename__ = "feed"
    id: Mapped[Key]
    room_id: Mapped[int] = mapped_column(to("room"), unique=True)
    url: Mapped[bytes]
    events: Mapped[bool] = mapped_column(default=False)
    every_ms: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), default="new")
    detail: Mapped[str] = mapped_column(default="")
    failures: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[At]
    tried_at: Mapped[At | None]
    imported_at: Mapped[At | None]
    bookings: Mapped[int] = mapped_column(default=0)
    etag: Mapped[str | None]
    modified: Mapped[str | None]
    shrunk_to: Mapped[str | None] = mapped_column(String(64))
    confirmed: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[At]


class Doubt(Base):
    """Something about an imported booking that somebody has to say: the inbox.

    ``kind`` is ``unknown_person`` (``email`` is no member's), ``nobody`` (an event names no
    person), ``conflict`` (its seats are another booking's) or ``changed_twice`` (by hand and
    by its source). ``detail`` says what it is about; ``settled`` what was said to it.
    """

    __tablename__ = "doubt"
    __table_args__ = (UniqueConstraint("room_id", "kind", "about"),)
    id: Mapped[Key]
    room_id: Mapped[int] = mapped_column(to("room"))
    kind: Mapped[str] = mapped_column(String(16))
    about: Mapped[str] = mapped_column(String(300))
    detail: Mapped[Json | None]
    at: Mapped[At]
    settled: Mapped[str | None] = mapped_column(String(16))
    settled_at: Mapped[At | None]


class EmailAlias(Base):
    """Another address of a member, as calendars know them; None: known to be nobody's."""

    __tablename__ = "email_alias"
    email: Mapped[str] = mapped_column(String(254), primary_key=True)
    member_id: Mapped[int | None] = mapped_column(to("member"))
    created_at: Mapped[At]


class Platform(Base):
    """A booking platform that may push; its webhook secret is sealed under the storage key.

    With a ``municipality_id`` it books only where a site stands there then.
    """

    __tablename__ = "platform"
    id: Mapped[Key]
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    secret: Mapped[bytes]
    municipality_id: Mapped[int | None] = mapped_column(to("municipality"))
    created_at: Mapped[At]
    revoked_at: Mapped[At | None]


class HookSeen(Base):
    """A webhook's signature that was accepted, kept until its timestamp is too old anyway."""

    __tablename__ = "hook_seen"
    __table_args__ = (UniqueConstraint("platform_id", "signature"),)
    id: Mapped[Key]
    platform_id: Mapped[int] = mapped_column(to("platform"))
    signature: Mapped[str] = mapped_column(String(64))
    at: Mapped[At] = mapped_column(index=True)


class CalendarLink(Base):
    """A secret address under which a room's or a member's bookings can be subscribed to."""

    __tablename__ = "calendar_link"
    id: Mapped[Key]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    room_id: Mapped[int | None] = mapped_column(to("room"), index=True)
    member_id: Mapped[int | None] = mapped_column(to("member"), index=True)
    created_at: Mapped[At]
    revoked_at: Mapped[At | None]
