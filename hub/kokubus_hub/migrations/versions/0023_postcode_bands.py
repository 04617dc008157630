"""Where a member would else have driven to, as far as they said: the first digits of a postcode."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody has said anything yet."""
    op.add_column("member", sa.Column("postcode_band", sa.String(3)))
