"""When a booking opens its door, against a model that is slow and obvious.

The model walks the wall clock of the site minute by minute and asks the plainest question: is
there an occurrence that has begun, or will within the lead, and has not been over for longer
than the grace? The code works with instants, rules and expansions.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.trying import examples

from kokubus import access
from kokubus.decision import Moment, State, Tap
from kokubus.rights import BadgeRules, Content, DoorRules, Policy, Right
from kokubus_hub.bookings.claims import Ask, TakenError, _Seats
from kokubus_hub.bookings.series import Repeat, occurrences
from kokubus_hub.bookings.wanted import Wanted

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
DAYS = st.dates(date(2026, 1, 1), date(2027, 12, 31)) | st.sampled_from(
    [date(2026, 3, 29), date(2026, 10, 25), date(2026, 10, 24), date(2027, 3, 28)]
)
MINUTES = st.integers(0, 24 * 60 - 1)
LENGTHS = st.integers(1, 30 * 60)
MARGINS = st.integers(0, 240)


def instant(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def wall(day: date, minute: int) -> datetime:
    """That minute on the wall; of two the first, of none the offset before (RFC 5545)."""
    plain = datetime.combine(day, datetime.min.time()) + minute * MINUTE
    return plain.replace(tzinfo=BERLIN).astimezone(UTC)


def decided(windows: list[tuple[int, int]], lead: int, grace: int, at: int) -> bool:
    """What the rule of hub and door says."""
    rights = {
        f"b{n}": Right(member="m-1", rooms=("hall",), windows=(window,))
        for n, window in enumerate(windows)
    }
    doors = {"front": DoorRules(rooms=("hall",), lead_ms=lead * 60_000, grace_ms=grace * 60_000)}
    policy = Policy(Content(doors, {"x": BadgeRules(member="m-1")}, rights, {}))
    return access.decide(policy, State(), Tap(door="front", badge="x"), Moment(at=at)).granted


@settings(max_examples=examples(300), deadline=None)
@given(DAYS, MINUTES, LENGTHS, MARGINS, MARGINS, st.data())
@example(date(2026, 10, 25), 150, 60, 15, 15, None)
@example(date(2027, 3, 28), 150, 60, 15, 15, None)
@example(date(2026, 6, 3), 23 * 60, 120, 15, 15, None)
def test_lead_and_grace_around_midnight_and_the_clocks(
    day: date, minute: int, length: int, lead: int, grace: int, data: st.DataObject | None
) -> None:
    begins = wall(day, minute)
    ends = begins + length * MINUTE
    opens, shuts = begins - lead * MINUTE, ends + grace * MINUTE
    edges = [opens, begins, ends, shuts]
    tried = [edge + n * timedelta(seconds=1) for edge in edges for n in (-1, 0, 1)]
    if data is not None:
        far = data.draw(st.integers(-3 * 24 * 60, 3 * 24 * 60))
        tried.append(begins + far * MINUTE)
    window = (instant(begins), instant(ends))
    for moment in tried:
        model = opens <= moment < shuts
        assert decided([window], lead, grace, instant(moment)) is model, moment


def model_weekly(day: date, minute: int, count: int, left_out: set[int]) -> list[datetime]:
    """The nth week's day at that minute on the wall."""
    return [wall(day + n * 7 * DAY, minute) for n in range(count) if n not in left_out]


@settings(max_examples=examples(120), deadline=None)
@given(DAYS, MINUTES, st.integers(1, 600), st.integers(1, 8), st.sets(st.integers(0, 7)))
@example(date(2026, 10, 18), 150, 60, 3, set())
@example(date(2027, 3, 21), 150, 60, 3, set())
@example(date(2026, 10, 25), 120, 60, 2, set())
@example(date(2026, 10, 25), 170, 20, 1, set())
def test_a_series_week_by_week(
    day: date, minute: int, length: int, count: int, left_out: set[int]
) -> None:
    begins = wall(day, minute)
    if (
        wall(day, minute).astimezone(BERLIN).replace(tzinfo=None)
        != datetime.combine(day, datetime.min.time()) + minute * MINUTE
    ):
        return  # it does not exist on its first day: nobody can ask for it
    left_out = {n for n in left_out if n < count}
    if len(left_out) == count:
        return
    repeat = Repeat(
        f"FREQ=WEEKLY;COUNT={count}", (), [wall(day + n * 7 * DAY, minute) for n in left_out]
    )
    wanted = Wanted(room="hall", span=(begins, begins + length * MINUTE))
    slots = occurrences(wanted, repeat, BERLIN)
    assert [slot.start for slot in slots] == [
        instant(one) for one in model_weekly(day, minute, count, left_out)
    ]


class _Room:
    id, name = 1, "Saal"

    def __init__(self, desks: int) -> None:
        self.desks = desks


INTERVALS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 20), st.integers(1, 4)), max_size=25
)


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(1, 4), INTERVALS)
def test_seats_minute_by_minute(desks: int, wanted: list[tuple[int, int, int]]) -> None:
    """No seat twice in any minute, and nobody is refused who fits into free seats."""
    seats = _Seats(_Room(desks), [])  # type: ignore[arg-type]  # a row is what has its names
    taken: dict[tuple[int, int], int] = {}
    for number, (start, length, count) in enumerate(wanted):
        span = (start, start + length)
        ask = Ask(booking=number, room=_Room(desks), span=span, desks=count)  # type: ignore[arg-type]  # same
        free = [
            seat
            for seat in range(1, desks + 1)
            if all((seat, minute) not in taken for minute in range(*span))
        ]
        try:
            got = [row["seat"] for row in seats.take(ask)]
        except TakenError:
            got = []
        if not got:
            assert len(free) < count
            continue
        assert len(set(got)) == count <= len(free)
        for seat in got:
            for minute in range(*span):
                assert (seat, minute) not in taken
                taken[seat, minute] = number
