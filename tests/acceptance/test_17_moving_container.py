"""Case 17: the KoKubus moves; bookings, doors and the public page follow its placement."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.acceptance.rig.dated import at
from tests.hub.web_world import SITES, Stage, World, staging, web_world
from tests.loopback import asking

from kokubus.site import Site, read_site
from kokubus_hub import database, models, rules
from kokubus_hub.models import table
from kokubus_hub.sites.apply import apply
from kokubus_hub.times import iso
from kokubus_hub.watching import Watch

CABIN, DOOR = "kokubus-cabin", "kokubus-door"
DAY_MS = 86_400_000
ARRIVES, LEAVES, ARRIVES_NEXT = (at(f"2025-{day} 00:00") for day in ("10-06", "11-07", "11-10"))
"""From Ostelsheim, where it leaves on 7 November 2025, to Bad Herrenalb from the 10th."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with staging() as made:
        yield made


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with web_world(tmp_path) as made:
        made.now = LEAVES - DAY_MS + 10 * 3_600_000
        yield made


@pytest.fixture
def api(world: World, stage: Stage) -> Iterator[httpx.Client]:
    stage.enter(world.hub())
    headers = {"Authorization": f"Bearer {world.token(world.operator())}"}
    with asking(stage.address, headers=headers) as client:
        yield client


def book(api: httpx.Client, world: World, day: int) -> httpx.Response:
    """From 10 to 12 that many days after it leaves Ostelsheim."""
    start = LEAVES + day * DAY_MS + 10 * 3_600_000
    slug = f"m-{next(world.numbers):08d}"
    world.insert(models.Member, slug=slug, name="Ada Probe", email=f"{slug}@example.org")
    span = {"start": iso(start), "end": iso(start + 2 * 3_600_000)}
    return api.post("/api/v1/bookings", json={"room": CABIN, "member": slug, **span})


def public(api: httpx.Client) -> str:
    answer = httpx.get(f"{api.base_url}?lang=en", timeout=60)
    assert answer.status_code == 200
    card = answer.text[answer.text.index('id="site-kokubus"') :]
    return card[: card.index("</article>")]


def closed(world: World, instant: int) -> bool:
    """Whether the container's door has it in its rules that it is closed then."""
    with database.reading(world.engine) as connection:
        site = connection.execute(
            table(models.Site).select().where(models.Site.slug == "kokubus")
        ).one()
        stands = connection.execute(
            table(models.Placement).select().where(models.Placement.site_id == site.id)
        ).all()
    return any(start <= instant < end for start, end in rules.in_transit(site, stands))


def test_the_public_page_says_where_it_stands(world: World, api: httpx.Client) -> None:
    assert "Rathausplatz, 75395 Ostelsheim" in public(api)
    world.now = LEAVES
    on_the_way = public(api)
    assert "Ostelsheim" not in on_the_way
    assert "Bad Herrenalb" not in on_the_way
    world.now = ARRIVES_NEXT
    assert "Kurpark, 76332 Bad Herrenalb" in public(api)
    assert "Ostelsheim" not in public(api)


def test_nobody_books_it_on_the_way(world: World, api: httpx.Client) -> None:
    answers = [book(api, world, day).status_code for day in (-1, 0, 1, 2, 3, 4)]
    assert answers == [201, 409, 409, 409, 201, 201]


def test_its_doors_are_closed_on_the_way(world: World) -> None:
    assert [closed(world, one) for one in (LEAVES - 1, LEAVES, ARRIVES_NEXT - 1, ARRIVES_NEXT)] == [
        *(False, True, True, False),
    ]


def test_nobody_is_called_for_its_silence_on_the_way(world: World) -> None:
    def offline() -> list[str]:
        Watch(world.engine, 3 * DAY_MS).look(world.now)
        with database.reading(world.engine) as connection:
            rows = connection.execute(table(models.Alarm).select()).all()
        return [row.kind for row in rows if row.cleared_at is None]

    world.now = LEAVES + DAY_MS
    world.set(models.Device, "kokubus-1", online=False, status_at=LEAVES)
    assert "device_offline" not in offline()
    world.now = ARRIVES_NEXT
    assert "device_offline" in offline()


def test_a_move_that_is_put_off_says_which_bookings_it_hits(
    world: World, api: httpx.Client
) -> None:
    first, second = (book(api, world, day).json()["id"] for day in (3, 5))
    lines = moved(world, "from = 2025-11-10", "from = 2025-11-12")
    assert [line for line in lines if line.startswith("!")] == [
        f"! booking {first} of {CABIN} falls into transit",
    ]
    assert closed(world, LEAVES + 3 * DAY_MS)
    assert not closed(world, LEAVES + 5 * DAY_MS)
    assert api.get(f"/api/v1/bookings/{second}").json()["status"] == "confirmed"


def moved(world: World, old: str, new: str) -> tuple[str, ...]:
    """Apply the container's file with other days."""
    text = (SITES / "kokubus.toml").read_text("utf-8")
    assert old in text
    site: Site = read_site(text.replace(old, new), "kokubus.toml")
    with database.writing(world.engine) as connection:
        return apply(connection, [site], world.now).lines


def test_the_api_says_where_a_booking_is(world: World, api: httpx.Client) -> None:
    before, after = (book(api, world, day).json() for day in (-1, 4))
    assert [one["municipality"] for one in (before, after)] == ["ostelsheim", "bad-herrenalb"]
    assert after["address"] == "Kurpark, 76332 Bad Herrenalb"
