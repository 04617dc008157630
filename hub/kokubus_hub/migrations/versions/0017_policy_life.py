"""How far ahead and how long a site's doors decide alone, where it says so itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A horizon and an expiry of policies a site."""
    op.add_column("site", sa.Column("policy_horizon_ms", sa.BigInteger(), nullable=True))
    op.add_column("site", sa.Column("policy_expiry_ms", sa.BigInteger(), nullable=True))
