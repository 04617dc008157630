"""Rights: members, badges, entitlements, bookings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Rights: members, badges, entitlements, bookings."""
    _member()
    _badge()
    _booking()
    _entitlement()
    _keyholder()


def _member() -> None:
    op.create_table(
        "member",
        sa.Column("id", ID, nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=True),
        sa.Column("end", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member")),
        sa.UniqueConstraint("email", name=op.f("uq_member_email")),
        sa.UniqueConstraint("slug", name=op.f("uq_member_slug")),
    )


def _badge() -> None:
    op.create_table(
        "badge",
        sa.Column("id", ID, nullable=False),
        sa.Column("member_id", ID, nullable=True),
        sa.Column("lookup", sa.String(length=32), nullable=False),
        sa.Column("sealed_uid", sa.LargeBinary(), nullable=False),
        sa.Column("tech", sa.String(length=32), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=True),
        sa.Column("end", sa.BigInteger(), nullable=True),
        sa.Column("assurance", sa.BigInteger(), nullable=False),
        sa.Column("override_lockdown", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_badge_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_badge")),
        sa.UniqueConstraint("label", name=op.f("uq_badge_label")),
        sa.UniqueConstraint("lookup", name=op.f("uq_badge_lookup")),
    )
    op.create_index(op.f("ix_badge_member_id"), "badge", ["member_id"], unique=False)


def _booking() -> None:
    op.create_table(
        "booking",
        sa.Column("id", ID, nullable=False),
        sa.Column("room_id", ID, nullable=False),
        sa.Column("member_id", ID, nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("whole_day", sa.Boolean(), nullable=False),
        sa.Column("date", sa.String(length=10), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("source", sa.String(length=80), nullable=False),
        sa.Column("external_uid", sa.String(length=255), nullable=True),
        sa.Column("recurrence_id", sa.String(length=32), nullable=False),
        sa.Column("change_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint('"start" < "end"', name=op.f("ck_booking_order")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_booking_member_id")),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_booking_room_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking")),
        sa.UniqueConstraint(
            "source",
            "external_uid",
            "recurrence_id",
            name=op.f("uq_booking_source_external_uid_recurrence_id"),
        ),
    )
    op.create_index(
        op.f("ix_booking_member_id_end_start"),
        "booking",
        ["member_id", "end", "start"],
        unique=False,
    )
    op.create_index(
        op.f("ix_booking_room_id_end_start"), "booking", ["room_id", "end", "start"], unique=False
    )


def _entitlement() -> None:
    op.create_table(
        "entitlement",
        sa.Column("id", ID, nullable=False),
        sa.Column("member_id", ID, nullable=False),
        sa.Column("site_id", ID, nullable=False),
        sa.Column("room_id", ID, nullable=True),
        sa.Column("schedule", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("start", sa.BigInteger(), nullable=True),
        sa.Column("end", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_entitlement_member_id")
        ),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_entitlement_room_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_entitlement_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entitlement")),
    )
    op.create_index(op.f("ix_entitlement_member_id"), "entitlement", ["member_id"], unique=False)
    op.create_index(op.f("ix_entitlement_site_id"), "entitlement", ["site_id"], unique=False)


def _keyholder() -> None:
    op.create_table(
        "keyholder",
        sa.Column("id", ID, nullable=False),
        sa.Column("site_id", ID, nullable=False),
        sa.Column("badge_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["badge_id"], ["badge.id"], name=op.f("fk_keyholder_badge_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_keyholder_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keyholder")),
        sa.UniqueConstraint("site_id", "badge_id", name=op.f("uq_keyholder_site_id_badge_id")),
    )
    op.create_index(op.f("ix_keyholder_badge_id"), "keyholder", ["badge_id"], unique=False)
