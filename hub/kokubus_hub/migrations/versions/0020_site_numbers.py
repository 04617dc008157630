"""Which file of its site each device runs by, and the number of the one that holds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Files of sites are numbered; devices report number and fingerprint."""
    number = sa.Column("number", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("site_file", number)
    op.add_column("device", sa.Column("site_number", sa.BigInteger(), nullable=True))
    op.add_column("device", sa.Column("site_sha256", sa.String(64), nullable=True))
