"""Reports: figures as they were released."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Reports: figures as they were released."""
    name = "report_block"
    op.create_table(
        name,
        sa.Column("id", ID, nullable=False),
        sa.Column("site_id", ID, nullable=False),
        sa.Column("placement_id", ID, nullable=False),
        sa.Column("level", sa.String(8), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("weeks", sa.Double(), nullable=False),
        sa.Column("figures", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("heat", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f(f"fk_{name}_site_id")),
        sa.ForeignKeyConstraint(
            ["placement_id"], ["placement.id"], name=op.f(f"fk_{name}_placement_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sa.UniqueConstraint(
            "placement_id", "level", "start", name=op.f(f"uq_{name}_placement_id_level_start")
        ),
    )
    op.create_index(op.f(f"ix_{name}_site_id_start"), name, ["site_id", "start"])
