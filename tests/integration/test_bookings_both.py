"""Bookings on SQLite and on PostgreSQL: seats under concurrent writers, deliveries, repairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from tests.hub.policy_world import HORIZON_MS, HOUR_MS, NOW, World
from tests.hub.small_hub import rows
from tests.integration.both import DATABASES, hub_on
from tests.integration.pg_server import running
from tests.integration.waiting import wait_until

from kokubus_hub import database, models
from kokubus_hub.bookings import delivery, pushing, reconcile, service
from kokubus_hub.bookings.wanted import Source, Wanted
from kokubus_hub.entitlements import keyholders, plans
from kokubus_hub.entitlements.places import Place
from kokubus_hub.models import table
from kokubus_hub.people.guests import Person
from kokubus_hub.problems import ProblemError
from kokubus_hub.sites import closures

pytestmark = pytest.mark.slow
WRITERS = 16
HALL, DESKS = 1, 2
DEVICE, CLAIM, BOOKING = table(models.Device), table(models.Claim), table(models.Booking)


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    with running() as folder:
        yield folder


@pytest.fixture(params=DATABASES)
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with hub_on(request.param, tmp_path, lambda: request.getfixturevalue("server")) as made:
        yield made


def time(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)


def wanted(member: int, first: float, last: float, room: str = "dorf-hall", **more: Any) -> Wanted:
    span = (time(NOW + int(first * HOUR_MS)), time(NOW + int(last * HOUR_MS)))
    return Wanted(room=room, member=f"m-{member:08x}", span=span, **more)


def make(hub: World, *args: Any, **more: Any) -> Any:
    with database.writing(hub.engine) as connection:
        return service.make(connection, wanted(*args, **more), NOW)


def at_once(do: Callable[[int], Any]) -> list[Any]:
    """What each of the writers got, who all begin together."""
    barrier = Barrier(WRITERS)

    def one(number: int) -> Any:
        barrier.wait()
        try:
            return do(number)
        except (ProblemError, IntegrityError) as error:
            return error

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(one, range(WRITERS)))


def members(hub: World) -> None:
    for number in range(WRITERS):
        hub.member(f"04{number:012X}")


def overlaps(hub: World) -> list[tuple[int, int]]:
    """Pairs of claims that have the same seat at the same time: looked for one by one."""
    held = rows(hub.engine, models.Claim)
    return [
        (a["id"], b["id"])
        for a in held
        for b in held
        if a["id"] < b["id"]
        and (a["room_id"], a["seat"]) == (b["room_id"], b["seat"])
        and a["start"] < b["end"]
        and b["start"] < a["end"]
    ]


def test_sixteen_want_one_room_and_one_gets_it(hub: World) -> None:
    members(hub)
    got = at_once(lambda number: make(hub, number, 1 + number / 100, 3).id)
    made = [one for one in got if isinstance(one, int)]
    refused = [one for one in got if isinstance(one, ProblemError)]
    assert (len(made), len(refused)) == (1, WRITERS - 1)
    assert all(str(made[0]) in str(error) for error in refused)
    assert len(rows(hub.engine, models.Booking)) == 1


def test_sixteen_want_five_desks(hub: World) -> None:
    members(hub)
    hub.set(models.Room, DESKS, desks=5)
    got = at_once(lambda number: make(hub, number, 1, 3 + number, room="dorf-desks").id)
    assert sum(isinstance(one, int) for one in got) == 5
    assert overlaps(hub) == []
    assert len(rows(hub.engine, models.Claim)) == 5


def test_the_database_itself_refuses_a_seat_twice(hub: World) -> None:
    """Without any of our own looks: raw inserts and updates, all at once."""
    members(hub)
    booking = [hub.book(1, NOW + n * HOUR_MS, NOW + (n + 1) * HOUR_MS) for n in range(WRITERS)]

    def raw(number: int) -> int:
        row = {"booking_id": booking[number], "room_id": HALL, "seat": 1, "start": NOW}
        return hub.add(models.Claim, **row, end=NOW + HOUR_MS + number)

    got = at_once(raw)
    assert sum(isinstance(one, int) for one in got) == 1
    for number in range(2, 4):
        row = {"booking_id": booking[0], "room_id": HALL, "seat": number, "start": NOW}
        hub.add(models.Claim, **row, end=NOW + HOUR_MS)
    with pytest.raises(IntegrityError), database.writing(hub.engine) as connection:
        connection.execute(update(CLAIM).where(CLAIM.c.seat == 3).values(seat=2))
    assert overlaps(hub) == []


def test_moves_and_cancellations_among_many_writers(hub: World) -> None:
    members(hub)
    hub.set(models.Room, DESKS, desks=4)
    made = [make(hub, n, 10 + n, 11 + n, room="dorf-desks").id for n in range(WRITERS)]

    def busy(number: int) -> None:
        for turn in range(6):
            first = (number * 7 + turn * 5) % 9
            new = wanted(number, 10 + first, 12 + first, room="dorf-desks")
            with database.writing(hub.engine) as connection:
                if (number + turn) % 5 == 0:
                    service.cancel(connection, made[number], NOW)
                else:
                    service.change(connection, made[number], new, NOW, again=True)

    at_once(busy)
    assert overlaps(hub) == []
    claimed = {row["booking_id"]: row for row in rows(hub.engine, models.Claim)}
    for row in rows(hub.engine, models.Booking):
        if row["status"] == "confirmed":
            held = claimed[row["id"]]
            assert (held["start"], held["end"]) == (row["start"], row["end"])
        else:
            assert row["id"] not in claimed


def waits_or_is_over(hub: World, other: Future[Any]) -> bool:
    """Whether somebody waits for a lock, as far as the database says."""
    if hub.engine.dialect.name == "sqlite":  # whose second writer has not even begun
        return True
    with database.reading(hub.engine) as connection:
        locks = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return other.done() or bool(connection.execute(locks).scalar_one())


def test_what_is_cancelled_meanwhile_stays_cancelled(hub: World) -> None:
    """Somebody extends a booking at the very moment at which another takes it back."""
    members(hub)
    made = make(hub, 1, 1, 2)

    def extend() -> None:
        with database.writing(hub.engine) as connection:
            service.change(connection, made.id, wanted(1, 1, 3), NOW)

    with ThreadPoolExecutor(1) as pool:
        with database.writing(hub.engine) as connection:
            service.cancel(connection, made.id, NOW)
            late = pool.submit(extend)
            wait_until(lambda: waits_or_is_over(hub, late), "the second to wait for the first")
        with pytest.raises(ProblemError, match="cancelled"):
            late.result()
    (row,) = rows(hub.engine, models.Booking)
    assert (row["status"], row["end"]) == ("cancelled", made.end)


def test_sixteen_pushes_of_one_booking_make_one(hub: World) -> None:
    """By somebody whom nobody knew."""
    booker = Person(email="nina@example.org")
    said = Wanted(room="dorf-hall", booker=booker, span=wanted(1, 1, 2).span)
    named = Source(name="push:anny", uid="7")

    def push(_: int) -> int:
        with database.writing(hub.engine) as connection:
            return int(pushing.push(connection, named, said, NOW).id)

    assert len(set(at_once(push))) == 1
    assert len(rows(hub.engine, models.Booking)) == 1
    assert len(rows(hub.engine, models.Member)) == 1


def test_whoever_gets_a_plan_gets_what_it_is(hub: World) -> None:
    """At the very moment at which it is made to give less."""
    members(hub)
    room, site = Place("dorf", "dorf-desks"), Place("dorf")
    plan = plans.Plan(id="flex", name="Flex", kind="plan", schedule=None, places=(site, room))
    with database.writing(hub.engine) as connection:
        plans.add(connection, plan, NOW)

    def subscribe() -> None:
        with database.writing(hub.engine) as connection:
            plans.subscribe(connection, f"m-{1:08x}", "flex", None, None, NOW)

    with ThreadPoolExecutor(1) as pool:
        with database.writing(hub.engine) as connection:
            plans.change(connection, "flex", replace(plan, places=(room,)), NOW)
            late = pool.submit(subscribe)
            wait_until(lambda: waits_or_is_over(hub, late), "the second to wait for the first")
        late.result()
    (right,) = rows(hub.engine, models.Entitlement)
    assert right["room_id"] == DESKS


def test_a_closure_names_who_books_at_that_moment(hub: World) -> None:
    members(hub)
    span = {"start": NOW + HOUR_MS, "end": NOW + 9 * HOUR_MS}

    def close() -> None:
        with database.writing(hub.engine) as connection:
            closures.make(connection, closures.Wanted(site="dorf", **span), NOW, None)

    with ThreadPoolExecutor(1) as pool:
        with database.writing(hub.engine) as connection:
            service.make(connection, wanted(1, 2, 3), NOW)
            late = pool.submit(close)
            wait_until(lambda: waits_or_is_over(hub, late), "the closure to wait for the booking")
        with pytest.raises(ProblemError, match="fall into this time"):
            late.result()
    assert rows(hub.engine, models.Closure) == []


def test_sixteen_keys_are_three(hub: World) -> None:
    members(hub)

    def name(number: int) -> None:
        with database.writing(hub.engine) as connection:
            keyholders.name(connection, "dorf", 1 + number, NOW)

    assert sum(one is None for one in at_once(name)) == keyholders.MOST
    assert len(rows(hub.engine, models.Keyholder)) == keyholders.MOST


def report(hub: World, device: int, change: int) -> None:
    """The device says that it has all up to this change."""
    about = {"online": True, "status_at": NOW, "applied_at": NOW + 500, "applied_change": change}
    hub.set(models.Device, device, **about)


def kept(hub: World) -> list[tuple[int, int, str, str]]:
    return [
        (row["booking_id"], row["door_id"], row["state"], row["why"])
        for row in rows(hub.engine, models.BookingDelivery)
    ]


def test_what_doors_report_is_kept(hub: World) -> None:
    members(hub)
    made = make(hub, 1, 1, 2, room="dorf-desks")
    assert kept(hub) == [(made.id, 1, "waiting", ""), (made.id, 2, "waiting", "")]
    report(hub, 1, made.change_id)
    report(hub, 2, made.change_id - 1)
    reconcile.settle(hub.engine, NOW + 600, HORIZON_MS)
    assert kept(hub) == [(made.id, 1, "on_the_door", ""), (made.id, 2, "waiting", "")]
    assert rows(hub.engine, models.BookingDelivery)[0]["since"] == NOW + 500
    reconcile.settle(hub.engine, NOW + delivery.PATIENCE_MS, HORIZON_MS)
    assert kept(hub)[1] == (made.id, 2, "failed", "not_confirmed")
    report(hub, 2, made.change_id)
    reconcile.settle(hub.engine, NOW + delivery.PATIENCE_MS + 1, HORIZON_MS)
    assert kept(hub)[1] == (made.id, 2, "on_the_door", "")
    with database.writing(hub.engine) as connection:
        service.change(connection, made.id, wanted(1, 3, 4), NOW)
    assert [state for *_, state, _ in kept(hub)] == ["waiting", "waiting"]


def test_whatever_was_lost_is_made_again(hub: World) -> None:
    members(hub)
    made = make(hub, 1, 1, 2, room="dorf-desks")
    with database.writing(hub.engine) as connection:
        connection.execute(delete(CLAIM))
        connection.execute(delete(table(models.BookingDelivery)))
    stranger = hub.book(2, NOW + HOUR_MS, NOW + 2 * HOUR_MS, room=HALL)
    lost = hub.book(3, NOW + 5 * HOUR_MS, NOW + 6 * HOUR_MS, change_id=2**62, status="cancelled")
    assert reconcile.repair(hub.engine, NOW, HORIZON_MS) == 3
    found = {row["id"]: row for row in rows(hub.engine, models.Booking)}
    latest = max(row["id"] for row in rows(hub.engine, models.Change))
    assert made.change_id < found[made.id]["change_id"] <= latest
    assert found[stranger]["change_id"] <= latest
    assert found[lost]["change_id"] <= latest
    assert {row["booking_id"] for row in rows(hub.engine, models.Claim)} == {made.id, stranger}
    owed = {(booking, door) for booking, door, *_ in kept(hub)}
    assert {(made.id, 1), (made.id, 2), (stranger, 1)} <= owed
    assert reconcile.repair(hub.engine, NOW, HORIZON_MS) == 0


def test_a_few_are_repaired_at_once_and_the_others_next(
    hub: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A door's newest change waits behind one step, not behind a whole network's repair."""
    members(hub)
    for hour in (1, 3, 5):
        hub.book(2, NOW + hour * HOUR_MS, NOW + (hour + 1) * HOUR_MS, room=HALL)
    monkeypatch.setattr(reconcile, "A_TURN", 1)
    monkeypatch.setattr(reconcile, "A_STEP", 2)
    left = [reconcile.repair(hub.engine, NOW, HORIZON_MS) for _ in range(3)]
    assert left == [3, 1, 0]


