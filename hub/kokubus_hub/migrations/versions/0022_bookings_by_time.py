"""Bookings of a span of time: in pages by their start, and those that last for days; events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bookings by start, id and end, and by end if longer than 25 hours; what came of a tap."""
    op.create_index(op.f("ix_booking_start_id_end"), "booking", ["start", "id", "end"])
    op.drop_index(op.f("ix_booking_start"), "booking")
    long = sa.text('("end" - "start") > 90000000')
    op.create_index(
        "ix_booking_long",
        "booking",
        ["end", "start", "id"],
        sqlite_where=long,
        postgresql_where=long,
    )
    op.drop_index("ix_booking_length", "booking")
    op.create_index(op.f("ix_door_event_tap"), "door_event", ["tap"])
