"""Facts at the doors of `policy_world`, as the listener records them."""

from __future__ import annotations

from itertools import count
from typing import Any

from tests.hub.policy_world import NOW, World

from kokubus_hub import models

_numbers = count(1)


def tap(hub: World, at: int = NOW, **values: Any) -> int:
    number = next(_numbers)
    row = {"tap": f"tap-{number}", "device_id": 1, "door_id": 1, "at": at, "received_at": at + 2}
    row |= {"epoch": "e", "seq": number, "boot": "b", "uptime_ms": 1, "clock": "synced"}
    row |= {"side": "in", "granted": True, "reason": "booked", "decided_at": at + 5}
    return hub.add(models.AccessEvent, **(row | values))


def enforced(hub: World, at: int = NOW, **values: Any) -> int:
    row = {"tap": f"tap-{next(_numbers)}", "door_id": 1, "at": at, "by": "hub", "granted": True}
    return hub.add(models.Enforcement, **(row | {"reason": "booked", "received_at": at} | values))


def passage(hub: World, at: int = NOW, **values: Any) -> int:
    return hub.add(models.Passage, **({"door_id": 1, "at": at, "received_at": at} | values))


def forced(hub: World, at: int = NOW) -> int:
    row = {"door_id": 1, "device_id": 1, "kind": "door_forced", "at": at, "received_at": at}
    return hub.add(models.DoorEvent, **row)


def sensor(hub: World, quantity: str = "co2") -> int:
    row = {"site_id": 1, "room_id": 1, "device_id": 1, "slug": f"dorf-{quantity}"}
    return hub.add(models.Sensor, **row, quantity=quantity)


def reading(hub: World, sensor_id: int, value: float, at: int = NOW) -> int:
    return hub.add(models.Reading, sensor_id=sensor_id, at=at, value=value)
