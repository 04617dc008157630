"""Occupancy: readings, presence, beliefs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Occupancy: readings, presence, beliefs."""
    _belief()
    _belief_snapshot()
    _presence()
    _reading()


def _belief() -> None:
    op.create_table(
        "belief",
        sa.Column(
            "room_id",
            ID,
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("dirty_since", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_belief_room_id")),
        sa.PrimaryKeyConstraint("room_id", name=op.f("pk_belief")),
    )


def _belief_snapshot() -> None:
    op.create_table(
        "belief_snapshot",
        sa.Column("id", ID, nullable=False),
        sa.Column("room_id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_belief_snapshot_room_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_belief_snapshot")),
        sa.UniqueConstraint("room_id", "at", name=op.f("uq_belief_snapshot_room_id_at")),
    )


def _presence() -> None:
    op.create_table(
        "presence",
        sa.Column("id", ID, nullable=False),
        sa.Column("badge_id", ID, nullable=False),
        sa.Column("room_id", ID, nullable=False),
        sa.Column("inside", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["badge_id"], ["badge.id"], name=op.f("fk_presence_badge_id")),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_presence_room_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_presence")),
        sa.UniqueConstraint("badge_id", "room_id", name=op.f("uq_presence_badge_id_room_id")),
    )
    op.create_index(
        op.f("ix_presence_room_id_inside"), "presence", ["room_id", "inside"], unique=False
    )


def _reading() -> None:
    op.create_table(
        "reading",
        sa.Column("id", ID, nullable=False),
        sa.Column("sensor_id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["sensor_id"], ["sensor.id"], name=op.f("fk_reading_sensor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reading")),
    )
    op.create_index(op.f("ix_reading_sensor_id_at"), "reading", ["sensor_id", "at"], unique=False)
