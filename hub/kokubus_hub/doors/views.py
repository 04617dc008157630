"""``/api/v1/doors``, ``/api/v1/commands`` and ``/api/v1/devices``."""

from __future__ import annotations

import time
from itertools import repeat
from typing import Annotated

from fastapi import APIRouter, Query

from kokubus_hub.context import Hub, HubOf, Limit
from kokubus_hub.database import reading, writing
from kokubus_hub.doors import codes, commands
from kokubus_hub.doors.codes import Asked
from kokubus_hub.doors.schemas import CodeOut, CodeReadOut, CommandOut, DeviceOut, DoorOut, UnlockIn
from kokubus_hub.doors.service import DoorNow, all_devices, all_doors, door_by_slug
from kokubus_hub.problems import not_found
from kokubus_hub.security import Someone

STEP_S = 0.1
Wait = Annotated[float, Query(ge=0, le=10, description="Seconds to wait for the outcome")]
router = APIRouter()


@router.get("/doors", tags=["doors"], summary="Every door as it stands")
def doors(hub: HubOf, _who: Someone) -> list[DoorOut]:
    """Contact, device and mode of every door."""
    with reading(hub.engine) as connection:
        return [DoorOut.of(door) for door in all_doors(connection, hub.now())]


@router.get("/doors/{door}", tags=["doors"], summary="One door as it stands")
def door(door: str, hub: HubOf, _who: Someone) -> DoorOut:
    """The same for one door."""
    return DoorOut.of(_door(hub, door))


@router.post("/doors/{door}/unlock", tags=["doors"], status_code=202, summary="Open a door")
def unlock(door: str, wanted: UnlockIn, hub: HubOf, who: Someone, wait: Wait = 0) -> CommandOut:
    """Draws the bolt once, for somebody the operator answers for. Recorded with the reason."""
    command = commands.unlock(hub, _door(hub, door), wanted.reason, who.operator_id)
    return _command(hub, command, wait)


@router.post("/doors/{door}/code", tags=["doors"], status_code=201, summary="A one-time code")
def code(door: str, wanted: UnlockIn, hub: HubOf, who: Someone) -> CodeOut:
    """Eight digits that open a door with a keypad once, also without network and clock.

    To be read out by phone to somebody the operator answers for. Recorded with the reason.
    """
    asked = Asked(door, wanted.reason, who.name, who.operator_id)
    with writing(hub.engine) as connection:
        read = codes.read_out(connection, hub.keyring, asked, hub.now())
    return CodeOut.model_validate(read, from_attributes=True)


@router.get("/doors/{door}/codes", tags=["doors"], summary="The one-time codes read out")
def codes_of(door: str, hub: HubOf, _who: Someone, limit: Limit = 100) -> list[CodeReadOut]:
    """Newest first: who read out which, why, and whether it was used. Never the digits."""
    found = _door(hub, door)
    with reading(hub.engine) as connection:
        rows = codes.latest(connection, found.id, limit)
    return [CodeReadOut.model_validate(row, from_attributes=True) for row in rows]


@router.get("/commands/{command}", tags=["doors"], summary="What became of a remote unlock")
def command(command: str, hub: HubOf, _who: Someone, wait: Wait = 0) -> CommandOut:
    """``sent`` until the door has said more, or has not within its time."""
    return _command(hub, command, wait)


@router.get("/devices", tags=["doors"], summary="The devices and the policies they hold")
def devices(hub: HubOf, _who: Someone) -> list[DeviceOut]:
    """Every device, its connection, and the policy it has reported."""
    with reading(hub.engine) as connection:
        return [DeviceOut.of(row) for row in all_devices(connection)]


def _door(hub: Hub, slug: str) -> DoorNow:
    with reading(hub.engine) as connection:
        found = door_by_slug(connection, slug, hub.now())
    if found is None:
        raise not_found("door", slug)
    return found


def _command(hub: Hub, command: str, wait: float) -> CommandOut:
    waits = repeat(STEP_S, round(wait / STEP_S))
    found = commands.settled(hub, command, waits, time.sleep)
    if found is None:
        raise not_found("command", command)
    return CommandOut.of(found)
