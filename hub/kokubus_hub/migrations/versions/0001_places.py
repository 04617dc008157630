"""Places: sites, rooms, devices, doors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Places: sites, rooms, devices, doors."""
    _municipality()
    _site()
    _closure()
    _device()
    _placement()
    _room()
    _door()
    _sensor()
    _door_mode()


def _municipality() -> None:
    op.create_table(
        "municipality",
        sa.Column("id", ID, nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_municipality")),
        sa.UniqueConstraint("slug", name=op.f("uq_municipality_slug")),
    )


def _site() -> None:
    op.create_table(
        "site",
        sa.Column("id", ID, nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("help_phone", sa.String(), nullable=False),
        sa.Column("lead_ms", sa.BigInteger(), nullable=False),
        sa.Column("grace_ms", sa.BigInteger(), nullable=False),
        sa.Column("opens_without_clock", sa.Boolean(), nullable=False),
        sa.Column("opening", sa.JSON(none_as_null=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site")),
        sa.UniqueConstraint("slug", name=op.f("uq_site_slug")),
    )


def _closure() -> None:
    op.create_table(
        "closure",
        sa.Column("id", ID, nullable=False),
        sa.Column("site_id", ID, nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.CheckConstraint('"start" < "end"', name=op.f("ck_closure_order")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_closure_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closure")),
    )
    op.create_index(op.f("ix_closure_site_id"), "closure", ["site_id"], unique=False)


def _device() -> None:
    op.create_table(
        "device",
        sa.Column("id", ID, nullable=False),
        sa.Column("site_id", ID, nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("lookup_key", sa.LargeBinary(), nullable=True),
        sa.Column("online", sa.Boolean(), nullable=True),
        sa.Column("status_at", sa.BigInteger(), nullable=True),
        sa.Column("boot", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("applied_epoch", sa.BigInteger(), nullable=True),
        sa.Column("applied_n", sa.BigInteger(), nullable=True),
        sa.Column("applied_sha256", sa.String(length=64), nullable=True),
        sa.Column("applied_at", sa.BigInteger(), nullable=True),
        sa.Column("applied_change", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_device_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
        sa.UniqueConstraint("slug", name=op.f("uq_device_slug")),
    )
    op.create_index(op.f("ix_device_site_id"), "device", ["site_id"], unique=False)


def _placement() -> None:
    op.create_table(
        "placement",
        sa.Column("id", ID, nullable=False),
        sa.Column("site_id", ID, nullable=False),
        sa.Column("municipality_id", ID, nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["municipality_id"], ["municipality.id"], name=op.f("fk_placement_municipality_id")
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_placement_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_placement")),
    )
    op.create_index(
        op.f("ix_placement_municipality_id"), "placement", ["municipality_id"], unique=False
    )
    op.create_index(op.f("ix_placement_site_id"), "placement", ["site_id"], unique=False)


def _room() -> None:
    op.create_table(
        "room",
        sa.Column("id", ID, nullable=False),
        sa.Column("site_id", ID, nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("capacity", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("volume_m3", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_room_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_room")),
        sa.UniqueConstraint("slug", name=op.f("uq_room_slug")),
    )
    op.create_index(op.f("ix_room_site_id"), "room", ["site_id"], unique=False)


def _door() -> None:
    op.create_table(
        "door",
        sa.Column("id", ID, nullable=False),
        sa.Column("site_id", ID, nullable=False),
        sa.Column("device_id", ID, nullable=True),
        sa.Column("room_id", ID, nullable=False),
        sa.Column("from_room_id", ID, nullable=True),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("deadline_ms", sa.BigInteger(), nullable=False),
        sa.Column("pulse_ms", sa.BigInteger(), nullable=False),
        sa.Column("anti_passback", sa.String(length=8), nullable=False),
        sa.Column("reads_both_sides", sa.Boolean(), nullable=False),
        sa.Column("min_assurance", sa.BigInteger(), nullable=False),
        sa.Column("continuous_duty", sa.Boolean(), nullable=False),
        sa.Column("has_contact", sa.Boolean(), nullable=False),
        sa.Column("contact", sa.String(length=8), nullable=True),
        sa.Column("contact_at", sa.BigInteger(), nullable=True),
        sa.Column("held_since", sa.BigInteger(), nullable=True),
        sa.Column("forced_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_door_device_id")),
        sa.ForeignKeyConstraint(["from_room_id"], ["room.id"], name=op.f("fk_door_from_room_id")),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_door_room_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_door_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_door")),
        sa.UniqueConstraint("slug", name=op.f("uq_door_slug")),
    )
    op.create_index(op.f("ix_door_device_id"), "door", ["device_id"], unique=False)
    op.create_index(op.f("ix_door_room_id"), "door", ["room_id"], unique=False)
    op.create_index(op.f("ix_door_site_id"), "door", ["site_id"], unique=False)


def _sensor() -> None:
    op.create_table(
        "sensor",
        sa.Column("id", ID, nullable=False),
        sa.Column("site_id", ID, nullable=False),
        sa.Column("room_id", ID, nullable=False),
        sa.Column("device_id", ID, nullable=True),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("quantity", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_sensor_device_id")),
        sa.ForeignKeyConstraint(["room_id"], ["room.id"], name=op.f("fk_sensor_room_id")),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_sensor_site_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensor")),
        sa.UniqueConstraint("slug", name=op.f("uq_sensor_slug")),
    )
    op.create_index(op.f("ix_sensor_device_id"), "sensor", ["device_id"], unique=False)
    op.create_index(op.f("ix_sensor_room_id"), "sensor", ["room_id"], unique=False)
    op.create_index(op.f("ix_sensor_site_id"), "sensor", ["site_id"], unique=False)


def _door_mode() -> None:
    op.create_table(
        "door_mode",
        sa.Column("id", ID, nullable=False),
        sa.Column("door_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["door_id"], ["door.id"], name=op.f("fk_door_mode_door_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_door_mode")),
    )
    op.create_index(op.f("ix_door_mode_door_id_end"), "door_mode", ["door_id", "end"], unique=False)
