"""How many people are where: readings, beliefs and who is inside."""

from __future__ import annotations

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kokubus_hub.models.base import At, Base, Json, Key, to, untimed


class Reading(Base):
    """One value of one sensor; its quantity is the sensor's."""

    __tablename__ = "reading"
    __table_args__ = (Index(None, "sensor_id", "at"), untimed("reading"))
    id: Mapped[Key]
    sensor_id: Mapped[int] = mapped_column(to("sensor"))
    at: Mapped[At]
    value: Mapped[float]
    untimed_boot: Mapped[int | None]
    untimed_ms: Mapped[int | None]


class Presence(Base):
    """Whether a badge was last seen to go into or out of a room: anti-passback's memory."""

    __tablename__ = "presence"
    __table_args__ = (
        UniqueConstraint("badge_id", "room_id"),
        Index(None, "room_id", "inside"),
    )
    id: Mapped[Key]
    badge_id: Mapped[int] = mapped_column(to("badge"))
    room_id: Mapped[int] = mapped_column(to("room"))
    inside: Mapped[bool]
    at: Mapped[At]


class Belief(Base):
    """The occupancy filter's state of a room (JSON) at ``at``.

    ``dirty_since`` is the instant of the oldest evidence that came too late to be folded in.
    """

    __tablename__ = "belief"
    room_id: Mapped[int] = mapped_column(to("room"), primary_key=True, autoincrement=False)
    at: Mapped[At]
    state: Mapped[str]
    dirty_since: Mapped[At | None]
    version: Mapped[int] = mapped_column(default=0)


class BeliefSnapshot(Base):
    """A belief as it was, to replay late evidence from."""

    __tablename__ = "belief_snapshot"
    __table_args__ = (UniqueConstraint("room_id", "at"),)
    id: Mapped[Key]
    room_id: Mapped[int] = mapped_column(to("room"))
    at: Mapped[At]
    state: Mapped[str]


class Estimate(Base):
    """How many people were believed to be in a room at ``at``, from all evidence up to then.

    One row a room every five minutes (``at`` is a multiple of 300,000 ms), also while nothing
    happens. ``low`` and ``high`` are the 5 % and 95 % quantiles, ``presence`` is P(n > 0),
    ``variance`` that of the count: means and variances of rooms add up. ``weights`` are each
    sensor's log-odds of "somebody is inside" (`kokubus.occupancy.Estimate.contributions`).
    ``capacity`` is the room's at that time. ``drift``: more people left than were counted in.
    Rows are followed by ``id > ?``: when late evidence changes the past, its rows are written
    anew under new ids, with the same ``room_id`` and ``at``.
    """

    __tablename__ = "estimate"
    __table_args__ = (UniqueConstraint("room_id", "at"), {"sqlite_autoincrement": True})
    id: Mapped[Key]
    room_id: Mapped[int] = mapped_column(to("room"))
    at: Mapped[At]
    median: Mapped[int]
    mean: Mapped[float]
    variance: Mapped[float]
    low: Mapped[int]
    high: Mapped[int]
    presence: Mapped[float]
    capacity: Mapped[int]
    drift: Mapped[bool]
    weights: Mapped[Json]


class HeadCount(Base):
    """Somebody looked and said how many people are in a room: evidence like a sensor's.

    ``operator_id`` is who said so, ``recorded_at`` when; ``at`` is when they looked.
    """

    __tablename__ = "head_count"
    __table_args__ = (Index(None, "room_id", "at"),)
    id: Mapped[Key]
    room_id: Mapped[int] = mapped_column(to("room"))
    at: Mapped[At]
    people: Mapped[int]
    operator_id: Mapped[int] = mapped_column(to("operator"))
    recorded_at: Mapped[At]


class SensorFault(Base):
    """A sensor was left out from ``found_at`` to ``cleared_at`` (None: still is).

    ``kind`` is a `kokubus.occupancy.health.Fault`; ``alarm_id`` the alarm that says so.
    """

    __tablename__ = "sensor_fault"
    __table_args__ = (Index(None, "sensor_id", "found_at"),)
    id: Mapped[Key]
    sensor_id: Mapped[int] = mapped_column(to("sensor"))
    kind: Mapped[str] = mapped_column(String(16))
    found_at: Mapped[At]
    cleared_at: Mapped[At | None]
    alarm_id: Mapped[int | None] = mapped_column(to("alarm"))


class Calibration(Base):
    """What a room has taught the filter: in force from ``at`` until the next ``version``.

    ``state`` is a `kokubus.occupancy.calibration.Calibration`, from which the parameters
    follow; rows are never changed, so that a past belief can be rebuilt with what was known.
    """

    __tablename__ = "calibration"
    __table_args__ = (UniqueConstraint("room_id", "version"),)
    id: Mapped[Key]
    room_id: Mapped[int] = mapped_column(to("room"))
    version: Mapped[int]
    at: Mapped[At]
    state: Mapped[str]
