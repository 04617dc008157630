"""A door to play with: it reacts, and its clock moves as far as it is told."""

from __future__ import annotations

from typing import Any

from kokubus.door import Door, DoorSpec, react
from kokubus.door_state import CONTACT_LAG_MS
from kokubus.downlinks import AccessDecided
from kokubus.happenings import (
    Act,
    Answered,
    BadgeSeen,
    Commanded,
    Happening,
    HoldBack,
    Light,
    Now,
    Pattern,
    Send,
    Unlock,
)
from kokubus.messages import PolicyNumber, Side
from kokubus.rights import BadgeRules, Content, DoorRules, Mode, ModeKind, Policy, Right, RightKind

T0 = 1_790_000_000_000
SPEC = DoorSpec(id="front", pulse_ms=5_000, permitted_open_ms=30_000, deadline_ms=400)
PULSE_OVER = SPEC.pulse_ms + CONTACT_LAG_MS
MAX_AGE = 60_000
FREE = Mode(kind=ModeKind.FREE_PASSAGE, start=T0 + 20_000, end=T0 + 60_000)
LOCKDOWN = Mode(kind=ModeKind.LOCKDOWN, start=T0 + 40_000, end=T0 + 80_000)


def policy(*modes: Mode, door: str = "front") -> Policy:
    """Ada may enter at any time; nobody else may."""
    content = Content(
        doors={door: DoorRules(rooms=("hall",), modes=modes)},
        badges={"ada": BadgeRules(member="ada")},
        rights={"r": Right(member="ada", rooms=("hall",), kind=RightKind.ENTITLED)},
    )
    return Policy(content, PolicyNumber(1, 7), MAX_AGE)


class Play:
    """A door, and a clock that moves as far as it is told."""

    def __init__(self, spec: DoorSpec = SPEC, rules: Policy | None = None, **now: Any) -> None:
        self.door = Door(spec, policy=rules, open=False if spec.has_contact else None)
        self.mono = 0
        self.now = now
        self.all: list[Act] = []

    def __call__(self, happening: Happening, after: int = 0, **now: Any) -> list[Act]:
        self.mono += after
        moment = Now(at=T0 + self.mono, mono=self.mono, **(self.now | now))
        self.door, acts = react(self.door, happening, moment)
        self.all += acts
        return acts


def seen(
    tap: str = "t1", badge: str = "ada", side: Side = Side.IN, *, typed: bool = False
) -> BadgeSeen:
    return BadgeSeen(door="front", tap=tap, lookup=badge, sealed="sealed", side=side, typed=typed)


def answer(
    tap: str = "t1", *, granted: bool = True, recorded: bool = True, reason: str = ""
) -> Answered:
    reason = reason or ("booked" if granted else "no_booking")
    return Answered(
        AccessDecided(
            tap=tap, granted=granted, reason=reason, recorded=recorded, epoch="e", seq=1,
            policy=PolicyNumber(1, 8),
        )
    )  # fmt: skip


def command(**changes: Any) -> Commanded:
    told = {"door": "front", "command": "c1", "expires_at": T0 + 30_000, "fresh": True}
    return Commanded(**(told | changes))


def sent(acts: list[Act], cls: type | None = None) -> list[Any]:
    facts = [act.fact for act in acts if isinstance(act, Send)]
    return [fact for fact in facts if cls is None or isinstance(fact, cls)]


def kinds(acts: list[Act]) -> list[str]:
    return [fact.kind for fact in sent(acts)]


def drawn(acts: list[Act]) -> list[Act]:
    return [act for act in acts if isinstance(act, Unlock | HoldBack)]


def lit(acts: list[Act]) -> list[Pattern]:
    return [act.pattern for act in acts if isinstance(act, Light)]


def granted(play: Play, tap: str = "t1", badge: str = "ada", **seen_as: Any) -> None:
    play(seen(tap, badge, **seen_as))
    play(answer(tap))
