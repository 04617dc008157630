"""An independent witness of every movement of a door's bolt."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.play import FREE, LOCKDOWN, MAX_AGE, T0, answer, command, drawn, policy, seen, sent
from tests.core.strategies import trying
from tests.trying import examples

from kokubus import messages as m
from kokubus.door import Door, DoorSpec, react
from kokubus.happenings import (
    Act,
    Answered,
    BadgeSeen,
    Commanded,
    ContactClosed,
    ContactOpened,
    ExitPressed,
    Happening,
    HoldBack,
    Now,
    PolicyChanged,
    Ticked,
    Unlock,
)
from kokubus.messages import Side
from kokubus.rights import ModeKind, Policy

POLICIES = (
    None,
    policy(),
    policy(FREE),
    policy(FREE, LOCKDOWN),
    policy(replace(LOCKDOWN, start=T0, end=None)),
    policy(FREE, door="back"),
)
JUMPS = (0, 0, 1, 50, 399, 400, 401, 1_000, 5_000, 5_500, 10_000, 30_000)
TAPS = ("t1", "t2", "t3", "t4", "t5", "t6")
BADGES = ("ada", "eve")
AT_THE_DOOR = ("opened", "closed", "exit", "tick")
scenes = st.lists(
    st.tuples(
        st.sampled_from(["tap", "tap", "answer", "answer", "command", "policy", *AT_THE_DOOR]),
        st.integers(0, 11),
        st.sampled_from(JUMPS),
        st.sampled_from(["fine", "fine", "fine", "unlinked", "untrusted", "stale"]),
    ),
    min_size=5,
    max_size=40,
)
specs = st.builds(
    DoorSpec, id=st.just("front"), exit_unlocks=st.booleans(), has_contact=st.booleans()
)


def happening_of(kind: str, number: int, now: Now) -> Happening:
    tap = TAPS[number % 6]
    return {
        "tap": lambda: seen(tap, BADGES[number % 2], Side.IN),
        "answer": lambda: answer(tap, granted=number < 8, recorded=number != 5),
        "command": lambda: command(
            command=f"c{number}", expires_at=now.at + number - 3, fresh=number != 8
        ),
        "policy": lambda: PolicyChanged(POLICIES[number % len(POLICIES)]),
        "opened": lambda: ContactOpened("front"),
        "closed": lambda: ContactClosed("front"),
        "exit": lambda: ExitPressed("front"),
        "tick": Ticked,
    }[kind]()


def now_of(mono: int, condition: str) -> Now:
    return Now(
        at=T0 + mono,
        mono=mono,
        linked=condition != "unlinked",
        trusted=condition != "untrusted",
        policy_age_ms=MAX_AGE if condition == "stale" else 0,
    )


class Witness:
    """Says on its own, from the happenings alone, which movements of the bolt were right."""

    def __init__(self, spec: DoorSpec) -> None:
        self.spec = spec
        self.rules: Policy | None = None
        self.waiting: dict[str, tuple[str, int]] = {}
        self.known: set[str] = set()

    def mode(self, kind: ModeKind, now: Now) -> bool:
        rules = self.rules and self.rules.content.doors.get("front")
        modes = [mode for mode in (rules.modes if rules else ()) if mode.kind is kind]
        if not now.trusted:
            return bool(modes) and kind is ModeKind.LOCKDOWN
        return any(mode.start <= now.at < (mode.end or now.at + 1) for mode in modes)

    def free(self, now: Now) -> bool:
        return (
            now.policy_age_ms < MAX_AGE
            and self.mode(ModeKind.FREE_PASSAGE, now)
            and not self.mode(ModeKind.LOCKDOWN, now)
        )

    def own_answer(self, badge: str, now: Now) -> bool:
        """What the door's own policy says: Ada at any time, everybody in free passage."""
        if self.rules is None or self.mode(ModeKind.LOCKDOWN, now):
            return False
        if "front" not in self.rules.content.doors:
            return False
        timely = now.policy_age_ms < MAX_AGE and now.trusted
        return self.free(now) or (badge == "ada" and timely)

    def expect(self, happening: Happening, now: Now) -> dict[str, bool]:
        """The taps that must be enforced now, and whether they are granted."""
        due = {tap: badge for tap, (badge, by) in self.waiting.items() if by <= now.mono}
        enforced = {tap: self.own_answer(badge, now) for tap, badge in due.items()}
        for tap in due:
            del self.waiting[tap]
        if isinstance(happening, BadgeSeen) and happening.tap not in self.known:
            self.known.add(happening.tap)
            if now.linked:
                self.waiting[happening.tap] = (happening.lookup, now.mono + self.spec.deadline_ms)
            else:
                enforced[happening.tap] = self.own_answer(happening.lookup, now)
        if isinstance(happening, Answered) and happening.decided.tap in self.waiting:
            badge, _ = self.waiting.pop(happening.decided.tap)
            recorded = happening.decided.recorded
            hub = happening.decided.granted
            enforced[happening.decided.tap] = hub if recorded else self.own_answer(badge, now)
        return enforced

    def carries_out(self, happening: Happening, now: Now) -> bool:
        if not isinstance(happening, Commanded):
            return False
        lockdown = self.mode(ModeKind.LOCKDOWN, now)
        return happening.fresh and now.trusted and now.at < happening.expires_at and not lockdown


