"""Platforms: the municipality they book in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Platforms: the municipality they book in."""
    with op.batch_alter_table("platform") as batch:
        batch.add_column(sa.Column("municipality_id", ID, nullable=True))
        batch.create_foreign_key(
            batch.f("fk_platform_municipality_id"), "municipality", ["municipality_id"], ["id"]
        )
