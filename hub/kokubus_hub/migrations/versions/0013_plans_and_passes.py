"""Plans and roles, badges nobody knows, passes of guests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AT = sa.BigInteger()


def _id(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, ID, nullable=nullable)


def _to(of: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{of}_{column}"))


def _key(of: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{of}"))


def _once(of: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=op.f(f"uq_{of}_{'_'.join(columns)}"))


def upgrade() -> None:
    """Plans and roles, badges nobody knows, passes of guests."""
    _plans()
    _unknown()
    _passes()


def _plans() -> None:
    op.create_table(
        "plan",
        sa.Column("id", ID, nullable=False),
        sa.Column("slug", sa.String(64), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("schedule", sa.JSON(), nullable=True),
        _key("plan"),
        _once("plan", "slug"),
    )
    op.create_table(
        "plan_place",
        sa.Column("id", ID, nullable=False),
        _id("plan_id"),
        _id("site_id"),
        _id("room_id", nullable=True),
        _to("plan_place", "plan_id", "plan"),
        _to("plan_place", "site_id", "site"),
        _to("plan_place", "room_id", "room"),
        _key("plan_place"),
        _once("plan_place", "plan_id", "site_id", "room_id"),
    )
    op.create_table(
        "subscription",
        sa.Column("id", ID, nullable=False),
        _id("member_id"),
        _id("plan_id"),
        sa.Column("start", AT, nullable=True),
        sa.Column("end", AT, nullable=True),
        _to("subscription", "member_id", "member"),
        _to("subscription", "plan_id", "plan"),
        _key("subscription"),
        _once("subscription", "member_id", "plan_id"),
    )
    op.create_index(op.f("ix_subscription_plan_id"), "subscription", ["plan_id"])
    with op.batch_alter_table("entitlement") as entitlement:
        entitlement.add_column(sa.Column("subscription_id", ID, nullable=True))
        entitlement.create_foreign_key(
            op.f("fk_entitlement_subscription_id"), "subscription", ["subscription_id"], ["id"]
        )
        entitlement.create_index(op.f("ix_entitlement_subscription_id"), ["subscription_id"])


def _unknown() -> None:
    op.create_table(
        "unknown_badge",
        sa.Column("id", ID, nullable=False),
        sa.Column("lookup", sa.String(32), nullable=False),
        sa.Column("sealed_uid", sa.LargeBinary(), nullable=False),
        _id("door_id"),
        sa.Column("first_at", AT, nullable=False),
        sa.Column("last_at", AT, nullable=False),
        sa.Column("taps", AT, nullable=False),
        _to("unknown_badge", "door_id", "door"),
        _key("unknown_badge"),
        _once("unknown_badge", "lookup"),
    )
    op.create_index(op.f("ix_unknown_badge_last_at"), "unknown_badge", ["last_at"])


def _passes() -> None:
    op.create_table(
        "guest_pass",
        sa.Column("id", ID, nullable=False),
        _id("booking_id"),
        _id("member_id"),
        _id("badge_id"),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("sealed_token", sa.LargeBinary(), nullable=False),
        sa.Column("change_id", AT, nullable=False),
        sa.Column("created_at", AT, nullable=False),
        _to("guest_pass", "booking_id", "booking"),
        _to("guest_pass", "member_id", "member"),
        _to("guest_pass", "badge_id", "badge"),
        _key("guest_pass"),
        _once("guest_pass", "booking_id", "member_id"),
        _once("guest_pass", "token_hash"),
    )
    op.create_index(op.f("ix_guest_pass_badge_id"), "guest_pass", ["badge_id"])
    op.create_index(op.f("ix_guest_pass_member_id"), "guest_pass", ["member_id"])
