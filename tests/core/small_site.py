"""The smallest site with everything in it, and how its mistakes are told."""

from __future__ import annotations

import pytest

from kokubus.errors import SiteError
from kokubus.site import read_site

SMALL = """
[site]
id = "dorf"
name = "Dorf"
kind = "building"
help_phone = "+49 30 23125 099"
[[placement]]
municipality = "musterdorf"
municipality_name = "Musterdorf"
address = "Musterweg 1"
from = 2025-01-01
[opening]
fri = ["22:00-02:00"]
[[room]]
id = "dorf-hall"
name = "Saal"
capacity = 8
[[door]]
id = "dorf-front"
name = "Haustür"
room = "dorf-hall"
device = "dorf-1"
[door.pins]
lock = 17
contact = 27
[[door.reader]]
kind = "mfrc522"
[[sensor]]
id = "dorf-pir"
room = "dorf-hall"
quantity = "pir"
kind = "pir"
device = "dorf-1"
pin = 4
"""
SECOND_ROOM = '[[room]]\nid = "dorf-cellar"\nname = "Keller"\ncapacity = 2\n'


def refused(text: str) -> str:
    with pytest.raises(SiteError) as caught:
        read_site(text, "dorf.toml")
    return str(caught.value)