def test_those_who_come_along_enter_too(hub: World) -> None:
    """In the policies of doors, under a right of their own."""
    members(hub)
    make(hub, 1, 0, 2, room="dorf-desks", companions=("m-00000002", "m-00000003"))
    for uid in ("04000000000001", "04000000000002", "04000000000003"):
        assert hub.decide("dorf-inner", uid).granted, uid
    assert not hub.decide("dorf-inner", "04000000000004").granted
    with database.reading(hub.engine) as connection:
        held = connection.execute(select(table(models.BookingHolder).c.id)).scalars().all()
    keys = hub.document(2)["rights"].keys()
    assert keys == {"b1", *(f"h{one}" for one in held)}


def test_a_booking_without_a_holder_takes_its_room_and_opens_nothing(hub: World) -> None:
    members(hub)
    with database.writing(hub.engine) as connection:
        row = {"room_id": HALL, "start": NOW, "end": NOW + HOUR_MS, "title": "Gemeinderat"}
        connection.execute(insert(BOOKING).values(**row, created_at=NOW, changed_at=NOW))
    reconcile.repair(hub.engine, NOW, HORIZON_MS)
    with pytest.raises(ProblemError, match="taken"):
        make(hub, 1, 0, 1)
    assert hub.document(1)["rights"] == {}
