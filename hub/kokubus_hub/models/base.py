"""What every table shares: naming, key and column types."""

from __future__ import annotations

from typing import Annotated, Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    text,
)
from sqlalchemy.orm import DeclarativeBase, mapped_column

BigId = BigInteger().with_variant(Integer, "sqlite")
"""SQLite's rowid is only an INTEGER PRIMARY KEY, whatever its width."""

Key = Annotated[int, mapped_column(BigId, primary_key=True)]
At = Annotated[int, mapped_column(BigInteger)]
"""Milliseconds since 1970-01-01 UTC."""
Slug = Annotated[str, mapped_column(String(64), unique=True)]
"""The name a row has on the wire and in addresses; never changed once given."""
Json = Annotated[Any, mapped_column(JSON(none_as_null=True))]


class Base(DeclarativeBase):
    """All tables; ``Model.__table__`` is what the decision path uses."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {int: BigInteger, float: Double, bytes: LargeBinary}  # noqa: RUF012 - SQLAlchemy's own form


def to(table: str) -> ForeignKey:
    """A reference to another table's ``id``; rows referred to cannot be deleted."""
    return ForeignKey(f"{table}.id")


def untimed(name: str) -> Index:
    """The index of rows whose time is not known yet: `models.Boot`; hardly ever any."""
    only = text("untimed_boot IS NOT NULL")
    named = f"ix_{name}_untimed_boot"
    return Index(named, "untimed_boot", sqlite_where=only, postgresql_where=only)


def table(model: type[Base]) -> Table:
    """The model's table, as the decision path uses it."""
    return cast("Table", model.__table__)
