"""What happened at doors: taps, answers, what the door did. Rows are followed by ``id > ?``."""

from __future__ import annotations

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kokubus_hub.models.base import At, Base, Json, Key, to, untimed


class AccessEvent(Base):
    """A tap and the hub's answer to it.

    ``granted`` is None where the hub did not decide: a tap past its deadline (``late``) or
    decided at the door. ``door_id`` is None for a door unknown here; ``detail`` then names it.
    ``state`` is what `kokubus.decision.State` held and ``change_id`` the newest `Change` that was
    known, so that the decision can be asked again.
    """

    __tablename__ = "access_event"
    __table_args__ = (Index(None, "badge_id", "at"),)
    id: Mapped[Key]
    tap: Mapped[str] = mapped_column(String(64), unique=True)
    device_id: Mapped[int] = mapped_column(to("device"))
    door_id: Mapped[int | None] = mapped_column(to("door"))
    at: Mapped[At] = mapped_column(index=True)
    received_at: Mapped[At]
    epoch: Mapped[str] = mapped_column(String(64))
    seq: Mapped[int]
    boot: Mapped[str] = mapped_column(String(64))
    uptime_ms: Mapped[int]
    clock: Mapped[str] = mapped_column(String(16))
    side: Mapped[str] = mapped_column(String(4))
    assurance: Mapped[int] = mapped_column(default=0)
    badge_id: Mapped[int | None] = mapped_column(to("badge"))
    member_id: Mapped[int | None] = mapped_column(to("member"), index=True)
    granted: Mapped[bool | None]
    reason: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[Json | None]
    flags: Mapped[Json | None]
    right: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[Json | None]
    change_id: Mapped[int | None]
    policy_epoch: Mapped[int | None]
    policy_n: Mapped[int | None]
    decided_at: Mapped[At | None]
    late: Mapped[bool] = mapped_column(default=False)


class Enforcement(Base):
    """What the door really did about a tap, and whether the hub or the edge decided it."""

    __tablename__ = "enforcement"
    __table_args__ = (untimed("enforcement"),)
    id: Mapped[Key]
    tap: Mapped[str] = mapped_column(String(64), unique=True)
    door_id: Mapped[int] = mapped_column(to("door"))
    at: Mapped[At] = mapped_column(index=True)
    by: Mapped[str] = mapped_column(String(4))
    granted: Mapped[bool]
    reason: Mapped[str] = mapped_column(String(64))
    policy_epoch: Mapped[int | None]
    policy_n: Mapped[int | None]
    policy_age_ms: Mapped[int] = mapped_column(default=0)
    received_at: Mapped[At]
    untimed_boot: Mapped[int | None]
    untimed_ms: Mapped[int | None]


class DoorEvent(Base):
    """Any other fact of a door; ``kind`` is that of the message (`kokubus.messages`)."""

    __tablename__ = "door_event"
    __table_args__ = (Index(None, "door_id", "at"), untimed("door_event"))
    id: Mapped[Key]
    door_id: Mapped[int] = mapped_column(to("door"))
    device_id: Mapped[int] = mapped_column(to("device"))
    kind: Mapped[str] = mapped_column(String(32))
    at: Mapped[At]
    received_at: Mapped[At]
    tap: Mapped[str | None] = mapped_column(String(64), index=True)
    command: Mapped[str | None] = mapped_column(String(64))
    detail: Mapped[Json | None]
    untimed_boot: Mapped[int | None]
    untimed_ms: Mapped[int | None]


class Passage(Base):
    """Somebody went through a door, or opened it after a grant."""

    __tablename__ = "passage"
    __table_args__ = (
        Index(None, "door_id", "at"),
        Index(None, "member_id", "at"),
        untimed("passage"),
    )
    id: Mapped[Key]
    door_id: Mapped[int] = mapped_column(to("door"))
    at: Mapped[At]
    received_at: Mapped[At]
    side: Mapped[str | None] = mapped_column(String(4))
    tap: Mapped[str | None] = mapped_column(String(64), index=True)
    command: Mapped[str | None] = mapped_column(String(64))
    exit_requested: Mapped[bool] = mapped_column(default=False)
    member_id: Mapped[int | None] = mapped_column(to("member"))
    untimed_boot: Mapped[int | None]
    untimed_ms: Mapped[int | None]


class Command(Base):
    """A remote unlock. ``outcome``: ``sent``, ``opened``, ``no_entry``, ``no_answer`` ..."""

    __tablename__ = "command"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    door_id: Mapped[int] = mapped_column(to("door"), index=True)
    operator_id: Mapped[int | None] = mapped_column(to("operator"))
    reason: Mapped[str]
    sent_at: Mapped[At]
    expires_at: Mapped[At]
    outcome: Mapped[str] = mapped_column(String(32), default="sent")
    outcome_at: Mapped[At | None]


class OneTimeCode(Base):
    """A code read out by phone: for which door and counter, by whom (``by``), why, and its use.

    The code itself is nowhere: door and hub compute it.
    """

    __tablename__ = "one_time_code"
    __table_args__ = (UniqueConstraint("door_id", "counter"),)
    id: Mapped[Key]
    door_id: Mapped[int] = mapped_column(to("door"))
    counter: Mapped[int]
    operator_id: Mapped[int | None] = mapped_column(to("operator"))
    by: Mapped[str]
    reason: Mapped[str]
    at: Mapped[At]
    used_at: Mapped[At | None]


class Boot(Base):
    """A time a device ran without a break, by the kernel's name of it (``boot``).

    ``began_at`` is known once a fact of it carried a time that can be believed. Rows whose
    ``untimed_boot`` names it happened ``untimed_ms`` later, whatever their ``at`` says.
    """

    __tablename__ = "boot"
    __table_args__ = (UniqueConstraint("device_id", "boot"),)
    id: Mapped[Key]
    device_id: Mapped[int] = mapped_column(to("device"))
    boot: Mapped[str] = mapped_column(String(64))
    began_at: Mapped[At | None]


class Spool(Base):
    """Which numbers of a device's record are durable here: JSON ``[[1, 500], [503, 510]]``."""

    __tablename__ = "spool"
    __table_args__ = (UniqueConstraint("device_id", "epoch"),)
    id: Mapped[Key]
    device_id: Mapped[int] = mapped_column(to("device"))
    epoch: Mapped[str] = mapped_column(String(64))
    received: Mapped[str] = mapped_column(default="[]")
    version: Mapped[int] = mapped_column(default=0)


class DeadLetter(Base):
    """A message that could not be read or recorded, kept as it came for somebody to judge."""

    __tablename__ = "dead_letter"
    id: Mapped[Key]
    device: Mapped[str] = mapped_column(String(64))
    topic: Mapped[str]
    payload: Mapped[bytes]
    error: Mapped[str]
    received_at: Mapped[At]
