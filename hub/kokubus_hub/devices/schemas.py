"""What the API says about enrolling a device."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field


class HubKeyOut(BaseModel):
    """The hub's sealing key (base64url); a code names it by its fingerprint."""

    sealing_key: str


class JoinIn(BaseModel):
    """A request sealed for the hub's key (`kokubus.joining`)."""

    sealed: Annotated[str, Field(min_length=1, max_length=20_000)]


class JoinOut(BaseModel):
    """The answer, sealed for the device that asked."""

    sealed: str