@settings(trying, max_examples=examples(120))
@given(specs, scenes)
def test_the_bolt_moves_for_nothing_but_a_reason(
    spec: DoorSpec, scene: list[tuple[str, int, int, str]]
) -> None:
    door, witness, mono = Door(spec), Witness(spec), 0
    everything: list[Act] = []
    for kind, number, jump, condition in [*scene, *[("tick", 0, 60_000, "fine")] * 2]:
        mono += jump
        now = now_of(mono, condition)
        happening = happening_of(kind, number, now)
        assert react(door, happening, now) == react(door, happening, now)
        was_free = witness.free(now)
        enforced = witness.expect(happening, now)
        carried_out = witness.carries_out(happening, now)
        if isinstance(happening, PolicyChanged):
            witness.rules = happening.policy
        door, acts = react(door, happening, now)

        said = {fact.tap: fact.granted for fact in sent(acts, m.Enforced)}
        assert said == enforced
        reasons = sum(enforced.values()) + carried_out
        reasons += isinstance(happening, ExitPressed) and spec.exit_unlocks
        unlocks = [act for act in acts if isinstance(act, Unlock)]
        assert len(unlocks) == (0 if was_free else reasons)
        assert door.free == witness.free(now)
        assert HoldBack() not in acts or was_free or door.free
        everything += acts
        _replays_do_nothing(door, happening, now)
    _each_grant_ended_once(spec, everything)


def _replays_do_nothing(door: Door, happening: Happening, now: Now) -> None:
    again = replace(happening, fresh=False) if isinstance(happening, Commanded) else happening
    if not isinstance(happening, ExitPressed):
        assert drawn(react(door, again, now)[1]) == []
    if isinstance(happening, BadgeSeen | Answered | ContactOpened | ContactClosed):
        assert react(door, happening, now) == (door, [])


def _each_grant_ended_once(spec: DoorSpec, acts: list[Act]) -> None:
    taps = Counter(fact.tap for fact in sent(acts, m.Enforced))
    assert set(taps.values()) <= {1}
    assert taps.keys() == {fact.id for fact in sent(acts, m.BadgeTapped)}
    ended = Counter(fact.tap for fact in sent(acts) if fact.kind in ("passage_seen", "no_entry"))
    del ended[None]
    granted = {fact.tap for fact in sent(acts, m.Enforced) if fact.granted}
    assert set(ended.values()) <= {1}
    if spec.has_contact:
        assert ended.keys() == granted
    else:
        assert ended.keys() <= granted
    ids = [fact.id for fact in sent(acts)]
    assert all(ids)
