"""An agent whose hands do nothing but remember what they were told."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tests.edge.fake_clock import FakeClock
from tests.edge.policy_bench import AtOnce

from kokubus import wire
from kokubus.door import DoorSpec
from kokubus.downlinks import AccessDecided, Downlink
from kokubus.happenings import BadgeSeen, CodeEntered
from kokubus.messages import Fact, PolicyNumber, Stamp
from kokubus.rights import BadgeRules, Content, DoorRules, Policy, Right, RightKind
from kokubus.wire import Down
from kokubus_edge.agent import Agent
from kokubus_edge.hands import Hands
from kokubus_edge.link_ear import HubSaid
from kokubus_edge.minding import Minding

FRONT, BACK = "dorf-front", "dorf-back"
ADA, EVE = "ada", "eve"
NUMBER = PolicyNumber(1, 7)


@dataclass
class Wires:
    """Raises what it is told to, for as long as it is told to."""

    done: list[tuple[str, Any]] = field(default_factory=list)
    broken: dict[type[Any], Exception] = field(default_factory=dict)
    refreshed: int = 0

    def perform(self, door: str, deed: Any) -> None:
        self.done.append((door, deed))
        if type(deed) in self.broken:
            raise self.broken[type(deed)]

    def refresh(self) -> None:
        self.refreshed += 1

    def deeds(self, *kinds: type[Any]) -> list[tuple[str, Any]]:
        return [(door, deed) for door, deed in self.done if not kinds or isinstance(deed, kinds)]


@dataclass
class Link:
    """What was handed to the network."""

    up: bool = True
    takes: bool = True
    broken: bool = False
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    fetched: int = 0

    def send(self, topic: str, payload: bytes, *, bulk: bool = False) -> bool:
        assert not bulk
        if self.broken:
            raise ConnectionError("cut")
        self.sent.append((topic, payload))
        return self.takes

    def fetch_policy(self) -> None:
        self.fetched += 1


@dataclass
class Spool:
    """What was kept, and what the hub has receipted."""

    clock: FakeClock
    kept: list[tuple[Fact, Stamp, bool]] = field(default_factory=list)
    receipts: list[tuple[str, list[tuple[int, int]], list[int]]] = field(default_factory=list)
    commands: list[tuple[str, int]] = field(default_factory=list)
    links: list[bool] = field(default_factory=list)
    watched: int = 0
    pending: int = 0
    broken: bool = False
    seq: int = 0

    def stamp(self) -> Stamp:
        if self.broken:
            raise OSError("no numbers left")
        self.seq += 1
        return Stamp(epoch="e", seq=self.seq, boot="b", uptime_ms=1, clock=self.clock.trust())

    def keep(self, fact: Fact, stamp: Stamp, payload: bytes, *, sent: bool) -> None:
        up = wire.decode_up(wire.up_topic("dorf-1", fact.kind), payload)
        assert (up.message, up.stamp) == (fact, stamp)
        self.kept.append((fact, stamp, sent))

    def receipt(self, epoch: str, ranges: Any, rejected: Any = ()) -> None:
        self.receipts.append((epoch, list(ranges), list(rejected)))

    def keep_command(self, command: str, expires_at: int) -> None:
        self.commands.append((command, expires_at))

    def linked(self, *, up: bool) -> None:
        self.links.append(up)

    def watch(self) -> None:
        self.watched += 1


@dataclass
class Policies:
    """The store, as far as the loop asks it."""

    policy: Policy | None = None
    have: PolicyNumber | None = None
    age: int = 0
    taken: list[Down] = field(default_factory=list)

    def age_ms(self) -> int:
        return self.age

    def take(self, down: Down) -> None:
        self.taken.append(down)


@dataclass
class Taken:
    """Orders or changes of trust, as they were handed over."""

    taken: list[Any] = field(default_factory=list)
    wants_restart: bool = False

    def take(self, *what: Any, **how: Any) -> None:
        self.taken.append((*what, how) if how else what)


@dataclass
class Codes:
    """What was handed to be judged."""

    taken: list[tuple[CodeEntered, int]] = field(default_factory=list)

    def take(self, entered: CodeEntered, code_from: int) -> None:
        self.taken.append((entered, code_from))


class Rig:
    """An agent with two doors; each call is one turn of its loop."""

    def __init__(self, policy: Policy | None = None, **how: Any) -> None:
        self.clock = FakeClock()
        self.inbox: SimpleQueue[object] = SimpleQueue()
        self.wires, self.link, self.spool = Wires(), Link(), Spool(self.clock)
        self.policies = Policies(policy, policy.number if policy else None)
        self.codes = Codes()
        self.orders, self.trust, self.site = Taken(), Taken(), Taken()
        self.alive = 0
        self.overheard: list[Fact] = []
        doors = [DoorSpec(id=FRONT), DoorSpec(id=BACK, has_contact=False)]
        self.agent = Agent(
            "dorf-1",
            doors,
            inbox=self.inbox,
            clock=self.clock,
            policies=self.policies,  # type: ignore[arg-type]
            alive=self._beat,
            overhear=self.overheard.append,
            **how,
        )
        minding = Minding(
            Path("/dev/null/alarms.json"),
            clock=self.clock,  # type: ignore[arg-type]
            policies=self.policies,  # type: ignore[arg-type]
            disk=AtOnce(),
        )
        self.agent.connect(
            Hands(
                wires=self.wires,
                link=self.link,
                spool=self.spool,  # type: ignore[arg-type]
                codes=self.codes,  # type: ignore[arg-type]
                minding=minding,
                orders=self.orders,  # type: ignore[arg-type]
                trust=self.trust,  # type: ignore[arg-type]
                site=self.site,  # type: ignore[arg-type]
            )
        )

    def __call__(self, happening: object, after: int = 0) -> list[Any]:
        """One turn, ``after`` so many milliseconds; the facts it recorded."""
        before = len(self.spool.kept)
        self.clock.pass_ms(after)
        self.agent.step(happening)
        return [fact for fact, _, _ in self.spool.kept[before:]]

    def tap(self, badge: str = ADA, tap: str = "t1", door: str = FRONT) -> list[Any]:
        return self(BadgeSeen(door=door, tap=tap, lookup=badge, sealed="sealed"))

    def hear(self, message: Downlink, expires_in: int = 5_000) -> list[Any]:
        at = self.clock.now()
        return self(HubSaid(Down("id", at, at + expires_in, message)))

    def answer(self, tap: str = "t1", *, granted: bool = True, **more: Any) -> list[Any]:
        reason = "booked" if granted else "no_booking"
        told: dict[str, Any] = {"recorded": True, "epoch": "e", "seq": 1} | more
        expires_in = told.pop("expires_in", 5_000)
        return self.hear(AccessDecided(tap=tap, granted=granted, reason=reason, **told), expires_in)

    def said(self) -> list[dict[str, Any]]:
        """What was handed to the network, as JSON."""
        return [json.loads(payload) for _, payload in self.link.sent]

    def _beat(self) -> None:
        self.alive += 1


def policy() -> Policy:
    """Ada may enter by both doors."""
    content = Content(
        doors={door: DoorRules(rooms=("hall",)) for door in (FRONT, BACK)},
        badges={ADA: BadgeRules(member="ada")},
        rights={"r": Right(member="ada", rooms=("hall",), kind=RightKind.ENTITLED)},
    )
    return Policy(content, NUMBER, 60_000)


def kinds(facts: list[Fact]) -> list[str]:
    return [fact.kind for fact in facts]
