"""What one device needs of its site: its own doors and sensors, and the rooms they are at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kokubus.site.shapes import Heading, Site

_TABLES = {"placement": "placements", "room": "rooms", "sensor": "sensors", "door": "doors"}


def part_of(site: Site, device: str) -> Site:
    """The site without the doors and sensors of other devices."""
    doors, sensors = site.doors_of(device), site.sensors_of(device)
    return site.model_copy(update={"doors": doors, "sensors": sensors, "part_of": device})


def tables_of(site: Site) -> dict[str, Any]:
    """The tables of its TOML, as `read_site` takes them; what is the default is left out."""
    heading = {name: getattr(site, name) for name in Heading.model_fields}
    opening: Mapping[str, tuple[str, ...]] = site.opening
    tables: dict[str, Any] = {"site": _plain(Heading.model_construct(**heading))}
    tables["opening"] = {day: list(hours) for day, hours in opening.items()}
    for name, attribute in _TABLES.items():
        tables[name] = [_plain(one) for one in getattr(site, attribute)]
    return tables


def _plain(shape: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = shape.model_dump(
        by_alias=True, exclude_none=True, exclude_defaults=True
    )
    return dumped
