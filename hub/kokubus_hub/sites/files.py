"""Each site's TOML, kept so that its devices can be given their parts of it."""

from __future__ import annotations

from typing import Any

import tomli_w
from sqlalchemy import Connection, Row, func, insert, select, update

from kokubus.messages import Instant
from kokubus.site import Site, read_site
from kokubus.site.given import numbered
from kokubus.site.part import part_of, tables_of
from kokubus_hub import models
from kokubus_hub.models import table

_FILE, _DEVICE = table(models.SiteFile), table(models.Device)


def keep(connection: Connection, site_id: int, site: Site, now: Instant) -> bool:
    """Keep the site's file under a new number; False if it is the one kept."""
    fresh, held = text_of(site), _held(connection, site_id)
    if held is not None and held.text == fresh:
        return False
    reported = select(func.max(_DEVICE.c.site_number)).where(_DEVICE.c.site_id == site_id)
    known = connection.execute(reported).scalar() or 0
    row = {"text": fresh, "number": max(now, 1 + known, 1 + (held.number if held else 0))}
    if held is None:
        connection.execute(insert(_FILE).values(row | {"site_id": site_id}))
    else:
        connection.execute(update(_FILE).where(_FILE.c.site_id == site_id).values(row))
    return True


def of_site(connection: Connection, site_id: int) -> Site | None:
    """The site as its file says; None if it was never applied."""
    held = _held(connection, site_id)
    return None if held is None else read_site(held.text, f"the file kept of site {site_id}")


def part_for(connection: Connection, site_id: int, device: str) -> str | None:
    """The device's part of its site's TOML, numbered.

    None if the site was never applied, or its file does not name the device.
    """
    held, site = _held(connection, site_id), of_site(connection, site_id)
    if held is None or site is None or device not in site.devices:
        return None
    return numbered(text_of(part_of(site, device)), held.number)


def text_of(site: Site) -> str:
    """A site as TOML."""
    return tomli_w.dumps(tables_of(site))


def _held(connection: Connection, site_id: int) -> Row[Any] | None:
    return connection.execute(select(_FILE).where(_FILE.c.site_id == site_id)).one_or_none()
