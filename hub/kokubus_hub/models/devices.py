"""What the hub knows of its devices beside their doors: codes, files, boots, orders."""

from __future__ import annotations

from sqlalchemy import BigInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kokubus_hub.models.base import At, Base, Key, to


class SiteFile(Base):
    """A site's TOML as it was applied; its devices are given their parts of it.

    ``number`` is above that of every file applied before, and above what devices have reported.
    """

    __tablename__ = "site_file"
    id: Mapped[Key]
    site_id: Mapped[int] = mapped_column(to("site"), unique=True)
    text: Mapped[str]
    number: Mapped[int] = mapped_column(BigInteger, default=0)


class EnrolmentCode(Base):
    """A code that lets one device enrol once; of the code only a lookup is kept.

    ``key_sha256`` is that of the public key it was used for: the same device may ask again,
    since the answer to its first request may have been lost on the way.
    """

    __tablename__ = "enrolment_code"
    id: Mapped[Key]
    device_id: Mapped[int] = mapped_column(to("device"), index=True)
    lookup: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[At]
    expires_at: Mapped[At]
    used_at: Mapped[At | None]
    key_sha256: Mapped[str | None] = mapped_column(String(64))


class DeviceBoot(Base):
    """A boot a device was born in; one that comes back after another is a second machine."""

    __tablename__ = "device_boot"
    __table_args__ = (UniqueConstraint("device_id", "boot"),)
    id: Mapped[Key]
    device_id: Mapped[int] = mapped_column(to("device"))
    boot: Mapped[str] = mapped_column(String(64))
    at: Mapped[At]


class DeviceOrder(Base):
    """Something a device was asked to do from afar, and what it answered.

    ``outcome``: ``sent``, ``started``, ``done``, ``failed``, ``expired``, ``repeated``.
    """

    __tablename__ = "device_order"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    device_id: Mapped[int] = mapped_column(to("device"), index=True)
    what: Mapped[str] = mapped_column(String(16))
    argument: Mapped[str] = mapped_column(default="")
    sent_at: Mapped[At]
    expires_at: Mapped[At]
    outcome: Mapped[str] = mapped_column(String(32), default="sent")
    outcome_at: Mapped[At | None]
    report: Mapped[str] = mapped_column(default="")
