"""Run the listener's few hot statements: SQLAlchemy compiles each of them, once.

Its own executemany works out every parameter of every row anew, which at a thousand rows a
batch costs several times what the database does; so does its own execute for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from pydantic_core import to_json
from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    CursorResult,
    Dialect,
    Executable,
    Select,
    Table,
    bindparam,
    cast,
    func,
    insert,
    select,
)
from sqlalchemy.sql.schema import ScalarElementColumnDefault

Row = dict[str, Any]
_Maker = Callable[[Row], tuple[Any, ...] | dict[str, Any]]


def insert_rows(connection: Connection, target: Table, rows: Sequence[Row]) -> None:
    """Insert ``rows``, which all have the same keys; other columns get their defaults."""
    if rows:
        sql, make = _compiled(connection.dialect, target, tuple(rows[0]))
        connection.exec_driver_sql(sql, [make(row) for row in rows])


def run(
    connection: Connection, statement: Executable, given: Row | Sequence[Row]
) -> CursorResult[Any]:
    """Run a statement of bound numbers and texts, neither converted going in nor coming out.

    SQLite's truth values come out as 0 and 1. ``statement`` is one of a module's own: it is
    kept for good.
    """
    sql, bind = _plain(connection.dialect, statement)
    bound = bind(given) if isinstance(given, Mapping) else [bind(row) for row in given]
    return connection.exec_driver_sql(sql, bound)


def among(query: Select[Any], column: ColumnElement[Any], name: str) -> dict[str, Select[Any]]:
    """The query by dialect, for the values of ``column`` listed (`listed`) as ``name``.

    A list of ever changing length is one parameter, so that the statement stays the same.
    """
    each = func.json_each(bindparam(name)).table_valued("value")
    text = cast(bindparam(name), JSON)
    element = func.json_array_elements_text(text).table_valued("value")
    return {
        "sqlite": query.where(column.in_(select(each.c.value))),
        "postgresql": query.where(column.in_(select(cast(element.c.value, column.type)))),
    }


def listed(values: Iterable[int | str]) -> str:
    """A parameter of `among`."""
    return to_json(list(values)).decode()


@lru_cache(maxsize=64)
def _plain(dialect: Dialect, statement: Any) -> tuple[str, _Maker]:
    compiled = statement.compile(dialect=dialect)
    fixed, order = dict(compiled.params), compiled.positiontup
    if not order:
        return str(compiled), lambda row: fixed | row
    pick = itemgetter(*order) if len(order) > 1 else lambda row: (row[order[0]],)
    return str(compiled), lambda row: pick(fixed | row)


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
