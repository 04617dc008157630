"""A place to work or meet, as written in ``firmware_configs/sites/<site>.toml``.

`read_site` is the only way in: whoever holds a `Site` holds one that was checked.
"""

from kokubus.site.opening import DAYS, Hours, hours, open_windows
from kokubus.site.reading import check, read_site
from kokubus.site.shapes import Door, Pins, Placement, Reader, Room, Sensor, Site

__all__ = [
    "DAYS",
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
    "open_windows",
    "read_site",
]
