"""Insert many rows of one shape: SQLAlchemy compiles the statement, once.

Its own executemany works out every parameter of every row anew, which at a thousand rows a
batch costs several times what the database does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Table, insert
from sqlalchemy.sql.schema import ScalarElementColumnDefault

Row = Mapping[str, Any]
_Maker = Callable[[Row], tuple[Any, ...] | dict[str, Any]]


def insert_rows(connection: Connection, target: Table, rows: Sequence[Row]) -> None:
    """Insert ``rows``, which all have the same keys; other columns get their defaults."""
    if rows:
        sql, make = _compiled(connection.dialect, target, tuple(rows[0]))
        connection.exec_driver_sql(sql, [make(row) for row in rows])


@lru_cache(maxsize=128)
def _compiled(dialect: Dialect, target: Table, keys: tuple[str, ...]) -> tuple[str, _Maker]:
    defaults = _defaults(target, keys)
    names = [*keys, *defaults]
    compiled = insert(target).inline().compile(dialect=dialect, column_keys=names)
    order = compiled.positiontup or names
    converts = {
        name: processor
        for name in names
        if (processor := target.c[name].type.dialect_impl(dialect).bind_processor(dialect))
    }
    make = _tuples(order, converts, defaults)
    if compiled.positiontup:
        return str(compiled), make
    return str(compiled), lambda row: dict(zip(order, make(row), strict=True))


def _tuples(
    order: Sequence[str], converts: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Callable[[Row], tuple[Any, ...]]:
    """Rows to tuples, in C as far as no value has to be converted or added."""
    pick = itemgetter(*order) if len(order) > 1 else lambda row: (row[order[0]],)
    places = [(place, converts[name]) for place, name in enumerate(order) if name in converts]
    if not (places or defaults):
        return pick

    def values(row: Row) -> tuple[Any, ...]:
        picked = list(pick({**defaults, **row} if defaults else row))
        for place, convert in places:
            picked[place] = convert(picked[place])
        return tuple(picked)

    return values


def _defaults(target: Table, keys: tuple[str, ...]) -> dict[str, Any]:
    """Plain column defaults of what a row leaves out."""
    left = {column.name: column.default for column in target.c if column.name not in keys}
    return {
        name: made.arg
        for name, made in left.items()
        if isinstance(made, ScalarElementColumnDefault)
    }
