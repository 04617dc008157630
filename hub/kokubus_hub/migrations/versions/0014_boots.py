"""Boots: what a device did while it did not know the time gets its time later."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MARKED = ("alarm", "door_event", "enforcement", "passage", "reading")


def upgrade() -> None:
    """Boots, and rows that are to be timed."""
    op.create_table(
        "boot",
        sa.Column("id", ID, nullable=False),
        sa.Column("device_id", ID, nullable=False),
        sa.Column("boot", sa.String(length=64), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_boot_device_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_boot")),
        sa.UniqueConstraint("device_id", "boot", name=op.f("uq_boot_device_id_boot")),
    )
    for table in MARKED:
        _mark(table)


def _mark(table: str) -> None:
    only = sa.text("untimed_boot IS NOT NULL")
    op.add_column(table, sa.Column("untimed_boot", sa.BigInteger(), nullable=True))
    op.add_column(table, sa.Column("untimed_ms", sa.BigInteger(), nullable=True))
    op.create_index(
        op.f(f"ix_{table}_untimed_boot"),
        table,
        ["untimed_boot"],
        sqlite_where=only,
        postgresql_where=only,
    )
