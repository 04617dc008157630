"""Bookings: who has which seats of a room when, who comes along, and which doors know it."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from kokubus_hub.models.base import At, Base, Json, Key, to

LONG_MS = 25 * 3_600_000
"""What lasts longer is found by an index of its own: longer than any whole day."""
_LONG = text(f'("end" - "start") > {LONG_MS}')


class Booking(Base):
    """Somebody has a room, or desks in it, from ``start`` to ``end``.

    ``status`` is ``confirmed``, ``cancelled``, ``no_show`` (released as nobody came) or
    ``conflict`` (its source says so, but the seats are another's); only the first gives rights.
    ``kind`` is ``booking``, or ``event``: its doors are held open for its time. ``desks`` is
    how many of a desk pool's it takes, None for the whole room. ``member_id`` is None where
    its source names nobody known: it takes its seats and opens nothing.

    A ``whole_day`` booking means the opening hours of ``date`` (ISO, in the site's timezone);
    its ``start`` and ``end`` are that day's midnights. ``external_uid`` and ``recurrence_id``
    name it in its ``source``, so that importing it again finds it; ``said`` is what the source
    said last, so that what was changed by hand is told from what the source changed.

    ``planned_end`` is the end it had before its last guest left early.
    """

    __tablename__ = "booking"
    __table_args__ = (
        CheckConstraint('"start" < "end"', name="order"),
        UniqueConstraint("source", "external_uid", "recurrence_id"),
        Index(None, "member_id", "end", "start"),
        Index(None, "room_id", "end", "start"),
        Index(None, "external_uid"),
        # for lists alone: nearly all are confirmed, and SQLite would look a tap's rights up by it
        Index("ix_booking_status", text("lower(status)"), "id"),
        Index(None, "start", "id", "end"),
        Index("ix_booking_long", "end", "start", "id", sqlite_where=_LONG, postgresql_where=_LONG),
    )
    id: Mapped[Key]
    room_id: Mapped[int] = mapped_column(to("room"))
    member_id: Mapped[int | None] = mapped_column(to("member"))
    start: Mapped[At]
    end: Mapped[At]
    whole_day: Mapped[bool] = mapped_column(default=False)
    date: Mapped[str | None] = mapped_column(String(10))
    status: Mapped[str] = mapped_column(String(16), default="confirmed")
    kind: Mapped[str] = mapped_column(String(16), default="booking", server_default="booking")
    desks: Mapped[int | None]
    people: Mapped[int] = mapped_column(default=1, server_default="1")
    title: Mapped[str] = mapped_column(default="")
    source: Mapped[str] = mapped_column(String(80), default="hub")
    external_uid: Mapped[str | None] = mapped_column(String(255))
    recurrence_id: Mapped[str] = mapped_column(String(32), default="")
    said: Mapped[Json | None]
    change_id: Mapped[int | None]
    created_at: Mapped[At]
    changed_at: Mapped[At]
    checked_in_at: Mapped[At | None]
    planned_end: Mapped[At | None]


class BookingHolder(Base):
    """Somebody besides the booker whose badge opens the doors for a booking."""

    __tablename__ = "booking_holder"
    __table_args__ = (UniqueConstraint("booking_id", "member_id"),)
    id: Mapped[Key]
    booking_id: Mapped[int] = mapped_column(to("booking"))
    member_id: Mapped[int] = mapped_column(to("member"), index=True)


class Claim(Base):
    """One seat of a room is taken by one booking from ``start`` to ``end``.

    The database refuses a claim that overlaps another of the same seat: by a trigger in SQLite,
    by an exclusion constraint in PostgreSQL (migration 0007). A room that is booked as a whole
    has one seat, a desk pool one a desk; seats count from 1.
    """

    __tablename__ = "claim"
    __table_args__ = (
        CheckConstraint('"start" < "end"', name="order"),
        Index(None, "room_id", "seat", "end", "start"),
    )
    id: Mapped[Key]
    booking_id: Mapped[int] = mapped_column(to("booking"), index=True)
    room_id: Mapped[int] = mapped_column(to("room"))
    seat: Mapped[int]
    start: Mapped[At]
    end: Mapped[At]


class BookingDelivery(Base):
    """Whether one door knows what became of a booking with ``change_id``.

    ``state`` is ``waiting``, ``on_the_door`` or ``failed``, since ``since``; ``why`` it waits
    or failed. ``due`` is from when on the door can know it at all: policies look only so far
    ahead.
    """

    __tablename__ = "booking_delivery"
    __table_args__ = (
        UniqueConstraint("booking_id", "door_id"),
        Index(
            "ix_booking_delivery_open",
            "due",
            sqlite_where=text("state <> 'on_the_door'"),
            postgresql_where=text("state <> 'on_the_door'"),
        ),
    )
    id: Mapped[Key]
    booking_id: Mapped[int] = mapped_column(to("booking"))
    door_id: Mapped[int] = mapped_column(to("door"), index=True)
    change_id: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    since: Mapped[At]
    due: Mapped[At]
    why: Mapped[str] = mapped_column(String(32), default="")
