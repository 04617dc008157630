"""A place to work or meet, as written in ``firmware_configs/sites/<site>.toml``.

`read_site` is the only way in: whoever holds a `Site` holds one that was checked.
"""

from kokubus.site.opening import Hours, hours
from kokubus.site.readers import Hid, Mfrc522, Reader, Wiegand
from kokubus.site.reading import check, read_site
from kokubus.site.sensors import Sensor
from kokubus.site.shapes import Door, Pins, Placement, Room, Site

__all__ = [
    "Door",
    "Hid",
    "Hours",
    "Mfrc522",
    "Pins",
    "Placement",
    "Reader",
    "Room",
    "Sensor",
    "Site",
    "Wiegand",
    "check",
    "hours",
    "read_site",
]
