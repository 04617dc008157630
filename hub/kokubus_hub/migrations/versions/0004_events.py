"""Events: taps, answers, passages, commands, spools."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Events: taps, answers, passages, commands, spools."""
    _dead_letter()
    _spool()
    _access_event()
    _command()
    _door_event()
    _enforcement()
    _passage()


def _dead_letter() -> None:
    op.create_table(
        "dead_letter",
        sa.Column("id", ID, nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letter")),
    )


def _spool() -> None:
    op.create_table(
        "spool",
        sa.Column("id", ID, nullable=False),
        sa.Column("device_id", ID, nullable=False),
        sa.Column("epoch", sa.String(length=64), nullable=False),
        sa.Column("received", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_spool_device_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spool")),
        sa.UniqueConstraint("device_id", "epoch", name=op.f("uq_spool_device_id_epoch")),
    )


def _access_event() -> None:
    op.create_table(
        "access_event",
        sa.Column("id", ID, nullable=False),
        sa.Column("tap", sa.String(length=64), nullable=False),
        sa.Column("device_id", ID, nullable=False),
        sa.Column("door_id", ID, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("boot", sa.String(length=64), nullable=False),
        sa.Column("uptime_ms", sa.BigInteger(), nullable=False),
        sa.Column("clock", sa.String(length=16), nullable=False),
        sa.Column("side", sa.String(length=4), nullable=False),
        sa.Column("assurance", sa.BigInteger(), nullable=False),
        sa.Column("badge_id", ID, nullable=True),
        sa.Column("member_id", ID, nullable=True),
        sa.Column("granted", sa.Boolean(), nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("flags", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("right", sa.String(length=64), nullable=True),
        sa.Column("state", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("policy_epoch", sa.BigInteger(), nullable=True),
        sa.Column("policy_n", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["badge_id"], ["badge.id"], name=op.f("fk_access_event_badge_id")),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_access_event_device_id")
        ),
        sa.ForeignKeyConstraint(["door_id"], ["door.id"], name=op.f("fk_access_event_door_id")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_access_event_member_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_event")),
        sa.UniqueConstraint("tap", name=op.f("uq_access_event_tap")),
    )
    _access_event_indexes()


def _access_event_indexes() -> None:
    op.create_index(op.f("ix_access_event_at"), "access_event", ["at"], unique=False)
    op.create_index(op.f("ix_access_event_badge_id"), "access_event", ["badge_id"], unique=False)
    op.create_index(op.f("ix_access_event_member_id"), "access_event", ["member_id"], unique=False)


def _command() -> None:
    op.create_table(
        "command",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("door_id", ID, nullable=False),
        sa.Column("operator_id", ID, nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("outcome_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["door_id"], ["door.id"], name=op.f("fk_command_door_id")),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operator.id"], name=op.f("fk_command_operator_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_command")),
    )
    op.create_index(op.f("ix_command_door_id"), "command", ["door_id"], unique=False)


def _door_event() -> None:
    op.create_table(
        "door_event",
        sa.Column("id", ID, nullable=False),
        sa.Column("door_id", ID, nullable=False),
        sa.Column("device_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("tap", sa.String(length=64), nullable=True),
        sa.Column("command", sa.String(length=64), nullable=True),
        sa.Column("detail", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_door_event_device_id")),
        sa.ForeignKeyConstraint(["door_id"], ["door.id"], name=op.f("fk_door_event_door_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_door_event")),
    )
    op.create_index(op.f("ix_door_event_door_id_at"), "door_event", ["door_id", "at"], unique=False)


def _enforcement() -> None:
    op.create_table(
        "enforcement",
        sa.Column("id", ID, nullable=False),
        sa.Column("tap", sa.String(length=64), nullable=False),
        sa.Column("door_id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(length=4), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("policy_epoch", sa.BigInteger(), nullable=True),
        sa.Column("policy_n", sa.BigInteger(), nullable=True),
        sa.Column("policy_age_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["door_id"], ["door.id"], name=op.f("fk_enforcement_door_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enforcement")),
        sa.UniqueConstraint("tap", name=op.f("uq_enforcement_tap")),
    )
    op.create_index(op.f("ix_enforcement_at"), "enforcement", ["at"], unique=False)


def _passage() -> None:
    op.create_table(
        "passage",
        sa.Column("id", ID, nullable=False),
        sa.Column("door_id", ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.String(length=4), nullable=True),
        sa.Column("tap", sa.String(length=64), nullable=True),
        sa.Column("command", sa.String(length=64), nullable=True),
        sa.Column("exit_requested", sa.Boolean(), nullable=False),
        sa.Column("member_id", ID, nullable=True),
        sa.ForeignKeyConstraint(["door_id"], ["door.id"], name=op.f("fk_passage_door_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_passage_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passage")),
    )
    op.create_index(op.f("ix_passage_door_id_at"), "passage", ["door_id", "at"], unique=False)
    op.create_index(op.f("ix_passage_member_id"), "passage", ["member_id"], unique=False)
    op.create_index(op.f("ix_passage_tap"), "passage", ["tap"], unique=False)
