"""An explanation in JSON: every step as a code and as a sentence."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from kokubus.decision import Decision
from kokubus.messages import By
from kokubus_hub.explain.service import Explained
from kokubus_hub.explain.words import Teller
from kokubus_hub.times import Time


class StepOut(BaseModel):
    """One rule of `kokubus.access`, in the order they are asked."""

    rule: str
    finding: Literal["passed", "granted", "denied"]
    sentence: str


class FlagOut(BaseModel):
    """A finding that did not change the answer."""

    flag: str
    sentence: str


class StoredOut(BaseModel):
    """What was decided then, as it was recorded."""

    granted: bool
    reason: str
    sentence: str


class ExplainedOut(BaseModel):
    """One decision. Where what it needs has been forgotten, ``status`` says so and no more."""

    status: Literal["explained", "forgotten"]
    by: Literal["hub", "edge"] = Field(description="Who decides: the hub, or the door by itself")
    door: str
    badge: int | None
    at: Time
    known_at: Time | None = Field(description="The newest change that it takes into account")
    granted: bool | None
    reason: str | None
    detail: dict[str, int | str]
    right: str | None = Field(description="b12: booking 12; e3: standing right 3")
    sentence: str
    flags: list[FlagOut]
    steps: list[StepOut]
    stored: StoredOut | None = Field(description="Null where nobody tapped at that instant")
    reproduced: bool | None = Field(description="Whether the same is decided again")

    @classmethod
    def of(cls, told: Explained, teller: Teller) -> ExplainedOut:
        """The explanation, with its sentences."""
        about: dict[str, Any] = {
            "by": "edge" if told.by is By.EDGE else "hub",
            "door": told.door,
            "badge": told.badge,
            "at": told.at,
            "known_at": told.known_at,
            "stored": _stored(told, teller),
            "reproduced": told.reproduced,
        }
        decided = _forgotten(teller) if told.decision is None else _of(told.decision, teller)
        return cls(**about | decided)


def _of(decision: Decision, teller: Teller) -> dict[str, Any]:
    steps = [
        StepOut(rule=step.rule, finding=step.finding, sentence=teller.step(step, decision))
        for step in decision.steps
    ]
    return {
        "status": "explained",
        "granted": decision.granted,
        "reason": str(decision.reason),
        "detail": dict(decision.detail),
        "right": decision.right,
        "sentence": teller.reason(decision.reason, decision.detail),
        "flags": [FlagOut(flag=flag, sentence=teller.flag(flag)) for flag in decision.flags],
        "steps": steps,
    }


def _forgotten(teller: Teller) -> dict[str, Any]:
    nothing: dict[str, Any] = {"granted": None, "reason": None, "right": None, "detail": {}}
    return nothing | {
        "status": "forgotten",
        "sentence": teller.forgotten(),
        "flags": [],
        "steps": [],
    }


def _stored(told: Explained, teller: Teller) -> StoredOut | None:
    if told.stored is None:
        return None
    said = teller.reason(told.stored.reason, told.stored.detail or {})
    return StoredOut(granted=told.stored.granted, reason=told.stored.reason, sentence=said)
