"""Rules and history: modes of sites, what places allow, and what was known when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Rules and history: modes of sites, what places allow, and what was known when."""
    _places()
    _door_mode()
    _history()
    # made anew on SQLite, which must go on never giving an id twice
    kwargs = {"sqlite_autoincrement": True}
    with op.batch_alter_table("change", table_kwargs=kwargs) as change:
        change.add_column(sa.Column("operator_id", ID, nullable=True))
        change.create_foreign_key(
            op.f("fk_change_operator_id"), "operator", ["operator_id"], ["id"]
        )
    op.add_column("access_event", sa.Column("change_id", sa.BigInteger(), nullable=True))
    op.drop_index(op.f("ix_access_event_badge_id"), "access_event")
    op.create_index(op.f("ix_access_event_badge_id_at"), "access_event", ["badge_id", "at"])


def _places() -> None:
    for table, column in (
        ("site", sa.Column("daily_reset", sa.String(5), nullable=False, server_default="04:00")),
        ("placement", sa.Column("latitude", sa.Double(), nullable=True)),
        ("placement", sa.Column("longitude", sa.Double(), nullable=True)),
        ("room", sa.Column("reserve", sa.BigInteger(), nullable=False, server_default="0")),
        ("door", sa.Column("free_passage", sa.Boolean(), nullable=False, server_default="0")),
    ):
        op.add_column(table, column)


def _door_mode() -> None:
    with op.batch_alter_table("door_mode") as mode:
        mode.alter_column("door_id", existing_type=ID, nullable=True)
        mode.add_column(sa.Column("site_id", ID, nullable=True))
        mode.add_column(sa.Column("operator_id", ID, nullable=True))
        mode.add_column(sa.Column("change_id", sa.BigInteger(), nullable=True))
        mode.add_column(
            sa.Column("created_at", sa.BigInteger(), nullable=False, server_default="0")
        )
        for column in ("site", "operator"):
            name = op.f(f"fk_door_mode_{column}_id")
            mode.create_foreign_key(name, column, [f"{column}_id"], ["id"])
    op.create_index(op.f("ix_door_mode_site_id"), "door_mode", ["site_id"])


def _history() -> None:
    op.create_table(
        "history",
        sa.Column("id", ID, nullable=False),
        sa.Column("entity", sa.String(length=32), nullable=False),
        sa.Column("row_id", sa.BigInteger(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=True),
        sa.Column("change_id", sa.BigInteger(), nullable=True),
        sa.Column("data", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history")),
    )
    op.create_index(op.f("ix_history_entity_row_id_id"), "history", ["entity", "row_id", "id"])
    op.create_index(op.f("ix_history_owner_id_entity"), "history", ["owner_id", "entity"])
    op.create_index(op.f("ix_history_change_id"), "history", ["change_id"])
