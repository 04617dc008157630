"""Changes are found by their time, to tell what was known then."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Changes are found by their time, to tell what was known then."""
    op.create_index(op.f("ix_change_at"), "change", ["at"])
