"""How the hub runs itself: changes, policies, alarms, operators and cursors."""

from __future__ import annotations

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from kokubus_hub.models.base import At, Base, Json, Key, to, untimed


class Change(Base):
    """Something that policies or places depend on was changed; in the same transaction.

    ``site_id`` None means every site. ``work`` follows ``id > ?``; ids are never used twice.
    ``operator_id`` is who did it, where somebody did.
    """

    __tablename__ = "change"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 - SQLAlchemy's own form
    id: Mapped[Key]
    at: Mapped[At] = mapped_column(index=True)
    site_id: Mapped[int | None] = mapped_column(to("site"))
    what: Mapped[str]
    operator_id: Mapped[int | None] = mapped_column(to("operator"))


class History(Base):
    """A row that rights depend on, as it was from ``change_id`` on; ``data`` None: it was deleted.

    Written by triggers (`kokubus_hub.rights_history`). ``change_id`` is None until the transaction
    that wrote it has recorded its change. ``owner_id`` is the member the row belongs to.
    """

    __tablename__ = "history"
    __table_args__ = (Index(None, "entity", "row_id", "id"), Index(None, "owner_id", "entity"))
    id: Mapped[Key]
    entity: Mapped[str] = mapped_column(String(32))
    row_id: Mapped[int]
    owner_id: Mapped[int | None]
    change_id: Mapped[int | None] = mapped_column(index=True)
    data: Mapped[Json | None]


class Policy(Base):
    """What was published to a device: the document (JSON) whose fingerprint is ``sha256``."""

    __tablename__ = "policy"
    __table_args__ = (UniqueConstraint("device_id", "epoch", "n"),)
    id: Mapped[Key]
    device_id: Mapped[int] = mapped_column(to("device"))
    epoch: Mapped[int]
    n: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    document: Mapped[str]
    change_id: Mapped[int]
    issued_at: Mapped[At]


class Alarm(Base):
    """Somebody should look: held or forced doors, silent devices, keyholders used ..."""

    __tablename__ = "alarm"
    __table_args__ = (Index(None, "cleared_at", "site_id"), untimed("alarm"))
    id: Mapped[Key]
    kind: Mapped[str] = mapped_column(String(32))
    site_id: Mapped[int] = mapped_column(to("site"))
    door_id: Mapped[int | None] = mapped_column(to("door"))
    device_id: Mapped[int | None] = mapped_column(to("device"))
    member_id: Mapped[int | None] = mapped_column(to("member"))
    at: Mapped[At]
    detail: Mapped[Json | None]
    cleared_at: Mapped[At | None]
    untimed_boot: Mapped[int | None]
    untimed_ms: Mapped[int | None]


class Operator(Base):
    """Somebody who may sign in; ``password_hash`` (argon2) is None until they choose one."""

    __tablename__ = "operator"
    id: Mapped[Key]
    name: Mapped[str]
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str | None]
    created_at: Mapped[At]


class Session(Base):
    """A signed-in browser; of its token only the SHA-256 is kept."""

    __tablename__ = "session"
    id: Mapped[Key]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    operator_id: Mapped[int] = mapped_column(to("operator"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[At]
    expires_at: Mapped[At]


class ApiToken(Base):
    """A program that may use the API for an operator; only the token's SHA-256 is kept."""

    __tablename__ = "api_token"
    id: Mapped[Key]
    name: Mapped[str]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    operator_id: Mapped[int] = mapped_column(to("operator"), index=True)
    created_at: Mapped[At]
    revoked_at: Mapped[At | None]


class SignInLink(Base):
    """A link that signs an operator in once."""

    __tablename__ = "sign_in_link"
    id: Mapped[Key]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    operator_id: Mapped[int] = mapped_column(to("operator"), index=True)
    expires_at: Mapped[At]
    used_at: Mapped[At | None]


class Setting(Base):
    """A value the hub keeps for itself, by name."""

    __tablename__ = "setting"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str]


class MetricCursor(Base):
    """Up to which ``id`` a table has been projected to InfluxDB."""

    __tablename__ = "metric_cursor"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    last_id: Mapped[int] = mapped_column(default=0)


class MetricRefused(Base):
    """A row that is no point in InfluxDB, and why; kept until the next `rebuild-metrics`."""

    __tablename__ = "metric_refused"
    __table_args__ = (UniqueConstraint("source", "row_id"),)
    id: Mapped[Key]
    source: Mapped[str] = mapped_column(String(64))
    row_id: Mapped[int]
    reason: Mapped[str]
    refused_at: Mapped[At]
