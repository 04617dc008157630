"""Where a standing right holds: a whole site, or one room of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, Table, select

from kokubus_hub import models
from kokubus_hub.models import table
from kokubus_hub.problems import ProblemError, not_found

_SITE, _ROOM = table(models.Site), table(models.Room)


@dataclass(frozen=True, slots=True)
class Place:
    """A site by its slug, and one room of it; None means all of them."""

    site: str
    room: str | None = None


def found(connection: Connection, place: Place) -> tuple[int, int | None]:
    """(site id, room id); ProblemError 404, or 422 for a room of another site."""
    site = connection.execute(select(_SITE.c.id).where(_SITE.c.slug == place.site)).scalar()
    if site is None:
        raise not_found("site", place.site)
    if place.room is None:
        return site, None
    wanted = select(_ROOM.c.id, _ROOM.c.site_id).where(_ROOM.c.slug == place.room)
    room = connection.execute(wanted).one_or_none()
    if room is None:
        raise not_found("room", place.room)
    if room.site_id != site:
        raise ProblemError(422, f"The room {place.room!r} is not one of the site {place.site!r}.")
    return site, room.id


def named(of: Table) -> Select[Any]:
    """Rows with a ``site_id`` and ``room_id``, each with the slugs ``site`` and ``room``."""
    return (
        select(of, _SITE.c.slug.label("site"), _ROOM.c.slug.label("room"))
        .join_from(of, _SITE, of.c.site_id == _SITE.c.id)
        .outerjoin(_ROOM, of.c.room_id == _ROOM.c.id)
        .order_by(of.c.id)
    )
