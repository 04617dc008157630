"""One door, one badge, and the question whether it opens."""

from __future__ import annotations

from kokubus.access import decide
from kokubus.decision import Decision, Moment, State, Tap
from kokubus.messages import PolicyNumber
from kokubus.rights import BadgeRules, Content, DoorRules, Mode, ModeKind, Policy, Right, RightKind

MIN = 60_000
HOUR = 60 * MIN
START = 1_790_000_000_000
END = START + HOUR
NOW = START + 10 * MIN
ORDER = (
    "door",
    "lockdown",
    "free_passage",
    "badge",
    "member",
    "keyholder",
    "stale",
    "closed",
    "passback",
    "booked",
    "full",
    "entitled",
    "nearest",
)
DOOR = DoorRules(rooms=("hall",), lead_ms=15 * MIN, grace_ms=15 * MIN)
BADGE = BadgeRules(member="ada")
TAP, UNKNOWN, MOMENT = Tap(door="front", badge="card"), State(), Moment(at=NOW)
BOOKED = Right(member="ada", rooms=("hall",), windows=((START, END),))
STANDING = Right(member="ada", rooms=("hall",), kind=RightKind.ENTITLED)
LOCKDOWN = Mode(kind=ModeKind.LOCKDOWN, start=START)
FREE = Mode(kind=ModeKind.FREE_PASSAGE, start=START, end=END)


def ask(
    *rights: Right,
    door: DoorRules = DOOR,
    badge: BadgeRules | None = BADGE,
    state: State = UNKNOWN,
    tap: Tap = TAP,
    now: Moment = MOMENT,
    max_age_ms: int | None = None,
) -> Decision:
    content = Content(
        doors={"front": door},
        badges={"card": badge} if badge else {},
        rights={f"r{number}": right for number, right in enumerate(rights)},
    )
    return decide(Policy(content, PolicyNumber(1, 7), max_age_ms), state, tap, now)


def at(instant: int) -> Moment:
    return Moment(at=instant)
