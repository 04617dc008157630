"""Where a site stands and from when until when, as its file says.

A placement is known by its first day: what else is said of it can be put right later. Reports
that were told refer to theirs, so it cannot be taken away or begin on another day any more: its
time would be cut and told once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, delete, insert, select, update

from kokubus.errors import SiteError
from kokubus.messages import Instant
from kokubus.site import Placement, Site
from kokubus_hub import models, rules
from kokubus_hub.models import table
from kokubus_hub.sites import closures

_PLACEMENT, _SITE = table(models.Placement), table(models.Site)
_BLOCK = table(models.ReportBlock)


class Stand(NamedTuple):
    """A placement's columns, but for its id and its site's."""

    municipality_id: int
    address: str
    start: Instant
    end: Instant | None
    latitude: float | None
    longitude: float | None


def stand(said: Placement, municipality_id: int, site: Site) -> Stand:
    """A placement of the file, from midnight to midnight where the site stands."""
    zone = ZoneInfo(site.timezone)
    end = None if said.end is None else _midnight(said.end, zone)
    start = _midnight(said.start, zone)
    return Stand(municipality_id, said.address, start, end, said.latitude, said.longitude)


def put(connection: Connection, site_id: int, site: Site, wanted: Sequence[Stand]) -> list[str]:
    """Make the site's placements those wanted; what differed, a line each.

    SiteError for one that would have to go although reports of it were told.
    """
    query = select(_PLACEMENT).where(_PLACEMENT.c.site_id == site_id)
    held = {row.start: row for row in connection.execute(query.order_by(_PLACEMENT.c.start))}
    zone, by_start = ZoneInfo(site.timezone), {one.start: one for one in wanted}
    gone = [row for start, row in held.items() if _stand_of(row) != by_start.get(start)]
    fresh = [one for one in wanted if one.start not in held or _stand_of(held[one.start]) != one]
    for row in gone:
        if row.start not in by_start:
            _take_away(connection, site, row)
    for one in fresh:
        _write(connection, site_id, held.get(one.start), one)
    return [
        *(f"- placement of {site.id}: {row.address}" for row in gone),
        *(f"+ placement of {site.id}: {one.address}, {_days(one, zone)}" for one in fresh),
    ]


def stranded(connection: Connection, site_id: int, now: Instant) -> Iterator[str]:
    """Bookings that the placements leave on the road: they stay, and open nothing there."""
    site = connection.execute(select(_SITE).where(_SITE.c.id == site_id)).one()
    stands = connection.execute(select(_PLACEMENT).where(_PLACEMENT.c.site_id == site_id)).all()
    for start, end in rules.in_transit(site, stands):
        for row in closures.hits(connection, site_id, max(start, now), end):
            yield f"! booking {row.id} of {row.room} falls into transit"


def _take_away(connection: Connection, site: Site, row: Row[tuple[object, ...]]) -> None:
    told = select(_BLOCK.c.id).where(_BLOCK.c.placement_id == row.id).limit(1)
    if connection.execute(told).first() is not None:
        begun = _day(row.start, ZoneInfo(site.timezone))
        raise SiteError(
            f"{site.id}: reports of the placement at {row.address!r} were told: keep its"
            f" [[placement]] with from = {begun} (address, municipality and until may change)"
        )
    connection.execute(delete(_PLACEMENT).where(_PLACEMENT.c.id == row.id))


def _write(
    connection: Connection, site_id: int, held: Row[tuple[object, ...]] | None, one: Stand
) -> None:
    if held is None:
        connection.execute(insert(_PLACEMENT).values(site_id=site_id, **one._asdict()))
        return
    put_right = update(_PLACEMENT).where(_PLACEMENT.c.id == held.id)
    connection.execute(put_right.values(**one._asdict()))


def _stand_of(row: Row[tuple[object, ...]]) -> Stand:
    return Stand(*(getattr(row, name) for name in Stand._fields))


def _days(one: Stand, zone: ZoneInfo) -> str:
    return f"{_day(one.start, zone)} to {None if one.end is None else _day(one.end, zone)}"


def _midnight(day: date, zone: ZoneInfo) -> Instant:
    return int(datetime.combine(day, time(), zone).timestamp()) * 1000


def _day(at: Instant, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).date()
