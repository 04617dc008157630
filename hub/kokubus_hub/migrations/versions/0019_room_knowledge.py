"""What is known of a room's count beside its sensors: labels, faults, calibrations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """What is known of a room's count beside its sensors: labels, faults, calibrations."""
    _head_count()
    _sensor_fault()
    _calibration()


def _head_count() -> None:
    op.create_table(
        "head_count",
        sa.Column("id", ID, nullable=False),
        sa.Column("room_id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("people", sa.BigInteger(), nullable=False),
        sa.Column("operator_id", ID, nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_head_count_room_id")),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operator.id"], name=op.f("fk_head_count_operator_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_head_count")),
    )
    op.create_index(op.f("ix_head_count_room_id_at"), "head_count", ["room_id", "at"])


def _sensor_fault() -> None:
    op.create_table(
        "sensor_fault",
        sa.Column("id", ID, nullable=False),
        sa.Column("sensor_id", ID, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.Column("cleared_at", sa.BigInteger(), nullable=True),
        sa.Column("alarm_id", ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["sensor_id"], ["sensor.id"], name=op.f("fk_sensor_fault_sensor_id")
        ),
        sa.ForeignKeyConstraint(["alarm_id"], ["alarm.id"], name=op.f("fk_sensor_fault_alarm_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensor_fault")),
    )
    op.create_index(
        op.f("ix_sensor_fault_sensor_id_found_at"), "sensor_fault", ["sensor_id", "found_at"]
    )


def _calibration() -> None:
    op.create_table(
        "calibration",
        sa.Column("id", ID, nullable=False),
        sa.Column("room_id", ID, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_calibration_room_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibration")),
        sa.UniqueConstraint("room_id", "version", name=op.f("uq_calibration_room_id_version")),
    )
