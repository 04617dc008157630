"""What a door does alone: decide on a policy of 10,000 rights, and take a new one in.

1,000 members with ten bookings each at eight doors; taps at random instants, one in ten by a
stranger, so that grants and every kind of denial are among them. The raw limit is the lookup
of the badge in a dict, measured in the same run.
"""

from __future__ import annotations

import json
import sys
from random import Random
from statistics import median
from threading import Thread
from time import perf_counter_ns, sleep
from typing import Any

from kokubus import wire
from kokubus.access import decide
from kokubus.decision import Moment, Reason, State, Tap
from kokubus.messages import PolicyNumber
from kokubus.policy import diff, document_of, fingerprint
from kokubus.policy_book import Book, read
from kokubus.rights import BadgeRules, Content, DoorRules, Policy, Right
from kokubus_edge.running import SWITCH_S

MEMBERS, RIGHTS, DOORS = 1_000, 10_000, 8
NOW, HOUR = 1_790_000_000_000, 3_600_000
WEEK = 168 * HOUR
MARGIN = 900_000
MAX_AGE_MS = 72 * HOUR
PI_MS, PI_SLOWER = 1_000, 4
"""A policy is applied within a second by a Pi's core, which takes four times this one's."""
SEEN = {Reason.BOOKED, Reason.TOO_EARLY, Reason.TOO_LATE, Reason.BADGE_UNKNOWN}
Question = tuple[Tap, Moment]


def run(quick: bool) -> list[dict[str, Any]]:
    """One dict per metric."""
    content = _content(Random(1))
    policy = Policy(content, PolicyNumber(1, 7), MAX_AGE_MS)
    asked = _questions(content, Random(2), 5_000 if quick else 50_000)
    local, raw = _decisions(policy, asked), _lookups(content, asked)
    p50, p99 = median(local), sorted(local)[len(local) * 99 // 100]
    document = document_of(content)
    size = len(wire.canonical(document)) / 1e6
    repeats = 3 if quick else 10
    return [
        _metric("local_decision_p50", p50, "us", 100),
        _metric("local_decision_p99", p99, "us"),
        _metric("local_decision_vs_dict_lookup", p50 / median(raw), "ratio"),
        _metric("policy_mb", size, "MB", 1.5),
        _metric("apply_snapshot_ms", _snapshot(document, repeats), "ms", PI_MS / PI_SLOWER),
        _metric("apply_delta_ms", _delta(document, repeats), "ms", PI_MS / PI_SLOWER),
        _metric("tap_stalled_by_snapshot_ms", _stalled(document, repeats), "ms", 20),
    ]


def _content(random: Random) -> Content:
    rights = {f"b{number:07d}": _booking(number, random) for number in range(RIGHTS)}
    doors = {
        f"dorf-{number}": DoorRules(rooms=(f"dorf-{number}",), lead_ms=MARGIN, grace_ms=MARGIN)
        for number in range(DOORS)
    }
    badges = {f"{number:022d}": BadgeRules(member=_member(number)) for number in range(MEMBERS)}
    return Content(doors=doors, badges=badges, rights=rights)


def _booking(number: int, random: Random) -> Right:
    start = NOW + random.randrange(WEEK)
    return Right(
        member=_member(number % MEMBERS),
        rooms=(f"dorf-{random.randrange(DOORS)}",),
        windows=((start, start + 2 * HOUR),),
    )


def _member(number: int) -> str:
    return f"m-{number:06d}"


def _questions(content: Content, random: Random, count: int) -> list[Question]:
    """Half of the taps by somebody who has booked just then, a tenth by strangers."""
    rights = list(content.rights.values())
    asked = []
    for _ in range(count):
        right = random.choice(rights)
        badge = f"{int(right.member[2:]):022d}" if random.random() < 0.9 else "stranger"
        start = right.windows[0][0] if right.windows else NOW
        at = start + (HOUR if random.random() < 0.5 else random.randrange(-WEEK, WEEK))
        asked.append((Tap(door=right.rooms[0], badge=badge), Moment(at=at)))
    return asked


def _decisions(policy: Policy, asked: list[Question]) -> list[float]:
    """Microseconds each, all answered by the rules they were made for."""
    state, took, reasons = State(), [], set()
    for tap, moment in asked:
        began = perf_counter_ns()
        decision = decide(policy, state, tap, moment)
        took.append((perf_counter_ns() - began) / 1_000)
        reasons.add(decision.reason)
    assert reasons >= SEEN, f"the load is not what it should be: {sorted(reasons)}"
    assert Reason.RULE_ERROR not in reasons, "a rule failed under load"
    return took


def _lookups(content: Content, asked: list[Question]) -> list[float]:
    took = []
    for tap, _ in asked:
        began = perf_counter_ns()
        content.badges.get(tap.badge)
        took.append((perf_counter_ns() - began) / 1_000)
    return took


def _snapshot(document: dict[str, Any], repeats: int) -> float:
    """Milliseconds from a document to a policy that decides, its hash compared."""
    received = json.loads(wire.canonical(document))
    wanted = fingerprint(document)
    return _median_ms(lambda: _applied(read(received), wanted), repeats)


def _delta(document: dict[str, Any], repeats: int) -> float:
    """The same for one right that was added."""
    right = next(iter(document["rights"].values()))
    new = document | {"rights": document["rights"] | {"b9999999": right}}
    put, drop = diff(document, new)
    wanted, held = fingerprint(new), read(document)
    return _median_ms(lambda: _applied(held.changed(put, drop), wanted), repeats)


def _applied(book: Book, wanted: str) -> None:
    assert book.fingerprint() == wanted, "the policy is not the hub's"


def _stalled(document: dict[str, Any], repeats: int) -> float:
    """How much longer than alone the loop waits at worst, while another thread applies it."""
    text, wanted = wire.canonical(document), fingerprint(document)
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        return median(_longest_ms(lambda: _took(text, wanted)) for _ in range(repeats))
    finally:
        sys.setswitchinterval(before)


def _took(text: bytes, wanted: str) -> None:
    _applied(read(json.loads(text)), wanted)


def _longest_ms(work: Any) -> float:
    """The longest gap between two turns of a loop that naps for a millisecond, less the nap."""
    thread, longest = Thread(target=work), 0
    thread.start()
    while thread.is_alive():
        began = perf_counter_ns()
        sleep(0.001)
        longest = max(longest, perf_counter_ns() - began)
    thread.join()
    return longest / 1e6 - 1


def _median_ms(action: Any, repeats: int) -> float:
    took = []
    for _ in range(repeats):
        began = perf_counter_ns()
        action()
        took.append((perf_counter_ns() - began) / 1e6)
    return median(took)


def _metric(name: str, value: float, unit: str, bar: float | None = None) -> dict[str, Any]:
    return {
        "bench": "edge",
        "metric": name,
        "value": round(value, 3),
        "unit": unit,
        "bar": bar,
        "ok": bar is None or value <= bar,
    }
