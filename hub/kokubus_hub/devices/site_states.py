"""By which file of its site each device runs, and what becomes of one that has changed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, select

from kokubus.errors import KokubusError
from kokubus.site import Site
from kokubus.site.given import fingerprint
from kokubus_hub import models
from kokubus_hub.models import table
from kokubus_hub.sites import files

_FILE, _DEVICE, _SITE = table(models.SiteFile), table(models.Device), table(models.Site)
_DEVICES = (
    select(_DEVICE, _SITE.c.slug.label("site"), _FILE.c.number)
    .join_from(_DEVICE, _SITE)
    .outerjoin(_FILE, _FILE.c.site_id == _DEVICE.c.site_id)
    .order_by(_DEVICE.c.slug)
)


class Reception(StrEnum):
    """How a device stands to its site's file."""

    CURRENT = "current"
    AHEAD = "ahead"
    TAKES_IT = "takes_it"
    OFFLINE = "offline"
    UNHEARD = "unheard"
    OLDER_RELEASE = "older_release"
    NOT_ENROLLED = "not_enrolled"
    REVOKED = "revoked"
    NOT_NAMED = "not_named"
    NO_FILE = "no_file"


@dataclass(frozen=True, slots=True)
class SiteState:
    """A device; ``number`` is its file's: 0 written by hand, None if it has not said."""

    device: str
    site: str
    number: int | None
    reception: Reception


def states(connection: Connection) -> list[SiteState]:
    """Of every device, by name."""
    rows = connection.execute(_DEVICES).all()
    sites = {site: _file(connection, site) for site in {row.site_id for row in rows}}
    return [
        SiteState(row.slug, row.site, row.site_number, _reception(row, sites[row.site_id]))
        for row in rows
    ]


def _file(connection: Connection, site: int) -> Site | None:
    """None also for one that this release cannot read: `site_files` says so in its log."""
    try:
        return files.of_site(connection, site)
    except KokubusError:
        return None


def _reception(row: Any, site: Site | None) -> Reception:
    """The same conditions as `site_files` sends by."""
    if row.revoked_at is not None:
        return Reception.REVOKED
    if site is None:
        return Reception.NO_FILE
    if row.slug not in site.devices:
        return Reception.NOT_NAMED
    if row.lookup_key is None:
        return Reception.NOT_ENROLLED
    return _of_enrolled(row, site)


def _of_enrolled(row: Any, site: Site) -> Reception:
    if row.site_number is None:
        return Reception.UNHEARD if row.online is None else Reception.OLDER_RELEASE
    if fingerprint(site, row.slug) == row.site_sha256:
        return Reception.CURRENT
    if row.site_number >= row.number:
        return Reception.AHEAD
    return Reception.TAKES_IT if row.online else Reception.OFFLINE
