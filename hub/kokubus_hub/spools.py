"""Exactly once: which numbers of each device's record are durable here.

A row of `models.Spool` holds the ranges received of one (device, epoch). They are kept in
memory between batches and written back with a version check, so that a second listener which
received the same fact makes this one's transaction start over instead of counting it twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic_core import from_json, to_json
from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from kokubus.errors import KokubusError
from kokubus.messages import Stamp
from kokubus.ranges import Ranges
from kokubus_hub.bulk import run
from kokubus_hub.models import Spool, table

_SPOOL = table(Spool)
_READ = select(_SPOOL.c.id, _SPOOL.c.received, _SPOOL.c.version).where(
    _SPOOL.c.device_id == bindparam("of_device"), _SPOOL.c.epoch == bindparam("of_epoch")
)
_WRITE = (
    update(_SPOOL)
    .where(_SPOOL.c.id == bindparam("row"), _SPOOL.c.version == bindparam("was"))
    .values(received=bindparam("ranges"), version=bindparam("is"))
)
_INSERT = {
    "sqlite": sqlite.insert(_SPOOL).on_conflict_do_nothing().returning(_SPOOL.c.id),
    "postgresql": postgresql.insert(_SPOOL).on_conflict_do_nothing().returning(_SPOOL.c.id),
}


class SpoolMovedError(KokubusError):
    """Another listener wrote the same record in between: begin this transaction again."""


@dataclass(slots=True)
class _Record:
    row: int
    version: int
    received: Ranges


class Spools:
    """The ledger of one listener: `is_new` per fact, then `write`, or `forget` on a rollback."""

    def __init__(self) -> None:
        self._records: dict[tuple[int, str], _Record] = {}
        self._touched: set[tuple[int, str]] = set()

    def is_new(self, connection: Connection, device_id: int, stamp: Stamp) -> bool:
        """Whether this number was never received; from now on it was."""
        key = (device_id, stamp.epoch)
        record = self._records.get(key) or self._load(connection, key)
        new = record.received.add(stamp.seq)
        if new:
            self._touched.add(key)
        return new

    def excuse(
        self, connection: Connection, device_id: int, epoch: str, lost: tuple[tuple[int, int], ...]
    ) -> None:
        """Take numbers as accounted for that the device says will never come."""
        key = (device_id, epoch)
        record = self._records.get(key) or self._load(connection, key)
        for first, last in lost:
            record.received.add_range(first, last)
        self._touched.add(key)

    def write(self, connection: Connection) -> None:
        """Write what this transaction received; SpoolMovedError if somebody else did too."""
        # in one order everywhere, so that two listeners never wait for each other
        rows = [self._row(self._records[key]) for key in sorted(self._touched)]
        if not rows:
            return
        if run(connection, _WRITE, rows).rowcount != len(rows):
            raise SpoolMovedError("a device's record was written by another listener")
        for key in self._touched:
            self._records[key].version += 1
        self._touched.clear()

    def forget(self) -> None:
        """After a rollback: what is in memory is no longer what the database holds."""
        self._records.clear()
        self._touched.clear()

    def _load(self, connection: Connection, key: tuple[int, str]) -> _Record:
        found = connection.execute(_READ, {"of_device": key[0], "of_epoch": key[1]}).first()
        record = (
            _Record(found.id, found.version, Ranges(from_json(found.received)))
            if found
            else self._create(connection, key)
        )
        self._records[key] = record
        return record

    def _create(self, connection: Connection, key: tuple[int, str]) -> _Record:
        row = {"device_id": key[0], "epoch": key[1], "received": "[]", "version": 0}
        added = connection.scalar(_INSERT[connection.dialect.name], row)
        if added is None:
            raise SpoolMovedError("a device's record was begun by another listener")
        return _Record(int(added), 0, Ranges())

    def _row(self, record: _Record) -> dict[str, object]:
        return {
            "row": record.row,
            "was": record.version,
            "is": record.version + 1,
            "ranges": to_json(list(record.received)).decode(),
        }
