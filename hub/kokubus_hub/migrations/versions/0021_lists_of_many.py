"""Indexes for lists of a large network: bookings by uid, status and time, passages of a member."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bookings by uid, status, time and length; what a member did since; members by name."""
    op.create_index(op.f("ix_booking_external_uid"), "booking", ["external_uid"])
    op.create_index("ix_booking_status", "booking", [sa.text("lower(status)"), "id"])
    op.create_index(op.f("ix_booking_start"), "booking", ["start"])
    op.create_index("ix_booking_length", "booking", [sa.text('("end" - "start")')])
    op.create_index(op.f("ix_passage_member_id_at"), "passage", ["member_id", "at"])
    op.drop_index(op.f("ix_passage_member_id"), "passage")
    op.create_index("ix_member_name", "member", ["status", sa.text("lower(name)"), "id"])
