"""Bookings: seats that cannot be taken twice, people, deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
EXCLUSION = """
ALTER TABLE claim ADD CONSTRAINT ex_claim_seat
EXCLUDE USING gist (room_id WITH =, seat WITH =, int8range("start", "end") WITH &&)
"""
TRIGGER = """
CREATE TRIGGER claim_{name} BEFORE {event} ON claim
WHEN EXISTS (
    SELECT 1 FROM claim WHERE room_id = NEW.room_id AND seat = NEW.seat
    AND "end" > NEW."start" AND "start" < NEW."end" AND id IS NOT NEW.id
)
BEGIN SELECT RAISE(ABORT, 'ex_claim_seat'); END
"""
"""In SQLite, which has no exclusion constraints."""


def upgrade() -> None:
    """Bookings: seats that cannot be taken twice, people, deliveries."""
    _booking()
    _booking_holder()
    _claim()
    _booking_delivery()
    _others()
    _no_double_claims()


def _booking() -> None:
    order = sa.CheckConstraint('"start" < "end"', name=op.f("ck_booking_order"))
    with op.batch_alter_table("booking", table_args=(order,)) as batch:
        batch.add_column(sa.Column("kind", sa.String(16), server_default="booking", nullable=False))
        batch.add_column(sa.Column("desks", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("people", sa.BigInteger(), server_default="1", nullable=False))
        batch.add_column(sa.Column("said", sa.JSON(none_as_null=True), nullable=True))
        batch.add_column(sa.Column("checked_in_at", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("planned_end", sa.BigInteger(), nullable=True))
        batch.alter_column("member_id", existing_type=ID, nullable=True)


def _others() -> None:
    with op.batch_alter_table("door_mode") as batch:
        batch.add_column(sa.Column("booking_id", ID, nullable=True))
        batch.create_index(batch.f("ix_door_mode_booking_id"), ["booking_id"])
        batch.create_foreign_key(
            batch.f("fk_door_mode_booking_id"), "booking", ["booking_id"], ["id"]
        )
    member = sa.Column("kind", sa.String(16), server_default="member", nullable=False)
    op.add_column("member", member)
    op.add_column("room", sa.Column("desks", sa.BigInteger(), nullable=True))
    op.add_column("site", sa.Column("no_show_ms", sa.BigInteger(), nullable=True))
    op.add_column("site", sa.Column("early_end_ms", sa.BigInteger(), nullable=True))


def _no_double_claims() -> None:
    """A claim that overlaps another of the same seat is refused, whoever writes it."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        op.execute(EXCLUSION)
    else:
        for event in ("INSERT", "UPDATE"):
            op.execute(TRIGGER.format(name=event.lower(), event=event))


def _booking_holder() -> None:
    op.create_table(
        "booking_holder",
        sa.Column("id", ID, nullable=False),
        sa.Column("booking_id", ID, nullable=False),
        sa.Column("member_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_booking_holder_booking_id")
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_booking_holder_member_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking_holder")),
        sa.UniqueConstraint(
            "booking_id", "member_id", name=op.f("uq_booking_holder_booking_id_member_id")
        ),
    )
    op.create_index(
        op.f("ix_booking_holder_member_id"), "booking_holder", ["member_id"], unique=False
    )


def _claim() -> None:
    op.create_table(
        "claim",
        sa.Column("id", ID, nullable=False),
        sa.Column("booking_id", ID, nullable=False),
        sa.Column("room_id", ID, nullable=False),
        sa.Column("seat", sa.BigInteger(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.CheckConstraint('"start" < "end"', name=op.f("ck_claim_order")),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], name=op.f("fk_claim_booking_id")),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_claim_room_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim")),
    )
    op.create_index(op.f("ix_claim_booking_id"), "claim", ["booking_id"], unique=False)
    op.create_index(
        op.f("ix_claim_room_id_seat_end_start"),
        "claim",
        ["room_id", "seat", "end", "start"],
        unique=False,
    )


def _booking_delivery() -> None:
    op.create_table(
        "booking_delivery",
        sa.Column("id", ID, nullable=False),
        sa.Column("booking_id", ID, nullable=False),
        sa.Column("door_id", ID, nullable=False),
        sa.Column("change_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_booking_delivery_booking_id")
        ),
        sa.ForeignKeyConstraint(["door_id"], ["door.id"], name=op.f("fk_booking_delivery_door_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking_delivery")),
        sa.UniqueConstraint(
            "booking_id", "door_id", name=op.f("uq_booking_delivery_booking_id_door_id")
        ),
    )
    op.create_index(
        op.f("ix_booking_delivery_door_id"), "booking_delivery", ["door_id"], unique=False
    )
    op.create_index(
        "ix_booking_delivery_open",
        "booking_delivery",
        ["due"],
        unique=False,
        sqlite_where=sa.text("state <> 'on_the_door'"),
        postgresql_where=sa.text("state <> 'on_the_door'"),
    )
