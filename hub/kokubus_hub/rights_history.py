"""What was known when: every row that rights depend on, as it was before each change.

Triggers write the history, so that nobody who changes rights has to remember to. A row belongs
to the change (`kokubus_hub.changes`) of its transaction; whoever knew all changes up to one
knew exactly the rows up to it. Names, addresses and UIDs are not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import sha256

from sqlalchemy import JSON, Column, Connection, inspect, text

from kokubus.messages import Instant
from kokubus_hub import models
from kokubus_hub.models import Base, table

PLACES = (
    models.Site,
    models.Closure,
    models.Placement,
    models.Room,
    models.Device,
    models.Door,
    models.DoorMode,
    models.Keyholder,
)
"""Read as a whole for every decision."""
PEOPLE = (
    models.Member,
    models.Badge,
    models.Entitlement,
    models.Booking,
    models.BookingHolder,
)
"""Read for the badge that is asked about."""
_LEFT_OUT: Mapping[type[Base], frozenset[str]] = {
    models.Site: frozenset({"name", "help_phone", "no_show_ms", "early_end_ms"}),
    models.Closure: frozenset({"reason"}),
    models.Placement: frozenset({"address"}),
    models.Room: frozenset({"name", "purpose", "volume_m3"}),
    models.Device: frozenset(
        {"lookup_key", "online", "status_at", "boot", "version", "revoked_at", "kid"}
        | {"site_number", "site_sha256"}
        | {f"applied_{what}" for what in ("epoch", "n", "sha256", "at", "change")}
    ),
    models.Door: frozenset(
        {"name", "contact", "contact_at", "held_since", "forced_at", "code_counter"}
    ),
    models.DoorMode: frozenset({"reason", "operator_id", "change_id", "created_at"}),
    models.Member: frozenset({"name", "email", "language", "postcode_band"}),
    models.Badge: frozenset({"sealed_uid", "label", "tech"}),
    models.Entitlement: frozenset({"subscription_id"}),
    models.Booking: frozenset(
        {"title", "source", "external_uid", "recurrence_id", "said", "change_id"}
        | {"created_at", "changed_at", "checked_in_at", "planned_end"}
    ),
}
"""What no decision looks at: it may name people, or it changes with every passage."""
_OWNER: Mapping[type[Base], str] = {models.Member: "id"}
_STAMP, SINCE = "history", "history_since"
_SINCE = text("SELECT value FROM setting WHERE key = :key").bindparams(key=SINCE)


def columns(model: type[Base]) -> list[Column[object]]:
    """The columns of a tracked table whose values are kept, without its id."""
    left_out = _LEFT_OUT.get(model, frozenset())
    return [column for column in table(model).columns if column.name not in {"id", *left_out}]


def since(connection: Connection) -> int:
    """The change from which on everything is known; older questions cannot be answered."""
    return int(connection.execute(_SINCE).scalar() or 0)


def installed(connection: Connection) -> bool:
    """Whether the triggers are those of this release."""
    if not inspect(connection).has_table("setting"):
        return False
    found = text("SELECT value FROM setting WHERE key = :key").bindparams(key=_STAMP)
    return connection.execute(found).scalar() == _stamp(connection)


def remove(connection: Connection) -> None:
    """Take the triggers away, so that tables may be altered."""
    known = set(inspect(connection).get_table_names())
    for model in (*PLACES, *PEOPLE):
        name = table(model).name
        for event in ("insert", "update", "delete") if name in known else ():
            on = f' ON "{name}"' if connection.dialect.name == "postgresql" else ""
            connection.execute(text(f"DROP TRIGGER IF EXISTS history_{name}_{event}{on}"))


def install(connection: Connection) -> None:
    """Make the triggers, and write down whatever is not yet in the history."""
    for statement in _statements(connection):
        connection.exec_driver_sql(statement)
    first = connection.execute(_SINCE).scalar() is None
    for model in (*PLACES, *PEOPLE):
        connection.exec_driver_sql(_missing(model, connection.dialect.name))
    newest = str(connection.execute(text("SELECT COALESCE(MAX(id), 0) FROM change")).scalar_one())
    _remember(connection, _STAMP, _stamp(connection))
    if first:
        _remember(connection, SINCE, newest)


def forget(connection: Connection, before: Instant, most: int = 5_000) -> int:
    """Delete rows that something else had replaced before this instant; how many.

    To be called again while it deletes ``most``.
    """
    replaced = """
    DELETE FROM history WHERE id IN (
        SELECT old.id FROM history old JOIN change gone ON gone.id = old.change_id
        WHERE gone.at < :before AND (old.data IS NULL OR EXISTS (
            SELECT 1 FROM history newer JOIN change ON change.id = newer.change_id
            WHERE newer.entity = old.entity AND newer.row_id = old.row_id
            AND newer.id > old.id AND change.at < :before))
        ORDER BY old.id LIMIT :most)
    """
    asked = {"before": before, "most": most}
    return int(connection.execute(text(replaced), asked).rowcount)


def _remember(connection: Connection, key: str, value: str) -> None:
    asked = {"key": key, "value": value}
    connection.execute(text("DELETE FROM setting WHERE key = :key"), {"key": key})
    connection.execute(text("INSERT INTO setting (key, value) VALUES (:key, :value)"), asked)


def _stamp(connection: Connection) -> str:
    return sha256("\n".join(_statements(connection)).encode()).hexdigest()


def _statements(connection: Connection) -> list[str]:
    make = _postgresql if connection.dialect.name == "postgresql" else _sqlite
    return [statement for model in (*PLACES, *PEOPLE) for statement in make(model)]


def _sqlite(model: type[Base]) -> list[str]:
    name, written = table(model).name, _names(model)
    changed = " OR ".join(f'OLD."{one}" IS NOT NEW."{one}"' for one in written)
    of = ", ".join(f'"{one}"' for one in written)
    when = {
        "insert": f'AFTER INSERT ON "{name}"',
        "update": f'AFTER UPDATE OF {of} ON "{name}" WHEN {changed}',
        "delete": f'AFTER DELETE ON "{name}"',
    }
    return [
        f"CREATE TRIGGER history_{name}_{event} {when[event]} BEGIN "
        f"{_insert(model, 'sqlite', event)}; END"
        for event in when
    ]


def _postgresql(model: type[Base]) -> list[str]:
    name, made = table(model).name, []
    of = ", ".join(f'"{one}"' for one in _names(model))
    changed = " OR ".join(
        f'OLD."{c.name}"{_text(c)} IS DISTINCT FROM NEW."{c.name}"{_text(c)}'
        for c in columns(model)
    )
    when = {
        "insert": f'AFTER INSERT ON "{name}" FOR EACH ROW',
        "update": f'AFTER UPDATE OF {of} ON "{name}" FOR EACH ROW WHEN ({changed})',
        "delete": f'AFTER DELETE ON "{name}" FOR EACH ROW',
    }
    for event, how in when.items():
        body = f"BEGIN {_insert(model, 'postgresql', event)}; RETURN NULL; END"
        function = f"history_{name}_{event}"
        made.append(
            f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger "
            f"LANGUAGE plpgsql AS $${body}$$"
        )
        made.append(f"CREATE TRIGGER {function} {how} EXECUTE FUNCTION {function}()")
    return made


def _insert(model: type[Base], dialect: str, event: str) -> str:
    row = "OLD" if event == "delete" else "NEW"
    data = "NULL" if event == "delete" else _data(model, dialect, row)
    values = f"'{table(model).name}', {row}.id, {_owner(model, row)}, {data}"
    return f"INSERT INTO history (entity, row_id, owner_id, data) VALUES ({values})"  # noqa: S608 - names of our own tables


def _missing(model: type[Base], dialect: str) -> str:
    """Insert rows that are not in the history as they are: it begins here, or has new columns."""
    name, data = table(model).name, _data(model, dialect, "t")
    held = "h.data::jsonb" if dialect == "postgresql" else "h.data"
    same = data.removesuffix("::json")
    return f"""
    INSERT INTO history (entity, row_id, owner_id, change_id, data)
    SELECT '{name}', t.id, {_owner(model, "t")}, (SELECT COALESCE(MAX(id), 0) FROM change), {data}
    FROM "{name}" t WHERE NOT EXISTS (
        SELECT 1 FROM history h WHERE h.entity = '{name}' AND h.row_id = t.id AND {held} = {same}
        AND h.id = (SELECT MAX(id) FROM history n WHERE n.entity = '{name}' AND n.row_id = t.id))
    """  # noqa: S608 - names of our own tables


def _data(model: type[Base], dialect: str, row: str) -> str:
    pairs = []
    for column in columns(model):
        value = f'{row}."{column.name}"'
        if isinstance(column.type, JSON):
            value = f"{value}::jsonb" if dialect == "postgresql" else f"json({value})"
        pairs.append(f"'{column.name}', {value}")
    listed = ", ".join(pairs)
    if dialect == "postgresql":
        return f"jsonb_build_object({listed})::json"
    return f"json_object({listed})"


def _names(model: type[Base]) -> list[str]:
    return [column.name for column in columns(model)]


def _owner(model: type[Base], row: str) -> str:
    name = _OWNER.get(model, "member_id")
    return f'{row}."{name}"' if name in table(model).columns else "NULL"


def _text(column: Column[object]) -> str:
    return "::text" if isinstance(column.type, JSON) else ""


@cache
def tracked() -> dict[str, list[Column[object]]]:
    """The columns that are kept, by the name of their table."""
    return {table(model).name: columns(model) for model in (*PLACES, *PEOPLE)}
