"""Devices: enrolment codes, what they are given, their boots and orders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Devices: enrolment codes, what they are given, their boots and orders."""
    op.add_column("device", sa.Column("kid", sa.String(16), nullable=True))
    _site_file()
    _enrolment_code()
    _device_boot()
    _device_order()


def _site_file() -> None:
    op.create_table(
        "site_file",
        sa.Column("id", ID, nullable=False),
        sa.Column("site_id", ID, nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_site_file_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_file")),
        sa.UniqueConstraint("site_id", name=op.f("uq_site_file_site_id")),
    )


def _enrolment_code() -> None:
    op.create_table(
        "enrolment_code",
        sa.Column("id", ID, nullable=False),
        sa.Column("device_id", ID, nullable=False),
        sa.Column("lookup", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("key_sha256", sa.String(64), nullable=True),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_enrolment_code_device_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolment_code")),
        sa.UniqueConstraint("lookup", name=op.f("uq_enrolment_code_lookup")),
    )
    op.create_index(op.f("ix_enrolment_code_device_id"), "enrolment_code", ["device_id"])


def _device_boot() -> None:
    op.create_table(
        "device_boot",
        sa.Column("id", ID, nullable=False),
        sa.Column("device_id", ID, nullable=False),
        sa.Column("boot", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_device_boot_device_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_boot")),
        sa.UniqueConstraint("device_id", "boot", name=op.f("uq_device_boot_device_id_boot")),
    )


def _device_order() -> None:
    op.create_table(
        "device_order",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("device_id", ID, nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("argument", sa.String(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("outcome_at", sa.BigInteger(), nullable=True),
        sa.Column("report", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_device_order_device_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_order")),
    )
    op.create_index(op.f("ix_device_order_device_id"), "device_order", ["device_id"])
