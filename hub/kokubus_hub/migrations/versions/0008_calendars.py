"""Calendars and platforms: feeds, the inbox, secrets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Calendars and platforms: feeds, the inbox, secrets."""
    _feed()
    _doubt()
    _email_alias()
    _platform()
    _hook_seen()
    _calendar_link()


def _feed() -> None:
    op.create_table(
        "feed",
        sa.Column("id", ID, nullable=False),
        sa.Column("room_id", ID, nullable=False),
        sa.Column("url", sa.LargeBinary(), nullable=False),
        sa.Column("events", sa.Boolean(), nullable=False),
        sa.Column("every_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("tried_at", sa.BigInteger(), nullable=True),
        sa.Column("imported_at", sa.BigInteger(), nullable=True),
        sa.Column("bookings", sa.BigInteger(), nullable=False),
        sa.Column("etag", sa.String(), nullable=True),
        sa.Column("modified", sa.String(), nullable=True),
        sa.Column("shrunk_to", sa.String(length=64), nullable=True),
        sa.Column("confirmed", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_feed_room_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed")),
        sa.UniqueConstraint("room_id", name=op.f("uq_feed_room_id")),
    )


def _doubt() -> None:
    op.create_table(
        "doubt",
        sa.Column("id", ID, nullable=False),
        sa.Column("room_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("about", sa.String(length=300), nullable=False),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("settled", sa.String(length=16), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_doubt_room_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_doubt")),
        sa.UniqueConstraint("room_id", "kind", "about", name=op.f("uq_doubt_room_id_kind_about")),
    )


def _email_alias() -> None:
    op.create_table(
        "email_alias",
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("member_id", ID, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_email_alias_member_id")
        ),
        sa.PrimaryKeyConstraint("email", name=op.f("pk_email_alias")),
    )


def _platform() -> None:
    op.create_table(
        "platform",
        sa.Column("id", ID, nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_platform")),
        sa.UniqueConstraint("slug", name=op.f("uq_platform_slug")),
    )


def _hook_seen() -> None:
    op.create_table(
        "hook_seen",
        sa.Column("id", ID, nullable=False),
        sa.Column("platform_id", ID, nullable=False),
        sa.Column("signature", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["platform_id"], ["platform.id"], name=op.f("fk_hook_seen_platform_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hook_seen")),
        sa.UniqueConstraint(
            "platform_id", "signature", name=op.f("uq_hook_seen_platform_id_signature")
        ),
    )
    op.create_index(op.f("ix_hook_seen_at"), "hook_seen", ["at"], unique=False)


def _calendar_link() -> None:
    op.create_table(
        "calendar_link",
        sa.Column("id", ID, nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("room_id", ID, nullable=True),
        sa.Column("member_id", ID, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_calendar_link_member_id")
        ),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_calendar_link_room_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_link")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_calendar_link_token_hash")),
    )
    op.create_index(
        op.f("ix_calendar_link_member_id"), "calendar_link", ["member_id"], unique=False
    )
    op.create_index(op.f("ix_calendar_link_room_id"), "calendar_link", ["room_id"], unique=False)
