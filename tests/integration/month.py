"""A month at the building of `intake_world`, told through the hub's own code by dice."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
from sqlalchemy import select
from tests.hub.intake_world import ALWAYS, BACK, FRONT, HALL, HOUR_MS, INNER, STUDIO, World

from kokubus import credential
from kokubus.access import decide
from kokubus.credential import Credential
from kokubus.decision import Moment, State, Tap
from kokubus.messages import By, Clock, Enforced, PassageSeen, Side
from kokubus.policy import content_of, encoded
from kokubus.rights import Policy
from kokubus_hub import changes, database, issuing, models, policies
from kokubus_hub.explain.service import DAY_MS
from kokubus_hub.models import table
from kokubus_hub.people import service as people
from kokubus_hub.policies import Known
from kokubus_hub.settings import Settings
from kokubus_hub.times import iso

DAYS = 30
ROOMS = {HALL: "dorf-hall", STUDIO: "dorf-studio"}
DOORS = (FRONT, INNER, BACK)
OFFICE = {day: ["08:00-20:00"] for day in ("mon", "tue", "wed", "thu", "fri")} | {"holiday": []}


@dataclass
class Month:
    """The story so far. Every number is thrown from one seed."""

    hub: World
    settings: Settings
    dice: Random
    client: httpx.Client
    uids: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    badges: list[int] = field(default_factory=list)
    bookings: list[int] = field(default_factory=list)
    due: list[tuple[str, str, int, int]] = field(default_factory=list)
    modes: list[int] = field(default_factory=list)
    closures: list[int] = field(default_factory=list)
    keys: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with database.session_writing(self.hub.engine) as session:
            made = people.add_operator(session, "Olga Probe", "olga@example.org", self.hub.now)
            token = people.make_token(session, made.id, "month", self.hub.now)
        self.client.headers["Authorization"] = f"Bearer {token}"
        for number in (1, 2):
            self.keys[number] = os.urandom(32)
            sealed = self.hub.keyring.seal(self.keys[number], f"device:dorf-{number}")
            self.hub.set(models.Device, f"dorf-{number}", lookup_key=sealed)
        self.hub.set(models.Site, "dorf", opening=OFFICE)
        self.hub.set(models.Door, INNER, anti_passback="deny", reads_both_sides=True)
        self.hub.set(models.Room, "dorf-studio", reserve=1)
        self.hub.set(models.Door, BACK, free_passage=True, anti_passback="flag")

    def call(self, method: str, path: str, **json: Any) -> Any:
        """An API call; None where the hub had a reason not to."""
        answer = self.client.request(method, f"/api/v1/{path}", json=json or None)
        assert answer.status_code < 500, answer.text
        return answer.json() if answer.status_code < 300 and answer.content else None

    # -- what changes

    def newcomer(self) -> None:
        uid = f"04{self.dice.getrandbits(48):012X}"
        member = self.call("POST", "members", name="Ada Probe")["id"]
        badge = self.call("POST", "badges", uid=uid, member=member)["id"]
        self.uids.append(uid)
        self.members.append(member)
        self.badges.append(badge)

    def book(self) -> None:
        start = self.hub.now + self.dice.randint(-1, 40) * HOUR_MS // 2
        end = start + self.dice.randint(1, 8) * HOUR_MS
        span = {"start": iso(start), "end": iso(end)}
        if self.dice.random() < 0.2:
            span = {"date": iso(start)[:10]}
        room = self.dice.choice(list(ROOMS.values()))
        member = self._member()
        made = self.call("POST", "bookings", room=room, member=member, **span)
        if made:
            self.bookings.append(made["id"])
            uid = self.uids[self.members.index(member)]
            self.due.append((uid, INNER if room == ROOMS[STUDIO] else FRONT, start, end))

    def cancel(self) -> None:
        if self.bookings:
            self.call("DELETE", f"bookings/{self.dice.choice(self.bookings)}")

    def entitle(self) -> None:
        member = self.hub.row(models.Member, self._member())["id"]
        schedule = self.dice.choice(
            [None, ALWAYS, {"mon": ["07:00-12:00"], "sat": ["00:00-24:00"]}]
        )
        room = self.dice.choice([None, HALL, STUDIO])
        self.hub.entitle(member, room_id=room, schedule=schedule)

    def disentitle(self) -> None:
        held = table(models.Entitlement)
        with database.writing(self.hub.engine) as connection:
            first = connection.execute(select(held.c.id).limit(1)).scalar()
            connection.execute(held.delete().where(held.c.id == first))
            changes.record(connection, self.hub.now, "test")

    def change_badge(self) -> None:
        status = self.dice.choice(["active", "active", "blocked", "lost"])
        self.call("PATCH", f"badges/{self.dice.choice(self.badges)}", status=status)

    def hand_over(self) -> None:
        self.call("PATCH", f"badges/{self.dice.choice(self.badges)}", member=self._member())

    def suspend(self) -> None:
        status = self.dice.choice(["active", "active", "suspended"])
        self.call("PATCH", f"members/{self._member()}", status=status)

    def key(self) -> None:
        held, badge = table(models.Keyholder), self.dice.choice(self.badges)
        with database.writing(self.hub.engine) as connection:
            connection.execute(held.delete())
            connection.execute(held.insert().values(site_id=1, badge_id=badge))
            changes.record(connection, self.hub.now, "test")

    def override(self) -> None:
        self.hub.set_id(models.Badge, self.dice.choice(self.badges), override_lockdown=True)

    def mode(self) -> None:
        kind = self.dice.choice(["lockdown", "free_passage"])
        target = self.dice.choice([{"door": FRONT}, {"door": BACK}, {"site": "dorf"}, {}])
        until = iso(self.hub.now + self.dice.randint(1, 5) * HOUR_MS)
        made = self.call("POST", "modes", kind=kind, reason="a test", until=until, **target)
        if made:
            self.modes.append(made["id"])

    def end_mode(self) -> None:
        if self.modes:
            self.call("DELETE", f"modes/{self.dice.choice(self.modes)}")

    def close(self) -> None:
        start = self.hub.now + self.dice.randint(-2, 30) * HOUR_MS
        end = start + self.dice.randint(1, 9) * HOUR_MS
        span = {"start": iso(start), "end": iso(end)}
        made = self.call("POST", "sites/dorf/closures", reason="a test", confirmed=True, **span)
        if made:
            self.closures.append(made["id"])

    def reopen(self) -> None:
        if self.closures:
            self.call("DELETE", f"closures/{self.dice.choice(self.closures)}")

    def move_margins(self) -> None:
        minutes = self.dice.choice([0, 5, 15, 30]) * 60_000
        opening = self.dice.choice([OFFICE, ALWAYS])
        self.hub.set(models.Site, "dorf", lead_ms=minutes, grace_ms=minutes, opening=opening)

    # -- what happens

    def tap(self) -> None:
        """Somebody taps; who is let in goes in, mostly."""
        uid, door = self._somebody()
        self._tap(uid, door, self.dice.choice([Side.IN, Side.IN, Side.IN, Side.OUT]))

    def _tap(self, uid: str, door: str, side: Side) -> None:
        device = self.hub.other if door == BACK else self.hub.device
        tapped = device.tapped(uid, door, at=self.hub.now, side=side)
        answer = self.hub.ask(device.say(tapped))
        if answer.granted and self.dice.random() < 0.8:
            seen = {"door": door, "side": side, "tap": tapped.id}
            self.hub.take(device.fact(PassageSeen, at=self.hub.now, **seen))

    def tap_in_an_outage(self) -> None:
        """The door decides by its policy of some hours ago, and tells later."""
        uid, door = self._somebody()
        number = 2 if door == BACK else 1
        device = self.hub.other if door == BACK else self.hub.device
        policy = self._issued(number)
        age = self.dice.choice([0, 3 * HOUR_MS, 60 * HOUR_MS, 80 * HOUR_MS])
        device.clock = self.dice.choice([Clock.SYNCED, Clock.HOLDOVER, Clock.UNTRUSTED])
        self._others_change()
        at = self.hub.now + self.dice.randint(0, 6) * HOUR_MS // 2
        tapped = device.tapped(uid, door, at=at)
        lookup = credential.lookup(Credential("mfrc522", uid).text, self.keys[number])
        moment = Moment(at=at, trusted=device.clock is not Clock.UNTRUSTED, policy_age_ms=age)
        said = decide(policy, State(), Tap(door=door, badge=lookup), moment)
        self.hub.now = at + 2 * HOUR_MS
        enforced = device.fact(
            Enforced,
            at=at,
            tap=tapped.id,
            door=door,
            by=By.EDGE,
            granted=said.granted,
            reason=said.reason,
            policy=policy.number,
            policy_age_ms=age,
        )
        self.hub.take(device.say(tapped), enforced)
        device.clock = Clock.SYNCED

    def _others_change(self) -> None:
        for _ in range(3):
            self.dice.choice([self.book, self.cancel, self.change_badge, self.close])()

    def _issued(self, device: int) -> Policy:
        now = self.hub.now
        horizon = self.settings.policy_horizon_hours * HOUR_MS
        with database.writing(self.hub.engine) as connection:
            known = Known(self.hub.keyring)
            document = policies.build_all(connection, [device], now, horizon, known)[device]
            change = changes.latest(connection)
            issuing.issue(connection, device, encoded(document).decode(), change, now)
            issued = issuing.latest(connection, device)
        assert issued is not None
        life = self.settings.policy_expiry_hours * HOUR_MS
        return Policy(content_of(document), issued.number, life)

    def _somebody(self) -> tuple[str, str]:
        """Somebody with a booking now, if there is one; else anybody, anywhere."""
        hour, now = HOUR_MS, self.hub.now
        due = [(uid, door) for uid, door, s, e in self.due if s - hour <= now < e + hour]
        if due and self.dice.random() < 0.6:
            return self.dice.choice(due)
        uid = self.dice.choice([*self.uids, "04AAAAAAAAAAAA"])
        return uid, self.dice.choice([*DOORS, INNER, INNER])

    def _member(self) -> str:
        return self.dice.choice(self.members)

    def tell(self) -> None:
        """Thirty days, each of some changes and some taps."""
        rare = [self.newcomer, self.disentitle, self.key, self.override, self.move_margins]
        usual = [self.book] * 6 + [self.cancel, self.entitle, self.change_badge, self.hand_over]
        usual += [self.entitle, self.suspend, self.mode, self.end_mode, self.close, self.reopen]
        for _ in range(6):
            self.newcomer()
        for member in self.members[:3]:
            row = self.hub.row(models.Member, member)["id"]
            self.hub.entitle(row, schedule=ALWAYS)
        last = self.hub.now + DAYS * DAY_MS
        while self.hub.now < last:
            self.hub.now += self.dice.randint(1, 6 * HOUR_MS)
            self.dice.choice(self.dice.choice([rare, usual, usual, usual]))()
            for _ in range(self.dice.randint(0, 4)):
                self.tap()
                self.hub.now += self.dice.randint(0, 60_000)
            if self.dice.random() < 0.3:
                self.tap_in_an_outage()
        self._last_day()

    def _last_day(self) -> None:
        """What the dice may have left out."""
        for mode in self.modes:
            self.call("DELETE", f"modes/{mode}")
        self.newcomer()
        self.call("PATCH", f"members/{self.members[-1]}", status="suspended")
        self._tap(self.uids[-1], FRONT, Side.IN)
        self.call("POST", "modes", kind="lockdown", reason="a test")
        self._tap(self.uids[0], FRONT, Side.IN)
