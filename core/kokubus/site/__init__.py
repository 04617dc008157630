"""A place to work or meet, as written in ``firmware_configs/sites/<site>.toml``.

`read_site` is the only way in: whoever holds a `Site` holds one that was checked.
"""

from kokubus.site.opening import Hours, hours
from kokubus.site.reading import check, read_site
from kokubus.site.shapes import Door, Pins, Placement, Reader, Room, Sensor, Site

__all__ = [
    "Door",
    "Hours",
    "Pins",
    "Placement",
    "Reader",
    "Room",
    "Sensor",
    "Site",
    "check",
    "hours",
    "read_site",
]
