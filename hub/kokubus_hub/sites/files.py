"""Each site's TOML, kept so that a device can be given its part of it when it enrols."""

from __future__ import annotations

import tomli_w
from sqlalchemy import Connection, insert, select, update

from kokubus.site import Site, read_site
from kokubus.site.part import part_of, tables_of
from kokubus_hub import models
from kokubus_hub.models import table

_FILE = table(models.SiteFile)


def keep(connection: Connection, site_id: int, site: Site) -> bool:
    """Keep the site's file; whether it is another than the one kept."""
    fresh, held = text_of(site), _held(connection, site_id)
    if held == fresh:
        return False
    if held is None:
        connection.execute(insert(_FILE).values(site_id=site_id, text=fresh))
    else:
        this = _FILE.c.site_id == site_id
        connection.execute(update(_FILE).where(this).values(text=fresh))
    return True


def part_for(connection: Connection, site_id: int, device: str) -> str | None:
    """The device's part of its site's TOML; None if the site was never applied."""
    held = _held(connection, site_id)
    if held is None:
        return None
    return text_of(part_of(read_site(held, f"the site of {device}"), device))


def text_of(site: Site) -> str:
    """A site as TOML."""
    return tomli_w.dumps(tables_of(site))


def _held(connection: Connection, site_id: int) -> str | None:
    text = connection.execute(select(_FILE.c.text).where(_FILE.c.site_id == site_id)).scalar()
    return None if text is None else str(text)
