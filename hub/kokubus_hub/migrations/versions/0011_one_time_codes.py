"""One-time codes: who read one out, why, and whether it was used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """One-time codes."""
    op.add_column(
        "door", sa.Column("code_counter", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.create_table(
        "one_time_code",
        sa.Column("id", ID, nullable=False),
        sa.Column("door_id", ID, nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("operator_id", ID, nullable=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["door_id"], ["door.id"], name=op.f("fk_one_time_code_door_id")),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operator.id"], name=op.f("fk_one_time_code_operator_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_code")),
        sa.UniqueConstraint("door_id", "counter", name=op.f("uq_one_time_code_door_id_counter")),
    )
