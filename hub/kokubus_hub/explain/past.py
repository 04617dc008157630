"""The rights as they were known up to a change, in a database of their own.

The history is poured into an empty SQLite database in memory, and the hub's own code decides
there: there is no second reading of the rules that could come to differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Boolean, Connection, Select, Table, bindparam, insert, select

from kokubus import policy
from kokubus.access import decide
from kokubus.decision import Decision, Moment, State, Tap
from kokubus.messages import Instant, Side
from kokubus.rights import Policy
from kokubus_hub import database, models, places, rights_history, store
from kokubus_hub.batch import Batch
from kokubus_hub.models import Base, table
from kokubus_hub.policies import Building, Known
from kokubus_hub.store import Asked

_HISTORY = table(models.History)
_NEWER = _HISTORY.alias("newer")
_UPTO: Any = bindparam("change")
_LATER = select(_NEWER.c.id).where(
    _NEWER.c.entity == _HISTORY.c.entity,
    _NEWER.c.row_id == _HISTORY.c.row_id,
    _NEWER.c.id > _HISTORY.c.id,
    _NEWER.c.change_id <= _UPTO,
)
_ROWS = select(_HISTORY.c.entity, _HISTORY.c.row_id, _HISTORY.c.data).where(
    _HISTORY.c.entity.in_(bindparam("entities", expanding=True)),
    _HISTORY.c.change_id <= _UPTO,
    ~_LATER.exists(),
)
_OWNED = _ROWS.where(_HISTORY.c.owner_id == bindparam("owner"))
_NAMED = _ROWS.where(_HISTORY.c.row_id.in_(bindparam("rows", expanding=True)))
_NEWEST = (
    select(table(models.Change).c.id)
    .where(table(models.Change).c.at <= bindparam("at"))
    .order_by(table(models.Change).c.id.desc())
    .limit(1)
)


def _create(each: Table) -> str:
    listed = ", ".join(f'"{column.name}"' for column in each.columns)
    return f'CREATE TABLE "{each.name}" ({listed});'


_TABLES = "".join(_create(each) for each in Base.metadata.tables.values())
Rows = Mapping[str, dict[int, dict[str, Any]]]
"""Values by id by table."""


class Past:
    """The places as of ``change``, and the badges that were met since. Close it after use."""

    def __init__(self, source: Connection, change: int) -> None:
        self._source, self.change = source, change
        self._engine = database.engine("sqlite://")
        self._scratch = self._engine.connect()
        self._met: dict[int, str] = {}
        self._members: set[int] = set()
        _make_tables(self._scratch)
        self._pour(self._known(_ROWS, rights_history.PLACES))
        self.places = places.load(self._scratch, change)

    def close(self) -> None:
        """Forget it."""
        self._scratch.close()
        self._engine.dispose()

    def meet(self, badge: int) -> str:
        """The lookup of a badge, its holder's rights read; empty if it was not known."""
        if badge in self._met:
            return self._met[badge]
        held = self._known(_NAMED, [models.Badge], rows=[badge])
        own = held["badge"].get(badge)
        if own is None:
            return ""
        self._met[badge] = str(own["lookup"])
        member = own["member_id"]
        if member is None:
            self._pour(held)
        elif member not in self._members:
            self._members.add(member)
            self._meet_member(member)
        return self._met[badge]

    def decide_at_hub(
        self, door: str | None, lookup: str, side: Side, assurance: int, state: State, at: Instant
    ) -> Decision:
        """What the hub answers, as `kokubus_hub.answer` does."""
        place = self.places.doors.get(door) if door else None
        asked = Asked("", lookup, place, side)
        known = store.policy_and_state_for(Batch(self._scratch, self.places, at), [asked])
        tap = Tap(door=place.slug if place else "", badge=lookup, side=side, assurance=assurance)
        return decide(known.policy, state, tap, Moment(at=at))

    def decide_at_door(
        self, door: str, tap: Tap, now: Moment, *, issued_at: Instant, horizon_ms: int, life_ms: int
    ) -> Decision:
        """What the door answers by the policy that was made for it at ``issued_at``."""
        place = self.places.doors[door]
        device = table(models.Device)
        self._scratch.execute(device.update().values(lookup_key=b"-"))
        building = Building(self._scratch, issued_at, horizon_ms, _Plain())
        document = building.of_site(place.site_id, [place.device_id or 0])[place.device_id or 0]
        own = self.places.sites[place.site_id].policy_expiry_ms
        held = Policy(policy.content_of(document), max_age_ms=own or life_ms)
        return decide(held, State(), tap, now)

    def _meet_member(self, member: int) -> None:
        held = self._known(_OWNED, rights_history.PEOPLE, owner=member)
        shared = {row["booking_id"] for row in held["booking_holder"].values()}
        shared -= held["booking"].keys()
        self._pour(held)
        if shared:
            self._pour(self._known(_NAMED, [models.Booking], rows=list(shared)))

    def _known(self, query: Select[Any], entities: Iterable[type[Base]], **asked: object) -> Rows:
        """Rows as they last were up to the change; those deleted by then are left out."""
        names = [table(model).name for model in entities]
        rows: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in names}
        asked |= {"change": self.change, "entities": names}
        for row in self._source.execute(query, asked):
            if row.data is not None:
                rows[row.entity][row.row_id] = row.data
        return rows

    def _pour(self, rows: Rows) -> None:
        for name, held in rows.items():
            if held:
                filled = [{"id": key} | _typed(name, row) for key, row in sorted(held.items())]
                self._scratch.execute(insert(Base.metadata.tables[name]), filled)


class _Plain(Known):
    """Documents that name badges by the hub's lookups: nothing has to be opened for them."""

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]  # no key is used, see `lookups`

    def lookups(self, device: Any, badges: Iterable[str], texts: Mapping[str, bytes]) -> Any:
        """Each badge under its own name."""
        del device, texts
        return {lookup: lookup for lookup in badges}


def _make_tables(scratch: Connection) -> None:
    held = scratch.connection.dbapi_connection
    assert held is not None  # noqa: S101 - it was opened just now
    held.cursor().executescript(_TABLES)


def _typed(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The row's values as the table's types have them; SQLite writes 1 for true."""
    held: dict[str, Any] = {}
    for column in rights_history.tracked()[name]:
        value = row.get(column.name)
        true_or_false = isinstance(column.type, Boolean) and value is not None
        held[column.name] = bool(value) if true_or_false else value
    return held


def newest_change(connection: Connection, at: Instant) -> int:
    """The newest change that was recorded by an instant; 0 if there was none."""
    return int(connection.execute(_NEWEST, {"at": at}).scalar() or 0)
