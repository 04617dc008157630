"""Doors, devices and commands in JSON."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import Row

from kokubus_hub.doors.commands import CommandNow, Outcome
from kokubus_hub.doors.service import DoorNow
from kokubus_hub.times import Time


class ModeOut(BaseModel):
    """Free passage or lockdown; ``until`` None: until it is taken back."""

    id: int
    kind: Literal["free_passage", "lockdown"]
    until: Time | None
    reason: str


class DoorOut(BaseModel):
    """A door as it stands. While its device is offline nobody knows, so ``unknown``."""

    id: str
    name: str
    site: str
    room: str
    leads_from: str | None = Field(description="A room; null: from outside")
    device: str | None
    device_online: bool
    state: Literal["closed", "open", "held", "forced", "unknown"]
    since: Time | None
    mode: ModeOut | None

    @classmethod
    def of(cls, door: DoorNow) -> DoorOut:
        """The door as it stands."""
        return cls(
            id=door.slug,
            name=door.name,
            site=door.site,
            room=door.room,
            leads_from=door.from_room,
            device=door.device,
            device_online=door.online,
            state=door.state,
            since=door.since,
            mode=ModeOut.model_validate(door.mode, from_attributes=True) if door.mode else None,
        )


class PolicyOut(BaseModel):
    """The policy a device has reported to be on its disk."""

    epoch: int
    n: int
    sha256: str | None
    applied_at: Time | None


class DeviceOut(BaseModel):
    """A Raspberry Pi; ``online`` is null until it was first heard of."""

    id: str
    site: str
    online: bool | None
    since: Time | None
    version: str
    revoked: bool
    policy: PolicyOut | None

    @classmethod
    def of(cls, row: Row[Any]) -> DeviceOut:
        """A device's row."""
        return cls(
            id=row.slug,
            site=row.site,
            online=row.online,
            since=row.status_at,
            version=row.version,
            revoked=row.revoked_at is not None,
            policy=_policy(row),
        )


class UnlockIn(BaseModel):
    """Why a door is to be opened; it is kept with the operator's name."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=200)]


class CodeOut(BaseModel):
    """A one-time code, to be typed at the door's keypad with ``#`` at the end."""

    door: str
    code: str
    counter: int
    at: Time


class CodeReadOut(BaseModel):
    """That a one-time code was read out; of counters before a used one none opens any more."""

    counter: int
    by: str
    reason: str
    at: Time
    used_at: Time | None


class CommandOut(BaseModel):
    """What became of a remote unlock."""

    id: str
    door: str
    reason: str
    operator: str | None
    sent_at: Time
    expires_at: Time
    status: Outcome
    status_at: Time | None
    detail: str

    @classmethod
    def of(cls, command: CommandNow) -> CommandOut:
        """The command as it stands."""
        return cls.model_validate(command, from_attributes=True)


def _policy(row: Row[Any]) -> PolicyOut | None:
    if row.applied_epoch is None or row.applied_n is None:
        return None
    return PolicyOut(
        epoch=row.applied_epoch,
        n=row.applied_n,
        sha256=row.applied_sha256,
        applied_at=row.applied_at,
    )
